// Lowering pulls: a value is asked for at indices of its axes and asks its operands at indices of theirs.
// Data movement is nothing but other indices, so it costs no memory and little time.
#include "codegen/lower.h"

#include "codegen/lower_domain.h"
#include "passes/fuse.h"
#include "passes/rewrite.h"

#include <assert.h>
#include <string.h>

enum { MAX_SPLITS = 12 };

typedef struct pulled {
    struct pulled *next;
    tct_lv guard, value;
    tct_lv at[]; // one for each axis of the node
} pulled;

typedef struct lowering {
    tct_arena *arena;
    const tct_lower_spec *spec;
    const tct_graph *body;
    const tct_ir_module *m;
    tct_loop *l;
    tct_domain domain;
    pulled **memo; // by node
    tct_lv guard;  // loads under it only happen where it is true; TCT_NO_LV: everywhere
} lowering;

void tct_lower_row_major(const tct_ir_module *m, const tct_node *n, int64_t stride[TCT_IR_MAX_AXES]) {
    int64_t s = 1;
    for (int k = n->n_axes; k-- > 0;) {
        stride[k] = s;
        s *= tct_axis_of(m, n->axes[k])->size;
    }
}

static int64_t size_of(const lowering *w, tct_axis a) { return tct_axis_of(w->m, a)->size; }
static const tct_node *node(const lowering *w, tct_value v) { return tct_node_of(w->body, v); }

static int position(const tct_node *n, tct_axis a) {
    for (int k = 0; k < n->n_axes; k++)
        if (n->axes[k] == a) return k;
    return -1;
}

static tct_lv scaled(lowering *w, int64_t c, tct_lv x, int64_t by) {
    return tct_loop_affine(w->l, c, 1, &x, &by);
}

static tct_lv op(lowering *w, tct_ir_op which, tct_dtype dtype, uint32_t n, const tct_lv *in) {
    return tct_loop_value_of(
        w->l, (tct_loop_value){.kind = TCT_LOOP_OP, .op = (uint16_t)which, .dtype = (uint8_t)dtype}, n, in);
}

static tct_lv pull(lowering *w, tct_value v, const tct_lv *at);

// Pulls an operand whose axes are all among those of n, which is at `at`.
static tct_lv pull_same(lowering *w, tct_value v, const tct_node *n, const tct_lv *at) {
    const tct_node *o = node(w, v);
    tct_lv there[TCT_IR_MAX_AXES];
    for (int k = 0; k < o->n_axes; k++) {
        int p = position(n, o->axes[k]);
        assert(p >= 0);
        there[k] = at[p];
    }
    return pull(w, v, there);
}

// As pull_same, but axis `a` of the operand is at `index`.
static tct_lv pull_at(lowering *w, tct_value v, const tct_node *n, const tct_lv *at, tct_axis a,
                      tct_lv index) {
    const tct_node *o = node(w, v);
    tct_lv there[TCT_IR_MAX_AXES];
    for (int k = 0; k < o->n_axes; k++) there[k] = o->axes[k] == a ? index : at[position(n, o->axes[k])];
    return pull(w, v, there);
}

static tct_lv all_of(lowering *w, tct_lv a, tct_lv b) {
    if (a == TCT_NO_LV || b == TCT_NO_LV || a == b) return a == TCT_NO_LV ? b : a;
    tct_lv in[2] = {a, b};
    return op(w, TCT_IR_AND, TCT_BOOL, 2, in);
}

// As pull_at, where `guard` holds; elsewhere `otherwise`.
static tct_lv pull_where(lowering *w, tct_value v, const tct_node *n, const tct_lv *at, tct_axis a,
                         tct_lv index, tct_lv guard, tct_lv otherwise) {
    if (guard == TCT_NO_LV) return pull_at(w, v, n, at, a, index);
    tct_lv outer = w->guard;
    w->guard = all_of(w, outer, guard);
    tct_lv in[3] = {guard, pull_at(w, v, n, at, a, index), otherwise};
    w->guard = outer;
    const tct_loop_value *x = &w->l->values[in[1]], *rest = &w->l->values[otherwise];
    bool zero = rest->kind == TCT_LOOP_CONST && rest->f == 0 && rest->i == 0;
    if (zero && x->kind == TCT_LOOP_LOAD && x->n_in > 1 && x->in[1] == guard)
        return in[1]; // it is 0 there itself
    return op(w, TCT_IR_WHERE, (tct_dtype)n->dtype, 3, in);
}

static tct_lv load(lowering *w, const tct_node *n, const tct_lower_port *port, const tct_lv *at) {
    tct_lv in[2] = {tct_loop_affine(w->l, 0, n->n_axes, at, port->stride), w->guard};
    return tct_loop_value_of(w->l, (tct_loop_value){.kind = TCT_LOOP_LOAD, .dtype = n->dtype, .i = port->buf},
                             w->guard == TCT_NO_LV ? 1 : 2, in);
}

static tct_lv pull_random(lowering *w, const tct_node *n, const tct_lv *at) {
    int64_t stride[TCT_IR_MAX_AXES], s = 1; // the counter runs over attr.axes, whatever the layout
    for (int k = n->attr.n_axes; k-- > 0;) {
        stride[position(n, n->attr.axes[k])] = s;
        s *= size_of(w, n->attr.axes[k]);
    }
    tct_lv in[2] = {pull(w, n->in[0], NULL), tct_loop_affine(w->l, 0, n->n_axes, at, stride)};
    return tct_loop_value_of(
        w->l, (tct_loop_value){.kind = TCT_LOOP_RANDOM, .dtype = TCT_F32, .i = n->attr.i}, 2, in);
}

static tct_lv domain_index(lowering *w, tct_axis a) { return tct_domain_index(&w->domain, w->l, a); }

static tct_lv pull_reduction(lowering *w, const tct_node *n, const tct_lv *at) {
    const tct_node *o = node(w, n->in[0]);
    tct_lv there[TCT_IR_MAX_AXES], in[2];
    for (int k = 0; k < o->n_axes; k++) {
        int p = position(n, o->axes[k]);
        there[k] = p >= 0 ? at[p] : domain_index(w, o->axes[k]);
    }
    in[0] = pull(w, n->in[0], there);
    uint32_t n_in = 1;
    if (n->op == TCT_IR_ARGMAX) in[n_in++] = domain_index(w, n->attr.axes[0]);
    return tct_loop_value_of(w->l, (tct_loop_value){.kind = TCT_LOOP_REDUCE, .op = n->op, .dtype = n->dtype},
                             n_in, in);
}

static tct_lv pull_concat(lowering *w, const tct_node *n, const tct_lv *at) {
    tct_lv here = at[position(n, n->attr.to[0])];
    tct_lv result = tct_loop_const(w->l, (tct_dtype)n->dtype, 0, 0);
    int64_t start = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        int64_t size = size_of(w, n->attr.axes[k]);
        tct_lv index = scaled(w, -start, here, 1);
        result = pull_where(w, n->in[k], n, at, n->attr.axes[k], index, tct_loop_within(w->l, index, size),
                            result);
        start += size;
    }
    return result;
}

static tct_lv pull_merge(lowering *w, const tct_node *n, const tct_lv *at) {
    const tct_node *o = node(w, n->in[0]);
    tct_lv there[TCT_IR_MAX_AXES], rest = at[position(n, n->attr.to[0])];
    for (int k = 0; k < o->n_axes; k++) {
        int p = position(n, o->axes[k]);
        if (p >= 0) there[k] = at[p];
    }
    for (int k = n->attr.n_axes; k-- > 0;) {
        int p = position(o, n->attr.axes[k]);
        int64_t size = size_of(w, n->attr.axes[k]);
        there[p] = k ? tct_loop_modulo(w->l, rest, size) : rest;
        rest = tct_loop_divide(w->l, rest, size);
    }
    return pull(w, n->in[0], there);
}

static tct_lv pull_movement(lowering *w, const tct_node *n, const tct_lv *at) {
    const tct_ir_attr *a = &n->attr;
    tct_dtype dtype = (tct_dtype)n->dtype;
    switch (n->op) {
    case TCT_IR_BROADCAST:
    case TCT_IR_AFTER: // the plan sees to the order
        return pull_same(w, n->in[0], n, at);
    case TCT_IR_RENAME:
        return pull_at(w, n->in[0], n, at, a->axes[0], at[position(n, a->to[0])]);
    case TCT_IR_SLICE:
        return pull_at(w, n->in[0], n, at, a->axes[0], scaled(w, a->i, at[position(n, a->to[0])], a->step));
    case TCT_IR_FLIP:
        return pull_at(w, n->in[0], n, at, a->axes[0],
                       scaled(w, size_of(w, a->axes[0]) - 1, at[position(n, a->axes[0])], -1));
    case TCT_IR_PAD: {
        tct_lv index = scaled(w, -a->i, at[position(n, a->to[0])], 1);
        tct_lv guard = tct_loop_within(w->l, index, size_of(w, a->axes[0]));
        bool floating = tct_dtype_is_float((tct_dtype)dtype); // whose filler may be infinite
        tct_lv fill = tct_loop_const(w->l, dtype, a->f, floating ? 0 : (int64_t)a->f);
        return pull_where(w, n->in[0], n, at, a->axes[0], index, guard, fill);
    }
    case TCT_IR_SPLIT: {
        tct_lv digit[TCT_IR_MAX_AXES];
        int64_t weight[TCT_IR_MAX_AXES], s = 1;
        for (int k = a->n_to; k-- > 0;) {
            digit[k] = at[position(n, a->to[k])];
            weight[k] = s;
            s *= size_of(w, a->to[k]);
        }
        return pull_at(w, n->in[0], n, at, a->axes[0], tct_loop_affine(w->l, 0, a->n_to, digit, weight));
    }
    case TCT_IR_MERGE:
        return pull_merge(w, n, at);
    case TCT_IR_CONCAT:
        return pull_concat(w, n, at);
    default: { // GATHER
        tct_lv index = pull_same(w, n->in[1], n, at);
        index =
            tct_loop_value_of(w->l, (tct_loop_value){.kind = TCT_LOOP_INDEX, .dtype = TCT_I64}, 1, &index);
        tct_lv guard = tct_loop_within(w->l, index, size_of(w, a->axes[0]));
        return pull_where(w, n->in[0], n, at, a->axes[0], index, guard, tct_loop_const(w->l, dtype, 0, 0));
    }
    }
}

static tct_lv pull_elementwise(lowering *w, const tct_node *n, const tct_lv *at) {
    tct_lv in[3];
    for (uint32_t k = 0; k < n->n_in; k++) in[k] = pull_same(w, n->in[k], n, at);
    if (n->op == TCT_IR_STOP_GRADIENT) return in[0];
    if (n->op == TCT_IR_CAST && node(w, n->in[0])->dtype == n->dtype) return in[0];
    return op(w, (tct_ir_op)n->op, (tct_dtype)n->dtype, n->n_in, in);
}

static tct_lv pull_node(lowering *w, tct_value v, const tct_node *n, const tct_lv *at) {
    tct_dtype dtype = (tct_dtype)n->dtype;
    switch (n->op) {
    case TCT_IR_INPUT:
        return load(w, n, &w->spec->in[n->attr.i], at);
    case TCT_IR_CONST:
        return tct_loop_const(w->l, dtype, tct_dtype_is_float(dtype) ? n->attr.f : 0,
                              tct_dtype_is_float(dtype) ? 0 : n->attr.i);
    case TCT_IR_SIZE: {
        int64_t s = 1;
        for (int k = 0; k < n->attr.n_axes; k++) s *= size_of(w, n->attr.axes[k]);
        return tct_loop_const(w->l, dtype, tct_dtype_is_float(dtype) ? (double)s : 0,
                              tct_dtype_is_float(dtype) ? 0 : s);
    }
    case TCT_IR_IOTA:
        return tct_loop_value_of(w->l, (tct_loop_value){.kind = TCT_LOOP_NUMBER, .dtype = n->dtype}, 1, at);
    case TCT_IR_RANDOM:
        return pull_random(w, n, at);
    case TCT_IR_DOT:
        assert(w->spec->gemm && v == w->spec->dot);
        return load(w, n, &w->spec->dot_port, at);
    default:
        break;
    }
    switch (tct_ir_ops[n->op].cls) {
    case TCT_CLASS_ELEMENTWISE:
        return pull_elementwise(w, n, at);
    case TCT_CLASS_REDUCTION:
        return pull_reduction(w, n, at);
    default:
        assert(tct_ir_ops[n->op].cls == TCT_CLASS_MOVEMENT);
        return pull_movement(w, n, at);
    }
}

// A load has the place of who wants the value, everything else that of its node.
static tct_lv pull_anew(lowering *w, tct_value v, const tct_lv *at) {
    const tct_node *n = node(w, v);
    tct_span outer = w->l->span;
    if (n->op != TCT_IR_INPUT) w->l->span = n->span;
    tct_lv x = pull_node(w, v, n, at);
    w->l->span = outer;
    return x;
}

static tct_lv pull(lowering *w, tct_value v, const tct_lv *at) {
    const tct_node *n = node(w, v);
    for (pulled *p = w->memo[v]; p; p = p->next)
        if (p->guard == w->guard && (!n->n_axes || memcmp(p->at, at, n->n_axes * sizeof *at) == 0))
            return p->value;
    pulled *p = tct_arena_alloc(w->arena, sizeof *p + n->n_axes * sizeof *at);
    p->guard = w->guard;
    if (n->n_axes) memcpy(p->at, at, n->n_axes * sizeof *at);
    p->value = pull_anew(w, v, at);
    p->next = w->memo[v];
    w->memo[v] = p;
    return p->value;
}

// --- Domains ---

static void add_domain(lowering *w, tct_axis a, bool reduced) {
    tct_domain_add(&w->domain, a, size_of(w, a), reduced);
}

static const tct_node *output_node(const lowering *w, size_t k) {
    return node(w, w->body->outputs.data[k].value);
}

static bool is_scatter(const tct_node *n) { return n->op == TCT_IR_SCATTER_ADD || n->op == TCT_IR_PUT; }

bool tct_lower_sums_columns(const tct_graph *body, bool by_rows, tct_value v) {
    if (by_rows) return tct_ir_ops[tct_node_of(body, v)->op].cls == TCT_CLASS_REDUCTION;
    return tct_fuse_is_column_sum(body, v);
}

static bool is_column_sum(const lowering *w, tct_value v) {
    return tct_lower_sums_columns(w->body, w->spec->by_rows, v);
}

// Where columns are summed rows are kept, and what lies within them counts as reduced, whether anything
// reduces it or not: each in the order of what is reduced.
static void find_rows(lowering *w, const tct_node *reduction) {
    const tct_node *of = node(w, reduction->in[0]);
    for (int within = 0; within < 2; within++)
        for (int k = 0; k < of->n_axes; k++) {
            bool reduced = tct_axes_have(reduction->attr.axes, reduction->attr.n_axes, of->axes[k]);
            if ((reduced != w->spec->by_rows) == within) add_domain(w, of->axes[k], within);
        }
}

// The kept axes in the order of the first output, then the reduced ones in the order of what is reduced.
static void find_domain(lowering *w) {
    const tct_node *first = output_node(w, 0), *reduction = NULL, *sum = NULL;
    if (is_scatter(first)) {
        const tct_node *index = node(w, first->in[1]);
        for (int k = 0; k < first->n_axes; k++)
            if (first->axes[k] != first->attr.axes[0]) add_domain(w, first->axes[k], false);
        for (int k = 0; k < index->n_axes; k++) add_domain(w, index->axes[k], true); // unless it is there
        return;
    }
    for (tct_value v = 0; v < w->body->nodes.len; v++) {
        if (tct_ir_ops[node(w, v)->op].cls != TCT_CLASS_REDUCTION) continue;
        const tct_node **which = is_column_sum(w, v) ? &sum : &reduction;
        if (!*which) *which = node(w, v);
    }
    if (sum) {
        find_rows(w, reduction ? reduction : sum);
        return;
    }
    const tct_ir_attr *attr = reduction ? &reduction->attr : NULL;
    for (int k = 0; k < first->n_axes; k++) {
        bool reduced = false;
        for (int r = 0; attr && r < attr->n_axes; r++) reduced |= attr->axes[r] == first->axes[k];
        if (!reduced) add_domain(w, first->axes[k], false);
    }
    if (!reduction) return;
    const tct_node *of = node(w, reduction->in[0]);
    for (int k = 0; k < of->n_axes; k++)
        if (position(reduction, of->axes[k]) < 0) add_domain(w, of->axes[k], true);
}

// --- Kernels ---

static void store_scatter(lowering *w, const tct_node *n) {
    tct_lv at[TCT_IR_MAX_AXES];
    const tct_node *index_node = node(w, n->in[1]), *update = node(w, n->in[2]);
    for (int k = 0; k < index_node->n_axes; k++) at[k] = domain_index(w, index_node->axes[k]);
    tct_lv index = pull(w, n->in[1], at);
    index = tct_loop_value_of(w->l, (tct_loop_value){.kind = TCT_LOOP_INDEX, .dtype = TCT_I64}, 1, &index);
    tct_lv guard = tct_loop_within(w->l, index, size_of(w, n->attr.axes[0]));
    for (int k = 0; k < update->n_axes; k++) at[k] = domain_index(w, update->axes[k]);
    tct_lv value = pull(w, n->in[2], at);
    for (int k = 0; k < n->n_axes; k++)
        at[k] = n->axes[k] == n->attr.axes[0] ? index : domain_index(w, n->axes[k]);
    const tct_lower_port *port = &w->spec->out[0];
    tct_loop_store_to(w->l, port->buf, tct_loop_affine(w->l, 0, n->n_axes, at, port->stride), value, guard,
                      n->op == TCT_IR_SCATTER_ADD);
    w->l->ordered = true;
}

static void store_outputs(lowering *w, const tct_lv *(*index_of)(lowering *, const tct_node *, tct_lv *)) {
    for (size_t k = 0; k < w->body->outputs.len; k++) {
        const tct_node *n = output_node(w, k);
        const tct_lower_port *port = &w->spec->out[k];
        if (w->spec->gemm && w->body->outputs.data[k].value == w->spec->dot) continue; // it is there already
        tct_lv room[TCT_IR_MAX_AXES];
        w->l->span = n->span;
        const tct_lv *at = index_of(w, n, room);
        tct_lv offset = tct_loop_affine(w->l, 0, n->n_axes, at, port->stride);
        if (is_column_sum(w, w->body->outputs.data[k].value)) {
            tct_lv there[TCT_IR_MAX_AXES];
            tct_lv of = pull(w, n->in[0], index_of(w, node(w, n->in[0]), there));
            tct_loop_add_up(w->l, port->buf, offset, of, tct_node_elements(w->body, n));
            continue;
        }
        tct_lv value = pull(w, w->body->outputs.data[k].value, at);
        tct_loop_store_to(w->l, port->buf, offset, value, TCT_NO_LV, false);
    }
}

static const tct_lv *domain_place(lowering *w, const tct_node *n, tct_lv *at) {
    for (int k = 0; k < n->n_axes; k++) at[k] = domain_index(w, n->axes[k]);
    return at;
}

static void set_buffer_types(lowering *w) {
    const tct_lower_spec *s = w->spec;
    w->l->n_bufs = s->n_bufs;
    w->l->buf_dtype = TCT_NEW_ARRAY(w->arena, uint8_t, s->n_bufs);
    for (size_t k = 0; k < w->body->inputs.len; k++)
        w->l->buf_dtype[s->in[k].buf] = node(w, w->body->inputs.data[k])->dtype;
    for (size_t k = 0; k < w->body->outputs.len; k++)
        w->l->buf_dtype[s->out[k].buf] = output_node(w, k)->dtype;
    if (s->gemm) w->l->buf_dtype[s->dot_port.buf] = node(w, s->dot)->dtype;
}

static void start(lowering *w) {
    w->l = tct_loop_new(w->arena);
    w->memo = TCT_NEW_ARRAY(w->arena, pulled *, w->body->nodes.len);
    w->guard = TCT_NO_LV;
    w->l->span = output_node(w, 0)->span;
    set_buffer_types(w);
}

// One try with the digits that the domain has now.
static void lower_loops(lowering *w) {
    start(w);
    tct_domain_open(&w->domain, w->m, w->l);
    if (is_scatter(output_node(w, 0)))
        store_scatter(w, output_node(w, 0));
    else
        store_outputs(w, domain_place);
}

// The index of a problem's axis within the linear index `group` (0: batch, 1: row, 2: column).
static tct_lv tile_index(lowering *w, tct_axis a) {
    if (size_of(w, a) == 1) return tct_loop_affine(w->l, 0, 0, NULL, NULL);
    const tct_gemm_plan *g = w->spec->gemm;
    const uint8_t *list[3] = {g->batch_axes, g->m_axes, g->n_axes};
    uint32_t n[3] = {g->n_batch, g->n_m, g->n_n};
    for (uint32_t group = 0; group < 3; group++) {
        tct_lv rest = tct_loop_counter(w->l, group);
        for (uint32_t k = n[group]; k-- > 0;) {
            tct_axis here = w->spec->axis[list[group][k]];
            int64_t size = size_of(w, here);
            if (here == a) return k ? tct_loop_modulo(w->l, rest, size) : rest;
            rest = tct_loop_divide(w->l, rest, size);
        }
    }
    assert(!"an epilogue has the product's axes");
    return TCT_NO_LV;
}

static const tct_lv *tile_place(lowering *w, const tct_node *n, tct_lv *at) {
    for (int k = 0; k < n->n_axes; k++) at[k] = tile_index(w, n->axes[k]);
    return at;
}

static void lower_tile(lowering *w) {
    const tct_gemm_plan *g = w->spec->gemm;
    const uint8_t *list[3] = {g->batch_axes, g->m_axes, g->n_axes};
    uint32_t n[3] = {g->n_batch, g->n_m, g->n_n};
    static const char *const name[3] = {"batch", "row", "column"};
    start(w);
    for (int group = 0; group < 3; group++) {
        int64_t size = 1;
        for (uint32_t k = 0; k < n[group]; k++) size *= size_of(w, w->spec->axis[list[group][k]]);
        tct_loop_add_axis(w->l, name[group], size, false);
    }
    w->l->tile = true;
    w->l->tile_rows = g->args.mr;
    store_outputs(w, tile_place);
}

tct_loop *tct_lower(tct_arena *arena, const tct_lower_spec *spec) {
    lowering w = {.arena = arena, .spec = spec, .body = spec->body, .m = spec->body->module};
    if (spec->gemm) {
        lower_tile(&w);
    } else {
        uint32_t axis = 0, splits = 0;
        int64_t inner = 0;
        find_domain(&w);
        lower_loops(&w);
        while (splits++ < MAX_SPLITS && tct_loop_wants_split(w.l, &axis, &inner) &&
               tct_domain_split(&w.domain, axis, inner)) {
            lower_loops(&w);
        }
    }
    w.l->span = output_node(&w, 0)->span;
    tct_loop_schedule(w.l);
    return w.l;
}
