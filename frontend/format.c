// Canonical layout. The tokens stay as they are, in their order, with the comments between them; what changes
// is the space: four columns a level, one space or none between tokens, at most one empty line. A block is
// written on one line or opened up entirely; inside parentheses the author's line breaks stay.
#include "frontend/parse.h"

#include <string.h>

typedef struct tct_open_bracket {
    uint32_t token;
    uint32_t base;  // indentation of the line that it stands on
    bool block;     // braces of statements, members, values; not of a structure
    bool opened_up; // a line break follows it
} tct_open_bracket;

typedef struct tct_formatter {
    const tct_source *source;
    const tct_token *tokens;
    const tct_comment *comments;
    size_t n_tokens, n_comments;
    tct_buf *out;
    TCT_VEC(tct_open_bracket) stack;
    uint32_t base;         // indentation that what is opened on this line builds on
    uint32_t last_end;     // source position after the last thing written
    const tct_token *last; // NULL: none yet, or it was a comment
    bool after_comment, after_doc;
    bool item_ended; // a block closed at the left edge: an empty line follows
} tct_formatter;

enum { INDENT = 4 };

// Line breaks of the source before `begin`, since the last thing written.
static uint32_t breaks_before(const tct_formatter *f, uint32_t begin) {
    uint32_t n = 0;
    for (uint32_t k = f->last_end; k < begin; k++) n += f->source->text[k] == '\n';
    return n;
}

static const tct_open_bracket *innermost(const tct_formatter *f) {
    return f->stack.len ? &f->stack.data[f->stack.len - 1] : NULL;
}

static bool in_block(const tct_formatter *f) {
    const tct_open_bracket *b = innermost(f);
    return !b || b->block;
}

// Where lines inside the innermost bracket begin. A parameter list that goes on in the next line stands
// further right than the block that follows it.
static uint32_t content_indent(const tct_formatter *f) {
    const tct_open_bracket *b = innermost(f);
    if (!b) return 0;
    bool head = f->stack.len == 1 && !b->block && !b->opened_up;
    return b->base + (head ? 2 * INDENT : INDENT);
}

static bool is_closing(tct_token_kind k) {
    return k == TCT_TOK_RPAREN || k == TCT_TOK_RBRACKET || k == TCT_TOK_RBRACE;
}

// Where a line that begins with `t` begins.
static uint32_t indent_of(const tct_formatter *f, const tct_token *t) {
    if (is_closing(t->kind)) return innermost(f)->base;
    bool continues = in_block(f) && !t->starts && t->kind != TCT_TOK_ELSE && t->kind != TCT_TOK_LBRACE &&
                     t->kind != TCT_TOK_END;
    return content_indent(f) + (continues ? INDENT : 0);
}

static void new_line(tct_formatter *f, bool empty_line, uint32_t indent) {
    if (f->out->len) tct_buf_puts(f->out, empty_line ? "\n\n" : "\n");
    for (uint32_t k = 0; k < indent; k++) tct_buf_putc(f->out, ' ');
    f->base = indent;
}

static bool spans_lines(const tct_formatter *f, const tct_token *open) {
    const tct_token *close = &f->tokens[open->match];
    return memchr(f->source->text + open->end, '\n', close->begin - open->end) != NULL;
}

// Whether a line begins with `t`.
static bool breaks(const tct_formatter *f, const tct_token *t) {
    if (f->after_comment || !f->last) return true;
    const tct_open_bracket *b = innermost(f);
    if (is_closing(t->kind)) {
        bool empty = f->last == &f->tokens[b->token];
        return b->opened_up && !empty;
    }
    if (b && b->block && t->starts) return b->opened_up;
    if (t->kind == TCT_TOK_COMMA || t->kind == TCT_TOK_ELSE) return false;
    if (t->kind == TCT_TOK_LBRACE && !t->tight_after) { // a block's brace, or an empty structure
        bool operand = f->last->kind == TCT_TOK_COMMA || f->last->kind == TCT_TOK_LPAREN;
        if (!operand) return false;
    }
    return breaks_before(f, t->begin) > 0;
}

static bool spaced(const tct_token *a, const tct_token *b) {
    if (a->tight_after || b->tight_before) return false;
    if (a->kind == TCT_TOK_LPAREN || a->kind == TCT_TOK_LBRACKET) return false;
    if (b->kind == TCT_TOK_RPAREN || b->kind == TCT_TOK_RBRACKET) return false;
    if (b->kind == TCT_TOK_COMMA || b->kind == TCT_TOK_COLON) return false;
    return !(a->kind == TCT_TOK_LBRACE && b->kind == TCT_TOK_RBRACE);
}

static void write_comment(tct_formatter *f, const tct_comment *c, const tct_token *following) {
    uint32_t n = breaks_before(f, c->begin);
    if (c->own_line || f->after_comment) {
        bool first = f->last && innermost(f) && f->last == &f->tokens[innermost(f)->token];
        bool inside = is_closing(following->kind) || following->starts || !in_block(f);
        uint32_t indent =
            inside || following->kind == TCT_TOK_END ? content_indent(f) : indent_of(f, following);
        new_line(f, (n > 1 && !first) || f->item_ended, indent);
        f->item_ended = false;
    } else {
        tct_buf_puts(f->out, "  ");
    }
    tct_buf_add(f->out, f->source->text + c->begin, c->end - c->begin);
    if (innermost(f) && f->last == &f->tokens[innermost(f)->token])
        f->stack.data[f->stack.len - 1].opened_up = true;
    f->last_end = c->end;
    f->after_comment = true;
    f->after_doc = c->own_line && c->end - c->begin >= 3 && f->source->text[c->begin + 2] == '/';
}

static void push_bracket(tct_formatter *f, const tct_token *t) {
    bool block = t->kind == TCT_TOK_LBRACE && !t->tight_after;
    const tct_token *following = t + 1;
    bool broken = breaks_before(f, following->begin) > 0;
    bool empty = t->match == (uint32_t)(following - f->tokens);
    tct_open_bracket b = {.token = (uint32_t)(t - f->tokens), .base = f->base, .block = block};
    if (block && !t->in_value && in_block(f)) b.base = content_indent(f); // whatever lines its head took
    b.opened_up = !empty && (block ? spans_lines(f, t) : broken);
    TCT_PUSH(&f->stack, b);
}

static void write_token(tct_formatter *f, const tct_token *t) {
    if (breaks(f, t)) {
        bool may_be_empty = t->starts && !f->after_doc;
        bool first =
            f->last && innermost(f) && f->last == &f->tokens[innermost(f)->token] && !f->after_comment;
        bool empty = may_be_empty && !first && (breaks_before(f, t->begin) > 1 || f->item_ended);
        new_line(f, empty, indent_of(f, t));
    } else if (spaced(f->last, t)) {
        tct_buf_putc(f->out, ' ');
    }
    tct_buf_add(f->out, f->source->text + t->begin, t->end - t->begin);
    f->item_ended = false;
    f->last_end = t->end;
    f->last = t;
    f->after_comment = f->after_doc = false;
    if (is_closing(t->kind)) {
        const tct_open_bracket *b = innermost(f);
        f->base = b->base;
        f->stack.len--;
        f->item_ended = f->stack.len == 0 && b->block && b->opened_up;
    } else if (t->match != TCT_NO_TOKEN) {
        push_bracket(f, t);
    }
}

bool tct_format(tct_diag *d, uint32_t file, tct_buf *out) {
    size_t errors = d->n_errors;
    tct_tokens tokens;
    tct_ast_free(tct_parse_tokens(d, file, &tokens));
    bool ok = d->n_errors == errors;
    if (ok) {
        tct_buf text = {0};
        tct_formatter f = {.source = tct_diag_source(d, file),
                           .tokens = tokens.list.data,
                           .comments = tokens.comments.data,
                           .n_tokens = tokens.list.len,
                           .n_comments = tokens.comments.len,
                           .out = &text};
        size_t c = 0;
        for (size_t k = 0; k < f.n_tokens; k++) {
            const tct_token *t = &f.tokens[k];
            for (; c < f.n_comments && f.comments[c].begin < t->begin; c++)
                write_comment(&f, &f.comments[c], t);
            if (t->kind != TCT_TOK_END) write_token(&f, t);
        }
        for (; c < f.n_comments; c++) write_comment(&f, &f.comments[c], &f.tokens[f.n_tokens - 1]);
        if (text.len) tct_buf_putc(&text, '\n');
        tct_buf_add(out, text.data ? text.data : "", text.len);
        TCT_VEC_FREE(&f.stack);
        tct_buf_free(&text);
    }
    tct_tokens_free(&tokens);
    return ok;
}
