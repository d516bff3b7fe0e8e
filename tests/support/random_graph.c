#include "tests/support/random_core.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static uint64_t next_bits(uint64_t *state) { // splitmix64
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

// From 0 to n - 1.
int rg_below(maker *k, int n) { return (int)(next_bits(&k->state) >> 33) % n; }
bool rg_chance(maker *k, int percent) { return rg_below(k, 100) < percent; }

int64_t rg_size_of(const maker *k, tct_axis a) { return tct_axis_of(k->m, a)->size; }
const tct_node *rg_node(const maker *k, tct_value v) { return tct_node_of(k->g, v); }

tct_axis rg_fresh_axis(maker *k, int64_t size) {
    char name[16];
    snprintf(name, sizeof name, "N%d", k->fresh++);
    return tct_axis_get(k->m, name, size);
}

static void permute_axes(maker *k, tct_node *n) {
    for (int a = n->n_axes - 1; a > 0; a--) {
        int other = rg_below(k, a + 1);
        tct_axis t = n->axes[a];
        n->axes[a] = n->axes[other];
        n->axes[other] = t;
    }
}

// Appends the node where its operands fit and the result isn't too large; otherwise TCT_NO_VALUE.
tct_value rg_put(maker *k, tct_ir_op op, const tct_value *in, uint32_t n_in, const tct_ir_attr *attr) {
    for (uint32_t i = 0; i < n_in; i++)
        if (in[i] == TCT_NO_VALUE) return TCT_NO_VALUE;
    tct_node n = {.op = (uint16_t)op, .n_in = n_in};
    n.in = TCT_NEW_ARRAY(&k->m->arena, tct_value, n_in);
    if (n_in) memcpy(n.in, in, n_in * sizeof *in);
    if (attr) n.attr = *attr;
    if (!tct_ir_infer(k->g, &k->d, &n, TCT_NO_SPAN)) return TCT_NO_VALUE;
    if (!n.bundle && tct_node_elements(k->g, &n) > k->o.max_elements) return TCT_NO_VALUE;
    if (k->o.permute && op != TCT_IR_INPUT && op != TCT_IR_GET && rg_chance(k, 30)) permute_axes(k, &n);
    return tct_ir_append(k->g, &n);
}

tct_value rg_unary(maker *k, tct_ir_op op, tct_value x) { return rg_put(k, op, &x, 1, NULL); }
tct_value rg_binary(maker *k, tct_ir_op op, tct_value a, tct_value b) {
    return rg_put(k, op, (tct_value[]){a, b}, 2, NULL);
}
tct_value rg_constant(maker *k, tct_dtype t, double x) {
    tct_ir_attr attr = {.dtype = t};
    if (tct_dtype_is_float(t))
        attr.f = x;
    else
        attr.i = t == TCT_BOOL ? x != 0 : (int64_t)x;
    return rg_put(k, TCT_IR_CONST, NULL, 0, &attr);
}
static tct_value cast(maker *k, tct_value x, tct_dtype to) {
    if (x == TCT_NO_VALUE || rg_node(k, x)->dtype == to) return x;
    return rg_put(k, TCT_IR_CAST, &x, 1, &(tct_ir_attr){.dtype = to});
}

static bool dtype_allowed(const maker *k, int t) { return k->o.dtypes >> t & 1; }

// A value of one of the dtypes with at least so many axes, recent ones more often.
tct_value rg_pick(maker *k, unsigned dtypes, int min_axes) {
    size_t n = k->g->nodes.len;
    for (int i = 0; i < 4 * TRIES && n; i++) {
        size_t back = (size_t)rg_below(k, (int)n);
        if (rg_chance(k, 50)) back = back * back / n;
        tct_value v = (tct_value)(n - 1 - back);
        const tct_node *x = rg_node(k, v);
        if (!x->bundle && dtypes >> x->dtype & 1 && x->n_axes >= min_axes) return v;
    }
    return TCT_NO_VALUE;
}

static tct_value pick_like(maker *k, tct_value x) {
    return x == TCT_NO_VALUE ? x : rg_pick(k, 1u << rg_node(k, x)->dtype, 0);
}

static bool is_float(const maker *k, tct_value x) {
    return x != TCT_NO_VALUE && tct_dtype_is_float((tct_dtype)rg_node(k, x)->dtype);
}

// |x| + 0.5: the domain of log, sqrt and division.
static tct_value positive(maker *k, tct_value x) {
    if (x == TCT_NO_VALUE) return x;
    return rg_binary(k, TCT_IR_ADD, rg_unary(k, TCT_IR_ABS, x),
                     rg_constant(k, (tct_dtype)rg_node(k, x)->dtype, 0.5));
}

// Bends the argument into the operation's domain, and its growth.
static tct_value tamed(maker *k, tct_ir_op op, tct_value x) {
    if (!k->o.tame || !is_float(k, x)) return x;
    switch (op) {
    case TCT_IR_LOG:
    case TCT_IR_SQRT:
    case TCT_IR_RSQRT:
        return positive(k, x);
    case TCT_IR_LOG1P:
        return rg_unary(k, TCT_IR_ABS, x);
    case TCT_IR_EXP:
    case TCT_IR_EXPM1:
    case TCT_IR_SIN:
    case TCT_IR_COS:
        return rg_unary(k, TCT_IR_TANH, x);
    default:
        return x;
    }
}

static bool discontinuous(tct_ir_op op) {
    return op == TCT_IR_FLOOR || op == TCT_IR_ROUND || op == TCT_IR_SIGN;
}

static tct_value make_cast(maker *k) {
    tct_value x = rg_pick(k, ANY_DTYPE, 0);
    int to = rg_below(k, TCT_N_DTYPES);
    if (!dtype_allowed(k, to)) return TCT_NO_VALUE;
    if (k->o.continuous && is_float(k, x) && to != TCT_F32 && to != TCT_F64) return TCT_NO_VALUE;
    return cast(k, x, (tct_dtype)to);
}

static tct_value make_unary(maker *k, tct_ir_op op) {
    if (k->o.continuous && discontinuous(op)) return TCT_NO_VALUE;
    unsigned dtypes = op == TCT_IR_NOT                              ? BOOLS
                      : tct_ir_ops[op].rule == TCT_IR_RULE_FLOATING ? FLOATS
                      : op == TCT_IR_STOP_GRADIENT                  ? ANY_DTYPE
                                                                    : NUMBERS;
    return rg_unary(k, op, tamed(k, op, rg_pick(k, dtypes, 0)));
}

static tct_value make_binary(maker *k, tct_ir_op op) {
    unsigned dtypes = NUMBERS;
    if (op == TCT_IR_MOD) dtypes = INTS;
    if (op == TCT_IR_POW) dtypes = FLOATS;
    if (tct_ir_ops[op].rule == TCT_IR_RULE_LOGIC) dtypes = BOOLS;
    if (tct_ir_ops[op].rule == TCT_IR_RULE_BOOL && k->o.continuous) dtypes = INTS;
    tct_value a = rg_pick(k, dtypes, 0), b = pick_like(k, a);
    if (k->o.tame && is_float(k, b)) {
        if (op == TCT_IR_DIV) b = positive(k, b);
        if (op == TCT_IR_POW) a = positive(k, rg_unary(k, TCT_IR_TANH, a)), b = rg_unary(k, TCT_IR_TANH, b);
        if (op == TCT_IR_MUL) b = rg_unary(k, TCT_IR_TANH, b);
    }
    return rg_binary(k, op, a, b);
}

static tct_value make_elementwise(maker *k) {
    tct_ir_op op = (tct_ir_op)(TCT_IR_NEG + rg_below(k, TCT_IR_WHERE - TCT_IR_NEG + 1));
    if (op == TCT_IR_CAST) return make_cast(k);
    if (op == TCT_IR_WHERE) {
        tct_value c = rg_pick(k, BOOLS, 0), a = rg_pick(k, ANY_DTYPE, 0), b = pick_like(k, a);
        return rg_put(k, op, (tct_value[]){c, a, b}, 3, NULL);
    }
    return tct_ir_ops[op].arity == 1 ? make_unary(k, op) : make_binary(k, op);
}

// Some of the node's axes, each with a chance of a half; at least one if there is one and `least` says so.
tct_ir_attr rg_some_axes(maker *k, const tct_node *n, bool least) {
    tct_ir_attr attr = {0};
    for (int a = 0; a < n->n_axes; a++)
        if (rg_chance(k, 50)) attr.axes[attr.n_axes++] = n->axes[a];
    if (least && !attr.n_axes && n->n_axes) attr.axes[attr.n_axes++] = n->axes[rg_below(k, n->n_axes)];
    return attr;
}

tct_ir_attr rg_one_axis(maker *k, tct_value x) {
    const tct_node *n = rg_node(k, x);
    return (tct_ir_attr){.n_axes = 1, .axes = {n->axes[rg_below(k, n->n_axes)]}};
}

static tct_value make_reduction(maker *k) {
    tct_ir_op op = (tct_ir_op)(TCT_IR_SUM + rg_below(k, TCT_IR_ARGMAX - TCT_IR_SUM + 1));
    unsigned dtypes = op == TCT_IR_ANY || op == TCT_IR_ALL ? BOOLS : NUMBERS;
    if (op == TCT_IR_ARGMAX && k->o.continuous) dtypes = INTS;
    tct_value x = rg_pick(k, dtypes, 1);
    if (x == TCT_NO_VALUE) return x;
    tct_ir_attr attr = op == TCT_IR_ARGMAX ? rg_one_axis(k, x) : rg_some_axes(k, rg_node(k, x), true);
    return rg_put(k, op, &x, 1, &attr);
}

static tct_value make_dot(maker *k) {
    tct_value a = rg_pick(k, FLOATS | 1u << TCT_I32, 1), b = pick_like(k, a);
    if (a == TCT_NO_VALUE || b == TCT_NO_VALUE) return TCT_NO_VALUE;
    if (k->o.tame && is_float(k, b)) b = rg_unary(k, TCT_IR_TANH, b);
    if (b == TCT_NO_VALUE) return b;
    tct_ir_attr attr = {0};
    for (int i = 0; i < rg_node(k, a)->n_axes; i++)
        if (tct_node_has_axis(rg_node(k, b), rg_node(k, a)->axes[i]) && rg_chance(k, 60))
            attr.axes[attr.n_axes++] = rg_node(k, a)->axes[i];
    return rg_put(k, TCT_IR_DOT, (tct_value[]){a, b}, 2, &attr);
}

static tct_value make_leaf(maker *k) {
    int t = rg_below(k, TCT_N_DTYPES);
    if (!dtype_allowed(k, t)) return TCT_NO_VALUE;
    tct_ir_attr attr = {.dtype = (tct_dtype)t, .n_axes = 1, .axes = {k->pool[rg_below(k, MAX_POOL)]}};
    switch (rg_below(k, 4)) {
    case 0:
        return rg_put(k, TCT_IR_IOTA, NULL, 0, &attr);
    case 1:
        return rg_put(k, TCT_IR_SIZE, NULL, 0, &attr);
    case 2: {
        tct_value key = rg_constant(k, TCT_I64, rg_below(k, 1000));
        attr.i = rg_below(k, 3);
        attr.dtype = TCT_F32;
        return dtype_allowed(k, TCT_F32) ? rg_put(k, TCT_IR_RANDOM, &key, 1, &attr) : TCT_NO_VALUE;
    }
    default:
        return rg_constant(k, (tct_dtype)t, (rg_below(k, 9) - 4) * 0.25);
    }
}

static tct_value make_input(maker *k, tct_dtype t, const tct_axis *axes, int n_axes) {
    tct_ir_attr attr = {.dtype = t, .n_axes = (uint8_t)n_axes, .i = (int64_t)k->g->inputs.len};
    attr.name = tct_arena_printf(&k->m->arena, "x%d", (int)attr.i);
    if (n_axes) memcpy(attr.axes, axes, (size_t)n_axes * sizeof *axes);
    return rg_put(k, TCT_IR_INPUT, NULL, 0, &attr);
}

static void make_nodes(maker *k, int n_nodes);

// A maker for a body: its own graph, the same stream of numbers (given back by end_body).
static maker begin_body(maker *k) {
    maker inner = {
        .g = tct_graph_new(k->m, "body"), .m = k->m, .o = k->o, .state = k->state, .fresh = k->fresh};
    memcpy(inner.pool, k->pool, sizeof inner.pool);
    inner.depth = k->depth + 1;
    return inner;
}

static void end_body(maker *k, maker *inner) {
    k->state = inner->state;
    k->fresh = inner->fresh;
    tct_diag_free(&inner->d);
}

// `x` as a tensor of the carry's dtype whose axes the carry has: sums over the others.
static tct_value shrink_to(maker *k, tct_value x, tct_value carry) {
    tct_ir_attr attr = {0};
    const tct_node *n = rg_node(k, x);
    for (int a = 0; a < n->n_axes; a++)
        if (!tct_node_has_axis(rg_node(k, carry), n->axes[a])) attr.axes[attr.n_axes++] = n->axes[a];
    return attr.n_axes ? rg_put(k, TCT_IR_SUM, &x, 1, &attr) : x;
}

static bool among(const tct_axis *axes, int n, tct_axis a) {
    for (int k = 0; k < n; k++)
        if (axes[k] == a) return true;
    return false;
}

// A second axis to run along, of an operand that has one left.
static void add_axis(maker *k, tct_value sliced, tct_ir_attr *attr) {
    const tct_node *n = rg_node(k, sliced);
    for (int a = 0; a < n->n_axes && attr->n_axes == 1; a++)
        if (n->axes[a] != attr->axes[0]) attr->axes[attr->n_axes++] = n->axes[a];
}

// At most one carried value, one operand sliced along one axis or two, one that may be whole.
static tct_value make_scan(maker *k) {
    tct_value sliced = rg_pick(k, NUMBERS, 1), first = pick_like(k, sliced), whole = rg_pick(k, ANY_DTYPE, 0);
    if (k->depth > 1 || sliced == TCT_NO_VALUE || first == TCT_NO_VALUE || whole == TCT_NO_VALUE)
        return TCT_NO_VALUE;
    tct_ir_attr attr = rg_one_axis(k, sliced);
    if (rg_chance(k, 40)) add_axis(k, sliced, &attr);
    attr.i = rg_chance(k, 70);
    attr.step = rg_chance(k, 50) ? 1 : -1;
    for (int a = 0; a < attr.n_axes; a++)
        if (attr.i && tct_node_has_axis(rg_node(k, first), attr.axes[a])) return TCT_NO_VALUE;
    tct_value in[3] = {first, sliced, whole};
    maker inner = begin_body(k);
    for (int i = 0; i < 3; i++) {
        const tct_node *o = rg_node(k, in[i]);
        tct_axis axes[TCT_IR_MAX_AXES];
        int n = 0;
        for (int a = 0; a < o->n_axes; a++)
            if (!among(attr.axes, attr.n_axes, o->axes[a])) axes[n++] = o->axes[a];
        make_input(&inner, (tct_dtype)o->dtype, axes, n);
    }
    make_nodes(&inner, 4);
    tct_value next = rg_binary(&inner, TCT_IR_ADD, inner.g->inputs.data[0],
                               shrink_to(&inner, inner.g->inputs.data[1], inner.g->inputs.data[0]));
    if (next != TCT_NO_VALUE && inner.o.tame && is_float(&inner, next))
        next = rg_unary(&inner, TCT_IR_TANH, next);
    tct_value collected = rg_pick(&inner, ANY_DTYPE, 0);
    tct_value result = TCT_NO_VALUE;
    int64_t trips = 1;
    for (int a = 0; a < attr.n_axes; a++) trips *= rg_size_of(k, attr.axes[a]);
    if (next != TCT_NO_VALUE && collected != TCT_NO_VALUE &&
        tct_node_elements(inner.g, rg_node(&inner, collected)) * trips <= k->o.max_elements &&
        tct_node_elements(inner.g, rg_node(&inner, next)) * trips <= k->o.max_elements) {
        tct_ir_output(inner.g, "next", next, -1);
        tct_ir_output(inner.g, "row", collected, -1);
        attr.body = inner.g;
        result = rg_put(k, TCT_IR_SCAN, in, 3, &attr);
    }
    end_body(k, &inner);
    if (result == TCT_NO_VALUE) return result;
    rg_put(k, TCT_IR_GET, &result, 1, &(tct_ir_attr){.i = 0});
    return rg_put(k, TCT_IR_GET, &result, 1, &(tct_ir_attr){.i = 1});
}

static tct_value make_fused(maker *k) {
    tct_value in[2] = {rg_pick(k, NUMBERS, 0), TCT_NO_VALUE};
    in[1] = pick_like(k, in[0]);
    if (in[1] == TCT_NO_VALUE) return TCT_NO_VALUE;
    maker inner = begin_body(k);
    inner.o.classes = 1u << TCT_CLASS_ELEMENTWISE | 1u << TCT_CLASS_REDUCTION;
    for (int i = 0; i < 2; i++) {
        const tct_node *o = rg_node(k, in[i]);
        make_input(&inner, (tct_dtype)o->dtype, o->axes, o->n_axes);
    }
    make_nodes(&inner, 4);
    tct_ir_output(inner.g, "a", (tct_value)(inner.g->nodes.len - 1), -1);
    tct_ir_output(inner.g, "b", rg_pick(&inner, ANY_DTYPE, 0), -1);
    tct_value result = rg_put(k, TCT_IR_FUSED, in, 2, &(tct_ir_attr){.name = "loop", .body = inner.g});
    end_body(k, &inner);
    rg_put(k, TCT_IR_GET, &result, 1, &(tct_ir_attr){.i = 0});
    return rg_put(k, TCT_IR_GET, &result, 1, &(tct_ir_attr){.i = 1});
}

static void make_one(maker *k) {
    tct_ir_class cls = (tct_ir_class)rg_below(k, TCT_CLASS_OPAQUE + 1);
    if (rg_chance(k, 30)) cls = TCT_CLASS_ELEMENTWISE;
    if (cls != TCT_CLASS_LEAF && !(k->o.classes >> cls & 1)) return;
    switch (cls) {
    case TCT_CLASS_LEAF:
        make_leaf(k);
        return;
    case TCT_CLASS_ELEMENTWISE:
        make_elementwise(k);
        return;
    case TCT_CLASS_REDUCTION:
        make_reduction(k);
        return;
    case TCT_CLASS_CONTRACTION:
        make_dot(k);
        return;
    case TCT_CLASS_MOVEMENT:
        rg_make_movement(k);
        return;
    case TCT_CLASS_SCAN:
        if (rg_chance(k, 40)) make_scan(k);
        return;
    case TCT_CLASS_OPAQUE:
        if (rg_chance(k, 40)) make_fused(k);
        return;
    }
}

static void make_nodes(maker *k, int n_nodes) {
    size_t want = k->g->nodes.len + (size_t)n_nodes;
    for (int tries = 0; k->g->nodes.len < want && tries < 20 * n_nodes; tries++) make_one(k);
}

static void make_inputs(maker *k) {
    int n = 2 + rg_below(k, 4);
    for (int i = 0; i < n || !k->g->inputs.len; i++) {
        int t = rg_below(k, TCT_N_DTYPES), n_axes = rg_below(k, MAX_POOL);
        if (t == TCT_BF16 && !rg_chance(k, 20)) t = TCT_F32;
        if (!dtype_allowed(k, t)) continue;
        tct_axis axes[MAX_POOL];
        memcpy(axes, k->pool, sizeof axes);
        tct_node shuffled = {.n_axes = MAX_POOL, .axes = axes};
        permute_axes(k, &shuffled);
        make_input(k, (tct_dtype)t, axes, n_axes);
    }
}

static bool same_layout(const tct_node *a, const tct_node *b) {
    return a->dtype == b->dtype && a->n_axes == b->n_axes &&
           (!a->n_axes || memcmp(a->axes, b->axes, a->n_axes * sizeof *a->axes) == 0);
}

static int32_t find_alias(maker *k, tct_value v) {
    for (size_t i = 0; k->o.aliases && i < k->g->inputs.len; i++) {
        bool taken = false;
        for (size_t o = 0; o < k->g->outputs.len; o++)
            taken = taken || k->g->outputs.data[o].alias == (int32_t)i;
        if (!taken && same_layout(rg_node(k, v), rg_node(k, k->g->inputs.data[i])) && rg_chance(k, 50))
            return (int32_t)i;
    }
    return -1;
}

// What nothing reads becomes an output, and the last tensor, and now and then another one.
static void make_outputs(maker *k) {
    size_t n = k->g->nodes.len, last = n;
    bool *used = tct_alloc(n);
    for (size_t v = 0; v < n; v++) {
        for (uint32_t i = 0; i < k->g->nodes.data[v].n_in; i++) used[k->g->nodes.data[v].in[i]] = true;
        if (!k->g->nodes.data[v].bundle) last = v;
    }
    for (size_t v = 0; v < n; v++) {
        const tct_node *x = &k->g->nodes.data[v];
        if (x->bundle ||
            (v != last && (x->op == TCT_IR_INPUT || (used[v] ? !rg_chance(k, 5) : !rg_chance(k, 60)))))
            continue;
        char name[16];
        snprintf(name, sizeof name, "y%zu", k->g->outputs.len);
        tct_ir_output(k->g, name, (tct_value)v, find_alias(k, (tct_value)v));
    }
    tct_heap_free(used);
}

tct_graph *tct_random_graph(tct_ir_module *m, const tct_random_graph_options *options) {
    static const int64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 13, 16, 17};
    maker k = {.m = m, .o = *options, .state = options->seed * 2 + 1};
    k.g = tct_graph_new(m, "random");
    if (!k.o.n_nodes) k.o.n_nodes = 30;
    if (!k.o.classes) k.o.classes = ~0u;
    if (!k.o.dtypes) k.o.dtypes = ANY_DTYPE;
    if (!k.o.max_elements) k.o.max_elements = 2000;
    for (int a = 0; a < MAX_POOL; a++) {
        int64_t size = sizes[rg_below(&k, (int)(sizeof sizes / sizeof *sizes))];
        k.pool[a] = tct_axis_get(m, (const char[]){(char)('A' + a), 0}, k.o.sizes[a] ? k.o.sizes[a] : size);
    }
    make_inputs(&k);
    make_nodes(&k, k.o.n_nodes);
    make_outputs(&k);
    tct_diag_free(&k.d);
    tct_diag d = {0};
    bool valid = tct_ir_verify(&d, k.g, "random_graph");
    assert(valid);
    (void)valid;
    tct_diag_free(&d);
    return k.g;
}
