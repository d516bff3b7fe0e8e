#include "runtime/trace_state.h"

#include "runtime/gemm.h"
#include "runtime/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SHORTEST_CALL = 10000 }; // nanoseconds

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

tct_trace *tct_trace_open(tct_diag *d, tct_pool *pool, const char *path, uint64_t limit) {
    int threads = tct_pool_threads(pool);
    tct_trace *t = tct_alloc(sizeof *t);
    t->d = d;
    t->pool = pool;
    if (path) t->file = tct_trace_file_open(d, path, limit ? limit : TCT_TRACE_LIMIT, threads);
    bool ok = (t->file || !path) && tct_peak_measure(d, pool, tct_isa_host(), &t->peak);
    if (!ok) {
        if (t->file) tct_trace_file_abandon(t->file);
        tct_heap_free(t);
        return NULL;
    }
    if (t->file) {
        t->work = tct_try_alloc((size_t)threads * sizeof *t->work, _Alignof(tct_pool_work));
        if (!t->work) tct_out_of_memory((size_t)threads * sizeof *t->work);
        tct_pool_watch(pool, t->work);
    }
    t->started = now();
    return t;
}

const tct_peak *tct_trace_peak(const tct_trace *t) { return &t->peak; }

static void about(const tct_trace *t, tct_buf *out) {
    tct_trace_extent x = tct_trace_file_extent(t->file);
    tct_buf_printf(out, "{\"threads\":%d,\"isa\":\"%s\",\"events\":%" PRIu64 ",\"left_out\":%" PRIu64,
                   t->peak.threads, tct_isa_name(t->peak.isa), x.events, x.left_out);
    tct_buf_printf(out, ",\"peak_gflops_f32\":%.1f,\"peak_gflops_f64\":%.1f", t->peak.f32 * 1e-9,
                   t->peak.f64 * 1e-9);
    tct_buf_printf(out, ",\"memory_gb_per_s\":%.1f,\"cache_gb_per_s\":%.1f}", t->peak.memory * 1e-9,
                   t->peak.cache * 1e-9);
}

bool tct_trace_close(tct_diag *d, tct_trace *t) {
    if (!t) return true;
    bool ok = true;
    if (t->file) {
        tct_pool_watch(t->pool, NULL);
        tct_buf end = {0};
        about(t, &end);
        ok = tct_trace_file_close(d, t->file, end.data);
        tct_buf_free(&end);
    }
    for (size_t i = 0; i < t->plans.len; i++) tct_heap_free(t->plans.data[i]);
    TCT_VEC_FREE(&t->plans);
    TCT_VEC_FREE(&t->places);
    tct_buf_free(&t->text);
    free(t->work);
    tct_arena_free(&t->arena);
    tct_heap_free(t);
    return ok;
}

// --- Places ---

// "file:line:column", or NULL.
static const char *place_text(tct_trace *t, tct_span span) {
    const tct_source *s = tct_diag_source(t->d, span.file);
    if (!s) return NULL;
    for (size_t i = 0; i < t->places.len; i++)
        if (t->places.data[i].span.file == span.file && t->places.data[i].span.begin == span.begin)
            return t->places.data[i].text;
    uint32_t line, column;
    tct_diag_line_col(s, span.begin, &line, &column);
    tct_trace_place p = {span, tct_arena_printf(&t->arena, "%s:%u:%u", s->path, line, column)};
    TCT_PUSH(&t->places, p);
    return p.text;
}

static void add_string(tct_buf *b, const char *key, const char *text) {
    tct_buf_puts(b, key);
    tct_json_string(text, strlen(text), b);
}

// --- What runs ---

static const char *const kind_names[] = {"kernel", "product", "scan", "foreign"};

// All of a step's event that doesn't change from call to call, up to its rates.
static const char *event_of(tct_trace *t, const tct_plan *plan, uint32_t i, const char *name,
                            const char *place) {
    const tct_step *s = &plan->steps[i];
    tct_buf b = {0};
    add_string(&b, ",\"name\":", name);
    add_string(&b, ",\"cat\":", kind_names[s->kind]);
    tct_buf_puts(&b, ",\"args\":{");
    if (place) {
        add_string(&b, "\"source\":", place);
        tct_buf_putc(&b, ',');
    }
    add_string(&b, "\"plan\":", plan->name);
    tct_buf_printf(&b, ",\"step\":%u,\"tasks\":%" PRId64 ",\"flops\":%.0f,\"bytes\":%.0f", i, s->n_tasks,
                   s->flops, s->bytes);
    const char *text = tct_arena_strdup(&t->arena, b.data);
    tct_buf_free(&b);
    return text;
}

static tct_trace_plan *make_plan(tct_trace *t, const tct_plan *plan) {
    tct_trace_plan *p = tct_alloc(sizeof *p);
    size_t n = plan->n_steps;
    *p = (tct_trace_plan){.plan = plan,
                          .sums = TCT_NEW_ARRAY(&t->arena, tct_trace_sum, n),
                          .steps = TCT_NEW_ARRAY(&t->arena, tct_trace_step, n)};
    tct_buf name = {0};
    for (uint32_t i = 0; i < n; i++) {
        const tct_step *s = &plan->steps[i];
        tct_limit limit;
        name.len = 0;
        tct_plan_step_name(plan, i, &name);
        tct_trace_step *out = &p->steps[i];
        out->name = tct_arena_strdup(&t->arena, name.data);
        out->place = place_text(t, s->span);
        out->least = tct_peak_seconds(&t->peak, tct_plan_step_dtype(plan, s), s->flops, s->bytes, &limit);
        out->limit = (uint8_t)limit;
        if (t->apart) out->least *= t->peak.threads;
        out->event = event_of(t, plan, i, out->name, out->place);
        out->event_len = strlen(out->event);
    }
    name.len = 0;
    add_string(&name, ",\"name\":", plan->name);
    tct_buf_puts(&name, ",\"cat\":\"plan\",\"args\":{}}");
    p->event = tct_arena_strdup(&t->arena, name.data);
    tct_buf_free(&name);
    TCT_PUSH(&t->plans, p);
    return p;
}

tct_trace_plan *tct_trace_plan_of(tct_trace *t, const tct_plan *plan) {
    if (!t) return NULL;
    for (size_t i = 0; i < t->plans.len; i++)
        if (t->plans.data[i]->plan == plan) return t->plans.data[i];
    return make_plan(t, plan);
}

void tct_trace_apart(tct_trace *t, bool apart) {
    if (t) t->apart += apart ? 1 : -1;
}

// The other threads' work in trips apart belongs to the scan, which is not over.
static void forget_work(tct_trace *t) {
    if (t->work && !t->apart) memset(t->work, 0, (size_t)t->peak.threads * sizeof *t->work);
}

tct_trace_mark tct_trace_begin(tct_trace *t) {
    if (!t) return (tct_trace_mark){0};
    forget_work(t);
    tct_trace_mark mark = {.nested = t->nested};
    t->nested = 0;
    mark.at = now();
    return mark;
}

// Since the trace began.
static uint64_t since(const tct_trace *t, uint64_t at) { return at > t->started ? at - t->started : 0; }

// The other threads' parts of a step.
static void write_work(tct_trace *t, const tct_trace_step *s) {
    for (int i = 1; i < t->peak.threads; i++) {
        const tct_pool_work *w = &t->work[i];
        if (!w->tasks) continue;
        t->text.len = 0;
        add_string(&t->text, ",\"name\":", s->name);
        tct_buf_printf(&t->text, ",\"cat\":\"part\",\"args\":{\"tasks\":%" PRId64 ",\"busy_us\":%.1f}}",
                       w->tasks, (double)w->busy * 1e-3);
        tct_trace_file_slice(t->file, TCT_SLICE_KERNEL, i, since(t, w->begin), since(t, w->end), t->text.data,
                             t->text.len);
    }
}

void tct_trace_end_step(tct_trace *t, tct_trace_plan *p, uint32_t step, tct_trace_mark mark) {
    uint64_t end = now(), took = end - mark.at;
    const tct_trace_step *s = &p->steps[step];
    const tct_step *of = &p->plan->steps[step];
    double seconds = (double)took * 1e-9;
    tct_trace_sum *sum = &p->sums[step];
    if (!sum->calls || seconds < sum->shortest) sum->shortest = seconds;
    sum->calls++;
    sum->seconds += seconds;
    sum->own += (double)(took - t->nested) * 1e-9;
    t->nested = mark.nested + took;
    if (!t->file) return;
    t->text.len = 0;
    tct_buf_add(&t->text, s->event, s->event_len);
    if (took) {
        if (of->flops > 0) tct_buf_printf(&t->text, ",\"GFLOP/s\":%.2f", of->flops / seconds * 1e-9);
        if (of->bytes > 0) tct_buf_printf(&t->text, ",\"GB/s\":%.2f", of->bytes / seconds * 1e-9);
        if (s->least > 0) tct_buf_printf(&t->text, ",\"of_peak\":%.3f", s->least / seconds);
    }
    tct_buf_puts(&t->text, "}}");
    tct_slice_kind kind = of->kind == TCT_STEP_SCAN ? TCT_SLICE_AROUND : TCT_SLICE_KERNEL;
    tct_trace_file_slice(t->file, kind, 0, since(t, mark.at), since(t, end), t->text.data, t->text.len);
    bool shared = of->kind != TCT_STEP_SCAN || p->plan->scans[of->kernel].apart;
    if (shared && !t->apart) write_work(t, s);
    forget_work(t);
}

void tct_trace_end_plan(tct_trace *t, tct_trace_plan *p, tct_trace_mark mark) {
    uint64_t end = now();
    t->nested += mark.nested; // a run is no step: what ran within it ran within what is around it
    if (t->file)
        tct_trace_file_slice(t->file, TCT_SLICE_AROUND, 0, since(t, mark.at), since(t, end), p->event,
                             strlen(p->event));
}

void tct_trace_end(tct_trace *t, tct_trace_mark mark, tct_trace_kind kind, const char *name, tct_span place) {
    static const char *const categories[] = {"stage", "step", "call"};
    if (!t) return;
    uint64_t end = now();
    t->nested += mark.nested;
    if (!t->file || (kind == TCT_TRACE_CALL && end - mark.at < SHORTEST_CALL)) return;
    const char *where = place_text(t, place);
    t->text.len = 0;
    add_string(&t->text, ",\"name\":", name);
    add_string(&t->text, ",\"cat\":", categories[kind]);
    tct_buf_puts(&t->text, ",\"args\":{");
    if (where) add_string(&t->text, "\"source\":", where);
    tct_buf_puts(&t->text, "}}");
    tct_trace_file_slice(t->file, kind == TCT_TRACE_STAGE ? TCT_SLICE_STAGE : TCT_SLICE_AROUND, 0,
                         since(t, mark.at), since(t, end), t->text.data, t->text.len);
}

const tct_trace_sum *tct_trace_sums(const tct_trace *t, const tct_plan *plan) {
    for (size_t i = 0; i < t->plans.len; i++)
        if (t->plans.data[i]->plan == plan) return t->plans.data[i]->sums;
    return NULL;
}
