// The interpreter: values of nodes from first use to last, and the operations with bodies.
#include "ir/interp_core.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// Results of a node: one, or those of a bundle. Inputs borrow the caller's memory.
typedef struct value {
    uint32_t n;
    bool borrowed;
    tct_ir_tensor *t; // heap; NULL: not computed, or not needed any more
} value;

static bool run(const tct_interp *c, const tct_graph *g, const tct_ir_tensor *inputs, tct_ir_tensor *outputs);

tct_dtype tct_interp_dtype(const tct_interp *c, tct_dtype t) {
    return c->options && c->options->f64 && tct_dtype_is_float(t) ? TCT_F64 : t;
}

static bool no_memory(const tct_interp *c, tct_span span) {
    return tct_error(c->d, "E0801", span, "not enough memory to interpret this operation");
}

// Memory for a tensor whose dtype and axes are set; the caller frees data.
static bool allocate(const tct_interp *c, tct_ir_tensor *t, tct_span span) {
    size_t bytes = tct_dtype_size(t->dtype);
    for (int k = 0; k < t->n_axes; k++)
        if (__builtin_mul_overflow(bytes, (size_t)tct_interp_size(c, t->axes[k]), &bytes))
            return no_memory(c, span);
    t->data = tct_try_alloc(bytes, 64);
    return t->data || no_memory(c, span);
}

static tct_ir_tensor type_of(const tct_interp *c, const tct_node *n) {
    tct_ir_tensor t = {.dtype = tct_interp_dtype(c, (tct_dtype)n->dtype), .n_axes = n->n_axes};
    if (n->n_axes) memcpy(t.axes, n->axes, n->n_axes * sizeof *n->axes);
    return t;
}

static void release(value *v) {
    for (uint32_t k = 0; v->t && !v->borrowed && k < v->n; k++) free(v->t[k].data);
    tct_heap_free(v->t);
    v->t = NULL;
}

static bool allocate_results(const tct_interp *c, const tct_graph *g, const tct_node *n, value *v) {
    v->n = n->bundle ? tct_ir_bundle_count(n) : 1;
    v->t = tct_alloc(v->n * sizeof *v->t);
    for (uint32_t k = 0; k < v->n; k++) {
        if (n->bundle) {
            tct_ir_bundle_result(g, n, k, &v->t[k].dtype, v->t[k].axes, &v->t[k].n_axes);
            v->t[k].dtype = tct_interp_dtype(c, v->t[k].dtype);
        } else {
            v->t[k] = type_of(c, n);
        }
        if (!allocate(c, &v->t[k], n->span)) return false;
    }
    return true;
}

// from → to, over the axes of `from` or of `to`; layouts may differ. Places to begin at in elements.
static void copy_between(const tct_interp *c, const tct_ir_tensor *over, const tct_ir_tensor *to,
                         int64_t to_at, const tct_ir_tensor *from, int64_t from_at) {
    tct_walk w;
    tct_walk_begin(&w, c->m, over->axes, over->n_axes);
    tct_walk_operand(&w, c->m, 0, to);
    tct_walk_operand(&w, c->m, 1, from);
    w.at[0] = to_at;
    w.at[1] = from_at;
    tct_interp_copy(&w, to, from);
}

// Tensors typed as the body's inputs, with memory.
static bool make_body_inputs(const tct_interp *c, const tct_node *n, tct_ir_tensor *t) {
    const tct_graph *body = n->attr.body;
    for (uint32_t k = 0; k < n->n_in; k++) {
        t[k] = type_of(c, tct_node_of(body, body->inputs.data[k]));
        if (!allocate(c, &t[k], n->span)) return false;
    }
    return true;
}

static void free_all(tct_ir_tensor *t, size_t n) {
    for (size_t k = 0; k < n; k++) free(t[k].data);
    tct_heap_free(t);
}

static bool is_sliced(const tct_node *scan, const tct_ir_tensor *t) {
    for (int a = 0; a < scan->attr.n_axes; a++)
        for (int k = 0; k < t->n_axes; k++)
            if (t->axes[k] == scan->attr.axes[a]) return true;
    return false;
}

// Where the slice for position `at` of the scan's axes, in row-major order, begins in t.
static int64_t place_of(const tct_interp *c, const tct_node *scan, int64_t at, const tct_ir_tensor *t) {
    int64_t place = 0;
    for (int a = scan->attr.n_axes; a-- > 0;) {
        int64_t size = tct_interp_size(c, scan->attr.axes[a]);
        place += at % size * tct_interp_stride(c, t, scan->attr.axes[a]);
        at /= size;
    }
    return place;
}

static bool scan_steps(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in,
                       const tct_ir_tensor *out, tct_ir_tensor *seen, tct_ir_tensor *made) {
    const tct_graph *body = n->attr.body;
    size_t carries = (size_t)n->attr.i, results = body->outputs.len;
    int64_t size = 1;
    for (int a = 0; a < n->attr.n_axes; a++) size *= tct_interp_size(c, n->attr.axes[a]);
    for (uint32_t k = 0; k < n->n_in; k++) copy_between(c, &seen[k], &seen[k], 0, &in[k], 0);
    for (int64_t step = 0; step < size; step++) {
        int64_t at = n->attr.step > 0 ? step : size - 1 - step;
        for (size_t k = carries; k < n->n_in; k++) {
            if (is_sliced(n, &in[k]))
                copy_between(c, &seen[k], &seen[k], 0, &in[k], place_of(c, n, at, &in[k]));
        }
        if (!run(c, body, seen, made)) return false;
        for (size_t k = 0; k < results; k++) {
            if (k < carries)
                copy_between(c, &made[k], &seen[k], 0, &made[k], 0);
            else
                copy_between(c, &made[k], &out[k], place_of(c, n, at, &out[k]), &made[k], 0);
            free(made[k].data);
            made[k].data = NULL;
        }
    }
    for (size_t k = 0; k < carries; k++) copy_between(c, &out[k], &out[k], 0, &seen[k], 0);
    return true;
}

static bool run_scan(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in,
                     const tct_ir_tensor *out) {
    size_t results = n->attr.body->outputs.len;
    tct_ir_tensor *seen = tct_alloc(n->n_in * sizeof *seen), *made = tct_alloc(results * sizeof *made);
    bool ok = make_body_inputs(c, n, seen) && scan_steps(c, n, in, out, seen, made);
    free_all(seen, n->n_in);
    free_all(made, results);
    return ok;
}

static bool run_fused(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in,
                      const tct_ir_tensor *out) {
    size_t results = n->attr.body->outputs.len;
    tct_ir_tensor *made = tct_alloc(results * sizeof *made);
    bool ok = run(c, n->attr.body, in, made);
    for (size_t k = 0; ok && k < results; k++) copy_between(c, &out[k], &out[k], 0, &made[k], 0);
    free_all(made, results);
    return ok;
}

// The function sees its operands in the layout that the body's inputs declare.
static bool run_foreign(const tct_interp *c, const tct_graph *g, const tct_node *n, const tct_ir_tensor *in,
                        tct_ir_tensor *out) {
    if (!c->options || !c->options->foreign)
        return tct_error(c->d, "E0810", n->span, "the foreign function %s can't be called here",
                         n->attr.name);
    tct_ir_tensor *seen = tct_alloc(n->n_in * sizeof *seen);
    bool ok = make_body_inputs(c, n, seen);
    for (uint32_t k = 0; ok && k < n->n_in; k++) copy_between(c, &seen[k], &seen[k], 0, &in[k], 0);
    ok = ok && c->options->foreign(c->options->foreign_ctx, c->d, n, g, seen, out);
    free_all(seen, n->n_in);
    return ok;
}

static bool run_node(const tct_interp *c, const tct_graph *g, const tct_node *n, const tct_ir_tensor *in,
                     value *out) {
    switch (tct_ir_ops[n->op].cls) {
    case TCT_CLASS_LEAF:
        tct_interp_leaf(c, n, in, out->t);
        return true;
    case TCT_CLASS_ELEMENTWISE:
        tct_interp_elementwise(c, n, in, out->t);
        return true;
    case TCT_CLASS_REDUCTION:
        tct_interp_reduction(c, n, in, out->t);
        return true;
    case TCT_CLASS_CONTRACTION:
        tct_interp_dot(c, n, in, out->t);
        return true;
    case TCT_CLASS_MOVEMENT:
        tct_interp_movement(c, n, in, out->t);
        return true;
    case TCT_CLASS_SCAN:
        return run_scan(c, n, in, out->t);
    case TCT_CLASS_OPAQUE:
        return n->op == TCT_IR_FUSED ? run_fused(c, n, in, out->t) : run_foreign(c, g, n, in, out->t);
    }
    return false;
}

// last[v]: the last node that reads v; outputs are read after the end.
static void find_last_uses(const tct_graph *g, size_t *last) {
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        last[v] = v;
        for (uint32_t k = 0; k < n->n_in; k++) last[n->in[k]] = v;
    }
    for (size_t k = 0; k < g->outputs.len; k++) last[g->outputs.data[k].value] = g->nodes.len;
}

static bool evaluate(const tct_interp *c, const tct_graph *g, const tct_ir_tensor *inputs, tct_value v,
                     value *values) {
    const tct_node *n = &g->nodes.data[v];
    if (n->op == TCT_IR_INPUT) {
        values[v] = (value){.n = 1, .borrowed = true, .t = tct_alloc(sizeof(tct_ir_tensor))};
        *values[v].t = inputs[n->attr.i];
        return true;
    }
    if (!allocate_results(c, g, n, &values[v])) return false;
    if (n->op == TCT_IR_GET) {
        const tct_ir_tensor *from = &values[n->in[0]].t[n->attr.i];
        copy_between(c, from, &values[v].t[0], 0, from, 0);
        return true;
    }
    tct_ir_tensor *in = tct_alloc(n->n_in * sizeof *in);
    for (uint32_t k = 0; k < n->n_in; k++) in[k] = values[n->in[k]].t[0];
    bool ok = run_node(c, g, n, in, &values[v]);
    tct_heap_free(in);
    return ok;
}

// Runs g; outputs[k].data is new memory of the heap (set only for those that were made, where it fails).
static bool run(const tct_interp *c, const tct_graph *g, const tct_ir_tensor *inputs,
                tct_ir_tensor *outputs) {
    value *values = tct_alloc(g->nodes.len * sizeof *values);
    size_t *last = tct_alloc(g->nodes.len * sizeof *last);
    bool ok = true;
    find_last_uses(g, last);
    for (tct_value v = 0; ok && v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        ok = evaluate(c, g, inputs, v, values);
        for (uint32_t k = 0; k < n->n_in; k++)
            if (last[n->in[k]] == v) release(&values[n->in[k]]);
        if (last[v] == v) release(&values[v]);
    }
    for (size_t k = 0; ok && k < g->outputs.len; k++) {
        const tct_ir_tensor *from = &values[g->outputs.data[k].value].t[0];
        outputs[k] = *from;
        ok = allocate(c, &outputs[k], TCT_NO_SPAN);
        if (ok) copy_between(c, from, &outputs[k], 0, from, 0);
    }
    for (size_t v = 0; v < g->nodes.len; v++) release(&values[v]);
    tct_heap_free(values);
    tct_heap_free(last);
    return ok;
}

static bool sizes_known(const tct_interp *c, const tct_graph *g) {
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        int all = n->n_axes + n->attr.n_axes + n->attr.n_to;
        for (int k = 0; k < all; k++) {
            int attr = k - n->n_axes, to = attr - n->attr.n_axes;
            tct_axis a = attr < 0 ? n->axes[k] : to < 0 ? n->attr.axes[attr] : n->attr.to[to];
            if (!tct_interp_size(c, a))
                return tct_error(c->d, "E0810", n->span, "the size of axis %s isn't known",
                                 tct_axis_of(c->m, a)->name);
        }
        if (n->attr.body && !sizes_known(c, n->attr.body)) return false;
    }
    return true;
}

static bool inputs_fit(const tct_interp *c, const tct_graph *g, const tct_ir_tensor *inputs) {
    for (size_t k = 0; k < g->inputs.len; k++) {
        const tct_node *n = tct_node_of(g, g->inputs.data[k]);
        const tct_ir_tensor *t = &inputs[k];
        bool fits = t->dtype == tct_interp_dtype(c, (tct_dtype)n->dtype) && t->n_axes == n->n_axes;
        for (int a = 0; fits && a < n->n_axes; a++) fits = t->axes[a] == n->axes[a];
        if (!fits) return tct_error(c->d, "E0810", n->span, "input %s is given another type", n->attr.name);
    }
    return true;
}

bool tct_ir_interp(tct_diag *d, tct_arena *arena, const tct_graph *g, const tct_ir_tensor *inputs,
                   tct_ir_tensor *outputs, const tct_ir_interp_options *options) {
    tct_interp c = {.d = d, .m = g->module, .options = options};
    if (!sizes_known(&c, g) || !inputs_fit(&c, g, inputs)) return false;
    tct_ir_tensor *made = tct_alloc(g->outputs.len * sizeof *made);
    bool ok = run(&c, g, inputs, made);
    for (size_t k = 0; ok && k < g->outputs.len; k++) {
        outputs[k] = made[k];
        size_t bytes = tct_dtype_size(made[k].dtype);
        for (int a = 0; a < made[k].n_axes; a++) bytes *= (size_t)tct_interp_size(&c, made[k].axes[a]);
        outputs[k].data = memcpy(tct_arena_alloc(arena, bytes), made[k].data, bytes);
    }
    free_all(made, g->outputs.len);
    return ok;
}
