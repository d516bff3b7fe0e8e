// What stands in the braces of models and configs.
#include "frontend/parse.h"

#include <string.h>

static bool parse_member(tct_parser *p, tct_member *m);

static bool parse_if_member(tct_parser *p, tct_member *m) {
    m->kind = TCT_MEMBER_IF;
    p->pos++;
    m->value = tct_parse_condition(p);
    if (!m->value || !tct_parse_member_block(p, &m->members, &m->n_members)) return false;
    if (!tct_accept(p, TCT_TOK_ELSE)) return true;
    if (!tct_is(p, TCT_TOK_IF)) return tct_parse_member_block(p, &m->otherwise, &m->n_otherwise);
    tct_member chain = {0};
    if (!tct_enter(p)) return false;
    bool ok = parse_member(p, &chain);
    tct_leave(p);
    if (ok) TCT_TREE_PUSH(p, m->otherwise, m->n_otherwise, chain);
    return ok;
}

// One dimension of a file's tensor: an axis, several merged ones in brackets, or 1.
static bool parse_dim(tct_parser *p, tct_dim *dim) {
    tct_name name;
    if (tct_is(p, TCT_TOK_INT)) {
        if (tct_tok(p)->i == 1) {
            p->pos++;
            return true;
        }
        if (tct_expected(p, "an axis, or 1 for a dimension that no axis has"))
            tct_help(p->d, "give the axis a name");
        return false;
    }
    if (!tct_is(p, TCT_TOK_LBRACKET)) {
        if (!tct_expect_name(p, "an axis", &name)) return false;
        TCT_TREE_PUSH(p, dim->axes, dim->n_axes, name);
        return true;
    }
    uint32_t open = p->pos++;
    do {
        if (!tct_expect_name(p, "an axis", &name)) return false;
        TCT_TREE_PUSH(p, dim->axes, dim->n_axes, name);
    } while (tct_accept(p, TCT_TOK_COMMA) && p->pos < p->list[open].match);
    return tct_expect(p, TCT_TOK_RBRACKET, NULL);
}

// `as "name" [dims]`, when there is one.
static bool parse_as(tct_parser *p, tct_member *m, bool with_dims) {
    if (!tct_accept_word(p, "as")) return true;
    if (!tct_is(p, TCT_TOK_STRING)) return tct_missing(p, "a string: the name in a model folder");
    const tct_token *t = tct_take(p);
    m->as = (tct_name){t->text, tct_token_span(p, t)};
    if (!with_dims || !tct_is(p, TCT_TOK_LBRACKET)) return true;
    uint32_t open = p->pos++;
    while (p->pos < p->list[open].match) {
        tct_dim dim = {0};
        if (!parse_dim(p, &dim)) return false;
        TCT_TREE_PUSH(p, m->dims, m->n_dims, dim);
        if (!tct_accept(p, TCT_TOK_COMMA)) break;
    }
    return tct_expect(p, TCT_TOK_RBRACKET, NULL);
}

static bool parse_axis(tct_parser *p, tct_member *m) {
    m->kind = TCT_MEMBER_AXIS;
    if (!tct_expect_name(p, "the axis's name", &m->name)) return false;
    if (!tct_accept(p, TCT_TOK_ASSIGN)) return true;
    m->value = tct_parse_expr(p);
    return m->value != NULL;
}

static bool parse_let(tct_parser *p, tct_member *m) {
    m->kind = TCT_MEMBER_LET;
    p->pos++;
    if (!tct_expect_name(p, "a name", &m->name) || !tct_expect(p, TCT_TOK_ASSIGN, "and its value"))
        return false;
    m->value = tct_parse_expr(p);
    return m->value != NULL;
}

static bool parse_param(tct_parser *p, tct_member *m) {
    m->kind = TCT_MEMBER_PARAM;
    p->pos++;
    if (!tct_expect_name(p, "the parameter's name", &m->name)) return false;
    if (!tct_expect(p, TCT_TOK_COLON, "and its type")) return false;
    m->type = tct_parse_type(p);
    if (!m->type) return false;
    if (!tct_is(p, TCT_TOK_ASSIGN)) {
        if (tct_expected(p, "`=` and how the parameter begins"))
            tct_help(p->d, "a number, `normal(mean, std)` or `uniform(low, high)`: `param w: f32[C] = 0.0`");
        return false;
    }
    p->pos++;
    m->value = tct_parse_expr(p);
    return m->value && parse_as(p, m, true);
}

// `Model` or `Model(args)`.
static bool parse_model_call(tct_parser *p, tct_member *m) {
    m->type = TCT_NEW(&p->ast->arena, tct_type);
    if (!tct_expect_name(p, "the name of a model", &m->type->name)) return false;
    m->type->span = m->type->name.span;
    if (!tct_is(p, TCT_TOK_LPAREN)) return true;
    uint32_t open = p->pos++;
    p->list[open].tight_before = true;
    return tct_parse_args(p, open, &m->args, &m->n_args);
}

static bool parse_part(tct_parser *p, tct_member *m) {
    m->kind = TCT_MEMBER_PART;
    p->pos++;
    if (!tct_expect_name(p, "the part's name", &m->name)) return false;
    if (!tct_expect(p, TCT_TOK_COLON, "and its model") || !parse_model_call(p, m)) return false;
    if (tct_is(p, TCT_TOK_LBRACKET)) {
        tct_take(p)->tight_before = true;
        m->count = tct_parse_expr(p);
        if (!m->count || !tct_expect(p, TCT_TOK_RBRACKET, NULL)) return false;
    }
    return parse_as(p, m, false);
}

static bool parse_decode(tct_parser *p, tct_member *m) {
    m->kind = TCT_MEMBER_DECODE;
    p->pos++;
    if (!tct_expect_name(p, "the name of a graph", &m->name)) return false;
    return tct_expect(p, TCT_TOK_COLON, "and the model of what it keeps") && parse_model_call(p, m);
}

static bool parse_huggingface(tct_parser *p, tct_member *m) {
    m->kind = TCT_MEMBER_HUGGINGFACE;
    p->pos++;
    if (!tct_is(p, TCT_TOK_STRING)) return tct_missing(p, "a string: the architecture");
    const tct_token *t = tct_take(p);
    m->as = (tct_name){t->text, tct_token_span(p, t)};
    uint32_t open = p->pos;
    if (!tct_expect(p, TCT_TOK_LBRACE, "and the mapping of config.json")) return false;
    while (p->pos < p->list[open].match) {
        tct_arg arg = {0};
        tct_begin_entry(p);
        if (!tct_expect_name(p, "a key of config.json", &arg.name)) return false;
        if (!tct_expect(p, TCT_TOK_ASSIGN, NULL)) return false;
        arg.value = tct_parse_expr(p);
        if (!arg.value) return false;
        TCT_TREE_PUSH(p, m->args, m->n_args, arg);
        tct_accept(p, TCT_TOK_COMMA);
    }
    return tct_expect(p, TCT_TOK_RBRACE, NULL);
}

static bool no_member(tct_parser *p) {
    const tct_token *t = tct_tok(p);
    static const char *const words[] = {"axis", "let", "param", "part", "if", "huggingface", "decode"};
    bool reported =
        tct_expected(p, "a member: `axis`, `let`, `param`, `part`, `if`, `huggingface` or `decode`");
    if (!reported || t->kind != TCT_TOK_NAME) return false;
    const char *near = tct_nearest(t->text, words, sizeof words / sizeof words[0]);
    if (near)
        tct_help(p->d, "did you mean `%s`?", near);
    else if (tct_tok_at(p, 1)->kind == TCT_TOK_COLON)
        tct_help(p->d, "a tensor of the model is `param %s: …`, a model in it `part %s: …`", t->text,
                 t->text);
    else if (tct_tok_at(p, 1)->kind == TCT_TOK_ASSIGN)
        tct_help(p->d, "a value is named with `let %s = …`", t->text);
    return false;
}

// One member; of `axis A = 1, B = 2` the first, at the first comma.
static bool parse_member(tct_parser *p, tct_member *m) {
    const tct_token *t = tct_tok(p);
    bool named = tct_tok_at(p, 1)->kind == TCT_TOK_NAME;
    uint32_t first = p->pos;
    bool ok;
    if (t->kind == TCT_TOK_IF)
        ok = parse_if_member(p, m);
    else if (t->kind == TCT_TOK_LET)
        ok = parse_let(p, m);
    else if (tct_is_word(t, "axis"))
        p->pos++, ok = parse_axis(p, m);
    else if (tct_is_word(t, "param"))
        ok = parse_param(p, m);
    else if (tct_is_word(t, "part"))
        ok = parse_part(p, m);
    else if (tct_is_word(t, "decode") && named)
        ok = parse_decode(p, m);
    else if (tct_is_word(t, "huggingface"))
        ok = parse_huggingface(p, m);
    else
        ok = no_member(p);
    m->doc = t->doc;
    m->span = tct_span_from(p, first);
    return ok;
}

bool tct_parse_member_block(tct_parser *p, tct_member **members, uint32_t *n) {
    uint32_t open = p->pos;
    if (!tct_expect(p, TCT_TOK_LBRACE, "and the members")) return false;
    while (p->pos < p->list[open].match) {
        tct_member m = {0};
        uint32_t start = p->pos;
        tct_begin_entry(p);
        bool ok = tct_enter(p);
        if (ok) {
            ok = parse_member(p, &m);
            while (ok && m.kind == TCT_MEMBER_AXIS && tct_accept(p, TCT_TOK_COMMA)) {
                TCT_TREE_PUSH(p, *members, *n, m);
                uint32_t first = p->pos;
                m = (tct_member){.doc = m.doc};
                ok = parse_axis(p, &m);
                m.span = tct_span_from(p, first);
            }
            tct_leave(p);
        }
        if (ok) {
            TCT_TREE_PUSH(p, *members, *n, m);
            tct_end_entry(p, open, "member");
        } else {
            tct_skip_entry(p, open, start);
        }
    }
    p->pos++;
    return true;
}

static bool parse_config_entry(tct_parser *p, tct_config_entry *e) {
    if (!tct_expect_name(p, "the name of a value or of a group", &e->name)) return false;
    if (tct_is(p, TCT_TOK_LBRACE)) {
        e->group = true;
        if (!tct_enter(p)) return false;
        bool ok = tct_parse_config_block(p, &e->entries, &e->n_entries);
        tct_leave(p);
        return ok;
    }
    if (!tct_is(p, TCT_TOK_COLON)) {
        if (tct_expected(p, "`:` and a type, or `{` and a group"))
            tct_help(p->d, "a value has a type: `%s: int = 1`", e->name.text);
        return false;
    }
    p->pos++;
    e->type = tct_parse_type(p);
    if (!e->type || !tct_expect(p, TCT_TOK_ASSIGN, "and the default")) return false;
    e->value = tct_parse_expr(p);
    if (!e->value) return false;
    if (!tct_accept(p, TCT_TOK_IN)) return true;
    e->low = tct_parse_expr(p);
    if (!e->low) return false;
    if (!tct_is(p, TCT_TOK_DOTS)) {
        if (tct_expected(p, "`..`"))
            tct_help(p->d, "a range is written `in low .. high`; both ends belong to it");
        return false;
    }
    p->pos++;
    e->high = tct_parse_expr(p);
    return e->high != NULL;
}

bool tct_parse_config_block(tct_parser *p, tct_config_entry **entries, uint32_t *n) {
    uint32_t open = p->pos;
    if (!tct_expect(p, TCT_TOK_LBRACE, "and the values")) return false;
    while (p->pos < p->list[open].match) {
        tct_config_entry e = {.doc = tct_tok(p)->doc};
        uint32_t first = p->pos;
        tct_begin_entry(p);
        if (parse_config_entry(p, &e)) {
            e.span = tct_span_from(p, first);
            TCT_TREE_PUSH(p, *entries, *n, e);
            tct_end_entry(p, open, "value");
        } else {
            tct_skip_entry(p, open, first);
        }
    }
    p->pos++;
    return true;
}
