// Dead code: nodes that no output needs, and in scans what nobody reads: collected results, operands, carries
// that only feed themselves. Inputs of the graph stay. Needs nothing; one walk backwards, one forwards.
#include "passes/passes.h"
#include "passes/vjp.h"

static void scan_liveness(tct_arena *arena, const tct_node *n, const bool *results, bool *body_in,
                          bool *body_out);

static uint32_t n_results(const tct_node *n) { return n->bundle ? tct_ir_bundle_count(n) : 1; }

static bool any_live(const bool *live, const tct_node *n) {
    bool any = false;
    for (uint32_t k = 0; k < n_results(n); k++) any = any || live[k];
    return any;
}

// Live slots of a graph of whose outputs some are wanted (NULL: all).
static bool *find_live(tct_arena *arena, const tct_graph *g, const tct_slots *s, const bool *wanted) {
    bool *live = TCT_NEW_ARRAY(arena, bool, s->n);
    for (size_t k = 0; k < g->outputs.len; k++)
        if (!wanted || wanted[k]) live[s->first[g->outputs.data[k].value]] = true;
    for (size_t v = g->nodes.len; v-- > 0;) {
        const tct_node *n = &g->nodes.data[v];
        const bool *mine = &live[s->first[v]];
        if (!any_live(mine, n)) continue;
        if (n->op == TCT_IR_GET) {
            live[s->first[n->in[0]] + (size_t)n->attr.i] = true;
            continue;
        }
        bool *in = NULL;
        if (n->op == TCT_IR_SCAN) {
            in = TCT_NEW_ARRAY(arena, bool, n->n_in);
            scan_liveness(arena, n, mine, in, TCT_NEW_ARRAY(arena, bool, n_results(n)));
        }
        for (uint32_t k = 0; k < n->n_in; k++)
            if (!in || in[k]) live[s->first[n->in[k]]] = true;
    }
    return live;
}

// Inputs and outputs that the body of scan n must keep, when `results` of it are live.
static void scan_liveness(tct_arena *arena, const tct_node *n, const bool *results, bool *body_in,
                          bool *body_out) {
    const tct_graph *body = n->attr.body;
    tct_slots s = tct_slots_of(arena, body);
    for (size_t k = 0; k < body->outputs.len; k++) body_out[k] = results[k];
    for (bool again = true; again;) {
        again = false;
        const bool *live = find_live(arena, body, &s, body_out);
        for (size_t k = 0; k < body->inputs.len; k++) {
            body_in[k] = live[s.first[body->inputs.data[k]]];
            if (k >= (size_t)n->attr.i) continue;
            if (body_in[k] && !body_out[k]) again = body_out[k] = true;
            body_in[k] = body_out[k];
        }
    }
}

typedef struct pruner {
    tct_arena *arena;
    bool changed;
} pruner;

static tct_graph *prune(pruner *p, const tct_graph *g, const bool *inputs, const bool *outputs);

// Copies scan v without its dead parts; new_index says where each of its results went.
static void copy_scan(pruner *p, tct_graph *to, const tct_graph *g, tct_value v, tct_value *map,
                      const bool *results, uint32_t *new_index) {
    const tct_node *n = tct_node_of(g, v);
    uint32_t n_out = n_results(n);
    bool *in_live = TCT_NEW_ARRAY(p->arena, bool, n->n_in), *out_live = TCT_NEW_ARRAY(p->arena, bool, n_out);
    scan_liveness(p->arena, n, results, in_live, out_live);
    tct_node copy = *n;
    copy.in = TCT_NEW_ARRAY(&to->module->arena, tct_value, n->n_in);
    copy.n_in = 0;
    copy.attr.i = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        if (!in_live[k]) continue;
        copy.in[copy.n_in++] = map[n->in[k]];
        copy.attr.i += k < n->attr.i;
    }
    uint32_t next = 0;
    for (uint32_t k = 0; k < n_out; k++) {
        new_index[k] = next;
        next += out_live[k];
    }
    p->changed = p->changed || next < n_out || copy.n_in < n->n_in;
    copy.attr.body = prune(p, n->attr.body, in_live, out_live);
    map[v] = tct_ir_append(to, &copy);
}

// A copy of g with the marked inputs and outputs (NULL: all) and what these outputs need.
static tct_graph *prune(pruner *p, const tct_graph *g, const bool *inputs, const bool *outputs) {
    tct_graph *to = tct_graph_new(g->module, g->name);
    tct_slots s = tct_slots_of(p->arena, g);
    const bool *live = find_live(p->arena, g, &s, outputs);
    tct_value *map = TCT_NEW_ARRAY(p->arena, tct_value, g->nodes.len);
    uint32_t *new_index = TCT_NEW_ARRAY(p->arena, uint32_t, s.n);
    int64_t next_input = 0;
    for (size_t k = 0; k < g->inputs.len; k++) {
        if (inputs && !inputs[k]) continue;
        tct_value v = g->inputs.data[k];
        tct_node n = *tct_node_of(g, v);
        n.attr.i = next_input++;
        map[v] = tct_ir_append(to, &n);
    }
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        if (n->op == TCT_IR_INPUT) continue;
        if (!any_live(&live[s.first[v]], n)) {
            p->changed = true;
        } else if (n->op == TCT_IR_SCAN) {
            copy_scan(p, to, g, v, map, &live[s.first[v]], &new_index[s.first[v]]);
        } else {
            tct_value copy = tct_ir_copy_node(to, g, v, map);
            tct_ir_attr *attr = &to->nodes.data[copy].attr;
            if (n->op == TCT_IR_GET && tct_node_of(g, n->in[0])->op == TCT_IR_SCAN)
                attr->i = new_index[s.first[n->in[0]] + (size_t)attr->i];
        }
    }
    for (size_t k = 0; k < g->outputs.len; k++) {
        const tct_output *o = &g->outputs.data[k];
        if (!outputs || outputs[k]) tct_ir_output(to, o->name, map[o->value], o->alias);
    }
    to->span = g->span;
    to->pass = g->pass;
    return to;
}

tct_graph *tct_pass_dce(tct_graph *g) {
    tct_arena arena = {0};
    pruner p = {.arena = &arena};
    tct_graph *to = prune(&p, g, NULL, NULL);
    tct_arena_free(&arena);
    return p.changed ? to : g;
}
