// Activity analysis: which values lie on a way of floats from some inputs to some outputs.
#include "passes/vjp.h"

#include <string.h>

tct_slots tct_slots_of(tct_arena *arena, const tct_graph *g) {
    tct_slots s = {.first = TCT_NEW_ARRAY(arena, uint32_t, g->nodes.len)};
    for (size_t v = 0; v < g->nodes.len; v++) {
        s.first[v] = s.n;
        s.n += g->nodes.data[v].bundle ? tct_ir_bundle_count(&g->nodes.data[v]) : 1;
    }
    return s;
}

static bool is_float(const tct_node *n) { return tct_dtype_is_float((tct_dtype)n->dtype); }

// Operations of floats through which no derivative flows: it is zero.
static bool is_flat(const tct_node *n) {
    return tct_ir_ops[n->op].cls != TCT_CLASS_OPAQUE && !tct_vjp_of((tct_ir_op)n->op);
}

static void scan_forward(tct_arena *arena, const tct_node *n, bool *body_inputs, bool *results);
static void scan_backward(tct_arena *arena, const tct_node *n, const bool *results, bool *body_inputs);

static bool *depends_on(tct_arena *arena, const tct_graph *g, const tct_slots *s, const bool *inputs) {
    bool *dep = TCT_NEW_ARRAY(arena, bool, s->n);
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        bool *mine = &dep[s->first[v]];
        if (n->op == TCT_IR_INPUT) {
            *mine = inputs[n->attr.i] && is_float(n);
        } else if (n->op == TCT_IR_GET) {
            *mine = is_float(n) && dep[s->first[n->in[0]] + (size_t)n->attr.i];
        } else if (n->op == TCT_IR_SCAN) {
            bool *in = TCT_NEW_ARRAY(arena, bool, n->n_in);
            for (uint32_t k = 0; k < n->n_in; k++) in[k] = dep[s->first[n->in[k]]];
            scan_forward(arena, n, in, mine);
        } else {
            bool any = false;
            for (uint32_t k = 0; k < n->n_in; k++) any = any || dep[s->first[n->in[k]]];
            if (!any) continue;
            if (n->bundle)
                memset(mine, 1, tct_ir_bundle_count(n));
            else
                *mine = is_float(n) && !is_flat(n);
        }
    }
    return dep;
}

static bool *needed_for(tct_arena *arena, const tct_graph *g, const tct_slots *s, const bool *outputs) {
    bool *need = TCT_NEW_ARRAY(arena, bool, s->n);
    for (size_t k = 0; k < g->outputs.len; k++)
        if (outputs[k]) need[s->first[g->outputs.data[k].value]] = true;
    for (size_t v = g->nodes.len; v-- > 0;) {
        const tct_node *n = &g->nodes.data[v];
        const bool *mine = &need[s->first[v]];
        if (n->op == TCT_IR_GET) {
            if (*mine) need[s->first[n->in[0]] + (size_t)n->attr.i] = true;
            continue;
        }
        bool any = false;
        for (uint32_t r = 0; r < (n->bundle ? tct_ir_bundle_count(n) : 1); r++) any = any || mine[r];
        if (!any) continue;
        bool *in = NULL;
        if (n->op == TCT_IR_SCAN) {
            in = TCT_NEW_ARRAY(arena, bool, n->n_in);
            scan_backward(arena, n, mine, in);
        }
        for (uint32_t k = 0; k < n->n_in; k++)
            if (!in || in[k]) need[s->first[n->in[k]]] = true;
    }
    return need;
}

// body_inputs: in, marks of the operands; out, marks of the body's inputs once the carries have gone round.
static void scan_forward(tct_arena *arena, const tct_node *n, bool *body_inputs, bool *results) {
    const tct_graph *body = n->attr.body;
    tct_slots s = tct_slots_of(arena, body);
    size_t carries = (size_t)n->attr.i;
    for (bool again = true; again;) {
        again = false;
        bool *dep = depends_on(arena, body, &s, body_inputs);
        for (size_t k = 0; k < body->outputs.len; k++) {
            bool marked = dep[s.first[body->outputs.data[k].value]];
            if (k < carries && marked && !body_inputs[k]) again = body_inputs[k] = true;
            results[k] = marked || (k < carries && body_inputs[k]);
        }
    }
}

// results: what is needed of the scan; body_inputs gets what is needed of each operand.
static void scan_backward(tct_arena *arena, const tct_node *n, const bool *results, bool *body_inputs) {
    const tct_graph *body = n->attr.body;
    tct_slots s = tct_slots_of(arena, body);
    size_t carries = (size_t)n->attr.i;
    bool *outputs = TCT_NEW_ARRAY(arena, bool, body->outputs.len);
    if (body->outputs.len) memcpy(outputs, results, body->outputs.len);
    for (bool again = true; again;) {
        again = false;
        bool *need = needed_for(arena, body, &s, outputs);
        for (size_t k = 0; k < body->inputs.len; k++) {
            body_inputs[k] = need[s.first[body->inputs.data[k]]];
            if (k >= carries) continue;
            if (body_inputs[k] && !outputs[k]) again = outputs[k] = true;
            body_inputs[k] = body_inputs[k] || outputs[k];
        }
    }
}

bool *tct_activity(tct_arena *arena, const tct_graph *g, const tct_slots *s, const bool *inputs,
                   const bool *outputs) {
    bool *active = depends_on(arena, g, s, inputs), *need = needed_for(arena, g, s, outputs);
    for (uint32_t k = 0; k < s->n; k++) active[k] = active[k] && need[k];
    return active;
}

void tct_activity_scan(tct_arena *arena, const tct_node *n, const bool *operands, const bool *results,
                       bool *body_inputs, bool *body_outputs) {
    size_t carries = (size_t)n->attr.i;
    bool *needed = TCT_NEW_ARRAY(arena, bool, n->n_in);
    memcpy(body_inputs, operands, n->n_in);
    scan_forward(arena, n, body_inputs, body_outputs);
    scan_backward(arena, n, results, needed);
    for (size_t k = 0; k < tct_ir_bundle_count(n); k++)
        body_outputs[k] = body_outputs[k] && (k < carries ? needed[k] : results[k]);
    for (uint32_t k = 0; k < n->n_in; k++) body_inputs[k] = body_inputs[k] && needed[k];
}
