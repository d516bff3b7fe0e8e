// Versions of a graph for the page: columns of what tct_ir_print would print, bodies behind the graph that
// has them.
#include "driver/ir_parts.h"
#include "driver/page_data.h"

#include <string.h>

typedef struct columns {
    tct_page_data *p;
    tct_ir_printer printer;
    tct_page_blocks *blocks;
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

static bool has_body(const tct_page_block *b, tct_value v, tct_page_block *out) {
    const tct_node *n = tct_node_of(b->g, v);
    *out = (tct_page_block){.g = n->attr.body, .owner = b->first + v};
    if (n->op != TCT_IR_SCAN || !b->plan) return out->g != NULL;
    for (uint32_t k = 0; k < b->plan->n_steps; k++) {
        if (b->origin->node[k] != v) continue;
        uint32_t scan = b->plan->steps[k].kernel;
        out->plan = b->plan->scans[scan].body;
        out->origin = b->origin->scans[scan];
        out->g = out->origin->graph;
    }
    return true;
}

static void add_node(columns *c, const tct_page_block *b, tct_value v) {
    const tct_node *n = tct_node_of(b->g, v);
    tct_page_block body;
    add_text(c, b->g, v);
    add_number(c->pass, n->pass ? (json_int_t)tct_page_intern(c->p, n->pass, strlen(n->pass)) : -1);
    add_number(c->span, tct_page_span(c->p, n->span));
    add_number(c->in, n->n_in);
    for (uint32_t k = 0; k < n->n_in; k++) add_number(c->in, v - n->in[k]);
    if (has_body(b, v, &body)) TCT_PUSH(&c->blocks->list, body);
}

static void add_block(columns *c, uint32_t at) {
    c->blocks->list.data[at].first = c->blocks->n_nodes;
    const tct_page_block b = c->blocks->list.data[at];
    const tct_graph *g = b.g;
    tct_ir_printer_names(&c->printer, g); // a planned body may have axes of its own
    add_number(c->owner, b.owner == UINT32_MAX ? -1 : (json_int_t)b.owner);
    add_number(c->size, (json_int_t)g->nodes.len);
    for (tct_value v = 0; v < g->nodes.len; v++) add_node(c, &b, v);
    c->blocks->n_nodes += (uint32_t)g->nodes.len;
    tct_buf *text = &c->p->scratch;
    text->len = 0;
    tct_ir_print_return(&c->printer, g, NULL, text);
    json_array_append_new(c->results, tct_page_string(text->data, text->len));
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
                         const tct_plan_origin *origin, tct_page_blocks *blocks) {
    json_t *v = json_object();
    columns c = {.p = p,
                 .blocks = blocks,
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
    TCT_PUSH(&blocks->list, ((tct_page_block){.g = g, .plan = plan, .origin = origin, .owner = UINT32_MAX}));
    for (uint32_t k = 0; k < blocks->list.len; k++) add_block(&c, k);
    add_head(&c, v, g);
    tct_ir_printer_end(&c.printer);
    return v;
}
