// Which nodes of a version are which of the version before. Groups are seen through: an operation is the same
// one, whether it stands in the graph or in a group.
#include "driver/page_data.h"
#include "ir/match.h"

// A block with the bodies of its groups in their places, and by node of that: its number in the version.
typedef struct opened {
    tct_graph *g;
    TCT_VEC(uint32_t) number;
} opened;

static uint32_t block_owned_by(const tct_page_blocks *v, uint32_t owner) {
    for (uint32_t b = 1; b < v->list.len; b++)
        if (v->list.data[b].owner == owner) return b;
    return 0;
}

static void copy_into(opened *o, const tct_graph *from, tct_value v, tct_value *map, uint32_t number) {
    tct_ir_copy_node(o->g, from, v, map);
    TCT_PUSH(&o->number, number);
}

// The results of group v, in the arena.
static tct_value *open_group(const tct_page_blocks *version, tct_arena *a, opened *o, const tct_page_block *b,
                             tct_value v, const tct_value *map) {
    const tct_node *n = tct_node_of(b->g, v);
    const tct_graph *body = n->attr.body;
    uint32_t first = version->list.data[block_owned_by(version, b->first + v)].first;
    tct_value *inner = TCT_NEW_ARRAY(a, tct_value, body->nodes.len);
    for (tct_value w = 0; w < body->nodes.len; w++) {
        const tct_node *x = tct_node_of(body, w);
        if (x->op == TCT_IR_INPUT)
            inner[w] = map[n->in[x->attr.i]];
        else
            copy_into(o, body, w, inner, first + w);
    }
    tct_value *results = TCT_NEW_ARRAY(a, tct_value, body->outputs.len);
    for (size_t k = 0; k < body->outputs.len; k++) results[k] = inner[body->outputs.data[k].value];
    return results;
}

static opened open_block(const tct_page_blocks *version, tct_arena *a, uint32_t block) {
    const tct_page_block *b = &version->list.data[block];
    opened o = {.g = tct_graph_new(b->g->module, b->g->name)};
    size_t n = b->g->nodes.len;
    tct_value *map = TCT_NEW_ARRAY(a, tct_value, n), **results = TCT_NEW_ARRAY(a, tct_value *, n);
    for (tct_value v = 0; v < n; v++) {
        const tct_node *x = tct_node_of(b->g, v);
        if (x->op == TCT_IR_FUSED)
            results[v] = open_group(version, a, &o, b, v, map);
        else if (x->op == TCT_IR_GET && results[x->in[0]])
            map[v] = results[x->in[0]][x->attr.i];
        else
            copy_into(&o, b->g, v, map, b->first + v);
    }
    for (size_t k = 0; k < b->g->outputs.len; k++)
        tct_ir_output(o.g, b->g->outputs.data[k].name, map[b->g->outputs.data[k].value], -1);
    return o;
}

static void match_blocks(tct_arena *a, const tct_page_blocks *before, uint32_t bb,
                         const tct_page_blocks *after, uint32_t ab, int64_t *from) {
    opened x = open_block(before, a, bb), y = open_block(after, a, ab);
    tct_ir_match m;
    tct_ir_match_graphs(a, x.g, y.g, &m);
    for (tct_value v = 0; v < y.g->nodes.len; v++) {
        tct_value w = m.to_before[v];
        if (w == TCT_NO_VALUE) continue;
        from[y.number.data[v]] = x.number.data[w];
        uint32_t inner = block_owned_by(before, x.number.data[w]),
                 body = block_owned_by(after, y.number.data[v]);
        if (inner && body) match_blocks(a, before, inner, after, body, from);
    }
    TCT_VEC_FREE(&x.number);
    TCT_VEC_FREE(&y.number);
}

json_t *tct_page_match(const tct_page_blocks *before, const tct_page_blocks *after) {
    tct_arena a = {0};
    int64_t *from = TCT_NEW_ARRAY(&a, int64_t, after->n_nodes);
    for (uint32_t v = 0; v < after->n_nodes; v++) from[v] = -1;
    match_blocks(&a, before, 0, after, 0, from);
    json_t *list = json_array();
    for (uint32_t v = 0; v < after->n_nodes; v++) json_array_append_new(list, json_integer(from[v]));
    tct_arena_free(&a);
    return list;
}
