#include "runtime/jsonl.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { CHUNK = 1 << 16, MAX_LINE = 256 << 20 };

struct tct_jsonl {
    char *path;
    gzFile file;
    uint32_t line;
    tct_buf text;
    size_t at, len; // what of the chunk is left
    char chunk[CHUNK];
};

tct_jsonl *tct_jsonl_open(tct_diag *d, const char *path) {
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        tct_error(d, "E0701", TCT_NO_SPAN, "%s is a folder, a file was expected", path);
        return NULL;
    }
    errno = 0;
    gzFile file = gzopen(path, "rbe"); // reads what isn't gzip as it is
    if (!file) {
        tct_error(d, "E0701", TCT_NO_SPAN, "cannot open %s: %s", path, strerror(errno ? errno : ENOMEM));
        return NULL;
    }
    tct_jsonl *r = tct_alloc(sizeof *r);
    r->path = tct_strdup(path);
    r->file = file;
    gzbuffer(file, CHUNK);
    return r;
}

void tct_jsonl_close(tct_jsonl *r) {
    if (!r) return;
    gzclose_r(r->file);
    tct_buf_free(&r->text);
    free(r->path);
    free(r);
}

uint32_t tct_jsonl_line(const tct_jsonl *r) { return r->line; }

const char *tct_jsonl_path(const tct_jsonl *r) { return r->path; }

// Reads the next chunk; false at the end or after reporting (*failed).
static bool fill(tct_diag *d, tct_jsonl *r, bool *failed) {
    int n = gzread(r->file, r->chunk, CHUNK), code;
    const char *why = gzerror(r->file, &code);
    *failed = n < 0 || (n == 0 && code != Z_OK && code != Z_STREAM_END);
    if (*failed)
        tct_error(d, "E0701", TCT_NO_SPAN, "cannot read %s after line %u: %s", r->path, r->line,
                  code == Z_ERRNO       ? strerror(errno)
                  : code == Z_BUF_ERROR ? "the gzip data end too soon"
                                        : why);
    r->at = 0;
    r->len = n > 0 ? (size_t)n : 0;
    return n > 0;
}

tct_read tct_jsonl_next_line(tct_diag *d, tct_jsonl *r, const char **text, size_t *len) {
    bool any = false, failed;
    r->text.len = 0;
    for (;;) {
        if (r->at == r->len && !fill(d, r, &failed)) {
            if (failed) return TCT_READ_ERROR;
            if (!any) return TCT_READ_END;
            break;
        }
        any = true;
        const char *from = r->chunk + r->at, *end = memchr(from, '\n', r->len - r->at);
        size_t n = end ? (size_t)(end - from) : r->len - r->at;
        if (r->text.len + n > MAX_LINE) {
            tct_error(d, "E0708", TCT_NO_SPAN, "%s:%u: the line is longer than 256 MiB", r->path,
                      r->line + 1);
            return TCT_READ_ERROR;
        }
        tct_buf_add(&r->text, from, n);
        r->at += n + (end != NULL);
        if (end) break;
    }
    if (r->line < UINT32_MAX) r->line++;
    *text = r->text.data;
    *len = r->text.len;
    if (*len && (*text)[*len - 1] == '\r') --*len;
    if (r->line == 1 && *len >= 3 && memcmp(*text, "\xEF\xBB\xBF", 3) == 0) {
        *text += 3;
        *len -= 3;
    }
    return TCT_READ_OK;
}

tct_read tct_jsonl_next(tct_diag *d, tct_jsonl *r, json_t **out) {
    const char *text;
    size_t len, at;
    tct_read rc;
    do {
        rc = tct_jsonl_next_line(d, r, &text, &len);
        if (rc != TCT_READ_OK) return rc;
        for (at = 0; at < len && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r'); at++) {
        }
    } while (at == len);
    json_error_t error;
    *out = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (*out) return TCT_READ_OK;
    tct_error(d, "E0708", TCT_NO_SPAN, "%s:%u:%d: the line is not a JSON value: %s", r->path, r->line,
              error.column, error.text);
    tct_help(d, "each line holds one whole value, such as {\"prompt\": \"…\", \"completion\": \"…\"}");
    return TCT_READ_ERROR;
}
