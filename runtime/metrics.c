#include "runtime/metrics.h"

#include "runtime/value.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct tct_metrics {
    int fd;
    char *path;
    uint64_t bytes;
};

tct_metrics *tct_metrics_open(tct_diag *d, const char *path, uint64_t keep) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        tct_error(d, "E0702", TCT_NO_SPAN, "cannot write %s: %s", path, strerror(errno));
        if (fd >= 0) close(fd);
        return NULL;
    }
    if ((uint64_t)st.st_size < keep) {
        tct_error(d, "E0830", TCT_NO_SPAN,
                  "%s has %lld bytes, but the checkpoint was written when it had %llu: lines are missing",
                  path, (long long)st.st_size, (unsigned long long)keep);
        tct_help(d, "put the run's own metrics.jsonl back, or start without --resume");
        close(fd);
        return NULL;
    }
    if (ftruncate(fd, (off_t)keep) != 0 || lseek(fd, 0, SEEK_END) < 0) {
        tct_error(d, "E0702", TCT_NO_SPAN, "cannot write %s: %s", path, strerror(errno));
        close(fd);
        return NULL;
    }
    tct_metrics *m = tct_alloc(sizeof *m);
    *m = (tct_metrics){fd, tct_strdup(path), keep};
    return m;
}

void tct_metrics_close(tct_metrics *m) {
    if (!m) return;
    close(m->fd);
    free(m->path);
    free(m);
}

bool tct_metrics_line(tct_diag *d, tct_metrics *m, const char *text, size_t len) {
    tct_buf line = {0};
    tct_buf_add(&line, text, len);
    tct_buf_putc(&line, '\n');
    size_t at = 0;
    while (at < line.len) {
        ssize_t n = write(m->fd, line.data + at, line.len - at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            tct_error(d, "E0702", TCT_NO_SPAN, "cannot write %s: %s", m->path, strerror(errno));
            break;
        }
        at += (size_t)n;
    }
    bool ok = at == line.len;
    m->bytes += at;
    tct_buf_free(&line);
    return ok;
}

uint64_t tct_metrics_bytes(const tct_metrics *m) { return m->bytes; }

void tct_json_string(const char *s, size_t len, tct_buf *out) {
    tct_buf_putc(out, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\')
            tct_buf_printf(out, "\\%c", c);
        else if (c == '\n')
            tct_buf_puts(out, "\\n");
        else if (c < 0x20)
            tct_buf_printf(out, "\\u%04x", c);
        else
            tct_buf_putc(out, (char)c);
    }
    tct_buf_putc(out, '"');
}

void tct_json_number(double f, tct_buf *out) {
    if (isfinite(f))
        tct_print_double(f, out);
    else
        tct_buf_puts(out, "null");
}
