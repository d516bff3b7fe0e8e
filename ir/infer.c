// Dtype and axes of a node from its operands and attributes: leaves, elementwise operations, reductions,
// contractions.
#include "ir/infer.h"

#include <assert.h>
#include <string.h>

// Elements of one tensor; far above any memory and far below overflow.
static const int64_t MAX_ELEMENTS = INT64_C(1) << 48;

bool tct_infer_fail(tct_infer *c, const char *code, const char *help, const char *fmt, ...) {
    if (!c->d) return false;
    va_list ap;
    va_start(ap, fmt);
    const char *text = tct_arena_vprintf(&c->d->arena, fmt, ap);
    va_end(ap);
    tct_error(c->d, code, c->span, "%s", text);
    if (help) tct_help(c->d, "%s", help);
    return false;
}

int64_t tct_infer_size(const tct_infer *c, tct_axis a) { return tct_axis_of(c->m, a)->size; }

const tct_node *tct_infer_operand(const tct_infer *c, uint32_t k) { return &c->g->nodes.data[c->n->in[k]]; }

const char *tct_infer_axes(tct_infer *c, const tct_axis *axes, int n_axes) {
    if (!c->d) return "";
    const char *text = "";
    for (int k = 0; k < n_axes; k++)
        text =
            tct_arena_printf(&c->d->arena, "%s%s%s", text, k ? ", " : "", tct_axis_of(c->m, axes[k])->name);
    return text;
}

const char *tct_infer_type(tct_infer *c, const tct_node *n) {
    if (!c->d) return "";
    if (n->bundle) return "several results";
    return n->n_axes ? tct_arena_printf(&c->d->arena, "%s[%s]", tct_dtype_name((tct_dtype)n->dtype),
                                        tct_infer_axes(c, n->axes, n->n_axes))
                     : tct_dtype_name((tct_dtype)n->dtype);
}

static const char *size_text(tct_infer *c, tct_axis a) {
    int64_t size = tct_infer_size(c, a);
    return size ? tct_arena_printf(&c->d->arena, "%lld", (long long)size) : "unknown";
}

const char *tct_infer_axis(tct_infer *c, tct_axis a) {
    if (!c->d) return "";
    return tct_arena_printf(&c->d->arena, "%s (%s)", tct_axis_of(c->m, a)->name, size_text(c, a));
}

int tct_infer_find(const tct_axis *axes, int n_axes, tct_axis a) {
    for (int k = 0; k < n_axes; k++)
        if (axes[k] == a) return k;
    return -1;
}

static bool same_name(const tct_infer *c, tct_axis a, tct_axis b) {
    return strcmp(tct_axis_of(c->m, a)->name, tct_axis_of(c->m, b)->name) == 0;
}

// E0302 for two axes of one name.
static bool clash(tct_infer *c, tct_axis here, tct_axis there) {
    if (!c->d) return false;
    return tct_infer_fail(
        c, "E0302", "axes of one name must have one size; rename one of them if they are different things",
        "%s: axis %s is %s here and %s there", c->name, tct_axis_of(c->m, here)->name, size_text(c, here),
        size_text(c, there));
}

bool tct_infer_unite(tct_infer *c, tct_axis a) {
    for (int k = 0; k < c->n_axes; k++) {
        if (c->axes[k] == a) return true;
        if (same_name(c, c->axes[k], a)) return clash(c, c->axes[k], a);
    }
    if (c->n_axes == TCT_IR_MAX_AXES)
        return tct_infer_fail(c, "E0612", "merge axes that are always used together",
                              "%s: the result would have more than %d axes", c->name, TCT_IR_MAX_AXES);
    c->axes[c->n_axes++] = a;
    return true;
}

bool tct_infer_add(tct_infer *c, tct_axis a) {
    if (tct_infer_find(c->axes, c->n_axes, a) >= 0)
        return tct_infer_fail(c, "E0611", "a tensor has every axis once: rename one of the two",
                              "%s: the result would have axis %s twice", c->name, tct_axis_of(c->m, a)->name);
    return tct_infer_unite(c, a);
}

bool tct_infer_has(tct_infer *c, const tct_node *n, const char *what, tct_axis a) {
    if (tct_node_has_axis(n, a)) return true;
    for (int k = 0; k < n->n_axes; k++)
        if (same_name(c, n->axes[k], a)) return clash(c, n->axes[k], a);
    return tct_infer_fail(c, "E0303", NULL, "%s: %s is %s and has no axis %s", c->name, what,
                          tct_infer_type(c, n), tct_axis_of(c->m, a)->name);
}

static bool wrong_count(tct_infer *c, const char *what, int want, int have) {
    return tct_infer_fail(c, "E0613", tct_ir_ops[c->n->op].doc, "%s takes %d %s, not %d", c->name, want, what,
                          have);
}

bool tct_infer_n_axes(tct_infer *c, int n) {
    return c->n->attr.n_axes == n || wrong_count(c, n == 1 ? "axis" : "axes", n, c->n->attr.n_axes);
}

bool tct_infer_n_to(tct_infer *c, int n) {
    return c->n->attr.n_to == n || wrong_count(c, n == 1 ? "new axis" : "new axes", n, c->n->attr.n_to);
}

static bool all_distinct(tct_infer *c, const tct_axis *axes, int n) {
    for (int k = 0; k < n; k++)
        if (tct_infer_find(axes, k, axes[k]) >= 0)
            return tct_infer_fail(c, "E0611", "name every axis once", "%s: axis %s is named twice", c->name,
                                  tct_axis_of(c->m, axes[k])->name);
    return true;
}

bool tct_infer_some_axes(tct_infer *c) {
    const tct_ir_attr *attr = &c->n->attr;
    if (!attr->n_axes)
        return tct_infer_fail(c, "E0613", "name them in braces", "%s takes at least one axis", c->name);
    return all_distinct(c, attr->axes, attr->n_axes);
}

bool tct_infer_index(tct_infer *c, const tct_node *index) {
    if (index->dtype == TCT_I32) return true;
    return tct_infer_fail(c, "E0301", "convert it: i32(index)", "%s: the index must be i32, and is %s",
                          c->name, tct_infer_type(c, index));
}

// All operands from number `first` on have one dtype.
static bool alike(tct_infer *c, uint32_t first) {
    const tct_node *a = tct_infer_operand(c, first);
    for (uint32_t k = first + 1; k < c->n->n_in; k++) {
        const tct_node *b = tct_infer_operand(c, k);
        if (a->dtype == b->dtype) continue;
        const char *to = tct_dtype_name((tct_dtype)a->dtype);
        return tct_infer_fail(
            c, "E0301",
            c->d ? tct_arena_printf(&c->d->arena, "convert one of them, for example %s(...)", to) : NULL,
            "%s takes operands of one dtype, and these are %s and %s", c->name, tct_infer_type(c, a),
            tct_infer_type(c, b));
    }
    return true;
}

// Which dtypes an operation whose rule is SAME or BOOL takes: numbers, with these exceptions.
static bool takes(tct_ir_op op, tct_dtype t) {
    switch (op) {
    case TCT_IR_STOP_GRADIENT:
    case TCT_IR_CONCAT:
    case TCT_IR_EQ:
    case TCT_IR_NE:
        return true;
    case TCT_IR_MOD:
        return tct_dtype_is_int(t);
    case TCT_IR_DOT:
        return tct_dtype_is_float(t) || t == TCT_I32;
    default:
        return t != TCT_BOOL;
    }
}

static const char *taken(tct_ir_op op) {
    return op == TCT_IR_MOD ? "integers" : op == TCT_IR_DOT ? "floats and i32" : "numbers";
}

static bool infer_dtype(tct_infer *c) {
    const tct_node *n = c->n, *x = c->x;
    tct_ir_op op = (tct_ir_op)n->op;
    switch (tct_ir_ops[op].rule) {
    case TCT_IR_RULE_SAME:
    case TCT_IR_RULE_BOOL:
        if (!alike(c, 0)) return false;
        if (!takes(op, (tct_dtype)x->dtype))
            return tct_infer_fail(c, "E0614",
                                  x->dtype == TCT_BOOL ? "convert it first: i32(x) or f32(x)" : NULL,
                                  "%s takes %s, and this is %s", c->name, taken(op), tct_infer_type(c, x));
        c->dtype = tct_ir_ops[op].rule == TCT_IR_RULE_BOOL ? TCT_BOOL : (tct_dtype)x->dtype;
        return true;
    case TCT_IR_RULE_LOGIC:
        for (uint32_t k = 0; k < n->n_in; k++)
            if (tct_infer_operand(c, k)->dtype != TCT_BOOL)
                return tct_infer_fail(c, "E0614", "compare it first, for example x != 0",
                                      "%s takes bool, and this is %s", c->name,
                                      tct_infer_type(c, tct_infer_operand(c, k)));
        c->dtype = TCT_BOOL;
        return true;
    case TCT_IR_RULE_FLOATING:
        if (!alike(c, 0)) return false;
        if (!tct_dtype_is_float((tct_dtype)x->dtype))
            return tct_infer_fail(c, "E0614", "convert it first: f32(x)", "%s takes floats, and this is %s",
                                  c->name, tct_infer_type(c, x));
        c->dtype = (tct_dtype)x->dtype;
        return true;
    case TCT_IR_RULE_ATTR:
        if ((unsigned)n->attr.dtype >= TCT_N_DTYPES)
            return tct_infer_fail(c, "E0614", NULL, "%s: there is no dtype number %d", c->name,
                                  (int)n->attr.dtype);
        c->dtype = n->attr.dtype;
        return true;
    case TCT_IR_RULE_FIRST:
        c->dtype = (tct_dtype)x->dtype;
        return true;
    case TCT_IR_RULE_INDEX:
        c->dtype = TCT_I32;
        return x->dtype != TCT_BOOL ||
               tct_infer_fail(c, "E0614", "convert it first: i32(x)", "%s takes numbers, and this is %s",
                              c->name, tct_infer_type(c, x));
    case TCT_IR_RULE_SPECIAL:
        return true; // with the axes
    }
    return false;
}

static bool infer_leaf(tct_infer *c) {
    const tct_node *n = c->n;
    for (int k = 0; k < n->attr.n_axes; k++)
        if (!tct_infer_add(c, n->attr.axes[k])) return false;
    switch (n->op) {
    case TCT_IR_INPUT:
        return true;
    case TCT_IR_IOTA:
        if (!tct_infer_n_axes(c, 1)) return false;
        break;
    case TCT_IR_RANDOM:
        if (c->x->dtype != TCT_I64 || c->x->n_axes)
            return tct_infer_fail(c, "E0301", NULL, "%s: the key must be one i64, and is %s", c->name,
                                  tct_infer_type(c, c->x));
        c->dtype = TCT_F32;
        return true;
    case TCT_IR_CONST:
        c->n_axes = 0;
        if ((tct_dtype_is_int(c->dtype) && !tct_dtype_holds(c->dtype, n->attr.i)) ||
            (c->dtype == TCT_BOOL && n->attr.i != (n->attr.i != 0)))
            return tct_infer_fail(c, "E0614", NULL, "const: %lld is no %s", (long long)n->attr.i,
                                  tct_dtype_name(c->dtype));
        return true;
    default: // size: a scalar
        c->n_axes = 0;
    }
    return c->dtype != TCT_BOOL || tct_infer_fail(c, "E0614", NULL, "%s counts, and can't be bool", c->name);
}

// The order of the operand with most axes, the first among equals; then, operand by operand, what is missing:
// in front if it has no axis in common with the result so far, else behind.
static bool infer_elementwise(tct_infer *c) {
    const tct_node *n = c->n;
    if (n->op == TCT_IR_WHERE) {
        if (c->x->dtype != TCT_BOOL)
            return tct_infer_fail(c, "E0614", "compare it first, for example x != 0",
                                  "where: the condition must be bool, and is %s", tct_infer_type(c, c->x));
        if (!alike(c, 1)) return false;
        c->dtype = (tct_dtype)c->y->dtype;
    }
    uint32_t most = 0;
    for (uint32_t k = 1; k < n->n_in; k++)
        if (tct_infer_operand(c, k)->n_axes > tct_infer_operand(c, most)->n_axes) most = k;
    const tct_node *lead = tct_infer_operand(c, most);
    for (int a = 0; a < lead->n_axes; a++)
        if (!tct_infer_unite(c, lead->axes[a])) return false;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const tct_node *o = tct_infer_operand(c, k);
        int before = c->n_axes, shared = 0;
        for (int a = 0; a < o->n_axes; a++) {
            shared += tct_infer_find(c->axes, before, o->axes[a]) >= 0;
            if (!tct_infer_unite(c, o->axes[a])) return false;
        }
        int added = c->n_axes - before;
        if (shared || !added || !before) continue;
        tct_axis behind[TCT_IR_MAX_AXES]; // the new ones go in front
        memcpy(behind, c->axes, (size_t)before * sizeof *behind);
        memmove(c->axes, c->axes + before, (size_t)added * sizeof *behind);
        memcpy(c->axes + added, behind, (size_t)before * sizeof *behind);
    }
    return true;
}

static bool infer_reduction(tct_infer *c) {
    const tct_ir_attr *attr = &c->n->attr;
    if (c->n->op == TCT_IR_ARGMAX && !tct_infer_n_axes(c, 1)) return false;
    if (!tct_infer_some_axes(c)) return false;
    for (int k = 0; k < attr->n_axes; k++)
        if (!tct_infer_has(c, c->x, "the operand", attr->axes[k])) return false;
    for (int k = 0; k < c->x->n_axes; k++)
        if (tct_infer_find(attr->axes, attr->n_axes, c->x->axes[k]) < 0) c->axes[c->n_axes++] = c->x->axes[k];
    return true;
}

// Batch axes in the order of a, free axes of a, free axes of b.
static bool infer_dot(tct_infer *c) {
    const tct_ir_attr *attr = &c->n->attr;
    if (!all_distinct(c, attr->axes, attr->n_axes)) return false;
    for (int k = 0; k < attr->n_axes; k++)
        if (!tct_infer_has(c, c->x, "the first operand", attr->axes[k]) ||
            !tct_infer_has(c, c->y, "the second operand", attr->axes[k]))
            return false;
    for (int batch = 1; batch >= 0; batch--)
        for (int k = 0; k < c->x->n_axes; k++) {
            tct_axis a = c->x->axes[k];
            if (tct_infer_find(attr->axes, attr->n_axes, a) < 0 &&
                tct_node_has_axis(c->y, a) == (batch == 1) && !tct_infer_unite(c, a))
                return false;
        }
    for (int k = 0; k < c->y->n_axes; k++)
        if (tct_infer_find(attr->axes, attr->n_axes, c->y->axes[k]) < 0 && !tct_infer_unite(c, c->y->axes[k]))
            return false;
    // An axis that is summed in one and another of its name in the other would be free: surely not meant.
    for (int k = 0; k < c->n_axes; k++)
        for (int s = 0; s < attr->n_axes; s++)
            if (same_name(c, c->axes[k], attr->axes[s])) return clash(c, attr->axes[s], c->axes[k]);
    return true;
}

static bool check_operands(tct_infer *c) {
    const tct_node *n = c->n;
    const tct_ir_op_info *op = &tct_ir_ops[n->op];
    if (op->arity >= 0 && n->n_in != (uint32_t)op->arity)
        return wrong_count(c, "operands", op->arity, (int)n->n_in);
    for (uint32_t k = 0; k < n->n_in; k++) {
        assert(n->in[k] < c->g->nodes.len);
        if (tct_infer_operand(c, k)->bundle && n->op != TCT_IR_GET)
            return tct_infer_fail(c, "E0617", "take one of them with get",
                                  "%s: operand %u is several results together", c->name, k);
    }
    const tct_ir_attr *attr = &n->attr;
    if (attr->n_axes > TCT_IR_MAX_AXES || attr->n_to > TCT_IR_MAX_AXES)
        return tct_infer_fail(c, "E0612", NULL, "%s: more than %d axes", c->name, TCT_IR_MAX_AXES);
    for (int k = 0; k < attr->n_axes; k++) assert(attr->axes[k] < c->m->axes.len);
    for (int k = 0; k < attr->n_to; k++) assert(attr->to[k] < c->m->axes.len);
    if (n->n_in > 0) c->x = tct_infer_operand(c, 0);
    if (n->n_in > 1) c->y = tct_infer_operand(c, 1);
    return true;
}

static bool check_elements(tct_infer *c) {
    int64_t product = 1;
    for (int k = 0; k < c->n_axes; k++) {
        int64_t size = tct_infer_size(c, c->axes[k]);
        if (__builtin_mul_overflow(product, size ? size : 1, &product) || product > MAX_ELEMENTS)
            return tct_infer_fail(c, "E0612", NULL, "%s: the result would have more than 2^48 elements",
                                  c->name);
    }
    return true;
}

bool tct_ir_infer(const tct_graph *g, tct_diag *d, tct_node *n, tct_span span) {
    tct_infer c = {.g = g, .m = g->module, .d = d, .span = span, .n = n, .name = tct_ir_ops[n->op].name};
    bool bundle = false,
         ok = check_operands(&c) && (n->op == TCT_IR_CONCAT && !n->n_in ? true : infer_dtype(&c));
    if (!ok) return false;
    switch (tct_ir_ops[n->op].cls) {
    case TCT_CLASS_LEAF:
        ok = infer_leaf(&c);
        break;
    case TCT_CLASS_ELEMENTWISE:
        ok = infer_elementwise(&c);
        break;
    case TCT_CLASS_REDUCTION:
        ok = infer_reduction(&c);
        break;
    case TCT_CLASS_CONTRACTION:
        ok = infer_dot(&c);
        break;
    case TCT_CLASS_MOVEMENT:
        ok = tct_infer_movement(&c);
        break;
    case TCT_CLASS_SCAN:
    case TCT_CLASS_OPAQUE:
        ok = tct_infer_structure(&c, &bundle);
        break;
    }
    if (!ok || !check_elements(&c)) return false;
    n->bundle = bundle;
    n->dtype = bundle ? 0 : (uint8_t)c.dtype;
    n->n_axes = bundle ? 0 : c.n_axes;
    n->axes = TCT_NEW_ARRAY(&g->module->arena, tct_axis, n->n_axes);
    if (n->n_axes) memcpy(n->axes, c.axes, n->n_axes * sizeof *n->axes);
    return true;
}
