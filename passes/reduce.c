// The search: every kind of edit in turn, on many nodes at once first, then on fewer, until a whole round
// changes nothing. A graph that still fails is printed and read again before the next edit, so that memory
// stays that of one graph and what is tried is what the caller sees.
#include "passes/reduce.h"

#include "passes/reduce_edit.h"

#include <string.h>

typedef struct reducer {
    const tct_reduce_request *r;
    const char *path;
    tct_reduce_state state;
    tct_buf best;
    // The smallest graph so far.
    tct_diag d;
    tct_ir_module *m;
    tct_graph *g;
    bool keep_unused; // nodes that nobody uses are part of the failure
    uint64_t *seen;   // hashes of texts that don't fail, open addressing
    size_t n_seen, seen_mask;
} reducer;

static uint64_t hash_of(const tct_buf *text) {
    uint64_t h = UINT64_C(0xCBF29CE484222325);
    for (size_t k = 0; k < text->len; k++) h = (h ^ (unsigned char)text->data[k]) * UINT64_C(0x100000001B3);
    h = (h ^ h >> 29) * UINT64_C(0xBF58476D1CE4E5B9);
    return h ? h : 1; // 0: a free place
}

static size_t place_of(const reducer *w, uint64_t hash) {
    size_t at = (size_t)(hash >> 32) & w->seen_mask;
    while (w->seen[at] && w->seen[at] != hash) at = (at + 1) & w->seen_mask;
    return at;
}

static bool is_seen(const reducer *w, uint64_t hash) { return w->seen && w->seen[place_of(w, hash)] == hash; }

static void remember(reducer *w, uint64_t hash) {
    if (2 * (w->n_seen + 1) > w->seen_mask) {
        reducer bigger = {.seen_mask = w->seen_mask ? 2 * w->seen_mask + 1 : 255};
        bigger.seen = tct_alloc((bigger.seen_mask + 1) * sizeof *bigger.seen);
        for (size_t k = 0; w->seen && k <= w->seen_mask; k++)
            if (w->seen[k]) bigger.seen[place_of(&bigger, w->seen[k])] = w->seen[k];
        tct_heap_free(w->seen);
        w->seen = bigger.seen;
        w->seen_mask = bigger.seen_mask;
    }
    w->seen[place_of(w, hash)] = hash;
    w->n_seen++;
}

static void close_graph(reducer *w) {
    tct_ir_module_free(w->m);
    tct_diag_free(&w->d);
    w->m = NULL;
    w->d = (tct_diag){0};
}

static bool open_graph(reducer *w) {
    w->m = tct_ir_module_new();
    w->g = tct_ir_parse(&w->d, w->m, w->path, w->best.data, w->best.len);
    if (!w->g) return false;
    w->state.nodes = tct_reduce_count(w->g);
    w->state.inputs = w->g->inputs.len;
    return true;
}

static void tell(reducer *w, bool found) {
    if (w->r->progress)
        w->r->progress(w->r->ctx, &w->state, found ? w->best.data : NULL, found ? w->best.len : 0);
}

// Whether the candidate (NULL: there is none) verifies and fails. Then it is the graph from now on.
static bool attempt(reducer *w, const tct_graph *candidate) {
    tct_diag quiet = {0};
    bool valid = candidate && tct_ir_verify(&quiet, candidate, NULL);
    tct_diag_free(&quiet);
    if (!valid) return false;
    tct_buf text = {0};
    // A text with a table of files goes on saying where its nodes are from; one without has nothing to say.
    tct_ir_print(candidate, &text, w->d.sources.len > 1 ? &w->d : NULL);
    uint64_t hash = hash_of(&text);
    bool same = text.len == w->best.len && memcmp(text.data, w->best.data, text.len) == 0, found = false;
    if (!same && !is_seen(w, hash)) {
        found = w->r->fails(w->r->ctx, text.data, text.len);
        w->state.tests++;
        w->state.found += found;
        if (!found) remember(w, hash);
    } else {
        tct_buf_free(&text);
        return false;
    }
    if (found) {
        close_graph(w);
        tct_buf_free(&w->best);
        w->best = text;
        found = open_graph(w);
    } else {
        tct_buf_free(&text);
    }
    tell(w, found);
    return found;
}

static bool attempt_edit(reducer *w, tct_reduce_edit e) {
    e.keep_unused = w->keep_unused;
    return attempt(w, tct_reduce_apply(w->g, &e));
}

// Runs `edit` over n things, in pieces of half of them, a quarter, … one, from the last to the first; edit(w,
// begin, end) says whether the things of that range are gone. True when any are.
static bool in_pieces(reducer *w, size_t (*count)(const reducer *), bool (*edit)(reducer *, size_t, size_t)) {
    bool any = false;
    size_t n = count(w);
    for (size_t piece = n; piece; piece /= 2) {
        for (size_t end = n; end;) {
            size_t begin = end > piece ? end - piece : 0;
            bool gone = edit(w, begin, end);
            any = any || gone;
            n = count(w);
            end = begin < n ? begin : n;
        }
    }
    return any;
}

// --- Outputs ---

static size_t count_outputs(const reducer *w) { return w->g->outputs.len; }

static bool drop_outputs(reducer *w, size_t begin, size_t end) {
    tct_arena arena = {0};
    bool *drop = TCT_NEW_ARRAY(&arena, bool, w->g->outputs.len);
    for (size_t k = begin; k < end && k < w->g->outputs.len; k++) drop[k] = true;
    bool found = attempt_edit(w, (tct_reduce_edit){.drop_outputs = drop});
    tct_arena_free(&arena);
    return found;
}

// Output k is what its node is made of instead; whatever type that has.
static bool raise_output(reducer *w, size_t k) {
    const tct_graph *g = w->g;
    const tct_node *n = tct_node_of(g, g->outputs.data[k].value);
    if (n->op == TCT_IR_GET) n = tct_node_of(g, n->in[0]);
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (tct_node_of(g, n->in[i])->bundle) continue;
        tct_arena arena = {0};
        tct_value *outputs = TCT_NEW_ARRAY(&arena, tct_value, g->outputs.len);
        for (size_t j = 0; j < g->outputs.len; j++) outputs[j] = j == k ? n->in[i] : g->outputs.data[j].value;
        bool found = attempt_edit(w, (tct_reduce_edit){.outputs = outputs, .drop_aliases = true});
        tct_arena_free(&arena);
        if (found) return true;
    }
    return false;
}

static bool raise_outputs(reducer *w) {
    bool any = false;
    for (size_t k = 0; k < w->g->outputs.len; k++)
        while (k < w->g->outputs.len && raise_output(w, k)) any = true;
    return any;
}

// --- Nodes ---

static size_t count_nodes(const reducer *w) { return w->g->nodes.len; }

// A piece of the nodes, each replaced as `choose` says.
static bool replace_nodes(reducer *w, size_t begin, size_t end,
                          tct_value (*choose)(const tct_graph *g, tct_value v)) {
    tct_arena arena = {0};
    const tct_graph *g = w->g;
    tct_value *nodes = TCT_NEW_ARRAY(&arena, tct_value, g->nodes.len);
    bool any = false;
    for (size_t v = 0; v < g->nodes.len; v++) nodes[v] = TCT_REDUCE_KEEP;
    for (size_t v = begin; v < end && v < g->nodes.len; v++) {
        nodes[v] = choose(g, (tct_value)v);
        any = any || nodes[v] != TCT_REDUCE_KEEP;
    }
    bool found = any && attempt_edit(w, (tct_reduce_edit){.nodes = nodes});
    tct_arena_free(&arena);
    return found;
}

static tct_value operand(const tct_graph *g, tct_value v, uint32_t number) {
    const tct_node *n = tct_node_of(g, v);
    for (uint32_t k = 0; k < n->n_in; k++)
        if (tct_reduce_fits(g, v, n->in[k]) && number-- == 0) return n->in[k];
    return TCT_REDUCE_KEEP;
}

static tct_value first_operand(const tct_graph *g, tct_value v) { return operand(g, v, 0); }
static tct_value second_operand(const tct_graph *g, tct_value v) { return operand(g, v, 1); }
// Another input of the type of an input, nearer to the first.
static tct_value a_twin(const tct_graph *g, tct_value v) {
    const tct_node *n = tct_node_of(g, v);
    for (int64_t k = 0; n->op == TCT_IR_INPUT && k < n->attr.i; k++)
        if (tct_reduce_fits(g, v, g->inputs.data[k])) return g->inputs.data[k];
    return TCT_REDUCE_KEEP;
}
static tct_value an_input(const tct_graph *g, tct_value v) {
    return tct_reduce_is_plain(g, v) ? TCT_REDUCE_INPUT : TCT_REDUCE_KEEP;
}
static tct_value a_zero(const tct_graph *g, tct_value v) {
    return tct_reduce_is_plain(g, v) ? TCT_REDUCE_ZERO : TCT_REDUCE_KEEP;
}

static bool drop_unused(reducer *w, size_t begin, size_t end) {
    tct_arena arena = {0};
    const tct_graph *g = w->g;
    const bool *used = tct_reduce_used(&arena, g);
    tct_value *nodes = TCT_NEW_ARRAY(&arena, tct_value, g->nodes.len);
    for (size_t v = 0; v < g->nodes.len; v++)
        nodes[v] = v >= begin && v < end && !used[v] ? TCT_REDUCE_DROP : TCT_REDUCE_KEEP;
    bool found = attempt_edit(w, (tct_reduce_edit){.nodes = nodes});
    tct_arena_free(&arena);
    return found;
}

// A node that nobody uses as the first result: from then on only results count.
static bool unused_as_output(reducer *w) {
    bool found = false;
    for (size_t v = w->g->nodes.len; v-- > 0 && !found && w->g->outputs.len;) {
        tct_arena arena = {0};
        const tct_graph *g = w->g;
        const bool *used = tct_reduce_used(&arena, g);
        tct_value *outputs = TCT_NEW_ARRAY(&arena, tct_value, g->outputs.len);
        for (size_t k = 0; k < g->outputs.len; k++) outputs[k] = k ? g->outputs.data[k].value : (tct_value)v;
        const tct_node *n = tct_node_of(g, (tct_value)v);
        tct_reduce_edit e = {.outputs = outputs, .drop_aliases = true};
        found = !used[v] && !n->bundle && n->op != TCT_IR_INPUT && attempt(w, tct_reduce_apply(g, &e));
        tct_arena_free(&arena);
    }
    if (found) w->keep_unused = false;
    return found;
}

static bool to_inputs(reducer *w, size_t begin, size_t end) { return replace_nodes(w, begin, end, an_input); }
static bool to_zeros(reducer *w, size_t begin, size_t end) { return replace_nodes(w, begin, end, a_zero); }
static bool to_twins(reducer *w, size_t begin, size_t end) { return replace_nodes(w, begin, end, a_twin); }
static bool to_operands(reducer *w, size_t begin, size_t end) {
    return replace_nodes(w, begin, end, first_operand) ||
           (end - begin == 1 && replace_nodes(w, begin, end, second_operand));
}

// --- Bodies ---

static bool has_body(const tct_node *n) { return n->op == TCT_IR_FUSED || n->op == TCT_IR_SCAN; }

// The body of node v with its node u replaced.
static bool edit_body(reducer *w, tct_value v, tct_value u, tct_value by) {
    tct_arena arena = {0};
    tct_graph *body = w->g->nodes.data[v].attr.body;
    tct_value *nodes = TCT_NEW_ARRAY(&arena, tct_value, body->nodes.len);
    for (size_t k = 0; k < body->nodes.len; k++) nodes[k] = TCT_REDUCE_KEEP;
    nodes[u] = by;
    tct_graph *smaller = tct_reduce_apply(body, &(tct_reduce_edit){.nodes = nodes});
    bool found = attempt(w, tct_reduce_with_body(w->g, v, smaller));
    tct_arena_free(&arena);
    return found;
}

static bool shrink_body(reducer *w, tct_value v) {
    bool any = false;
    for (size_t u = w->g->nodes.data[v].attr.body->nodes.len; u-- > 0;) {
        const tct_graph *body = w->g->nodes.data[v].attr.body;
        if (u >= body->nodes.len) continue;
        tct_value by = operand(body, (tct_value)u, 0);
        bool gone = (by != TCT_REDUCE_KEEP && edit_body(w, v, (tct_value)u, by)) ||
                    (tct_reduce_is_plain(w->g->nodes.data[v].attr.body, (tct_value)u) &&
                     edit_body(w, v, (tct_value)u, TCT_REDUCE_ZERO));
        any = any || gone;
        // What was before a node stands where it stood, or further up; the node with the body may, too.
        if (gone && (v >= w->g->nodes.len || !has_body(&w->g->nodes.data[v]))) return true;
    }
    return any;
}

static bool unwrap_bodies(reducer *w) {
    bool any = false;
    for (size_t v = w->g->nodes.len; v-- > 0;) {
        if (v >= w->g->nodes.len || !has_body(&w->g->nodes.data[v])) continue;
        if (attempt(w, tct_reduce_unwrap(w->g, (tct_value)v)) ||
            attempt(w, tct_reduce_trim(w->g, (tct_value)v)) || shrink_body(w, (tct_value)v))
            any = true;
    }
    return any;
}

// --- Sizes ---

static bool shrink_axes(reducer *w) {
    static const int64_t sizes[] = {1, 2, 3, 4};
    enum { N_SIZES = sizeof sizes / sizeof *sizes };
    bool any = false;
    for (int k = 0; k < N_SIZES && !any; k++) any = attempt(w, tct_reduce_resize(w->g, UINT32_MAX, sizes[k]));
    for (tct_axis a = 0; a < w->m->axes.len; a++) {
        bool found = false;
        for (int k = 0; k < N_SIZES && !found; k++) found = attempt(w, tct_reduce_resize(w->g, a, sizes[k]));
        while (!found && a < w->m->axes.len && w->m->axes.data[a].size > 2 * sizes[N_SIZES - 1] &&
               attempt(w, tct_reduce_resize(w->g, a, w->m->axes.data[a].size / 2)))
            any = true;
        any = any || found;
    }
    return any;
}

// --- Rounds ---

static bool tidy(reducer *w) {
    bool aliases = attempt_edit(w, (tct_reduce_edit){.drop_aliases = true, .drop_inputs = true});
    return attempt_edit(w, (tct_reduce_edit){.drop_inputs = true}) || aliases;
}

// Away with nodes that nobody uses; if they are what fails they have to be kept by all edits.
static bool prune(reducer *w) {
    tct_arena arena = {0};
    const bool *used = tct_reduce_used(&arena, w->g);
    bool any = false;
    for (size_t v = 0; v < w->g->nodes.len; v++)
        any = any || (!used[v] && w->g->nodes.data[v].op != TCT_IR_INPUT);
    tct_arena_free(&arena);
    w->keep_unused = false;
    bool gone = any && attempt_edit(w, (tct_reduce_edit){0});
    w->keep_unused = any && !gone;
    return gone;
}

static bool run_round(reducer *w) {
    bool any = false;
    w->state.what = "unused nodes";
    any |= prune(w);
    if (w->keep_unused) any |= in_pieces(w, count_nodes, drop_unused);
    if (w->keep_unused) any |= unused_as_output(w);
    w->state.what = "outputs";
    any |= in_pieces(w, count_outputs, drop_outputs);
    w->state.what = "inputs";
    any |= tidy(w);
    w->state.what = "nodes";
    any |= in_pieces(w, count_nodes, to_inputs);
    any |= in_pieces(w, count_nodes, to_operands);
    any |= in_pieces(w, count_nodes, to_zeros);
    any |= raise_outputs(w);
    any |= in_pieces(w, count_nodes, to_twins);
    any |= tidy(w);
    w->state.what = "bodies";
    any |= unwrap_bodies(w);
    w->state.what = "sizes";
    any |= shrink_axes(w);
    return any;
}

bool tct_reduce(tct_diag *d, const char *path, const char *text, size_t len, const tct_reduce_request *r,
                tct_buf *out) {
    reducer w = {.r = r, .path = path};
    tct_buf_add(&w.best, text, len);
    tct_ir_module *m = tct_ir_module_new();
    bool ok = tct_ir_parse(d, m, path, text, len) != NULL && open_graph(&w);
    tct_ir_module_free(m);
    if (ok) {
        while (run_round(&w)) continue;
        tct_buf_add(out, w.best.data, w.best.len);
    }
    close_graph(&w);
    tct_heap_free(w.seen);
    tct_buf_free(&w.best);
    return ok;
}
