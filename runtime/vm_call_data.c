// Built-ins that open tokenizers and data sets and that take batches.
#include "runtime/decided.h"
#include "runtime/vm_data.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

bool tct_vm_call_TOKENIZER(tct_vm *vm, const tct_call *c) {
    tct_value v;
    if (!tct_vm_open_tokenizer(vm->d, tct_arg(vm, c, 0)->text->text, &v)) return false;
    if (!tct_vm_tokenizer_fits(vm, v.tokenizer, c->results[0])) {
        tct_value_drop(&v);
        return false;
    }
    tct_value_set(tct_result(vm, c, 0), v);
    return true;
}

// Takes the arguments of a call one after the other, in the order of builtins.def.
typedef struct reader {
    tct_vm *vm;
    const tct_call *call;
    uint32_t at;
} reader;

static tct_value *take(reader *r) {
    assert(r->at < r->call->n_args);
    return tct_arg(r->vm, r->call, r->at++);
}

static bool take_count(reader *r, const char *name, int64_t min, int64_t max, int64_t *out) {
    *out = take(r)->i;
    if (*out >= min && *out <= max) return true;
    return tct_error(r->vm->d, "E0817", TCT_NO_SPAN, "%s is %lld; it must lie in %lld to %lld", name,
                     (long long)*out, (long long)min, (long long)max);
}

static bool take_common(reader *r, tct_dataset_ref *s, bool with_k) {
    int64_t batch, length, k = 0, first, count;
    tct_dataset_options *o = &s->options;
    *o = tct_dataset_defaults();
    s->tokenizer = tct_value_share(*take(r)).tokenizer;
    if (!take_count(r, "batch", 1, INT32_MAX, &batch) || !take_count(r, "length", 1, INT32_MAX, &length) ||
        (with_k && !take_count(r, "k", 0, INT32_MAX, &k)))
        return false;
    o->batch = (int32_t)batch;
    o->length = (int32_t)length;
    o->k = (int32_t)k;
    o->seed = tct_vm_seed(r->vm, take(r)->i);
    o->shuffle = take(r)->b;
    o->once = take(r)->b;
    if (!take_count(r, "first", 0, INT64_MAX, &first) || !take_count(r, "count", 0, INT64_MAX, &count))
        return false;
    o->first = (size_t)first;
    o->count = (size_t)count;
    return true;
}

static bool take_overlong(reader *r, tct_dataset_ref *s) {
    const char *word = take(r)->text->text;
    static const char *const words[] = {"error", "drop", "keep_end"};
    for (int i = 0; i < 3; i++)
        if (strcmp(word, words[i]) == 0) {
            s->options.overlong = (tct_overlong)i;
            return true;
        }
    tct_error(r->vm->d, "E0817", TCT_NO_SPAN, "overlong is \"%s\"; it must be error, drop or keep_end", word);
    return false;
}

static void take_style(reader *r, tct_dataset_ref *s) {
    s->template_text = tct_strdup(take(r)->text->text);
    s->chat = tct_strdup(take(r)->text->text);
}

// Opens the data set. What doesn't fit the sizes that the program was compiled for says whence they are.
static bool open_data(tct_vm *vm, const tct_call *c, tct_dataset_ref *s) {
    if (tct_vm_open_dataset(vm->d, s)) return true;
    const tct_message *m = vm->d->messages.len ? &vm->d->messages.data[vm->d->messages.len - 1] : NULL;
    bool of_sizes = m && (strcmp(m->code, "E0709") == 0 || strcmp(m->code, "E0710") == 0);
    if (of_sizes) tct_note_decided(vm->d, vm->program, &c->sizes, vm->options->ahead);
    return false;
}

// Opens the data set into the call's result, or drops what there is of it.
static bool open_into_result(reader *r, tct_value *v, bool ok) {
    tct_dataset_ref *s = v->dataset;
    if (!s->template_text) s->template_text = tct_strdup("");
    if (!s->chat) s->chat = tct_strdup("");
    if (!ok || !open_data(r->vm, r->call, s)) {
        tct_value_drop(v);
        return false;
    }
    tct_progress_clear(r->vm->progress);
    printf("%s\n", tct_dataset_summary(s->data));
    fflush(stdout);
    tct_value_set(tct_result(r->vm, r->call, 0), *v);
    return true;
}

static tct_value new_dataset(tct_data_kind kind) {
    tct_dataset_ref *s = tct_alloc(sizeof *s);
    s->refs = 1;
    s->kind = kind;
    return (tct_value){.kind = TCT_KIND_DATASET, .dataset = s};
}

static bool open_file(tct_vm *vm, const tct_call *c, tct_data_kind kind, bool with_k) {
    reader r = {vm, c, 0};
    tct_value v = new_dataset(kind);
    v.dataset->path = tct_strdup(take(&r)->text->text);
    bool ok = take_common(&r, v.dataset, with_k);
    if (ok && kind != TCT_DATA_TEXT) {
        ok = take_overlong(&r, v.dataset);
        if (kind == TCT_DATA_DEMONSTRATIONS) v.dataset->options.with_prompt_loss = take(&r)->b;
        take_style(&r, v.dataset);
    }
    return open_into_result(&r, &v, ok);
}

bool tct_vm_call_TEXT(tct_vm *vm, const tct_call *c) { return open_file(vm, c, TCT_DATA_TEXT, false); }
bool tct_vm_call_DEMONSTRATIONS(tct_vm *vm, const tct_call *c) {
    return open_file(vm, c, TCT_DATA_DEMONSTRATIONS, false);
}
bool tct_vm_call_PROMPTS(tct_vm *vm, const tct_call *c) { return open_file(vm, c, TCT_DATA_PROMPTS, false); }
bool tct_vm_call_RANKINGS(tct_vm *vm, const tct_call *c) { return open_file(vm, c, TCT_DATA_RANKINGS, true); }
bool tct_vm_call_PREFERENCES(tct_vm *vm, const tct_call *c) {
    return open_file(vm, c, TCT_DATA_PREFERENCES, false);
}
bool tct_vm_call_LABELED(tct_vm *vm, const tct_call *c) { return open_file(vm, c, TCT_DATA_LABELED, false); }

// The records are taken over: the program's own are empty afterwards.
static bool open_records(tct_vm *vm, const tct_call *c, tct_data_kind kind, bool with_k) {
    reader r = {vm, c, 0};
    tct_value v = new_dataset(kind);
    tct_records *from = &take(&r)->records->records;
    bool ok = take_common(&r, v.dataset, with_k);
    v.dataset->records = *from;
    *from = (tct_records){.source = v.dataset->records.source};
    return open_into_result(&r, &v, ok);
}

bool tct_vm_call_RANKINGS_OF(tct_vm *vm, const tct_call *c) {
    return open_records(vm, c, TCT_DATA_RANKINGS, true);
}
bool tct_vm_call_DEMONSTRATIONS_OF(tct_vm *vm, const tct_call *c) {
    return open_records(vm, c, TCT_DATA_DEMONSTRATIONS, false);
}

bool tct_vm_call_RECORDS(tct_vm *vm, const tct_call *c) {
    const char *name = tct_result_type(vm, c, 0)->name;
    tct_records_ref *r = tct_alloc(sizeof *r);
    *r = (tct_records_ref){.refs = 1, .records.source = name ? name : "records"};
    tct_value_set(tct_result(vm, c, 0), (tct_value){.kind = TCT_KIND_RECORDS, .records = r});
    return true;
}

bool tct_vm_call_ADD_RANKED(tct_vm *vm, const tct_call *c) {
    const tct_list *responses = tct_arg(vm, c, 2)->list, *ranks = tct_arg(vm, c, 3)->list;
    if (responses->len != ranks->len || responses->len > INT32_MAX) {
        tct_error(vm->d, "E0713", TCT_NO_SPAN, "add_ranked: %zu responses with %zu ranks", responses->len,
                  ranks->len);
        tct_help(vm->d, "give one rank to each response: 1 for the best, equal ranks for a tie");
        return false;
    }
    int n = (int)responses->len;
    const char **texts = tct_alloc(((size_t)n + 1) * sizeof *texts);
    int32_t *numbers = tct_alloc(((size_t)n + 1) * sizeof *numbers);
    bool ok = true;
    for (int i = 0; ok && i < n; i++) {
        texts[i] = responses->items[i].text->text;
        int64_t rank = ranks->items[i].i;
        numbers[i] = (int32_t)rank;
        if (rank < 1 || rank > INT32_MAX)
            ok =
                tct_error(vm->d, "E0713", TCT_NO_SPAN,
                          "add_ranked: rank %lld of response %d; ranks count from 1", (long long)rank, i + 1);
    }
    if (ok)
        tct_records_add_ranked(&tct_arg(vm, c, 0)->records->records, tct_arg(vm, c, 1)->text->text, n, texts,
                               numbers);
    free(texts);
    free(numbers);
    return ok;
}

bool tct_vm_call_ADD_DEMONSTRATION(tct_vm *vm, const tct_call *c) {
    tct_records_add_completion(&tct_arg(vm, c, 0)->records->records, tct_arg(vm, c, 1)->text->text,
                               tct_arg(vm, c, 2)->text->text);
    return true;
}

static bool has_next(const tct_dataset_ref *s) {
    return !s->options.once || s->given < tct_dataset_batches(s->data);
}

bool tct_vm_call_HAS_NEXT(tct_vm *vm, const tct_call *c) {
    tct_value_set(tct_result(vm, c, 0), tct_value_bool(has_next(tct_arg(vm, c, 0)->dataset)));
    return true;
}

bool tct_vm_call_REWIND(tct_vm *vm, const tct_call *c) {
    tct_dataset_ref *s = tct_arg(vm, c, 0)->dataset;
    tct_dataset_rewind(s->data);
    s->given = 0;
    return true;
}

bool tct_vm_call_ROWS(tct_vm *vm, const tct_call *c) {
    size_t rows = tct_dataset_rows(tct_arg(vm, c, 0)->dataset->data);
    tct_value_set(tct_result(vm, c, 0), tct_value_int((int64_t)rows));
    return true;
}

bool tct_vm_call_BATCHES(tct_vm *vm, const tct_call *c) {
    size_t batches = tct_dataset_batches(tct_arg(vm, c, 0)->dataset->data);
    tct_value_set(tct_result(vm, c, 0), tct_value_int((int64_t)batches));
    return true;
}

typedef enum field_type { FIELD_i32, FIELD_bool, FIELD_f32, FIELD_texts } field_type;
typedef struct field {
    const char *kind, *name, *axes;
    field_type type;
} field;
static const field fields[] = {
#define FIELD(kind, name, type, axes) {#kind, #name, axes, FIELD_##type},
#include "runtime/datasets.def"
#undef FIELD
};

// The array of a batch that a field is, by its name.
static void **array_of(tct_batch *b, const char *name) {
    struct {
        const char *name;
        void **array;
    } arrays[] = {
        {"tokens", (void **)&b->tokens},
        {"target", (void **)&b->target},
        {"mask", (void **)&b->mask},
        {"length", (void **)&b->length},
        {"prompt_length", (void **)&b->prompt_length},
        {"rank", (void **)&b->rank},
        {"label", (void **)&b->label},
    };
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        if (strcmp(arrays[i].name, name) == 0) return arrays[i].array;
    assert(!"a field of datasets.def has its array");
    return NULL;
}

// Axes of a field's name ("B K T") with the data set's sizes.
static uint32_t field_axes(const tct_dataset_ref *s, const char *axes, const tct_reg_type *type,
                           const char **names, int64_t *sizes) {
    const tct_dataset_options *o = tct_dataset_get_options(s->data);
    uint32_t n = 0;
    for (const char *p = axes; *p; p++) {
        if (*p == ' ') continue;
        sizes[n] = *p == 'T'   ? o->length
                   : *p == 'K' ? (s->kind == TCT_DATA_PREFERENCES ? 2 : o->k)
                               : o->batch;
        names[n] = n < type->n_axes ? type->axis[n] : "";
        n++;
    }
    return n;
}

static tct_value texts_of(const tct_batch *b, int32_t batch, bool prompts) {
    tct_value list = tct_value_list();
    for (int32_t i = 0; i < batch; i++) {
        const tct_record *r = b->records[i];
        const char *text = !r ? "" : prompts ? r->prompt : r->n_responses ? r->responses[0] : "";
        tct_list_push(list.list, tct_value_string(text, strlen(text)));
    }
    return list;
}

bool tct_vm_call_NEXT(tct_vm *vm, const tct_call *c) {
    tct_dataset_ref *s = tct_arg(vm, c, 0)->dataset;
    const char *kind = tct_data_kind_name(s->kind);
    if (!has_next(s)) {
        tct_error(vm->d, "E0815", TCT_NO_SPAN, "the data set (%s, %zu rows) has no batch left", kind,
                  tct_dataset_rows(s->data));
        tct_help(vm->d, "ask has_next first, call rewind, or open it without once = true");
        return false;
    }
    tct_batch batch = {0};
    int32_t rows = tct_dataset_get_options(s->data)->batch;
    uint32_t result = 0;
    bool has_texts = false;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i].kind, kind) != 0) continue;
        assert(result < c->n_results);
        const tct_reg_type *type = tct_result_type(vm, c, result);
        tct_value *v = tct_result(vm, c, result++);
        has_texts |= fields[i].type == FIELD_texts;
        if (fields[i].type == FIELD_texts) continue;
        const char *names[TCT_MAX_AXES];
        int64_t sizes[TCT_MAX_AXES];
        uint32_t n = field_axes(s, fields[i].axes, type, names, sizes);
        tct_dtype dtype = fields[i].type == FIELD_bool ? TCT_BOOL : TCT_I32;
        if (!tct_value_reuse_tensor(vm->d, dtype, n, names, sizes, v)) return false;
        *array_of(&batch, fields[i].name) = v->array->t.data;
    }
    if (has_texts) batch.records = tct_alloc((size_t)rows * sizeof *batch.records);
    tct_dataset_next(s->data, &batch);
    s->given++;
    result = 0;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i].kind, kind) != 0) continue;
        tct_value *v = tct_result(vm, c, result++);
        if (fields[i].type == FIELD_texts)
            tct_value_set(v, texts_of(&batch, rows, strcmp(fields[i].name, "prompt") == 0));
    }
    free((void *)batch.records);
    return true;
}
