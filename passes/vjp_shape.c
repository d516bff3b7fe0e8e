// Derivatives of reductions, contraction and data movement.
#include "passes/vjp.h"

static tct_value emit_move(tct_tape *t, tct_ir_op op, tct_value x, const tct_ir_attr *attr) {
    return tct_ir_emit(t->to, NULL, op, &x, 1, attr);
}

static const tct_node *operand(const tct_tape *t, const tct_node *n, uint32_t k) {
    return tct_node_of(t->from, n->in[k]);
}

static int64_t size_of(const tct_tape *t, tct_axis a) { return tct_axis_of(t->from->module, a)->size; }

TCT_VJP(sum) { // the tape broadcasts
    (void)n, (void)y;
    tct_tape_add(t, 0, c);
    return true;
}

// reduce_max, reduce_min: equal extrema share.
TCT_VJP(extremum) {
    tct_value x = tct_tape_operand(t, 0);
    tct_value chosen = tct_bin(t->to, TCT_IR_EQ, x, y);
    tct_value count =
        tct_sum(t->to, tct_ir_cast(t->to, chosen, (tct_dtype)n->dtype), n->attr.axes, n->attr.n_axes);
    tct_value share = tct_bin(t->to, TCT_IR_DIV, c, count);
    tct_tape_add(t, 0, tct_ir_where(t->to, NULL, chosen, share, tct_const_like(t->to, c, 0)));
    return true;
}

// The cotangent of one factor is the product of the result's with the other factor, summed over what only
// that has.
TCT_VJP(dot) {
    (void)y;
    t->at_masked = false;
    for (uint32_t k = 0; k < 2; k++) {
        if (!tct_tape_wants(t, k)) continue;
        const tct_node *me = operand(t, n, k), *other = operand(t, n, 1 - k);
        tct_axis free[TCT_IR_MAX_AXES];
        uint32_t n_free = tct_axes_minus(free, other->axes, other->n_axes, me->axes, me->n_axes);
        tct_value x = tct_tape_operand(t, 1 - k);
        tct_tape_add(
            t, k, k == 0 ? tct_contract(t->to, c, x, free, n_free) : tct_contract(t->to, x, c, free, n_free));
    }
    return true;
}

TCT_VJP(rename) {
    (void)y;
    tct_tape_add(t, 0, tct_ir_rename(t->to, NULL, c, n->attr.to[0], n->attr.axes[0]));
    return true;
}

TCT_VJP(broadcast) { // the tape sums
    (void)n, (void)y;
    tct_tape_add(t, 0, c);
    return true;
}

TCT_VJP(after) { // nothing flows through the order
    (void)n, (void)y;
    tct_tape_add(t, 0, c);
    return true;
}

TCT_VJP(slice) {
    (void)y;
    tct_axis whole = n->attr.axes[0], part = n->attr.to[0];
    if (n->attr.step == 1 || whole == part) {
        tct_ir_attr attr = {.n_axes = 1, .axes = {part}, .n_to = 1, .to = {whole}, .i = n->attr.i};
        tct_tape_add(t, 0, emit_move(t, TCT_IR_PAD, c, &attr));
        return true;
    }
    tct_ir_attr iota = {.n_axes = 1, .axes = {part}, .dtype = TCT_I32};
    tct_value index = tct_ir_emit(t->to, NULL, TCT_IR_IOTA, NULL, 0, &iota);
    index = tct_bin(t->to, TCT_IR_MUL, index, tct_ir_const(t->to, TCT_I32, (double)n->attr.step));
    index = tct_bin(t->to, TCT_IR_ADD, index, tct_ir_const(t->to, TCT_I32, (double)n->attr.i));
    const tct_node *x = operand(t, n, 0);
    tct_value in[] = {tct_zeros(t->to, (tct_dtype)n->dtype, x->axes, x->n_axes), index, c};
    tct_ir_attr attr = {.n_axes = 1, .axes = {whole}};
    tct_tape_add(t, 0, tct_ir_emit(t->to, NULL, TCT_IR_SCATTER_ADD, in, 3, &attr));
    return true;
}

TCT_VJP(pad) {
    (void)y;
    tct_tape_add(t, 0, tct_ir_slice(t->to, NULL, c, n->attr.to[0], n->attr.axes[0], n->attr.i, 1));
    return true;
}

TCT_VJP(concat) {
    (void)y;
    int64_t start = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        tct_axis part = n->attr.axes[k];
        if (tct_tape_wants(t, k))
            tct_tape_add(t, k, tct_ir_slice(t->to, NULL, c, n->attr.to[0], part, start, 1));
        start += size_of(t, part);
    }
    return true;
}

// split and merge undo each other.
static bool reverse_move(tct_tape *t, tct_ir_op op, const tct_node *n, tct_value c) {
    tct_ir_attr attr = {.n_axes = n->attr.n_to, .n_to = n->attr.n_axes};
    for (int k = 0; k < attr.n_axes; k++) attr.axes[k] = n->attr.to[k];
    for (int k = 0; k < attr.n_to; k++) attr.to[k] = n->attr.axes[k];
    tct_tape_add(t, 0, emit_move(t, op, c, &attr));
    return true;
}

TCT_VJP(split) {
    (void)y;
    return reverse_move(t, TCT_IR_MERGE, n, c);
}

TCT_VJP(merge) {
    (void)y;
    return reverse_move(t, TCT_IR_SPLIT, n, c);
}

TCT_VJP(flip) {
    (void)y;
    tct_tape_add(t, 0, emit_move(t, TCT_IR_FLIP, c, &n->attr));
    return true;
}

TCT_VJP(gather) {
    (void)y;
    const tct_node *x = operand(t, n, 0);
    tct_value in[] = {tct_zeros(t->to, (tct_dtype)n->dtype, x->axes, x->n_axes), tct_tape_operand(t, 1), c};
    tct_tape_add(t, 0, tct_ir_emit(t->to, NULL, TCT_IR_SCATTER_ADD, in, 3, &n->attr));
    return true;
}

static tct_value gather(tct_tape *t, tct_value x, tct_value index, const tct_ir_attr *attr) {
    tct_value in[] = {x, index};
    return tct_ir_emit(t->to, NULL, TCT_IR_GATHER, in, 2, attr);
}

TCT_VJP(scatter_add) {
    (void)y;
    if (tct_tape_wants(t, 0)) tct_tape_add(t, 0, c);
    if (tct_tape_wants(t, 2)) tct_tape_add(t, 2, gather(t, c, tct_tape_operand(t, 1), &n->attr));
    return true;
}

// A bool over the index: this update is the one that stays. Several points of the index can meet in one place
// only along index axes that the base lacks: they are numbered, the numbers are stored as the updates were,
// and read back. TCT_NO_VALUE where no two can meet.
static tct_value stays(tct_tape *t, const tct_node *n) {
    const tct_node *base = operand(t, n, 0), *index = operand(t, n, 1);
    tct_axis meet[TCT_IR_MAX_AXES], aligned[TCT_IR_MAX_AXES + 1];
    uint32_t n_meet = tct_axes_minus(meet, index->axes, index->n_axes, base->axes, base->n_axes);
    uint32_t n_aligned = tct_axes_common(aligned, index->axes, index->n_axes, base->axes, base->n_axes);
    if (!n_meet) return TCT_NO_VALUE;
    tct_value number = TCT_NO_VALUE;
    int64_t stride = 1;
    for (uint32_t k = n_meet; k-- > 0;) {
        tct_ir_attr attr = {.n_axes = 1, .axes = {meet[k]}, .dtype = TCT_I32};
        tct_value i = tct_ir_emit(t->to, NULL, TCT_IR_IOTA, NULL, 0, &attr);
        if (stride > 1) i = tct_bin(t->to, TCT_IR_MUL, i, tct_const_int(t->to, TCT_I32, stride));
        number = number == TCT_NO_VALUE ? i : tct_bin(t->to, TCT_IR_ADD, number, i);
        stride *= size_of(t, meet[k]);
    }
    number = tct_ir_broadcast(t->to, number, index->axes, index->n_axes);
    aligned[n_aligned++] = n->attr.axes[0];
    tct_value at = tct_tape_operand(t, 1);
    tct_value in[] = {tct_zeros(t->to, TCT_I32, aligned, n_aligned), at, number};
    tct_value last = tct_ir_emit(t->to, NULL, TCT_IR_PUT, in, 3, &n->attr);
    return tct_bin(t->to, TCT_IR_EQ, gather(t, last, at, &n->attr), number);
}

TCT_VJP(put) {
    (void)y;
    tct_value index = tct_tape_operand(t, 1), zero = tct_const_like(t->to, c, 0);
    if (tct_tape_wants(t, 0)) {
        const tct_node *update = operand(t, n, 2);
        tct_value in[] = {c, index, tct_ir_broadcast(t->to, zero, update->axes, update->n_axes)};
        tct_tape_add(t, 0, tct_ir_emit(t->to, NULL, TCT_IR_PUT, in, 3, &n->attr));
    }
    if (tct_tape_wants(t, 2)) {
        tct_value mine = gather(t, c, index, &n->attr), won = stays(t, n);
        tct_tape_add(t, 2, won == TCT_NO_VALUE ? mine : tct_ir_where(t->to, NULL, won, mine, zero));
    }
    return true;
}
