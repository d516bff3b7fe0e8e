// What fusion made of a graph, told afterwards: every value between two kernels, with all reasons why they
// are two, and every value that several kernels compute.
#include "passes/fuse.h"

#include <stdlib.h>
#include <string.h>

const char *const tct_fusion_reason_names[TCT_N_APART] = {
    [TCT_APART_SCAN] = "scan",         [TCT_APART_FOREIGN] = "foreign", [TCT_APART_OPERAND] = "operand",
    [TCT_APART_SCATTER] = "scatter",   [TCT_APART_PRODUCT] = "product", [TCT_APART_REDUCES] = "reduces",
    [TCT_APART_EPILOGUE] = "epilogue", [TCT_APART_SHAPE] = "shape",     [TCT_APART_DOMAIN] = "domain",
    [TCT_APART_MOVED] = "moved",       [TCT_APART_BETWEEN] = "between", [TCT_APART_LARGE] = "large",
    [TCT_APART_PIECES] = "pieces",     [TCT_APART_COLUMNS] = "columns",
};
const char *const tct_fusion_again_names[TCT_N_AGAIN] = {
    [TCT_AGAIN_WHOLE] = "whole",   [TCT_AGAIN_COSTLY] = "costly", [TCT_AGAIN_READS] = "reads",
    [TCT_AGAIN_RESULT] = "result", [TCT_AGAIN_WANTED] = "wanted",
};

typedef struct reporting {
    tct_fusion f;
    tct_fusion_report *r;
    uint32_t *down, *up; // marks of walks, by node
    uint32_t marks;
    TCT_VEC(tct_value) stack;
} reporting;

static const tct_node *node(const reporting *p, tct_value v) { return tct_node_of(p->f.g, v); }
static uint32_t group_of(const reporting *p, tct_value v) { return p->f.group[v]; }

static bool is_elementwise(const tct_node *n) { return tct_ir_ops[n->op].cls == TCT_CLASS_ELEMENTWISE; }

// What computes v: a result of a scan or call is computed by that.
static tct_value maker(const reporting *p, tct_value v) {
    return node(p, v)->op == TCT_IR_GET ? node(p, v)->in[0] : v;
}

static tct_value kernel_of(const reporting *p, tct_value v) { return p->f.built[maker(p, v)]; }

// --- Forward and backward ---

static void mark_forward(reporting *p, const bool *forward_output) {
    const tct_graph *g = p->f.g;
    tct_fusion_report *r = p->r;
    r->forward = TCT_NEW_ARRAY(&r->arena, bool, g->nodes.len);
    for (size_t k = 0; k < g->outputs.len; k++)
        if (!forward_output || forward_output[k]) r->forward[g->outputs.data[k].value] = true;
    for (size_t v = g->nodes.len; v-- > 0;)
        for (uint32_t k = 0; r->forward[v] && k < g->nodes.data[v].n_in; k++)
            r->forward[g->nodes.data[v].in[k]] = true;
    r->part = TCT_NEW_ARRAY(&r->arena, uint8_t, r->fused->nodes.len);
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = node(p, v);
        if (p->f.kind[v] == TCT_FUSE_INLINE || n->op == TCT_IR_INPUT || n->op == TCT_IR_GET) continue;
        r->part[p->f.built[v]] |= r->forward[v] ? TCT_FUSION_FORWARD : TCT_FUSION_BACKWARD;
    }
}

// --- Computing again ---

static void say_again(const reporting *p, tct_value v, tct_fusion_edge *e) {
    const tct_node *n = node(p, v);
    bool movement = p->f.kind[v] == TCT_FUSE_ANCHOR && tct_ir_ops[n->op].cls == TCT_CLASS_MOVEMENT &&
                    n->op != TCT_IR_SCATTER_ADD && n->op != TCT_IR_PUT;
    e->again = TCT_AGAIN_WHOLE;
    if (!is_elementwise(n) && !movement && n->op != TCT_IR_RANDOM) return;
    tct_fuse_thrift t = tct_fuse_thrift_of(&p->f, v);
    e->again_cost = (uint32_t)p->f.cost[v];
    e->again_large = t.large;
    e->again_small = t.small;
    e->again = t.costly   ? TCT_AGAIN_COSTLY
               : t.reads  ? TCT_AGAIN_READS
               : t.result ? TCT_AGAIN_RESULT
                          : TCT_AGAIN_WANTED;
}

// --- Walks ---

static void visit(reporting *p, uint32_t *marked, uint32_t mark, tct_value v) {
    if (marked[v] == mark) return;
    marked[v] = mark;
    TCT_PUSH(&p->stack, v);
}

// All that is computed together with v.
static void visit_unit(reporting *p, uint32_t *marked, uint32_t mark, tct_value v) {
    if (group_of(p, v) == UINT32_MAX) {
        visit(p, marked, mark, v);
        return;
    }
    const tct_fuse_group *g = &p->f.groups[group_of(p, v)];
    for (uint32_t m = 0; m < g->n; m++) visit(p, marked, mark, g->members[m]);
    if (g->dot != TCT_NO_VALUE) visit(p, marked, mark, g->dot);
}

static bool same_unit(const reporting *p, tct_value v, tct_value w) {
    return v == w || (group_of(p, v) != UINT32_MAX && group_of(p, v) == group_of(p, w));
}

// The first node that the unit of `from` leads to and that leads to the unit of `to`, in neither.
static tct_value find_between(reporting *p, tct_value from, tct_value to) {
    const tct_fusion *f = &p->f;
    uint32_t mark = ++p->marks;
    tct_value best = TCT_NO_VALUE;
    visit_unit(p, p->down, mark, from);
    while (p->stack.len) {
        tct_value v = p->stack.data[--p->stack.len];
        for (uint32_t k = f->user_begin[v]; k < f->user_begin[v + 1]; k++)
            if (!same_unit(p, f->users[k], to)) visit_unit(p, p->down, mark, f->users[k]);
    }
    visit_unit(p, p->up, mark, to);
    while (p->stack.len) {
        tct_value v = p->stack.data[--p->stack.len];
        bool is_end = same_unit(p, v, from) || same_unit(p, v, to);
        if (!is_end && p->down[v] == mark && (best == TCT_NO_VALUE || v < best)) best = v;
        for (uint32_t k = 0; k < f->sources[v].n; k++) {
            tct_value s = f->sources[v].data[k].v;
            if (!same_unit(p, s, from)) visit_unit(p, p->up, mark, s);
        }
    }
    return best;
}

// A movement on some way from `source` to v through inline nodes, the one nearest to v; TCT_NO_VALUE where
// there is none. Marks in `up` the nodes that `source` leads to, of those looked at, which are marked in
// `down`.
static tct_value movement_on_way(reporting *p, tct_value v, tct_value source, uint32_t mark) {
    const tct_node *n = node(p, v);
    p->down[v] = mark;
    for (uint32_t k = 0; k < n->n_in; k++) {
        tct_value o = n->in[k], at = TCT_NO_VALUE;
        if (p->f.kind[o] == TCT_FUSE_INLINE && p->down[o] != mark) at = movement_on_way(p, o, source, mark);
        if (o != source && p->up[o] != mark) continue;
        p->up[v] = mark;
        if (tct_fuse_moves(n, k)) return v;
        if (at != TCT_NO_VALUE) return at;
    }
    return TCT_NO_VALUE;
}

static tct_value find_movement(reporting *p, tct_value from, tct_value to) {
    const tct_fuse_group *g = &p->f.groups[group_of(p, to)];
    for (uint32_t m = 0; m < g->n; m++) {
        const tct_fuse_sources *s = &p->f.sources[g->members[m]];
        for (uint32_t k = 0; k < s->n; k++) {
            if (s->data[k].moved && same_unit(p, s->data[k].v, from))
                return movement_on_way(p, g->members[m], s->data[k].v, ++p->marks);
        }
    }
    return TCT_NO_VALUE;
}

// --- Edges ---

static uint32_t because(tct_fusion_reason r) { return UINT32_C(1) << r; }

static uint32_t why_apart(reporting *p, tct_fusion_edge *e) {
    tct_value from = maker(p, e->value), to = e->user;
    tct_ir_op a = (tct_ir_op)node(p, from)->op, b = (tct_ir_op)node(p, to)->op;
    if (a == TCT_IR_SCAN || b == TCT_IR_SCAN) return because(TCT_APART_SCAN);
    if (a == TCT_IR_FOREIGN || b == TCT_IR_FOREIGN) return because(TCT_APART_FOREIGN);
    if (b == TCT_IR_DOT) return because(TCT_APART_OPERAND);
    uint32_t why = group_of(p, from) == UINT32_MAX
                       ? tct_fuse_why_no_epilogue(&p->f, from, group_of(p, to), e)
                       : tct_fuse_why_apart(&p->f, group_of(p, from), group_of(p, to), e);
    if (why & because(TCT_APART_MOVED)) {
        e->movement = find_movement(p, from, to);
        if (e->movement == TCT_NO_VALUE) e->movement = find_movement(p, to, from);
    }
    if (why & because(TCT_APART_BETWEEN)) {
        e->between = find_between(p, from, to);
        if (e->between == TCT_NO_VALUE) e->between = find_between(p, to, from);
    }
    return why;
}

static void add_edge(reporting *p, tct_value value, tct_value user) {
    tct_fusion_edge e = {.value = value,
                         .user = user,
                         .from = kernel_of(p, value),
                         .to = kernel_of(p, user),
                         .movement = TCT_NO_VALUE,
                         .between = TCT_NO_VALUE,
                         .product = TCT_NO_VALUE};
    if (e.from == e.to) return;
    for (size_t k = p->r->edges.len; k-- > 0;) {
        tct_fusion_edge *x = &p->r->edges.data[k];
        if (x->value != value || x->to != e.to) continue;
        x->saved |= p->r->forward[value] && !p->r->forward[user];
        return;
    }
    e.reasons = why_apart(p, &e);
    e.saved = p->r->forward[value] && !p->r->forward[user];
    say_again(p, value, &e);
    TCT_PUSH(&p->r->edges, e);
}

static int by_kernel(const void *a, const void *b) {
    const tct_fusion_edge *x = a, *y = b;
    if (x->to != y->to) return x->to < y->to ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static void find_edges(reporting *p) {
    const tct_graph *g = p->f.g;
    for (tct_value v = 0; v < g->nodes.len; v++) {
        if (p->f.kind[v] == TCT_FUSE_INLINE || node(p, v)->op == TCT_IR_GET) continue;
        for (uint32_t k = 0; k < p->f.sources[v].n; k++) {
            tct_value s = p->f.sources[v].data[k].v;
            if (node(p, s)->op != TCT_IR_INPUT) add_edge(p, s, v);
        }
    }
    if (p->r->edges.len) qsort(p->r->edges.data, p->r->edges.len, sizeof *p->r->edges.data, by_kernel);
}

// --- Copies ---

typedef struct computed {
    tct_value node, kernel;
} computed;

typedef struct computed_list {
    TCT_VEC(computed) all;
} computed_list;

static void collect_inline(reporting *p, tct_value v, tct_value kernel, uint32_t mark, computed_list *list) {
    const tct_node *n = node(p, v);
    for (uint32_t k = 0; k < n->n_in; k++) {
        tct_value o = n->in[k];
        if (p->f.kind[o] != TCT_FUSE_INLINE || p->up[o] == mark) continue;
        p->up[o] = mark;
        bool arithmetic = is_elementwise(node(p, o)) && node(p, o)->op != TCT_IR_CAST &&
                          node(p, o)->op != TCT_IR_STOP_GRADIENT && tct_node_elements(p->f.g, node(p, o)) > 1;
        if (arithmetic) TCT_PUSH(&list->all, (computed){o, kernel});
        collect_inline(p, o, kernel, mark, list);
    }
}

static int by_node(const void *a, const void *b) {
    const computed *x = a, *y = b;
    if (x->node != y->node) return x->node < y->node ? -1 : 1;
    return x->kernel < y->kernel ? -1 : x->kernel > y->kernel;
}

static void add_copy(reporting *p, const computed *first, size_t n) {
    tct_value *kernels = TCT_NEW_ARRAY(&p->r->arena, tct_value, n);
    int parts[3] = {0};
    for (size_t k = 0; k < n; k++) {
        kernels[k] = first[k].kernel;
        parts[0] += p->r->part[kernels[k]] == TCT_FUSION_BACKWARD;
        parts[1] += (p->r->part[kernels[k]] & TCT_FUSION_FORWARD) != 0;
    }
    tct_fusion_copy c = {.node = first->node,
                         .n_kernels = (uint32_t)n,
                         .kernels = kernels,
                         .cost = (uint32_t)p->f.cost[first->node],
                         .backward = p->r->forward[first->node] && parts[0] && parts[1]};
    TCT_PUSH(&p->r->copies, c);
}

static void find_copies(reporting *p) {
    computed_list list = {0};
    for (uint32_t g = 0; g < p->f.n_groups; g++) {
        const tct_fuse_group *group = &p->f.groups[g];
        uint32_t mark = ++p->marks;
        for (uint32_t m = 0; m < group->n; m++)
            collect_inline(p, group->members[m], p->f.built[group->members[m]], mark, &list);
    }
    if (list.all.len) qsort(list.all.data, list.all.len, sizeof *list.all.data, by_node);
    for (size_t k = 0; k < list.all.len;) {
        size_t n = 1;
        while (k + n < list.all.len && list.all.data[k + n].node == list.all.data[k].node) n++;
        if (n > 1) add_copy(p, &list.all.data[k], n);
        k += n;
    }
    TCT_VEC_FREE(&list.all);
}

void tct_fusion_report_make(tct_graph *g, const bool *forward_output, tct_fusion_report *out) {
    *out = (tct_fusion_report){0};
    reporting p = {.f = tct_fuse_groups(g), .r = out};
    out->graph = p.f.g;
    out->fused = tct_fuse_build(&p.f);
    p.down = TCT_NEW_ARRAY(&p.f.arena, uint32_t, p.f.g->nodes.len);
    p.up = TCT_NEW_ARRAY(&p.f.arena, uint32_t, p.f.g->nodes.len);
    mark_forward(&p, forward_output);
    find_edges(&p);
    find_copies(&p);
    TCT_VEC_FREE(&p.stack);
    tct_arena_free(&p.f.arena);
}

void tct_fusion_report_free(tct_fusion_report *r) {
    TCT_VEC_FREE(&r->edges);
    TCT_VEC_FREE(&r->copies);
    tct_arena_free(&r->arena);
    *r = (tct_fusion_report){0};
}
