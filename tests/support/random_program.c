#include "tests/support/random_program.h"

#include <stdbool.h>

typedef struct tct_writer {
    tct_buf *out;
    uint64_t state;
    int depth;    // levels left
    int brackets; // ( and [ open: line breaks mean nothing
    int scans, loops;
    bool in_graph;
} tct_writer;

static void expr(tct_writer *w);
static void block(tct_writer *w, bool value);

static uint32_t pick(tct_writer *w, uint32_t n) {
    w->state = w->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->state >> 33) % n;
}

static void gap(tct_writer *w) {
    static const char *const gaps[] = {"", " ", " ", "  ", "\t"};
    static const char *const breaks[] = {"\n", " // note\n", "\n\n\n", "\n// a remark\n   ", "\r\n"};
    if (w->brackets && pick(w, 12) == 0)
        tct_buf_puts(w->out, breaks[pick(w, 5)]);
    else
        tct_buf_puts(w->out, gaps[pick(w, 5)]);
}

// A token, with space around it that keeps it from its neighbours where they are words.
static void put(tct_writer *w, const char *token) {
    gap(w);
    if (w->out->len && pick(w, 2)) tct_buf_putc(w->out, ' ');
    tct_buf_puts(w->out, token);
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void word(tct_writer *w, const char *token) {
    gap(w);
    if (w->out->len && is_word(w->out->data[w->out->len - 1])) tct_buf_putc(w->out, ' ');
    tct_buf_puts(w->out, token);
}

static const char *some_name(tct_writer *w) {
    static const char *const names[] = {"x", "logits", "B",     "T",    "config", "param", "clip", "state",
                                        "m", "from",   "model", "axis", "as",     "f32",   "_1",   "list"};
    return names[pick(w, 16)];
}

static void name(tct_writer *w) { word(w, some_name(w)); }

static void open(tct_writer *w, const char *bracket) {
    put(w, bracket);
    w->brackets++;
}

// On the line of what it follows: a call's parenthesis or an index.
static void open_tight(tct_writer *w, const char *bracket) {
    tct_buf_puts(w->out, pick(w, 4) ? "" : " ");
    tct_buf_puts(w->out, bracket);
    w->brackets++;
}

static void close(tct_writer *w, const char *bracket) {
    put(w, bracket);
    w->brackets--;
}

static void number(tct_writer *w) {
    static const char *const numbers[] = {"0", "1", "64", "0.5", "1e-5", "3.25e+10", "9223372036854775807"};
    word(w, numbers[pick(w, 7)]);
}

static void string(tct_writer *w) {
    static const char *const strings[] = {
        "\"\"", "\"a b\"", "\"\\n\\t\\\"\\\\\"", "\"// no comment\"", "\"{} \xC3\xA9\"", "\"\\u{1F600}\""};
    put(w, strings[pick(w, 6)]);
}

enum { NAMES_NEVER, NAMES_MAYBE, NAMES_ALWAYS };

static void list(tct_writer *w, uint32_t least, uint32_t most, int named, bool arrows) {
    uint32_t n = least + pick(w, most - least + 1);
    for (uint32_t k = 0; k < n; k++) {
        if (k) put(w, ",");
        if (named == NAMES_ALWAYS || (named == NAMES_MAYBE && pick(w, 3) == 0)) {
            word(w, some_name(w));
            put(w, "=");
        }
        expr(w);
        if (arrows && pick(w, 6) == 0) {
            put(w, "->");
            expr(w);
        }
    }
    if (n && pick(w, 8) == 0) put(w, ",");
}

static void if_value(tct_writer *w) {
    word(w, "if");
    expr(w);
    block(w, true);
    word(w, "else");
    if (w->depth > 0 && pick(w, 4) == 0) {
        w->depth--;
        if_value(w);
        w->depth++;
    } else {
        block(w, true);
    }
}

static void scan(tct_writer *w) {
    int loops = w->loops;
    word(w, "scan");
    word(w, "T");
    if (pick(w, 2)) word(w, "reverse");
    if (pick(w, 2)) {
        open(w, "(");
        list(w, 0, 2, NAMES_ALWAYS, false);
        close(w, ")");
    }
    w->scans++;
    w->loops = 0;
    block(w, false);
    w->scans--;
    w->loops = loops;
}

static void primary(tct_writer *w) {
    switch (pick(w, w->depth > 0 ? 12 : 4)) {
    case 0:
        number(w);
        return;
    case 1:
        string(w);
        return;
    case 2:
        word(w, pick(w, 2) ? "true" : "false");
        return;
    case 3:
    case 4:
    case 5:
        name(w);
        return;
    case 6:
        open(w, "(");
        expr(w);
        close(w, ")");
        return;
    case 7:
        open(w, "[");
        list(w, 0, 3, NAMES_MAYBE, false);
        close(w, "]");
        return;
    case 8:
        open(w, "{");
        list(w, 1, 2, NAMES_ALWAYS, false);
        close(w, "}");
        return;
    case 9:
        if_value(w);
        return;
    case 10:
        scan(w);
        return;
    default:
        open(w, "(");
        word(w, "minimize");
        expr(w);
        word(w, "with");
        word(w, "opt");
        open_tight(w, "(");
        list(w, 0, 2, NAMES_MAYBE, false);
        close(w, ")");
        if (pick(w, 2)) {
            word(w, "clip");
            number(w);
        }
        close(w, ")");
    }
}

static void postfix(tct_writer *w) {
    primary(w);
    char last = w->out->data[w->out->len - 1];
    if (last >= '0' && last <= '9') return; // numbers have no fields
    for (uint32_t n = pick(w, 3); n-- > 0 && w->depth > 0;) {
        switch (pick(w, 4)) {
        case 0:
            open_tight(w, "(");
            list(w, 0, 3, NAMES_MAYBE, true);
            close(w, ")");
            break;
        case 1:
            open_tight(w, "[");
            list(w, 1, 1, NAMES_NEVER, false);
            close(w, "]");
            break;
        case 2:
            open_tight(w, "[");
            list(w, 1, 2, NAMES_ALWAYS, false);
            close(w, "]");
            break;
        default:
            tct_buf_puts(w->out, pick(w, 4) ? " ." : " . ");
            tct_buf_puts(w->out, pick(w, 2) ? "in" : "field");
        }
    }
}

static void expr(tct_writer *w) {
    static const char *const operators[] = {"+", "-", "*", "/", "%", "**", " and", " or", " div"};
    w->depth--;
    if (pick(w, 6) == 0) put(w, "-");
    postfix(w);
    for (uint32_t n = pick(w, 3); n-- > 0 && w->depth > 0;) {
        const char *op = operators[pick(w, 9)];
        if (pick(w, 8) == 0 && op[0] != '-') tct_buf_puts(w->out, "\n  "); // the line goes on
        put(w, op);
        if (op[0] == ' ') tct_buf_putc(w->out, ' ');
        postfix(w);
    }
    w->depth++;
}

static void type(tct_writer *w) {
    static const char *const types[] = {"f32", "bool", "i64", "Gpt2"};
    if (pick(w, 8) == 0) {
        word(w, "list");
        open_tight(w, "[");
        type(w);
        close(w, "]");
        return;
    }
    word(w, types[pick(w, 4)]);
    if (pick(w, 2)) return;
    open_tight(w, "[");
    bool rest = pick(w, 2);
    if (rest) put(w, "..");
    for (uint32_t k = 0, n = pick(w, 3); k < n; k++) {
        if (k || rest) put(w, ",");
        name(w);
        if (pick(w, 3)) continue;
        put(w, "=");
        expr(w);
    }
    close(w, "]");
}

static void end_line(tct_writer *w) {
    static const char *const ends[] = {"\n", "\n\n", "  // said\n", "\n// on a line\n",
                                       " \n /// documented\n\n\n"};
    tct_buf_puts(w->out, ends[pick(w, 5)]);
}

static void tuple(tct_writer *w) {
    open(w, "(");
    if (pick(w, 2)) {
        list(w, 1, 3, NAMES_ALWAYS, false);
    } else {
        expr(w);
        put(w, ",");
        expr(w);
    }
    close(w, ")");
}

static void statement(tct_writer *w) {
    switch (pick(w, w->depth > 0 ? 12 : 3)) {
    case 0:
    case 1:
        word(w, pick(w, 2) ? "let" : "var");
        name(w);
        if (pick(w, 3) == 0) {
            put(w, ":");
            type(w);
        }
        put(w, "=");
        expr(w);
        return;
    case 2:
        word(w, "let");
        put(w, "(");
        word(w, "a");
        put(w, ",");
        word(w, "b");
        put(w, ")");
        put(w, "=");
        expr(w);
        return;
    case 3:
        word(w, "cache");
        tct_buf_puts(w->out, ".layer");
        put(w, "=");
        expr(w);
        return;
    case 4:
        word(w, "axis");
        word(w, "J");
        put(w, "=");
        expr(w);
        return;
    case 5:
        word(w, "for");
        name(w);
        word(w, "in");
        tct_buf_putc(w->out, ' ');
        expr(w);
        w->loops++;
        block(w, false);
        w->loops--;
        return;
    case 6:
        word(w, "if");
        expr(w);
        block(w, false);
        if (pick(w, 2)) return;
        if (pick(w, 3) == 0) end_line(w);
        word(w, "else");
        block(w, false);
        return;
    case 7:
        word(w, "assert");
        expr(w);
        put(w, ",");
        string(w);
        return;
    case 8:
        word(w, w->scans ? "yield" : w->in_graph ? "return" : "assert");
        if ((w->scans || w->in_graph) && pick(w, 3) == 0)
            tuple(w);
        else
            expr(w);
        return;
    case 9:
        word(w, w->loops ? "break" : "f");
        if (!w->loops) tct_buf_puts(w->out, "()");
        return;
    default:
        word(w, "f");
        open_tight(w, "(");
        list(w, 0, 3, NAMES_MAYBE, true);
        close(w, ")");
    }
}

static void block(tct_writer *w, bool value) {
    int brackets = w->brackets;
    put(w, "{");
    w->brackets = 0;
    w->depth--;
    bool one_line = pick(w, 3) == 0;
    if (!one_line) end_line(w);
    for (uint32_t n = one_line ? (value ? 0 : 1) : pick(w, 3); n-- > 0;) {
        statement(w);
        if (!one_line) end_line(w);
    }
    if (value) {
        word(w, "v");
        tct_buf_puts(w->out, "()");
        if (!one_line) end_line(w);
    }
    w->depth++;
    w->brackets = brackets;
    tct_buf_puts(w->out, " }");
}

static void params(tct_writer *w) {
    open_tight(w, "(");
    for (uint32_t k = 0, n = pick(w, 4); k < n; k++) {
        if (k) put(w, ",");
        if (pick(w, 6) == 0) tct_buf_puts(w->out, "\n/// What it is.\n");
        name(w);
        put(w, ":");
        type(w);
        if (pick(w, 3)) continue;
        put(w, "=");
        expr(w);
    }
    close(w, ")");
}

static void member(tct_writer *w) {
    switch (pick(w, 6)) {
    case 0:
        word(w, "axis");
        word(w, "C");
        put(w, "=");
        expr(w);
        put(w, ",");
        word(w, "D");
        return;
    case 1:
    case 2:
        word(w, "param");
        name(w);
        put(w, ":");
        type(w);
        put(w, "=");
        expr(w);
        if (pick(w, 2)) tct_buf_puts(w->out, " as \"a.{}.b\" [ C,[Q,  H],1]");
        return;
    case 3:
        word(w, "part");
        word(w, "layer");
        tct_buf_puts(w->out, ":Block(n = 1 , 2)[ n ] as \"h\"");
        return;
    case 4:
        word(w, "if");
        expr(w);
        tct_buf_puts(w->out, "{\n");
        if (w->depth > 0) member(w);
        tct_buf_puts(w->out, pick(w, 2) ? "\n} " : "\n} else{ }");
        return;
    default:
        tct_buf_puts(w->out, " huggingface \"G\" { a = 1 b=2");
        end_line(w);
        tct_buf_puts(w->out, "c = d, e = \"x\" }");
    }
}

static void item(tct_writer *w) {
    w->in_graph = false;
    switch (pick(w, 8)) {
    case 0:
        tct_buf_puts(w->out, pick(w, 2) ? "use   std . loss.rm" : "use\"labels.tct\"");
        return;
    case 1:
        tct_buf_puts(w->out, "config{\n/// Doc.\na:int=1 in 0..3\n g{\n  b :path=\"x\" }\n}");
        return;
    case 2:
        word(w, "model");
        word(w, "M");
        params(w);
        tct_buf_puts(w->out, "{");
        for (uint32_t n = pick(w, 4); n-- > 0;) {
            end_line(w);
            member(w);
        }
        end_line(w);
        tct_buf_puts(w->out, "}");
        return;
    case 3:
        word(w, "optimizer");
        word(w, "o");
        params(w);
        tct_buf_puts(w->out, " {\nstate v:f32=0\nparam=param-lr*grad\n}");
        return;
    case 4:
        tct_buf_puts(w->out, "extern  fn");
        name(w);
        params(w);
        tct_buf_puts(w->out, "->f32[B]\nfrom \"l.so\"  gradient\"g\"");
        return;
    case 5:
        tct_buf_puts(w->out, "pipeline p{\nlet a=1\n/// First.\nstage s");
        block(w, false);
        tct_buf_puts(w->out, "\n}");
        return;
    default:
        word(w, "graph");
        name(w);
        params(w);
        put(w, "->");
        type(w);
        w->in_graph = true;
        block(w, false);
    }
}

void tct_random_program(uint64_t seed, int depth, tct_buf *out) {
    tct_writer w = {.out = out, .state = seed, .depth = depth};
    for (uint32_t n = 1 + pick(&w, 4); n-- > 0;) {
        item(&w);
        end_line(&w);
    }
}
