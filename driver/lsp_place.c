// What the text before the cursor tells about it.
#include "driver/lsp_complete.h"
#include "frontend/lexer.h"

#include <ctype.h>
#include <string.h>

static bool is_word_byte(char c) { return isalnum((unsigned char)c) || c == '_'; }

// Whether the cursor is in a comment or a string of its line, which strings don't leave.
static bool in_text(const char *line, const char *cursor, bool *string) {
    *string = false;
    for (const char *c = line; c < cursor; c++) {
        if (*string && *c == '\\') {
            c++;
        } else if (*c == '"') {
            *string = !*string;
        } else if (!*string && c[0] == '/' && c + 1 < cursor && c[1] == '/') {
            return true;
        }
    }
    return *string;
}

// Items stand at the left edge, and so does the brace that ends them.
static tct_lsp_in item_around(const char *text, const char *line, const char *word) {
    static const struct {
        const char *word;
        tct_lsp_in in;
    } kinds[] = {{"graph", TCT_LSP_IN_GRAPH},        {"extern", TCT_LSP_IN_GRAPH},
                 {"fn", TCT_LSP_IN_STAGES},          {"pipeline", TCT_LSP_IN_STAGES},
                 {"model", TCT_LSP_IN_MODEL},        {"config", TCT_LSP_IN_CONFIG},
                 {"optimizer", TCT_LSP_IN_OPTIMIZER}};
    for (const char *at = line;; at--) {
        if (at > text && at[-1] != '\n') continue;
        if (*at == '}' && at < line) return TCT_LSP_IN_FILE;
        if (isalpha((unsigned char)*at) && at < word) {
            for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
                size_t n = strlen(kinds[k].word);
                if (strncmp(at, kinds[k].word, n) == 0 && !is_word_byte(at[n])) return kinds[k].in;
            }
            return TCT_LSP_IN_FILE;
        }
        if (at == text) return TCT_LSP_IN_FILE;
    }
}

// "a.b." that ends at `end`: words, calls and indices are left out, as they make no path.
static const char *chain_before(tct_arena *arena, const char *line, const char *end) {
    if (end == line || end[-1] != '.') return "";
    const char *begin = end;
    while (begin > line && (is_word_byte(begin[-1]) || begin[-1] == '.')) begin--;
    return tct_arena_strndup(arena, begin, (size_t)(end - begin));
}

static bool declares(tct_token_kind k) {
    return k == TCT_TOK_GRAPH || k == TCT_TOK_FN || k == TCT_TOK_OPTIMIZER || k == TCT_TOK_SCAN;
}

static bool begins_item(const tct_token *t, size_t depth) {
    bool word = t->kind == TCT_TOK_NAME && (strcmp(t->text, "model") == 0 || strcmp(t->text, "config") == 0);
    return depth == 0 && t->newline && (word || (t->kind >= TCT_TOK_USE && t->kind <= TCT_TOK_PIPELINE));
}

// The bracket of f32[B, T]; there is a token before it.
static bool is_type_bracket(const tct_token *t) {
    tct_dtype dtype;
    if (t->kind != TCT_TOK_LBRACKET || t[-1].kind != TCT_TOK_NAME) return false;
    return tct_dtype_parse(t[-1].text, &dtype) || strcmp(t[-1].text, "real") == 0;
}

// The brackets that are open at the cursor, from the tokens before it.
static void brackets(tct_arena *arena, const tct_tokens *t, tct_lsp_place *out) {
    TCT_VEC(size_t) open = {0};
    tct_buf axes = {0};
    size_t n = t->list.len - 1; // without the end
    tct_buf_puts(&axes, "");
    for (size_t k = 0; k < n; k++) {
        tct_token_kind kind = t->list.data[k].kind;
        if (begins_item(&t->list.data[k], open.len)) axes.len = 0;
        size_t inner = open.len ? open.data[open.len - 1] : 0;
        if (kind == TCT_TOK_NAME && inner && is_type_bracket(&t->list.data[inner]))
            tct_buf_printf(&axes, "%s ", t->list.data[k].text);
        if (kind == TCT_TOK_LPAREN || kind == TCT_TOK_LBRACKET || kind == TCT_TOK_LBRACE) TCT_PUSH(&open, k);
        if ((kind == TCT_TOK_RPAREN || kind == TCT_TOK_RBRACKET || kind == TCT_TOK_RBRACE) && open.len)
            open.len--;
    }
    out->axes = tct_arena_strndup(arena, axes.data, axes.len);
    tct_buf_free(&axes);
    size_t at = open.len ? open.data[open.len - 1] : 0;
    tct_token_kind last = n ? t->list.data[n - 1].kind : TCT_TOK_END;
    const tct_token *bracket = open.len ? &t->list.data[at] : NULL, *before = at ? bracket - 1 : NULL;
    out->in_axes = before && is_type_bracket(bracket);
    bool begins =
        bracket && bracket->kind == TCT_TOK_LPAREN && (last == TCT_TOK_COMMA || last == TCT_TOK_LPAREN);
    if (begins && before && before->kind == TCT_TOK_RBRACKET) // f[V = K](
        for (int depth = 0; before > t->list.data; before--) {
            depth += (before->kind == TCT_TOK_RBRACKET) - (before->kind == TCT_TOK_LBRACKET);
            if (depth == 0) {
                before--;
                break;
            }
        }
    bool declared = before && before > t->list.data && declares(before[-1].kind);
    bool model = before && before > t->list.data && before[-1].kind == TCT_TOK_NAME && !before->newline &&
                 strcmp(before[-1].text, "model") == 0;
    if (begins && before && before->kind == TCT_TOK_NAME && !declared && !model) {
        out->call = tct_arena_strdup(arena, before->text);
        tct_buf given = {0};
        tct_buf_putc(&given, ' ');
        int depth = 0;
        for (const tct_token *k = bracket + 1; k + 1 < t->list.data + n; k++) {
            depth += (k->kind == TCT_TOK_LPAREN || k->kind == TCT_TOK_LBRACKET || k->kind == TCT_TOK_LBRACE) -
                     (k->kind == TCT_TOK_RPAREN || k->kind == TCT_TOK_RBRACKET || k->kind == TCT_TOK_RBRACE);
            if (depth == 0 && k->kind == TCT_TOK_NAME && k[1].kind == TCT_TOK_ASSIGN)
                tct_buf_printf(&given, "%s ", k->text);
        }
        out->given = tct_arena_strdup(arena, given.data);
        tct_buf_free(&given);
    }
    out->after_colon = last == TCT_TOK_COLON;
    TCT_VEC_FREE(&open);
}

void tct_lsp_place_at(tct_arena *arena, const char *text, size_t len, uint32_t offset, tct_lsp_place *out) {
    *out = (tct_lsp_place){.offset = offset, .word_begin = offset, .word_end = offset, .chain = ""};
    while (out->word_begin > 0 && is_word_byte(text[out->word_begin - 1])) out->word_begin--;
    while (out->word_end < len && is_word_byte(text[out->word_end])) out->word_end++;
    const char *cursor = text + offset, *line = cursor, *word = text + out->word_begin;
    while (line > text && line[-1] != '\n') line--;
    bool string;
    out->text = in_text(line, cursor, &string);
    const char *first = line + strspn(line, " \t");
    if (strncmp(first, "use", 3) == 0 && (first[3] == ' ' || first[3] == '\t') && cursor > first + 3) {
        const char *used = first + 3 + strspn(first + 3, " \t");
        out->use_file = string && *used == '"';
        if (used > cursor) used = cursor;
        used += out->use_file;
        if (!out->text || out->use_file)
            out->use = tct_arena_strndup(arena, used, cursor > used ? (size_t)(cursor - used) : 0);
        return;
    }
    if (out->text) return;
    out->in = item_around(text, line, word);
    out->chain = chain_before(arena, line, word);
    tct_diag scratch = {0};
    tct_tokens tokens = {0};
    tct_lex(&scratch, tct_diag_add_source(&scratch, "", text, out->word_begin), arena, &tokens);
    brackets(arena, &tokens, out);
    tct_tokens_free(&tokens);
    tct_diag_free(&scratch);
}
