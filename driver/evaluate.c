#include "driver/evaluate.h"

#include "ir/interp.h"
#include "runtime/foreign.h"
#include "runtime/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool new_output(tct_diag *d, const tct_graph *g, uint32_t k, bool f64, tct_tensor *out) {
    const tct_node *n = tct_node_of(g, g->outputs.data[k].value);
    tct_dtype dtype = f64 && tct_dtype_is_float((tct_dtype)n->dtype) ? TCT_F64 : (tct_dtype)n->dtype;
    int64_t sizes[TCT_IR_MAX_AXES];
    for (uint8_t i = 0; i < n->n_axes; i++) sizes[i] = tct_axis_of(g->module, n->axes[i])->size;
    return tct_tensor_new(d, dtype, n->n_axes, NULL, sizes, out);
}

static bool new_outputs(tct_diag *d, const tct_graph *g, bool f64, tct_tensor *outputs) {
    bool ok = true;
    for (size_t k = 0; k < g->outputs.len; k++) outputs[k] = (tct_tensor){0};
    for (uint32_t k = 0; ok && k < g->outputs.len; k++) ok = new_output(d, g, k, f64, &outputs[k]);
    for (size_t k = 0; !ok && k < g->outputs.len; k++) tct_tensor_free(&outputs[k]);
    return ok;
}

// A tensor of the interpreter as a foreign function sees it: in its declared dtype.
typedef struct seen {
    tct_tensor declared, held; // held: borrowed from the interpreter, perhaps f64 where f32 is declared
    int64_t sizes[TCT_IR_MAX_AXES];
} seen;

static bool see(tct_diag *d, const tct_graph *body, const tct_node *type, const tct_ir_tensor *t, bool read,
                seen *s) {
    for (uint8_t i = 0; i < type->n_axes; i++) s->sizes[i] = tct_axis_of(body->module, type->axes[i])->size;
    if (!tct_tensor_borrow(d, t->dtype, type->n_axes, NULL, s->sizes, t->data, &s->held)) return false;
    if (read) return tct_tensor_cast(d, &s->held, (tct_dtype)type->dtype, &s->declared);
    return tct_tensor_new(d, (tct_dtype)type->dtype, type->n_axes, NULL, s->sizes, &s->declared);
}

static bool give_back(tct_diag *d, seen *s) {
    tct_tensor t;
    if (!tct_tensor_cast(d, &s->declared, s->held.dtype, &t)) return false;
    memcpy(s->held.data, t.data, t.bytes);
    tct_tensor_free(&t);
    return true;
}

static bool foreign(void *ctx, tct_diag *d, const tct_node *n, const tct_graph *g, const tct_ir_tensor *in,
                    tct_ir_tensor *out) {
    (void)g;
    const tct_graph *body = n->attr.body;
    uint32_t n_in = (uint32_t)body->inputs.len, n_out = (uint32_t)body->outputs.len, all = n_in + n_out;
    tct_arena arena = {0};
    seen *s = TCT_NEW_ARRAY(&arena, seen, all + 1);
    uint8_t *dtype = TCT_NEW_ARRAY(&arena, uint8_t, all + 1);
    uint32_t *n_axes = TCT_NEW_ARRAY(&arena, uint32_t, all + 1);
    const int64_t **size = TCT_NEW_ARRAY(&arena, const int64_t *, all + 1);
    void **operands = TCT_NEW_ARRAY(&arena, void *, all + 1);
    bool ok = true;
    for (uint32_t k = 0; ok && k < all; k++) {
        bool read = k < n_in;
        const tct_node *type =
            tct_node_of(body, read ? body->inputs.data[k] : body->outputs.data[k - n_in].value);
        ok = see(d, body, type, read ? &in[k] : &out[k - n_in], read, &s[k]);
        dtype[k] = type->dtype;
        n_axes[k] = type->n_axes;
        size[k] = s[k].sizes;
        operands[k] = s[k].declared.data;
    }
    const char *colon = strchr(n->attr.name, ':');
    size_t len = strcspn(colon ? colon + 1 : "", ":");
    tct_plan_foreign f = {
        .library = colon ? tct_arena_strndup(&arena, n->attr.name, (size_t)(colon - n->attr.name)) : "",
        .symbol = colon ? tct_arena_strndup(&arena, colon + 1, len) : n->attr.name,
        .n_in = n_in,
        .n_out = n_out,
        .dtype = dtype,
        .n_axes = n_axes,
        .size = size};
    ok = ok && tct_foreign_resolve(d, &f, ctx, tct_ffi_call) && tct_foreign_call(d, &f, operands);
    for (uint32_t k = n_in; ok && k < all; k++) ok = give_back(d, &s[k]);
    for (uint32_t k = 0; k < all; k++) tct_tensor_free(&s[k].declared);
    tct_arena_free(&arena);
    return ok;
}

bool tct_evaluate_interp(tct_diag *d, const tct_bound *b, const char *libraries, bool f64,
                         tct_tensor *outputs) {
    const tct_graph *g = b->graph;
    if (!new_outputs(d, g, f64, outputs)) return false;
    tct_arena arena = {0};
    tct_ir_tensor *in = TCT_NEW_ARRAY(&arena, tct_ir_tensor, g->inputs.len + 1),
                  *out = TCT_NEW_ARRAY(&arena, tct_ir_tensor, g->outputs.len + 1);
    for (size_t k = 0; k < g->inputs.len; k++) {
        const tct_node *n = tct_node_of(g, g->inputs.data[k]);
        in[k] = (tct_ir_tensor){.dtype = b->inputs[k].dtype, .n_axes = n->n_axes, .data = b->inputs[k].data};
        if (n->n_axes) memcpy(in[k].axes, n->axes, n->n_axes * sizeof *n->axes);
    }
    tct_ir_interp_options o = {.f64 = f64, .foreign = foreign, .foreign_ctx = (void *)(uintptr_t)libraries};
    bool ok = tct_ir_interp(d, &arena, g, in, out, &o);
    for (size_t k = 0; k < g->outputs.len; k++)
        if (ok)
            memcpy(outputs[k].data, out[k].data, outputs[k].bytes);
        else
            tct_tensor_free(&outputs[k]);
    tct_arena_free(&arena);
    return ok;
}

static bool run_plan(tct_diag *d, const tct_plan *plan, tct_pool *pool, const char *path, void *const *in,
                     void *const *out, void *memory) {
    tct_trace *t = path ? tct_trace_open(d, pool, path, 0) : NULL;
    if (path && !t) return false;
    bool ok = tct_plan_run(d, plan, pool, in, out, memory, t);
    if (!t) return ok;
    tct_buf table = {0};
    tct_trace_table(t, TCT_TRACE_LINES, &table);
    fputs(table.data, stderr);
    tct_buf_free(&table);
    tct_trace_close(d, t); // what it reports doesn't harm the results
    return ok;
}

bool tct_evaluate_plan(tct_diag *d, const tct_bound *b, const tct_plan *plan, int threads, const char *trace,
                       tct_tensor *outputs) {
    const tct_graph *g = b->graph;
    if (!new_outputs(d, g, false, outputs)) return false;
    void *memory = tct_try_alloc(plan->arena_bytes + 1, 64);
    bool ok = memory || tct_error(d, "E0801", TCT_NO_SPAN, "no memory for the %llu bytes that %s works in",
                                  (unsigned long long)plan->arena_bytes, plan->name);
    tct_arena arena = {0};
    void **in = TCT_NEW_ARRAY(&arena, void *, g->inputs.len + 1),
         **out = TCT_NEW_ARRAY(&arena, void *, g->outputs.len + 1);
    for (size_t k = 0; k < g->inputs.len; k++) in[k] = b->inputs[k].data;
    for (size_t k = 0; ok && k < g->outputs.len; k++) {
        out[k] = outputs[k].data;
        int32_t alias = plan->outputs[k].alias;
        if (alias < 0) continue;
        memcpy(out[k], in[alias], outputs[k].bytes); // the plan changes it where it lies
        in[alias] = out[k];
    }
    if (ok) {
        tct_pool *pool = tct_pool_new(threads);
        ok = run_plan(d, plan, pool, trace, in, out, memory);
        tct_pool_free(pool);
    }
    free(memory);
    tct_arena_free(&arena);
    for (size_t k = 0; !ok && k < g->outputs.len; k++) tct_tensor_free(&outputs[k]);
    return ok;
}
