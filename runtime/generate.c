#include "runtime/generate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { NOBODY = -1 };

// The tensors that a plan continues, and what it says of the next tokens.
typedef struct rows {
    int64_t n;
    unsigned char *cache;  // all cache tensors, one after the other, each aligned
    float *logits;         // [n, V]
    int32_t *start, *last; // [n] inputs of the plan
} rows;

struct tct_generate_room {
    const tct_generator *g;
    const tct_plan *prefill, *step, *convert; // convert: NULL without narrow weights
    unsigned char *narrow;                    // what it makes, one after the other, each aligned
    void **made, **weights;                   // the same by output; what a step takes
    rows places, entry;        // entry: where prompts are filled in; the places, when there is one for each
    tct_sample_entry *entries; // [threads, V]
    tct_choice *choices;       // [places]
    int32_t *row;              // [places] whose they are, or NOBODY
    int32_t *token;            // [places] inputs of a step
    int32_t *prompts;          // [entry, prompt]
    void **in, **out;          // ports
};

static uint64_t aligned(uint64_t bytes) { return (bytes + 63) & ~(uint64_t)63; }

static uint64_t row_bytes(const tct_generator *g, uint32_t tensor) {
    return g->cache[tensor].bytes / (uint64_t)g->places;
}

// Of one cache tensor, for n of the places.
static uint64_t tensor_bytes(const tct_generator *g, uint32_t tensor, int64_t n) {
    return n == g->places ? g->cache[tensor].bytes : row_bytes(g, tensor) * (uint64_t)n;
}

static uint64_t cache_bytes(const tct_generator *g, int64_t n) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < g->n_cache; i++) bytes += aligned(tensor_bytes(g, i, n));
    return bytes;
}

static bool open_rows(const tct_generator *g, int64_t n, rows *out) {
    size_t count = (size_t)n;
    *out = (rows){.n = n,
                  .cache = tct_try_alloc(cache_bytes(g, n) + 64, 64),
                  .logits = tct_try_alloc(count * (size_t)g->vocab * sizeof(float), 64),
                  .start = tct_alloc(count * sizeof *out->start),
                  .last = tct_alloc(count * sizeof *out->last)};
    return out->cache && out->logits;
}

static void close_rows(rows *r) {
    free(r->cache);
    free(r->logits);
    free(r->start);
    free(r->last);
}

static const tct_plan *convert_of(const tct_generator *g, const tct_plan *const *plans) {
    return g->convert == TCT_NO_PLAN ? NULL : plans[g->convert];
}

uint64_t tct_generate_arena(const tct_generator *g, const tct_plan *const *plans) {
    const tct_plan *of[] = {plans[g->prefill], plans[g->step], convert_of(g, plans)};
    uint64_t most = 0;
    for (int i = 0; i < 3; i++)
        if (of[i] && of[i]->arena_bytes > most) most = of[i]->arena_bytes;
    return most;
}

uint64_t tct_generate_narrow_bytes(const tct_generator *g, const tct_plan *const *plans) {
    const tct_plan *convert = convert_of(g, plans);
    uint64_t bytes = 0;
    for (uint32_t i = 0; convert && i < convert->n_outputs; i++) bytes += aligned(convert->outputs[i].bytes);
    return bytes;
}

static bool open_narrow(tct_generate_room *r, uint64_t bytes) {
    const tct_plan *convert = r->convert;
    if (!convert) return true;
    r->made = tct_alloc((convert->n_outputs + 1) * sizeof *r->made);
    r->weights = tct_alloc((r->g->n_weights + 1) * sizeof *r->weights);
    r->narrow = tct_try_alloc(bytes + 64, 64);
    if (!r->narrow) return false;
    unsigned char *at = r->narrow;
    for (uint32_t i = 0; i < convert->n_outputs; i++) {
        r->made[i] = at;
        at += aligned(convert->outputs[i].bytes);
    }
    return true;
}

tct_generate_room *tct_generate_open(tct_diag *d, tct_pool *pool, const tct_generator *g,
                                     const tct_plan *const *plans) {
    tct_generate_room *r = tct_alloc(sizeof *r);
    const tct_plan *prefill = plans[g->prefill], *step = plans[g->step];
    size_t places = (size_t)g->places, vocab = (size_t)g->vocab, threads = (size_t)tct_pool_threads(pool);
    *r = (tct_generate_room){.g = g, .prefill = prefill, .step = step, .convert = convert_of(g, plans)};
    uint64_t narrow = tct_generate_narrow_bytes(g, plans);
    bool ok = open_rows(g, g->places, &r->places);
    ok &= open_narrow(r, narrow);
    if (g->fill < g->places)
        ok &= open_rows(g, g->fill, &r->entry);
    else
        r->entry = r->places;
    r->entries = tct_try_alloc(threads * vocab * sizeof *r->entries, 64);
    r->choices = tct_alloc(places * sizeof *r->choices);
    r->row = tct_alloc(places * sizeof *r->row);
    r->token = tct_alloc(places * sizeof *r->token);
    r->prompts = tct_alloc((size_t)g->fill * (size_t)g->prompt * sizeof *r->prompts);
    uint32_t ports = prefill->n_inputs > step->n_inputs ? prefill->n_inputs : step->n_inputs;
    r->in = tct_alloc((ports + 1) * sizeof *r->in);
    r->out = tct_alloc((g->n_cache + 1) * sizeof *r->out);
    if (ok && r->entries) return r;
    tct_error(d, "E0801", TCT_NO_SPAN,
              "no memory for generation: a cache of %.1f MB for %lld rows, narrow weights of %.1f MB",
              (double)(cache_bytes(g, g->places) + cache_bytes(g, r->entry.n)) / 1e6, (long long)g->places,
              (double)narrow / 1e6);
    tct_generate_close(r);
    return NULL;
}

void tct_generate_close(tct_generate_room *r) {
    if (!r) return;
    if (r->entry.n < r->places.n) close_rows(&r->entry);
    close_rows(&r->places);
    free(r->entries);
    free(r->choices);
    free(r->row);
    free(r->token);
    free(r->prompts);
    free(r->narrow);
    free(r->made);
    free(r->weights);
    free(r->in);
    free(r->out);
    free(r);
}

typedef struct generation {
    tct_diag *d;
    tct_pool *pool;
    tct_generate_room *room;
    void *arena;
    const tct_generate_options *o;
    const tct_rollout *out;
    int64_t width; // T of the rollout
    int64_t next;  // row of the queue
} generation;

static bool check(tct_diag *d, const tct_generator *g, const int32_t *prompt_length,
                  const tct_generate_options *o) {
    if (o->max_new < 1 || o->max_new > g->max_new)
        return tct_error(d, "E0814", TCT_NO_SPAN, "max_new is %lld; generation was compiled for 1 to %lld",
                         (long long)o->max_new, (long long)g->max_new);
    if (!(o->sampling.temperature >= 0) || o->sampling.top_k < 0 || !(o->sampling.top_p > 0))
        return tct_error(
            d, "E0817", TCT_NO_SPAN,
            "temperature %g, top_k %lld, top_p %g: the first two must be at least 0, the last above 0",
            o->sampling.temperature, (long long)o->sampling.top_k, o->sampling.top_p);
    for (int64_t b = 0; b < g->batch; b++)
        if (prompt_length[b] < 0 || prompt_length[b] > g->prompt) {
            tct_error(d, "E0814", TCT_NO_SPAN, "the prompt of row %lld has %d tokens; there is room for %lld",
                      (long long)b, (int)prompt_length[b], (long long)g->prompt);
            tct_help(d, "give the data set a length that holds its prompts, or overlong = \"keep_end\"");
            return false;
        }
    return true;
}

static void copy_prompts(const generation *k, const int32_t *prompts, const int32_t *prompt_length) {
    const tct_rollout *out = k->out;
    const tct_generator *g = k->room->g;
    for (int64_t b = 0; b < g->batch; b++) {
        int32_t *row = out->tokens + b * k->width;
        for (int64_t t = 0; t < k->width; t++)
            row[t] = t < prompt_length[b] ? prompts[b * g->prompt + t] : k->o->pad;
        out->length[b] = out->prompt_length[b] = prompt_length[b];
        out->ended[b] = false;
    }
    memset(out->mask, 0, (size_t)(g->batch * k->width) * sizeof *out->mask);
    memset(out->logp, 0, (size_t)(g->batch * k->width) * sizeof *out->logp);
}

// Runs one of the two plans; the cache and the logits stay where they are.
static bool run(const generation *k, const tct_plan *plan, void *const *params, uint32_t n_params,
                const rows *r, const int32_t *tokens) {
    const tct_generator *g = k->room->g;
    void **in = k->room->in, **out = k->room->out;
    assert(plan->n_inputs == n_params + g->n_cache + 3 && plan->n_outputs == g->n_cache + 1);
    memcpy(in, params, n_params * sizeof *params);
    unsigned char *cache = r->cache;
    for (uint32_t i = 0; i < g->n_cache; i++) {
        assert(plan->outputs[i].alias == (int32_t)(n_params + i));
        in[n_params + i] = out[i] = cache;
        cache += aligned(tensor_bytes(g, i, r->n));
    }
    in[n_params + g->n_cache] = (void *)tokens;
    in[n_params + g->n_cache + 1] = r->start;
    in[n_params + g->n_cache + 2] = r->last;
    out[g->n_cache] = r->logits;
    return tct_plan_run(k->d, plan, k->pool, in, out, k->arena, k->o->trace);
}

// What was filled in at place i of the entry moves to one of the places.
static void move_row(const tct_generate_room *r, int64_t i, int64_t place) {
    const tct_generator *g = r->g;
    unsigned char *to = r->places.cache, *from = r->entry.cache;
    for (uint32_t t = 0; t < g->n_cache; t++) {
        uint64_t bytes = row_bytes(g, t);
        memcpy(to + (uint64_t)place * bytes, from + (uint64_t)i * bytes, bytes);
        to += aligned(tensor_bytes(g, t, g->places));
        from += aligned(tensor_bytes(g, t, g->fill));
    }
    memcpy(r->places.logits + place * g->vocab, r->entry.logits + i * g->vocab,
           (size_t)g->vocab * sizeof(float));
}

static int64_t free_places(const tct_generate_room *r) {
    int64_t n = 0;
    for (int64_t i = 0; i < r->places.n; i++) n += r->row[i] == NOBODY;
    return n;
}

// The next row of the queue that has a prompt; the batch, when there is none.
static int64_t next_row(const generation *k) {
    int64_t b = k->next;
    while (b < k->room->g->batch && k->out->prompt_length[b] == 0) b++;
    return b;
}

typedef struct clearing {
    unsigned char *at;
    uint64_t bytes;
} clearing;

enum { CLEARED_AT_ONCE = 1 << 20 };

static void clear_part(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const clearing *c = context;
    uint64_t from = (uint64_t)begin * CLEARED_AT_ONCE, to = (uint64_t)end * CLEARED_AT_ONCE;
    memset(c->at + from, 0, (size_t)((to < c->bytes ? to : c->bytes) - from));
}

// By all threads: a cache is as large as the weights.
static void clear_cache(const generation *k, const rows *r) {
    clearing c = {r->cache, cache_bytes(k->room->g, r->n)};
    tct_pool_run(k->pool, (int64_t)((c.bytes + CLEARED_AT_ONCE - 1) / CLEARED_AT_ONCE), clear_part, &c);
}

// Prompts enter free places, as long as there is room for as many as enter at once.
static bool fill(generation *k, void *const *params, uint32_t n_params, const int32_t *prompts) {
    tct_generate_room *r = k->room;
    const tct_generator *g = r->g;
    bool apart = r->entry.n < r->places.n;
    while (next_row(k) < g->batch && free_places(r) >= r->entry.n) {
        int32_t *entered = r->token; // the rows
        for (int64_t i = 0; i < r->entry.n; i++) {
            int64_t b = next_row(k);
            bool there = b < g->batch;
            k->next = there ? b + 1 : b;
            entered[i] = there ? (int32_t)b : NOBODY;
            for (int64_t t = 0; t < g->prompt; t++)
                r->prompts[i * g->prompt + t] = there ? prompts[b * g->prompt + t] : k->o->pad;
            r->entry.start[i] = 0;
            r->entry.last[i] = there ? k->out->prompt_length[b] - 1 : 0;
        }
        clear_cache(k, &r->entry);
        if (!run(k, r->prefill, params, n_params, &r->entry, r->prompts)) return false;
        int64_t place = 0;
        for (int64_t i = 0; i < r->entry.n; i++) {
            if (entered[i] == NOBODY) continue;
            while (r->row[place] != NOBODY) place++;
            if (apart) move_row(r, i, place);
            r->row[place] = entered[i];
        }
    }
    return true;
}

static void choose_rows(void *context, int64_t begin, int64_t end, int thread) {
    const generation *k = context;
    tct_generate_room *r = k->room;
    int64_t vocab = r->g->vocab;
    for (int64_t i = begin; i < end; i++)
        if (r->row[i] != NOBODY)
            r->choices[i] =
                tct_sample(&k->o->sampling, r->places.logits + i * vocab, vocab, (uint64_t)r->row[i],
                           (uint64_t)k->out->length[r->row[i]], r->entries + thread * vocab);
}

static bool is_eos(const tct_generate_options *o, int32_t token) {
    for (size_t i = 0; i < o->n_eos; i++)
        if (o->eos[i] == token) return true;
    return false;
}

// Appends the chosen tokens; rows that end give up their places. *go_on: not stopped from outside.
static bool append(const generation *k, bool *go_on) {
    tct_generate_room *r = k->room;
    const tct_rollout *out = k->out;
    *go_on = true;
    for (int64_t i = 0; i < r->places.n; i++) {
        int64_t b = r->row[i];
        r->token[i] = k->o->pad;
        r->places.start[i] = 0; // of a free place nothing is read
        if (b == NOBODY) continue;
        tct_choice choice = r->choices[i];
        if (choice.token < 0) {
            tct_error(k->d, "E0814", TCT_NO_SPAN, "row %lld: the model's logits are not finite",
                      (long long)b);
            tct_help(k->d,
                     "training has diverged: a lower learning rate, or clipping, keeps the weights finite");
            return false;
        }
        int32_t at = out->length[b]++;
        out->tokens[b * k->width + at] = choice.token;
        out->mask[b * k->width + at - 1] = true;
        out->logp[b * k->width + at - 1] = choice.logp;
        r->token[i] = choice.token;
        r->places.start[i] = at;
        if (is_eos(k->o, choice.token)) out->ended[b] = true;
        if (out->ended[b] || at + 1 - out->prompt_length[b] >= k->o->max_new) r->row[i] = NOBODY;
        if (k->o->on_token && !k->o->on_token(k->o->context, b, choice.token)) {
            *go_on = false;
            return true;
        }
    }
    return true;
}

// Makes narrow weights of the parameters, as they are now.
static bool convert(const generation *k, void *const *params, uint32_t n_params) {
    const tct_generate_room *r = k->room;
    assert(r->convert->n_inputs == n_params);
    for (uint32_t i = 0; i < r->g->n_weights; i++) {
        uint32_t from = r->g->weights[i];
        r->weights[i] = from < n_params ? params[from] : r->made[from - n_params];
    }
    return tct_plan_run(k->d, r->convert, k->pool, params, r->made, k->arena, k->o->trace);
}

static void fill_targets(const generation *k) {
    const tct_rollout *out = k->out;
    for (int64_t b = 0; b < k->room->g->batch; b++) {
        int32_t *target = out->target + b * k->width;
        const int32_t *tokens = out->tokens + b * k->width;
        for (int64_t t = 0; t + 1 < k->width; t++) target[t] = tokens[t + 1];
        target[k->width - 1] = k->o->pad;
    }
}

bool tct_generate(tct_diag *d, tct_pool *pool, tct_generate_room *r, void *const *params, uint32_t n_params,
                  void *arena, const int32_t *prompts, const int32_t *prompt_length,
                  const tct_generate_options *o, const tct_rollout *out) {
    const tct_generator *g = r->g;
    generation k = {d, pool, r, arena, o, out, g->prompt + o->max_new, 0};
    if (!check(d, g, prompt_length, o)) return false;
    copy_prompts(&k, prompts, prompt_length);
    if (r->entry.n < r->places.n) clear_cache(&k, &r->places); // else each fill clears them
    for (int64_t i = 0; i < g->places; i++) r->row[i] = NOBODY;
    bool go_on = true, ok = fill(&k, params, n_params, prompts);
    bool narrow = r->convert != NULL;
    if (ok && narrow) ok = convert(&k, params, n_params);
    while (ok && go_on && free_places(r) < g->places) {
        tct_pool_run(pool, g->places, choose_rows, &k);
        ok = append(&k, &go_on);
        if (ok && go_on && free_places(r) < g->places) {
            memset(r->places.last, 0, (size_t)g->places * sizeof *r->places.last);
            ok = run(&k, r->step, narrow ? r->weights : params, narrow ? g->n_weights : n_params, &r->places,
                     r->token);
        }
        if (ok && go_on) ok = fill(&k, params, n_params, prompts);
    }
    fill_targets(&k);
    return ok;
}
