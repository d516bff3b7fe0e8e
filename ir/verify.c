// Verifier: everything that docs/ir.md demands of a graph.
#include "ir/ir.h"

#include <string.h>

enum { MAX_DEPTH = 32 }; // of bodies in bodies

typedef struct verifier {
    tct_diag *d;
    const char *after; // may be NULL
    const tct_graph *g;
} verifier;

__attribute__((format(printf, 3, 4))) static bool broken(verifier *c, tct_value v, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    const char *text = tct_arena_vprintf(&c->d->arena, fmt, ap);
    va_end(ap);
    const char *after = c->after ? tct_arena_printf(&c->d->arena, ", after pass %s", c->after) : "";
    bool at_node = v < c->g->nodes.len;
    const tct_node *n = at_node ? &c->g->nodes.data[v] : NULL;
    tct_error(c->d, "E0603", at_node ? n->span : TCT_NO_SPAN, "graph %s%s: %s", c->g->name, after, text);
    if (at_node)
        tct_note_at(c->d, TCT_NO_SPAN, "node %%%u, %s, made by %s", v,
                    n->op < TCT_IR_N_OPS ? tct_ir_ops[n->op].name : "of no operation",
                    n->pass ? n->pass : "the frontend");
    return false;
}

static bool axes_exist(const tct_ir_module *m, const tct_axis *axes, int n) {
    if (n > TCT_IR_MAX_AXES || (n && !axes)) return false;
    for (int k = 0; k < n; k++)
        if (axes[k] >= m->axes.len) return false;
    return true;
}

static bool verify_graph(verifier *c, const tct_graph *g, int depth);

// What inference relies on.
static bool verify_references(verifier *c, tct_value v, int depth) {
    const tct_node *n = &c->g->nodes.data[v];
    const tct_ir_module *m = c->g->module;
    if (n->op >= TCT_IR_N_OPS) return broken(c, v, "there is no operation number %u", (unsigned)n->op);
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] >= v)
            return broken(c, v, "operand %u is %%%u, which doesn't come before", k, (unsigned)n->in[k]);
    if (!axes_exist(m, n->axes, n->n_axes) || !axes_exist(m, n->attr.axes, n->attr.n_axes) ||
        !axes_exist(m, n->attr.to, n->attr.n_to))
        return broken(c, v, "an axis that the module doesn't have");
    bool takes_body = tct_ir_ops[n->op].attrs & TCT_IR_BODY;
    if (takes_body != (n->attr.body != NULL))
        return broken(c, v, takes_body ? "the body is missing" : "a body that the operation doesn't have");
    if (!n->attr.body) return true;
    if (n->attr.body->module != m) return broken(c, v, "the body belongs to another module");
    for (size_t k = 0; k < n->attr.body->outputs.len; k++)
        if (n->attr.body->outputs.data[k].alias != -1)
            return broken(c, v, "output %zu of the body takes over an input's memory", k);
    verifier inner = {.d = c->d, .after = c->after};
    return verify_graph(&inner, n->attr.body, depth + 1);
}

static bool verify_type(verifier *c, tct_value v) {
    const tct_node *n = &c->g->nodes.data[v];
    tct_node inferred = *n;
    tct_diag d = {0};
    bool ok = tct_ir_infer(c->g, &d, &inferred, n->span);
    if (!ok) broken(c, v, "%s", d.messages.data[0].text);
    tct_diag_free(&d);
    if (!ok) return false;
    if (n->bundle != inferred.bundle || (!n->bundle && n->dtype != inferred.dtype))
        return broken(c, v, "the result is said to be %s, and is %s",
                      n->bundle ? "a bundle" : tct_dtype_name((tct_dtype)n->dtype),
                      inferred.bundle ? "a bundle" : tct_dtype_name((tct_dtype)inferred.dtype));
    if (n->bundle) return true;
    if (n->n_axes != inferred.n_axes)
        return broken(c, v, "the result is said to have %d axes, and has %d", n->n_axes, inferred.n_axes);
    bool keeps_order = n->op == TCT_IR_INPUT || n->op == TCT_IR_GET;
    for (int k = 0; k < n->n_axes; k++) {
        if (!tct_node_has_axis(n, inferred.axes[k]))
            return broken(c, v, "the result should have axis %s",
                          tct_axis_of(c->g->module, inferred.axes[k])->name);
        if (keeps_order && n->axes[k] != inferred.axes[k])
            return broken(c, v, "the order of the axes is not the operation's to choose");
    }
    return true;
}

static bool verify_inputs(verifier *c) {
    const tct_graph *g = c->g;
    for (size_t k = 0; k < g->inputs.len; k++) {
        tct_value v = g->inputs.data[k];
        if (v >= g->nodes.len || g->nodes.data[v].op != TCT_IR_INPUT || g->nodes.data[v].attr.i != (int64_t)k)
            return broken(c, TCT_NO_VALUE, "input %zu has no node", k);
        if (!g->nodes.data[v].attr.name) return broken(c, v, "an input without a name");
    }
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        if (n->op != TCT_IR_INPUT) continue;
        if (n->attr.i < 0 || (size_t)n->attr.i >= g->inputs.len || g->inputs.data[n->attr.i] != v)
            return broken(c, v, "an input that isn't number %lld of the graph", (long long)n->attr.i);
    }
    return true;
}

static bool same_layout(const tct_node *a, const tct_node *b) {
    return a->dtype == b->dtype && a->n_axes == b->n_axes &&
           (!a->n_axes || memcmp(a->axes, b->axes, a->n_axes * sizeof *a->axes) == 0);
}

static bool verify_outputs(verifier *c) {
    const tct_graph *g = c->g;
    for (size_t k = 0; k < g->outputs.len; k++) {
        const tct_output *o = &g->outputs.data[k];
        if (o->value >= g->nodes.len) return broken(c, TCT_NO_VALUE, "output %zu has no node", k);
        if (!o->name) return broken(c, o->value, "output %zu has no name", k);
        if (g->nodes.data[o->value].bundle) return broken(c, o->value, "output %s is a bundle", o->name);
        for (size_t other = 0; other < k; other++) {
            if (strcmp(g->outputs.data[other].name, o->name) == 0)
                return broken(c, o->value, "two outputs are called %s", o->name);
            if (o->alias >= 0 && g->outputs.data[other].alias == o->alias)
                return broken(c, o->value, "two outputs take over the memory of input %d", (int)o->alias);
        }
        if (o->alias == -1) continue;
        if (o->alias < 0 || (size_t)o->alias >= g->inputs.len)
            return broken(c, o->value, "output %s takes over input %d, which there isn't", o->name,
                          (int)o->alias);
        if (!same_layout(tct_node_of(g, o->value), tct_node_of(g, g->inputs.data[o->alias])))
            return broken(c, o->value, "output %s takes over input %d, which has another type", o->name,
                          (int)o->alias);
    }
    return true;
}

static bool verify_graph(verifier *c, const tct_graph *g, int depth) {
    c->g = g;
    if (depth > MAX_DEPTH) return broken(c, TCT_NO_VALUE, "bodies are nested deeper than %d", MAX_DEPTH);
    if (!verify_inputs(c)) return false;
    for (tct_value v = 0; v < g->nodes.len; v++)
        if (!verify_references(c, v, depth) || !verify_type(c, v)) return false;
    return verify_outputs(c);
}

bool tct_ir_verify(tct_diag *d, const tct_graph *g, const char *after) {
    verifier c = {.d = d, .after = after};
    return verify_graph(&c, g, 0);
}
