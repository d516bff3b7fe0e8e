#include "driver/inspect.h"

#include <stdlib.h>

static bool read_image(tct_diag *d, tct_inspection *x) {
    size_t n = 0;
    const unsigned char *bytes = tct_elf_section(&x->elf, TCT_IMAGE_SECTION, &n);
    if (!bytes && n)
        return tct_error(d, "E0715", TCT_NO_SPAN, "%s is damaged: its section %s lies outside of the file",
                         x->elf.path, TCT_IMAGE_SECTION);
    if (!bytes) {
        tct_error(d, "E0715", TCT_NO_SPAN, "%s is no trainer: it has no section %s", x->elf.path,
                  TCT_IMAGE_SECTION);
        tct_help(d, "`tercet build FILE -o TRAINER` makes one");
        return false;
    }
    uint64_t first = (tct_image_length(bytes, n) + 15) & ~(uint64_t)15; // the next would be aligned
    if (first && first < n && tct_image_length(bytes + first, n - first)) {
        tct_error(d, "E0715", TCT_NO_SPAN, "%s has several libraries in it", x->elf.path);
        tct_help(d, "inspect looks into files with one; cc -shared makes one of a library");
        return false;
    }
    x->image_bytes = n;
    return tct_image_read(d, &d->arena, x->elf.path, bytes, n, &x->image);
}

static void add_kernels(tct_inspection *x, const tct_plan *plan, uint32_t variant) {
    for (uint32_t i = 0; i < plan->n_kernels; i++) {
        tct_inspected_kernel k = {plan->kernels[i].symbol, 1u << variant, 0};
        TCT_PUSH(&x->kernels, k);
    }
    for (uint32_t i = 0; i < plan->n_scans; i++) add_kernels(x, plan->scans[i].body, variant);
}

static void add_foreign(tct_inspection *x, const char *symbol, const char *library) {
    if (library && !*library) library = NULL;
    for (size_t i = 0; i < x->foreigns.len; i++) {
        const tct_inspected_foreign *f = &x->foreigns.data[i];
        bool same = f->library && library ? strcmp(f->library, library) == 0 : f->library == library;
        if (same && strcmp(f->symbol, symbol) == 0) return;
    }
    tct_inspected_foreign f = {symbol, library};
    TCT_PUSH(&x->foreigns, f);
}

static void add_foreigns(tct_inspection *x, const tct_plan *plan) {
    for (uint32_t i = 0; i < plan->n_foreigns; i++)
        add_foreign(x, plan->foreigns[i].symbol, plan->foreigns[i].library);
    for (uint32_t i = 0; i < plan->n_scans; i++) add_foreigns(x, plan->scans[i].body);
}

static void find_foreigns(tct_inspection *x) {
    const tct_program *p = &x->image.program;
    for (uint32_t i = 0; i < p->n_externs; i++) add_foreign(x, p->externs[i].symbol, p->externs[i].library);
    for (uint32_t i = 0; i < p->n_plans; i++) add_foreigns(x, x->image.variants[0].plans[i]);
}

static void find_calls(tct_arena *a, tct_inspection *x) {
    const tct_program *p = &x->image.program;
    x->called_at = TCT_NEW_ARRAY(a, tct_span, p->n_plans + 1);
    for (uint32_t i = p->n_instrs; i-- > 0;) {
        const tct_instr *at = &p->instrs[i];
        if (at->op == TCT_I_RUN) x->called_at[p->runs[at->a].plan] = at->span;
        if (at->op != TCT_I_CALL || p->calls[at->a].builtin != TCT_BUILTIN_GENERATE) continue;
        const tct_generator *g = &p->generators[p->calls[at->a].generator];
        x->called_at[g->prefill] = x->called_at[g->step] = at->span;
        if (g->convert != TCT_NO_PLAN) x->called_at[g->convert] = at->span;
    }
}

static int by_symbol(const void *a, const void *b) {
    return strcmp(((const tct_inspected_kernel *)a)->symbol, ((const tct_inspected_kernel *)b)->symbol);
}

static void find_kernels(tct_inspection *x) {
    for (uint32_t v = 0; v < x->image.n_variants; v++)
        for (uint32_t i = 0; i < x->image.program.n_plans; i++)
            add_kernels(x, x->image.variants[v].plans[i], v);
    size_t kept = 0;
    if (x->kernels.len) qsort(x->kernels.data, x->kernels.len, sizeof *x->kernels.data, by_symbol);
    for (size_t i = 0; i < x->kernels.len; i++) {
        tct_inspected_kernel *k = &x->kernels.data[i];
        if (kept && strcmp(x->kernels.data[kept - 1].symbol, k->symbol) == 0)
            x->kernels.data[kept - 1].sets |= k->sets;
        else
            x->kernels.data[kept++] = *k;
    }
    x->kernels.len = kept;
    for (size_t i = 0; i < kept; i++)
        x->kernels.data[i].bytes = tct_elf_function_bytes(&x->elf, x->kernels.data[i].symbol);
}

bool tct_inspect(tct_diag *d, const char *path, tct_inspection *out) {
    *out = (tct_inspection){0};
    if (!tct_elf_open(d, path, &out->elf) || !read_image(d, out)) return false;
    for (uint32_t i = 0; i < out->image.n_sources; i++) {
        const tct_image_source *s = &out->image.sources[i];
        tct_diag_add_source(d, s->path, s->text, s->len);
    }
    find_kernels(out);
    find_foreigns(out);
    find_calls(&d->arena, out);
    return true;
}

void tct_inspection_close(tct_inspection *x) {
    tct_elf_close(&x->elf);
    TCT_VEC_FREE(&x->kernels);
    TCT_VEC_FREE(&x->foreigns);
}

uint32_t tct_inspect_steps(const tct_plan *plan) {
    uint32_t n = plan->n_steps;
    for (uint32_t i = 0; i < plan->n_scans; i++) n += tct_inspect_steps(plan->scans[i].body);
    return n;
}

uint32_t tct_inspect_kernels(const tct_inspection *x, uint32_t variant, uint64_t *bytes) {
    uint32_t n = 0;
    *bytes = 0;
    for (size_t i = 0; i < x->kernels.len; i++) {
        const tct_inspected_kernel *k = &x->kernels.data[i];
        if (variant != UINT32_MAX && !(k->sets >> variant & 1)) continue;
        n++;
        *bytes += k->bytes;
    }
    return n;
}

const char *tct_inspect_place(const tct_diag *d, tct_arena *a, tct_span span) {
    const tct_source *s = tct_diag_source(d, span.file);
    if (!s) return NULL;
    uint32_t line, column;
    tct_diag_line_col(s, span.begin, &line, &column);
    return tct_arena_printf(a, "%s:%u:%u", s->path, line, column);
}
