// Internal to ir/interp*.c: scalars, walks over axes (interp_walk.c), and the cases by class.
#ifndef TCT_IR_INTERP_CORE_H
#define TCT_IR_INTERP_CORE_H

#include "ir/interp.h"

typedef struct tct_interp {
    tct_diag *d;
    const tct_ir_module *m;
    const tct_ir_interp_options *options;
} tct_interp;

// A number of any dtype: floats in f, integers and bool in i.
typedef struct tct_scalar {
    double f;
    int64_t i;
} tct_scalar;

// What a value of this dtype is held as: f64 for floats in f64 mode.
tct_dtype tct_interp_dtype(const tct_interp *c, tct_dtype t);

tct_scalar tct_scalar_load(const tct_ir_tensor *t, int64_t at);
void tct_scalar_store(const tct_ir_tensor *t, int64_t at, tct_scalar x); // rounds floats, wraps integers
tct_scalar tct_scalar_unary(tct_ir_op op, tct_dtype t, tct_scalar x);
// Comparisons give 0 or 1 in i.
tct_scalar tct_scalar_binary(tct_ir_op op, tct_dtype t, tct_scalar a, tct_scalar b);
tct_scalar tct_scalar_cast(tct_dtype from, tct_dtype to, tct_scalar x);

enum { TCT_WALK_OPERANDS = 4, TCT_WALK_AXES = 2 * TCT_IR_MAX_AXES };

// An odometer over axes, the last one fastest, with the place in every operand kept beside it. After the last
// step all places are again where they began.
typedef struct tct_walk_axis {
    tct_axis axis;
    int64_t size, index;
    int64_t stride[TCT_WALK_OPERANDS]; // in elements, as `at`
} tct_walk_axis;

typedef struct tct_walk {
    int n_axes;
    int64_t count; // steps in all
    int64_t at[TCT_WALK_OPERANDS];
    tct_walk_axis axes[TCT_WALK_AXES];
} tct_walk;

void tct_walk_begin(tct_walk *w, const tct_ir_module *m, const tct_axis *axes, int n_axes);
// Operand k lies in memory as t does; axes it lacks have stride 0.
void tct_walk_operand(tct_walk *w, const tct_ir_module *m, int k, const tct_ir_tensor *t);
// Another stride for one axis of operand k; no effect when the walk doesn't have the axis.
void tct_walk_stride(tct_walk *w, int k, tct_axis axis, int64_t stride);
void tct_walk_next(tct_walk *w);

int64_t tct_interp_size(const tct_interp *c, tct_axis a);
// In elements, 0 when the tensor lacks the axis.
int64_t tct_interp_stride(const tct_interp *c, const tct_ir_tensor *t, tct_axis a);
// Runs through `w` and copies operand 1 (from) to operand 0 (to), elements of one dtype.
void tct_interp_copy(tct_walk *w, const tct_ir_tensor *to, const tct_ir_tensor *from);

// Cases by class: write `out`, whose memory and layout are given. Can't fail.
void tct_interp_leaf(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in,
                     const tct_ir_tensor *out);
void tct_interp_elementwise(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in,
                            const tct_ir_tensor *out);
void tct_interp_reduction(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in,
                          const tct_ir_tensor *out);
void tct_interp_dot(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in,
                    const tct_ir_tensor *out);
void tct_interp_movement(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in,
                         const tct_ir_tensor *out);

#endif
