// Brackets are matched before anything is parsed. Where a closing one is missing, it is inserted before the
// first token that cannot stand inside: a statement's keyword inside ( or [, an item's inside {, the end of
// the file.
#include "frontend/lexer.h"

#include <string.h>

typedef struct tct_matcher {
    tct_diag *d;
    const tct_source *source;
    uint32_t file;
    const tct_token *in; // all tokens as read
    size_t n_in;
    TCT_VEC(tct_token) out;
    TCT_VEC(uint32_t) stack;    // open brackets, indices of out
    TCT_VEC(uint32_t) unclosed; // source positions of ( and [ in heads of items that nothing closes
    size_t n_inserted;          // braces; as many later ones that close nothing are their echo
    tct_span suspect;           // a { whose } stands further left than its line; file 0: none
} tct_matcher;

static tct_token_kind closing(tct_token_kind open) { return (tct_token_kind)(open + 1); }

static bool is_opening(tct_token_kind k) {
    return k == TCT_TOK_LPAREN || k == TCT_TOK_LBRACKET || k == TCT_TOK_LBRACE;
}

static bool is_closing(tct_token_kind k) {
    return k == TCT_TOK_RPAREN || k == TCT_TOK_RBRACKET || k == TCT_TOK_RBRACE;
}

static tct_token *top(tct_matcher *m) {
    return m->stack.len ? &m->out.data[m->stack.data[m->stack.len - 1]] : NULL;
}

static tct_span span_of(const tct_matcher *m, const tct_token *t) {
    return (tct_span){m->file, t->begin, t->end};
}

// Spaces before the first character of the line that `pos` is on.
static uint32_t line_indent(const tct_matcher *m, uint32_t pos) {
    const char *s = m->source->text;
    while (pos > 0 && s[pos - 1] != '\n') pos--;
    uint32_t n = 0;
    while (s[pos + n] == ' ' || s[pos + n] == '\t') n++;
    return n;
}

// Whether an expression may end with `t`.
static bool ends_operand(const tct_token *t) {
    return is_closing(t->kind) || (t->kind >= TCT_TOK_NAME && t->kind <= TCT_TOK_STRING) ||
           t->kind == TCT_TOK_TRUE || t->kind == TCT_TOK_FALSE;
}

// `last` stands before t, `following` after it.
static bool begins_item(const tct_token *last, const tct_token *t, const tct_token *following) {
    switch (t->kind) {
    case TCT_TOK_END:
        return true;
    case TCT_TOK_USE:
    case TCT_TOK_GRAPH:
    case TCT_TOK_OPTIMIZER:
    case TCT_TOK_EXTERN:
    case TCT_TOK_FN:
    case TCT_TOK_PIPELINE:
        return t->newline;
    case TCT_TOK_NAME:
        if (!t->newline) return false;
        if (strcmp(t->text, "model") == 0) return following->kind == TCT_TOK_NAME;
        return strcmp(t->text, "config") == 0 && following->kind == TCT_TOK_LBRACE && ends_operand(last);
    default:
        return false;
    }
}

static bool begins_statement(const tct_token *t, const tct_token *following) {
    static const char *const words[] = {"axis", "param", "part", "state", "decode"}; // with a name after them
    if (!t->newline) return false;
    for (size_t k = 0; t->kind == TCT_TOK_NAME && k < sizeof words / sizeof words[0]; k++)
        if (strcmp(t->text, words[k]) == 0) return following->kind == TCT_TOK_NAME && !following->newline;
    switch (t->kind) {
    case TCT_TOK_LET:
    case TCT_TOK_VAR:
    case TCT_TOK_FOR:
    case TCT_TOK_WHILE:
    case TCT_TOK_RETURN:
    case TCT_TOK_YIELD:
    case TCT_TOK_ASSERT:
    case TCT_TOK_BREAK:
    case TCT_TOK_CONTINUE:
    case TCT_TOK_STAGE:
        return true;
    default:
        return false;
    }
}

// Closes the innermost open bracket with one that isn't in the source.
static void insert_closing(tct_matcher *m) {
    uint32_t open = m->stack.data[m->stack.len - 1];
    const tct_token *last = &m->out.data[m->out.len - 1];
    tct_token_kind kind = closing(m->out.data[open].kind);
    tct_token t = {.kind = kind,
                   .begin = last->end,
                   .end = last->end,
                   .inserted = true,
                   .match = open,
                   .open = TCT_NO_TOKEN,
                   .text = tct_token_spelling(kind)};
    m->stack.len--;
    m->out.data[open].match = (uint32_t)m->out.len;
    if (kind == TCT_TOK_RBRACE) m->n_inserted++;
    TCT_PUSH(&m->out, t);
}

// Whether a comment after `end` on its line holds the bracket that is missing: `f(a, b // c)`.
static bool hidden_by_comment(const tct_matcher *m, uint32_t end, char bracket) {
    const char *s = m->source->text + end;
    while (*s == ' ' || *s == '\t') s++;
    return strncmp(s, "//", 2) == 0 && memchr(s, bracket, strcspn(s, "\n"));
}

// Closes the `n` innermost brackets because of `t`, with one message for all of them.
static void close_missing(tct_matcher *m, size_t n, const tct_token *t) {
    const tct_token *open = top(m);
    const char *want = tct_token_spelling(closing(open->kind));
    const char *found = tct_token_describe(m->d, m->file, t);
    uint32_t end = m->out.data[m->out.len - 1].end;
    bool brace = open->kind == TCT_TOK_LBRACE;
    tct_span where = brace ? span_of(m, t) : (tct_span){m->file, end, end};
    tct_error(m->d, "E0108", where, "expected `%s` before %s", want, found);
    for (size_t k = 0; k < n && k < 3; k++) {
        const tct_token *o = &m->out.data[m->stack.data[m->stack.len - 1 - k]];
        tct_note_at(m->d, span_of(m, o), "`%s` is opened here", tct_token_spelling(o->kind));
    }
    if (brace && m->suspect.file && m->suspect.begin > open->begin)
        tct_note_at(m->d, m->suspect, "the `}` that closes this one is indented less: is one missing here?");
    if (!brace && hidden_by_comment(m, end, want[0]))
        tct_help(m->d, "`//` begins a comment; division that rounds down is `a div b`");
    uint32_t broken = TCT_NO_TOKEN; // the outermost ( or [
    for (size_t k = 0; k < n; k++) {
        uint32_t o = m->stack.data[m->stack.len - 1];
        if (m->out.data[o].kind != TCT_TOK_LBRACE) broken = o;
        insert_closing(m);
    }
    for (size_t k = broken; k < m->out.len; k++) m->out.data[k].broken = true;
}

// How many innermost brackets must close before `t`.
static size_t count_missing(const tct_matcher *m, const tct_token *t, const tct_token *following) {
    if (m->stack.len == 0) return 0;
    if (begins_item(&m->out.data[m->out.len - 1], t, following)) return m->stack.len;
    if (!begins_statement(t, following)) return 0;
    size_t n = 0;
    while (n < m->stack.len && m->out.data[m->stack.data[m->stack.len - 1 - n]].kind != TCT_TOK_LBRACE) n++;
    return n;
}

// How many brackets stand open inside the one that `t` closes; SIZE_MAX when it closes none.
static size_t distance_to_open(const tct_matcher *m, const tct_token *t) {
    for (size_t n = 0; n < m->stack.len; n++) {
        tct_token_kind open = m->out.data[m->stack.data[m->stack.len - 1 - n]].kind;
        if (closing(open) == t->kind) return n;
        if (open == TCT_TOK_LBRACE) break;
    }
    return SIZE_MAX;
}

static void close_with(tct_matcher *m, tct_token t) {
    uint32_t open = m->stack.data[--m->stack.len];
    t.kind = closing(m->out.data[open].kind);
    t.text = tct_token_spelling(t.kind);
    t.match = open;
    m->out.data[open].match = (uint32_t)m->out.len;
    bool left = t.kind == TCT_TOK_RBRACE && t.newline &&
                line_indent(m, t.begin) < line_indent(m, m->out.data[open].begin);
    if (left && !m->suspect.file) m->suspect = span_of(m, &m->out.data[open]);
    if (m->stack.len == 0) m->suspect = TCT_NO_SPAN;
    TCT_PUSH(&m->out, t);
}

static void close_bracket(tct_matcher *m, const tct_token *t, const tct_token *following) {
    size_t inner = distance_to_open(m, t);
    if (inner != SIZE_MAX) {
        if (inner > 0) close_missing(m, inner, t);
        close_with(m, *t);
        return;
    }
    const tct_token *open = top(m);
    bool extra = open && following->kind == closing(open->kind); // the right one comes at once
    if (open && open->kind != TCT_TOK_LBRACE && t->kind != TCT_TOK_RBRACE && !extra) {
        tct_error(m->d, "E0108", span_of(m, t), "expected `%s`, found `%s`",
                  tct_token_spelling(closing(open->kind)), tct_token_spelling(t->kind));
        tct_note_at(m->d, span_of(m, open), "`%s` is opened here", tct_token_spelling(open->kind));
        close_with(m, *t);
        return;
    }
    if (t->kind == TCT_TOK_RBRACE && m->n_inserted > 0) {
        m->n_inserted--;
        return;
    }
    tct_error(m->d, "E0108", span_of(m, t), "`%s` closes nothing", tct_token_spelling(t->kind));
    tct_help(m->d, "remove it, or open it with `%s`", tct_token_spelling((tct_token_kind)(t->kind - 1)));
}

static void fill_enclosing(tct_token *tokens, size_t n) {
    uint32_t open = TCT_NO_TOKEN;
    for (size_t k = 0; k < n; k++) {
        if (is_closing(tokens[k].kind)) open = tokens[tokens[k].match].open;
        tokens[k].open = open;
        if (is_opening(tokens[k].kind)) open = (uint32_t)k;
    }
}

// Whether the item head that we are in has a bracket that the first pass found unclosed: then its block
// begins here.
static bool unclosed_head(const tct_matcher *m) {
    if (m->stack.len == 0) return false;
    uint32_t begin = m->out.data[m->stack.data[0]].begin;
    for (size_t k = 0; k < m->unclosed.len; k++)
        if (m->unclosed.data[k] == begin) return true;
    return false;
}

static void match_all(tct_matcher *m) {
    bool carry_newline = false; // of a token that was dropped
    for (size_t k = 0; k < m->n_in; k++) {
        tct_token t = m->in[k];
        const tct_token *following = &m->in[k + 1 < m->n_in ? k + 1 : k];
        size_t missing = count_missing(m, &t, following);
        if (t.kind == TCT_TOK_LBRACE && unclosed_head(m)) missing = m->stack.len;
        if (missing) close_missing(m, missing, &t);
        t.newline = t.newline || carry_newline;
        carry_newline = false;
        if (is_closing(t.kind)) {
            size_t before = m->out.len;
            close_bracket(m, &t, following);
            carry_newline = m->out.len == before && t.newline;
            continue;
        }
        if (is_opening(t.kind)) TCT_PUSH(&m->stack, (uint32_t)m->out.len);
        TCT_PUSH(&m->out, t);
    }
    fill_enclosing(m->out.data, m->out.len);
    TCT_VEC_FREE(&m->stack);
}

void tct_match_brackets(tct_diag *d, tct_tokens *tokens) {
    // A first pass, whose messages go nowhere, finds the ( and [ outside all braces that nothing closes: a
    // head whose block they would swallow. The second closes them before that block.
    tct_diag silent = {.max_errors = 1};
    tct_matcher first = {.d = &silent,
                         .source = tct_diag_source(d, tokens->file),
                         .file = tokens->file,
                         .in = tokens->list.data,
                         .n_in = tokens->list.len};
    match_all(&first);
    tct_diag_free(&silent);
    tct_matcher m = {.d = d, .source = first.source, .file = first.file, .in = first.in, .n_in = first.n_in};
    for (size_t k = 0; k < first.out.len; k++) {
        const tct_token *t = &first.out.data[k];
        if (t->inserted && t->open == TCT_NO_TOKEN && t->kind != TCT_TOK_RBRACE)
            TCT_PUSH(&m.unclosed, first.out.data[t->match].begin);
    }
    TCT_VEC_FREE(&first.out);
    match_all(&m);
    TCT_VEC_FREE(&m.unclosed);
    TCT_VEC_FREE(&tokens->list);
    tokens->list.data = m.out.data;
    tokens->list.len = m.out.len;
    tokens->list.cap = m.out.cap;
}
