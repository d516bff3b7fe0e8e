// The machine's state, written. Numbers go into the JSON exactly (floats as hexadecimal), tensors into the
// safetensors file under "tensor.N", "model.N.PARAMETER", "optimizer.N.state.I" and "optimizer.N.grad.I",
// where N counts the objects of a kind: an object that several registers hold is written once.
#include "runtime/checkpoint.h"
#include "runtime/vm_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct objects {
    const char *kind; // key of the table in the JSON
    TCT_VEC(void *) seen;
    json_t *table;
} objects;

typedef struct saving {
    tct_arena arena; // names of tensors
    tct_safetensors_writer *tensors;
    objects arrays, models, optimizers, tokenizers, datasets, records;
} saving;

static const char *tensor_name(saving *s, const char *kind, size_t number, const char *part, uint32_t index) {
    return tct_arena_printf(&s->arena, "%s.%zu.%s%u", kind, number, part, index);
}

// The number of `object` in its table. *is_new: it was not there; its description is to be appended.
static size_t number_of(objects *o, void *object, bool *is_new) {
    for (size_t i = 0; i < o->seen.len; i++)
        if (o->seen.data[i] == object) {
            *is_new = false;
            return i;
        }
    TCT_PUSH(&o->seen, object);
    *is_new = true;
    return o->seen.len - 1;
}

static json_t *save_array(saving *s, tct_array *a) {
    bool is_new;
    size_t n = number_of(&s->arrays, a, &is_new);
    if (is_new) {
        json_t *axes = json_array();
        for (int i = 0; i < a->t.n_axes; i++) json_array_append_new(axes, json_string(a->t.axes[i]));
        json_array_append_new(s->arrays.table, axes);
        tct_safetensors_writer_add(s->tensors, tct_arena_printf(&s->arena, "tensor.%zu", n), &a->t);
    }
    return json_integer((json_int_t)n);
}

static json_t *save_model(saving *s, tct_model *m) {
    bool is_new;
    size_t n = number_of(&s->models, m, &is_new);
    if (is_new) {
        json_array_append_new(s->models.table, json_integer(m->number));
        for (uint32_t i = 0; i < m->desc->n_params; i++)
            tct_safetensors_writer_add(s->tensors, tensor_name(s, "model", n, "", i), &m->params[i]);
    }
    return json_integer((json_int_t)n);
}

static json_t *save_optimizer(saving *s, tct_optimizer *o) {
    bool is_new;
    size_t n = number_of(&s->optimizers, o, &is_new);
    if (!is_new) return json_integer((json_int_t)n);
    json_t *models = json_array();
    for (uint32_t i = 0; i < o->desc->n_models; i++)
        json_array_append_new(models, save_model(s, o->models[i]));
    json_array_append_new(s->optimizers.table, json_pack("{s:i, s:I, s:o}", "number", (int)o->number, "step",
                                                         (json_int_t)o->step, "models", models));
    for (uint32_t i = 0; i < o->desc->n_params * o->desc->n_states; i++)
        tct_safetensors_writer_add(s->tensors, tensor_name(s, "optimizer", n, "state.", i), &o->states[i]);
    for (uint32_t i = 0; o->grads && i < o->desc->n_params; i++)
        tct_safetensors_writer_add(s->tensors, tensor_name(s, "optimizer", n, "grad.", i), &o->grads[i]);
    return json_integer((json_int_t)n);
}

static json_t *save_tokenizer(saving *s, tct_tokenizer_ref *t) {
    bool is_new;
    size_t n = number_of(&s->tokenizers, t, &is_new);
    if (is_new) json_array_append_new(s->tokenizers.table, json_string(t->path));
    return json_integer((json_int_t)n);
}

static json_t *save_rows(const tct_records *r) {
    json_t *rows = json_array();
    for (size_t i = 0; i < r->rows.len; i++) {
        const tct_record *row = &r->rows.data[i];
        json_t *responses = json_array(), *ranks = row->ranks ? json_array() : json_null();
        for (int k = 0; k < row->n_responses; k++) {
            json_array_append_new(responses, json_string(row->responses[k]));
            if (row->ranks) json_array_append_new(ranks, json_integer(row->ranks[k]));
        }
        json_array_append_new(rows, json_pack("{s:s, s:o, s:o}", "prompt", row->prompt, "responses",
                                              responses, "ranks", ranks));
    }
    return json_pack("{s:s, s:o}", "source", r->source, "rows", rows);
}

static json_t *save_records(saving *s, tct_records_ref *r) {
    bool is_new;
    size_t n = number_of(&s->records, r, &is_new);
    if (is_new) json_array_append_new(s->records.table, save_rows(&r->records));
    return json_integer((json_int_t)n);
}

static json_t *hex(uint64_t x) {
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, x);
    return json_string(text);
}

static json_t *save_options(const tct_dataset_options *o) {
    json_t *j = json_object();
    json_object_set_new(j, "batch", json_integer(o->batch));
    json_object_set_new(j, "length", json_integer(o->length));
    json_object_set_new(j, "k", json_integer(o->k));
    json_object_set_new(j, "seed", hex(o->seed));
    json_object_set_new(j, "shuffle", json_boolean(o->shuffle));
    json_object_set_new(j, "once", json_boolean(o->once));
    json_object_set_new(j, "no_eos", json_boolean(o->no_eos));
    json_object_set_new(j, "with_prompt_loss", json_boolean(o->with_prompt_loss));
    json_object_set_new(j, "overlong", json_integer(o->overlong));
    json_object_set_new(j, "pad", json_integer(o->pad));
    json_object_set_new(j, "first", json_integer((json_int_t)o->first));
    json_object_set_new(j, "count", json_integer((json_int_t)o->count));
    return j;
}

static json_t *save_dataset(saving *s, tct_dataset_ref *d) {
    bool is_new;
    size_t n = number_of(&s->datasets, d, &is_new);
    if (!is_new) return json_integer((json_int_t)n);
    tct_dataset_position at = tct_dataset_tell(d->data);
    json_t *j = json_object();
    json_object_set_new(j, "kind", json_string(tct_data_kind_name(d->kind)));
    json_object_set_new(j, "path", d->path ? json_string(d->path) : json_null());
    json_object_set_new(j, "records", d->path ? json_null() : save_rows(&d->records));
    json_object_set_new(j, "tokenizer", save_tokenizer(s, d->tokenizer));
    json_object_set_new(j, "template", json_string(d->template_text));
    json_object_set_new(j, "chat", json_string(d->chat));
    json_object_set_new(j, "options", save_options(&d->options));
    json_object_set_new(j, "given", json_integer((json_int_t)d->given));
    json_object_set_new(j, "epoch", json_integer((json_int_t)at.epoch));
    json_object_set_new(j, "index", json_integer((json_int_t)at.index));
    json_object_set_new(j, "fingerprint", hex(tct_dataset_fingerprint(d->data)));
    json_array_append_new(s->datasets.table, j);
    return json_integer((json_int_t)n);
}

static json_t *save_value(saving *s, tct_value v) {
    char text[40];
    json_t *content = NULL;
    switch ((tct_kind)v.kind) {
    case TCT_KIND_INT:
        content = json_integer(v.i);
        break;
    case TCT_KIND_FLOAT:
        snprintf(text, sizeof text, "%a", v.f);
        content = json_string(text);
        break;
    case TCT_KIND_BOOL:
        content = json_boolean(v.b);
        break;
    case TCT_KIND_STRING:
        content = json_stringn(v.text->text, v.text->len);
        break;
    case TCT_KIND_LIST:
        content = json_array();
        for (size_t i = 0; i < v.list->len; i++)
            json_array_append_new(content, save_value(s, v.list->items[i]));
        break;
    case TCT_KIND_TENSOR:
        content = save_array(s, v.array);
        break;
    case TCT_KIND_MODEL:
        content = save_model(s, v.model);
        break;
    case TCT_KIND_OPTIMIZER:
        content = save_optimizer(s, v.optimizer);
        break;
    case TCT_KIND_TOKENIZER:
        content = save_tokenizer(s, v.tokenizer);
        break;
    case TCT_KIND_DATASET:
        content = save_dataset(s, v.dataset);
        break;
    case TCT_KIND_RECORDS:
        content = save_records(s, v.records);
        break;
    case TCT_KIND_NONE:
        content = json_null();
        break;
    }
    json_t *one = json_object();
    json_object_set_new(one, tct_kind_name((tct_kind)v.kind), content);
    return one;
}

static json_t *save_machine(tct_vm *vm, saving *s) {
    json_t *m = json_object(), *regs = json_array();
    for (uint32_t i = 0; i < vm->program->n_regs; i++)
        json_array_append_new(regs, save_value(s, vm->regs[i]));
    char elapsed[40];
    snprintf(elapsed, sizeof elapsed, "%a", tct_vm_elapsed(vm));
    json_object_set_new(m, "pc", json_integer(vm->pc));
    json_object_set_new(m, "stage", json_integer(vm->stage));
    json_object_set_new(m, "done", json_integer(vm->done));
    json_object_set_new(m, "total", json_integer(vm->total));
    json_object_set_new(m, "draws", json_integer((json_int_t)vm->draws));
    json_object_set_new(m, "elapsed", json_string(elapsed));
    json_object_set_new(m, "metrics_bytes", json_integer((json_int_t)tct_metrics_bytes(vm->metrics)));
    json_object_set(m, "summary", vm->summary);
    json_object_set(m, "samples", vm->samples);
    json_object_set(m, "warned", vm->warned);
    objects *tables[] = {&s->arrays, &s->models, &s->optimizers, &s->tokenizers, &s->datasets, &s->records};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        json_object_set_new(m, tables[i]->kind, tables[i]->table);
    json_object_set_new(m, "registers", regs);
    return m;
}

static void close_saving(saving *s) {
    TCT_VEC_FREE(&s->arrays.seen);
    TCT_VEC_FREE(&s->models.seen);
    TCT_VEC_FREE(&s->optimizers.seen);
    TCT_VEC_FREE(&s->tokenizers.seen);
    TCT_VEC_FREE(&s->datasets.seen);
    TCT_VEC_FREE(&s->records.seen);
    tct_arena_free(&s->arena);
}

bool tct_vm_save(tct_vm *vm, const char *stage) {
    const char *out = vm->options->out;
    if (!tct_checkpoint_begin(vm->d, out, "checkpoint")) return false;
    saving s = {
        .arrays = {.kind = "tensors", .table = json_array()},
        .models = {.kind = "models", .table = json_array()},
        .optimizers = {.kind = "optimizers", .table = json_array()},
        .tokenizers = {.kind = "tokenizers", .table = json_array()},
        .datasets = {.kind = "datasets", .table = json_array()},
        .records = {.kind = "records", .table = json_array()},
    };
    s.tensors = tct_safetensors_writer_new(tct_checkpoint_tensors_path(&s.arena, out, "checkpoint"));
    json_t *machine = save_machine(vm, &s);
    tct_checkpoint_owner owner = {vm->program, vm->options->seed};
    bool ok = tct_checkpoint_write(vm->d, out, "checkpoint", &owner, machine, s.tensors);
    if (ok && stage)
        ok = tct_checkpoint_keep(vm->d, out, "checkpoint",
                                 tct_arena_printf(&s.arena, "checkpoint-after-%s", stage));
    json_decref(machine);
    close_saving(&s);
    vm->saved = tct_vm_clock();
    return ok;
}
