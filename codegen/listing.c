#include "codegen/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool begins(const char *s, const char *with) { return strncmp(s, with, strlen(with)) == 0; }

// The text in the last pair of quotes of a line, in the arena; "" where there is none.
static const char *last_string(tct_arena *a, const char *line, size_t len) {
    const char *end = line + len;
    while (end > line && end[-1] != '"') end--;
    const char *begin = end > line ? end - 1 : line;
    while (begin > line && begin[-1] != '"') begin--;
    return begin > line ? tct_arena_strndup(a, begin, (size_t)(end - 1 - begin)) : "";
}

// --- Assembly ---

typedef struct assembly {
    const tct_diag *sources;
    tct_buf *out;
    tct_arena arena;
    TCT_VEC(const char *) files; // by number of .file
    unsigned file, line;         // of the instructions at hand; line 0: none yet
    unsigned shown_file, shown_line;
} assembly;

// Text of a line of the source with that path, without the blanks around it.
static void source_line(assembly *a, const char *path, unsigned line) {
    for (size_t k = 0; a->sources && k < a->sources->sources.len; k++) {
        const tct_source *s = &a->sources->sources.data[k];
        if (!s->text || strcmp(s->path, path) != 0) continue;
        const char *at = s->text;
        for (unsigned n = 1; n < line && *at; n++) {
            at += strcspn(at, "\n");
            at += *at == '\n';
        }
        at += strspn(at, " \t");
        size_t len = strcspn(at, "\r\n");
        if (len) {
            tct_buf_puts(a->out, " | ");
            tct_buf_add(a->out, at, len);
        }
        return;
    }
}

static void show_place(assembly *a) {
    bool same = a->file == a->shown_file && a->line == a->shown_line;
    if (!a->line || same || a->file >= a->files.len || !a->files.data[a->file]) return;
    const char *path = a->files.data[a->file];
    tct_buf_printf(a->out, "\t# %s:%u", path, a->line);
    source_line(a, path, a->line);
    tct_buf_putc(a->out, '\n');
    a->shown_file = a->file;
    a->shown_line = a->line;
}

static void note_file(assembly *a, const char *line, size_t len) {
    unsigned number;
    if (sscanf(line, "\t.file\t%u", &number) != 1 || number > UINT16_MAX) return; // the module's name
    while (a->files.len <= number) TCT_PUSH(&a->files, NULL);
    a->files.data[number] = last_string(&a->arena, line, len);
}

// Directives and labels that only debug information needs.
static bool is_apparatus(const char *line) {
    return begins(line, "\t.cfi_") || begins(line, ".Ltmp") || begins(line, ".Lfunc_begin") ||
           begins(line, ".Lcu_begin") || begins(line, ".Lsec_end") || begins(line, ".Ldebug") ||
           begins(line, ".Lline_table");
}

static bool is_instruction(const char *line) {
    return line[0] == '\t' && line[1] != '.' && line[1] != '#' && line[1] != '\n' && line[1];
}

void tct_listing_asm(const char *text, const tct_diag *sources, tct_buf *out) {
    assembly a = {.sources = sources, .out = out};
    bool table = false; // within a section of tables
    while (*text) {
        size_t len = strcspn(text, "\n");
        if (begins(text, "\t.section\t") || begins(text, "\t.text"))
            table = begins(text, "\t.section\t.debug");
        if (table || is_apparatus(text)) {
            // nothing of it is shown
        } else if (begins(text, "\t.file\t")) {
            note_file(&a, text, len);
        } else if (begins(text, "\t.loc\t")) {
            sscanf(text, "\t.loc\t%u %u", &a.file, &a.line);
        } else {
            if (begins(text, "\t.globl\t")) a.line = a.shown_line = 0; // another function
            if (is_instruction(text)) show_place(&a);
            tct_buf_add(out, text, len);
            tct_buf_putc(out, '\n');
        }
        text += len + (text[len] == '\n');
    }
    TCT_VEC_FREE(&a.files);
    tct_arena_free(&a.arena);
}

// --- LLVM IR ---

typedef struct metadata { // node !N
    const char *file;     // files: the path
    unsigned of;          // locations and scopes: the scope, or its file
    unsigned line, col;   // locations
} metadata;

typedef struct module_text {
    tct_arena arena;
    TCT_VEC(metadata) nodes;
} module_text;

// The number that follows `key` in a line; false when the key isn't there.
static bool number_after(const char *line, size_t len, const char *key, unsigned *out) {
    const char *at = memmem(line, len, key, strlen(key));
    return at && sscanf(at + strlen(key), "%u", out) == 1;
}

static void read_node(module_text *m, const char *line, size_t len) {
    unsigned number;
    if (sscanf(line, "!%u = ", &number) != 1 || number > UINT16_MAX * 16u) return;
    while (m->nodes.len <= number) TCT_PUSH(&m->nodes, (metadata){0});
    metadata *n = &m->nodes.data[number];
    if (memmem(line, len, "!DIFile(", 8)) {
        const char *name = memmem(line, len, "filename: \"", 11);
        if (name) n->file = tct_arena_strndup(&m->arena, name + 11, strcspn(name + 11, "\""));
    } else if (memmem(line, len, "!DILocation(", 12)) {
        number_after(line, len, "line: ", &n->line);
        number_after(line, len, "column: ", &n->col);
        number_after(line, len, "scope: !", &n->of);
    } else {
        number_after(line, len, "file: !", &n->of);
    }
}

static const metadata *node_at(const module_text *m, unsigned number) {
    return number < m->nodes.len ? &m->nodes.data[number] : NULL;
}

static void show_location(const module_text *m, unsigned number, tct_buf *out) {
    const metadata *at = node_at(m, number), *scope = at ? node_at(m, at->of) : NULL,
                   *file = scope ? node_at(m, scope->of) : NULL;
    if (file && file->file && at->line) tct_buf_printf(out, " ; %s:%u:%u", file->file, at->line, at->col);
}

void tct_listing_llvm(const char *text, tct_buf *out) {
    static const char mark[] = " !dbg !";
    module_text m = {0};
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "\n");
        if (*at == '!') read_node(&m, at, len);
        at += len + (at[len] == '\n');
    }
    while (*text) {
        size_t len = strcspn(text, "\n"), keep = len;
        const char *found = memmem(text, len, mark, strlen(mark));
        unsigned number = 0;
        if (found) {
            sscanf(found + strlen(mark), "%u", &number);
            keep = (size_t)(found - text);
            if (keep && text[keep - 1] == ',') keep--;
        }
        if (*text != '!') {
            tct_buf_add(out, text, keep);
            if (found && begins(text, "define"))
                tct_buf_puts(out, " {");
            else if (found)
                show_location(&m, number, out);
            tct_buf_putc(out, '\n');
        }
        text += len + (text[len] == '\n');
    }
    while (out->len > 1 && out->data[out->len - 1] == '\n' && out->data[out->len - 2] == '\n') out->len--;
    TCT_VEC_FREE(&m.nodes);
    tct_arena_free(&m.arena);
}
