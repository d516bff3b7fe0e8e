// Calls of built-ins held to the signatures of builtins.def and the fields of datasets.def.
#include "runtime/dataset.h"
#include "runtime/program_verify_internal.h"
#include "runtime/value.h"

#include <ctype.h>

typedef struct builtin {
    const char *name, *signature;
} builtin;
static const builtin builtins[] = {
#define BUILTIN(id, name, signature, doc) {name, signature},
#include "runtime/builtins.def"
#undef BUILTIN
};

typedef struct field {
    const char *kind, *type, *axes;
} field;
static const field fields[] = {
#define FIELD(kind, name, type, axes) {#kind, #type, axes},
#include "runtime/datasets.def"
#undef FIELD
};

// A type of a signature: "list[int]" is list of int. Pieces of the signature's text.
typedef struct type_text {
    const char *word, *of;
    size_t word_len, of_len;
} type_text;

static bool is(const char *text, size_t n, const char *word) {
    return strlen(word) == n && memcmp(text, word, n) == 0;
}

// Reads the type at *p and goes past it and its default, if it has one.
static type_text next_type(const char **p) {
    type_text t = {.word = *p};
    while (isalpha((unsigned char)**p)) ++*p;
    t.word_len = (size_t)(*p - t.word);
    if (**p == '(' || **p == '[') {
        t.of = ++*p;
        t.of_len = strcspn(*p, ")]");
        *p += t.of_len + 1;
    }
    if (strncmp(*p, " = ", 3) != 0) return t;
    *p += 3;
    if (**p == '"') *p = strchr(*p + 1, '"') + 1;
    *p += strcspn(*p, ",)");
    return t;
}

static tct_kind kind_of(const char *word, size_t n) {
    static const struct {
        const char *word;
        tct_kind kind;
    } kinds[] = {
        {"int", TCT_KIND_INT},         {"float", TCT_KIND_FLOAT},     {"bool", TCT_KIND_BOOL},
        {"string", TCT_KIND_STRING},   {"path", TCT_KIND_STRING},     {"list", TCT_KIND_LIST},
        {"tensor", TCT_KIND_TENSOR},   {"model", TCT_KIND_MODEL},     {"tokenizer", TCT_KIND_TOKENIZER},
        {"dataset", TCT_KIND_DATASET}, {"records", TCT_KIND_RECORDS},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (is(word, n, kinds[i].word)) return kinds[i].kind;
    return TCT_KIND_NONE; // any
}

// The registers of a call, or what it returns, taken one after the other.
typedef struct registers {
    const uint32_t *regs;
    uint32_t n, at;
} registers;

static const tct_reg_type *take(tct_verifier *v, registers *r) {
    if (r->at < r->n) return tct_verify_reg(v, r->regs[r->at++]);
    tct_wrong(v, "it lacks a register");
    return NULL;
}

static bool field_fits(const field *f, const tct_reg_type *t) {
    if (strcmp(f->type, "texts") == 0) return t->kind == TCT_KIND_LIST && t->element == TCT_KIND_STRING;
    uint8_t n_axes = 0;
    for (const char *axis = f->axes; *axis; axis++) n_axes += *axis != ' ';
    return t->kind == TCT_KIND_TENSOR && t->n_axes == n_axes &&
           strcmp(tct_dtype_name((tct_dtype)t->dtype), f->type) == 0;
}

// The fields of a batch of `kind`.
static bool batch_fits(tct_verifier *v, registers *r, const char *kind, size_t kind_len) {
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (!is(kind, kind_len, fields[i].kind)) continue;
        const tct_reg_type *t = take(v, r);
        if (!t) return false;
        if (!field_fits(&fields[i], t)) return tct_wrong(v, "a field of its batch has another type");
    }
    return true;
}

static bool type_fits(tct_verifier *v, const tct_call *c, registers *r, type_text want) {
    if (is(want.word, want.word_len, "batch")) {
        if (!is(want.of, want.of_len, "kind")) return batch_fits(v, r, want.of, want.of_len);
        const tct_reg_type *data = &v->p->regs[c->args[0]]; // of NEXT: what its data set gives
        const char *kind = tct_data_kind_name((tct_data_kind)data->table);
        return batch_fits(v, r, kind, strlen(kind));
    }
    const tct_reg_type *t = take(v, r);
    if (!t) return false;
    tct_kind kind = kind_of(want.word, want.word_len);
    bool open = kind == TCT_KIND_NONE || is(want.of, want.of_len, "any") || is(want.of, want.of_len, "kind");
    bool ok = kind == TCT_KIND_NONE || t->kind == kind;
    if (ok && kind == TCT_KIND_LIST && !open) ok = t->element == kind_of(want.of, want.of_len);
    if (ok && kind == TCT_KIND_DATASET && !open)
        ok = is(want.of, want.of_len, tct_data_kind_name((tct_data_kind)t->table));
    return ok || tct_wrong(v, "it has a %s where a %.*s belongs", tct_kind_name((tct_kind)t->kind),
                           (int)want.word_len, want.word);
}

// Registers by the signature; some built-ins' static arguments are not passed on.
static bool signature_fits(tct_verifier *v, const tct_call *c) {
    registers args = {c->args, c->n_args, 0}, results = {c->results, c->n_results, 0};
    const char *p = builtins[c->builtin].signature + 1;
    while (*p != ')') {
        p = strchr(p, ':') + 2;
        type_text want = next_type(&p);
        bool passed = c->builtin != TCT_BUILTIN_TENSOR || args.at == 0;
        if (passed && !type_fits(v, c, &args, want)) return false;
        if (*p == ',') p += 2;
    }
    p = strstr(p, "-> ");
    if (p) p += 3;
    if (p && !type_fits(v, c, &results, next_type(&p))) return false;
    return (args.at == args.n && results.at == results.n) || tct_wrong(v, "it has a register too many");
}

static bool pairs_fit(tct_verifier *v, const tct_call *c) {
    const tct_model_desc *dst = &v->p->models[v->p->regs[c->args[0]].table],
                         *src = &v->p->models[v->p->regs[c->args[1]].table];
    for (uint32_t i = 0; i < c->n_pairs; i++) {
        uint32_t to = c->pairs[2 * i], from = c->pairs[2 * i + 1];
        bool ok = to < dst->n_params && from < src->n_params;
        if (ok) {
            const tct_model_param *a = &dst->params[to], *b = &src->params[from];
            ok = a->dtype == b->dtype && a->n_axes == b->n_axes &&
                 memcmp(a->size, b->size, a->n_axes * sizeof *a->size) == 0;
        }
        if (!ok) return tct_wrong(v, "its parameters %u and %u do not fit each other", to, from);
    }
    return true;
}

// What the signature can't say.
static bool rest_fits(tct_verifier *v, const tct_call *c) {
    const tct_reg_type *regs = v->p->regs, *first = c->n_args ? &regs[c->args[0]] : NULL,
                       *result = c->n_results ? &regs[c->results[0]] : NULL;
    switch ((tct_builtin)c->builtin) {
    case TCT_BUILTIN_TENSOR:
        return result->n_axes == 1 || tct_wrong(v, "its result has not one axis");
    case TCT_BUILTIN_TAKE:
        return (first->n_axes > 0 && tct_same_type(first, result)) ||
               tct_wrong(v, "it takes rows of another type than it gives");
    case TCT_BUILTIN_CLONE:
        return tct_same_type(first, result) || tct_wrong(v, "the copy is another model");
    case TCT_BUILTIN_ASSIGN:
    case TCT_BUILTIN_EMA:
        return pairs_fit(v, c);
    case TCT_BUILTIN_APPEND: {
        tct_reg_type element = {.kind = first->element, .element = first->element2};
        return tct_same_type(&element, &regs[c->args[1]]) ||
               tct_wrong(v, "the list has elements of another type");
    }
    case TCT_BUILTIN_GENERATE:
        if (c->generator >= v->p->n_generators) return tct_wrong(v, "there is no generator %u", c->generator);
        return tct_verify_generator(v, &v->p->generators[c->generator], &v->p->models[first->table]);
    default:
        return true;
    }
}

bool tct_verify_call(tct_verifier *v, const tct_call *c) {
    if (c->builtin >= TCT_N_BUILTINS) return tct_wrong(v, "there is no built-in %u", c->builtin);
    if (signature_fits(v, c) && rest_fits(v, c) && tct_verify_decided(v, &c->sizes)) return true;
    v->wrong = tct_arena_printf(v->arena, "call of %s: %s", builtins[c->builtin].name, v->wrong);
    return false;
}
