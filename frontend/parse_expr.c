// Expressions.
#include "frontend/parse.h"

#include <string.h>

static tct_expr *parse_unary(tct_parser *p);
static tct_expr *parse_not(tct_parser *p);

static tct_expr *new_expr(tct_parser *p, tct_expr_kind kind) {
    tct_expr *e = TCT_NEW(&p->ast->arena, tct_expr);
    e->kind = kind;
    return e;
}

static uint32_t max_height(uint32_t h, const tct_expr *e) { return e && e->height > h ? e->height : h; }

// Sets span and height of a complete node; NULL when the tree gets too high.
static tct_expr *finish(tct_parser *p, tct_expr *e, tct_span span) {
    uint32_t h = max_height(max_height(0, e->a), e->b);
    for (uint32_t k = 0; k < e->n_args; k++) h = max_height(h, e->args[k].value);
    if (e->then && e->then->height > h) h = e->then->height;
    if (e->otherwise && e->otherwise->height > h) h = e->otherwise->height;
    if (e->minimize) {
        h = max_height(max_height(h, e->minimize->objective), e->minimize->parts);
        h = max_height(h, e->minimize->clip);
        for (uint32_t k = 0; k < e->minimize->n_with; k++) h = max_height(h, e->minimize->with[k]);
    }
    e->span = span;
    if (!tct_check_height(p, h + 1, span)) return NULL;
    e->height = (uint16_t)(h + 1);
    return e;
}

static tct_span join(const tct_expr *a, const tct_expr *b) {
    return (tct_span){a->span.file, a->span.begin, b->span.end};
}

static tct_expr *binary(tct_parser *p, tct_operator op, tct_span op_span, tct_expr *a, tct_expr *b) {
    tct_expr *e = new_expr(p, TCT_EXPR_BINARY);
    e->op = op;
    e->op_span = op_span;
    e->a = a;
    e->b = b;
    return finish(p, e, join(a, b));
}

static tct_expr *prefix(tct_parser *p, tct_operator op, tct_span op_span, tct_expr *a) {
    if (!a) return NULL;
    tct_expr *e = new_expr(p, TCT_EXPR_UNARY);
    e->op = op;
    e->op_span = op_span;
    e->a = a;
    return finish(p, e, (tct_span){op_span.file, op_span.begin, a->span.end});
}

// Arguments

static bool parse_arg(tct_parser *p, uint32_t open, tct_arg *arg) {
    const tct_token *t = tct_tok(p);
    bool word = t->kind == TCT_TOK_NAME || (t->kind >= TCT_TOK_USE && t->kind <= TCT_TOK_FALSE);
    if (word && tct_tok_at(p, 1)->kind == TCT_TOK_ASSIGN) {
        arg->name = (tct_name){t->text, tct_token_span(p, t)};
        p->pos += 2;
    }
    arg->value = tct_parse_expr(p);
    if (!arg->value) return false;
    if (!tct_is(p, TCT_TOK_ARROW)) return true;
    tct_expr *e = new_expr(p, TCT_EXPR_ARROW);
    e->op_span = tct_token_span(p, tct_tok(p));
    e->a = arg->value;
    arg->value = NULL;
    bool call = p->list[open].kind == TCT_TOK_LPAREN && p->list[open].tight_before;
    if (!call) {
        tct_syntax_error(p, "E0104", e->op_span, "`->` stands only between the arguments of a call");
        return false;
    }
    p->pos++;
    e->b = tct_parse_expr(p);
    if (e->b) arg->value = finish(p, e, join(e->a, e->b));
    return arg->value != NULL;
}

bool tct_parse_args(tct_parser *p, uint32_t open, tct_arg **args, uint32_t *n) {
    uint32_t close = p->list[open].match;
    bool ok = true;
    while (p->pos < close) {
        tct_arg arg = {0};
        if (parse_arg(p, open, &arg) && (p->pos == close || tct_is(p, TCT_TOK_COMMA))) {
            TCT_TREE_PUSH(p, *args, *n, arg);
        } else {
            if (arg.value) {
                const char *want = tct_arena_printf(&p->d->arena, "`,` or `%s`", p->list[close].text);
                tct_expected(p, want);
            }
            ok = false;
            // the next argument, if there is one
            while (p->pos < close && !(tct_is(p, TCT_TOK_COMMA) && tct_tok(p)->open == open)) p->pos++;
        }
        if (p->pos < close) p->pos++; // the comma
    }
    p->pos = close + 1;
    return ok;
}

// Primary expressions

// `( e )`, with a message for a tuple.
static tct_expr *parse_group(tct_parser *p) {
    uint32_t open = p->pos++;
    if (p->pos == p->list[open].match) {
        tct_expected(p, "an expression");
        return NULL;
    }
    tct_expr *e = tct_parse_expr(p);
    if (!e) return NULL;
    if (tct_is(p, TCT_TOK_COMMA) || tct_is(p, TCT_TOK_ASSIGN)) {
        if (tct_syntax_error(p, "E0104", tct_token_span(p, tct_tok(p)), "expected `)`, found `%s`",
                             tct_tok(p)->text))
            tct_help(p->d,
                     "several values stand in parentheses only after `return` and `yield`; a list is written "
                     "`[a, b]`, a structure `{x = a, y = b}`");
        return NULL;
    }
    if (!tct_expect(p, TCT_TOK_RPAREN, NULL)) return NULL;
    return e;
}

static tct_expr *parse_list(tct_parser *p, tct_expr_kind kind) {
    uint32_t open = p->pos++;
    tct_expr *e = new_expr(p, kind);
    if (kind == TCT_EXPR_STRUCT) {
        p->list[open].tight_after = true;
        p->list[p->list[open].match].tight_before = true;
    }
    if (!tct_parse_args(p, open, &e->args, &e->n_args)) return NULL;
    for (uint32_t k = 0; kind == TCT_EXPR_STRUCT && k < e->n_args; k++) {
        if (e->args[k].name.text) continue;
        if (tct_syntax_error(p, "E0104", e->args[k].value->span, "expected `name = value`"))
            tct_help(p->d, "every value of a structure has a name: `{tokens = t, mask = m}`");
        return NULL;
    }
    return finish(p, e, tct_span_from(p, open));
}

static tct_block *value_block(tct_parser *p, const char *what, bool value) {
    if (tct_is(p, TCT_TOK_LBRACE)) tct_tok(p)->in_value = true;
    return tct_parse_block(p, what, value);
}

static tct_expr *parse_if(tct_parser *p) {
    uint32_t first = p->pos++;
    tct_expr *e = new_expr(p, TCT_EXPR_IF);
    e->a = tct_parse_condition(p);
    if (!e->a) return NULL;
    e->then = value_block(p, "after the condition", true);
    if (!e->then) return NULL;
    if (!tct_is(p, TCT_TOK_ELSE)) {
        tct_expected(p, "`else` (an `if` that is a value has both)");
        return NULL;
    }
    p->pos++;
    if (tct_is(p, TCT_TOK_IF)) {
        uint32_t inner = p->pos;
        if (!tct_enter(p)) return NULL;
        tct_expr *chain = parse_if(p);
        tct_leave(p);
        if (!chain) return NULL;
        tct_stmt *s = TCT_NEW(&p->ast->arena, tct_stmt);
        s->kind = TCT_STMT_EXPR;
        s->value = chain;
        s->span = tct_span_from(p, inner);
        e->otherwise = TCT_NEW(&p->ast->arena, tct_block);
        e->otherwise->span = s->span;
        e->otherwise->height = (uint16_t)(chain->height + 1);
        TCT_TREE_PUSH(p, e->otherwise->stmts, e->otherwise->n_stmts, s);
    } else {
        e->otherwise = value_block(p, "after `else`", true);
    }
    return e->otherwise ? finish(p, e, tct_span_from(p, first)) : NULL;
}

static tct_expr *parse_scan(tct_parser *p) {
    uint32_t first = p->pos++;
    tct_expr *e = new_expr(p, TCT_EXPR_SCAN);
    if (!tct_expect_name(p, "the axis that the scan runs along", &e->name)) return NULL;
    e->reverse = tct_accept_word(p, "reverse");
    if (tct_is(p, TCT_TOK_LPAREN)) {
        uint32_t open = p->pos++;
        if (!tct_parse_args(p, open, &e->args, &e->n_args)) return NULL;
        for (uint32_t k = 0; k < e->n_args; k++) {
            if (e->args[k].name.text) continue;
            if (tct_syntax_error(p, "E0104", e->args[k].value->span, "expected `name = initial value`"))
                tct_help(p->d, "what a scan carries has a name: `scan T (acc = 0.0) { … }`");
            return NULL;
        }
    }
    uint32_t loops = p->loops;
    p->loops = 0;
    p->scans++;
    e->then = value_block(p, "of the scan", false);
    p->scans--;
    p->loops = loops;
    return e->then ? finish(p, e, tct_span_from(p, first)) : NULL;
}

// `clip c` after `with …`. On a line of its own it is one only where a statement can't begin so.
static bool at_clip(tct_parser *p) {
    if (!tct_is_word(tct_tok(p), "clip")) return false;
    if (!tct_tok(p)->newline || !tct_in_lines(p, tct_tok(p))) return true;
    switch (tct_tok_at(p, 1)->kind) {
    case TCT_TOK_NAME:
    case TCT_TOK_INT:
    case TCT_TOK_FLOAT:
        return !tct_tok_at(p, 1)->newline;
    default:
        return false;
    }
}

static tct_expr *parse_minimize(tct_parser *p) {
    uint32_t first = p->pos++;
    tct_expr *e = new_expr(p, TCT_EXPR_MINIMIZE);
    tct_minimize *m = e->minimize = TCT_NEW(&p->ast->arena, tct_minimize);
    m->objective = tct_parse_expr(p);
    if (!m->objective) return NULL;
    if (tct_accept(p, TCT_TOK_IN)) {
        m->mixed = tct_accept_word(p, "bf16");
        if (!m->mixed && !tct_accept_word(p, "f32")) return tct_expected(p, "`bf16` or `f32`"), NULL;
    }
    if (tct_accept(p, TCT_TOK_FOR)) {
        if (!tct_expect_name(p, "what one part is called", &m->part)) return NULL;
        if (!tct_expect(p, TCT_TOK_IN, NULL)) return NULL;
        m->parts = tct_parse_expr(p);
        if (!m->parts) return NULL;
    }
    if (!tct_is(p, TCT_TOK_WITH)) {
        if (tct_expected(p, "`with`")) tct_help(p->d, "say who updates: `minimize e with opt(lr = 1e-4)`");
        return NULL;
    }
    do {
        p->pos++; // with, or the comma
        tct_expr *call = tct_parse_expr(p);
        if (!call) return NULL;
        if (call->kind != TCT_EXPR_CALL) {
            if (tct_syntax_error(p, "E0104", call->span, "expected a call of an optimizer"))
                tct_help(p->d, "the optimizer takes its learning rate here: `with opt(lr = 1e-4)`");
            return NULL;
        }
        TCT_TREE_PUSH(p, m->with, m->n_with, call);
    } while (tct_is(p, TCT_TOK_COMMA));
    if (at_clip(p)) {
        p->pos++;
        m->clip = tct_parse_expr(p);
        if (!m->clip) return NULL;
    }
    return finish(p, e, tct_span_from(p, first));
}

static tct_expr *parse_literal(tct_parser *p) {
    static const tct_expr_kind kinds[TCT_N_TOKENS] = {
        [TCT_TOK_FLOAT] = TCT_EXPR_FLOAT, [TCT_TOK_STRING] = TCT_EXPR_STRING, [TCT_TOK_NAME] = TCT_EXPR_NAME,
        [TCT_TOK_TRUE] = TCT_EXPR_BOOL,   [TCT_TOK_FALSE] = TCT_EXPR_BOOL,    [TCT_TOK_INT] = TCT_EXPR_INT,
    };
    const tct_token *t = tct_take(p);
    tct_expr *e = new_expr(p, kinds[t->kind]);
    tct_span span = tct_token_span(p, t);
    e->i = t->kind == TCT_TOK_TRUE ? 1 : t->i;
    e->f = t->f;
    if (t->kind == TCT_TOK_NAME || t->kind == TCT_TOK_STRING) e->name = (tct_name){t->text, span};
    e->op_span = span;
    return finish(p, e, span);
}

// Where an operand must stand and none does.
static tct_expr *no_operand(tct_parser *p) {
    const tct_token *t = tct_tok(p);
    bool end_of_line = t->newline && t->kind != TCT_TOK_END;
    if (!tct_expected(p, "an expression") || end_of_line) return NULL;
    if (t->kind == TCT_TOK_PLUS) tct_help(p->d, "there is no sign `+`");
    if (t->kind == TCT_TOK_DOTS)
        tct_help(p->d, "a range of numbers is `range(n)`, a part of an axis `slice(x, T -> U, start, stop)`");
    if (t->kind == TCT_TOK_COLON) tct_help(p->d, "a part of an axis is `slice(x, T -> U, start, stop)`");
    if (t->kind == TCT_TOK_FN)
        tct_help(p->d, "functions are declared at the level of the file and have names");
    if (tct_token_spelling(t->kind) && t->kind <= TCT_TOK_FALSE)
        tct_note_at(p->d, TCT_NO_SPAN, "`%s` is a keyword and names nothing", t->text);
    return NULL;
}

static tct_expr *parse_primary(tct_parser *p) {
    switch (tct_tok(p)->kind) {
    case TCT_TOK_INT:
    case TCT_TOK_FLOAT:
    case TCT_TOK_STRING:
    case TCT_TOK_TRUE:
    case TCT_TOK_FALSE:
    case TCT_TOK_NAME:
        return parse_literal(p);
    case TCT_TOK_LPAREN:
        return parse_group(p);
    case TCT_TOK_LBRACKET:
        return parse_list(p, TCT_EXPR_LIST);
    case TCT_TOK_LBRACE:
        return parse_list(p, TCT_EXPR_STRUCT);
    case TCT_TOK_IF:
        return parse_if(p);
    case TCT_TOK_SCAN:
        return parse_scan(p);
    case TCT_TOK_MINIMIZE:
        return parse_minimize(p);
    default:
        return no_operand(p);
    }
}

// Calls, indices, fields

static tct_expr *parse_field(tct_parser *p, tct_expr *a) {
    uint32_t point = p->pos++;
    const tct_token *t = tct_tok(p);
    bool word = t->kind == TCT_TOK_NAME || (t->kind >= TCT_TOK_USE && t->kind <= TCT_TOK_FALSE);
    if (!word || t->newline) {
        tct_expected(p, "the name of a field");
        return NULL;
    }
    p->list[point].tight_before = p->list[point].tight_after = true;
    p->pos++;
    tct_expr *e = new_expr(p, TCT_EXPR_FIELD);
    e->a = a;
    e->name = (tct_name){t->text, tct_token_span(p, t)};
    e->op_span = e->name.span;
    if (strcmp(t->text, "shape") == 0 && tct_is(p, TCT_TOK_LBRACKET) && !tct_tok(p)->newline) {
        if (tct_syntax_error(p, "E0106", e->op_span, "a tensor has no positions to index its shape by"))
            tct_help(p->d, "axes have names: `size(T)` is the size of the axis T");
        return NULL;
    }
    return finish(p, e, (tct_span){a->span.file, a->span.begin, e->name.span.end});
}

// Checks that an index is one value or all names; two positions are a habit of arrays.
static bool check_index(tct_parser *p, const tct_expr *e) {
    uint32_t named = 0;
    for (uint32_t k = 0; k < e->n_args; k++) named += e->args[k].name.text != NULL;
    if (e->n_args == 0) {
        if (tct_syntax_error(p, "E0104", e->op_span, "expected an index"))
            tct_help(p->d, "`x[i]` is an element of a list, `f[V = K]` calls f with axis K for its axis V");
        return false;
    }
    if (named == e->n_args || (named == 0 && e->n_args == 1)) return true;
    if (tct_syntax_error(p, "E0106", e->op_span, "a tensor is not indexed by position"))
        tct_help(
            p->d,
            "name the axis: `at(x, T, i)` for one position, `slice(x, T -> U, start, stop)` for several, "
            "`gather(x, V, index)` by a tensor");
    return false;
}

static tct_expr *parse_postfix(tct_parser *p) {
    tct_expr *e = parse_primary(p);
    while (e) {
        const tct_token *t = tct_tok(p);
        if (t->kind == TCT_TOK_DOT) {
            tct_token_kind before = p->list[p->pos - 1].kind;
            if (before == TCT_TOK_INT || before == TCT_TOK_FLOAT) {
                tct_syntax_error(p, "E0104", tct_token_span(p, t), "a number has no fields");
                return NULL;
            }
            e = parse_field(p, e);
        } else if ((t->kind == TCT_TOK_LPAREN || t->kind == TCT_TOK_LBRACKET) && !t->newline) {
            uint32_t open = p->pos++;
            p->list[open].tight_before = true;
            tct_expr *outer = new_expr(p, t->kind == TCT_TOK_LPAREN ? TCT_EXPR_CALL : TCT_EXPR_INDEX);
            outer->a = e;
            if (!tct_parse_args(p, open, &outer->args, &outer->n_args)) return NULL;
            outer->op_span = tct_span_from(p, open);
            if (outer->kind == TCT_EXPR_INDEX && !check_index(p, outer)) return NULL;
            e = finish(p, outer, (tct_span){e->span.file, e->span.begin, outer->op_span.end});
        } else {
            break;
        }
    }
    return e;
}

// Operators

static tct_expr *parse_power(tct_parser *p) {
    tct_expr *a = parse_postfix(p);
    if (!a || !tct_is(p, TCT_TOK_POWER)) return a;
    tct_span op = tct_token_span(p, tct_take(p));
    tct_expr *b = parse_unary(p); // right-associative; the exponent may have a sign
    return b ? binary(p, TCT_OP_POW, op, a, b) : NULL;
}

static tct_expr *parse_unary(tct_parser *p) {
    if (!tct_enter(p)) return NULL;
    tct_expr *e;
    if (tct_is(p, TCT_TOK_MINUS)) {
        tct_tok(p)->tight_after = true;
        tct_span op = tct_token_span(p, tct_take(p));
        e = prefix(p, TCT_OP_NEG, op, parse_unary(p));
    } else if (tct_is(p, TCT_TOK_NOT)) { // `a + not b`: `not` binds looser than what stands before it
        if (tct_syntax_error(p, "E0104", tct_token_span(p, tct_tok(p)), "expected an operand, found `not`"))
            tct_help(p->d, "put it in parentheses: `(not b)`");
        e = NULL;
    } else {
        e = parse_power(p);
    }
    tct_leave(p);
    return e;
}

typedef struct tct_level {
    tct_token_kind token;
    tct_operator op;
    int level; // binds tighter the larger it is
} tct_level;

enum { LEVEL_OR = 1, LEVEL_AND, LEVEL_COMPARE, LEVEL_SUM, LEVEL_PRODUCT };

static const tct_level *level_of(tct_token_kind kind) {
    static const tct_level levels[] = {
        {TCT_TOK_OR, TCT_OP_OR, LEVEL_OR},
        {TCT_TOK_AND, TCT_OP_AND, LEVEL_AND},
        {TCT_TOK_EQ, TCT_OP_EQ, LEVEL_COMPARE},
        {TCT_TOK_NE, TCT_OP_NE, LEVEL_COMPARE},
        {TCT_TOK_LT, TCT_OP_LT, LEVEL_COMPARE},
        {TCT_TOK_LE, TCT_OP_LE, LEVEL_COMPARE},
        {TCT_TOK_GT, TCT_OP_GT, LEVEL_COMPARE},
        {TCT_TOK_GE, TCT_OP_GE, LEVEL_COMPARE},
        {TCT_TOK_PLUS, TCT_OP_ADD, LEVEL_SUM},
        {TCT_TOK_MINUS, TCT_OP_SUB, LEVEL_SUM},
        {TCT_TOK_STAR, TCT_OP_MUL, LEVEL_PRODUCT},
        {TCT_TOK_SLASH, TCT_OP_DIV, LEVEL_PRODUCT},
        {TCT_TOK_DIV, TCT_OP_FLOORDIV, LEVEL_PRODUCT},
        {TCT_TOK_PERCENT, TCT_OP_MOD, LEVEL_PRODUCT},
    };
    for (size_t k = 0; k < sizeof levels / sizeof levels[0]; k++)
        if (levels[k].token == kind) return &levels[k];
    return NULL;
}

// A line that begins with `-` begins a statement; with any other operator it goes on with the one before.
// Inside parentheses and lists lines don't matter.
static bool continues(tct_parser *p) {
    const tct_token *t = tct_tok(p);
    return t->kind != TCT_TOK_MINUS || !t->newline || !tct_in_lines(p, t);
}

static tct_expr *parse_binary(tct_parser *p, int lowest) {
    tct_expr *a = lowest <= LEVEL_AND ? parse_not(p) : parse_unary(p);
    while (a) {
        const tct_level *l = level_of(tct_tok(p)->kind);
        if (!l || l->level < lowest || !continues(p)) return a;
        tct_span op = tct_token_span(p, tct_take(p));
        tct_expr *b = l->level == LEVEL_AND ? parse_not(p) : parse_binary(p, l->level + 1);
        if (!b) return NULL;
        a = binary(p, l->op, op, a, b);
        const tct_level *again = level_of(tct_tok(p)->kind);
        if (a && l->level == LEVEL_COMPARE && again && again->level == LEVEL_COMPARE) {
            if (tct_syntax_error(p, "E0104", tct_token_span(p, tct_tok(p)), "comparisons cannot be chained"))
                tct_help(p->d, "write `a < b and b < c`");
            return NULL;
        }
    }
    return NULL;
}

static tct_expr *parse_not(tct_parser *p) {
    if (!tct_is(p, TCT_TOK_NOT)) return parse_binary(p, LEVEL_COMPARE);
    if (!tct_enter(p)) return NULL;
    tct_span op = tct_token_span(p, tct_take(p));
    tct_expr *e = prefix(p, TCT_OP_NOT, op, parse_not(p));
    tct_leave(p);
    return e;
}

tct_expr *tct_parse_expr(tct_parser *p) {
    if (!tct_enter(p)) return NULL;
    tct_expr *e = parse_binary(p, LEVEL_OR);
    tct_leave(p);
    return e;
}

tct_expr *tct_parse_condition(tct_parser *p) {
    tct_expr *e = tct_parse_expr(p);
    if (!e || !tct_is(p, TCT_TOK_ASSIGN)) return e;
    if (tct_syntax_error(p, "E0104", tct_token_span(p, tct_tok(p)),
                         "expected a condition, found an assignment"))
        tct_help(p->d, "equality is `==`");
    p->pos++;
    return tct_parse_expr(p);
}

// After return and yield a parenthesis holds several values when it has a comma, or a name and `=`.
static bool at_tuple(tct_parser *p) {
    if (!tct_is(p, TCT_TOK_LPAREN)) return false;
    if (tct_tok_at(p, 1)->kind == TCT_TOK_NAME && tct_tok_at(p, 2)->kind == TCT_TOK_ASSIGN) return true;
    uint32_t close = tct_tok(p)->match;
    for (uint32_t k = p->pos + 1; k < close; k++)
        if (p->list[k].kind == TCT_TOK_COMMA && p->list[k].open == p->pos) return true;
    return false;
}

tct_expr *tct_parse_values(tct_parser *p) {
    if (!at_tuple(p)) return tct_parse_expr(p);
    uint32_t open = p->pos++;
    tct_expr *e = new_expr(p, TCT_EXPR_TUPLE);
    if (!tct_parse_args(p, open, &e->args, &e->n_args)) return NULL;
    e->op_span = tct_span_from(p, open);
    return finish(p, e, e->op_span);
}
