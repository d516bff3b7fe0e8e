// Derivatives of operations with a body: scan, foreign functions, and get.
#include "passes/vjp.h"

#include <string.h>

TCT_VJP(get) {
    (void)y;
    tct_tape_add_result(t, 0, (uint32_t)n->attr.i, c);
    return true;
}

static const tct_node *body_input(const tct_graph *body, size_t k) {
    return tct_node_of(body, body->inputs.data[k]);
}
static const tct_node *body_output(const tct_graph *body, size_t k) {
    return tct_node_of(body, body->outputs.data[k].value);
}

tct_value tct_vjp_extend_scan(tct_tape *t, tct_value v) {
    const tct_node *n = tct_node_of(t->from, v);
    tct_value copy = tct_ir_copy_node(t->to, t->from, v, t->map);
    if (n->attr.i == 0) return copy;
    tct_graph *body = tct_graph_copy(n->attr.body, n->attr.body->name);
    for (int64_t k = 0; k < n->attr.i; k++) {
        const char *name = tct_unique_name(t->arena, body, "before.", body_input(body, (size_t)k)->attr.name);
        tct_ir_output(body, name, body->inputs.data[k], -1);
    }
    t->to->nodes.data[copy].attr.body = body;
    return copy;
}

// What the backward scan is made of, while it is built. Its operands and body inputs, in this order:
//   cotangents of active carries; sums for active operands that the body sees whole; then, as the body sees
//   them: the carries before each step, the operands, the cotangents of collected results.
// Its results: the cotangents of the carries, the sums, then the cotangents of active operands seen in
// slices.
typedef struct backward_scan {
    tct_tape *outer;
    tct_tape inner;
    const tct_node *n;
    const tct_graph *body;
    const bool *in_active; // of the body's inputs
    tct_value y;
    TCT_VEC(tct_value) operands;
    uint32_t n_carries; // of the backward scan
} backward_scan;

static size_t n_carried(const backward_scan *b) { return (size_t)b->n->attr.i; }

static bool is_sliced(const backward_scan *b, size_t k) {
    const tct_node *operand = tct_node_of(b->outer->from, b->n->in[k]);
    for (int a = 0; a < b->n->attr.n_axes; a++)
        if (tct_node_has_axis(operand, b->n->attr.axes[a])) return true;
    return false;
}

// An active operand whose cotangent is summed from step to step.
static bool is_summed(const backward_scan *b, size_t k) {
    return k >= n_carried(b) && b->in_active[k] && !is_sliced(b, k);
}

// An input of the backward body and the operand of the backward scan for it.
static tct_value feed(backward_scan *b, const char *prefix, const char *name, const tct_node *like,
                      tct_value operand) {
    const char *full = tct_arena_printf(b->outer->arena, "%s%s", prefix, name);
    TCT_PUSH(&b->operands, operand);
    return tct_ir_input(b->inner.to, full, (tct_dtype)like->dtype, like->axes, like->n_axes);
}

static const tct_value *cotangents(const backward_scan *b) {
    return &b->outer->cotangent[b->outer->slots.first[b->outer->at]];
}

static tct_value or_zeros(tct_graph *g, tct_value c, const tct_node *like) {
    return c != TCT_NO_VALUE ? c : tct_zeros(g, (tct_dtype)like->dtype, like->axes, like->n_axes);
}

// Inputs of the body; fills `carry` with the inputs that hold carried cotangents and sums, by body input, and
// `collected` with those of the collected results' cotangents, by body output.
static void make_inputs(backward_scan *b, tct_value *carry, tct_value *collected) {
    tct_graph *to = b->outer->to;
    for (size_t k = 0; k < b->body->inputs.len; k++) {
        const tct_node *in = body_input(b->body, k);
        tct_value start = k < n_carried(b) ? cotangents(b)[k] : TCT_NO_VALUE;
        carry[k] = TCT_NO_VALUE;
        if (k < n_carried(b) ? !b->in_active[k] : !is_summed(b, k)) continue;
        carry[k] = feed(b, "d.", in->attr.name, in, or_zeros(to, start, in));
        b->n_carries++;
    }
    for (size_t k = 0; k < b->body->inputs.len; k++) {
        const tct_node *in = body_input(b->body, k);
        tct_value operand = k < n_carried(b) ? tct_ir_get(to, b->y, (uint32_t)(b->body->outputs.len + k))
                                             : tct_tape_operand(b->outer, (uint32_t)k);
        b->inner.map[b->body->inputs.data[k]] = feed(b, "", in->attr.name, in, operand);
    }
    for (size_t k = n_carried(b); k < b->body->outputs.len; k++) {
        const tct_output *o = &b->body->outputs.data[k];
        collected[k] = TCT_NO_VALUE;
        if (cotangents(b)[k] != TCT_NO_VALUE)
            collected[k] = feed(b, "d.", o->name, body_output(b->body, k), cotangents(b)[k]);
    }
}

// Body of the backward scan: the step again, then its rules in reverse.
static bool make_body(backward_scan *b) {
    tct_tape *t = &b->inner;
    const tct_graph *body = b->body;
    tct_value *carry = TCT_NEW_ARRAY(t->arena, tct_value, body->inputs.len);
    tct_value *collected = TCT_NEW_ARRAY(t->arena, tct_value, body->outputs.len);
    make_inputs(b, carry, collected);
    tct_tape_forward(t);
    t->to->pass = "grad";
    for (size_t k = 0; k < body->outputs.len; k++) {
        tct_value seed = k < n_carried(b) ? carry[k] : collected[k];
        if (seed != TCT_NO_VALUE) tct_tape_seed(t, body->outputs.data[k].value, seed);
    }
    if (!tct_tape_backward(t)) return false;
    for (size_t k = 0; k < body->inputs.len; k++) {
        if (carry[k] == TCT_NO_VALUE) continue;
        const tct_node *in = body_input(body, k);
        tct_value d = tct_tape_result(t, body->inputs.data[k], NULL);
        if (k >= n_carried(b)) {
            d = tct_bin(t->to, TCT_IR_ADD, carry[k], d);
            tct_set_order(t->to, d, in->axes, in->n_axes);
        }
        tct_ir_output(t->to, tct_unique_name(t->arena, t->to, "d.", in->attr.name), d, -1);
    }
    for (size_t k = n_carried(b); k < body->inputs.len; k++)
        if (b->in_active[k] && is_sliced(b, k)) {
            const char *name = tct_unique_name(t->arena, t->to, "d.", body_input(body, k)->attr.name);
            tct_ir_output(t->to, name, tct_tape_result(t, body->inputs.data[k], NULL), -1);
        }
    return true;
}

// Of an operand that has some of the scan's axes: the sum over the others.
static tct_value summed_slices(const backward_scan *b, uint32_t k, tct_value d) {
    const tct_node *operand = tct_node_of(b->outer->from, b->n->in[k]);
    tct_ir_attr attr = {0};
    for (int a = 0; a < b->n->attr.n_axes; a++)
        if (!tct_node_has_axis(operand, b->n->attr.axes[a])) attr.axes[attr.n_axes++] = b->n->attr.axes[a];
    return attr.n_axes ? tct_ir_emit(b->outer->to, NULL, TCT_IR_SUM, &d, 1, &attr) : d;
}

// Reads the results of the backward scan into the cotangents of n's operands.
static void hand_out(backward_scan *b, tct_value back) {
    tct_graph *to = b->outer->to;
    uint32_t carry = 0, sliced = b->n_carries;
    for (uint32_t k = 0; k < b->n->n_in; k++) {
        if (!b->in_active[k]) continue;
        bool carried = k < n_carried(b) || is_summed(b, k);
        uint32_t result = carried ? carry++ : sliced++;
        if (!tct_tape_wants(b->outer, k)) continue;
        tct_value d = tct_ir_get(to, back, result);
        if (!carried) d = summed_slices(b, k, d);
        tct_tape_add(b->outer, k, d);
    }
}

TCT_VJP(scan) {
    (void)c;
    const tct_graph *body = n->attr.body;
    size_t n_out = body->outputs.len;
    backward_scan b = {.outer = t, .n = n, .body = body, .y = y};
    bool *operands = TCT_NEW_ARRAY(t->arena, bool, n->n_in), *results = TCT_NEW_ARRAY(t->arena, bool, n_out);
    for (uint32_t k = 0; k < n->n_in; k++) operands[k] = tct_tape_wants(t, k);
    for (size_t k = 0; k < n_out; k++) results[k] = cotangents(&b)[k] != TCT_NO_VALUE;
    bool *in_active = TCT_NEW_ARRAY(t->arena, bool, n->n_in),
         *out_active = TCT_NEW_ARRAY(t->arena, bool, n_out);
    tct_activity_scan(t->arena, n, operands, results, in_active, out_active);
    b.in_active = in_active;
    const char *name = tct_arena_printf(t->arena, "%s.grad", body->name);
    b.inner = (tct_tape){.d = t->d, .arena = t->arena, .from = body, .to = tct_graph_new(body->module, name)};
    b.inner.to->pass = "grad";
    b.inner.to->span = n->span;
    tct_tape_begin(&b.inner, in_active, out_active);
    bool ok = make_body(&b);
    if (ok) {
        tct_ir_attr attr = n->attr;
        attr.i = b.n_carries;
        attr.body = b.inner.to;
        attr.step = -n->attr.step;
        t->at_masked = false;
        tct_value back =
            tct_ir_emit(t->to, NULL, TCT_IR_SCAN, b.operands.data, (uint32_t)b.operands.len, &attr);
        hand_out(&b, back);
    }
    TCT_VEC_FREE(&b.operands);
    return ok;
}

// "library:symbol:gradient" → "library:gradient"; NULL when no gradient is declared.
static const char *gradient_name(tct_arena *arena, const char *name) {
    const char *symbol = name ? strchr(name, ':') : NULL, *gradient = symbol ? strchr(symbol + 1, ':') : NULL;
    if (!gradient || !gradient[1]) return NULL;
    return tct_arena_printf(arena, "%.*s%s", (int)(symbol - name), name, gradient);
}

// The gradient function takes all operands, then a cotangent for each result, and gives the gradient of each
// float operand.
TCT_VJP(foreign) {
    (void)c;
    const tct_graph *body = n->attr.body;
    const char *name = gradient_name(t->arena, n->attr.name);
    if (!name) {
        tct_error(t->d, "E0622", n->span,
                  "foreign function '%s' declares no gradient, and the loss depends on it",
                  n->attr.name ? n->attr.name : "");
        tct_help(t->d, "declare one with `gradient \"symbol\"`, or wrap its operands in stop_gradient");
        return false;
    }
    tct_graph *types = tct_graph_new(body->module, name);
    types->pass = "grad";
    types->span = n->span;
    TCT_VEC(tct_value) in = {0};
    for (size_t k = 0; k < body->inputs.len; k++) {
        const tct_node *x = body_input(body, k);
        tct_ir_input(types, x->attr.name, (tct_dtype)x->dtype, x->axes, x->n_axes);
        TCT_PUSH(&in, tct_tape_operand(t, (uint32_t)k));
    }
    for (size_t k = 0; k < body->outputs.len; k++) {
        const tct_node *r = body_output(body, k);
        const char *input = tct_arena_printf(t->arena, "d.%s", body->outputs.data[k].name);
        tct_ir_input(types, input, (tct_dtype)r->dtype, r->axes, r->n_axes);
        TCT_PUSH(&in, or_zeros(t->to, t->cotangent[t->slots.first[t->at] + k], r));
    }
    for (size_t k = 0; k < body->inputs.len; k++) {
        const tct_node *x = body_input(body, k);
        if (!tct_dtype_is_float((tct_dtype)x->dtype)) continue;
        tct_value zeros = tct_zeros(types, (tct_dtype)x->dtype, x->axes, x->n_axes);
        if (x->n_axes) tct_set_order(types, zeros, x->axes, x->n_axes);
        tct_ir_output(types, tct_unique_name(t->arena, types, "d.", x->attr.name), zeros, -1);
    }
    tct_ir_attr attr = {.name = name, .body = types, .i = n->attr.i};
    tct_value back = tct_ir_emit(t->to, NULL, TCT_IR_FOREIGN, in.data, (uint32_t)in.len, &attr);
    TCT_VEC_FREE(&in);
    t->at_masked = false;
    uint32_t result = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        if (!tct_dtype_is_float((tct_dtype)body_input(body, k)->dtype)) continue;
        if (tct_tape_wants(t, k)) tct_tape_add(t, k, tct_ir_get(t->to, back, result));
        result++;
    }
    (void)y;
    return true;
}
