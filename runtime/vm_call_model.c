// Built-ins on models: generate, save, clone, assign, ema.
#include "base/file.h"
#include "runtime/model.h"
#include "runtime/rng.h"
#include "runtime/vm_model.h"

#include <assert.h>
#include <stdlib.h>

enum { ROLLOUT_FIELDS = 9 };

static bool rollout_tensor(tct_vm *vm, const tct_call *c, uint32_t field, tct_dtype dtype,
                           const int64_t *sizes, uint32_t n_axes, void **out) {
    const tct_reg_type *type = tct_result_type(vm, c, field);
    static const char *const usual[] = {"B", "T"};
    tct_value *v = tct_result(vm, c, field);
    const char *const *axes = type->n_axes == n_axes ? type->axis : usual;
    if (!tct_value_reuse_tensor(vm->d, dtype, n_axes, axes, sizes, v)) return false;
    *out = v->array->t.data;
    return true;
}

// The generated part of every row as text.
static tct_value decode_responses(const tct_tokenizer *t, const tct_rollout *out, int64_t batch,
                                  int64_t width) {
    tct_value list = tct_value_list();
    for (int64_t b = 0; b < batch; b++) {
        tct_buf text = {0};
        int32_t from = out->prompt_length[b];
        tct_tokenizer_decode(t, out->tokens + b * width + from, (size_t)(out->length[b] - from),
                             TCT_DECODE_SKIP_SPECIAL | TCT_DECODE_CONTINUE, &text);
        tct_list_push(list.list, tct_value_string(text.data, text.len));
        tct_buf_free(&text);
    }
    return list;
}

// Seed 0 takes a fresh key, as key() does.
static uint64_t sampling_seed(tct_vm *vm, int64_t seed) {
    if (seed != 0) return tct_vm_seed(vm, seed);
    return tct_rng_fold(tct_vm_seed(vm, 0), vm->draws++);
}

bool tct_vm_call_GENERATE(tct_vm *vm, const tct_call *c) {
    assert(c->n_args == 12 && c->n_results == ROLLOUT_FIELDS);
    const tct_generator *g = &vm->program->generators[c->generator];
    const tct_model *model = tct_arg(vm, c, 0)->model;
    // Held while results may take the registers of the arguments.
    tct_value prompts = tct_value_share(*tct_arg(vm, c, 1)), lengths = tct_value_share(*tct_arg(vm, c, 2)),
              texts = tct_value_share(*tct_arg(vm, c, 3));
    const tct_tokenizer *tok = tct_arg(vm, c, 4)->tokenizer->tokenizer;
    int32_t pad = tct_tokenizer_special(tok, TCT_PAD);
    tct_generate_options o = {
        .max_new = tct_arg(vm, c, 5)->i,
        .sampling = {tct_value_number(*tct_arg(vm, c, 6)), tct_arg(vm, c, 7)->i,
                     tct_value_number(*tct_arg(vm, c, 8)), sampling_seed(vm, tct_arg(vm, c, 9)->i)},
        .pad = pad >= 0 ? pad : 0,
        .trace = vm->trace,
    };
    o.eos = tct_tokenizer_eos_ids(tok, &o.n_eos);
    int64_t grid[] = {g->batch, g->prompt + o.max_new}, want[] = {g->batch, g->prompt};
    const tct_tensor *t = &prompts.array->t, *n = &lengths.array->t;
    tct_rollout out = {0};
    bool ok = t->n_axes == 2 && t->sizes[0] == want[0] && t->sizes[1] == want[1] && n->n_axes == 1 &&
              n->sizes[0] == want[0];
    if (!ok)
        tct_error(vm->d, "E0816", TCT_NO_SPAN,
                  "the prompts are %s; generation was compiled for %lld rows of %lld",
                  tct_tensor_describe(&vm->d->arena, t), (long long)g->batch, (long long)g->prompt);
    if (ok && (o.max_new < 1 || o.max_new > g->max_new))
        ok = tct_error(vm->d, "E0814", TCT_NO_SPAN, "max_new is %lld; generation was compiled for 1 to %lld",
                       (long long)o.max_new, (long long)g->max_new);
    ok = ok && rollout_tensor(vm, c, 0, TCT_I32, grid, 2, (void **)&out.tokens) &&
         rollout_tensor(vm, c, 1, TCT_I32, grid, 2, (void **)&out.target) &&
         rollout_tensor(vm, c, 2, TCT_BOOL, grid, 2, (void **)&out.mask) &&
         rollout_tensor(vm, c, 3, TCT_I32, grid, 1, (void **)&out.length) &&
         rollout_tensor(vm, c, 4, TCT_I32, grid, 1, (void **)&out.prompt_length) &&
         rollout_tensor(vm, c, 5, TCT_F32, grid, 2, (void **)&out.logp) &&
         rollout_tensor(vm, c, 6, TCT_BOOL, grid, 1, (void **)&out.ended);
    tct_generate_room *room = ok ? tct_vm_generator(vm, c->generator) : NULL;
    if (room) {
        void **params = tct_alloc((model->desc->n_params + 1) * sizeof *params);
        for (uint32_t i = 0; i < model->desc->n_params; i++) params[i] = model->params[i].data;
        ok = tct_generate(vm->d, vm->pool, room, params, model->desc->n_params, vm->arena, t->data,
                          lengths.array->t.data, &o, &out);
        free(params);
    }
    ok = ok && room;
    if (ok) {
        tct_value_set(tct_result(vm, c, 7), tct_value_share(texts));
        tct_value_set(tct_result(vm, c, 8), decode_responses(tok, &out, grid[0], grid[1]));
    }
    tct_value_drop(&prompts);
    tct_value_drop(&lengths);
    tct_value_drop(&texts);
    return ok;
}

// A name under the run's folder, that doesn't lead out of it.
static bool is_inside(const char *name) {
    if (!*name || *name == '/') return false;
    for (const char *p = name; p; p = strchr(p, '/')) {
        p += *p == '/';
        size_t n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.') return false;
    }
    return true;
}

bool tct_vm_call_SAVE(tct_vm *vm, const tct_call *c) {
    const char *name = tct_arg(vm, c, 1)->text->text;
    if (!is_inside(name))
        return tct_error(vm->d, "E0817", TCT_NO_SPAN, "save: '%s' is not a name inside the run's folder",
                         name);
    tct_arena scratch = {0};
    const char *folder = tct_path_join(&scratch, vm->options->out, name);
    const tct_model *m = tct_arg(vm, c, 0)->model;
    bool ok = tct_params_save(vm->d, m->desc, folder, m->params, tct_arg(vm, c, 2)->tokenizer->tokenizer);
    tct_arena_free(&scratch);
    return ok;
}

bool tct_vm_call_CLONE(tct_vm *vm, const tct_call *c) {
    const tct_model *from = tct_arg(vm, c, 0)->model;
    tct_value v;
    if (!tct_vm_blank_model(vm, from->number, &v)) return false;
    for (uint32_t i = 0; i < from->desc->n_params; i++)
        if (from->params[i].bytes)
            memcpy(v.model->params[i].data, from->params[i].data, from->params[i].bytes);
    tct_value_set(tct_result(vm, c, 0), v);
    return true;
}

static bool same_shape(const tct_tensor *a, const tct_tensor *b) {
    bool same = a->dtype == b->dtype && a->n_axes == b->n_axes;
    for (int i = 0; same && i < a->n_axes; i++) same = a->sizes[i] == b->sizes[i];
    return same;
}

bool tct_vm_call_ASSIGN(tct_vm *vm, const tct_call *c) {
    const tct_model *dst = tct_arg(vm, c, 0)->model, *src = tct_arg(vm, c, 1)->model;
    for (uint32_t i = 0; i < c->n_pairs; i++) {
        tct_tensor *to = &dst->params[c->pairs[2 * i]];
        const tct_tensor *from = &src->params[c->pairs[2 * i + 1]];
        assert(same_shape(to, from));
        if (to->bytes) memmove(to->data, from->data, to->bytes);
    }
    return true;
}

typedef struct average {
    tct_tensor *to;
    const tct_tensor *from;
    double decay;
} average;

static void average_range(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const average *a = context;
    if (a->to->dtype == TCT_F32) {
        float *to = a->to->data, decay = (float)a->decay, rest = (float)(1 - a->decay);
        const float *from = a->from->data;
        for (int64_t i = begin; i < end; i++) to[i] = decay * to[i] + rest * from[i];
        return;
    }
    for (int64_t i = begin; i < end; i++)
        tct_tensor_set(a->to, i,
                       a->decay * tct_tensor_get(a->to, i) + (1 - a->decay) * tct_tensor_get(a->from, i));
}

bool tct_vm_call_EMA(tct_vm *vm, const tct_call *c) {
    const tct_model *dst = tct_arg(vm, c, 0)->model, *src = tct_arg(vm, c, 1)->model;
    double decay = tct_value_number(*tct_arg(vm, c, 2));
    if (!(decay >= 0 && decay <= 1))
        return tct_error(vm->d, "E0817", TCT_NO_SPAN, "ema: decay is %g; it must lie in 0 to 1", decay);
    for (uint32_t i = 0; i < c->n_pairs; i++) {
        average a = {&dst->params[c->pairs[2 * i]], &src->params[c->pairs[2 * i + 1]], decay};
        assert(same_shape(a.to, a.from));
        tct_pool_run(vm->pool, tct_tensor_elements(a.to), average_range, &a);
    }
    return true;
}
