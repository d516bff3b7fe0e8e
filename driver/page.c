#include "driver/page.h"

#include "driver/graphs.h"
#include "driver/page_data.h"
#include "driver/page_embed.h"
#include "passes/passes.h"
#include "runtime/isa.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

// --- A graph from pass to pass ---

typedef struct collecting {
    tct_page_data *p;
    json_t *versions;
    const tct_graph *last;
    tct_page_blocks blocks; // of `last`
} collecting;

static void add_version(collecting *c, const char *name, const char *doc, const tct_graph *g, double seconds,
                        const tct_plan *plan, const tct_plan_origin *origin) {
    json_t *v = json_pack("{s:s, s:s, s:f}", "name", name, "doc", doc, "seconds", seconds);
    if (g != c->last || plan) {
        tct_page_blocks blocks = {0};
        json_t *graph = tct_page_version(c->p, g, plan, origin, &blocks);
        if (c->last) json_object_set_new(graph, "from", tct_page_match(&c->blocks, &blocks));
        json_object_set_new(v, "graph", graph);
        TCT_VEC_FREE(&c->blocks.list);
        c->blocks = blocks;
    }
    json_array_append_new(c->versions, v);
    c->last = g;
}

static const char *doc_of(const char *pass) {
    const tct_pass *p = tct_pass_by_name(pass, strlen(pass));
    return p ? p->doc : "reverse-mode differentiation"; // grad, which needs to know of what
}

static void after_pass(void *ctx, const char *pass, const tct_graph *before, const tct_graph *g,
                       double seconds) {
    (void)before;
    add_version(ctx, pass, doc_of(pass), g, seconds, NULL, NULL);
}

static json_t *names_of(const tct_page_graph *g) {
    json_t *names = json_array();
    for (size_t k = 0; k < g->graph->inputs.len; k++) {
        const char *name =
            g->inputs ? g->inputs[k] : tct_node_of(g->graph, g->graph->inputs.data[k])->attr.name;
        json_array_append_new(names, tct_page_string(name, strlen(name)));
    }
    return names;
}

static json_t *graph_json(tct_page_data *p, const tct_page_request *r, const tct_page_graph *which) {
    collecting c = {.p = p, .versions = json_array()};
    tct_pass_trace trace = {.after = after_pass, .ctx = &c};
    json_t *names = names_of(which);
    tct_graph *g = which->graph;
    add_version(&c, "source", "as it is written", g, 0, NULL, NULL);
    if (r->grad) g = tct_graph_gradient(p->d, g, &trace);
    tct_explanation e = {0};
    bool ok = g && tct_explanation_make(p->d, p->compiler, g, false, &trace, &e);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    tct_peak_assume(p->isa, cores > 0 ? (int)cores : 1, &e.peak);
    p->explanation = &e;
    json_t *plan = NULL;
    if (ok) {
        const tct_plan_origin *origin = e.top.origin;
        add_version(&c, "fuse", doc_of("fuse"), origin->graph, 0, e.top.plan, origin);
        plan = tct_page_plan(p, &e.top);
    }
    tct_explanation_free(&e);
    TCT_VEC_FREE(&c.blocks.list);
    if (ok)
        return json_pack("{s:s, s:s?, s:o, s:o, s:o}", "name", which->name, "about", which->about, "inputs",
                         names, "versions", c.versions, "plan", plan);
    json_decref(c.versions);
    json_decref(names);
    return NULL;
}

// --- The rest ---

static json_t *operations(void) {
    static const char *const classes[] = {"leaf",     "elementwise", "reduction", "product",
                                          "movement", "scan",        "foreign"};
    json_t *ops = json_object();
    for (int op = 0; op < TCT_IR_N_OPS; op++)
        json_object_set_new(ops, tct_ir_ops[op].name, json_string(classes[tct_ir_ops[op].cls]));
    return ops;
}

// Graphs and functions that lines of the shown sources may call: [name, span].
static json_t *items(tct_page_data *p, const tct_package *package) {
    json_t *list = json_array();
    for (size_t f = 0; f < package->files.len; f++)
        for (uint32_t i = 0; i < package->files.data[f]->n_items; i++) {
            const tct_item *item = package->files.data[f]->items[i];
            if (item->kind != TCT_ITEM_GRAPH || !tct_page_has_source(p, item->span.file)) continue;
            json_array_append_new(list,
                                  json_pack("[s, i]", item->name.text, (int)tct_page_span(p, item->span)));
        }
    return list;
}

// In a script element nothing but "<" can end it or begin a comment.
static int add_escaped(const char *text, size_t n, void *out) {
    for (size_t k = 0; k < n; k++)
        if (text[k] == '<')
            tct_buf_puts(out, "\\u003c");
        else
            tct_buf_putc(out, text[k]);
    return 0;
}

static json_t *collect(tct_page_data *p, const tct_page_request *r) {
    json_t *graphs = json_array();
    uint32_t main_source = tct_page_source(p, r->package->files.data[r->package->files.len - 1]->file);
    for (uint32_t k = 0; k < r->n_graphs; k++) {
        json_t *g = graph_json(p, r, &r->graphs[k]);
        if (!g) {
            json_decref(graphs);
            return NULL;
        }
        json_array_append_new(graphs, g);
    }
    json_t *all = items(p, r->package);
    return json_pack("{s:o, s:s, s:i, s:o, s:o, s:o, s:O, s:O, s:O, s:O}", "title",
                     tct_page_string(r->title, strlen(r->title)), "isa", tct_isa_name(p->isa), "main",
                     (int)main_source, "graphs", graphs, "items", all, "ops", operations(), "strings",
                     p->strings.list, "spans", p->spans.list, "sources", p->sources.list, "kernels",
                     p->kernels.list);
}

static void add_title(const char *title, tct_buf *out) {
    for (; *title; title++)
        if (*title == '<')
            tct_buf_puts(out, "&lt;");
        else if (*title == '&')
            tct_buf_puts(out, "&amp;");
        else
            tct_buf_putc(out, *title);
}

static void add_page(const char *title, const json_t *data, tct_buf *out) {
    const char *at = (const char *)tct_embed_page_html, *mark;
    while ((mark = strstr(at, "@@"))) {
        tct_buf_add(out, at, (size_t)(mark - at));
        at = mark + 2;
        if (strncmp(at, "TITLE", 5) == 0) {
            add_title(title, out);
        } else if (strncmp(at, "STYLE", 5) == 0) {
            tct_buf_add(out, tct_embed_page_css, tct_embed_page_css_len);
        } else if (strncmp(at, "SCRIPT", 6) == 0) {
            tct_buf_add(out, tct_embed_page_js, tct_embed_page_js_len);
        } else {
            assert(strncmp(at, "DATA", 4) == 0);
            json_dump_callback(data, add_escaped, out, JSON_COMPACT);
        }
        at = strstr(at, "@@") + 2;
    }
    tct_buf_puts(out, at);
}

bool tct_page_write(tct_diag *d, const tct_page_request *r, tct_buf *out) {
    tct_compiler *compiler = tct_compiler_new(d, r->isa, 0);
    if (!compiler) return false;
    tct_page_data p;
    tct_page_data_begin(&p, d, compiler);
    p.isa = tct_isa_host();
    if (r->isa) tct_isa_parse(r->isa, &p.isa);
    json_t *data = collect(&p, r);
    if (data) add_page(r->title, data, out);
    bool ok = data != NULL;
    json_decref(data);
    tct_page_data_end(&p);
    tct_compiler_free(compiler);
    return ok;
}
