// The table of operations, made from ops.def, and the look-up by name.
#include "ir/ir.h"

#include <string.h>

enum { // the short names that ops.def uses
    NONE = TCT_IR_NONE,
    AXES = TCT_IR_AXES,
    TO = TCT_IR_TO,
    INT = TCT_IR_INT,
    FLOAT = TCT_IR_FLOAT,
    DTYPE = TCT_IR_DTYPE,
    NAME = TCT_IR_NAME,
    BODY = TCT_IR_BODY,
};

const tct_ir_op_info tct_ir_ops[TCT_IR_N_OPS] = {
#define OP(id, name, arity, cls, attrs, rule, derivative, doc)                                               \
    {#id, name, arity, TCT_CLASS_##cls, attrs, TCT_IR_RULE_##rule, derivative, doc},
#include "ir/ops.def"
#undef OP
};

tct_ir_op tct_ir_op_by_name(const char *name, size_t len) {
    for (int op = 0; op < TCT_IR_N_OPS; op++)
        if (len && tct_ir_ops[op].name[0] == name[0] && strncmp(tct_ir_ops[op].name, name, len) == 0 &&
            !tct_ir_ops[op].name[len])
            return (tct_ir_op)op;
    return TCT_IR_N_OPS;
}

int tct_ir_op_cost(tct_ir_op op) {
    switch (op) {
    case TCT_IR_DIV:
    case TCT_IR_SQRT:
    case TCT_IR_RSQRT:
        return 6;
    case TCT_IR_EXP:
    case TCT_IR_EXPM1:
    case TCT_IR_LOG:
    case TCT_IR_LOG1P:
    case TCT_IR_SIN:
    case TCT_IR_COS:
    case TCT_IR_TANH:
    case TCT_IR_ERF:
    case TCT_IR_SIGMOID:
    case TCT_IR_SOFTPLUS:
    case TCT_IR_POW:
        return 16;
    case TCT_IR_RANDOM:
        return 60;
    default:
        return 1;
    }
}
