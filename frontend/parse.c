// Tokens to items; the machinery that the parser's files share.
#include "frontend/parse.h"

#include <stdlib.h>
#include <string.h>

bool tct_is_word(const tct_token *t, const char *word) {
    return t->kind == TCT_TOK_NAME && strcmp(t->text, word) == 0;
}

void tct_begin_entry(tct_parser *p) {
    p->entry = p->pos;
    tct_tok(p)->starts = true;
}

tct_token *tct_take(tct_parser *p) {
    tct_token *t = tct_tok(p);
    if (t->kind != TCT_TOK_END) p->pos++;
    return t;
}

bool tct_accept(tct_parser *p, tct_token_kind kind) {
    bool yes = tct_is(p, kind);
    if (yes) tct_take(p);
    return yes;
}

bool tct_accept_word(tct_parser *p, const char *word) {
    bool yes = tct_is_word(tct_tok(p), word);
    if (yes) p->pos++;
    return yes;
}

tct_span tct_token_span(const tct_parser *p, const tct_token *t) {
    return (tct_span){p->ast->file, t->begin, t->end};
}

tct_span tct_span_from(const tct_parser *p, uint32_t first) {
    uint32_t last = p->pos > first ? p->pos - 1 : first;
    return (tct_span){p->ast->file, p->list[first].begin, p->list[last].end};
}

bool tct_in_lines(const tct_parser *p, const tct_token *t) {
    if (t->open == TCT_NO_TOKEN) return true;
    const tct_token *open = &p->list[t->open];
    return open->kind == TCT_TOK_LBRACE && !open->tight_after;
}

bool tct_syntax_error(tct_parser *p, const char *code, tct_span span, const char *fmt, ...) {
    if (tct_tok(p)->broken) return false;
    va_list ap;
    va_start(ap, fmt);
    const char *text = tct_arena_vprintf(&p->d->arena, fmt, ap);
    va_end(ap);
    tct_error(p->d, code, span, "%s", text);
    return true;
}

bool tct_expected(tct_parser *p, const char *what) {
    const tct_token *t = tct_tok(p);
    if (t->newline && tct_in_lines(p, t) && p->pos > p->entry) {
        uint32_t end = p->list[p->pos - 1].end;
        return tct_syntax_error(p, "E0104", (tct_span){p->ast->file, end, end},
                                "expected %s, found the end of the %s", what,
                                t->kind == TCT_TOK_END ? "file" : "line");
    }
    return tct_syntax_error(p, "E0104", tct_token_span(p, t), "expected %s, found %s", what,
                            tct_token_describe(p->d, p->ast->file, t));
}

bool tct_missing(tct_parser *p, const char *what) {
    tct_expected(p, what);
    return false;
}

bool tct_expect(tct_parser *p, tct_token_kind kind, const char *what) {
    if (tct_accept(p, kind)) return true;
    const char *spelling = tct_token_spelling(kind);
    return tct_missing(
        p, tct_arena_printf(&p->d->arena, "`%s`%s%s", spelling, what ? " " : "", what ? what : ""));
}

bool tct_expect_name(tct_parser *p, const char *what, tct_name *out) {
    const tct_token *t = tct_tok(p);
    if (t->kind == TCT_TOK_NAME) {
        *out = (tct_name){t->text, tct_token_span(p, t)};
        p->pos++;
        return true;
    }
    bool keyword = t->kind >= TCT_TOK_USE && t->kind <= TCT_TOK_FALSE && !t->newline;
    if (tct_expected(p, what) && keyword) tct_help(p->d, "`%s` is a keyword and can't be a name", t->text);
    return false;
}

static bool report_depth(tct_parser *p, tct_span span) {
    if (p->too_deep) return false;
    p->too_deep = true;
    tct_error(p->d, "E0105", span, "nested too deeply: more than %d levels", TCT_MAX_NESTING);
    tct_help(p->d, "give parts of it names with `let`");
    return false;
}

bool tct_enter(tct_parser *p) {
    if (p->depth >= 2 * TCT_MAX_NESTING) return report_depth(p, tct_token_span(p, tct_tok(p)));
    p->depth++;
    return true;
}

void tct_leave(tct_parser *p) { p->depth--; }

bool tct_check_height(tct_parser *p, uint32_t height, tct_span span) {
    return height <= TCT_MAX_NESTING || report_depth(p, span);
}

// Whether a line that begins with `t` goes on with the statement before.
static bool continues_line(const tct_token *t) {
    switch (t->kind) {
    case TCT_TOK_ELSE:
    case TCT_TOK_WITH:
    case TCT_TOK_AND:
    case TCT_TOK_OR:
    case TCT_TOK_DIV:
        return true;
    default:
        return t->kind >= TCT_TOK_ARROW && t->kind != TCT_TOK_MINUS && t->match == TCT_NO_TOKEN;
    }
}

void tct_skip_entry(tct_parser *p, uint32_t open, uint32_t first) {
    uint32_t close = open == TCT_NO_TOKEN ? p->n - 1 : p->list[open].match;
    while (p->pos < close) {
        const tct_token *t = tct_tok(p);
        if (p->pos > first && t->newline && t->open == open && !continues_line(t)) return;
        // what stands in brackets of its own is jumped over
        bool opens = t->match != TCT_NO_TOKEN && t->match > p->pos && t->open == open;
        p->pos = opens ? t->match + 1 : p->pos + 1;
    }
    if (p->pos > close) p->pos = close;
}

void tct_end_entry(tct_parser *p, uint32_t open, const char *what) {
    const tct_token *t = tct_tok(p);
    if (t->newline || t->kind == TCT_TOK_END || (open != TCT_NO_TOKEN && p->pos == p->list[open].match))
        return;
    const char *want = tct_arena_printf(&p->d->arena, "the end of the %s", what);
    if (tct_expected(p, want)) {
        bool begins = t->kind == TCT_TOK_NAME || (t->kind <= TCT_TOK_MINIMIZE && t->kind >= TCT_TOK_USE);
        if (t->kind == TCT_TOK_COLON)
            tct_help(p->d, "a block stands in braces, a type stands after `let name:`");
        else if (begins)
            tct_help(p->d, "every %s has a line of its own", what);
    }
    p->n_bad++;
    tct_skip_entry(p, open, p->pos);
}

// Parameters: `a, b: type` gives both the type.

static bool parse_param(tct_parser *p, tct_param *param) {
    param->doc = tct_tok(p)->doc;
    param->inout = tct_accept(p, TCT_TOK_INOUT);
    if (!tct_expect_name(p, "the name of a parameter", &param->name)) return false;
    if (tct_accept(p, TCT_TOK_COLON)) {
        param->type = tct_parse_type(p);
        if (!param->type) return false;
    }
    if (!tct_accept(p, TCT_TOK_ASSIGN)) return true;
    param->value = tct_parse_expr(p);
    return param->value != NULL;
}

bool tct_parse_params(tct_parser *p, tct_param **params, uint32_t *n) {
    uint32_t open = p->pos;
    if (!tct_expect(p, TCT_TOK_LPAREN, "and the parameters")) return false;
    uint32_t close = p->list[open].match;
    p->list[open].tight_before = true;
    bool ok = true;
    while (ok && p->pos < close) {
        tct_param param = {0};
        ok = parse_param(p, &param);
        if (ok) TCT_TREE_PUSH(p, *params, *n, param);
        if (ok && p->pos < close && !tct_accept(p, TCT_TOK_COMMA)) {
            ok = false;
            bool typed = param.type != NULL;
            if (tct_expected(p, typed ? "`,` or `)`" : "`:` and a type, `,` or `)`") &&
                tct_is(p, TCT_TOK_NAME) && !typed)
                tct_help(p->d, "the type stands after the name: `%s: %s`", tct_tok(p)->text, param.name.text);
        }
    }
    p->pos = close + 1;
    tct_type *type = NULL;
    for (uint32_t k = *n; k-- > 0;) {
        tct_param *param = &(*params)[k];
        if (param->type || param->value)
            type = param->type;
        else
            param->type = type;
    }
    return ok;
}

// Graphs' parameters have types, all of them.
static bool check_typed(tct_parser *p, const tct_item *item) {
    bool ok = true;
    for (uint32_t k = 0; k < item->n_params; k++) {
        if (item->params[k].type) continue;
        ok = false;
        if (tct_syntax_error(p, "E0104", item->params[k].name.span, "the parameter `%s` has no type",
                             item->params[k].name.text))
            tct_help(p->d, "write `%s: f32[B, T]`; only parameters of `fn` may be left without a type",
                     item->params[k].name.text);
    }
    return ok;
}

static bool parse_results(tct_parser *p, tct_item *item) {
    if (!tct_is(p, TCT_TOK_LPAREN)) {
        tct_result r = {.type = tct_parse_type(p)};
        if (r.type) TCT_TREE_PUSH(p, item->results, item->n_results, r);
        return r.type != NULL;
    }
    uint32_t open = p->pos++;
    do {
        tct_result r = {0};
        if (!tct_expect_name(p, "the name of a result", &r.name)) return false;
        if (!tct_expect(p, TCT_TOK_COLON, "and the result's type")) return false;
        r.type = tct_parse_type(p);
        if (!r.type) return false;
        TCT_TREE_PUSH(p, item->results, item->n_results, r);
    } while (tct_accept(p, TCT_TOK_COMMA) && p->pos < p->list[open].match);
    return tct_expect(p, TCT_TOK_RPAREN, NULL);
}

// Items

static bool parse_use(tct_parser *p, tct_item *item) {
    item->kind = TCT_ITEM_USE;
    p->pos++;
    if (tct_is(p, TCT_TOK_STRING)) {
        const tct_token *t = tct_take(p);
        item->string = true;
        item->name = (tct_name){t->text, tct_token_span(p, t)};
        return true;
    }
    uint32_t first = p->pos;
    tct_buf path = {0};
    bool ok = true;
    do {
        const tct_token *t = tct_tok(p);
        bool word = t->kind == TCT_TOK_NAME || (t->kind >= TCT_TOK_USE && t->kind <= TCT_TOK_FALSE);
        if (!word || (t->newline && p->pos > first)) {
            tct_expected(p, p->pos == first ? "a module as `std.loss.rm`, or a file as `\"name.tct\"`"
                                            : "the next part of the module's name");
            ok = false;
            break;
        }
        if (path.len) {
            tct_buf_putc(&path, '.');
            p->list[p->pos - 1].tight_before = p->list[p->pos - 1].tight_after = true;
        }
        tct_buf_puts(&path, t->text);
        p->pos++;
    } while (tct_accept(p, TCT_TOK_DOT));
    if (ok) item->name = (tct_name){tct_arena_strdup(&p->ast->arena, path.data), tct_span_from(p, first)};
    tct_buf_free(&path);
    return ok;
}

// The block of a graph, fn, optimizer or pipeline; after an error in the head, for the errors in it.
static bool parse_body(tct_parser *p, tct_item *item, bool ok) {
    while (!ok && !tct_is(p, TCT_TOK_LBRACE)) {
        if (tct_is(p, TCT_TOK_END) || (tct_tok(p)->newline && tct_tok(p)->open == TCT_NO_TOKEN)) return false;
        p->pos++;
    }
    p->in = item->kind;
    item->body = tct_parse_block(p, "of its statements", false);
    return item->body && ok;
}

static bool parse_graph(tct_parser *p, tct_item *item) {
    item->kind = tct_take(p)->kind == TCT_TOK_FN ? TCT_ITEM_FN : TCT_ITEM_GRAPH;
    bool graph = item->kind == TCT_ITEM_GRAPH;
    bool ok = tct_expect_name(p, graph ? "the graph's name" : "the procedure's name", &item->name);
    ok = ok && tct_parse_params(p, &item->params, &item->n_params);
    if (ok && graph) ok = check_typed(p, item);
    if (ok && graph && !tct_is(p, TCT_TOK_ARROW)) {
        if (tct_expected(p, "`->` and the type of the result"))
            tct_help(p->d, "a graph is a function: `graph f(x: f32[B]) -> f32[B] { … }`");
        ok = false;
    }
    if (ok && tct_accept(p, TCT_TOK_ARROW)) {
        uint32_t first = p->pos;
        ok = parse_results(p, item);
        if (ok && !graph && item->results[0].name.text) {
            ok = false;
            if (tct_syntax_error(p, "E0104", tct_span_from(p, first), "a fn has one result"))
                tct_help(p->d, "return a structure: `return {a = x, b = y}`");
        }
    }
    return parse_body(p, item, ok);
}

static bool parse_optimizer(tct_parser *p, tct_item *item) {
    item->kind = TCT_ITEM_OPTIMIZER;
    p->pos++;
    bool ok = tct_expect_name(p, "the optimizer's name", &item->name);
    ok = ok && tct_parse_params(p, &item->params, &item->n_params) && check_typed(p, item);
    return parse_body(p, item, ok);
}

static bool parse_pipeline(tct_parser *p, tct_item *item) {
    item->kind = TCT_ITEM_PIPELINE;
    p->pos++;
    return parse_body(p, item, tct_expect_name(p, "the pipeline's name", &item->name));
}

static bool parse_extern(tct_parser *p, tct_item *item) {
    item->kind = TCT_ITEM_EXTERN;
    p->pos++;
    if (!tct_expect(p, TCT_TOK_FN, NULL) || !tct_expect_name(p, "the function's name", &item->name))
        return false;
    if (!tct_parse_params(p, &item->params, &item->n_params) || !check_typed(p, item)) return false;
    if (tct_accept(p, TCT_TOK_ARROW) && !parse_results(p, item)) return false;
    if (!tct_is_word(tct_tok(p), "from")) return tct_missing(p, "`from` and the library's file");
    p->pos++;
    if (!tct_is(p, TCT_TOK_STRING)) return tct_missing(p, "a string: the library's file");
    const tct_token *t = tct_take(p);
    item->library = (tct_name){t->text, tct_token_span(p, t)};
    if (!tct_accept_word(p, "gradient")) return true;
    if (!tct_is(p, TCT_TOK_STRING)) return tct_missing(p, "a string: the gradient's name");
    t = tct_take(p);
    item->gradient = (tct_name){t->text, tct_token_span(p, t)};
    return true;
}

static bool parse_model(tct_parser *p, tct_item *item) {
    item->kind = TCT_ITEM_MODEL;
    p->pos++;
    if (!tct_expect_name(p, "the model's name", &item->name)) return false;
    bool ok = true;
    if (tct_is(p, TCT_TOK_LPAREN))
        ok = tct_parse_params(p, &item->params, &item->n_params) && check_typed(p, item);
    return tct_parse_member_block(p, &item->members, &item->n_members) && ok;
}

static bool parse_config(tct_parser *p, tct_item *item) {
    item->kind = TCT_ITEM_CONFIG;
    item->name = (tct_name){"config", tct_token_span(p, tct_take(p))};
    return tct_parse_config_block(p, &item->entries, &item->n_entries);
}

static bool no_item(tct_parser *p) {
    static const char *const words[] = {"use",       "config", "model", "graph",
                                        "optimizer", "extern", "fn",    "pipeline"};
    static const struct {
        const char *word, *help;
    } habits[] = {
        {"import", "a file is used with `use std.loss.rm` or `use \"labels.tct\"`"},
        {"from", "a file is used with `use std.loss.rm` or `use \"labels.tct\"`"},
        {"include", "a file is used with `use std.loss.rm` or `use \"labels.tct\"`"},
        {"def", "a function of tensors is a `graph`, a procedure of stages a `fn`"},
        {"func", "a function of tensors is a `graph`, a procedure of stages a `fn`"},
        {"function", "a function of tensors is a `graph`, a procedure of stages a `fn`"},
        {"class", "parameters with names are a `model`"},
        {"struct", "parameters with names are a `model`"},
        {"const", "constants stand in `config { … }`"},
    };
    const tct_token *t = tct_tok(p);
    bool reported = tct_expected(
        p, "an item: `use`, `config`, `model`, `graph`, `optimizer`, `extern`, `fn` or `pipeline`");
    if (!reported) return false;
    if (t->kind == TCT_TOK_STAGE) tct_help(p->d, "stages stand in a pipeline: `pipeline name { stage … }`");
    if (t->kind == TCT_TOK_LET || t->kind == TCT_TOK_VAR)
        tct_help(p->d,
                 "values stand in graphs, models and pipelines; what can be set from outside is a `config`");
    if (t->kind != TCT_TOK_NAME) return false;
    for (size_t k = 0; k < sizeof habits / sizeof habits[0]; k++)
        if (strcmp(habits[k].word, t->text) == 0) {
            tct_help(p->d, "%s", habits[k].help);
            return false;
        }
    const char *near = tct_nearest(t->text, words, sizeof words / sizeof words[0]);
    if (near) tct_help(p->d, "did you mean `%s`?", near);
    return false;
}

static bool parse_item(tct_parser *p, tct_item *item) {
    const tct_token *t = tct_tok(p);
    item->doc = t->doc;
    switch (t->kind) {
    case TCT_TOK_USE:
        return parse_use(p, item);
    case TCT_TOK_GRAPH:
    case TCT_TOK_FN:
        return parse_graph(p, item);
    case TCT_TOK_OPTIMIZER:
        return parse_optimizer(p, item);
    case TCT_TOK_EXTERN:
        return parse_extern(p, item);
    case TCT_TOK_PIPELINE:
        return parse_pipeline(p, item);
    default:
        if (tct_is_word(t, "model")) return parse_model(p, item);
        if (tct_is_word(t, "config")) return parse_config(p, item);
        return no_item(p);
    }
}

// Moves to the next line that begins at the left edge: an item, or what was meant as one.
static void skip_item(tct_parser *p, uint32_t first) {
    const char *text = tct_diag_source(p->d, p->ast->file)->text;
    uint32_t begin;
    do {
        tct_skip_entry(p, TCT_NO_TOKEN, first);
        first = p->pos;
        begin = tct_tok(p)->begin;
    } while (!tct_is(p, TCT_TOK_END) && begin > 0 && text[begin - 1] != '\n');
}

typedef struct tct_order {
    uint32_t begin, index;
} tct_order;

static int compare_order(const void *a, const void *b) {
    const tct_order *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

// Messages of lexer, brackets and grammar come one after the other; the reader wants them from top to bottom.
static void sort_messages(tct_diag *d, size_t first) {
    size_t n = d->messages.len - first;
    if (n < 2) return;
    tct_message *m = d->messages.data + first;
    tct_order *order = tct_alloc(n * sizeof *order);
    tct_message *copy = tct_alloc(n * sizeof *copy);
    memcpy(copy, m, n * sizeof *m);
    for (size_t k = 0; k < n; k++) order[k] = (tct_order){m[k].span.begin, (uint32_t)k};
    qsort(order, n, sizeof *order, compare_order);
    for (size_t k = 0; k < n; k++) m[k] = copy[order[k].index];
    tct_heap_free(copy);
    tct_heap_free(order);
}

tct_ast *tct_parse_tokens(tct_diag *d, uint32_t file, tct_tokens *tokens) {
    tct_ast *ast = tct_alloc(sizeof *ast);
    size_t first_message = d->messages.len;
    ast->file = file;
    ast->path = tct_arena_strdup(&ast->arena, tct_diag_source(d, file)->path);
    tct_lex(d, file, &ast->arena, tokens);
    tct_match_brackets(d, tokens);
    tct_parser p = {
        .d = d, .ast = ast, .tokens = tokens, .list = tokens->list.data, .n = (uint32_t)tokens->list.len};
    while (!tct_is(&p, TCT_TOK_END)) {
        tct_item *item = TCT_NEW(&ast->arena, tct_item);
        uint32_t first = p.pos;
        tct_begin_entry(&p);
        if (parse_item(&p, item)) {
            item->span = tct_span_from(&p, first);
            TCT_TREE_PUSH(&p, ast->items, ast->n_items, item);
            tct_end_entry(&p, TCT_NO_TOKEN, "item");
        } else {
            skip_item(&p, first);
        }
    }
    sort_messages(d, first_message);
    return ast;
}

tct_ast *tct_parse(tct_diag *d, uint32_t file) {
    tct_tokens tokens;
    tct_ast *ast = tct_parse_tokens(d, file, &tokens);
    tct_tokens_free(&tokens);
    return ast;
}

void tct_ast_free(tct_ast *ast) {
    if (!ast) return;
    tct_arena_free(&ast->arena);
    tct_heap_free(ast);
}
