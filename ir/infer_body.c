// Operations with a body and bundles: scan, foreign, fused, get.
#include "ir/infer.h"

#include <string.h>

static const tct_node *body_output(const tct_graph *body, size_t k) {
    return tct_node_of(body, body->outputs.data[k].value);
}

static const tct_node *body_input(const tct_graph *body, size_t k) {
    return tct_node_of(body, body->inputs.data[k]);
}

// Inputs and outputs are there and are tensors; as many inputs as operands.
static bool check_body(tct_infer *c) {
    const tct_graph *body = c->n->attr.body;
    if (!body) return tct_infer_fail(c, "E0616", NULL, "%s needs a body", c->name);
    if (body->inputs.len != c->n->n_in)
        return tct_infer_fail(c, "E0616", NULL, "%s has %u operands and its body %zu inputs", c->name,
                              c->n->n_in, body->inputs.len);
    for (size_t k = 0; k < body->inputs.len; k++)
        if (body->inputs.data[k] >= body->nodes.len)
            return tct_infer_fail(c, "E0616", NULL, "%s: the body lacks input %zu", c->name, k);
    for (size_t k = 0; k < body->outputs.len; k++)
        if (body->outputs.data[k].value >= body->nodes.len || body_output(body, k)->bundle)
            return tct_infer_fail(c, "E0617", "take one of them with get",
                                  "%s: result %zu of the body isn't a tensor", c->name, k);
    return true;
}

// Same dtype and the same axes in any order, without the axes `but` of a.
static bool same_type(const tct_node *a, const tct_node *b, const tct_axis *but, int n_but) {
    if (a->dtype != b->dtype) return false;
    int left = 0;
    for (int k = 0; k < a->n_axes; k++) {
        if (tct_infer_find(but, n_but, a->axes[k]) >= 0) continue;
        if (!tct_node_has_axis(b, a->axes[k])) return false;
        left++;
    }
    return left == b->n_axes;
}

static bool wrong_input(tct_infer *c, size_t k) {
    return tct_infer_fail(c, "E0616", NULL, "%s: operand %zu is %s, and the body takes %s there", c->name, k,
                          tct_infer_type(c, tct_infer_operand(c, (uint32_t)k)),
                          tct_infer_type(c, body_input(c->n->attr.body, k)));
}

static bool infer_scan(tct_infer *c) {
    const tct_node *n = c->n;
    const tct_graph *body = n->attr.body;
    const tct_axis *along = n->attr.axes;
    int n_along = n->attr.n_axes;
    if (!tct_infer_some_axes(c) || !check_body(c)) return false;
    if (n->attr.step != 1 && n->attr.step != -1)
        return tct_infer_fail(c, "E0616", NULL, "scan runs with step 1 or -1, not %lld",
                              (long long)n->attr.step);
    if (n->attr.i < 0 || n->attr.i > n->n_in || (size_t)n->attr.i > body->outputs.len)
        return tct_infer_fail(c, "E0616", NULL,
                              "scan: %lld values are carried, with %u operands and %zu results",
                              (long long)n->attr.i, n->n_in, body->outputs.len);
    size_t carries = (size_t)n->attr.i;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const tct_node *o = tct_infer_operand(c, k);
        for (int a = 0; a < n_along && k < carries; a++)
            if (tct_node_has_axis(o, along[a]))
                return tct_infer_fail(c, "E0611", NULL,
                                      "scan: the initial value %u has the axis %s that the scan runs along",
                                      k, tct_axis_of(c->m, along[a])->name);
        if (!same_type(o, body_input(body, k), along, n_along)) return wrong_input(c, k);
    }
    for (size_t k = 0; k < body->outputs.len; k++) {
        const tct_node *result = body_output(body, k);
        if (k < carries && !same_type(result, body_input(body, k), NULL, 0))
            return tct_infer_fail(c, "E0616", "a carried value keeps its type from step to step",
                                  "scan: value %zu starts as %s and is %s after a step", k,
                                  tct_infer_type(c, body_input(body, k)), tct_infer_type(c, result));
        if (k < carries) continue;
        c->n_axes = 0; // room for the axes that the collected values get?
        for (int a = 0; a < n_along; a++)
            if (!tct_infer_add(c, along[a])) return false;
        for (int a = 0; a < result->n_axes; a++)
            if (!tct_infer_add(c, result->axes[a])) return false;
    }
    return true;
}

static bool same_layout(const tct_node *a, const tct_node *b) {
    return a->dtype == b->dtype && a->n_axes == b->n_axes &&
           (!a->n_axes || memcmp(a->axes, b->axes, a->n_axes * sizeof *a->axes) == 0);
}

static bool infer_call(tct_infer *c, bool exact) {
    const tct_node *n = c->n;
    if (!check_body(c)) return false;
    if (!n->attr.name) return tct_infer_fail(c, "E0616", NULL, "%s needs a name", c->name);
    for (uint32_t k = 0; k < n->n_in; k++) {
        const tct_node *o = tct_infer_operand(c, k), *i = body_input(n->attr.body, k);
        if (exact ? !same_layout(o, i) : !same_type(o, i, NULL, 0)) return wrong_input(c, k);
    }
    return true;
}

static bool infer_get(tct_infer *c) {
    const tct_node *n = c->n;
    if (!c->x->bundle)
        return tct_infer_fail(c, "E0617", NULL, "get takes several results together, and this is %s",
                              tct_infer_type(c, c->x));
    uint32_t count = tct_ir_bundle_count(c->x);
    if (n->attr.i < 0 || n->attr.i >= count)
        return tct_infer_fail(c, "E0617", NULL, "get: there is no result %lld among %u", (long long)n->attr.i,
                              count);
    tct_ir_bundle_result(c->g, c->x, (uint32_t)n->attr.i, &c->dtype, c->axes, &c->n_axes);
    return true;
}

bool tct_infer_structure(tct_infer *c, bool *bundle) {
    *bundle = c->n->op != TCT_IR_GET;
    switch (c->n->op) {
    case TCT_IR_SCAN:
        return infer_scan(c);
    case TCT_IR_FOREIGN:
        return infer_call(c, false);
    case TCT_IR_FUSED:
        return infer_call(c, true);
    default: // GET
        return infer_get(c);
    }
}

uint32_t tct_ir_bundle_count(const tct_node *bundle) { return (uint32_t)bundle->attr.body->outputs.len; }

void tct_ir_bundle_result(const tct_graph *g, const tct_node *bundle, uint32_t index, tct_dtype *dtype,
                          tct_axis axes[TCT_IR_MAX_AXES], uint8_t *n_axes) {
    const tct_node *result = body_output(bundle->attr.body, index);
    *n_axes = 0;
    if (bundle->op == TCT_IR_SCAN) {
        if (index < bundle->attr.i)
            result = tct_node_of(g, bundle->in[index]);
        else
            for (int a = 0; a < bundle->attr.n_axes; a++) axes[(*n_axes)++] = bundle->attr.axes[a];
    }
    *dtype = (tct_dtype)result->dtype;
    for (int k = 0; k < result->n_axes; k++) axes[(*n_axes)++] = result->axes[k];
}
