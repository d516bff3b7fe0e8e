// The nodes of a fused graph as steps, in the graph's order, with a storage of its own for every result.
#include "codegen/plan_build.h"
#include "passes/fuse.h"
#include "passes/passes.h"

#include <assert.h>
#include <string.h>

static const tct_node *node(const tct_planner *p, tct_value v) { return tct_node_of(p->g, v); }
static int64_t size_of(const tct_planner *p, tct_axis a) { return tct_axis_of(p->g->module, a)->size; }

static uint64_t bytes_of(const tct_graph *g, const tct_node *n) {
    return (uint64_t)tct_node_elements(g, n) * tct_dtype_size((tct_dtype)n->dtype);
}

static void locate(tct_planner *p, tct_value v, uint32_t storage) {
    p->located[v] = true;
    p->value[v].storage = storage;
    p->value[v].offset = 0;
    tct_lower_row_major(p->g->module, node(p, v), p->value[v].stride);
}

// Where v lies, through movement that is a view.
static const tct_located *where(tct_planner *p, tct_value v) {
    if (p->located[v]) return &p->value[v];
    tct_view view;
    bool ok = tct_view_of(p->g, v, &view);
    assert(ok && p->located[view.base]);
    (void)ok;
    p->value[v].storage = p->value[view.base].storage;
    p->value[v].offset = view.offset;
    memcpy(p->value[v].stride, view.stride, sizeof view.stride);
    p->located[v] = true;
    return &p->value[v];
}

static tct_operand reading(tct_planner *p, tct_value v) {
    const tct_located *at = where(p, v);
    return (tct_operand){at->storage, at->offset * (int64_t)tct_dtype_size((tct_dtype)node(p, v)->dtype),
                         true, false};
}

static tct_operand writing(uint32_t storage) { return (tct_operand){storage, 0, false, true}; }

static uint32_t result_storage(tct_planner *p, const tct_node *n) {
    uint32_t s = tct_new_storage(p, (tct_dtype)n->dtype, bytes_of(p->g, n));
    return s;
}

static void set_writer(tct_planner *p, uint32_t storage, uint32_t step) {
    p->storages.data[storage].writer = step;
}

// --- Labels ---

static bool is_telling(const tct_node *n) {
    tct_ir_class cls = tct_ir_ops[n->op].cls;
    if (cls == TCT_CLASS_MOVEMENT)
        return n->op == TCT_IR_GATHER || n->op == TCT_IR_SCATTER_ADD || n->op == TCT_IR_PUT;
    if (n->op == TCT_IR_RANDOM) return true;
    return cls != TCT_CLASS_LEAF && n->op != TCT_IR_CAST && n->op != TCT_IR_STOP_GRADIENT;
}

// The body's operations, each once: "dot+tanh+mul".
static const char *label_of(tct_planner *p, const tct_graph *body) {
    enum { MOST = 6 };
    const char *label = "";
    uint16_t seen[MOST];
    int n = 0;
    for (size_t v = 0; v < body->nodes.len && n < MOST; v++) {
        const tct_node *x = &body->nodes.data[v];
        bool again = !is_telling(x);
        for (int k = 0; k < n; k++) again |= seen[k] == x->op;
        if (again) continue;
        label = tct_arena_printf(p->arena, "%s%s%s", label, n ? "+" : "", tct_ir_ops[x->op].name);
        seen[n++] = x->op;
    }
    return n ? label : "copy";
}

// --- Loops ---

static double operand_bytes(const tct_planner *p, const tct_pstep *s) {
    double bytes = 0;
    for (uint32_t k = 0; k < s->n_operands; k++)
        bytes += (double)p->storages.data[s->operands[k].storage].bytes;
    return bytes;
}

// Of the kernel's buffers from `first` on, which are the step's operands.
static double loop_bytes(const tct_planner *p, const tct_pstep *s, uint32_t first) {
    double bytes = 0;
    for (uint32_t k = first; k < s->n_operands; k++)
        bytes += tct_loop_bytes(s->loop, k, (double)p->storages.data[s->operands[k].storage].bytes);
    return bytes;
}

// The body's node that takes its memory over from its base, or NULL.
static const tct_node *scatter_of(const tct_graph *body) {
    const tct_node *n = tct_node_of(body, body->outputs.data[0].value);
    return n->op == TCT_IR_SCATTER_ADD || n->op == TCT_IR_PUT ? n : NULL;
}

static void plan_loop(tct_planner *p, tct_value v) {
    const tct_node *n = node(p, v);
    const tct_graph *body = n->attr.body;
    uint32_t n_in = n->n_in, n_out = (uint32_t)body->outputs.len;
    tct_lower_port *in = TCT_NEW_ARRAY(&p->temporary, tct_lower_port, n_in);
    tct_lower_port *out = TCT_NEW_ARRAY(&p->temporary, tct_lower_port, n_out);
    tct_pstep *s = tct_new_step(p, TCT_STEP_KERNEL, n_in + n_out);
    uint32_t at = (uint32_t)(p->steps.len - 1);
    bool by_rows = tct_fuse_sums_by_rows(body);
    for (uint32_t k = 0; k < n_in; k++) {
        in[k].buf = k;
        s->operands[k] = reading(p, n->in[k]);
        memcpy(in[k].stride, where(p, n->in[k])->stride, sizeof in[k].stride);
    }
    p->bundle[v] = TCT_NEW_ARRAY(&p->temporary, uint32_t, n_out);
    for (uint32_t k = 0; k < n_out; k++) {
        const tct_node *result = tct_node_of(body, body->outputs.data[k].value);
        out[k].buf = n_in + k;
        tct_lower_row_major(p->g->module, result, out[k].stride);
        if (tct_lower_sums_columns(body, by_rows, body->outputs.data[k].value)) continue; // in parts
        s->operands[n_in + k] = tct_result_of(p, v, k, result, at);
        p->bundle[v][k] = s->operands[n_in + k].storage;
    }
    const tct_node *scatter = scatter_of(body);
    if (scatter) { // the result starts as the base: see plan_share.c
        uint32_t base = (uint32_t)tct_node_of(body, scatter->in[0])->attr.i;
        s->scatter_base = base + 1;
        s->operands[n_in].read = true;
    }
    tct_lower_spec spec = {.body = body, .in = in, .out = out, .n_bufs = n_in + n_out, .by_rows = by_rows};
    tct_arena *arena = tct_alloc(sizeof *arena);
    s->loop = tct_lower(arena, &spec);
    s->label = label_of(p, body);
    s->span = n->span;
    s->flops = tct_loop_flops(s->loop);
    if (s->loop->parts) tct_plan_parts(p, v, at);
    s = &p->steps.data[at];
    s->bytes = loop_bytes(p, s, 0);
}

// --- Products ---

typedef struct product {
    tct_value a, b; // of the planned graph
    const tct_node *dot;
    tct_gemm_problem problem;
    tct_axis axis[TCT_GEMM_MAX_AXES];
} product;

static int place(const tct_node *n, tct_axis a) {
    for (int k = 0; k < n->n_axes; k++)
        if (n->axes[k] == a) return k;
    return -1;
}

static void add_axis(tct_planner *p, product *q, tct_axis a, const int64_t *c_stride) {
    if (size_of(p, a) == 1) return;
    assert(q->problem.n_axes < TCT_GEMM_MAX_AXES);
    int in_a = place(node(p, q->a), a), in_b = place(node(p, q->b), a), in_c = place(q->dot, a);
    tct_gemm_axis *x = &q->problem.axes[q->problem.n_axes];
    q->axis[q->problem.n_axes++] = a;
    *x = (tct_gemm_axis){.size = size_of(p, a), .in_a = in_a >= 0, .in_b = in_b >= 0, .in_c = in_c >= 0};
    if (in_a >= 0) x->a = where(p, q->a)->stride[in_a];
    if (in_b >= 0) x->b = where(p, q->b)->stride[in_b];
    if (in_c >= 0) x->c = c_stride[in_c];
}

static void describe_product(tct_planner *p, product *q, const int64_t *c_stride) {
    q->problem.dtype = (tct_dtype)q->dot->dtype;
    for (int k = 0; k < q->dot->n_axes; k++) add_axis(p, q, q->dot->axes[k], c_stride);
    for (int k = 0; k < q->dot->attr.n_axes; k++) add_axis(p, q, q->dot->attr.axes[k], c_stride);
}

static void start_product(tct_planner *p, tct_pstep *s, product *q) {
    s->gemm = TCT_NEW(&p->temporary, tct_gemm_plan);
    tct_gemm_plan_make(&q->problem, p->target, s->gemm);
    s->flops = s->gemm->flops;
    s->bytes = s->gemm->bytes;
    bool swapped = s->gemm->swapped;
    s->operands[1] = reading(p, swapped ? q->b : q->a);
    s->operands[2] = reading(p, swapped ? q->a : q->b);
}

// A product with nothing behind it, the first result of v; returns where it lies.
static uint32_t plan_product(tct_planner *p, tct_value v, const tct_node *dot, product *q) {
    int64_t c_stride[TCT_IR_MAX_AXES];
    tct_lower_row_major(p->g->module, dot, c_stride);
    describe_product(p, q, c_stride);
    tct_pstep *s = tct_new_step(p, TCT_STEP_GEMM, 3);
    start_product(p, s, q);
    s->operands[0] = tct_result_of(p, v, 0, dot, (uint32_t)(p->steps.len - 1));
    s->label = "dot";
    s->span = dot->span;
    return s->operands[0].storage;
}

static void plan_dot(tct_planner *p, tct_value v) {
    const tct_node *n = node(p, v);
    product q = {.a = n->in[0], .b = n->in[1], .dot = n};
    locate(p, v, plan_product(p, v, n, &q));
}

static tct_value find_dot(const tct_graph *body) {
    for (tct_value v = 0; v < body->nodes.len; v++)
        if (body->nodes.data[v].op == TCT_IR_DOT) return v;
    return TCT_NO_VALUE;
}

// The operand that node v, a product plus a value, adds to where that value lies: one that the caller gives
// up for the result. UINT32_MAX: there is none.
static uint32_t added_to(const tct_planner *p, tct_value v, tct_value dot) {
    const tct_node *n = node(p, v);
    const tct_graph *body = n->attr.body;
    const tct_node *add = tct_node_of(body, body->outputs.data[0].value), *d = tct_node_of(body, dot);
    if (body->outputs.len != 1 || add->op != TCT_IR_ADD || add->dtype == TCT_BF16) return UINT32_MAX;
    const tct_node *x = tct_node_of(body, add->in[add->in[0] == dot]);
    if ((add->in[0] == dot) == (add->in[1] == dot) || x->op != TCT_IR_INPUT || x->n_axes != d->n_axes ||
        (d->n_axes && (memcmp(x->axes, d->axes, d->n_axes * sizeof *d->axes) != 0 ||
                       memcmp(add->axes, d->axes, d->n_axes * sizeof *d->axes) != 0)))
        return UINT32_MAX;
    for (size_t k = 0; k < p->g->outputs.len; k++) {
        const tct_output *o = &p->g->outputs.data[k];
        const tct_node *get = node(p, o->value);
        if (get->op == TCT_IR_GET && get->in[0] == v && o->alias >= 0 &&
            p->g->inputs.data[o->alias] == n->in[x->attr.i])
            return (uint32_t)x->attr.i;
    }
    return UINT32_MAX;
}

static void plan_added_product(tct_planner *p, tct_value v, product *q, uint32_t base) {
    const tct_node *n = node(p, v);
    int64_t c_stride[TCT_IR_MAX_AXES];
    tct_lower_row_major(p->g->module, q->dot, c_stride);
    q->problem.accumulate = true;
    describe_product(p, q, c_stride);
    tct_pstep *s = tct_new_step(p, TCT_STEP_GEMM, 4);
    start_product(p, s, q);
    uint32_t c = result_storage(p, q->dot);
    set_writer(p, c, (uint32_t)(p->steps.len - 1));
    s->operands[0] = (tct_operand){c, 0, true, true};
    s->operands[3] = reading(p, n->in[base]);
    s->scatter_base = 4;
    s->label = "dot+=";
    s->span = n->span;
    p->bundle[v] = TCT_NEW_ARRAY(&p->temporary, uint32_t, 1);
    p->bundle[v][0] = c;
}

// The value of the planned graph that the product in n's body reads as `operand`, and what it is to the
// product.
static tct_value factor_of(const tct_node *n, tct_value operand, tct_gemm_factor *kind) {
    const tct_node *x = tct_node_of(n->attr.body, operand);
    *kind = TCT_FACTOR_EXACT;
    if (x->op == TCT_IR_CAST) { // from bf16 or i8
        x = tct_node_of(n->attr.body, x->in[0]);
        *kind = x->op == TCT_IR_CAST   ? TCT_FACTOR_ROUNDED
                : x->dtype == TCT_BF16 ? TCT_FACTOR_BF16
                                       : TCT_FACTOR_I8;
        if (x->op == TCT_IR_CAST) x = tct_node_of(n->attr.body, x->in[0]);
    }
    assert(x->op == TCT_IR_INPUT);
    return n->in[x->attr.i];
}

// Operands: the product itself, its two factors, then the body's inputs and outputs, each once more.
static void plan_gemm(tct_planner *p, tct_value v) {
    const tct_node *n = node(p, v);
    const tct_graph *body = n->attr.body;
    tct_value dot = find_dot(body);
    const tct_node *d = tct_node_of(body, dot);
    uint32_t n_in = n->n_in, n_out = (uint32_t)body->outputs.len;
    product q = {.dot = d};
    q.a = factor_of(n, d->in[0], &q.problem.a);
    q.b = factor_of(n, d->in[1], &q.problem.b);
    uint32_t base = added_to(p, v, dot);
    if (base != UINT32_MAX) {
        plan_added_product(p, v, &q, base);
        return;
    }
    if (n_out == 1 && body->outputs.data[0].value == dot) {
        p->bundle[v] = TCT_NEW_ARRAY(&p->temporary, uint32_t, 1);
        p->bundle[v][0] = plan_product(p, v, d, &q);
        return;
    }
    q.problem.epilogue = true;
    tct_lower_port *in = TCT_NEW_ARRAY(&p->temporary, tct_lower_port, n_in);
    tct_lower_port *out = TCT_NEW_ARRAY(&p->temporary, tct_lower_port, n_out);
    tct_lower_spec spec = {.body = body,
                           .in = in,
                           .out = out,
                           .n_bufs = 3 + n_in + n_out,
                           .by_rows = true,
                           .dot = dot,
                           .axis = q.axis};
    tct_lower_row_major(p->g->module, d, spec.dot_port.stride);
    describe_product(p, &q, spec.dot_port.stride);
    tct_pstep *s = tct_new_step(p, TCT_STEP_GEMM, 3 + n_in + n_out);
    uint32_t at = (uint32_t)(p->steps.len - 1);
    start_product(p, s, &q);
    spec.gemm = s->gemm;
    uint32_t c = result_storage(p, d);
    set_writer(p, c, at);
    p->storages.data[c].scratch = true; // unless it is a result, too
    s->operands[0] = (tct_operand){c, 0, true, true};
    p->bundle[v] = TCT_NEW_ARRAY(&p->temporary, uint32_t, n_out);
    for (uint32_t k = 0; k < n_in; k++) {
        in[k].buf = 3 + k;
        s->operands[3 + k] = reading(p, n->in[k]);
        memcpy(in[k].stride, where(p, n->in[k])->stride, sizeof in[k].stride);
    }
    for (uint32_t k = 0; k < n_out; k++) {
        const tct_node *result = tct_node_of(body, body->outputs.data[k].value);
        out[k].buf = 3 + n_in + k;
        tct_lower_row_major(p->g->module, result, out[k].stride);
        if (body->outputs.data[k].value == dot) {
            p->bundle[v][k] = c;
            p->storages.data[c].scratch = false;
            s->operands[3 + n_in + k] = (tct_operand){c, 0, false, false};
            continue;
        }
        if (tct_lower_sums_columns(body, true, body->outputs.data[k].value)) continue; // in parts
        s->operands[3 + n_in + k] = tct_result_of(p, v, k, result, at);
        p->bundle[v][k] = s->operands[3 + n_in + k].storage;
    }
    tct_arena *arena = tct_alloc(sizeof *arena);
    s->loop = tct_lower(arena, &spec);
    s->label = label_of(p, body);
    s->span = d->span; // the dearest of its operations
    // What the epilogue reads of the product is still in cache.
    s->flops += tct_loop_flops(s->loop);
    if (s->loop->parts) tct_plan_parts(p, v, at);
    s = &p->steps.data[at];
    s->bytes += loop_bytes(p, s, 3);
    if (p->storages.data[c].scratch) s->bytes -= (double)p->storages.data[c].bytes;
}

// --- Scans and calls ---

static bool calls_out(const tct_plan *plan) {
    for (uint32_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].kind == TCT_STEP_FOREIGN) return true;
    for (uint32_t i = 0; i < plan->n_scans; i++)
        if (calls_out(plan->scans[i].body)) return true;
    return false;
}

// Trips that carry nothing are run beside each other where each is small: a thread has memory for one, and
// none needs what all threads can do together.
static bool runs_apart(const tct_node *scan, const tct_plan *body, int64_t trips) {
    enum { MOST_BYTES = 16 << 20, FEWEST_TRIPS = 8 };
    return scan->attr.i == 0 && trips >= FEWEST_TRIPS && body->arena_bytes <= MOST_BYTES && !calls_out(body);
}

static bool plan_scan(tct_planner *p, tct_value v) {
    const tct_node *n = node(p, v);
    uint64_t *input_bytes = TCT_NEW_ARRAY(&p->temporary, uint64_t, n->n_in);
    tct_graph *body = tct_pass_fuse(tct_scan_body(p->g, n, input_bytes));
    for (int64_t k = 0; k < n->attr.i; k++) body->outputs.data[k].alias = (int32_t)k;
    const tct_plan_origin *origin = NULL;
    tct_plan *sub = tct_plan_make(p->d, p->arena, body, p->target, p->set, input_bytes, &origin);
    if (!sub) return false;
    uint32_t n_in = n->n_in, n_out = (uint32_t)body->outputs.len, carries = (uint32_t)n->attr.i;
    tct_plan_scan *scan = TCT_NEW(p->arena, tct_plan_scan);
    uint32_t axes = n->attr.n_axes;
    int64_t *stride = TCT_NEW_ARRAY(p->arena, int64_t, (size_t)(n_in + n_out) * axes);
    int64_t *size = TCT_NEW_ARRAY(p->arena, int64_t, axes), trips = 1;
    for (uint32_t a = 0; a < axes; a++) trips *= size[a] = size_of(p, n->attr.axes[a]);
    *scan = (tct_plan_scan){.body = sub,
                            .trips = trips,
                            .n_axes = axes,
                            .size = size,
                            .reverse = n->attr.step < 0,
                            .apart = runs_apart(n, sub, trips),
                            .n_in = n_in,
                            .n_out = n_out,
                            .n_carries = carries,
                            .stride = stride};
    tct_pstep *s = tct_new_step(p, TCT_STEP_SCAN, n_in + n_out + !scan->apart);
    uint32_t at = (uint32_t)(p->steps.len - 1);
    for (uint32_t k = 0; k < n_in; k++) {
        const tct_node *o = node(p, n->in[k]);
        s->operands[k] = reading(p, n->in[k]);
        for (uint32_t a = 0; a < axes && k >= carries; a++) {
            int at_axis = place(o, n->attr.axes[a]);
            if (at_axis >= 0)
                stride[k * axes + a] =
                    where(p, n->in[k])->stride[at_axis] * (int64_t)tct_dtype_size((tct_dtype)o->dtype);
        }
    }
    p->bundle[v] = TCT_NEW_ARRAY(&p->temporary, uint32_t, n_out);
    tct_plan_rows *rows = TCT_NEW_ARRAY(p->arena, tct_plan_rows, n_out);
    scan->rows = rows;
    for (uint32_t k = 0; k < n_out; k++) {
        p->bundle[v][k] = tct_plan_scan_result(p, v, scan, k, &rows[k], &stride[(n_in + k) * axes]);
        set_writer(p, p->bundle[v][k], at);
        s->operands[n_in + k] = writing(p->bundle[v][k]);
    }
    if (!scan->apart) {
        uint32_t workspace = tct_new_storage(p, TCT_BOOL, tct_plan_scan_workspace(scan));
        p->storages.data[workspace].scratch = true;
        set_writer(p, workspace, at);
        s->operands[n_in + n_out] = writing(workspace);
    }
    s->scan = scan;
    s->scan_origin = origin;
    s->label = "scan";
    s->span = n->span;
    for (uint32_t k = 0; k < sub->n_steps; k++) {
        s->flops += sub->steps[k].flops * (double)scan->trips;
        s->bytes += sub->steps[k].bytes * (double)scan->trips;
    }
    return true;
}

static void describe_operand(tct_planner *p, tct_plan_foreign *f, uint32_t at, const tct_node *n) {
    int64_t *sizes = TCT_NEW_ARRAY(p->arena, int64_t, n->n_axes);
    for (int k = 0; k < n->n_axes; k++) sizes[k] = size_of(p, n->axes[k]);
    ((uint8_t *)f->dtype)[at] = n->dtype;
    ((uint32_t *)f->n_axes)[at] = n->n_axes;
    ((const int64_t **)f->size)[at] = sizes;
}

static void plan_foreign(tct_planner *p, tct_value v) {
    const tct_node *n = node(p, v);
    const tct_graph *body = n->attr.body;
    uint32_t n_in = n->n_in, n_out = (uint32_t)body->outputs.len, all = n_in + n_out;
    const char *name = n->attr.name, *symbol = strchr(name, ':'),
               *rest = symbol ? strchr(symbol + 1, ':') : NULL;
    tct_plan_foreign *f = TCT_NEW(p->arena, tct_plan_foreign);
    f->library = symbol ? tct_arena_strndup(p->arena, name, (size_t)(symbol - name)) : "";
    symbol = symbol ? symbol + 1 : name;
    f->symbol = tct_arena_strndup(p->arena, symbol, rest ? (size_t)(rest - symbol) : strlen(symbol));
    f->n_in = n_in;
    f->n_out = n_out;
    f->dtype = TCT_NEW_ARRAY(p->arena, uint8_t, all);
    f->n_axes = TCT_NEW_ARRAY(p->arena, uint32_t, all);
    f->size = TCT_NEW_ARRAY(p->arena, const int64_t *, all);
    tct_pstep *s = tct_new_step(p, TCT_STEP_FOREIGN, all);
    uint32_t at = (uint32_t)(p->steps.len - 1);
    for (uint32_t k = 0; k < n_in; k++) {
        s->operands[k] = reading(p, n->in[k]);
        describe_operand(p, f, k, node(p, n->in[k]));
    }
    p->bundle[v] = TCT_NEW_ARRAY(&p->temporary, uint32_t, n_out);
    for (uint32_t k = 0; k < n_out; k++) {
        const tct_node *result = tct_node_of(body, body->outputs.data[k].value);
        p->bundle[v][k] = result_storage(p, result);
        set_writer(p, p->bundle[v][k], at);
        s->operands[n_in + k] = writing(p->bundle[v][k]);
        describe_operand(p, f, n_in + k, result);
    }
    s->foreign = f;
    s->label = f->symbol;
    s->span = n->span;
    s->bytes = operand_bytes(p, s);
}

bool tct_plan_steps(tct_planner *p) {
    size_t n = p->g->nodes.len;
    p->value = TCT_NEW_ARRAY(&p->temporary, tct_located, n);
    p->located = TCT_NEW_ARRAY(&p->temporary, bool, n);
    p->bundle = TCT_NEW_ARRAY(&p->temporary, uint32_t *, n);
    tct_plan_assemble(p);
    for (tct_value v = 0; v < n; v++) {
        const tct_node *x = node(p, v);
        size_t steps = p->steps.len;
        switch (x->op) {
        case TCT_IR_INPUT: {
            uint32_t s = result_storage(p, x);
            p->storages.data[s].place = TCT_PLACE_INPUT;
            p->storages.data[s].index = (uint32_t)x->attr.i;
            p->storages.data[s].bytes = tct_input_bytes(p, (size_t)x->attr.i);
            locate(p, v, s);
            break;
        }
        case TCT_IR_FUSED:
            if (p->assembled[v]) break;
            if (strcmp(x->attr.name, "gemm") == 0)
                plan_gemm(p, v);
            else
                plan_loop(p, v);
            break;
        case TCT_IR_DOT:
            plan_dot(p, v);
            break;
        case TCT_IR_SCAN:
            if (!plan_scan(p, v)) return false;
            break;
        case TCT_IR_FOREIGN:
            plan_foreign(p, v);
            break;
        case TCT_IR_GET:
            locate(p, v, p->bundle[x->in[0]][x->attr.i]);
            break;
        default: // a view, located when it is read
            break;
        }
        if (steps < p->steps.len) p->steps.data[steps].node = v; // what else there is adds up parts
    }
    return true;
}
