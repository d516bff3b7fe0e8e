// Statements and blocks.
#include "frontend/parse.h"

#include <string.h>

static tct_stmt *parse_stmt(tct_parser *p);

static tct_stmt *new_stmt(tct_parser *p, tct_stmt_kind kind) {
    tct_stmt *s = TCT_NEW(&p->ast->arena, tct_stmt);
    s->kind = kind;
    return s;
}

static bool one_name(tct_parser *p, tct_stmt *s, const char *what) {
    tct_name name;
    if (!tct_expect_name(p, what, &name)) return false;
    TCT_TREE_PUSH(p, s->names, s->n_names, name);
    return true;
}

// `(a, b)` of a let.
static bool tuple_names(tct_parser *p, tct_stmt *s) {
    uint32_t open = p->pos++;
    s->tuple = true;
    do {
        if (!one_name(p, s, "a name")) return false;
    } while (tct_accept(p, TCT_TOK_COMMA) && p->pos < p->list[open].match);
    return tct_expect(p, TCT_TOK_RPAREN, NULL);
}

static tct_stmt *parse_let(tct_parser *p) {
    tct_stmt *s = new_stmt(p, TCT_STMT_LET);
    s->mutable = tct_take(p)->kind == TCT_TOK_VAR;
    if (tct_is(p, TCT_TOK_LPAREN)) {
        if (!tuple_names(p, s)) return NULL;
    } else if (!one_name(p, s, "a name")) {
        return NULL;
    }
    if (tct_is(p, TCT_TOK_COMMA) && !s->tuple) {
        if (tct_expected(p, "`=`"))
            tct_help(p->d, "several results are taken apart with parentheses: `let (a, b) = e`");
        return NULL;
    }
    if (tct_accept(p, TCT_TOK_COLON)) {
        s->type = tct_parse_type(p);
        if (!s->type) return NULL;
    }
    if (!tct_expect(p, TCT_TOK_ASSIGN, s->mutable ? "and its first value" : "and its value")) return NULL;
    s->value = tct_parse_expr(p);
    return s->value ? s : NULL;
}

// Statements of the form `axis J = 4`, `state v = 0.0`.
static tct_stmt *parse_declaration(tct_parser *p, tct_stmt_kind kind) {
    tct_stmt *s = new_stmt(p, kind);
    p->pos++;
    if (!one_name(p, s, "a name")) return NULL;
    if (kind == TCT_STMT_STATE && tct_accept(p, TCT_TOK_COLON)) {
        s->type = tct_parse_type(p);
        if (!s->type) return NULL;
    }
    if (kind == TCT_STMT_STATE && !tct_is(p, TCT_TOK_ASSIGN)) {
        tct_expect(p, TCT_TOK_ASSIGN, "and its first value");
        return NULL;
    }
    if (!tct_accept(p, TCT_TOK_ASSIGN)) return s;
    s->value = tct_parse_expr(p);
    return s->value ? s : NULL;
}

// After an error before a block: the block is still read, for the errors in it.
static bool skip_to_block(tct_parser *p) {
    uint32_t open = tct_tok(p)->open;
    while (!tct_is(p, TCT_TOK_END) && !tct_is(p, TCT_TOK_LBRACE)) {
        if (tct_tok(p)->newline || (open != TCT_NO_TOKEN && p->pos >= p->list[open].match)) return false;
        p->pos++;
    }
    return tct_is(p, TCT_TOK_LBRACE);
}

static tct_block *loop_body(tct_parser *p, const char *what) {
    p->loops++;
    tct_block *b = tct_parse_block(p, what, false);
    p->loops--;
    return b;
}

static tct_stmt *parse_for(tct_parser *p) {
    tct_stmt *s = new_stmt(p, TCT_STMT_FOR);
    p->pos++;
    bool ok = one_name(p, s, "a name");
    if (ok && tct_is(p, TCT_TOK_ASSIGN)) {
        ok = false;
        if (tct_expected(p, "`in`")) tct_help(p->d, "a loop over numbers is `for i in range(n) { … }`");
    }
    ok = ok && tct_expect(p, TCT_TOK_IN, NULL);
    s->value = ok ? tct_parse_expr(p) : NULL;
    if (!s->value && !skip_to_block(p)) return NULL;
    s->body = loop_body(p, "of the loop");
    return s->value && s->body ? s : NULL;
}

static tct_stmt *parse_while(tct_parser *p) {
    tct_stmt *s = new_stmt(p, TCT_STMT_WHILE);
    p->pos++;
    s->value = tct_parse_condition(p);
    if (!s->value && !skip_to_block(p)) return NULL;
    s->body = loop_body(p, "of the loop");
    return s->value && s->body ? s : NULL;
}

static tct_stmt *parse_if(tct_parser *p) {
    tct_stmt *s = new_stmt(p, TCT_STMT_IF);
    uint32_t first = p->pos++;
    s->value = tct_parse_condition(p);
    if (!s->value && !skip_to_block(p)) return NULL;
    s->body = tct_parse_block(p, "after the condition", false);
    if (!s->body) return NULL;
    bool ok = s->value != NULL;
    bool elif = tct_is_word(tct_tok(p), "elif") || tct_is_word(tct_tok(p), "elseif");
    if (elif) {
        ok = false;
        if (tct_syntax_error(p, "E0106", tct_token_span(p, tct_tok(p)), "`%s` is not a keyword",
                             tct_tok(p)->text))
            tct_help(p->d, "write `else if`");
    }
    if (elif || (tct_accept(p, TCT_TOK_ELSE) && tct_is(p, TCT_TOK_IF))) {
        uint32_t inner = p->pos;
        if (!tct_enter(p)) return NULL;
        tct_stmt *chain = parse_if(p);
        tct_leave(p);
        if (!chain) return NULL;
        s->otherwise = TCT_NEW(&p->ast->arena, tct_block);
        TCT_TREE_PUSH(p, s->otherwise->stmts, s->otherwise->n_stmts, chain);
        s->otherwise->span = tct_span_from(p, inner);
    } else if (p->list[p->pos - 1].kind == TCT_TOK_ELSE) {
        s->otherwise = tct_parse_block(p, "after `else`", false);
        ok = ok && s->otherwise;
    }
    s->span = tct_span_from(p, first);
    return ok ? s : NULL;
}

static tct_stmt *parse_leave(tct_parser *p) {
    const tct_token *t = tct_take(p);
    bool is_break = t->kind == TCT_TOK_BREAK;
    if (p->loops == 0) {
        if (tct_syntax_error(p, "E0109", tct_token_span(p, t), "`%s` outside a loop", t->text) && p->scans)
            tct_help(p->d, "a scan runs over the whole axis; `where` chooses per position");
        return NULL;
    }
    return new_stmt(p, is_break ? TCT_STMT_BREAK : TCT_STMT_CONTINUE);
}

static tct_stmt *parse_return(tct_parser *p) {
    tct_stmt *s = new_stmt(p, TCT_STMT_RETURN);
    const tct_token *t = tct_take(p);
    bool place = p->scans == 0 && (p->in == TCT_ITEM_GRAPH || p->in == TCT_ITEM_FN);
    if (!place) {
        if (tct_syntax_error(p, "E0109", tct_token_span(p, t), "`return` outside a graph or fn")) {
            if (p->scans) tct_help(p->d, "a scan gives its values with `yield`");
            if (p->in == TCT_ITEM_OPTIMIZER)
                tct_help(p->d, "an optimizer assigns: `param = param - lr * grad`");
        }
        return NULL;
    }
    if (tct_tok(p)->newline || tct_is(p, TCT_TOK_RBRACE)) return s;
    s->value = tct_parse_values(p);
    return s->value ? s : NULL;
}

static tct_stmt *parse_yield(tct_parser *p) {
    tct_stmt *s = new_stmt(p, TCT_STMT_YIELD);
    const tct_token *t = tct_take(p);
    if (p->scans == 0) {
        tct_syntax_error(p, "E0109", tct_token_span(p, t), "`yield` outside a scan");
        return NULL;
    }
    s->value = tct_parse_values(p);
    return s->value ? s : NULL;
}

static tct_stmt *parse_assert(tct_parser *p) {
    tct_stmt *s = new_stmt(p, TCT_STMT_ASSERT);
    p->pos++;
    s->value = tct_parse_condition(p);
    if (!s->value) return NULL;
    if (!tct_accept(p, TCT_TOK_COMMA)) return s;
    s->message = tct_parse_expr(p);
    return s->message ? s : NULL;
}

static tct_stmt *parse_stage(tct_parser *p) {
    tct_stmt *s = new_stmt(p, TCT_STMT_STAGE);
    const tct_token *t = tct_take(p);
    s->doc = t->doc;
    bool place = p->in == TCT_ITEM_PIPELINE && p->stages == 0;
    if (!place) tct_syntax_error(p, "E0109", tct_token_span(p, t), "`stage` outside a pipeline");
    bool ok = one_name(p, s, "the stage's name");
    if (!ok && !skip_to_block(p)) return NULL;
    p->stages++;
    s->body = tct_parse_block(p, "of the stage", false);
    p->stages--;
    return place && ok && s->body ? s : NULL;
}

static bool is_target(const tct_expr *e) {
    while (e->kind == TCT_EXPR_FIELD || (e->kind == TCT_EXPR_INDEX && !e->args[0].name.text)) e = e->a;
    return e->kind == TCT_EXPR_NAME;
}

// An expression, or an assignment to one.
static tct_stmt *parse_simple(tct_parser *p) {
    const tct_token *t = tct_tok(p);
    bool sign = t->kind == TCT_TOK_MINUS;
    tct_stmt *s = new_stmt(p, TCT_STMT_EXPR);
    s->value = tct_parse_expr(p);
    if (!s->value) return NULL;
    if (!tct_is(p, TCT_TOK_ASSIGN)) {
        bool last = tct_is(p, TCT_TOK_RBRACE);
        if (!sign || last) return s;
        if (tct_syntax_error(p, "E0104", tct_token_span(p, t),
                             "a line that begins with `-` is a statement of its own"))
            tct_help(p->d, "to go on with the line before, put the `-` at that line's end");
        return NULL;
    }
    if (!is_target(s->value)) {
        if (tct_syntax_error(p, "E0104", s->value->span, "cannot assign to this"))
            tct_help(p->d, "a variable, a field of one or an element of a list stands left of `=`");
        return NULL;
    }
    p->pos++;
    s->kind = TCT_STMT_ASSIGN;
    s->target = s->value;
    s->value = tct_parse_expr(p);
    return s->value ? s : NULL;
}

// A word at the beginning of a statement that other languages have and this one has not.
static bool habit_statement(tct_parser *p) {
    static const struct {
        const char *word, *help;
    } habits[] = {
        {"const", "a value is named with `let`"},
        {"val", "a value is named with `let`"},
        {"def", "a procedure is `fn name(…) { … }`, at the level of the file"},
        {"func", "a procedure is `fn name(…) { … }`, at the level of the file"},
        {"function", "a procedure is `fn name(…) { … }`, at the level of the file"},
        {"mut", "a variable is declared with `var`"},
        {"switch", "write `if … { … } else if … { … }`"},
        {"match", "write `if … { … } else if … { … }`"},
        {"loop", "write `while true { … }`"},
        {"import", "a file is used with `use`, at its beginning"},
        {"raise", "a condition that must hold is `assert c, \"why\"`"},
        {"throw", "a condition that must hold is `assert c, \"why\"`"},
        {"pass", "an empty block is `{}`"},
    };
    const tct_token *t = tct_tok(p), *after = tct_tok_at(p, 1);
    if (t->kind != TCT_TOK_NAME) return false;
    bool alone = after->newline || after->kind == TCT_TOK_RBRACE;
    for (size_t k = 0; k < sizeof habits / sizeof habits[0]; k++) {
        if (strcmp(t->text, habits[k].word) != 0) continue;
        if (strcmp(t->text, "pass") == 0 || strcmp(t->text, "raise") == 0 ? !alone
                                                                          : after->kind != TCT_TOK_NAME)
            continue;
        if (tct_syntax_error(p, "E0106", tct_token_span(p, t), "`%s` is not a keyword", t->text))
            tct_help(p->d, "%s", habits[k].help);
        return true;
    }
    return false;
}

static tct_stmt *parse_word(tct_parser *p) {
    const tct_token *t = tct_tok(p), *after = tct_tok_at(p, 1);
    bool declares = after->kind == TCT_TOK_NAME && !after->newline;
    if (declares && tct_is_word(t, "axis")) return parse_declaration(p, TCT_STMT_AXIS);
    if (declares && tct_is_word(t, "state")) {
        if (p->in == TCT_ITEM_OPTIMIZER) return parse_declaration(p, TCT_STMT_STATE);
        tct_syntax_error(p, "E0109", tct_token_span(p, t), "`state` outside an optimizer");
        return NULL;
    }
    return habit_statement(p) ? NULL : parse_simple(p);
}

static tct_stmt *parse_kind(tct_parser *p) {
    switch (tct_tok(p)->kind) {
    case TCT_TOK_LET:
    case TCT_TOK_VAR:
        return parse_let(p);
    case TCT_TOK_FOR:
        return parse_for(p);
    case TCT_TOK_WHILE:
        return parse_while(p);
    case TCT_TOK_IF:
        return parse_if(p);
    case TCT_TOK_RETURN:
        return parse_return(p);
    case TCT_TOK_YIELD:
        return parse_yield(p);
    case TCT_TOK_ASSERT:
        return parse_assert(p);
    case TCT_TOK_BREAK:
    case TCT_TOK_CONTINUE:
        return parse_leave(p);
    case TCT_TOK_STAGE:
        return parse_stage(p);
    case TCT_TOK_NAME:
        return parse_word(p);
    case TCT_TOK_ELSE:
        tct_syntax_error(p, "E0104", tct_token_span(p, tct_tok(p)), "`else` without an `if` before it");
        return NULL;
    default:
        return parse_simple(p);
    }
}

static tct_stmt *parse_stmt(tct_parser *p) {
    if (!tct_enter(p)) return NULL;
    uint32_t first = p->pos;
    tct_stmt *s = parse_kind(p);
    tct_leave(p);
    if (s) s->span = tct_span_from(p, first);
    return s;
}

static uint32_t higher(uint32_t h, uint32_t other) { return other > h ? other : h; }

static uint32_t stmt_height(const tct_stmt *s) {
    uint32_t h = 0;
    const tct_expr *exprs[] = {s->target, s->value, s->message};
    for (int k = 0; k < 3; k++)
        if (exprs[k]) h = higher(h, exprs[k]->height);
    if (s->body) h = higher(h, s->body->height);
    if (s->otherwise) h = higher(h, s->otherwise->height);
    return h + 1;
}

static bool set_height(tct_parser *p, tct_block *b) {
    uint32_t h = 0;
    for (uint32_t k = 0; k < b->n_stmts; k++) {
        // The chain of an `else if` has no braces: its block is measured with it.
        tct_stmt *s = b->stmts[k];
        if (s->kind == TCT_STMT_IF && s->otherwise && !s->otherwise->height && !set_height(p, s->otherwise))
            return false;
        h = higher(h, stmt_height(s));
    }
    b->height = (uint16_t)(h + 1);
    return tct_check_height(p, h + 1, b->span);
}

// Makes the last statement of an if expression's block an expression: an `if` there is one too.
static bool end_with_value(tct_parser *p, tct_block *b, tct_span close) {
    if (b->n_stmts == 0) {
        if (tct_syntax_error(p, "E0104", close, "expected an expression: the value of this block"))
            tct_help(p->d, "both blocks of an `if` that is a value end with an expression");
        return false;
    }
    tct_stmt *s = b->stmts[b->n_stmts - 1];
    if (s->kind == TCT_STMT_EXPR) return true;
    if (s->kind != TCT_STMT_IF || !s->otherwise) {
        if (tct_syntax_error(p, "E0104", s->span, "expected an expression: the value of this block"))
            tct_help(p->d, "both blocks of an `if` that is a value end with an expression%s",
                     s->kind == TCT_STMT_IF ? ", and this `if` has no `else`" : "");
        return false;
    }
    if (!end_with_value(p, s->body, s->body->span) || !end_with_value(p, s->otherwise, s->otherwise->span))
        return false;
    if (!set_height(p, s->body) || !set_height(p, s->otherwise)) return false;
    tct_expr *e = TCT_NEW(&p->ast->arena, tct_expr);
    *e = (tct_expr){
        .kind = TCT_EXPR_IF, .span = s->span, .a = s->value, .then = s->body, .otherwise = s->otherwise};
    uint32_t h = higher(e->a->height, higher(e->then->height, e->otherwise->height)) + 1;
    if (!tct_check_height(p, h, s->span)) return false;
    e->height = (uint16_t)h;
    *s = (tct_stmt){.kind = TCT_STMT_EXPR, .span = s->span, .value = e};
    return true;
}

tct_block *tct_parse_block(tct_parser *p, const char *what, bool value) {
    if (!tct_is(p, TCT_TOK_LBRACE)) {
        bool colon = tct_is(p, TCT_TOK_COLON);
        if (tct_expected(p, tct_arena_printf(&p->d->arena, "`{` and the block %s", what)) && colon)
            tct_help(p->d, "a block stands in braces");
        return NULL;
    }
    uint32_t open = p->pos++, close = p->list[open].match;
    uint32_t errors = p->n_bad;
    tct_block *b = TCT_NEW(&p->ast->arena, tct_block);
    while (p->pos < close) {
        uint32_t first = p->pos;
        tct_begin_entry(p);
        tct_stmt *s = parse_stmt(p);
        if (s) {
            TCT_TREE_PUSH(p, b->stmts, b->n_stmts, s);
            tct_end_entry(p, open, "statement");
        } else {
            p->n_bad++;
            tct_skip_entry(p, open, first);
        }
    }
    p->pos = close + 1;
    b->span = tct_span_from(p, open);
    if (!set_height(p, b)) return NULL;
    if (!value || p->n_bad > errors) return b;
    return end_with_value(p, b, tct_token_span(p, &p->list[close])) && set_height(p, b) ? b : NULL;
}
