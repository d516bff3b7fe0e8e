#include "runtime/value.h"

#include "runtime/model.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *tct_kind_name(tct_kind k) {
    static const char *const names[] = {
        [TCT_KIND_NONE] = "nothing",        [TCT_KIND_INT] = "int",
        [TCT_KIND_FLOAT] = "float",         [TCT_KIND_BOOL] = "bool",
        [TCT_KIND_STRING] = "string",       [TCT_KIND_LIST] = "list",
        [TCT_KIND_TENSOR] = "tensor",       [TCT_KIND_MODEL] = "model",
        [TCT_KIND_OPTIMIZER] = "optimizer", [TCT_KIND_TOKENIZER] = "tokenizer",
        [TCT_KIND_DATASET] = "dataset",     [TCT_KIND_RECORDS] = "records",
    };
    return (size_t)k < sizeof names / sizeof *names ? names[k] : "?";
}

tct_value tct_value_int(int64_t i) { return (tct_value){.kind = TCT_KIND_INT, .i = i}; }
tct_value tct_value_float(double f) { return (tct_value){.kind = TCT_KIND_FLOAT, .f = f}; }
tct_value tct_value_bool(bool b) { return (tct_value){.kind = TCT_KIND_BOOL, .b = b}; }

tct_value tct_value_string(const char *text, size_t len) {
    tct_text *t = tct_alloc(sizeof *t + len + 1);
    t->refs = 1;
    t->len = len;
    if (len) memcpy(t->text, text, len);
    return (tct_value){.kind = TCT_KIND_STRING, .text = t};
}

tct_value tct_value_list(void) {
    tct_list *l = tct_alloc(sizeof *l);
    l->refs = 1;
    return (tct_value){.kind = TCT_KIND_LIST, .list = l};
}

bool tct_value_tensor(tct_diag *d, tct_dtype dtype, uint32_t n_axes, const char *const *axes,
                      const int64_t *sizes, tct_value *out) {
    tct_array *a = tct_alloc(sizeof *a);
    a->refs = 1;
    *out = (tct_value){0};
    if (!tct_tensor_new(d, dtype, (int)n_axes, axes, sizes, &a->t)) {
        free(a);
        return false;
    }
    *out = (tct_value){.kind = TCT_KIND_TENSOR, .array = a};
    return true;
}

static bool is_object(tct_value v) { return v.kind >= TCT_KIND_STRING; }

tct_value tct_value_share(tct_value v) {
    if (is_object(v)) ++*v.refs;
    return v;
}

static void free_tensors(tct_tensor *t, size_t n) {
    if (!t) return;
    for (size_t i = 0; i < n; i++) tct_tensor_free(&t[i]);
    free(t);
}

static void free_model(tct_model *m) {
    tct_params_free(m->desc, m->params);
    free(m);
}

static void free_optimizer(tct_optimizer *o) {
    for (uint32_t i = 0; i < o->desc->n_models; i++) {
        if (!o->models[i]) continue;
        tct_value held = {.kind = TCT_KIND_MODEL, .model = o->models[i]};
        tct_value_drop(&held);
    }
    free(o->models);
    free_tensors(o->states, (size_t)o->desc->n_params * o->desc->n_states);
    free_tensors(o->grads, o->desc->n_params);
    free(o);
}

static void free_dataset(tct_dataset_ref *s) {
    tct_dataset_close(s->data);
    tct_records_free(&s->records);
    tct_value held = {.kind = TCT_KIND_TOKENIZER, .tokenizer = s->tokenizer};
    if (s->tokenizer) tct_value_drop(&held);
    free(s->path);
    free(s->template_text);
    free(s->chat);
    free(s);
}

static void free_object(tct_value v) {
    switch ((tct_kind)v.kind) {
    case TCT_KIND_STRING:
        free(v.text);
        return;
    case TCT_KIND_LIST:
        for (size_t i = 0; i < v.list->len; i++) tct_value_drop(&v.list->items[i]);
        tct_heap_free(v.list->items);
        free(v.list);
        return;
    case TCT_KIND_TENSOR:
        tct_tensor_free(&v.array->t);
        free(v.array);
        return;
    case TCT_KIND_MODEL:
        free_model(v.model);
        return;
    case TCT_KIND_OPTIMIZER:
        free_optimizer(v.optimizer);
        return;
    case TCT_KIND_TOKENIZER:
        tct_tokenizer_close(v.tokenizer->tokenizer);
        free(v.tokenizer->path);
        free(v.tokenizer);
        return;
    case TCT_KIND_DATASET:
        free_dataset(v.dataset);
        return;
    case TCT_KIND_RECORDS:
        tct_records_free(&v.records->records);
        free(v.records);
        return;
    default:
        return;
    }
}

void tct_value_drop(tct_value *v) {
    tct_value old = *v;
    *v = (tct_value){0};
    if (is_object(old) && --*old.refs == 0) free_object(old);
}

void tct_value_set(tct_value *dst, tct_value v) {
    tct_value old = *dst;
    *dst = v;
    tct_value_drop(&old);
}

void tct_value_own_list(tct_value *v) {
    assert(v->kind == TCT_KIND_LIST);
    if (v->list->refs == 1) return;
    tct_value copy = tct_value_list();
    for (size_t i = 0; i < v->list->len; i++) tct_list_push(copy.list, tct_value_share(v->list->items[i]));
    tct_value_set(v, copy);
}

void tct_list_push(tct_list *l, tct_value item) {
    assert(l->refs == 1);
    l->items = tct_vec_reserve(l->items, &l->cap, l->len + 1, sizeof *l->items);
    l->items[l->len++] = item;
}

static bool has_shape(const tct_tensor *t, tct_dtype dtype, uint32_t n_axes, const char *const *axes,
                      const int64_t *sizes) {
    if (t->dtype != dtype || t->n_axes != (int)n_axes) return false;
    for (uint32_t i = 0; i < n_axes; i++)
        if (t->sizes[i] != sizes[i] || strcmp(t->axes[i], axes[i]) != 0) return false;
    return true;
}

bool tct_value_reuse_tensor(tct_diag *d, tct_dtype dtype, uint32_t n_axes, const char *const *axes,
                            const int64_t *sizes, tct_value *v) {
    if (v->kind == TCT_KIND_TENSOR && v->array->refs == 1 &&
        has_shape(&v->array->t, dtype, n_axes, axes, sizes))
        return true;
    tct_value fresh;
    if (!tct_value_tensor(d, dtype, n_axes, axes, sizes, &fresh)) return false;
    tct_value_set(v, fresh);
    return true;
}

double tct_value_number(tct_value v) {
    switch ((tct_kind)v.kind) {
    case TCT_KIND_INT:
        return (double)v.i;
    case TCT_KIND_FLOAT:
        return v.f;
    case TCT_KIND_BOOL:
        return v.b;
    default:
        assert(!"a number was promised");
        return 0;
    }
}

enum { PRINTED_ELEMENTS = 16 };

static void print_tensor(const tct_tensor *t, tct_buf *out) {
    tct_arena scratch = {0};
    tct_buf_puts(out, tct_tensor_describe(&scratch, t));
    tct_arena_free(&scratch);
    int64_t n = tct_tensor_elements(t);
    for (int64_t i = 0; i < n && i < PRINTED_ELEMENTS; i++)
        tct_buf_printf(out, "%s%.6g", i ? ", " : " {", tct_tensor_get(t, i));
    tct_buf_puts(out, n > PRINTED_ELEMENTS ? ", …}" : n ? "}" : "");
}

void tct_value_print(tct_value v, tct_buf *out) {
    switch ((tct_kind)v.kind) {
    case TCT_KIND_INT:
        tct_buf_printf(out, "%" PRId64, v.i);
        return;
    case TCT_KIND_FLOAT:
        tct_buf_printf(out, "%.6g", v.f);
        return;
    case TCT_KIND_BOOL:
        tct_buf_puts(out, v.b ? "true" : "false");
        return;
    case TCT_KIND_STRING:
        tct_buf_add(out, v.text->text, v.text->len);
        return;
    case TCT_KIND_LIST:
        tct_buf_putc(out, '[');
        for (size_t i = 0; i < v.list->len; i++) {
            if (i) tct_buf_puts(out, ", ");
            tct_value_print(v.list->items[i], out);
        }
        tct_buf_putc(out, ']');
        return;
    case TCT_KIND_TENSOR:
        print_tensor(&v.array->t, out);
        return;
    case TCT_KIND_MODEL:
        tct_buf_printf(out, "model %s", v.model->desc->type);
        return;
    case TCT_KIND_OPTIMIZER:
        tct_buf_printf(out, "optimizer %s at step %" PRId64, v.optimizer->desc->type, v.optimizer->step);
        return;
    case TCT_KIND_TOKENIZER:
        tct_buf_printf(out, "tokenizer %s", v.tokenizer->path);
        return;
    case TCT_KIND_DATASET:
        tct_buf_puts(out, tct_dataset_summary(v.dataset->data));
        return;
    case TCT_KIND_RECORDS:
        tct_buf_printf(out, "%zu records", v.records->records.rows.len);
        return;
    case TCT_KIND_NONE:
        tct_buf_puts(out, "nothing");
        return;
    }
}
