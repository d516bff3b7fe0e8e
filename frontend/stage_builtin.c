// The built-in procedures of stage code: arguments by the signatures of runtime/builtins.def, results by
// datasets.def.
#include "base/file.h"
#include "frontend/stage_internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct builtin_info {
    const char *name, *signature;
} builtin_info;

static const builtin_info builtins[] = {
#define BUILTIN(id, name, signature, doc) {name, signature},
#include "runtime/builtins.def"
#undef BUILTIN
};

typedef struct field_info {
    const char *kind, *name, *type, *axes;
} field_info;

static const field_info fields[] = {
#define FIELD(kind, name, type, axes) {#kind, #name, #type, axes},
#include "runtime/datasets.def"
#undef FIELD
};

enum { MAX_PARAMS = 20 };

typedef struct signature {
    tct_param params[MAX_PARAMS];
    const char *type[MAX_PARAMS], *initial[MAX_PARAMS]; // default as text, NULL without
    uint32_t n;
    const char *result; // type text, "" without
} signature;

static int find(const char *name) {
    for (int i = 0; i < TCT_N_BUILTINS; i++)
        if (strcmp(builtins[i].name, name) == 0) return i;
    return -1;
}

bool tct_stage_is_builtin(const char *name) { return find(name) >= 0; }

static const char *trimmed(tct_elab *e, const char *begin, const char *end) {
    while (begin < end && *begin == ' ') begin++;
    while (end > begin && end[-1] == ' ') end--;
    return tct_arena_strndup(&e->arena, begin, (size_t)(end - begin));
}

// "(path: path, batch: int = 3) -> dataset(text)" taken apart. Our own text: no errors.
static void parse_signature(tct_elab *e, const char *text, signature *s) {
    static const tct_expr present = {0};
    const char *p = text + 1;
    while (*p != ')') {
        const char *colon = strchr(p, ':'), *end = colon;
        int depth = 0;
        bool quoted = false;
        for (end = colon + 1; depth > 0 || quoted || (*end != ',' && *end != ')'); end++) {
            if (*end == '"') quoted = !quoted;
            if (*end == '(' || *end == '[') depth++;
            if (*end == ')' || *end == ']') depth--;
        }
        const char *equals = memchr(colon, '=', (size_t)(end - colon));
        uint32_t k = s->n++;
        s->params[k].name.text = trimmed(e, p, colon);
        s->type[k] = trimmed(e, colon + 1, equals ? equals : end);
        s->initial[k] = equals ? trimmed(e, equals + 1, end) : NULL;
        s->params[k].value = equals ? (tct_expr *)(uintptr_t)&present : NULL;
        p = *end == ',' ? end + 1 : end;
    }
    const char *arrow = strstr(p, "->");
    s->result = arrow ? trimmed(e, arrow + 2, arrow + strlen(arrow)) : "";
}

static tct_val *initial_value(tct_elab *e, const signature *s, uint32_t k, tct_span span) {
    const char *t = s->initial[k];
    if (t[0] == '"') return tct_val_string(e, tct_arena_strndup(&e->arena, t + 1, strlen(t) - 2), span);
    return tct_elab_literal(e, s->type[k], t, span);
}

typedef struct arguments {
    tct_val *val[MAX_PARAMS];
    tct_span span[MAX_PARAMS];
    uint32_t regs[64], n_regs;
} arguments;

static const char *inside(tct_elab *e, const char *type) { // "dataset(text)" → "text"
    const char *open = strpbrk(type, "([");
    return open ? tct_arena_strndup(&e->arena, open + 1, strlen(open) - 2) : "";
}

// The type of a signature in words.
static const char *type_in_words(tct_elab *e, const char *type) {
    const char *of = inside(e, type);
    bool any = strcmp(of, "any") == 0 || strcmp(of, "kind") == 0;
    if (strncmp(type, "dataset", 7) == 0)
        return any ? "a data set" : tct_arena_printf(&e->arena, "a data set of %s", of);
    if (strncmp(type, "batch", 5) == 0) return tct_arena_printf(&e->arena, "a batch of %s", of);
    if (strncmp(type, "list", 4) == 0)
        return any ? "a list" : tct_arena_printf(&e->arena, "a list of %ss", of);
    if (strcmp(type, "any") == 0) return "a number, a string or a list";
    if (strcmp(type, "records") == 0) return type;
    return tct_arena_printf(&e->arena, "%s %s", strcmp(type, "int") == 0 ? "an" : "a", type);
}

static bool wrong(tct_elab *e, const char *name, const signature *s, uint32_t k, const tct_val *v,
                  tct_span span) {
    if (v->kind == V_ERROR) return false;
    return tct_elab_error(e, "E0502", span, "`%s` of %s is %s, found %s", s->params[k].name.text, name,
                          type_in_words(e, s->type[k]), tct_val_describe(e, v));
}

static bool push(arguments *a, uint32_t reg) {
    if (reg == NO_REG) return false;
    a->regs[a->n_regs++] = reg;
    return true;
}

static tct_kind kind_by_name(const char *t) {
    if (strcmp(t, "int") == 0) return TCT_KIND_INT;
    if (strcmp(t, "float") == 0) return TCT_KIND_FLOAT;
    if (strcmp(t, "bool") == 0) return TCT_KIND_BOOL;
    if (strcmp(t, "string") == 0 || strcmp(t, "path") == 0) return TCT_KIND_STRING;
    return TCT_KIND_NONE;
}

// The fields of a batch of `kind` in order; tensors with that many axes, and one number of rows.
static bool batch_fits(tct_elab *e, const tct_val *v, const char *kind, arguments *a) {
    int64_t rows = -1;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const field_info *info = &fields[i];
        if (strcmp(info->kind, kind) != 0) continue;
        tct_val **f = v->kind == V_STRUCT ? tct_val_field(v, info->name) : NULL;
        if (!f || (*f)->kind != V_REG) return false;
        if (strcmp(info->type, "texts") == 0) {
            if (tct_stage_kind(e, *f) != TCT_KIND_LIST ||
                !tct_stage_list_of(e, (*f)->reg, TCT_KIND_STRING, TCT_KIND_NONE))
                return false;
        } else {
            uint32_t n_axes = 0;
            for (const char *p = info->axes; *p; p++) n_axes += *p != ' ';
            if (!(*f)->is_tensor_reg || (*f)->n_param_axes != n_axes ||
                strcmp(tct_dtype_name((*f)->dtype), info->type) != 0)
                return false;
            int64_t n = tct_stage_type(e, (*f)->reg)->size[0];
            if (rows >= 0 && n != rows) return false;
            rows = n;
        }
        push(a, (*f)->reg);
    }
    return true;
}

static const tct_val *first_leaf(const tct_val *v) {
    const tct_val *leaf = v->kind == V_PARAM ? v : NULL;
    for (uint32_t i = 0; v->kind == V_LIST && i < v->n_items && !leaf; i++) leaf = first_leaf(v->items[i]);
    for (uint32_t i = 0; v->kind == V_STRUCT && i < v->n_fields && !leaf; i++)
        leaf = first_leaf(v->fields[i].val);
    return leaf;
}

// The registers of one argument, as the runtime expects them.
static bool argument(tct_elab *e, const char *name, const signature *s, uint32_t k, arguments *a,
                     bool is_literal) {
    tct_val *v = a->val[k];
    tct_span span = a->span[k];
    const char *type = s->type[k];
    if (v->kind == V_ERROR) return false;
    if (strcmp(type, "path") == 0 && is_literal && v->kind == V_STRING && e->file)
        v = a->val[k] = tct_elab_path(e, e->file, v->s, span);
    if (kind_by_name(type) != TCT_KIND_NONE) return push(a, tct_stage_load(e, v, kind_by_name(type), span));
    if (strcmp(type, "any") == 0) {
        tct_kind kind = tct_stage_kind(e, v);
        if (kind == TCT_KIND_NONE) return wrong(e, name, s, k, v, span);
        return push(a, tct_stage_load(e, v, kind, span));
    }
    if (strcmp(type, "tokenizer") == 0) {
        if (!v->has_reg || v->kind != V_STRUCT || v->model) return wrong(e, name, s, k, v, span);
        return push(a, v->reg);
    }
    if (strcmp(type, "model") == 0) {
        bool parts = strcmp(name, "assign") == 0 || strcmp(name, "ema") == 0;
        if ((v->kind == V_STRUCT && v->model && (v->has_reg || parts)) || (v->kind == V_LIST && parts)) {
            const tct_val *leaf = v->has_reg ? NULL : first_leaf(v); // a part: the register of its model
            if (v->has_reg || leaf) return push(a, v->has_reg ? v->reg : leaf->reg);
            return tct_elab_error(e, "E0510", span, "%s has no parameters", tct_val_describe(e, v));
        }
        return wrong(e, name, s, k, v, span);
    }
    if (strncmp(type, "dataset", 7) == 0 || strcmp(type, "records") == 0) {
        bool data = type[0] == 'd';
        if (v->kind != V_OPAQUE || strcmp(v->s, data ? "a data set" : "records") != 0)
            return wrong(e, name, s, k, v, span);
        return push(a, v->reg);
    }
    if (strcmp(type, "tensor") == 0) {
        if (v->kind == V_PARAM && v->n_param_axes) v = a->val[k] = tct_stage_read_param(e, v, span);
        if (v->kind != V_REG || !v->is_tensor_reg) return wrong(e, name, s, k, v, span);
        return push(a, v->reg);
    }
    if (strncmp(type, "batch", 5) == 0)
        return batch_fits(e, v, inside(e, type), a) || wrong(e, name, s, k, v, span);
    // list[T]
    uint32_t reg = tct_stage_load(e, v, TCT_KIND_LIST, span);
    if (reg == NO_REG) return false;
    const char *element = inside(e, type);
    if (strcmp(element, "any") != 0 && !tct_stage_list_of(e, reg, kind_by_name(element), TCT_KIND_NONE))
        return wrong(e, name, s, k, v, span);
    return push(a, reg);
}

// The argument for `param`, which decides shapes; noted in call->sizes.
static tct_val *static_int_from(tct_elab *e, const signature *s, arguments *a, const char *param,
                                int64_t least, const char *use, const tct_config_set **sizes) {
    for (uint32_t k = 0; k < s->n; k++) {
        if (strcmp(s->params[k].name.text, param) != 0) continue;
        tct_val *v = tct_elab_fix(e, a->val[k], a->span[k], use);
        *sizes = tct_config_union(e, *sizes, v->from);
        if (v->kind == V_ERROR || (v->kind == V_INT && v->i >= least && v->i <= INT32_MAX)) return v;
        tct_elab_error(e, "E0509", a->span[k],
                       "`%s` decides shapes: it must be %s int known at compile time, found %s", param,
                       least ? "a positive" : "0 or a positive", tct_val_describe(e, v));
        tct_elab_help(e, "a number, a config value or arithmetic on them");
        break;
    }
    return tct_val_error(e);
}

static tct_val *static_int_of(tct_elab *e, const signature *s, arguments *a, const char *param,
                              const char *use, const tct_config_set **sizes) {
    return static_int_from(e, s, a, param, 1, use, sizes);
}

static bool weights_of(tct_elab *e, const signature *s, arguments *a, stage_weights *out,
                       const tct_config_set **sizes) {
    static const char *const names[] = {"f32", "bf16", "int8"};
    uint32_t k = 0;
    while (strcmp(s->params[k].name.text, "weights") != 0) k++;
    tct_val *v = tct_elab_fix(e, a->val[k], a->span[k], "decides what weights generation reads");
    *sizes = tct_config_union(e, *sizes, v->from);
    if (v->kind == V_ERROR) return false;
    for (int i = 0; i < 3 && v->kind == V_STRING; i++)
        if (strcmp(v->s, names[i]) == 0) {
            *out = (stage_weights)i;
            return true;
        }
    return tct_elab_error(e, "E0515", a->span[k],
                          "`weights` is \"f32\", \"bf16\" or \"int8\", known at compile time; found %s",
                          tct_val_describe(e, v));
}

tct_val *tct_stage_batch(tct_elab *e, const stage_data *data, uint32_t *regs, uint32_t *n_regs,
                         tct_span span) {
    tct_val *out = tct_val_new(e, V_STRUCT, span);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const field_info *f = &fields[i];
        if (strcmp(f->kind, data->kind) != 0) continue;
        tct_val *v;
        if (strcmp(f->type, "texts") == 0) {
            v = tct_stage_list_reg(e, TCT_KIND_STRING, TCT_KIND_NONE, span);
        } else {
            tct_axis axes[4];
            uint32_t n = 0;
            for (const char *p = f->axes; *p; p++) {
                if (*p == ' ') continue;
                int64_t size = *p == 'T' ? data->length : *p == 'K' ? data->k : data->batch;
                char name[2] = {*p, 0};
                axes[n++] = tct_axis_get(e->module, name, size);
            }
            tct_dtype dtype = TCT_I32;
            tct_elab_dtype_name(f->type, &dtype);
            if (!tct_elab_shape(e, axes, n, span)) return tct_val_error(e);
            v = tct_stage_tensor_reg(e, dtype, axes, n, span);
        }
        regs[(*n_regs)++] = v->reg;
        tct_val_add_field(e, out, f->name, v);
    }
    return out;
}

static int data_kind(const char *kind) { // as tct_data_kind: the order of the first fields in datasets.def
    int n = -1;
    const char *last = "";
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i].kind, last) != 0) n++;
        last = fields[i].kind;
        if (strcmp(last, kind) == 0) return n;
    }
    return n;
}

// Pairs of parameter numbers of two models or parts of one type.
static bool pairs(tct_elab *e, const tct_val *a, const tct_val *b, uint32_t **out, uint32_t *n) {
    if (a->kind == V_PARAM && b->kind == V_PARAM) {
        bool same = a->dtype == b->dtype && a->n_param_axes == b->n_param_axes &&
                    (a->n_param_axes == 0 ||
                     memcmp(a->param_axes, b->param_axes, a->n_param_axes * sizeof *a->param_axes) == 0);
        if (!same) return false;
        *out = tct_arena_realloc(&e->arena, *out, *n * 2 * sizeof **out, (*n + 1) * 2 * sizeof **out);
        (*out)[*n * 2] = (uint32_t)a->i;
        (*out)[(*n)++ * 2 + 1] = (uint32_t)b->i;
        return true;
    }
    if (a->kind != b->kind) return a->kind != V_PARAM && b->kind != V_PARAM;
    if (a->kind == V_LIST) {
        if (a->n_items != b->n_items) return false;
        for (uint32_t i = 0; i < a->n_items; i++)
            if (!pairs(e, a->items[i], b->items[i], out, n)) return false;
    }
    if (a->kind == V_STRUCT) {
        if (a->n_fields != b->n_fields) return false;
        for (uint32_t i = 0; i < a->n_fields; i++)
            if (strcmp(a->fields[i].name, b->fields[i].name) != 0 ||
                !pairs(e, a->fields[i].val, b->fields[i].val, out, n))
                return false;
    }
    return true;
}

static tct_val *result(tct_elab *e, tct_builtin id, const signature *s, arguments *a, uint32_t *regs,
                       uint32_t *n_regs, tct_call *call, tct_span span) {
    const char *r = s->result;
    const tct_config_set *sizes = NULL;
    tct_val *v = tct_val_new(e, V_NONE, span);
    switch (id) {
    case TCT_BUILTIN_TOKENIZER: {
        v = tct_stage_tokenizer(e, a->val[0], a->span[0], span);
        if (v->kind != V_ERROR) regs[(*n_regs)++] = v->reg;
        return v;
    }
    case TCT_BUILTIN_NEXT:
        return tct_stage_batch(e, a->val[0]->data, regs, n_regs, span);
    case TCT_BUILTIN_GENERATE: {
        tct_val *max_new =
            static_int_of(e, s, a, "max_new", "decides the size of axis T of what is generated", &sizes);
        tct_val **tokens = tct_val_field(a->val[1], "tokens");
        tct_val *at_once =
            static_int_from(e, s, a, "at_once", 0, "decides how many rows are generated at once", &sizes);
        stage_weights weights = STAGE_WEIGHTS_F32;
        if (max_new->kind == V_ERROR || at_once->kind == V_ERROR || !tokens ||
            !weights_of(e, s, a, &weights, &sizes))
            return tct_val_error(e);
        const tct_reg_type *t = tct_stage_type(e, (*tokens)->reg);
        stage_data rollout = {"rollout", t->size[0], t->size[1] + max_new->i, 0};
        stage_generation o = {t->size[0], at_once->i, t->size[1], max_new->i, weights};
        call->sizes = tct_stage_decided(sizes);
        call->generator = tct_stage_generator(e, a->val[0], &o, span);
        if (call->generator == NO_REG) return tct_val_error(e);
        return tct_stage_batch(e, &rollout, regs, n_regs, span);
    }
    case TCT_BUILTIN_CLONE: {
        const stage_model *m = tct_stage_model_of(a->val[0]);
        uint32_t reg = tct_stage_reg(e, (tct_reg_type){.kind = TCT_KIND_MODEL, .table = m->table});
        regs[(*n_regs)++] = reg;
        return tct_stage_model_like(e, a->val[0], reg);
    }
    case TCT_BUILTIN_ASSIGN:
    case TCT_BUILTIN_EMA: {
        uint32_t *list = NULL, n = 0;
        if (!pairs(e, a->val[0], a->val[1], &list, &n)) {
            tct_elab_error(e, "E0510", span, "%s and %s don't have the same parameters",
                           tct_val_describe(e, a->val[0]), tct_val_describe(e, a->val[1]));
            return tct_val_error(e);
        }
        call->pairs = list;
        call->n_pairs = n;
        return v;
    }
    case TCT_BUILTIN_TAKE: {
        const tct_reg_type *t = tct_stage_type(e, a->val[0]->reg);
        tct_val *count =
            static_int_of(e, s, a, "count", tct_elab_sizes_axis(e, t->n_axes ? t->axis[0] : "B"), &sizes);
        if (count->kind == V_ERROR) return count;
        tct_axis axes[8];
        for (uint32_t i = 0; i < t->n_axes; i++)
            axes[i] = tct_axis_get(e->module, t->axis[i], i == 0 ? count->i : t->size[i]);
        v = tct_stage_tensor_reg(e, (tct_dtype)t->dtype, axes, t->n_axes, span);
        break;
    }
    case TCT_BUILTIN_TENSOR: {
        a->val[1] = tct_elab_fix(e, a->val[1], a->span[1], "is the name of an axis");
        if (a->val[1]->kind == V_ERROR) return a->val[1];
        if (a->val[1]->kind != V_STRING) {
            tct_elab_error(e, "E0509", a->span[1], "the name of the axis must be known at compile time");
            return tct_val_error(e);
        }
        tct_val *size = static_int_of(e, s, a, "size", tct_elab_sizes_axis(e, a->val[1]->s), &sizes);
        if (size->kind == V_ERROR) return size;
        tct_axis axis = tct_axis_get(e->module, a->val[1]->s, size->i);
        v = tct_stage_tensor_reg(e, TCT_F32, &axis, 1, span);
        a->n_regs = 1; // name and size are the result's type
        break;
    }
    default: {
        if (!r[0]) return v;
        if (strncmp(r, "dataset", 7) == 0) {
            stage_data *d = TCT_NEW(&e->arena, stage_data);
            d->kind = inside(e, r);
            bool ranked = strcmp(d->kind, "rankings") == 0;
            tct_val *batch =
                        static_int_of(e, s, a, "batch", tct_elab_sizes_axis(e, ranked ? "P" : "B"), &sizes),
                    *length = static_int_of(e, s, a, "length", tct_elab_sizes_axis(e, "T"), &sizes);
            tct_val *k = ranked ? static_int_of(e, s, a, "k", tct_elab_sizes_axis(e, "K"), &sizes) : NULL;
            if (batch->kind == V_ERROR || length->kind == V_ERROR || (k && k->kind == V_ERROR))
                return tct_val_error(e);
            call->sizes = tct_stage_decided(sizes);
            d->batch = batch->i;
            d->length = length->i;
            d->k = k ? k->i : strcmp(d->kind, "preferences") == 0 ? 2 : 1;
            v = tct_val_new(e, V_OPAQUE, span);
            v->s = "a data set";
            v->data = d;
            v->reg = tct_stage_reg(
                e, (tct_reg_type){.kind = TCT_KIND_DATASET, .table = (uint32_t)data_kind(d->kind)});
        } else if (strcmp(r, "records") == 0) {
            v = tct_val_new(e, V_OPAQUE, span);
            v->s = "records";
            v->reg = tct_stage_reg(e, (tct_reg_type){.kind = TCT_KIND_RECORDS});
        } else if (strncmp(r, "list", 4) == 0) {
            v = tct_stage_list_reg(e, kind_by_name(inside(e, r)), TCT_KIND_NONE, span);
        } else {
            v = tct_stage_scalar_reg(e, kind_by_name(r), NULL, span);
        }
    }
    }
    regs[(*n_regs)++] = v->reg;
    return v;
}

// append changes a variable, and an element goes into a list of its own kind.
static bool append_fits(tct_elab *e, const tct_expr *x, arguments *a) {
    const tct_expr *list =
        x->args[0].name.text && strcmp(x->args[0].name.text, "x") != 0 ? x->args[1].value : x->args[0].value;
    if (list->kind != TCT_EXPR_NAME && list->kind != TCT_EXPR_FIELD)
        return tct_elab_error(e, "E0205", list->span, "append changes a variable, and this is none");
    if (!tct_elab_place(e, list)) return false;
    tct_kind kind = tct_stage_kind(e, a->val[1]), inner = TCT_KIND_NONE;
    if (tct_stage_type(e, a->regs[0])->element == TCT_KIND_FLOAT && kind == TCT_KIND_INT) {
        a->regs[1] = tct_stage_load(e, a->val[1], TCT_KIND_FLOAT, x->span);
        return true;
    }
    bool holds = kind == TCT_KIND_INT || kind == TCT_KIND_FLOAT || kind == TCT_KIND_BOOL ||
                 kind == TCT_KIND_STRING || kind == TCT_KIND_LIST;
    if (!holds)
        return tct_elab_error(e, "E0502", a->span[1],
                              "a list holds numbers, bools, strings or lists, found %s",
                              tct_val_describe(e, a->val[1]));
    if (kind == TCT_KIND_LIST) inner = (tct_kind)tct_stage_type(e, a->regs[1])->element;
    if (inner == TCT_KIND_LIST)
        return tct_elab_error(e, "E0502", a->span[1], "lists nest two levels deep at most");
    return tct_stage_list_of(e, a->regs[0], kind, inner) ||
           tct_elab_error(e, "E0502", a->span[1], "the list has elements of another type than %s",
                          tct_val_describe(e, a->val[1]));
}

tct_val *tct_stage_builtin(tct_elab *e, const char *name, const tct_expr *x) {
    tct_builtin id = (tct_builtin)find(name);
    signature *s = TCT_NEW(&e->arena, signature);
    arguments *a = TCT_NEW(&e->arena, arguments);
    parse_signature(e, builtins[id].signature, s);
    tct_actual *actuals = TCT_NEW_ARRAY(&e->arena, tct_actual, x->n_args + 1);
    for (uint32_t i = 0; i < x->n_args; i++)
        actuals[i] = (tct_actual){.name = x->args[i].name, .expr = x->args[i].value};
    int32_t which[MAX_PARAMS];
    if (!tct_elab_match(e, name, s->params, s->n, actuals, x->n_args, x->span, which)) {
        tct_elab_note(e, TCT_NO_SPAN, "%s%s", name, builtins[id].signature);
        return tct_val_error(e);
    }
    bool ok = true;
    for (uint32_t k = 0; k < s->n; k++) {
        const tct_expr *arg = which[k] < 0 ? NULL : x->args[which[k]].value;
        a->span[k] = arg ? arg->span : x->span;
        a->val[k] = arg ? tct_stage_value(e, arg) : initial_value(e, s, k, x->span);
        ok = ok && argument(e, name, s, k, a, arg && arg->kind == TCT_EXPR_STRING);
    }
    if (!ok) return tct_val_error(e);
    if (id == TCT_BUILTIN_APPEND && !append_fits(e, x, a)) return tct_val_error(e);
    uint32_t *results = TCT_NEW_ARRAY(&e->arena, uint32_t, 16), n_results = 0;
    tct_call call = {.builtin = id, .generator = NO_REG};
    tct_val *v = result(e, id, s, a, results, &n_results, &call, x->span);
    if (v->kind == V_ERROR) return v;
    uint32_t *args = TCT_NEW_ARRAY(&e->arena, uint32_t, a->n_regs + 1);
    memcpy(args, a->regs, a->n_regs * sizeof *args);
    call.args = args;
    call.n_args = a->n_regs;
    call.results = results;
    call.n_results = n_results;
    TCT_PUSH(&e->stage->calls, call);
    tct_stage_emit(e, TCT_I_CALL, 0, (uint32_t)e->stage->calls.len - 1, 0, 0, x->span);
    return v;
}
