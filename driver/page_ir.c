// Versions of a graph for the page: columns of what tct_ir_print would print, bodies behind the graph that
// has them.
#include "driver/ir_parts.h"
#include "driver/page_data.h"

#include <string.h>

// A graph among the blocks of a version: the graph itself, then bodies.
typedef struct block {
    const tct_graph *g;
    const tct_plan *plan; // of a scan's body that was planned, and of the graph itself; else NULL
    const tct_plan_origin *origin;
    json_int_t first; // its first node among all of the version
} block;

typedef struct columns {
    tct_page_data *p;
    tct_ir_printer printer;
    TCT_VEC(block) blocks;
    json_t *owner, *size, *results, *values, *op, *type, *tail, *pass, *span, *in;
} columns;

static void add_number(json_t *list, json_int_t x) { json_array_append_new(list, json_integer(x)); }

static void add_interned(columns *c, json_t *list, const char *s, size_t len) {
    add_number(list, tct_page_intern(c->p, s, len));
}

static void add_text(columns *c, const tct_graph *g, tct_value v) {
    tct_ir_parts t = tct_ir_parts_of(&c->printer, g, v, &c->p->scratch);
    add_interned(c, c->type, t.type, t.type_len);
    add_interned(c, c->op, t.op, t.op_len);
    add_interned(c, c->tail, t.tail, t.tail_len);
}

static const tct_graph *body_of(const block *b, tct_value v, block *out) {
    const tct_node *n = tct_node_of(b->g, v);
    *out = (block){.g = n->attr.body};
    if (n->op != TCT_IR_SCAN || !b->plan) return out->g;
    for (uint32_t k = 0; k < b->plan->n_steps; k++) {
        if (b->origin->node[k] != v) continue;
        uint32_t scan = b->plan->steps[k].kernel;
        out->plan = b->plan->scans[scan].body;
        out->origin = b->origin->scans[scan];
        out->g = out->origin->graph;
    }
    return out->g;
}

static void add_node(columns *c, uint32_t at, tct_value v) {
    block b = c->blocks.data[at], body;
    const tct_node *n = tct_node_of(b.g, v);
    add_text(c, b.g, v);
    add_number(c->pass, n->pass ? (json_int_t)tct_page_intern(c->p, n->pass, strlen(n->pass)) : -1);
    add_number(c->span, tct_page_span(c->p, n->span));
    add_number(c->in, n->n_in);
    for (uint32_t k = 0; k < n->n_in; k++) add_number(c->in, v - n->in[k]);
    if (!body_of(&b, v, &body)) return;
    TCT_PUSH(&c->blocks, body);
    add_number(c->owner, b.first + v);
}

static void add_block(columns *c, uint32_t at) {
    const tct_graph *g = c->blocks.data[at].g;
    c->blocks.data[at].first = (json_int_t)json_array_size(c->op);
    add_number(c->size, (json_int_t)g->nodes.len);
    for (tct_value v = 0; v < g->nodes.len; v++) add_node(c, at, v);
    tct_buf *b = &c->p->scratch;
    b->len = 0;
    tct_ir_print_return(&c->printer, g, NULL, b);
    json_array_append_new(c->results, tct_page_string(b->data, b->len));
    json_t *values = json_array();
    for (size_t k = 0; k < g->outputs.len; k++) add_number(values, g->outputs.data[k].value);
    json_array_append_new(c->values, values);
}

static json_t *column(json_t *version, const char *name) {
    json_t *list = json_array();
    json_object_set_new(version, name, list);
    return list;
}

static void add_head(columns *c, json_t *version, const tct_graph *g) {
    json_t *head = column(version, "head");
    tct_buf *b = &c->p->scratch;
    for (size_t k = 0; k < c->printer.files.len; k++) {
        b->len = 0;
        tct_ir_print_source_line(&c->printer, c->printer.files.data[k], b);
        json_array_append_new(head, tct_page_string(b->data, b->len));
    }
    for (size_t k = 0; k < c->printer.axes.len; k++) {
        b->len = 0;
        tct_ir_print_axis_line(&c->printer, c->printer.axes.data[k], b);
        json_array_append_new(head, tct_page_string(b->data, b->len));
    }
    b->len = 0;
    tct_ir_print_graph_name(g, b);
    tct_buf_puts(b, " {");
    json_array_append_new(head, tct_page_string(b->data, b->len));
}

json_t *tct_page_version(tct_page_data *p, const tct_graph *g, const tct_plan *plan,
                         const tct_plan_origin *origin) {
    json_t *v = json_object();
    columns c = {.p = p,
                 .owner = column(v, "owner"),
                 .size = column(v, "size"),
                 .results = column(v, "results"),
                 .values = column(v, "values"),
                 .op = column(v, "op"),
                 .type = column(v, "type"),
                 .tail = column(v, "tail"),
                 .pass = column(v, "pass"),
                 .span = column(v, "span"),
                 .in = column(v, "in")};
    tct_ir_printer_begin(&c.printer, g->module, p->d);
    tct_ir_printer_names(&c.printer, g);
    add_number(c.owner, -1);
    TCT_PUSH(&c.blocks, ((block){.g = g, .plan = plan, .origin = origin}));
    for (uint32_t k = 0; k < c.blocks.len; k++) {
        tct_ir_printer_names(&c.printer, c.blocks.data[k].g); // a planned body may have axes of its own
        add_block(&c, k);
    }
    add_head(&c, v, g);
    TCT_VEC_FREE(&c.blocks);
    tct_ir_printer_end(&c.printer);
    return v;
}
