// Axes of data movement: rename, broadcast, slice, pad, concat, split, merge, flip, gather, scatter_add, put.
#include "ir/infer.h"

// The operand's axes in its order, with attr.axes[0] replaced by `n_to` new ones; to n_to = 0: left out.
static bool replace_axis(tct_infer *c, const tct_node *x, tct_axis old, const tct_axis *to, int n_to) {
    for (int k = 0; k < x->n_axes; k++) {
        if (x->axes[k] != old) {
            if (!tct_infer_add(c, x->axes[k])) return false;
            continue;
        }
        for (int t = 0; t < n_to; t++)
            if (!tct_infer_add(c, to[t])) return false;
    }
    return true;
}

// One axis of the operand becomes one new one.
static bool one_to_one(tct_infer *c) {
    const tct_ir_attr *attr = &c->n->attr;
    return tct_infer_n_axes(c, 1) && tct_infer_n_to(c, 1) &&
           tct_infer_has(c, c->x, "the operand", attr->axes[0]) &&
           replace_axis(c, c->x, attr->axes[0], attr->to, 1);
}

static bool sizes_do_not_fit(tct_infer *c, const char *help, const char *why) {
    const tct_ir_attr *attr = &c->n->attr;
    const char *from = "", *to = "";
    for (int k = 0; c->d && k < attr->n_axes; k++)
        from =
            tct_arena_printf(&c->d->arena, "%s%s%s", from, k ? ", " : "", tct_infer_axis(c, attr->axes[k]));
    for (int k = 0; c->d && k < attr->n_to; k++)
        to = tct_arena_printf(&c->d->arena, "%s%s%s", to, k ? ", " : "", tct_infer_axis(c, attr->to[k]));
    return tct_infer_fail(c, "E0615", help, "%s from %s to %s: %s", c->name, from, to, why);
}

static bool infer_rename(tct_infer *c) {
    const tct_ir_attr *attr = &c->n->attr;
    if (!one_to_one(c)) return false;
    return tct_infer_size(c, attr->axes[0]) == tct_infer_size(c, attr->to[0]) ||
           sizes_do_not_fit(c, NULL, "the size must stay the same");
}

static bool infer_broadcast(tct_infer *c) {
    const tct_ir_attr *attr = &c->n->attr;
    if (!attr->n_axes) return tct_infer_fail(c, "E0613", NULL, "%s takes at least one axis", c->name);
    for (int k = 0; k < attr->n_axes; k++)
        if (!tct_infer_add(c, attr->axes[k])) return false;
    return replace_axis(c, c->x, UINT32_MAX, NULL, 0);
}

static bool infer_slice(tct_infer *c) {
    const tct_ir_attr *attr = &c->n->attr;
    if (!one_to_one(c)) return false;
    int64_t from = tct_infer_size(c, attr->axes[0]), to = tct_infer_size(c, attr->to[0]), last;
    if (attr->i < 0) return sizes_do_not_fit(c, NULL, "it starts before 0");
    if (attr->step < 1)
        return sizes_do_not_fit(c, "flip the axis first to go backwards", "the step must be at least 1");
    if (!from) return true;
    bool too_far = __builtin_mul_overflow(to ? to - 1 : 0, attr->step, &last) ||
                   __builtin_add_overflow(last, attr->i, &last) || last >= from;
    return !too_far || sizes_do_not_fit(c, NULL, "it reaches past the end");
}

static bool infer_pad(tct_infer *c) {
    const tct_ir_attr *attr = &c->n->attr;
    if (!one_to_one(c)) return false;
    int64_t from = tct_infer_size(c, attr->axes[0]), to = tct_infer_size(c, attr->to[0]), end;
    if (attr->i < 0) return sizes_do_not_fit(c, NULL, "it starts before 0");
    if (!to) return true;
    bool too_far = __builtin_add_overflow(from, attr->i, &end) || end > to;
    return !too_far || sizes_do_not_fit(c, NULL, "the new axis is too short for what it should hold");
}

static bool infer_concat(tct_infer *c) {
    const tct_node *n = c->n;
    const tct_ir_attr *attr = &n->attr;
    if (!n->n_in || n->n_in > TCT_IR_MAX_AXES)
        return tct_infer_fail(c, "E0613", "concatenate in groups", "%s takes 1 to %d operands, not %u",
                              c->name, TCT_IR_MAX_AXES, n->n_in);
    if (!tct_infer_n_axes(c, (int)n->n_in) || !tct_infer_n_to(c, 1)) return false;
    int64_t sum = 0;
    bool known = true;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const tct_node *o = tct_infer_operand(c, k);
        if (!tct_infer_has(c, o, "the operand", attr->axes[k])) return false;
        int64_t size = tct_infer_size(c, attr->axes[k]);
        known = known && size && !__builtin_add_overflow(sum, size, &sum);
    }
    if (!replace_axis(c, c->x, attr->axes[0], attr->to, 1)) return false;
    for (uint32_t k = 1; k < n->n_in; k++) {
        const tct_node *o = tct_infer_operand(c, k);
        for (int a = 0; a < c->x->n_axes; a++)
            if (c->x->axes[a] != attr->axes[0] && !tct_infer_has(c, o, "an operand", c->x->axes[a]))
                return false;
        for (int a = 0; a < o->n_axes; a++)
            if (o->axes[a] != attr->axes[k] && !tct_infer_has(c, c->x, "the first operand", o->axes[a]))
                return false;
    }
    int64_t to = tct_infer_size(c, attr->to[0]);
    return !known || !to || to == sum ||
           sizes_do_not_fit(c, NULL, "the new axis must be as long as the others together");
}

// `whole` is the product of `parts`, as far as sizes are known.
static bool product_fits(tct_infer *c, tct_axis whole, const tct_axis *parts, int n) {
    int64_t size = tct_infer_size(c, whole), product = 1;
    bool known = size != 0;
    for (int k = 0; k < n; k++) {
        int64_t part = tct_infer_size(c, parts[k]);
        known = known && part;
        if (__builtin_mul_overflow(product, part, &product)) product = -1;
        if (product < 0) break;
    }
    return !known || product == size ||
           sizes_do_not_fit(c, NULL, "the product of the sizes must stay the same");
}

static bool infer_split(tct_infer *c) {
    const tct_ir_attr *attr = &c->n->attr;
    if (!tct_infer_n_axes(c, 1)) return false;
    if (!attr->n_to) return tct_infer_fail(c, "E0613", NULL, "%s takes at least one new axis", c->name);
    return tct_infer_has(c, c->x, "the operand", attr->axes[0]) &&
           replace_axis(c, c->x, attr->axes[0], attr->to, attr->n_to) &&
           product_fits(c, attr->axes[0], attr->to, attr->n_to);
}

// The new axis stands where the last of the merged ones stood.
static bool infer_merge(tct_infer *c) {
    const tct_ir_attr *attr = &c->n->attr;
    if (!attr->n_axes) return tct_infer_fail(c, "E0613", NULL, "%s takes at least one axis", c->name);
    if (!tct_infer_n_to(c, 1)) return false;
    for (int k = 0; k < attr->n_axes; k++) {
        if (!tct_infer_has(c, c->x, "the operand", attr->axes[k])) return false;
        if (tct_infer_find(attr->axes, k, attr->axes[k]) >= 0)
            return tct_infer_fail(c, "E0611", "name every axis once", "%s: axis %s is named twice", c->name,
                                  tct_axis_of(c->m, attr->axes[k])->name);
    }
    int left = attr->n_axes;
    for (int k = 0; k < c->x->n_axes; k++) {
        tct_axis a = c->x->axes[k];
        bool merged = tct_infer_find(attr->axes, attr->n_axes, a) >= 0;
        if (merged && --left) continue;
        if (!tct_infer_add(c, merged ? attr->to[0] : a)) return false;
    }
    return product_fits(c, attr->to[0], attr->axes, attr->n_axes);
}

static bool infer_flip(tct_infer *c) {
    return tct_infer_n_axes(c, 1) && tct_infer_has(c, c->x, "the operand", c->n->attr.axes[0]) &&
           replace_axis(c, c->x, UINT32_MAX, NULL, 0);
}

// The selected axis, which x has and the index has not; the other axes of both go into the result, index
// first.
static bool selected(tct_infer *c) {
    const tct_ir_attr *attr = &c->n->attr;
    if (!tct_infer_n_axes(c, 1) || !tct_infer_index(c, c->y) ||
        !tct_infer_has(c, c->x, "the first operand", attr->axes[0]))
        return false;
    if (tct_node_has_axis(c->y, attr->axes[0]))
        return tct_infer_fail(c, "E0611", "rename the index's axis first, and back afterwards if need be",
                              "%s: the index is %s and has the selected axis %s itself", c->name,
                              tct_infer_type(c, c->y), tct_axis_of(c->m, attr->axes[0])->name);
    for (int k = 0; k < c->y->n_axes; k++)
        if (!tct_infer_add(c, c->y->axes[k])) return false;
    for (int k = 0; k < c->x->n_axes; k++)
        if (c->x->axes[k] != attr->axes[0] && !tct_infer_unite(c, c->x->axes[k])) return false;
    return true;
}

// scatter_add, put: the update has exactly the axes that a gather with this index would give; the result is
// as the base.
static bool infer_store(tct_infer *c) {
    const tct_node *update = tct_infer_operand(c, 2);
    if (!selected(c)) return false;
    if (update->dtype != c->x->dtype)
        return tct_infer_fail(c, "E0301", NULL, "%s: base and update must have one dtype, and are %s and %s",
                              c->name, tct_infer_type(c, c->x), tct_infer_type(c, update));
    if (c->n->op == TCT_IR_SCATTER_ADD && c->x->dtype == TCT_BOOL)
        return tct_infer_fail(c, "E0614", "convert it first: i32(x)", "%s takes numbers, and this is %s",
                              c->name, tct_infer_type(c, c->x));
    for (int k = 0; k < c->n_axes; k++)
        if (!tct_infer_has(c, update, "the update", c->axes[k])) return false;
    if (update->n_axes != c->n_axes)
        return tct_infer_fail(c, "E0303", NULL, "%s: the update is %s and should have axes [%s]", c->name,
                              tct_infer_type(c, update), tct_infer_axes(c, c->axes, c->n_axes));
    c->n_axes = 0;
    return replace_axis(c, c->x, UINT32_MAX, NULL, 0);
}

bool tct_infer_movement(tct_infer *c) {
    switch (c->n->op) {
    case TCT_IR_RENAME:
        return infer_rename(c);
    case TCT_IR_BROADCAST:
        return infer_broadcast(c);
    case TCT_IR_SLICE:
        return infer_slice(c);
    case TCT_IR_PAD:
        return infer_pad(c);
    case TCT_IR_CONCAT:
        return infer_concat(c);
    case TCT_IR_SPLIT:
        return infer_split(c);
    case TCT_IR_MERGE:
        return infer_merge(c);
    case TCT_IR_FLIP:
        return infer_flip(c);
    case TCT_IR_AFTER:
        return replace_axis(c, c->x, UINT32_MAX, NULL, 0);
    case TCT_IR_GATHER:
        return selected(c);
    default: // SCATTER_ADD, PUT
        return infer_store(c);
    }
}
