#include "runtime/trace_file.h"

#include "base/file.h"
#include "runtime/metrics.h"

#include <inttypes.h>
#include <string.h>

enum { PIECE = 1 << 18 }; // bytes that are written at once

struct tct_trace_file {
    tct_file_writer *writer; // NULL once writing has failed
    tct_diag trouble;        // why
    tct_buf text;            // not written yet
    tct_trace_extent extent;
};

static void write_text(tct_trace_file *f) {
    if (f->writer && !tct_file_writer_add(&f->trouble, f->writer, f->text.data, f->text.len)) {
        tct_file_writer_abandon(f->writer);
        f->writer = NULL;
        f->extent.failed = true;
    }
    f->extent.bytes += f->text.len;
    f->text.len = 0;
}

static void name_tracks(tct_trace_file *f, int threads) {
    tct_buf_puts(&f->text,
                 "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
                 "{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"tercet\"}}");
    for (int i = 0; i < threads; i++) {
        tct_buf_printf(
            &f->text,
            ",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"thread_name\",\"args\":{\"name\":", i);
        if (i == 0)
            tct_buf_puts(&f->text, "\"program\"}}");
        else
            tct_buf_printf(&f->text, "\"thread %d\"}}", i);
    }
}

tct_trace_file *tct_trace_file_open(tct_diag *d, const char *path, uint64_t limit, int threads) {
    tct_file_writer *w = tct_file_writer_open(d, path);
    if (!w) return NULL;
    tct_trace_file *f = tct_alloc(sizeof *f);
    *f = (tct_trace_file){.writer = w, .extent = {.path = tct_strdup(path), .limit = limit}};
    name_tracks(f, threads);
    return f;
}

// Nanoseconds as microseconds.
static char *put_time(char *end, uint64_t ns) {
    for (int i = 0; i < 3; i++, ns /= 10) *--end = (char)('0' + ns % 10);
    *--end = '.';
    do *--end = (char)('0' + ns % 10);
    while (ns /= 10);
    return end;
}

static void add_time(tct_buf *b, const char *key, uint64_t ns) {
    char digits[32], *end = digits + sizeof digits, *begin = put_time(end, ns);
    tct_buf_puts(b, key);
    tct_buf_add(b, begin, (size_t)(end - begin));
}

void tct_trace_file_slice(tct_trace_file *f, tct_slice_kind kind, int thread, uint64_t begin, uint64_t end,
                          const char *rest, size_t len) {
    enum { TIMES = 96 };
    tct_trace_extent *x = &f->extent;
    if (!f->writer) return;
    if (!x->full && x->bytes + f->text.len + len + TIMES > x->limit) {
        x->full = true;
        x->full_at = end;
    }
    if (x->full && (kind == TCT_SLICE_KERNEL || (kind == TCT_SLICE_AROUND && begin >= x->full_at))) {
        x->left_out++;
        return;
    }
    x->events++;
    tct_buf_puts(&f->text, ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":");
    tct_buf_printf(&f->text, "%d", thread);
    add_time(&f->text, ",\"ts\":", begin);
    add_time(&f->text, ",\"dur\":", end - begin);
    tct_buf_add(&f->text, rest, len);
    if (f->text.len >= PIECE) write_text(f);
}

tct_trace_extent tct_trace_file_extent(const tct_trace_file *f) {
    tct_trace_extent x = f->extent;
    x.bytes += f->text.len;
    return x;
}

static void free_file(tct_trace_file *f) {
    tct_diag_free(&f->trouble);
    tct_buf_free(&f->text);
    tct_heap_free((char *)(uintptr_t)f->extent.path);
    tct_heap_free(f);
}

bool tct_trace_file_close(tct_diag *d, tct_trace_file *f, const char *about) {
    tct_buf_printf(&f->text, "\n],\"otherData\":%s}\n", about);
    write_text(f);
    bool ok = f->writer && tct_file_writer_commit(&f->trouble, f->writer);
    if (!ok) {
        const tct_message *why = f->trouble.messages.data;
        tct_error(d, why->code, TCT_NO_SPAN, "the trace is lost: %s", why->text);
        tct_help(d, "what was traced is complete; --trace-limit makes a smaller file");
    }
    free_file(f);
    return ok;
}

void tct_trace_file_abandon(tct_trace_file *f) {
    if (f->writer) tct_file_writer_abandon(f->writer);
    free_file(f);
}
