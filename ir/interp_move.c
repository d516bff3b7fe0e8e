// Data movement of the interpreter: every case is a walk with strides of its own.
#include "ir/interp_core.h"

// The result's axes, with the operand's stride for `axis` (one the operand may call something else) given.
static void pull(const tct_interp *c, const tct_node *n, const tct_ir_tensor *from, const tct_ir_tensor *out,
                 tct_axis axis, int64_t stride, int64_t start) {
    tct_walk w;
    tct_walk_begin(&w, c->m, n->axes, n->n_axes);
    tct_walk_operand(&w, c->m, 0, out);
    tct_walk_operand(&w, c->m, 1, from);
    tct_walk_stride(&w, 1, axis, stride);
    w.at[1] = start;
    tct_interp_copy(&w, out, from);
}

// The operand's axes, with the result's stride for `axis` given.
static void push(const tct_interp *c, const tct_ir_tensor *from, const tct_ir_tensor *out, tct_axis axis,
                 int64_t stride, int64_t start) {
    tct_walk w;
    tct_walk_begin(&w, c->m, from->axes, from->n_axes);
    tct_walk_operand(&w, c->m, 0, out);
    tct_walk_operand(&w, c->m, 1, from);
    tct_walk_stride(&w, 0, axis, stride);
    w.at[0] = start;
    tct_interp_copy(&w, out, from);
}

static void pad(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in, const tct_ir_tensor *out) {
    tct_scalar fill = tct_scalar_cast(TCT_F64, out->dtype, (tct_scalar){.f = n->attr.f});
    int64_t count = 1, stride = tct_interp_stride(c, out, n->attr.to[0]);
    for (int k = 0; k < n->n_axes; k++) count *= tct_interp_size(c, n->axes[k]);
    for (int64_t k = 0; k < count; k++) tct_scalar_store(out, k, fill);
    push(c, &in[0], out, n->attr.axes[0], stride, n->attr.i * stride);
}

static void concat(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in,
                   const tct_ir_tensor *out) {
    int64_t stride = tct_interp_stride(c, out, n->attr.to[0]), start = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        push(c, &in[k], out, n->attr.axes[k], stride, start);
        start += stride * tct_interp_size(c, n->attr.axes[k]);
    }
}

static void split(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in, const tct_ir_tensor *out) {
    tct_walk w;
    tct_walk_begin(&w, c->m, n->axes, n->n_axes);
    tct_walk_operand(&w, c->m, 0, out);
    tct_walk_operand(&w, c->m, 1, &in[0]);
    int64_t stride = tct_interp_stride(c, &in[0], n->attr.axes[0]);
    for (int k = n->attr.n_to - 1; k >= 0; k--) {
        tct_walk_stride(&w, 1, n->attr.to[k], stride);
        stride *= tct_interp_size(c, n->attr.to[k]);
    }
    tct_interp_copy(&w, out, &in[0]);
}

static void merge(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in, const tct_ir_tensor *out) {
    tct_walk w;
    tct_walk_begin(&w, c->m, in[0].axes, in[0].n_axes);
    tct_walk_operand(&w, c->m, 0, out);
    tct_walk_operand(&w, c->m, 1, &in[0]);
    int64_t stride = tct_interp_stride(c, out, n->attr.to[0]);
    for (int k = n->attr.n_axes - 1; k >= 0; k--) {
        tct_walk_stride(&w, 0, n->attr.axes[k], stride);
        stride *= tct_interp_size(c, n->attr.axes[k]);
    }
    tct_interp_copy(&w, out, &in[0]);
}

static void gather(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in,
                   const tct_ir_tensor *out) {
    tct_axis axis = n->attr.axes[0];
    int64_t size = tct_interp_size(c, axis), stride = tct_interp_stride(c, &in[0], axis);
    tct_walk w;
    tct_walk_begin(&w, c->m, n->axes, n->n_axes);
    tct_walk_operand(&w, c->m, 0, out);
    for (int k = 0; k < 2; k++) tct_walk_operand(&w, c->m, k + 1, &in[k]);
    for (int64_t k = 0; k < w.count; k++, tct_walk_next(&w)) {
        int64_t at = tct_scalar_load(&in[1], w.at[2]).i;
        bool inside = at >= 0 && at < size;
        tct_scalar x = inside ? tct_scalar_load(&in[0], w.at[1] + at * stride) : (tct_scalar){0};
        tct_scalar_store(out, w.at[0], x);
    }
}

// scatter_add, put: the base, then the updates in row-major order of the index.
static void store(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in, const tct_ir_tensor *out) {
    const tct_ir_tensor *index = &in[1], *update = &in[2];
    tct_axis axis = n->attr.axes[0], axes[TCT_WALK_AXES];
    int n_axes = 0;
    push(c, &in[0], out, axis, tct_interp_stride(c, out, axis), 0);
    for (int k = 0; k < index->n_axes; k++) axes[n_axes++] = index->axes[k];
    for (int k = 0; k < update->n_axes; k++)
        if (!tct_interp_stride(c, index, update->axes[k])) axes[n_axes++] = update->axes[k];
    int64_t size = tct_interp_size(c, axis), stride = tct_interp_stride(c, out, axis);
    tct_walk w;
    tct_walk_begin(&w, c->m, axes, n_axes);
    tct_walk_operand(&w, c->m, 0, out);
    tct_walk_operand(&w, c->m, 1, index);
    tct_walk_operand(&w, c->m, 2, update);
    for (int64_t k = 0; k < w.count; k++, tct_walk_next(&w)) {
        int64_t at = tct_scalar_load(index, w.at[1]).i;
        if (at < 0 || at >= size) continue;
        int64_t place = w.at[0] + at * stride;
        tct_scalar x = tct_scalar_load(update, w.at[2]);
        if (n->op == TCT_IR_SCATTER_ADD)
            x = tct_scalar_binary(TCT_IR_ADD, out->dtype, tct_scalar_load(out, place), x);
        tct_scalar_store(out, place, x);
    }
}

void tct_interp_movement(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in,
                         const tct_ir_tensor *out) {
    const tct_ir_attr *attr = &n->attr;
    int64_t stride = attr->n_axes ? tct_interp_stride(c, &in[0], attr->axes[0]) : 0;
    switch (n->op) {
    case TCT_IR_RENAME:
        pull(c, n, &in[0], out, attr->to[0], stride, 0);
        return;
    case TCT_IR_BROADCAST:
        pull(c, n, &in[0], out, attr->axes[0], 0, 0);
        return;
    case TCT_IR_SLICE:
        pull(c, n, &in[0], out, attr->to[0], stride * attr->step, stride * attr->i);
        return;
    case TCT_IR_FLIP:
        pull(c, n, &in[0], out, attr->axes[0], -stride, stride * (tct_interp_size(c, attr->axes[0]) - 1));
        return;
    case TCT_IR_PAD:
        pad(c, n, in, out);
        return;
    case TCT_IR_CONCAT:
        concat(c, n, in, out);
        return;
    case TCT_IR_SPLIT:
        split(c, n, in, out);
        return;
    case TCT_IR_MERGE:
        merge(c, n, in, out);
        return;
    case TCT_IR_AFTER:
        pull(c, n, &in[0], out, UINT32_MAX, 0, 0);
        return;
    case TCT_IR_GATHER:
        gather(c, n, in, out);
        return;
    default: // scatter_add, put
        store(c, n, in, out);
    }
}
