#include "runtime/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { SHOWN_METRICS = 4, NAME_ROOM = 32, BAR_CELLS = 20 };
static const double redraw_seconds = 0.1, plain_seconds = 10; // between two pictures

typedef struct shown_metric {
    char name[NAME_ROOM];
    double value;
} shown_metric;

struct tct_progress {
    FILE *out;  // NULL: silent
    bool plain; // no terminal: lines instead of one that changes
    char stage[NAME_ROOM];
    int index, count;
    int64_t done, total, first; // first: where this run took the stage up
    bool timed, drawn;
    double began, drawn_at;
    shown_metric metrics[SHOWN_METRICS];
    int n_metrics;
};

tct_progress *tct_progress_open(FILE *out, bool wanted) {
    tct_progress *p = tct_alloc(sizeof *p);
    p->out = wanted ? out : NULL;
    p->plain = !isatty(fileno(out));
    return p;
}

void tct_progress_clear(tct_progress *p) {
    if (!p->out || !p->drawn || p->plain) return;
    fputs("\r\033[K", p->out);
    fflush(p->out);
    p->drawn = false;
}

void tct_progress_close(tct_progress *p) {
    if (!p) return;
    if (p->out && p->drawn && !p->plain) fputc('\n', p->out);
    free(p);
}

void tct_progress_stage(tct_progress *p, const char *name, int index, int count) {
    snprintf(p->stage, sizeof p->stage, "%s", name);
    p->index = index;
    p->count = count;
    p->done = p->total = p->first = 0;
    p->timed = false;
    p->n_metrics = 0;
}

void tct_progress_metric(tct_progress *p, const char *name, double value) {
    for (int i = 0; i < p->n_metrics; i++)
        if (strncmp(p->metrics[i].name, name, NAME_ROOM - 1) == 0) {
            p->metrics[i].value = value;
            return;
        }
    if (p->n_metrics == SHOWN_METRICS) return;
    shown_metric *m = &p->metrics[p->n_metrics++];
    snprintf(m->name, sizeof m->name, "%s", name);
    m->value = value;
}

static void add_duration(double seconds, tct_buf *out) {
    long s = lround(seconds);
    if (s >= 3600)
        tct_buf_printf(out, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        tct_buf_printf(out, "%ld:%02ld", s / 60, s % 60);
}

static void add_bar(double share, tct_buf *out) {
    static const char *const eighths[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int full = (int)(share * BAR_CELLS * 8), cells = full / 8;
    for (int i = 0; i < BAR_CELLS; i++)
        tct_buf_puts(out, i < cells ? "█" : i == cells ? eighths[full % 8] : " ");
}

// Cuts `out` to `width` columns; every character here is one column wide.
static void cut_columns(tct_buf *out, size_t from, int width) {
    int columns = 0;
    for (size_t i = from; i < out->len; i++) {
        if ((out->data[i] & 0xC0) == 0x80) continue;
        if (columns++ == width) {
            out->len = i;
            out->data[i] = 0;
            return;
        }
    }
}

void tct_progress_line(const tct_progress *p, double seconds, int width, tct_buf *out) {
    size_t from = out->len;
    tct_buf_printf(out, "%d/%d %s ", p->index, p->count, p->stage);
    if (p->total > 0) {
        double share = (double)p->done / (double)p->total;
        add_bar(share < 0 ? 0 : share > 1 ? 1 : share, out);
        tct_buf_printf(out, " %lld/%lld", (long long)p->done, (long long)p->total);
    } else {
        tct_buf_printf(out, "step %lld", (long long)p->done);
    }
    double steps = (double)(p->done - p->first);
    if (seconds > 0 && steps > 0) {
        double rate = steps / seconds;
        tct_buf_printf(out, rate >= 1 ? "  %.1f/s  " : "  %.2f/s  ", rate);
        add_duration(seconds, out);
        if (p->total > p->done) {
            tct_buf_puts(out, ", left ");
            add_duration((double)(p->total - p->done) / rate, out);
        }
    }
    for (int i = 0; i < p->n_metrics; i++)
        tct_buf_printf(out, "  %s %.4g", p->metrics[i].name, p->metrics[i].value);
    cut_columns(out, from, width);
}

static int columns_of(FILE *out) {
    struct winsize size;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1) return size.ws_col - 1;
    return 79;
}

static void draw(tct_progress *p, double now) {
    tct_buf line = {0};
    tct_progress_line(p, p->timed ? now - p->began : 0, p->plain ? 200 : columns_of(p->out), &line);
    fprintf(p->out, p->plain ? "%s\n" : "\r%s\033[K", line.data);
    fflush(p->out);
    tct_buf_free(&line);
    p->drawn = true;
    p->drawn_at = now;
}

void tct_progress_step(tct_progress *p, int64_t done, int64_t total, double now) {
    if (!p->timed) {
        p->began = now;
        p->first = done;
        p->timed = true;
    }
    p->done = done;
    p->total = total;
    if (!p->out) return;
    if (p->plain) {
        if (now - (p->drawn ? p->drawn_at : p->began) >= plain_seconds) draw(p, now);
    } else if (!p->drawn || now - p->drawn_at >= redraw_seconds || done == total) {
        draw(p, now);
    }
}

void tct_progress_stage_end(tct_progress *p, double now) {
    if (!p->out) return;
    draw(p, now);
    if (!p->plain) fputc('\n', p->out);
    p->drawn = false;
}
