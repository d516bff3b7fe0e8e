// The manual of operations, made from ops.def.
#include "ir/ir.h"

#include <string.h>

static const char *const class_titles[] = {
    [TCT_CLASS_LEAF] = "Leaves",
    [TCT_CLASS_ELEMENTWISE] = "Elementwise operations: the result has the axes of all operands",
    [TCT_CLASS_REDUCTION] = "Reductions: the result lacks the axes reduced",
    [TCT_CLASS_CONTRACTION] = "Contraction",
    [TCT_CLASS_MOVEMENT] = "Movement of data",
    [TCT_CLASS_SCAN] = "Scan",
    [TCT_CLASS_OPAQUE] = "Bundles",
};

static const char *result_dtype(tct_ir_op op) {
    switch (tct_ir_ops[op].rule) {
    case TCT_IR_RULE_SAME:
        return "that of the operands, which is one";
    case TCT_IR_RULE_BOOL:
        return "bool; the operands have one dtype";
    case TCT_IR_RULE_LOGIC:
        return "bool, as the operands";
    case TCT_IR_RULE_FLOATING:
        return "that of the operands, which is one, a float";
    case TCT_IR_RULE_ATTR:
        return "as written";
    case TCT_IR_RULE_FIRST:
        return "that of the first operand";
    case TCT_IR_RULE_INDEX:
        return "i32";
    case TCT_IR_RULE_SPECIAL:
        break;
    }
    switch (op) {
    case TCT_IR_RANDOM:
        return "f32";
    case TCT_IR_WHERE:
        return "that of operands 1 and 2, which is one";
    case TCT_IR_GET:
        return "that of the result taken";
    default:
        return "a bundle";
    }
}

// How a node of the operation is written.
static void form(tct_buf *out, tct_ir_op op) {
    const tct_ir_op_info *info = &tct_ir_ops[op];
    tct_buf_puts(out, info->name);
    int n = info->arity < 0 ? 2 : info->arity;
    for (int k = 0; k < n; k++) tct_buf_printf(out, "%s %%%c", k ? "," : "", 'a' + k);
    if (info->arity < 0) tct_buf_puts(out, ", …");
    if (op == TCT_IR_CONST) {
        tct_buf_puts(out, " number");
        return;
    }
    if (info->attrs & TCT_IR_AXES && op != TCT_IR_INPUT && op != TCT_IR_IOTA) tct_buf_puts(out, " {axes}");
    if (info->attrs & TCT_IR_TO) tct_buf_puts(out, " -> {to}");
    if (info->attrs & TCT_IR_INT) tct_buf_puts(out, " #i");
    if (op == TCT_IR_SLICE || op == TCT_IR_SCAN) tct_buf_puts(out, " by step");
    if (info->attrs & TCT_IR_FLOAT) tct_buf_puts(out, " fill f");
    if (info->attrs & TCT_IR_NAME) tct_buf_puts(out, " \"name\"");
    if (info->attrs & TCT_IR_BODY) tct_buf_puts(out, " body { … }");
}

static void entry(tct_buf *out, tct_ir_op op) {
    const tct_ir_op_info *info = &tct_ir_ops[op];
    tct_buf_printf(out, "### %s\n\n    %%r: type = ", info->name);
    form(out, op);
    tct_buf_printf(out, "\n\n%s\n\n- dtype: %s\n", info->doc, result_dtype(op));
    if (strcmp(info->derivative, "vjp") == 0)
        tct_buf_puts(out, "- derivative: yes\n\n");
    else
        tct_buf_printf(out, "- derivative: none (%s)\n\n", info->derivative);
}

bool tct_ir_ops_manual(tct_buf *out, const char *name) {
    if (name) {
        tct_ir_op op = tct_ir_op_by_name(name, strlen(name));
        if (op == TCT_IR_N_OPS) return false;
        entry(out, op);
        return true;
    }
    tct_buf_puts(out, "# Operations of the tensor IR\n\n");
    for (int cls = 0; cls <= TCT_CLASS_OPAQUE; cls++) {
        tct_buf_printf(out, "## %s\n\n", class_titles[cls]);
        for (int op = 0; op < TCT_IR_N_OPS; op++)
            if (tct_ir_ops[op].cls == (tct_ir_class)cls) entry(out, (tct_ir_op)op);
    }
    return true;
}
