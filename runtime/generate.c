#include "runtime/generate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct tct_generate_room {
    const tct_generator *g;
    const tct_plan *prefill, *step;
    unsigned char *cache; // all cache tensors, one after the other
    uint64_t cache_bytes;
    float *logits;                 // [B, V]
    tct_sample_entry *entries;     // [threads, V]
    tct_choice *choices;           // [B]
    int32_t *token, *start, *last; // [B] inputs of a step; start of the prefill
    bool *open;                    // [B] rows that still grow
    void **in, **out;              // ports
};

static uint64_t aligned(uint64_t bytes) { return (bytes + 63) & ~(uint64_t)63; }

tct_generate_room *tct_generate_open(tct_diag *d, tct_pool *pool, const tct_generator *g,
                                     const tct_plan *prefill, const tct_plan *step) {
    tct_generate_room *r = tct_alloc(sizeof *r);
    size_t rows = (size_t)g->batch, vocab = (size_t)g->vocab, threads = (size_t)tct_pool_threads(pool);
    *r = (tct_generate_room){.g = g, .prefill = prefill, .step = step};
    for (uint32_t i = 0; i < g->n_cache; i++) r->cache_bytes += aligned(g->cache[i].bytes);
    r->cache = tct_try_alloc(r->cache_bytes + 64, 64);
    r->logits = tct_try_alloc(rows * vocab * sizeof *r->logits, 64);
    r->entries = tct_try_alloc(threads * vocab * sizeof *r->entries, 64);
    r->choices = tct_alloc(rows * sizeof *r->choices);
    r->token = tct_alloc(rows * sizeof *r->token);
    r->start = tct_alloc(rows * sizeof *r->start);
    r->last = tct_alloc(rows * sizeof *r->last);
    r->open = tct_alloc(rows * sizeof *r->open);
    uint32_t ports = prefill->n_inputs > step->n_inputs ? prefill->n_inputs : step->n_inputs;
    r->in = tct_alloc((ports + 1) * sizeof *r->in);
    r->out = tct_alloc((g->n_cache + 1) * sizeof *r->out);
    if (r->cache && r->logits && r->entries) return r;
    tct_error(d, "E0801", TCT_NO_SPAN, "no memory for generation: a cache of %.1f MB for %lld rows",
              (double)r->cache_bytes / 1e6, (long long)g->batch);
    tct_generate_close(r);
    return NULL;
}

void tct_generate_close(tct_generate_room *r) {
    if (!r) return;
    free(r->cache);
    free(r->logits);
    free(r->entries);
    free(r->choices);
    free(r->token);
    free(r->start);
    free(r->last);
    free(r->open);
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
        k->room->open[b] = prompt_length[b] > 0;
    }
    memset(out->mask, 0, (size_t)(g->batch * k->width) * sizeof *out->mask);
    memset(out->logp, 0, (size_t)(g->batch * k->width) * sizeof *out->logp);
}

// Runs one of the two plans; the cache and the logits stay where they are.
static bool run(const generation *k, const tct_plan *plan, void *const *params, uint32_t n_params,
                const int32_t *tokens) {
    tct_generate_room *r = k->room;
    const tct_generator *g = r->g;
    assert(plan->n_inputs == n_params + g->n_cache + 3 && plan->n_outputs == g->n_cache + 1);
    memcpy(r->in, params, n_params * sizeof *params);
    unsigned char *cache = r->cache;
    for (uint32_t i = 0; i < g->n_cache; i++) {
        assert(plan->outputs[i].alias == (int32_t)(n_params + i));
        r->in[n_params + i] = r->out[i] = cache;
        cache += aligned(g->cache[i].bytes);
    }
    r->in[n_params + g->n_cache] = (void *)tokens;
    r->in[n_params + g->n_cache + 1] = r->start;
    r->in[n_params + g->n_cache + 2] = r->last;
    r->out[g->n_cache] = r->logits;
    return tct_plan_run(k->d, plan, k->pool, r->in, r->out, k->arena, k->o->trace);
}

static void choose_rows(void *context, int64_t begin, int64_t end, int thread) {
    const generation *k = context;
    tct_generate_room *r = k->room;
    int64_t vocab = r->g->vocab;
    for (int64_t b = begin; b < end; b++)
        if (r->open[b])
            r->choices[b] = tct_sample(&k->o->sampling, r->logits + b * vocab, vocab, (uint64_t)b,
                                       (uint64_t)k->out->length[b], r->entries + thread * vocab);
}

static bool is_eos(const tct_generate_options *o, int32_t token) {
    for (size_t i = 0; i < o->n_eos; i++)
        if (o->eos[i] == token) return true;
    return false;
}

// Appends the chosen tokens. *go_on: some row still grows.
static bool append(const generation *k, bool *go_on) {
    tct_generate_room *r = k->room;
    const tct_rollout *out = k->out;
    *go_on = false;
    for (int64_t b = 0; b < r->g->batch; b++) {
        r->token[b] = k->o->pad;
        r->start[b] = out->length[b] > 0 ? out->length[b] - 1 : 0; // a closed row repeats its last place
        if (!r->open[b]) continue;
        tct_choice choice = r->choices[b];
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
        r->token[b] = choice.token;
        r->start[b] = at;
        if (is_eos(k->o, choice.token)) out->ended[b] = true;
        r->open[b] = !out->ended[b] && at + 1 - out->prompt_length[b] < k->o->max_new;
        *go_on |= r->open[b];
        if (k->o->on_token && !k->o->on_token(k->o->context, b, choice.token)) {
            *go_on = false;
            return true;
        }
    }
    return true;
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
    generation k = {d, pool, r, arena, o, out, g->prompt + o->max_new};
    if (!check(d, g, prompt_length, o)) return false;
    copy_prompts(&k, prompts, prompt_length);
    memset(r->cache, 0, r->cache_bytes);
    bool go_on = false;
    for (int64_t b = 0; b < g->batch; b++) {
        r->start[b] = 0;
        r->last[b] = prompt_length[b] > 0 ? prompt_length[b] - 1 : 0;
        go_on |= r->open[b];
    }
    bool ok = !go_on || run(&k, r->prefill, params, n_params, prompts);
    memset(r->last, 0, (size_t)g->batch * sizeof *r->last);
    while (ok && go_on) {
        tct_pool_run(pool, g->batch, choose_rows, &k);
        ok = append(&k, &go_on);
        if (ok && go_on) ok = run(&k, r->step, params, n_params, r->token);
    }
    fill_targets(&k);
    return ok;
}
