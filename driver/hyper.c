#include "driver/hyper.h"

#include <string.h>

// A hyper-parameter of the model parameter itself; inner models see it under other names.
typedef struct slot {
    bool known;
    int64_t value;
} slot;

typedef struct inference {
    tct_arena *arena;
    const tct_graph_file *file;
    const tct_safetensors *in;
    const char *prefix;
    int depth; // of models in models
} inference;

enum { MAX_DEPTH = 16 };

// A model at a path, its hyper-parameters as slots: NULL for those that are no slot's value as it is.
typedef struct place {
    const tct_item *item;
    const char *path;
    slot **slots;
} place;

static slot *hyper(const place *p, const tct_expr *x) {
    for (uint32_t i = 0; x && x->kind == TCT_EXPR_NAME && i < p->item->n_params; i++)
        if (strcmp(p->item->params[i].name.text, x->name.text) == 0) return p->slots[i];
    return NULL;
}

static void tell(slot *s, int64_t value) {
    if (!s || s->known) return;
    s->known = true;
    s->value = value;
}

static const char *join(inference *n, const char *path, const char *name) {
    return tct_arena_printf(n->arena, "%s.%s", path, name);
}

static bool any_below(const inference *n, const char *path) {
    size_t skip = strlen(n->prefix), len = strlen(path);
    for (size_t i = 0; i < tct_safetensors_count(n->in); i++) {
        const char *name = tct_safetensors_at(n->in, i)->name;
        if (strncmp(name, n->prefix, skip) == 0 && strncmp(name + skip, path, len) == 0 &&
            name[skip + len] == '.')
            return true;
    }
    return false;
}

static const tct_safetensors_entry *tensor(inference *n, const place *p, const tct_member *m) {
    return tct_safetensors_find(n->in,
                                tct_arena_printf(n->arena, "%s%s.%s", n->prefix, p->path, m->name.text));
}

// The slot that an axis of the model has as its size.
static slot *axis_slot(const place *p, const tct_member *members, uint32_t count, const char *axis) {
    for (uint32_t i = 0; i < count; i++)
        if (members[i].kind == TCT_MEMBER_AXIS && strcmp(members[i].name.text, axis) == 0)
            return hyper(p, members[i].value);
    return NULL;
}

static void read_members(inference *n, const place *p, const tct_member *members, uint32_t count);

static void read_part(inference *n, const place *p, const tct_member *m) {
    const tct_item *inner = NULL;
    if (n->depth == MAX_DEPTH) return; // a model that contains itself, which elaboration reports
    for (size_t f = 0; f < n->file->package.files.len; f++) {
        const tct_ast *ast = n->file->package.files.data[f];
        for (uint32_t i = 0; i < ast->n_items; i++)
            if (ast->items[i]->kind == TCT_ITEM_MODEL &&
                strcmp(ast->items[i]->name.text, m->type->name.text) == 0)
                inner = ast->items[i];
    }
    if (!inner) return;
    place q = {.item = inner, .path = join(n, p->path, m->name.text)};
    q.slots = TCT_NEW_ARRAY(n->arena, slot *, inner->n_params + 1);
    for (uint32_t i = 0; i < m->n_args; i++)
        for (uint32_t k = 0; k < inner->n_params; k++) {
            const char *name = m->args[i].name.text;
            if (name ? strcmp(inner->params[k].name.text, name) == 0 : k == i)
                q.slots[k] = hyper(p, m->args[i].value);
        }
    if (m->count) {
        int64_t parts = 0;
        while (any_below(n, tct_arena_printf(n->arena, "%s.%lld", q.path, (long long)parts))) parts++;
        if (parts) tell(hyper(p, m->count), parts);
        q.path = join(n, q.path, "0");
    }
    n->depth++;
    read_members(n, &q, inner->members, inner->n_members);
    n->depth--;
}

// `if bias { … }`, `if not tied { … }`: a tensor of the branch is there. That it isn't tells nothing, it may
// be missing.
static void read_if(inference *n, const place *p, const tct_member *m) {
    const tct_expr *x = m->value;
    bool negated = x->kind == TCT_EXPR_UNARY && x->op == TCT_OP_NOT;
    for (uint32_t i = 0; i < m->n_members; i++)
        if (m->members[i].kind == TCT_MEMBER_PARAM && tensor(n, p, &m->members[i]))
            tell(hyper(p, negated ? x->a : x), !negated);
    read_members(n, p, m->members, m->n_members);
    read_members(n, p, m->otherwise, m->n_otherwise);
}

static void read_members(inference *n, const place *p, const tct_member *members, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const tct_member *m = &members[i];
        if (m->kind == TCT_MEMBER_PART) read_part(n, p, m);
        if (m->kind == TCT_MEMBER_IF) read_if(n, p, m);
        const tct_safetensors_entry *e = m->kind == TCT_MEMBER_PARAM ? tensor(n, p, m) : NULL;
        if (!e || e->n_axes != (int)m->type->n_axes) continue;
        for (uint32_t k = 0; k < m->type->n_axes; k++) {
            const tct_type_axis *a = &m->type->axes[k];
            if (!a->size) tell(axis_slot(p, p->item->members, p->item->n_members, a->name.text), e->sizes[k]);
        }
    }
}

static bool has_folder(const tct_graph_request *r, const char *name) {
    for (size_t i = 0; i < r->n_models; i++)
        if (strcmp(r->models[i].name, name) == 0) return true;
    return false;
}

void tct_infer_hyper(tct_arena *a, const tct_graph_file *f, const tct_safetensors *in, const char *prefix,
                     tct_settings *out) {
    inference n = {.arena = a, .file = f, .in = in, .prefix = prefix};
    for (size_t i = 0; in && i < f->n_params; i++) {
        const tct_graph_param *p = &f->params[i];
        if (!p->is_model || !p->model || p->model->kind != TCT_ITEM_MODEL || has_folder(f->request, p->name))
            continue;
        const tct_item *item = p->model;
        slot *values = TCT_NEW_ARRAY(a, slot, item->n_params + 1);
        place top = {.item = item, .path = p->name, .slots = TCT_NEW_ARRAY(a, slot *, item->n_params + 1)};
        const char **names = TCT_NEW_ARRAY(a, const char *, item->n_params + 1);
        for (uint32_t k = 0; k < item->n_params; k++) {
            names[k] = join(&n, p->name, item->params[k].name.text);
            if (!tct_graph_given(f, names[k])) top.slots[k] = &values[k];
        }
        read_members(&n, &top, item->members, item->n_members);
        for (uint32_t k = 0; k < item->n_params; k++) {
            const char *type = item->params[k].type ? item->params[k].type->name.text : "int";
            if (!values[k].known) continue;
            const char *text = strcmp(type, "bool") == 0
                                   ? (values[k].value ? "true" : "false")
                                   : tct_arena_printf(a, "%lld", (long long)values[k].value);
            TCT_PUSH(out, (tct_setting){names[k], text});
        }
    }
}
