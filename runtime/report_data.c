// The curves of a report: metrics.jsonl gathered by stage and name.
#include "runtime/report_data.h"

#include "runtime/jsonl.h"
#include "runtime/metrics.h"

#include <math.h>
#include <string.h>

enum { MAX_POINTS = 1500 };

typedef struct point {
    double step, value; // value NAN: null
} point;

typedef struct series {
    const char *name; // in the arena
    TCT_VEC(point) points;
} series;

typedef struct curves {
    tct_arena arena;
    uint32_t n_stages;
    const tct_program *program;
    struct stage_curves {
        TCT_VEC(series) series;
    } *stages; // n_stages and one for what was logged between stages
} curves;

static uint32_t stage_number(const tct_program *p, const char *name) {
    for (uint32_t i = 0; name && i < p->n_stages; i++)
        if (strcmp(p->stages[i].name, name) == 0) return i;
    return p->n_stages;
}

static series *find_series(curves *c, struct stage_curves *s, const char *name) {
    for (size_t i = 0; i < s->series.len; i++)
        if (strcmp(s->series.data[i].name, name) == 0) return &s->series.data[i];
    TCT_PUSH(&s->series, (series){.name = tct_arena_strdup(&c->arena, name)});
    return &s->series.data[s->series.len - 1];
}

static void add_line(curves *c, json_t *line) {
    const char *stage = json_string_value(json_object_get(line, "stage")), *key;
    struct stage_curves *s = &c->stages[stage_number(c->program, stage)];
    double step = json_number_value(json_object_get(line, "step"));
    json_t *value;
    json_object_foreach(line, key, value) {
        if (strcmp(key, "stage") == 0 || strcmp(key, "step") == 0 || strcmp(key, "time") == 0) continue;
        if (!json_is_number(value) && !json_is_null(value)) continue;
        series *one = find_series(c, s, key);
        TCT_PUSH(&one->points, (point){step, json_is_null(value) ? NAN : json_number_value(value)});
    }
}

static bool read_curves(tct_diag *d, curves *c, const char *path) {
    tct_jsonl *file = tct_jsonl_open(d, path);
    if (!file) return false;
    json_t *line;
    tct_read got;
    while ((got = tct_jsonl_next(d, file, &line)) == TCT_READ_OK) {
        add_line(c, line);
        json_decref(line);
    }
    tct_jsonl_close(file);
    return got == TCT_READ_END;
}

// A string that may stand inside <script>.
static void add_script_string(const char *s, tct_buf *out) {
    tct_buf plain = {0};
    tct_json_string(s, strlen(s), &plain);
    for (size_t i = 0; i < plain.len; i++) {
        if (plain.data[i] == '<')
            tct_buf_puts(out, "\\u003c");
        else
            tct_buf_putc(out, plain.data[i]);
    }
    tct_buf_free(&plain);
}

// Points that share one step are told apart by their order.
static bool has_steps(const series *s) {
    for (size_t i = 1; i < s->points.len; i++)
        if (s->points.data[i].step != s->points.data[0].step) return true;
    return s->points.len == 1;
}

static void add_series(const series *s, tct_buf *out) {
    size_t n = s->points.len, every = (n + MAX_POINTS - 1) / MAX_POINTS;
    bool steps = has_steps(s);
    add_script_string(s->name, out);
    tct_buf_printf(out, ":{\"count\":%zu,\"kept\":%zu,\"points\":[", n, every);
    for (size_t i = 0; i < n; i++) {
        if (i % every != 0 && i + 1 != n) continue;
        tct_buf_puts(out, i ? ",[" : "[");
        tct_json_number(steps ? s->points.data[i].step : (double)i, out);
        tct_buf_putc(out, ',');
        double value = s->points.data[i].value; // drawn: f32's digits are enough
        if (isfinite(value))
            tct_buf_printf(out, "%.7g", value);
        else
            tct_buf_puts(out, "null");
        tct_buf_putc(out, ']');
    }
    tct_buf_puts(out, "]}");
}

static void add_samples(const json_t *samples, const char *stage, tct_buf *out) {
    size_t i, k;
    json_t *group, *row;
    bool first = true;
    json_array_foreach(samples, i, group) {
        if (strcmp(json_string_value(json_object_get(group, "stage")), stage) != 0) continue;
        tct_buf_puts(out, first ? "{\"title\":" : ",{\"title\":");
        first = false;
        add_script_string(json_string_value(json_object_get(group, "title")), out);
        tct_buf_puts(out, ",\"rows\":[");
        json_array_foreach(json_object_get(group, "rows"), k, row) {
            tct_buf_puts(out, k ? ",[" : "[");
            add_script_string(json_string_value(json_array_get(row, 0)), out);
            tct_buf_putc(out, ',');
            add_script_string(json_string_value(json_array_get(row, 1)), out);
            tct_buf_putc(out, ']');
        }
        tct_buf_puts(out, "]}");
    }
}

static void add_stage(const struct stage_curves *s, const char *name, const char *doc, const json_t *samples,
                      const char *samples_of, tct_buf *out) {
    tct_buf_puts(out, "{\"name\":");
    add_script_string(name, out);
    tct_buf_puts(out, ",\"doc\":");
    add_script_string(doc ? doc : "", out);
    tct_buf_puts(out, ",\"metrics\":{");
    for (size_t i = 0; i < s->series.len; i++) {
        if (i) tct_buf_putc(out, ',');
        add_series(&s->series.data[i], out);
    }
    tct_buf_puts(out, "},\"samples\":[");
    add_samples(samples, samples_of, out);
    tct_buf_puts(out, "]}");
}

static void close_curves(curves *c) {
    for (uint32_t i = 0; i <= c->n_stages; i++) {
        for (size_t k = 0; k < c->stages[i].series.len; k++)
            TCT_VEC_FREE(&c->stages[i].series.data[k].points);
        TCT_VEC_FREE(&c->stages[i].series);
    }
    tct_heap_free(c->stages);
    tct_arena_free(&c->arena);
}

bool tct_report_data(tct_diag *d, const tct_program *p, const char *metrics, const json_t *samples,
                     tct_buf *out) {
    curves c = {.n_stages = p->n_stages, .program = p};
    c.stages = tct_alloc((p->n_stages + 1) * sizeof *c.stages);
    bool ok = read_curves(d, &c, metrics);
    tct_buf_puts(out, "[");
    for (uint32_t i = 0; ok && i < p->n_stages; i++) {
        if (i) tct_buf_puts(out, ",\n");
        add_stage(&c.stages[i], p->stages[i].name, p->stages[i].doc, samples, p->stages[i].name, out);
    }
    tct_buf between = {0};
    add_samples(samples, "", &between);
    if (ok && (c.stages[p->n_stages].series.len || between.len)) {
        if (p->n_stages) tct_buf_puts(out, ",\n");
        add_stage(&c.stages[p->n_stages], "between stages", NULL, samples, "", out);
    }
    tct_buf_free(&between);
    tct_buf_puts(out, "]");
    close_curves(&c);
    return ok;
}
