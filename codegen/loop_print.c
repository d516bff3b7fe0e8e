// Kernel IR as text. It names no axis, no size of the outermost axis and no graph: what it doesn't show, the
// code doesn't depend on.
#include "codegen/loop.h"

static void print_axes(const tct_loop *l, tct_buf *out) {
    for (uint32_t a = 0; a < l->n_axes; a++) {
        tct_buf_printf(out, "%s%s i%u < ", a ? ", " : "", l->axes[a].reduced ? "reduce" : "for", a);
        if (l->tile || (a == 0 && l->n_kept))
            tct_buf_puts(out, "n");
        else
            tct_buf_printf(out, "%lld", (long long)l->axes[a].size);
        if ((int)a == l->lane_axis) {
            tct_buf_printf(out, " by %u x %d lanes", l->unroll, TCT_LOOP_LANES);
            if (l->block && !l->tile) tct_buf_printf(out, " of %lld", (long long)l->block);
        }
        if (l->rows && a + 1 == l->n_kept) tct_buf_printf(out, " by %lld", (long long)l->rows);
    }
}

static void print_affine(const tct_loop_value *v, tct_buf *out) {
    bool first = true;
    for (uint32_t k = 0; k < v->n_in; k++) {
        tct_buf_puts(out, first ? "" : " + ");
        if (v->coef[k] != 1) tct_buf_printf(out, "%lld*", (long long)v->coef[k]);
        tct_buf_printf(out, "%%%u", v->in[k]);
        first = false;
    }
    if (v->i || first) tct_buf_printf(out, "%s%lld", first ? "" : " + ", (long long)v->i);
}

static void print_end(const tct_diag *sources, tct_span span, tct_buf *out) {
    const tct_source *s = sources ? tct_diag_source(sources, span.file) : NULL;
    if (s) {
        uint32_t line, col;
        tct_diag_line_col(s, span.begin, &line, &col);
        tct_buf_printf(out, "  ; %s:%u:%u", s->path, line, col);
    }
    tct_buf_putc(out, '\n');
}

static void print_value(const tct_loop *l, tct_lv n, const tct_diag *sources, tct_buf *out) {
    const tct_loop_value *v = &l->values[n];
    tct_buf_printf(out, "    %%%u = ", n);
    if (v->kind != TCT_LOOP_AXIS && v->kind != TCT_LOOP_AFFINE)
        tct_buf_printf(out, "%s ", tct_dtype_name((tct_dtype)v->dtype));
    switch ((tct_loop_kind)v->kind) {
    case TCT_LOOP_CONST:
        if (tct_dtype_is_float((tct_dtype)v->dtype))
            tct_buf_printf(out, "%a", v->f);
        else
            tct_buf_printf(out, "%lld", (long long)v->i);
        break;
    case TCT_LOOP_AXIS:
        tct_buf_printf(out, "i%lld", (long long)v->i);
        break;
    case TCT_LOOP_AFFINE:
        print_affine(v, out);
        break;
    case TCT_LOOP_DIV:
        tct_buf_printf(out, "%%%u / %lld", v->in[0], (long long)v->i);
        break;
    case TCT_LOOP_MOD:
        tct_buf_printf(out, "%%%u %% %lld", v->in[0], (long long)v->i);
        break;
    case TCT_LOOP_INDEX:
        tct_buf_printf(out, "index %%%u", v->in[0]);
        break;
    case TCT_LOOP_NUMBER:
        tct_buf_printf(out, "number %%%u", v->in[0]);
        break;
    case TCT_LOOP_WITHIN:
        tct_buf_printf(out, "%%%u within %lld", v->in[0], (long long)v->i);
        break;
    case TCT_LOOP_LOAD:
        tct_buf_printf(out, "b%lld[%%%u]", (long long)v->i, v->in[0]);
        if (v->n_in > 1) tct_buf_printf(out, " if %%%u", v->in[1]);
        break;
    case TCT_LOOP_RANDOM:
        tct_buf_printf(out, "random %lld of %%%u at %%%u", (long long)v->i, v->in[0], v->in[1]);
        break;
    case TCT_LOOP_OP:
    case TCT_LOOP_REDUCE:
        if (tct_loop_runs_ahead(v)) {
            tct_buf_printf(out, "sum exp(%%%u - %%%u)", v->in[0], v->in[1]);
            break;
        }
        tct_buf_puts(out, tct_ir_ops[v->op].name);
        for (uint32_t k = 0; k < v->n_in; k++) tct_buf_printf(out, "%s%%%u", k ? ", " : " ", v->in[k]);
        break;
    }
    if (v->kept) tct_buf_printf(out, "  keep from pass %u at %llu", v->first, (unsigned long long)v->offset);
    if (v->ahead) tct_buf_printf(out, "  %u bytes ahead", v->ahead);
    for (uint32_t pass = 0, asked = 0; v->ahead && v->ahead_passes >> pass; pass++)
        if (v->ahead_passes >> pass & 1) tct_buf_printf(out, "%s %u", asked++ ? "," : " in pass", pass);
    print_end(sources, v->span, out);
}

void tct_loop_print(const tct_loop *l, const tct_diag *sources, tct_buf *out) {
    tct_buf_puts(out, l->tile ? "tile" : "loop");
    if (l->n_axes) tct_buf_putc(out, ' ');
    print_axes(l, out);
    tct_buf_printf(out, "; %u passes, buffers", l->n_passes);
    for (uint32_t k = 0; k < l->n_bufs; k++)
        tct_buf_printf(out, "%s b%u: %s", k ? "," : "", k, tct_dtype_name((tct_dtype)l->buf_dtype[k]));
    tct_buf_puts(out, " {\n");
    for (uint32_t v = 0; v < l->n_values; v++) print_value(l, v, sources, out);
    for (uint32_t s = 0; s < l->n_stores; s++) {
        const tct_loop_store *store = &l->stores[s];
        tct_buf_printf(out, "    b%u[%%%u] %s %%%u", store->buf, store->offset, store->add ? "+=" : "=",
                       store->value);
        if (store->guard != TCT_NO_LV) tct_buf_printf(out, " if %%%u", store->guard);
        if (store->past) tct_buf_puts(out, "  past the caches");
        if (store->part) tct_buf_printf(out, "  in parts of %lld", (long long)store->part);
        if (store->part && l->tile) tct_buf_printf(out, " for %lld rows", (long long)l->tile_rows);
        if (l->peel == s + 1) tct_buf_puts(out, ", line by line");
        print_end(sources, store->span, out);
    }
    if (l->only != TCT_NO_LV) tct_buf_printf(out, "    only where %%%u\n", l->only);
    if (l->prefix != TCT_NO_LV) tct_buf_printf(out, "    first lanes where %%%u\n", l->prefix);
    tct_buf_puts(out, "}\n");
}
