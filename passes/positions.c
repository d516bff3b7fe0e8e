// Interval arithmetic on integers and bools: comparisons of positions that are true, or false, in a whole
// box.
#include "passes/positions.h"

static const tct_reach anything = {0};

// Far from where i32 wraps around; what lies outside is not known.
static tct_reach between(int64_t low, int64_t high) {
    static const int64_t most = INT32_MAX;
    return low >= -most && high <= most ? (tct_reach){true, low, high} : anything;
}

static tct_reach one(int64_t value) { return between(value, value); }

static tct_reach either(bool can_be_false, bool can_be_true) { return between(!can_be_false, can_be_true); }

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t largest(int64_t a, int64_t b) { return a > b ? a : b; }

static tct_reach iota(const tct_graph *g, const tct_node *n, const tct_box *box) {
    for (int k = 0; k < TCT_BOX_AXES; k++)
        if (n->attr.axes[0] == box->axes[k]) return between(box->from[k], box->to[k] - 1);
    return between(0, tct_axis_of(g->module, n->attr.axes[0])->size - 1);
}

static tct_reach times(tct_reach a, tct_reach b) {
    int64_t p[] = {a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high};
    return between(least(least(p[0], p[1]), least(p[2], p[3])),
                   largest(largest(p[0], p[1]), largest(p[2], p[3])));
}

// A bool is known even where only one side is.
static tct_reach logical(tct_ir_op op, tct_reach a, tct_reach b) {
    bool decides = op == TCT_IR_OR; // the value of one side that makes the other indifferent
    if ((a.known && a.low == decides && a.high == decides) ||
        (b.known && b.low == decides && b.high == decides))
        return one(decides);
    if (!a.known || !b.known) return anything;
    return op == TCT_IR_OR ? between(a.low | b.low, a.high | b.high)
                           : between(a.low & b.low, a.high & b.high);
}

static tct_reach binary(tct_ir_op op, tct_reach a, tct_reach b) {
    bool equal = a.low == a.high && b.low == b.high && a.low == b.low;
    bool apart = a.high < b.low || b.high < a.low;
    switch (op) {
    case TCT_IR_ADD:
        return between(a.low + b.low, a.high + b.high);
    case TCT_IR_SUB:
        return between(a.low - b.high, a.high - b.low);
    case TCT_IR_MUL:
        return times(a, b);
    case TCT_IR_MIN:
        return between(least(a.low, b.low), least(a.high, b.high));
    case TCT_IR_MAX:
        return between(largest(a.low, b.low), largest(a.high, b.high));
    case TCT_IR_LT:
        return either(a.high >= b.low, a.low < b.high);
    case TCT_IR_LE:
        return either(a.high > b.low, a.low <= b.high);
    case TCT_IR_GT:
        return either(a.low <= b.high, a.high > b.low);
    case TCT_IR_GE:
        return either(a.low < b.high, a.high >= b.low);
    case TCT_IR_EQ:
        return either(!equal, !apart);
    case TCT_IR_NE:
        return either(!apart, !equal);
    default:
        return anything;
    }
}

static tct_reach chosen(tct_reach which, tct_reach a, tct_reach b) {
    if (which.known && which.low == which.high) return which.low ? a : b;
    return a.known && b.known ? between(least(a.low, b.low), largest(a.high, b.high)) : anything;
}

tct_reach tct_reach_in(const tct_graph *g, tct_value v, const tct_box *box, const tct_reach *of) {
    const tct_node *n = tct_node_of(g, v);
    if (n->bundle || tct_dtype_is_float((tct_dtype)n->dtype)) return anything;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (tct_dtype_is_float((tct_dtype)tct_node_of(g, n->in[k])->dtype)) return anything;
    switch (n->op) {
    case TCT_IR_CONST:
        return one(n->attr.i);
    case TCT_IR_IOTA:
        return iota(g, n, box);
    case TCT_IR_BROADCAST:
        return of[n->in[0]];
    case TCT_IR_NEG:
        return of[n->in[0]].known ? between(-of[n->in[0]].high, -of[n->in[0]].low) : anything;
    case TCT_IR_NOT:
        return of[n->in[0]].known ? between(1 - of[n->in[0]].high, 1 - of[n->in[0]].low) : anything;
    case TCT_IR_AND:
    case TCT_IR_OR:
        return logical((tct_ir_op)n->op, of[n->in[0]], of[n->in[1]]);
    case TCT_IR_WHERE:
        return chosen(of[n->in[0]], of[n->in[1]], of[n->in[2]]);
    default:
        if (n->n_in != 2 || !of[n->in[0]].known || !of[n->in[1]].known) return anything;
        return binary((tct_ir_op)n->op, of[n->in[0]], of[n->in[1]]);
    }
}
