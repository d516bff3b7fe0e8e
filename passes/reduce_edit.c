#include "passes/reduce_edit.h"

#include <stdio.h>
#include <string.h>

size_t tct_reduce_count(const tct_graph *g) {
    size_t n = g->nodes.len;
    for (size_t v = 0; v < g->nodes.len; v++)
        if (g->nodes.data[v].attr.body) n += tct_reduce_count(g->nodes.data[v].attr.body);
    return n;
}

bool tct_reduce_fits(const tct_graph *g, tct_value v, tct_value w) {
    const tct_node *x = tct_node_of(g, v), *y = tct_node_of(g, w);
    return !x->bundle && !y->bundle && x->dtype == y->dtype &&
           tct_same_order(x->axes, x->n_axes, y->axes, y->n_axes);
}

bool tct_reduce_is_plain(const tct_graph *g, tct_value v) {
    const tct_node *n = tct_node_of(g, v);
    if (n->op == TCT_IR_BROADCAST) n = tct_node_of(g, n->in[0]);
    bool zero = n->op == TCT_IR_CONST && n->attr.f == 0 && n->attr.i == 0;
    return !n->bundle && n->op != TCT_IR_INPUT && !zero;
}

// --- Nodes ---

typedef struct editing {
    const tct_graph *from;
    tct_graph *to;
    const tct_reduce_edit *e;
    tct_value *map;
    bool *live;
} editing;

// What stands for v in the end.
static tct_value settled(const editing *w, tct_value v) {
    while (w->e->nodes && w->e->nodes[v] < TCT_REDUCE_DROP) v = w->e->nodes[v];
    return v;
}

static tct_value output_value(const editing *w, size_t k) {
    return settled(w, w->e->outputs ? w->e->outputs[k] : w->from->outputs.data[k].value);
}

static bool is_copied(const editing *w, tct_value v) {
    return !w->e->nodes || w->e->nodes[v] == TCT_REDUCE_KEEP;
}

bool *tct_reduce_used(tct_arena *arena, const tct_graph *g) {
    bool *used = TCT_NEW_ARRAY(arena, bool, g->nodes.len);
    for (size_t k = 0; k < g->outputs.len; k++) used[g->outputs.data[k].value] = true;
    for (size_t v = 0; v < g->nodes.len; v++)
        for (uint32_t k = 0; k < g->nodes.data[v].n_in; k++) used[g->nodes.data[v].in[k]] = true;
    return used;
}

static void find_live(editing *w) {
    const tct_graph *g = w->from;
    if (w->e->keep_unused) {
        tct_arena arena = {0};
        bool *used = tct_reduce_used(&arena, g);
        for (size_t v = g->nodes.len; v-- > 0;) { // what a dropped node uses is unused from now on
            bool dropped = w->e->nodes && w->e->nodes[v] == TCT_REDUCE_DROP;
            for (uint32_t k = 0; dropped && k < g->nodes.data[v].n_in; k++)
                used[g->nodes.data[v].in[k]] = false;
        }
        for (tct_value v = 0; v < g->nodes.len; v++)
            if (!used[v] && is_copied(w, v) && g->nodes.data[v].op != TCT_IR_INPUT) w->live[v] = true;
        tct_arena_free(&arena);
    }
    for (size_t k = 0; k < g->outputs.len; k++)
        if (!w->e->drop_outputs || !w->e->drop_outputs[k]) w->live[output_value(w, k)] = true;
    for (size_t v = g->nodes.len; v-- > 0;) {
        if (!w->live[v] || !is_copied(w, (tct_value)v)) continue;
        for (uint32_t k = 0; k < g->nodes.data[v].n_in; k++)
            w->live[settled(w, g->nodes.data[v].in[k])] = true;
    }
    // An input that an output takes the memory of is in use.
    for (size_t k = 0; k < g->outputs.len && !w->e->drop_aliases; k++)
        if ((!w->e->drop_outputs || !w->e->drop_outputs[k]) && g->outputs.data[k].alias >= 0)
            w->live[g->inputs.data[g->outputs.data[k].alias]] = true;
}

static tct_value new_input(tct_graph *to, const tct_node *n) {
    char name[32];
    size_t number = to->inputs.len;
    for (bool taken = true; taken; number++) { // names stay apart from those that are there
        snprintf(name, sizeof name, "r%zu", number);
        taken = false;
        for (size_t k = 0; k < to->inputs.len && !taken; k++)
            taken = strcmp(tct_node_of(to, to->inputs.data[k])->attr.name, name) == 0;
    }
    to->span = n->span;
    return tct_ir_input(to, name, (tct_dtype)n->dtype, n->axes, n->n_axes);
}

static tct_value zeros(tct_graph *to, const tct_node *n) {
    to->span = n->span;
    tct_value v = tct_zeros(to, (tct_dtype)n->dtype, n->axes, n->n_axes);
    if (n->n_axes) tct_set_order(to, v, n->axes, n->n_axes);
    return v;
}

tct_graph *tct_reduce_apply(const tct_graph *g, const tct_reduce_edit *e) {
    tct_arena arena = {0};
    editing w = {.from = g, .to = tct_graph_new(g->module, g->name), .e = e};
    w.map = TCT_NEW_ARRAY(&arena, tct_value, g->nodes.len);
    w.live = TCT_NEW_ARRAY(&arena, bool, g->nodes.len);
    int32_t *moved = TCT_NEW_ARRAY(&arena, int32_t, g->inputs.len);
    find_live(&w);
    for (size_t k = 0; k < g->inputs.len; k++) {
        tct_value v = g->inputs.data[k];
        moved[k] = -1;
        if (e->drop_inputs && k >= e->keep_inputs && !w.live[v]) continue;
        tct_node n = *tct_node_of(g, v);
        n.attr.i = moved[k] = (int32_t)w.to->inputs.len;
        w.map[v] = tct_ir_append(w.to, &n);
    }
    w.to->pass = "reduce";
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = tct_node_of(g, v);
        if (!w.live[v] || n->op == TCT_IR_INPUT) continue;
        if (!is_copied(&w, v)) {
            w.map[v] = e->nodes[v] == TCT_REDUCE_INPUT ? new_input(w.to, n) : zeros(w.to, n);
            continue;
        }
        tct_node copy = *n;
        copy.in = TCT_NEW_ARRAY(&g->module->arena, tct_value, n->n_in);
        for (uint32_t k = 0; k < n->n_in; k++) copy.in[k] = w.map[settled(&w, n->in[k])];
        w.map[v] = tct_ir_append(w.to, &copy);
    }
    for (size_t k = 0; k < g->outputs.len; k++) {
        const tct_output *o = &g->outputs.data[k];
        if (e->drop_outputs && e->drop_outputs[k]) continue;
        tct_ir_output(w.to, o->name, w.map[output_value(&w, k)],
                      o->alias >= 0 && !e->drop_aliases ? moved[o->alias] : -1);
    }
    w.to->pass = g->pass;
    w.to->span = g->span;
    tct_arena_free(&arena);
    return w.to;
}

// --- Bodies ---

tct_graph *tct_reduce_with_body(const tct_graph *g, tct_value v, tct_graph *body) {
    tct_graph *to = tct_graph_copy(g, g->name);
    to->nodes.data[v].attr.body = body; // nodes keep their numbers in a copy
    return to;
}

tct_graph *tct_reduce_trim(const tct_graph *g, tct_value v) {
    tct_arena arena = {0};
    const tct_node *n = tct_node_of(g, v);
    const tct_graph *body = n->attr.body;
    size_t carried = n->op == TCT_IR_SCAN ? (size_t)n->attr.i : 0, n_out = body->outputs.len;
    bool *drop = TCT_NEW_ARRAY(&arena, bool, n_out), *used = TCT_NEW_ARRAY(&arena, bool, body->nodes.len);
    int64_t *moved = TCT_NEW_ARRAY(&arena, int64_t, n_out), next = 0;
    for (size_t k = carried; k < n_out; k++) drop[k] = true;
    for (size_t u = 0; u < g->nodes.len; u++) {
        const tct_node *x = tct_node_of(g, (tct_value)u);
        if (x->op == TCT_IR_GET && x->in[0] == v) drop[x->attr.i] = false;
    }
    for (size_t k = 0; k < n_out; k++) {
        moved[k] = next;
        next += !drop[k];
        if (!drop[k]) used[body->outputs.data[k].value] = true;
    }
    for (size_t u = body->nodes.len; u-- > 0;)
        for (uint32_t k = 0; used[u] && k < body->nodes.data[u].n_in; k++)
            used[body->nodes.data[u].in[k]] = true;
    tct_reduce_edit edit = {.drop_outputs = drop, .drop_inputs = true, .keep_inputs = (uint32_t)carried};
    tct_node trimmed = *n;
    trimmed.in = TCT_NEW_ARRAY(&g->module->arena, tct_value, n->n_in);
    trimmed.n_in = 0;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (k < carried || used[body->inputs.data[k]]) trimmed.in[trimmed.n_in++] = n->in[k];
    bool changes = trimmed.n_in < n->n_in || (size_t)next < n_out;
    tct_graph *to = NULL;
    if (changes) {
        trimmed.attr.body = tct_reduce_apply(body, &edit);
        to = tct_graph_copy(g, g->name);
        to->nodes.data[v] = trimmed; // nodes keep their numbers in a copy
        for (size_t u = 0; u < to->nodes.len; u++) {
            tct_node *x = &to->nodes.data[u];
            if (x->op == TCT_IR_GET && x->in[0] == v) x->attr.i = moved[x->attr.i];
        }
    }
    tct_arena_free(&arena);
    return to;
}

// Appends the nodes of the body of n, whose operands are in[]; results in out[].
static void place_body(tct_graph *to, const tct_node *n, const tct_value *in, tct_value *out) {
    const tct_graph *body = n->attr.body;
    tct_value *map = tct_alloc((body->nodes.len + 1) * sizeof *map);
    for (tct_value v = 0; v < body->nodes.len; v++) {
        const tct_node *x = tct_node_of(body, v);
        if (x->op == TCT_IR_INPUT)
            map[v] = in[x->attr.i];
        else
            tct_ir_copy_node(to, body, v, map);
    }
    for (size_t k = 0; k < body->outputs.len; k++) out[k] = map[body->outputs.data[k].value];
    tct_heap_free(map);
}

// Operand k of scan n as its body sees it.
static tct_value body_operand(tct_graph *to, const tct_node *n, uint32_t k, const tct_value *map) {
    const tct_node *input = tct_node_of(n->attr.body, n->attr.body->inputs.data[k]);
    const tct_node *operand = tct_node_of(to, map[n->in[k]]);
    bool sliced = false;
    for (int a = 0; n->op == TCT_IR_SCAN && a < n->attr.n_axes; a++)
        sliced |= tct_node_has_axis(operand, n->attr.axes[a]);
    return sliced ? new_input(to, input) : map[n->in[k]];
}

tct_graph *tct_reduce_unwrap(const tct_graph *g, tct_value v) {
    const tct_node *n = tct_node_of(g, v);
    tct_graph *to = tct_graph_new(g->module, g->name);
    to->pass = "reduce";
    tct_value *map = tct_alloc((g->nodes.len + 1) * sizeof *map);
    tct_value *in = tct_alloc((n->n_in + (size_t)1) * sizeof *in);
    tct_value *out = tct_alloc((n->attr.body->outputs.len + 1) * sizeof *out);
    for (size_t k = 0; k < g->inputs.len; k++) tct_ir_copy_node(to, g, g->inputs.data[k], map);
    for (tct_value u = 0; u < g->nodes.len; u++) {
        const tct_node *x = tct_node_of(g, u);
        if (u == v) {
            for (uint32_t k = 0; k < n->n_in; k++) in[k] = body_operand(to, n, k, map);
            place_body(to, n, in, out);
        } else if (x->op == TCT_IR_GET && x->in[0] == v) {
            to->span = x->span;
            map[u] = tct_ir_broadcast(to, out[x->attr.i], x->axes, x->n_axes); // what a scan collects
        } else if (x->op != TCT_IR_INPUT) {
            tct_ir_copy_node(to, g, u, map);
        }
    }
    for (size_t k = 0; k < g->outputs.len; k++) {
        const tct_output *o = &g->outputs.data[k];
        tct_ir_output(to, o->name, map[o->value], -1);
    }
    tct_heap_free(map);
    tct_heap_free(in);
    tct_heap_free(out);
    return to;
}

// --- Sizes ---

typedef struct sizes {
    const tct_ir_module *m;
    int64_t *size; // by axis, as it is to be
    size_t n;
    bool changed;
} sizes;

static void set_size(sizes *s, tct_axis a, int64_t size) {
    if (size < 1 || s->size[a] == size) return;
    s->size[a] = size;
    s->changed = true;
}

static int64_t product(const sizes *s, const tct_axis *axes, int n) {
    int64_t p = 1;
    for (int k = 0; k < n; k++)
        if (__builtin_mul_overflow(p, s->size[axes[k]], &p)) return 0;
    return p;
}

static int64_t before(const sizes *s, tct_axis a) { return s->m->axes.data[a].size; }

// What other axes of a node follow from.
static void follow(sizes *s, const tct_node *n) {
    const tct_ir_attr *a = &n->attr;
    switch (n->op) {
    case TCT_IR_RENAME:
        if (s->size[a->axes[0]] != before(s, a->axes[0]))
            set_size(s, a->to[0], s->size[a->axes[0]]);
        else
            set_size(s, a->axes[0], s->size[a->to[0]]);
        break;
    case TCT_IR_SPLIT:
    case TCT_IR_MERGE: {
        const tct_axis *parts = n->op == TCT_IR_SPLIT ? a->to : a->axes;
        tct_axis whole = n->op == TCT_IR_SPLIT ? a->axes[0] : a->to[0];
        int n_parts = n->op == TCT_IR_SPLIT ? a->n_to : a->n_axes;
        bool same_parts = true;
        for (int k = 0; k < n_parts; k++) same_parts = same_parts && s->size[parts[k]] == before(s, parts[k]);
        if (!same_parts) {
            set_size(s, whole, product(s, parts, n_parts));
        } else if (s->size[whole] != before(s, whole)) {
            for (int k = 0; k < n_parts; k++) set_size(s, parts[k], k ? 1 : s->size[whole]);
        }
        break;
    }
    case TCT_IR_CONCAT: {
        int64_t sum = 0;
        for (int k = 0; k < a->n_axes; k++) sum += s->size[a->axes[k]];
        set_size(s, a->to[0], sum);
        break;
    }
    case TCT_IR_PAD:
        set_size(s, a->to[0], s->size[a->axes[0]] + before(s, a->to[0]) - before(s, a->axes[0]));
        break;
    case TCT_IR_SLICE: {
        int64_t step = a->step > 0 ? a->step : 1, room = (s->size[a->axes[0]] - 1 - a->i) / step + 1;
        if (s->size[a->axes[0]] > a->i && s->size[a->to[0]] > room) set_size(s, a->to[0], room);
        break;
    }
    default:
        break;
    }
    if (!a->body) return;
    for (size_t v = 0; v < a->body->nodes.len; v++) follow(s, &a->body->nodes.data[v]);
}

static tct_axis resized(tct_ir_module *m, const sizes *s, tct_axis a) {
    if (a >= s->n || s->size[a] == m->axes.data[a].size) return a;
    const char *name = m->axes.data[a].name;
    return tct_axis_get(m, name, s->size[a]);
}

static tct_graph *with_sizes(const tct_graph *g, const sizes *s) {
    tct_graph *to = tct_graph_copy(g, g->name);
    tct_ir_module *m = g->module;
    for (size_t v = 0; v < to->nodes.len; v++) {
        tct_node *n = &to->nodes.data[v];
        for (int k = 0; k < n->n_axes; k++) n->axes[k] = resized(m, s, n->axes[k]);
        for (int k = 0; k < n->attr.n_axes; k++) n->attr.axes[k] = resized(m, s, n->attr.axes[k]);
        for (int k = 0; k < n->attr.n_to; k++) n->attr.to[k] = resized(m, s, n->attr.to[k]);
        if (n->attr.body) n->attr.body = with_sizes(n->attr.body, s);
    }
    return to;
}

tct_graph *tct_reduce_resize(const tct_graph *g, tct_axis a, int64_t size) {
    enum { MOST_ROUNDS = 20 }; // of what follows from what
    tct_arena arena = {0};
    sizes s = {.m = g->module, .n = g->module->axes.len};
    s.size = TCT_NEW_ARRAY(&arena, int64_t, s.n);
    bool any = false;
    for (size_t k = 0; k < s.n; k++) {
        s.size[k] = before(&s, (tct_axis)k);
        bool shrinks = (a == UINT32_MAX || k == a) && s.size[k] > size;
        if (shrinks) s.size[k] = size;
        any = any || shrinks;
    }
    s.changed = any;
    for (int round = 0; round < MOST_ROUNDS && s.changed; round++) {
        s.changed = false;
        for (size_t v = 0; v < g->nodes.len; v++) follow(&s, &g->nodes.data[v]);
    }
    tct_graph *to = any ? with_sizes(g, &s) : NULL;
    tct_arena_free(&arena);
    return to;
}
