// Models as the runtime describes them: each parameter with its initialiser and its place in a Hugging Face
// folder, and the pairs of config.json.
#include "frontend/elab_internal.h"
#include "runtime/program.h"

#include <stdlib.h>
#include <string.h>

static bool initialiser(tct_elab *e, const tct_member *m, tct_model_param *p) {
    const tct_expr *x = m->value;
    p->init = TCT_INIT_CONSTANT;
    if (!x) return true;
    bool call = x->kind == TCT_EXPR_CALL && x->a->kind == TCT_EXPR_NAME;
    if (call && (strcmp(x->a->name.text, "normal") == 0 || strcmp(x->a->name.text, "uniform") == 0)) {
        if (x->n_args != 2)
            return tct_elab_error(e, "E0339", x->span, "%s takes two numbers, %s, found %u", x->a->name.text,
                                  x->a->name.text[0] == 'n' ? "mean and standard deviation"
                                                            : "the lowest and the highest",
                                  x->n_args);
        tct_val *a = tct_elab_static(e, x->args[0].value, V_FLOAT, "is in the first values of a parameter"),
                *b = tct_elab_static(e, x->args[1].value, V_FLOAT, "is in the first values of a parameter");
        if (!a || !b) return false;
        p->init = strcmp(x->a->name.text, "normal") == 0 ? TCT_INIT_NORMAL : TCT_INIT_UNIFORM;
        p->init_a = a->f;
        p->init_b = b->f;
        return true;
    }
    tct_val *v = tct_elab_static(e, x, V_FLOAT, "is in the first values of a parameter");
    if (v) p->init_a = v->f;
    return v != NULL;
}

static bool file_dims(tct_elab *e, const tct_member *m, const tct_axis *axes, uint32_t n,
                      tct_model_param *p) {
    uint8_t *count = TCT_NEW_ARRAY(&e->arena, uint8_t, m->n_dims + 1);
    const uint8_t **which = TCT_NEW_ARRAY(&e->arena, const uint8_t *, m->n_dims + 1);
    uint32_t used = 0;
    for (uint32_t i = 0; i < m->n_dims; i++) {
        uint8_t *group = TCT_NEW_ARRAY(&e->arena, uint8_t, m->dims[i].n_axes + 1);
        for (uint32_t k = 0; k < m->dims[i].n_axes; k++) {
            const tct_name *name = &m->dims[i].axes[k];
            uint32_t at = 0;
            while (at < n && strcmp(tct_axis_of(e->module, axes[at])->name, name->text) != 0) at++;
            if (at == n)
                return tct_elab_error(e, "E0331", name->span, "%s has no axis %s", m->name.text, name->text);
            group[k] = (uint8_t)at;
            used |= 1u << at;
        }
        count[i] = (uint8_t)m->dims[i].n_axes;
        which[i] = group;
    }
    for (uint32_t i = 0; m->n_dims && i < n; i++)
        if (!(used & 1u << i))
            return tct_elab_error(e, "E0331", m->span, "the dimensions of %s in the file leave out axis %s",
                                  m->name.text, tct_axis_of(e->module, axes[i])->name);
    p->n_dims = m->n_dims;
    p->dim_n = count;
    p->dim_axis = which;
    return true;
}

bool tct_elab_model_param(tct_elab *e, const char *path, const tct_member *m, tct_dtype dtype,
                          const tct_axis *axes, uint32_t n, const char *file_prefix, tct_model_param *out) {
    *out = (tct_model_param){
        .name = tct_arena_strdup(&e->arena, path), .dtype = (uint8_t)dtype, .n_axes = (uint8_t)n};
    const char **names = TCT_NEW_ARRAY(&e->arena, const char *, n + 1);
    int64_t *sizes = TCT_NEW_ARRAY(&e->arena, int64_t, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        names[i] = tct_arena_strdup(&e->arena, tct_axis_of(e->module, axes[i])->name);
        sizes[i] = tct_axis_of(e->module, axes[i])->size;
    }
    out->axis = names;
    out->size = sizes;
    const char *own = m->as.text ? m->as.text : m->name.text;
    out->file_name = file_prefix[0] ? tct_arena_printf(&e->arena, "%s.%s", file_prefix, own)
                                    : tct_arena_strdup(&e->arena, own);
    return initialiser(e, m, out) && file_dims(e, m, axes, n, out);
}

const tct_member *tct_model_member(const tct_item *item, tct_member_kind kind) {
    for (uint32_t i = 0; i < item->n_members; i++)
        if (item->members[i].kind == kind) return &item->members[i];
    return NULL;
}

static const char *json_text(tct_elab *e, const tct_val *v) {
    if (v->kind == V_INT) return tct_arena_printf(&e->arena, "%lld", (long long)v->i);
    if (v->kind == V_BOOL) return v->i ? "true" : "false";
    if (v->kind == V_FLOAT) {
        const char *text = NULL;
        for (int digits = 1; digits <= 17; digits++) { // the shortest that reads back as the same number
            text = tct_arena_printf(&e->arena, "%.*g", digits, v->f);
            if (strtod(text, NULL) == v->f) break;
        }
        return strpbrk(text, ".e") ? text : tct_arena_printf(&e->arena, "%s.0", text);
    }
    tct_buf b = {0};
    tct_buf_putc(&b, '"');
    for (const char *s = v->s; *s; s++) {
        if (*s == '"' || *s == '\\') tct_buf_putc(&b, '\\');
        if ((unsigned char)*s < 0x20)
            tct_buf_printf(&b, "\\u%04x", *s);
        else
            tct_buf_putc(&b, *s);
    }
    tct_buf_putc(&b, '"');
    char *text = tct_arena_strdup(&e->arena, b.data);
    tct_buf_free(&b);
    return text;
}

// The pairs of config.json in terms of a finished instance.
bool tct_elab_model_config(tct_elab *e, const tct_item *item, const tct_val *instance, tct_model_desc *d) {
    const tct_member *hf = tct_model_member(item, TCT_MEMBER_HUGGINGFACE);
    if (!hf) return true;
    tct_config_pair *pairs = TCT_NEW_ARRAY(&e->arena, tct_config_pair, hf->n_args + 1);
    struct tct_stage_state *s = e->stage;
    e->stage = NULL;
    tct_scope_push(e, true);
    for (uint32_t i = 0; i < instance->n_fields; i++)
        tct_scope_bind(e, instance->fields[i].name, instance->fields[i].val, hf->span, false);
    bool ok = true;
    for (uint32_t i = 0; i < hf->n_args && ok; i++) {
        tct_val *v = tct_elab_expr(e, hf->args[i].value);
        ok = v->kind == V_INT || v->kind == V_FLOAT || v->kind == V_BOOL || v->kind == V_STRING;
        if (!ok && v->kind != V_ERROR)
            tct_elab_error(e, "E0337", hf->args[i].value->span, "a static value is expected here");
        if (ok) pairs[i] = (tct_config_pair){hf->args[i].name.text, json_text(e, v)};
    }
    tct_scope_pop(e);
    e->stage = s;
    d->architecture = hf->as.text;
    d->config = pairs;
    d->n_config = hf->n_args;
    return ok;
}
