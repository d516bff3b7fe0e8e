// Reverse-mode differentiation: the forward graph is copied, then walked from the loss back to the inputs.
// The rules of the operations are in passes/vjp*.c. Runs on graphs before fusion; its result is an ordinary
// graph.
#include "passes/passes.h"
#include "passes/vjp.h"

#include <assert.h>
#include <string.h>

void tct_tape_begin(tct_tape *t, const bool *inputs, const bool *outputs) {
    size_t n = t->from->nodes.len;
    t->map = TCT_NEW_ARRAY(t->arena, tct_value, n);
    for (size_t v = 0; v < n; v++) t->map[v] = TCT_NO_VALUE;
    t->slots = tct_slots_of(t->arena, t->from);
    t->active = tct_activity(t->arena, t->from, &t->slots, inputs, outputs);
    t->cotangent = TCT_NEW_ARRAY(t->arena, tct_value, t->slots.n);
    for (uint32_t k = 0; k < t->slots.n; k++) t->cotangent[k] = TCT_NO_VALUE;
    t->masked = TCT_NEW_ARRAY(t->arena, bool, t->slots.n);
}

// Some result of node v is active.
static bool takes_part(const tct_tape *t, tct_value v) {
    const tct_node *n = tct_node_of(t->from, v);
    bool any = false;
    for (uint32_t r = 0; r < (n->bundle ? tct_ir_bundle_count(n) : 1); r++)
        any = any || t->active[t->slots.first[v] + r];
    return any;
}

void tct_tape_forward(tct_tape *t) {
    for (size_t v = 0; v < t->from->nodes.len; v++) {
        const tct_node *n = &t->from->nodes.data[v];
        if (n->op == TCT_IR_INPUT) continue;
        if (n->op == TCT_IR_SCAN && takes_part(t, (tct_value)v))
            tct_vjp_extend_scan(t, (tct_value)v);
        else
            tct_ir_copy_node(t->to, t->from, (tct_value)v, t->map);
    }
}

// The cotangent with exactly the axes of `like`.
static tct_value fit(tct_tape *t, tct_value c, const tct_node *like) {
    const tct_node *n = tct_node_of(t->to, c);
    tct_axis extra[TCT_IR_MAX_AXES];
    uint32_t n_extra = tct_axes_minus(extra, n->axes, n->n_axes, like->axes, like->n_axes);
    assert(n->dtype == like->dtype);
    return tct_ir_broadcast(t->to, tct_sum(t->to, c, extra, n_extra), like->axes, like->n_axes);
}

static void accumulate(tct_tape *t, uint32_t slot, tct_value c) {
    tct_value *sum = &t->cotangent[slot];
    *sum = *sum == TCT_NO_VALUE ? c : tct_bin(t->to, TCT_IR_ADD, *sum, c);
    t->masked[slot] = t->masked[slot] || t->at_masked;
}

void tct_tape_seed(tct_tape *t, tct_value from, tct_value cotangent) {
    if (!t->active[t->slots.first[from]]) return;
    t->at_masked = false;
    accumulate(t, t->slots.first[from], fit(t, cotangent, tct_node_of(t->from, from)));
}

tct_value tct_tape_result(tct_tape *t, tct_value from, bool *pinned) {
    const tct_node *n = tct_node_of(t->from, from);
    tct_value c = t->cotangent[t->slots.first[from]];
    if (c == TCT_NO_VALUE) c = tct_zeros(t->to, (tct_dtype)n->dtype, n->axes, n->n_axes);
    return tct_in_order(t->to, c, n->axes, n->n_axes, pinned);
}

const char *tct_unique_name(tct_arena *arena, const tct_graph *g, const char *prefix, const char *name) {
    bool again = true;
    while (again) {
        name = tct_arena_printf(arena, "%s%s", prefix, name);
        again = false;
        for (size_t k = 0; k < g->outputs.len && !again; k++)
            again = strcmp(g->outputs.data[k].name, name) == 0;
    }
    return name;
}

static const tct_node *current(const tct_tape *t) { return tct_node_of(t->from, t->at); }

bool tct_tape_wants(const tct_tape *t, uint32_t k) { return t->active[t->slots.first[current(t)->in[k]]]; }

tct_value tct_tape_operand(const tct_tape *t, uint32_t k) { return t->map[current(t)->in[k]]; }

void tct_tape_add(tct_tape *t, uint32_t k, tct_value c) {
    if (!tct_tape_wants(t, k)) return;
    tct_value operand = current(t)->in[k];
    accumulate(t, t->slots.first[operand], fit(t, c, tct_node_of(t->from, operand)));
}

void tct_tape_add_result(tct_tape *t, uint32_t k, uint32_t result, tct_value c) {
    accumulate(t, t->slots.first[current(t)->in[k]] + result, c);
}

// Where c is 0, 0, otherwise x.
static tct_value unless_zero(tct_tape *t, tct_value c, tct_value x) {
    tct_value zero = tct_const_like(t->to, c, 0);
    return tct_ir_where(t->to, NULL, tct_bin(t->to, TCT_IR_NE, c, zero), x, zero);
}

tct_value tct_tape_scale(tct_tape *t, tct_value c, tct_value factor) {
    tct_value product = tct_bin(t->to, TCT_IR_MUL, c, factor);
    bool harmless = !t->at_masked || tct_node_of(t->to, factor)->op == TCT_IR_CONST;
    return harmless ? product : unless_zero(t, c, product);
}

tct_value tct_tape_divide(tct_tape *t, tct_value c, tct_value divisor) {
    tct_value quotient = tct_bin(t->to, TCT_IR_DIV, c, divisor);
    const tct_node *n = tct_node_of(t->to, divisor);
    bool harmless = !t->at_masked || (n->op == TCT_IR_CONST && n->attr.f != 0);
    return harmless ? quotient : unless_zero(t, c, quotient);
}

static bool no_derivative(tct_tape *t, const tct_node *n) {
    const tct_ir_op_info *op = &tct_ir_ops[n->op];
    tct_error(t->d, "E0622", n->span, "the loss depends on '%s', which has no derivative: %s", op->name,
              op->derivative);
    return false;
}

bool tct_tape_backward(tct_tape *t) {
    for (size_t v = t->from->nodes.len; v-- > 0;) {
        const tct_node *n = &t->from->nodes.data[v];
        uint32_t slot = t->slots.first[v];
        if (n->op == TCT_IR_INPUT || !takes_part(t, (tct_value)v)) continue;
        bool any = false;
        t->at_masked = false;
        for (uint32_t r = 0; r < (n->bundle ? tct_ir_bundle_count(n) : 1); r++) {
            any = any || t->cotangent[slot + r] != TCT_NO_VALUE;
            t->at_masked = t->at_masked || t->masked[slot + r];
        }
        if (!any) continue;
        t->at = (tct_value)v;
        t->to->span = n->span;
        tct_vjp rule = tct_vjp_of((tct_ir_op)n->op);
        if (!rule) return no_derivative(t, n);
        if (!rule(t, n, t->map[v], n->bundle ? TCT_NO_VALUE : t->cotangent[slot])) return false;
    }
    return true;
}

static bool check_request(tct_diag *d, const tct_graph *g, uint32_t loss, const uint32_t *wrt,
                          uint32_t n_wrt) {
    assert(loss < g->outputs.len);
    const tct_node *n = tct_node_of(g, g->outputs.data[loss].value);
    if (n->n_axes || !tct_dtype_is_float((tct_dtype)n->dtype)) {
        tct_buf axes = {0};
        for (int k = 0; k < n->n_axes; k++)
            tct_buf_printf(&axes, "%s%s", k ? ", " : "", tct_axis_of(g->module, n->axes[k])->name);
        tct_error(d, "E0620", n->span, "only a float scalar can be differentiated, and '%s' is %s%s%s%s",
                  g->outputs.data[loss].name, tct_dtype_name((tct_dtype)n->dtype), n->n_axes ? "[" : "",
                  n->n_axes ? axes.data : "", n->n_axes ? "]" : "");
        if (n->n_axes) tct_help(d, "reduce it first: mean(x, [%s])", axes.data);
        tct_buf_free(&axes);
        return false;
    }
    for (uint32_t k = 0; k < n_wrt; k++) {
        assert(wrt[k] < g->inputs.len);
        const tct_node *in = tct_node_of(g, g->inputs.data[wrt[k]]);
        if (!tct_dtype_is_float((tct_dtype)in->dtype))
            return tct_error(d, "E0621", in->span,
                             "no gradient to '%s': it is %s, and gradients are of floats", in->attr.name,
                             tct_dtype_name((tct_dtype)in->dtype));
    }
    return true;
}

static void add_outputs(tct_tape *t, const uint32_t *wrt, uint32_t n_wrt) {
    const tct_graph *g = t->from;
    for (size_t k = 0; k < g->outputs.len; k++) {
        const tct_output *o = &g->outputs.data[k];
        tct_ir_output(t->to, o->name, t->map[o->value], o->alias);
    }
    // Zeros and copies for gradients come after what is there already: at most two nodes for each.
    bool *pinned = tct_find_pinned(t->arena, t->to, 3 * (size_t)n_wrt);
    for (uint32_t k = 0; k < n_wrt; k++) {
        tct_value in = g->inputs.data[wrt[k]];
        t->to->span = tct_node_of(g, in)->span;
        const char *name = tct_unique_name(t->arena, t->to, "grad.", tct_node_of(g, in)->attr.name);
        tct_ir_output(t->to, name, tct_tape_result(t, in, pinned), -1);
    }
}

tct_graph *tct_grad(tct_diag *d, const tct_graph *g, uint32_t loss, const uint32_t *wrt, uint32_t n_wrt) {
    if (!check_request(d, g, loss, wrt, n_wrt)) return NULL;
    tct_arena arena = {0};
    bool *inputs = TCT_NEW_ARRAY(&arena, bool, g->inputs.len),
         *outputs = TCT_NEW_ARRAY(&arena, bool, g->outputs.len);
    for (uint32_t k = 0; k < n_wrt; k++) inputs[wrt[k]] = true;
    outputs[loss] = true;
    tct_tape t = {.d = d, .arena = &arena, .from = g, .to = tct_graph_new(g->module, g->name)};
    tct_tape_begin(&t, inputs, outputs);
    for (size_t k = 0; k < g->inputs.len; k++) tct_ir_copy_node(t.to, g, g->inputs.data[k], t.map);
    tct_tape_forward(&t);
    t.to->pass = "grad";
    tct_value end = g->outputs.data[loss].value;
    t.to->span = tct_node_of(g, end)->span;
    tct_tape_seed(&t, end, tct_ir_const(t.to, (tct_dtype)tct_node_of(g, end)->dtype, 1));
    bool ok = tct_tape_backward(&t);
    if (ok) add_outputs(&t, wrt, n_wrt);
    t.to->pass = g->pass;
    t.to->span = g->span;
    tct_graph *result = ok ? t.to : NULL;
    tct_arena_free(&arena);
    return result;
}
