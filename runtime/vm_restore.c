// The machine's state, read. A checkpoint comes from outside: every number, name and shape in it is held
// against the program before it is believed.
#include "runtime/checkpoint.h"
#include "runtime/vm_data.h"
#include "runtime/vm_model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

typedef TCT_VEC(tct_value) values;

typedef struct restoring {
    tct_vm *vm;
    tct_checkpoint file;
    values arrays, models, optimizers, tokenizers, datasets, records; // each a hold
} restoring;

static bool wrong(restoring *r, const char *what) {
    return tct_error(r->vm->d, "E0830", TCT_NO_SPAN,
                     "the checkpoint in %s cannot be used: %s does not fit the program", r->vm->options->out,
                     what);
}

static bool read_int(restoring *r, const json_t *object, const char *key, int64_t min, int64_t max,
                     int64_t *out) {
    const json_t *v = json_object_get(object, key);
    *out = json_integer_value(v);
    return (json_is_integer(v) && *out >= min && *out <= max) || wrong(r, key);
}

static bool read_bool(restoring *r, const json_t *object, const char *key, bool *out) {
    const json_t *v = json_object_get(object, key);
    *out = json_is_true(v);
    return json_is_boolean(v) || wrong(r, key);
}

static bool read_string(restoring *r, const json_t *object, const char *key, const char **out) {
    *out = json_string_value(json_object_get(object, key));
    return *out || wrong(r, key);
}

static bool read_hex(restoring *r, const json_t *object, const char *key, uint64_t *out) {
    const char *text;
    if (!read_string(r, object, key, &text)) return false;
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 16);
    return (strlen(text) == 16 && *end == 0 && errno == 0) || wrong(r, key);
}

static bool parse_float(const char *text, double *out) {
    char *end;
    *out = text ? strtod(text, &end) : 0;
    return text && *text && *end == 0;
}

// The tables of objects.
static const json_t *table(const restoring *r, const char *name) {
    return json_object_get(r->file.machine, name);
}

static bool load_into(restoring *r, const char *name, tct_tensor *t) {
    const tct_safetensors_entry *e = tct_safetensors_find(r->file.tensors, name);
    bool fits = e && e->loadable && e->dtype == t->dtype && e->n_axes == t->n_axes;
    for (int i = 0; fits && i < t->n_axes; i++) fits = e->sizes[i] == t->sizes[i];
    return fits ? tct_safetensors_load_into(r->vm->d, r->file.tensors, name, t) : wrong(r, name);
}

static bool restore_arrays(restoring *r) {
    size_t i;
    json_t *axes;
    json_array_foreach(table(r, "tensors"), i, axes) {
        char name[40];
        snprintf(name, sizeof name, "tensor.%zu", i);
        const tct_safetensors_entry *e = tct_safetensors_find(r->file.tensors, name);
        if (!e || !e->loadable || (int)json_array_size(axes) != e->n_axes) return wrong(r, name);
        const char *names[TCT_MAX_AXES];
        for (int k = 0; k < e->n_axes; k++) {
            names[k] = json_string_value(json_array_get(axes, (size_t)k));
            if (!names[k]) return wrong(r, name);
        }
        tct_value v;
        if (!tct_value_tensor(r->vm->d, e->dtype, (uint32_t)e->n_axes, names, e->sizes, &v)) return false;
        TCT_PUSH(&r->arrays, v);
        if (!load_into(r, name, &v.array->t)) return false;
    }
    return true;
}

static bool restore_models(restoring *r) {
    size_t i;
    json_t *number;
    json_array_foreach(table(r, "models"), i, number) {
        json_int_t n = json_integer_value(number);
        if (!json_is_integer(number) || n < 0 || n >= r->vm->program->n_models) return wrong(r, "a model");
        tct_value v;
        if (!tct_vm_blank_model(r->vm, (uint32_t)n, &v)) return false;
        TCT_PUSH(&r->models, v);
        for (uint32_t k = 0; k < v.model->desc->n_params; k++) {
            char name[48];
            snprintf(name, sizeof name, "model.%zu.%u", i, k);
            if (!load_into(r, name, &v.model->params[k])) return false;
        }
    }
    return true;
}

static bool load_states(restoring *r, size_t number, tct_optimizer *o) {
    char name[48];
    for (uint32_t i = 0; i < o->desc->n_params * o->desc->n_states; i++) {
        snprintf(name, sizeof name, "optimizer.%zu.state.%u", number, i);
        if (!load_into(r, name, &o->states[i])) return false;
    }
    for (uint32_t i = 0; o->grads && i < o->desc->n_params; i++) {
        snprintf(name, sizeof name, "optimizer.%zu.grad.%u", number, i);
        if (!load_into(r, name, &o->grads[i])) return false;
    }
    return true;
}

static bool restore_optimizers(restoring *r) {
    const tct_program *p = r->vm->program;
    size_t i;
    json_t *j;
    json_array_foreach(table(r, "optimizers"), i, j) {
        int64_t number, step;
        if (!read_int(r, j, "number", 0, (int64_t)p->n_optimizers - 1, &number) ||
            !read_int(r, j, "step", 0, INT64_MAX, &step))
            return false;
        const tct_optimizer_desc *desc = &p->optimizers[number];
        const json_t *list = json_object_get(j, "models");
        if (json_array_size(list) != desc->n_models) return wrong(r, "an optimizer's models");
        tct_model **models = TCT_NEW_ARRAY(&r->vm->d->arena, tct_model *, desc->n_models + 1);
        for (uint32_t k = 0; k < desc->n_models; k++) {
            const json_t *of = json_array_get(list, k);
            json_int_t m = json_integer_value(of);
            if (!json_is_integer(of) || m < 0 || (size_t)m >= r->models.len ||
                r->models.data[m].model->number != p->regs[desc->models[k]].table)
                return wrong(r, "an optimizer's models");
            models[k] = r->models.data[m].model;
        }
        tct_value v;
        if (!tct_vm_optimizer_of(r->vm, (uint32_t)number, models, &v)) return false;
        TCT_PUSH(&r->optimizers, v);
        v.optimizer->step = step;
        if (!load_states(r, i, v.optimizer)) return false;
    }
    return true;
}

static bool restore_tokenizers(restoring *r) {
    size_t i;
    json_t *path;
    json_array_foreach(table(r, "tokenizers"), i, path) {
        tct_value v;
        if (!json_is_string(path)) return wrong(r, "a tokenizer");
        if (!tct_vm_open_tokenizer(r->vm->d, json_string_value(path), &v)) return false;
        TCT_PUSH(&r->tokenizers, v);
    }
    return true;
}

static bool restore_row(restoring *r, const json_t *row, tct_records *out) {
    const char *prompt;
    const json_t *responses = json_object_get(row, "responses"), *ranks = json_object_get(row, "ranks");
    if (!read_string(r, row, "prompt", &prompt)) return false;
    size_t n = json_array_size(responses);
    if (n > INT32_MAX || n == 0 || (json_is_array(ranks) ? json_array_size(ranks) != n : n != 1))
        return wrong(r, "a record");
    tct_arena scratch = {0};
    const char **texts = TCT_NEW_ARRAY(&scratch, const char *, n);
    int32_t *numbers = TCT_NEW_ARRAY(&scratch, int32_t, n);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        texts[i] = json_string_value(json_array_get(responses, i));
        json_int_t rank = json_integer_value(json_array_get(ranks, i));
        numbers[i] = (int32_t)rank;
        ok = texts[i] && (!json_is_array(ranks) || (rank >= 1 && rank <= INT32_MAX));
    }
    if (!ok)
        wrong(r, "a record");
    else if (json_is_array(ranks))
        tct_records_add_ranked(out, prompt, (int)n, texts, numbers);
    else
        tct_records_add_completion(out, prompt, texts[0]);
    tct_arena_free(&scratch);
    return ok;
}

static bool restore_rows(restoring *r, const json_t *j, tct_records *out) {
    const char *source;
    if (!read_string(r, j, "source", &source)) return false;
    out->source = tct_arena_strdup(&out->arena, source);
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(j, "rows"), i, row) if (!restore_row(r, row, out)) return false;
    return true;
}

static bool restore_records(restoring *r) {
    size_t i;
    json_t *j;
    json_array_foreach(table(r, "records"), i, j) {
        tct_records_ref *records = tct_alloc(sizeof *records);
        records->refs = 1;
        TCT_PUSH(&r->records, (tct_value){.kind = TCT_KIND_RECORDS, .records = records});
        if (!restore_rows(r, j, &records->records)) return false;
    }
    return true;
}

static bool restore_options(restoring *r, const json_t *j, tct_dataset_options *o) {
    int64_t batch, length, k, overlong, pad, first, count;
    if (!read_int(r, j, "batch", 1, INT32_MAX, &batch) || !read_int(r, j, "length", 1, INT32_MAX, &length) ||
        !read_int(r, j, "k", 0, INT32_MAX, &k) || !read_hex(r, j, "seed", &o->seed) ||
        !read_bool(r, j, "shuffle", &o->shuffle) || !read_bool(r, j, "once", &o->once) ||
        !read_bool(r, j, "no_eos", &o->no_eos) ||
        !read_bool(r, j, "with_prompt_loss", &o->with_prompt_loss) ||
        !read_int(r, j, "overlong", 0, TCT_OVERLONG_KEEP_END, &overlong) ||
        !read_int(r, j, "pad", TCT_PAD_FROM_TOKENIZER, INT32_MAX, &pad) ||
        !read_int(r, j, "first", 0, INT64_MAX, &first) || !read_int(r, j, "count", 0, INT64_MAX, &count))
        return false;
    o->batch = (int32_t)batch;
    o->length = (int32_t)length;
    o->k = (int32_t)k;
    o->overlong = (tct_overlong)overlong;
    o->pad = (int32_t)pad;
    o->first = (size_t)first;
    o->count = (size_t)count;
    return true;
}

static bool data_kind_of(const char *name, tct_data_kind *out) {
    for (int k = 0; k < TCT_N_DATA_KINDS; k++)
        if (strcmp(name, tct_data_kind_name((tct_data_kind)k)) == 0) {
            *out = (tct_data_kind)k;
            return true;
        }
    return false;
}

// Opens the data set again and takes it to where it was.
static bool reopen(restoring *r, const json_t *j, tct_dataset_ref *s) {
    int64_t given, epoch, index;
    uint64_t fingerprint;
    if (!read_int(r, j, "given", 0, INT64_MAX, &given) || !read_int(r, j, "epoch", 0, INT64_MAX, &epoch) ||
        !read_int(r, j, "index", 0, INT64_MAX, &index) || !read_hex(r, j, "fingerprint", &fingerprint) ||
        !tct_vm_open_dataset(r->vm->d, s))
        return false;
    if (tct_dataset_fingerprint(s->data) != fingerprint) {
        tct_error(r->vm->d, "E0832", TCT_NO_SPAN, "%s has changed since the checkpoint was written",
                  s->path ? s->path : "a data set that the program made");
        tct_help(r->vm->d,
                 "resuming would train on other rows: put the file back, or start without --resume");
        return false;
    }
    s->given = (uint64_t)given;
    tct_dataset_position at = {(uint64_t)epoch, (uint64_t)index};
    return tct_dataset_seek(s->data, at) || wrong(r, "a data set's position");
}

static bool restore_datasets(restoring *r) {
    size_t i;
    json_t *j;
    json_array_foreach(table(r, "datasets"), i, j) {
        const char *kind, *template_text, *chat;
        const json_t *path = json_object_get(j, "path");
        int64_t tokenizer;
        if (!read_string(r, j, "kind", &kind) || !read_string(r, j, "template", &template_text) ||
            !read_string(r, j, "chat", &chat) ||
            !read_int(r, j, "tokenizer", 0, (int64_t)r->tokenizers.len - 1, &tokenizer))
            return false;
        tct_dataset_ref *s = tct_alloc(sizeof *s);
        s->refs = 1;
        TCT_PUSH(&r->datasets, (tct_value){.kind = TCT_KIND_DATASET, .dataset = s});
        s->tokenizer = tct_value_share(r->tokenizers.data[tokenizer]).tokenizer;
        s->template_text = tct_strdup(template_text);
        s->chat = tct_strdup(chat);
        s->options = tct_dataset_defaults();
        if (json_is_string(path)) s->path = tct_strdup(json_string_value(path));
        if (!data_kind_of(kind, &s->kind)) return wrong(r, "a data set's kind");
        if (!restore_options(r, json_object_get(j, "options"), &s->options)) return false;
        if (!s->path && !restore_rows(r, json_object_get(j, "records"), &s->records)) return false;
        if (!reopen(r, j, s)) return false;
    }
    return true;
}

// Does a tensor, or an object of a table, fit the register's type?
static bool fits(const tct_reg_type *type, tct_value v) {
    switch ((tct_kind)v.kind) {
    case TCT_KIND_TENSOR:
        if (v.array->t.dtype != (tct_dtype)type->dtype || v.array->t.n_axes != type->n_axes) return false;
        for (int i = 0; i < type->n_axes; i++)
            if (v.array->t.sizes[i] != type->size[i]) return false;
        return true;
    case TCT_KIND_MODEL:
        return v.model->number == type->table;
    case TCT_KIND_OPTIMIZER:
        return v.optimizer->number == type->table;
    case TCT_KIND_DATASET:
        return (uint32_t)v.dataset->kind == type->table;
    default:
        return true;
    }
}

static const values *objects_of(const restoring *r, uint8_t kind) {
    switch ((tct_kind)kind) {
    case TCT_KIND_TENSOR:
        return &r->arrays;
    case TCT_KIND_MODEL:
        return &r->models;
    case TCT_KIND_OPTIMIZER:
        return &r->optimizers;
    case TCT_KIND_TOKENIZER:
        return &r->tokenizers;
    case TCT_KIND_DATASET:
        return &r->datasets;
    default:
        return &r->records;
    }
}

// The value that `j` describes: of `kind`, whose elements are of kinds `element` and `element2`.
static bool restore_value(restoring *r, const json_t *j, uint8_t kind, uint8_t element, uint8_t element2,
                          tct_value *out) {
    const json_t *content = json_object_get(j, tct_kind_name((tct_kind)kind));
    *out = (tct_value){0};
    switch ((tct_kind)kind) {
    case TCT_KIND_INT:
        *out = tct_value_int(json_integer_value(content));
        return json_is_integer(content) || wrong(r, "an int");
    case TCT_KIND_FLOAT:
        out->kind = TCT_KIND_FLOAT;
        return parse_float(json_string_value(content), &out->f) || wrong(r, "a float");
    case TCT_KIND_BOOL:
        *out = tct_value_bool(json_is_true(content));
        return json_is_boolean(content) || wrong(r, "a bool");
    case TCT_KIND_STRING:
        if (!json_is_string(content)) return wrong(r, "a string");
        *out = tct_value_string(json_string_value(content), json_string_length(content));
        return true;
    case TCT_KIND_LIST: {
        if (!json_is_array(content)) return wrong(r, "a list");
        *out = tct_value_list();
        size_t i;
        json_t *item;
        json_array_foreach(content, i, item) {
            tct_value v;
            bool ok = restore_value(r, item, element, element2, TCT_KIND_NONE, &v);
            tct_list_push(out->list, v);
            if (!ok) return false;
        }
        return true;
    }
    case TCT_KIND_NONE:
        return wrong(r, "a list's element");
    default: {
        const values *all = objects_of(r, kind);
        json_int_t n = json_integer_value(content);
        if (!json_is_integer(content) || n < 0 || (size_t)n >= all->len)
            return wrong(r, tct_kind_name((tct_kind)kind));
        *out = tct_value_share(all->data[n]);
        return true;
    }
    }
}

static bool restore_registers(restoring *r) {
    const tct_program *p = r->vm->program;
    const json_t *regs = table(r, "registers");
    if (json_array_size(regs) != p->n_regs) return wrong(r, "the number of registers");
    for (uint32_t i = 0; i < p->n_regs; i++) {
        const json_t *j = json_array_get(regs, i);
        const tct_reg_type *type = &p->regs[i];
        if (json_object_get(j, tct_kind_name(TCT_KIND_NONE))) continue;
        tct_value v;
        bool ok = restore_value(r, j, type->kind, type->element, type->element2, &v);
        tct_value_set(&r->vm->regs[i], v);
        if (!ok) return false;
        if (!fits(type, v)) return wrong(r, tct_arena_printf(&r->vm->d->arena, "register %u", i));
        if (type->kind == TCT_KIND_TOKENIZER && !tct_vm_tokenizer_fits(r->vm, v.tokenizer, i)) return false;
    }
    return true;
}

// Only places where a checkpoint is written are places to go on from.
static bool is_place(const tct_program *p, int64_t pc) {
    uint16_t before = p->instrs[pc - 1].op;
    return before == TCT_I_SAFEPOINT || before == TCT_I_STAGE_END;
}

static bool restore_position(restoring *r, uint64_t *metrics_bytes) {
    tct_vm *vm = r->vm;
    const json_t *m = r->file.machine;
    int64_t pc, stage, draws, bytes;
    if (!read_int(r, m, "pc", 1, (int64_t)vm->program->n_instrs - 1, &pc) ||
        !read_int(r, m, "stage", -1, (int64_t)vm->program->n_stages - 1, &stage) ||
        !read_int(r, m, "done", INT64_MIN, INT64_MAX, &vm->done) ||
        !read_int(r, m, "total", INT64_MIN, INT64_MAX, &vm->total) ||
        !read_int(r, m, "draws", INT64_MIN, INT64_MAX, &draws) ||
        !read_int(r, m, "metrics_bytes", 0, INT64_MAX, &bytes))
        return false;
    if (!is_place(vm->program, pc)) return wrong(r, "pc");
    if (!parse_float(json_string_value(json_object_get(m, "elapsed")), &vm->elapsed))
        return wrong(r, "elapsed");
    vm->pc = (uint32_t)pc;
    vm->stage = (int32_t)stage;
    vm->draws = (uint64_t)draws;
    *metrics_bytes = (uint64_t)bytes;
    if (stage >= 0)
        tct_progress_stage(vm->progress, vm->program->stages[stage].name, (int)stage + 1,
                           (int)vm->program->n_stages);
    return true;
}

// An array of {"stage": string, "title": string, "rows": [[string, string], …]}.
static bool are_samples(const json_t *samples) {
    size_t i, k;
    json_t *group, *row;
    json_array_foreach(samples, i, group) {
        const json_t *rows = json_object_get(group, "rows");
        if (!json_is_string(json_object_get(group, "stage")) ||
            !json_is_string(json_object_get(group, "title")) || !json_is_array(rows))
            return false;
        json_array_foreach(rows, k, row) if (!json_is_string(json_array_get(row, 0)) ||
                                             !json_is_string(json_array_get(row, 1))) return false;
    }
    return json_is_array(samples);
}

static bool is_summary(const json_t *summary) {
    const char *name;
    json_t *group;
    json_object_foreach((json_t *)summary, name, group) if (!json_is_object(group)) return false;
    return json_is_object(summary);
}

static bool restore_outputs(restoring *r) {
    tct_vm *vm = r->vm;
    json_t *m = r->file.machine, *summary = json_object_get(m, "summary"),
           *samples = json_object_get(m, "samples"), *warned = json_object_get(m, "warned");
    if (!is_summary(summary) || !are_samples(samples) || !json_is_object(warned))
        return wrong(r, "what it says of results so far");
    json_decref(vm->summary);
    json_decref(vm->samples);
    json_decref(vm->warned);
    vm->summary = json_incref(summary);
    vm->samples = json_incref(samples);
    vm->warned = json_incref(warned);
    return true;
}

static void drop_all(values *v) {
    for (size_t i = 0; i < v->len; i++) tct_value_drop(&v->data[i]);
    TCT_VEC_FREE(v);
}

bool tct_vm_restore(tct_vm *vm, const char *after_stage, uint64_t *out_metrics_bytes) {
    restoring r = {.vm = vm};
    const char *name =
        after_stage ? tct_arena_printf(&vm->d->arena, "checkpoint-after-%s", after_stage) : "checkpoint";
    tct_checkpoint_owner owner = {vm->program, vm->options->seed};
    if (!tct_checkpoint_open(vm->d, vm->options->out, name, &owner, &r.file)) return false;
    bool ok = restore_position(&r, out_metrics_bytes) && restore_outputs(&r) && restore_arrays(&r) &&
              restore_models(&r) && restore_optimizers(&r) && restore_tokenizers(&r) && restore_records(&r) &&
              restore_datasets(&r) && restore_registers(&r);
    drop_all(&r.arrays);
    drop_all(&r.optimizers);
    drop_all(&r.models);
    drop_all(&r.datasets);
    drop_all(&r.tokenizers);
    drop_all(&r.records);
    tct_checkpoint_close(&r.file);
    return ok;
}
