// Views: movement that is nothing but other strides; and what products read through casts.
#include "passes/fuse.h"

#include <assert.h>
#include <string.h>

static int place(const tct_node *n, tct_axis a) {
    for (int k = 0; k < n->n_axes; k++)
        if (n->axes[k] == a) return k;
    return -1;
}

static int64_t size(const tct_graph *g, tct_axis a) { return tct_axis_of(g->module, a)->size; }

// The strides of `n` from those of its operand, for the axes that they share.
static void shared(const tct_node *n, const tct_node *o, const tct_view *from, tct_view *out) {
    for (int k = 0; k < n->n_axes; k++) {
        int p = place(o, n->axes[k]);
        out->stride[k] = p >= 0 ? from->stride[p] : 0;
    }
}

static bool view_merge(const tct_graph *g, const tct_node *n, const tct_node *o, const tct_view *from,
                       tct_view *out) {
    int64_t stride = 0, expected = 0;
    bool first = true;
    for (int k = n->attr.n_axes; k-- > 0;) {
        int64_t here = size(g, n->attr.axes[k]), s = from->stride[place(o, n->attr.axes[k])];
        if (here == 1) continue;
        if (first) stride = s;
        if (!first && s != expected) return false;
        expected = s * here;
        first = false;
    }
    out->stride[place(n, n->attr.to[0])] = stride;
    return true;
}

bool tct_view_of(const tct_graph *g, tct_value v, tct_view *out) {
    const tct_node *n = tct_node_of(g, v);
    if (n->op == TCT_IR_RENAME || n->op == TCT_IR_SLICE || n->op == TCT_IR_SPLIT || n->op == TCT_IR_MERGE ||
        n->op == TCT_IR_AFTER || n->op == TCT_IR_BROADCAST || n->op == TCT_IR_STOP_GRADIENT) {
        tct_view from;
        const tct_node *o = tct_node_of(g, n->in[0]);
        if (!tct_view_of(g, n->in[0], &from)) return false;
        *out = from;
        shared(n, o, &from, out);
        if (n->op == TCT_IR_BROADCAST || n->op == TCT_IR_STOP_GRADIENT || n->op == TCT_IR_AFTER) return true;
        if (n->op == TCT_IR_MERGE) return view_merge(g, n, o, &from, out);
        int64_t stride = from.stride[place(o, n->attr.axes[0])];
        if (n->op == TCT_IR_SLICE) {
            out->offset += n->attr.i * stride;
            stride *= n->attr.step;
        }
        for (int k = n->attr.n_to; k-- > 0;) {
            out->stride[place(n, n->attr.to[k])] = stride;
            stride *= size(g, n->attr.to[k]);
        }
        return true;
    }
    out->base = v;
    out->offset = 0;
    int64_t s = 1;
    for (int k = n->n_axes; k-- > 0;) {
        out->stride[k] = s;
        s *= size(g, n->axes[k]);
    }
    return true;
}

static bool is_cast(const tct_node *n, tct_dtype to) { return n->op == TCT_IR_CAST && n->dtype == to; }

// Each number of operand k is multiplied few times.
static bool is_used_little(const tct_graph *g, const tct_node *dot, uint32_t k) {
    enum { FEW_ROWS = 64 };
    const tct_node *mine = tct_node_of(g, dot->in[k]), *other = tct_node_of(g, dot->in[1 - k]);
    int64_t rows = 1;
    for (int a = 0; a < dot->n_axes; a++) {
        bool in_mine = place(mine, dot->axes[a]) >= 0, in_other = place(other, dot->axes[a]) >= 0;
        if (in_other && !in_mine) rows *= size(g, dot->axes[a]);
    }
    return rows <= FEW_ROWS;
}

tct_fuse_factor tct_fuse_factor_of(const tct_graph *g, const tct_node *dot, uint32_t k) {
    tct_value operand = dot->in[k];
    const tct_node *outer = tct_node_of(g, operand);
    if (!is_cast(outer, TCT_F32)) return (tct_fuse_factor){.v = operand};
    tct_value narrow = outer->in[0];
    const tct_node *inner = tct_node_of(g, narrow);
    bool bf16 = inner->dtype == TCT_BF16;
    if (!bf16 && (inner->dtype != TCT_I8 || !is_used_little(g, dot, k)))
        return (tct_fuse_factor){.v = operand};
    tct_view view;
    if (bf16 && is_cast(inner, TCT_BF16) && tct_node_of(g, inner->in[0])->dtype == TCT_F32 &&
        tct_view_of(g, inner->in[0], &view) && tct_fuse_is_stored(tct_node_of(g, view.base)))
        return (tct_fuse_factor){.v = inner->in[0], .n_casts = 2, .casts = {narrow, operand}};
    return (tct_fuse_factor){.v = narrow, .n_casts = 1, .casts = {operand}};
}
