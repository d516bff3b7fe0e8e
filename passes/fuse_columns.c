// Sums of columns. A kernel that goes through rows in the order of memory can add them up in parts, one for
// some rows (codegen/loop_parts.c): beside what it computes of the rows, as the gradients of a norm's weights
// beside that of what was normed, or alone, where the rows are many.
#include "passes/fuse.h"
#include "passes/rewrite.h"

enum {
    LARGE = 64 << 20,        // bytes, which strips of columns would read out of order, from memory
    FEWEST_ROWS = 1024,      // that are worth it
    FEWEST_ROWS_BESIDE = 64, // that are read in any case
    LONGEST_ROW = 16384,     // numbers, of which a near cache holds a part
};

static const tct_node *node(const tct_fusion *f, tct_value v) { return tct_node_of(f->g, v); }
static bool is_reduction(const tct_node *n) { return tct_ir_ops[n->op].cls == TCT_CLASS_REDUCTION; }

bool tct_fuse_reduces_rows(const tct_graph *g, const tct_node *n) {
    const tct_node *o = tct_node_of(g, n->in[0]);
    return !o->n_axes || tct_axes_have(n->attr.axes, n->attr.n_axes, o->axes[o->n_axes - 1]);
}

bool tct_fuse_may_sum_columns(const tct_graph *g, const tct_node *n) {
    return n->op == TCT_IR_SUM && n->dtype == TCT_F32 && n->attr.n_axes && !tct_fuse_reduces_rows(g, n);
}

static bool share_none(const tct_node *a, const tct_node *b) {
    for (int k = 0; k < a->attr.n_axes; k++)
        if (tct_axes_have(b->attr.axes, b->attr.n_axes, a->attr.axes[k])) return false;
    return true;
}

bool tct_fuse_is_column_sum(const tct_graph *body, tct_value v) {
    const tct_node *n = tct_node_of(body, v);
    if (!tct_fuse_may_sum_columns(body, n)) return false;
    for (size_t k = 0; k < body->nodes.len; k++) {
        const tct_node *r = &body->nodes.data[k];
        if (is_reduction(r) && share_none(r, n) && tct_fuse_reduces_rows(body, r)) return true;
    }
    return false;
}

// Every result of a body is at every point, or a sum.
bool tct_fuse_sums_by_rows(const tct_graph *body) {
    const tct_node *sum = NULL;
    for (size_t v = 0; v < body->nodes.len; v++) {
        const tct_node *n = &body->nodes.data[v];
        for (uint32_t k = 0; k < n->n_in; k++)
            if (is_reduction(tct_node_of(body, n->in[k]))) return false;
        if (!is_reduction(n)) continue;
        if (!tct_fuse_may_sum_columns(body, n)) return false;
        sum = n;
    }
    if (!sum) return false;
    int64_t points = tct_node_elements(body, tct_node_of(body, sum->in[0])),
            results = tct_node_elements(body, sum), bytes = 0;
    for (size_t k = 0; k < body->inputs.len; k++) {
        const tct_node *n = tct_node_of(body, body->inputs.data[k]);
        bytes += tct_node_elements(body, n) * (int64_t)tct_dtype_size((tct_dtype)n->dtype);
    }
    for (size_t k = 0; k < body->outputs.len; k++) {
        const tct_node *n = tct_node_of(body, body->outputs.data[k].value);
        if (!is_reduction(n) && tct_node_elements(body, n) != points) return false;
    }
    return results && points / results >= FEWEST_ROWS && results <= LONGEST_ROW && bytes >= LARGE;
}

// --- Groups ---

static int64_t points(const tct_fusion *f, const tct_axis *a, uint32_t n) {
    int64_t p = 1;
    for (uint32_t k = 0; k < n; k++) p *= tct_axis_of(f->g->module, a[k])->size;
    return p;
}

bool tct_fuse_sums_only_columns(const tct_fusion *f, const tct_fuse_group *g) {
    for (uint32_t m = 0; m < g->n; m++) {
        const tct_node *n = node(f, g->members[m]);
        if (is_reduction(n) ? !tct_fuse_may_sum_columns(f->g, n) : n->n_axes != g->n_axes) return false;
    }
    if (!g->n_reduced) return false;
    int64_t rows = points(f, g->reduced, g->n_reduced);
    return rows >= FEWEST_ROWS_BESIDE && points(f, g->axes, g->n_axes) / rows <= LONGEST_ROW;
}

// Whether member v of a group sums something else than the group's rows.
static bool is_sum_beside(const tct_fusion *f, const tct_fuse_group *g, tct_value v) {
    const tct_node *n = node(f, v);
    return is_reduction(n) && n->attr.n_axes && !tct_axes_have(g->reduced, g->n_reduced, n->attr.axes[0]);
}

static bool reduces_only_rows(const tct_fusion *f, const tct_fuse_group *g) {
    for (uint32_t m = 0; m < g->n; m++) {
        tct_value v = g->members[m];
        if (is_reduction(node(f, v)) && !is_sum_beside(f, g, v) && !tct_fuse_reduces_rows(f->g, node(f, v)))
            return false;
    }
    return true;
}

// Sums of columns are known when all rows are: nothing in their kernel waits for them.
static bool waits_for_sums(const tct_fusion *f, uint32_t a, uint32_t b, bool beside) {
    const tct_fuse_group *gb = &f->groups[b];
    for (uint32_t m = 0; m < gb->n; m++) {
        const tct_fuse_sources *s = &f->sources[gb->members[m]];
        for (uint32_t k = 0; k < s->n; k++) {
            tct_value v = s->data[k].v;
            if (f->group[v] == a && is_reduction(node(f, v)) &&
                (!beside || is_sum_beside(f, &f->groups[a], v)))
                return true;
        }
    }
    return false;
}

bool tct_fuse_may_take_columns(const tct_fusion *f, uint32_t a, uint32_t b) {
    const tct_fuse_group *ga = &f->groups[a], *gb = &f->groups[b];
    if (!ga->n_reduced || ga->n_axes != gb->n_axes) return false;
    for (uint32_t k = 0; k < ga->n_axes; k++)
        if (ga->axes[k] != gb->axes[k]) return false;
    for (uint32_t k = 0; k < gb->n_reduced; k++)
        if (tct_axes_have(ga->reduced, ga->n_reduced, gb->reduced[k])) return false;
    return reduces_only_rows(f, ga) && !waits_for_sums(f, b, a, false);
}

bool tct_fuse_columns_allow(const tct_fusion *f, uint32_t a, uint32_t b) {
    const tct_fuse_group *ga = &f->groups[a], *gb = &f->groups[b];
    if (!ga->columns && !gb->columns) return true;
    return reduces_only_rows(f, ga) && reduces_only_rows(f, gb) && !waits_for_sums(f, a, b, true) &&
           !waits_for_sums(f, b, a, true);
}
