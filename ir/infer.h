// Internal to ir/infer*.c: what the cases of inference share.
#ifndef TCT_IR_INFER_H
#define TCT_IR_INFER_H

#include "ir/ir.h"

typedef struct tct_infer {
    const tct_graph *g;
    const tct_ir_module *m;
    tct_diag *d; // may be NULL: fail without a message
    tct_span span;
    const tct_node *n; // op, operands and attributes
    const char *name;  // of the operation, for messages
    const tct_node *x; // operand 0 and 1, when there are
    const tct_node *y;
    tct_dtype dtype; // results
    tct_axis axes[TCT_IR_MAX_AXES];
    uint8_t n_axes;
} tct_infer;

// Reports, when there is a diag, and returns false. `help` may be NULL.
bool tct_infer_fail(tct_infer *c, const char *code, const char *help, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
// "f32[B, T]" and "axis T (64)", in the diag's arena; "" without a diag.
const char *tct_infer_type(tct_infer *c, const tct_node *n);
const char *tct_infer_axis(tct_infer *c, tct_axis a);
const char *tct_infer_axes(tct_infer *c, const tct_axis *axes, int n_axes);
int64_t tct_infer_size(const tct_infer *c, tct_axis a);
const tct_node *tct_infer_operand(const tct_infer *c, uint32_t k);
// Position of the axis among `axes`, -1 when it isn't there.
int tct_infer_find(const tct_axis *axes, int n_axes, tct_axis a);
// Appends an axis to the result: E0302 where one of the same name and another size is there, E0611 where it
// is there itself, E0612 past the limit.
bool tct_infer_add(tct_infer *c, tct_axis a);
// Appends where the axis isn't there yet.
bool tct_infer_unite(tct_infer *c, tct_axis a);
// The operand has the axis: otherwise E0302 (another size) or E0303.
bool tct_infer_has(tct_infer *c, const tct_node *n, const char *what, tct_axis a);
// attr.axes (attr.to) holds exactly `n`: otherwise E0613.
bool tct_infer_n_axes(tct_infer *c, int n);
bool tct_infer_n_to(tct_infer *c, int n);
// attr.axes holds at least one axis (E0613), and none twice (E0611).
bool tct_infer_some_axes(tct_infer *c);
// Operand k has dtype i32 (E0301).
bool tct_infer_index(tct_infer *c, const tct_node *index);

bool tct_infer_movement(tct_infer *c);                // ir/infer_move.c: class MOVEMENT
bool tct_infer_structure(tct_infer *c, bool *bundle); // ir/infer_body.c: scan, foreign, fused, get

#endif
