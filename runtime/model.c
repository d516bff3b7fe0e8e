#include "runtime/model.h"

#include "runtime/rng.h"

#include <math.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

tct_tensor *tct_params_new(tct_diag *d, const tct_model_desc *desc) {
    tct_tensor *params = tct_alloc((desc->n_params + 1) * sizeof *params);
    for (uint32_t i = 0; i < desc->n_params; i++) {
        const tct_model_param *p = &desc->params[i];
        if (tct_tensor_new(d, (tct_dtype)p->dtype, p->n_axes, p->axis, p->size, &params[i])) continue;
        tct_params_free(desc, params);
        return NULL;
    }
    return params;
}

void tct_params_free(const tct_model_desc *desc, tct_tensor *params) {
    for (uint32_t i = 0; params && i < desc->n_params; i++) tct_tensor_free(&params[i]);
    free(params);
}

typedef struct fill {
    const tct_model_param *param;
    tct_tensor *t;
    uint64_t seed, stream;
    int64_t n;
} fill;

// Four elements from one draw: two Box–Muller pairs, or four uniforms.
static void draw_four(const fill *f, int64_t block, double out[4]) {
    tct_philox r = tct_rng(f->seed, f->stream, (uint64_t)block);
    double a = f->param->init_a, b = f->param->init_b;
    for (int k = 0; k < 4; k++) out[k] = a + (b - a) * (double)tct_rng_uniform(r.v[k]);
    if (f->param->init == TCT_INIT_UNIFORM) return;
    for (int k = 0; k < 4; k += 2) {
        double radius = sqrt(-2 * log((double)tct_rng_uniform_open(r.v[k])));
        double angle = 2 * M_PI * (double)tct_rng_uniform(r.v[k + 1]);
        out[k] = a + b * radius * cos(angle);
        out[k + 1] = a + b * radius * sin(angle);
    }
}

static void fill_blocks(void *ctx, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const fill *f = ctx;
    for (int64_t block = begin; block < end; block++) {
        double x[4];
        draw_four(f, block, x);
        for (int64_t i = block * 4; i < block * 4 + 4 && i < f->n; i++) tct_tensor_set(f->t, i, x[i % 4]);
    }
}

static void initialise(tct_pool *pool, const tct_model_param *p, uint64_t seed, tct_tensor *t) {
    fill f = {p, t, seed, XXH3_64bits(p->name, strlen(p->name)), tct_tensor_elements(t)};
    if (p->init != TCT_INIT_CONSTANT)
        tct_pool_run(pool, (f.n + 3) / 4, fill_blocks, &f);
    else
        tct_tensor_fill(t, p->init_a);
}

void tct_params_init(tct_pool *pool, const tct_model_desc *desc, uint64_t seed, tct_tensor *params) {
    for (uint32_t i = 0; i < desc->n_params; i++) initialise(pool, &desc->params[i], seed, &params[i]);
}
