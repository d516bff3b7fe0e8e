#include "driver/dot.h"

#include "driver/ir_parts.h"

#include <string.h>

// A graph on the way down: the whole, or the body of node `owner` of the one above.
typedef struct frame {
    struct frame *above;
    const tct_graph *g;
    tct_value owner;
    const char *prefix; // of its nodes' names
} frame;

typedef struct drawing {
    tct_ir_printer printer;
    tct_arena arena;
    tct_buf *out, scratch;
    tct_buf edges; // written last: a node named within a cluster would become part of it
    int depth;
} drawing;

static void indent(drawing *w) {
    for (int k = 0; k < w->depth; k++) tct_buf_puts(w->out, "  ");
}

static void escaped(drawing *w, const char *s, size_t len) {
    for (size_t k = 0; k < len; k++) {
        if (s[k] == '"' || s[k] == '\\') tct_buf_putc(w->out, '\\');
        tct_buf_putc(w->out, s[k]);
    }
}

static bool has_cluster(const tct_node *n) { return n->op == TCT_IR_FUSED || n->op == TCT_IR_SCAN; }

static frame body_frame(drawing *w, const frame *f, tct_value v) {
    frame *above = TCT_NEW(&w->arena, frame);
    *above = *f;
    return (frame){above, tct_node_of(f->g, v)->attr.body, v,
                   tct_arena_printf(&w->arena, "%s%u_", f->prefix, v)};
}

// What a value is drawn as: inputs of groups are what is outside, results of bodies what is inside.
static tct_value resolve(drawing *w, frame *f, tct_value v) {
    for (;;) {
        const tct_node *n = tct_node_of(f->g, v);
        if (n->op == TCT_IR_INPUT && f->above && tct_node_of(f->above->g, f->owner)->op == TCT_IR_FUSED) {
            v = tct_node_of(f->above->g, f->owner)->in[n->attr.i];
            *f = *f->above;
        } else if (n->op == TCT_IR_GET && has_cluster(tct_node_of(f->g, n->in[0]))) {
            *f = body_frame(w, f, n->in[0]);
            v = f->g->outputs.data[n->attr.i].value;
        } else {
            return v;
        }
    }
}

// Numbers are written where they are used, but for those that a group is there to write down.
static bool is_number(const frame *f, tct_value v) {
    if (tct_node_of(f->g, v)->op != TCT_IR_CONST) return false;
    for (size_t k = 0; f->above && k < f->g->outputs.len; k++)
        if (f->g->outputs.data[k].value == v) return false;
    return true;
}

// The number as text where a value is one, else NULL.
static const char *number_of(drawing *w, const frame *f, tct_value v) {
    frame at = *f;
    v = resolve(w, &at, v);
    if (!is_number(&at, v)) return NULL;
    tct_ir_parts t = tct_ir_parts_of(&w->printer, at.g, v, &w->scratch);
    return tct_arena_strndup(&w->arena, t.tail + 1, t.tail_len - 1);
}

static const char *name_of(drawing *w, const frame *f, tct_value v) {
    frame at = *f;
    v = resolve(w, &at, v);
    return tct_arena_printf(&w->arena, "%s%u", at.prefix, v);
}

static void draw_edge(drawing *w, const frame *from, tct_value v, const char *to, const char *more) {
    if (number_of(w, from, v)) return;
    tct_buf_printf(&w->edges, "  %s -> %s%s\n", name_of(w, from, v), to, more);
}

// Drawn as something else, or written into what uses it.
static bool is_drawn(const frame *f, tct_value v) {
    const tct_node *n = tct_node_of(f->g, v);
    if (n->op == TCT_IR_CONST) return !is_number(f, v);
    if (n->op == TCT_IR_INPUT) return !f->above || tct_node_of(f->above->g, f->owner)->op != TCT_IR_FUSED;
    return n->op != TCT_IR_GET || !has_cluster(tct_node_of(f->g, n->in[0]));
}

static void draw_tooltip(drawing *w, const frame *f, tct_value v) {
    w->scratch.len = 0;
    tct_ir_print_node(&w->printer, f->g, v, NULL, &w->scratch);
    tct_ir_print_origin(&w->printer, tct_node_of(f->g, v), &w->scratch);
    tct_buf_puts(w->out, " tooltip=\"");
    escaped(w, w->scratch.data, w->scratch.len);
    tct_buf_putc(w->out, '"');
}

static void draw_node(drawing *w, const frame *f, tct_value v) {
    static const char *const fills[] = {"#e8ecf0", "#d5efeb", "#fbe3d1", "#d7e5fb",
                                        "#e7def6", "#f6dbeb", "#f8dbd9"};
    const tct_node *n = tct_node_of(f->g, v);
    bool numbers = false;
    for (uint32_t k = 0; k < n->n_in; k++) numbers |= number_of(w, f, n->in[k]) != NULL;
    indent(w);
    tct_buf_printf(w->out, "%s%u [label=\"%s", f->prefix, v, tct_ir_ops[n->op].name);
    for (uint32_t k = 0; numbers && k < n->n_in; k++) {
        const char *number = number_of(w, f, n->in[k]);
        tct_buf_printf(w->out, "%s%s", k ? ", " : "(", number ? number : "·");
    }
    if (numbers) tct_buf_putc(w->out, ')');
    tct_ir_parts t = tct_ir_parts_of(&w->printer, f->g, v, &w->scratch);
    escaped(w, t.tail, t.tail_len);
    tct_buf_puts(w->out, "\\n");
    escaped(w, t.type, t.type_len);
    tct_buf_printf(w->out, "\" fillcolor=\"%s\"%s", fills[tct_ir_ops[n->op].cls],
                   n->op == TCT_IR_INPUT ? " shape=ellipse" : "");
    draw_tooltip(w, f, v);
    tct_buf_puts(w->out, "]\n");
}

static void draw_graph(drawing *w, const frame *f);

static void draw_cluster(drawing *w, const frame *f, tct_value v) {
    const tct_node *n = tct_node_of(f->g, v);
    frame body = body_frame(w, f, v);
    indent(w);
    tct_buf_printf(w->out, "subgraph cluster_%s%u {\n", f->prefix, v);
    w->depth++;
    indent(w);
    tct_buf_puts(w->out, "label=\"");
    if (n->op == TCT_IR_SCAN) {
        tct_ir_parts t = tct_ir_parts_of(&w->printer, f->g, v, &w->scratch);
        escaped(w, t.op, t.op_len);
        escaped(w, t.tail, t.tail_len);
    } else {
        tct_buf_printf(w->out, "%%%u ", v);
        escaped(w, n->attr.name, strlen(n->attr.name));
    }
    tct_buf_puts(w->out, "\"");
    draw_tooltip(w, f, v);
    tct_buf_putc(w->out, '\n');
    draw_graph(w, &body);
    w->depth--;
    indent(w);
    tct_buf_puts(w->out, "}\n");
    if (n->op != TCT_IR_SCAN) return;
    // What comes in from outside, and what one step hands to the next.
    for (uint32_t k = 0; k < n->n_in; k++) {
        const char *to = name_of(w, &body, body.g->inputs.data[k]);
        draw_edge(w, f, n->in[k], to, "");
        if (k < (uint32_t)n->attr.i)
            draw_edge(w, &body, body.g->outputs.data[k].value, to, " [style=dashed constraint=false]");
    }
}

static void draw_graph(drawing *w, const frame *f) {
    for (tct_value v = 0; v < f->g->nodes.len; v++) {
        if (has_cluster(tct_node_of(f->g, v))) {
            draw_cluster(w, f, v);
        } else if (is_drawn(f, v)) {
            draw_node(w, f, v);
            const tct_node *n = tct_node_of(f->g, v);
            const char *to = name_of(w, f, v);
            for (uint32_t k = 0; k < n->n_in; k++) draw_edge(w, f, n->in[k], to, "");
        }
    }
}

void tct_dot_print(const tct_graph *g, const tct_diag *sources, tct_buf *out) {
    drawing w = {.out = out, .depth = 1};
    frame whole = {NULL, g, TCT_NO_VALUE, "n"};
    tct_ir_printer_begin(&w.printer, g->module, sources);
    tct_ir_printer_names(&w.printer, g);
    tct_buf_puts(out, "digraph \"");
    escaped(&w, g->name, strlen(g->name));
    tct_buf_puts(
        out,
        "\" {\n"
        "  graph [fontname=\"Helvetica\" fontsize=11 style=rounded color=\"#8593a3\"]\n"
        "  node [fontname=\"Helvetica\" fontsize=10 shape=box style=\"rounded,filled\" color=\"#66758a\"]\n"
        "  edge [color=\"#66758a\" arrowsize=0.6]\n");
    draw_graph(&w, &whole);
    for (size_t k = 0; k < g->outputs.len; k++) {
        const tct_output *o = &g->outputs.data[k];
        const char *number = number_of(&w, &whole, o->value), *name = tct_arena_printf(&w.arena, "out%zu", k);
        tct_buf_printf(out, "  %s [label=\"", name);
        escaped(&w, o->name, strlen(o->name));
        tct_buf_printf(out, "%s%s\" shape=ellipse style=bold]\n", number ? " = " : "", number ? number : "");
        draw_edge(&w, &whole, o->value, name, "");
    }
    tct_buf_add(out, w.edges.data, w.edges.len);
    tct_buf_puts(out, "}\n");
    tct_ir_printer_end(&w.printer);
    tct_buf_free(&w.scratch);
    tct_buf_free(&w.edges);
    tct_arena_free(&w.arena);
}
