// Walks of the interpreter over axes.
#include "ir/interp_core.h"

#include <assert.h>
#include <string.h>

void tct_walk_begin(tct_walk *w, const tct_ir_module *m, const tct_axis *axes, int n_axes) {
    assert(n_axes <= TCT_WALK_AXES);
    *w = (tct_walk){.n_axes = n_axes, .count = 1};
    for (int k = 0; k < n_axes; k++) {
        w->axes[k] = (tct_walk_axis){.axis = axes[k], .size = tct_axis_of(m, axes[k])->size};
        w->count *= w->axes[k].size;
    }
}

static int64_t stride_of(const tct_ir_module *m, const tct_ir_tensor *t, tct_axis a) {
    int64_t stride = 1;
    for (int k = t->n_axes - 1; k >= 0; k--) {
        if (t->axes[k] == a) return stride;
        stride *= tct_axis_of(m, t->axes[k])->size;
    }
    return 0;
}

void tct_walk_operand(tct_walk *w, const tct_ir_module *m, int k, const tct_ir_tensor *t) {
    for (int a = 0; a < w->n_axes; a++) w->axes[a].stride[k] = stride_of(m, t, w->axes[a].axis);
}

void tct_walk_stride(tct_walk *w, int k, tct_axis axis, int64_t stride) {
    for (int a = 0; a < w->n_axes; a++)
        if (w->axes[a].axis == axis) w->axes[a].stride[k] = stride;
}

void tct_walk_next(tct_walk *w) {
    for (int a = w->n_axes - 1; a >= 0; a--) {
        tct_walk_axis *x = &w->axes[a];
        bool carry = ++x->index == x->size;
        int64_t steps = carry ? 1 - x->size : 1;
        for (int k = 0; k < TCT_WALK_OPERANDS; k++) w->at[k] += steps * x->stride[k];
        if (!carry) return;
        x->index = 0;
    }
}

int64_t tct_interp_size(const tct_interp *c, tct_axis a) { return tct_axis_of(c->m, a)->size; }

int64_t tct_interp_stride(const tct_interp *c, const tct_ir_tensor *t, tct_axis a) {
    return stride_of(c->m, t, a);
}

void tct_interp_copy(tct_walk *w, const tct_ir_tensor *to, const tct_ir_tensor *from) {
    size_t size = tct_dtype_size(to->dtype);
    for (int64_t k = 0; k < w->count; k++, tct_walk_next(w))
        memcpy((char *)to->data + (size_t)w->at[0] * size, (const char *)from->data + (size_t)w->at[1] * size,
               size);
}
