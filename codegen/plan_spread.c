// Where results of scans lie: of all trips behind each other or, where a copy would bring the axes into
// another order, in rows apart from each other as that copy has them, so that it isn't needed.
#include "codegen/plan_build.h"

#include <string.h>

// How a result lies in its copy: rows of a trip, and bytes from one position of each axis of the scan to the
// next.
typedef struct spread {
    tct_plan_rows rows;
    int64_t stride[TCT_IR_MAX_AXES];
} spread;

static const tct_node *node(const tct_planner *p, tct_value v) { return tct_node_of(p->g, v); }

static bool is_output(const tct_planner *p, tct_value v, bool aliased) {
    for (size_t k = 0; k < p->g->outputs.len; k++) {
        const tct_output *o = &p->g->outputs.data[k];
        if (o->value == v && (!aliased || o->alias >= 0)) return true;
    }
    return false;
}

// The rows of a scan's result in its copy, and how far positions of the scan's axes are apart there. False:
// the body's order isn't the copy's, or the stretches are short.
static bool rows_in(const tct_planner *p, const tct_node *scan, uint32_t k, const tct_node *copy,
                    spread *out) {
    enum { STRETCH = 128 }; // bytes
    const tct_graph *body = scan->attr.body;
    const tct_node *row = tct_node_of(body, body->outputs.data[k].value);
    int64_t bytes = (int64_t)tct_dtype_size((tct_dtype)copy->dtype), stride = bytes, length = bytes;
    int64_t of[TCT_IR_MAX_AXES], far = 0, count = 1; // of the copy's axes; of rows
    for (int a = copy->n_axes; a-- > 0; stride *= tct_axis_of(p->g->module, copy->axes[a])->size)
        of[a] = stride;
    for (int a = row->n_axes; a-- > 0;) {
        int64_t size = tct_axis_of(p->g->module, row->axes[a])->size;
        if (size == 1) continue;
        int at = 0;
        while (at < copy->n_axes && copy->axes[at] != row->axes[a]) at++;
        if (at == copy->n_axes) return false;
        if (count == 1 && of[at] == length) {
            length *= size;
        } else if (count == 1 || of[at] == far * count) {
            if (count == 1) far = of[at];
            count *= size;
        } else {
            return false;
        }
    }
    if (count == 1 || length < STRETCH || far < length) return false;
    out->rows = (tct_plan_rows){length, far};
    for (int a = 0; a < scan->attr.n_axes; a++) {
        int at = 0;
        while (at < copy->n_axes && copy->axes[at] != scan->attr.axes[a]) at++;
        if (at == copy->n_axes) return false;
        out->stride[a] = of[at];
    }
    return true;
}

static bool is_copy(const tct_node *n) {
    if (n->op != TCT_IR_FUSED || strcmp(n->attr.name, "loop") != 0 || n->n_in != 1 ||
        n->attr.body->outputs.len != 1)
        return false;
    const tct_graph *body = n->attr.body;
    const tct_node *y = tct_node_of(body, body->outputs.data[0].value);
    if (y->op != TCT_IR_CAST) return false;
    const tct_node *x = tct_node_of(body, y->in[0]);
    return x->op == TCT_IR_INPUT && x->dtype == y->dtype && y->n_axes == x->n_axes;
}

// The step that does nothing but copy result k of node `scan`, which nobody else reads, into another order:
// its node, or TCT_NO_VALUE.
static tct_value copy_of(const tct_planner *p, tct_value scan, uint32_t k, spread *out) {
    tct_value get = TCT_NO_VALUE, copy = TCT_NO_VALUE;
    uint32_t users = 0;
    for (tct_value v = scan + 1; v < p->g->nodes.len; v++) {
        const tct_node *n = node(p, v);
        if (n->op == TCT_IR_GET && n->in[0] == scan && n->attr.i == k) {
            if (get != TCT_NO_VALUE) return TCT_NO_VALUE;
            get = v;
        }
        for (uint32_t i = 0; i < n->n_in && get != TCT_NO_VALUE; i++)
            if (n->in[i] == get) users++, copy = v;
        if (n->op == TCT_IR_GET && n->in[0] == copy && is_output(p, v, true)) return TCT_NO_VALUE;
    }
    if (users != 1 || is_output(p, get, false) || !is_copy(node(p, copy))) return TCT_NO_VALUE;
    const tct_graph *body = node(p, copy)->attr.body;
    const tct_node *y = tct_node_of(body, body->outputs.data[0].value);
    return rows_in(p, node(p, scan), k, y, out) ? copy : TCT_NO_VALUE;
}

uint32_t tct_plan_scan_result(tct_planner *p, tct_value v, const tct_plan_scan *scan, uint32_t k,
                              tct_plan_rows *rows, int64_t *stride) {
    const tct_plan_port *port = &scan->body->outputs[k];
    int64_t each = (int64_t)port->bytes;
    uint32_t s = tct_new_storage(p, (tct_dtype)port->dtype,
                                 port->bytes * (k < scan->n_carries ? 1 : (uint64_t)scan->trips));
    for (uint32_t a = scan->n_axes; a-- > 0 && k >= scan->n_carries; each *= scan->size[a]) stride[a] = each;
    spread in;
    tct_value copy = scan->apart && port->bytes ? copy_of(p, v, k, &in) : TCT_NO_VALUE;
    if (copy == TCT_NO_VALUE) return s;
    *rows = in.rows;
    memcpy(stride, in.stride, scan->n_axes * sizeof *stride);
    p->assembled[copy] = true;
    p->bundle[copy] = TCT_NEW_ARRAY(&p->temporary, uint32_t, 1);
    p->bundle[copy][0] = s;
    return s;
}
