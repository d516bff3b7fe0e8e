// Types: f32[.., B, T = 64], list[int], Gpt2.
#include "frontend/parse.h"

#include <string.h>

static bool parse_type_axes(tct_parser *p, tct_type *type) {
    uint32_t open = p->pos++, close = p->list[open].match;
    while (p->pos < close) {
        if (tct_is(p, TCT_TOK_DOTS) && p->pos == open + 1) {
            p->pos++;
            type->rest = true;
        } else {
            tct_type_axis axis = {0};
            if (tct_is(p, TCT_TOK_INT)) {
                if (tct_expected(p, "the name of an axis"))
                    tct_help(p->d, "axes have names; one that must have this size is written `N = %.*s`",
                             (int)(tct_tok(p)->end - tct_tok(p)->begin),
                             tct_diag_source(p->d, p->ast->file)->text + tct_tok(p)->begin);
                return false;
            }
            if (tct_is(p, TCT_TOK_DOTS)) {
                if (tct_expected(p, "the name of an axis")) tct_help(p->d, "`..` comes first: `f32[.., C]`");
                return false;
            }
            if (!tct_expect_name(p, "an axis", &axis.name)) return false;
            if (tct_accept(p, TCT_TOK_ASSIGN)) {
                axis.size = tct_parse_expr(p);
                if (!axis.size) return false;
            }
            TCT_TREE_PUSH(p, type->axes, type->n_axes, axis);
        }
        if (p->pos < close && !tct_expect(p, TCT_TOK_COMMA, NULL)) return false;
    }
    p->pos = close + 1;
    return true;
}

tct_type *tct_parse_type(tct_parser *p) {
    uint32_t first = p->pos;
    tct_type *type = TCT_NEW(&p->ast->arena, tct_type);
    if (!tct_expect_name(p, "a type", &type->name)) return NULL;
    if (tct_is(p, TCT_TOK_LBRACKET) && !tct_tok(p)->newline) {
        uint32_t open = p->pos;
        p->list[open].tight_before = true;
        if (strcmp(type->name.text, "list") == 0) {
            p->pos++;
            if (!tct_enter(p)) return NULL;
            type->element = tct_parse_type(p);
            tct_leave(p);
            if (!type->element || !tct_expect(p, TCT_TOK_RBRACKET, NULL)) return NULL;
        } else {
            type->has_axes = true;
            if (!parse_type_axes(p, type)) return NULL;
        }
    }
    type->span = tct_span_from(p, first);
    return type;
}
