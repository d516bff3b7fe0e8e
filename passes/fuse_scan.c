// How the body of a scan reads operands where they lie, rows apart from each other: no copy puts them
// together.
#include "passes/fuse.h"

#include <inttypes.h>

static int64_t stride_of(const tct_node *n, const tct_view *view, tct_axis a) {
    for (int k = 0; k < n->n_axes; k++)
        if (n->axes[k] == a) return view->stride[k];
    return 0;
}

bool tct_scan_view_of(const tct_graph *g, const tct_node *scan, uint32_t k, tct_value operand,
                      tct_scan_view *out) {
    enum { STRETCH = 128, ALIASED = 2048 }; // bytes: the least of a row apart from others; between such rows
    const tct_node *n = tct_node_of(g, operand),
                   *in = tct_node_of(scan->attr.body, scan->attr.body->inputs.data[k]);
    if (k < scan->attr.i || !tct_view_of(g, operand, &out->view)) return false;
    int64_t bytes = (int64_t)tct_dtype_size((tct_dtype)n->dtype), inner = 1, length = 1, piece = 1;
    int within = -1; // the axis inside of the one at hand, of `length` elements `inner` apart
    for (int a = in->n_axes; a-- > 0;) {
        int64_t here = out->wide[a] = tct_axis_of(g->module, in->axes[a])->size,
                stride = stride_of(n, &out->view, in->axes[a]);
        if (here == 1) continue;
        if (!inner || stride % inner || stride / inner < length || (within < 0 && stride != 1)) return false;
        if (stride != inner * length) {
            if (piece * bytes < STRETCH || stride * bytes % ALIASED == 0) return false;
            out->wide[within] = stride / inner;
        } else if (stride == piece) {
            piece *= here;
        }
        within = a;
        inner = stride;
        length = here;
    }
    return true;
}

static const char *wide_name(tct_ir_module *m, const tct_axis_info *axis, int64_t size) {
    return tct_arena_printf(&m->arena, "%s_%" PRId64, axis->name, size);
}

// What input `in` of a body is seen in, and that of it which the body takes.
static tct_value wide_input(tct_graph *to, const tct_node *in, const int64_t *wide, uint64_t *bytes) {
    tct_ir_module *m = to->module;
    tct_axis axes[TCT_IR_MAX_AXES];
    int64_t far = 0, stride = 1;
    for (int a = in->n_axes; a-- > 0; stride *= wide[a]) {
        const tct_axis_info axis = *tct_axis_of(m, in->axes[a]);
        axes[a] = axis.size == wide[a] ? in->axes[a] : tct_axis_get(m, wide_name(m, &axis, wide[a]), wide[a]);
        far += (axis.size - 1) * stride;
    }
    uint64_t count = tct_node_elements(to, in) ? (uint64_t)far + 1 : 0;
    if (bytes) *bytes = count * tct_dtype_size((tct_dtype)in->dtype);
    to->span = in->span;
    tct_value x = tct_ir_input(to, in->attr.name, (tct_dtype)in->dtype, axes, in->n_axes);
    for (int a = 0; a < in->n_axes; a++)
        if (axes[a] != in->axes[a]) x = tct_ir_slice(to, NULL, x, axes[a], in->axes[a], 0, 1);
    return x;
}

tct_graph *tct_scan_body(const tct_graph *g, const tct_node *scan, uint64_t *bytes) {
    const tct_graph *from = scan->attr.body;
    tct_graph *to = tct_graph_new(g->module, from->name);
    tct_value *map = tct_alloc((from->nodes.len + 1) * sizeof *map);
    to->pass = from->pass;
    for (uint32_t k = 0; k < scan->n_in; k++) {
        const tct_node *in = tct_node_of(from, from->inputs.data[k]);
        tct_scan_view seen;
        if (!tct_scan_view_of(g, scan, k, scan->in[k], &seen)) // a copy, or a carried value
            for (int a = 0; a < in->n_axes; a++) seen.wide[a] = tct_axis_of(g->module, in->axes[a])->size;
        map[from->inputs.data[k]] = wide_input(to, in, seen.wide, bytes ? &bytes[k] : NULL);
    }
    for (tct_value v = 0; v < from->nodes.len; v++)
        if (tct_node_of(from, v)->op != TCT_IR_INPUT) tct_ir_copy_node(to, from, v, map);
    for (size_t k = 0; k < from->outputs.len; k++) {
        const tct_output *o = &from->outputs.data[k];
        tct_ir_output(to, o->name, map[o->value], o->alias);
    }
    tct_heap_free(map);
    return to;
}
