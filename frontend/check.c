// What is checked of a package before anything is built from it: declarations. And tct_check: every item by
// itself.
#include "frontend/elab_internal.h"
#include "frontend/stage.h"

#include <string.h>

static void twice(tct_elab *e, const tct_name *second, const tct_name *first) {
    tct_elab_error(e, "E0206", second->span, "`%s` is declared twice", second->text);
    tct_elab_note(e, first->span, "first declared here");
}

static bool known_type(tct_elab *e, const tct_item *item, const char *name) {
    static const char *const words[] = {"int",  "float", "bool", "string", "path",
                                        "axis", "axes",  "real", "list"};
    tct_dtype dtype;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(name, words[i]) == 0) return true;
    const tct_item *model = tct_elab_item(e, name);
    return tct_elab_dtype_name(name, &dtype) || (model && model->kind == TCT_ITEM_MODEL) ||
           item->kind == TCT_ITEM_FN; // whose values have types without a name
}

static void check_type(tct_elab *e, const tct_item *item, const tct_type *t) {
    if (!known_type(e, item, t->name.text)) {
        static const char *const words[] = {"f32",  "f64",  "bf16", "i32",   "i64",
                                            "bool", "real", "int",  "float", "string"};
        const char *near = tct_nearest(t->name.text, words, sizeof words / sizeof *words);
        tct_elab_error(e, "E0201", t->name.span, "unknown type or model `%s`", t->name.text);
        if (!near) near = tct_elab_suggest(e, t->name.text);
        if (near) tct_elab_help(e, "did you mean `%s`?", near);
    }
    if (t->n_axes > TCT_IR_MAX_AXES)
        tct_elab_error(e, "E0331", t->span, "%u axes: a tensor has at most %d", t->n_axes, TCT_IR_MAX_AXES);
    for (uint32_t i = 0; i < t->n_axes; i++)
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(t->axes[i].name.text, t->axes[k].name.text) == 0) {
                tct_elab_error(e, "E0330", t->axes[i].name.span, "a tensor can't have the axis %s twice",
                               t->axes[i].name.text);
                tct_elab_note(e, t->axes[k].name.span, "the first time here");
                tct_elab_help(e, "the axes of a square have two names: f32[T, S]");
                break;
            }
    for (uint32_t i = 0; i < t->n_axes; i++)
        for (uint32_t k = 0; k < item->n_params; k++) {
            const tct_param *p = &item->params[k];
            if (!p->type || strcmp(p->type->name.text, "axes") != 0) continue;
            if (strcmp(p->name.text, t->axes[i].name.text) != 0) continue;
            tct_elab_error(e, "E0331", t->axes[i].name.span,
                           "`%s` is a list of axes, and a type names single ones", p->name.text);
            tct_elab_help(e, "f32[..] has any axes");
        }
    if (t->element) check_type(e, item, t->element);
}

static void check_members(tct_elab *e, const tct_item *item, const tct_member *m, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        if (m[i].kind == TCT_MEMBER_PARAM) check_type(e, item, m[i].type);
        if (m[i].kind == TCT_MEMBER_IF) {
            check_members(e, item, m[i].members, m[i].n_members);
            check_members(e, item, m[i].otherwise, m[i].n_otherwise);
        }
        if (m[i].kind != TCT_MEMBER_PARAM && m[i].kind != TCT_MEMBER_PART && m[i].kind != TCT_MEMBER_LET)
            continue;
        for (uint32_t k = 0; k < item->n_params; k++)
            if (strcmp(item->params[k].name.text, m[i].name.text) == 0)
                twice(e, &m[i].name, &item->params[k].name);
        for (uint32_t k = 0; k < i; k++)
            if (m[k].name.text && strcmp(m[k].name.text, m[i].name.text) == 0 &&
                m[k].kind != TCT_MEMBER_DECODE && m[k].kind != TCT_MEMBER_AXIS)
                twice(e, &m[i].name, &m[k].name);
    }
}

static void check_item(tct_elab *e, const tct_item *item) {
    for (uint32_t i = 0; i < item->n_params; i++) {
        if (item->params[i].type) check_type(e, item, item->params[i].type);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(item->params[i].name.text, item->params[k].name.text) == 0)
                twice(e, &item->params[i].name, &item->params[k].name);
    }
    for (uint32_t i = 0; i < item->n_results; i++) {
        if (item->results[i].type) check_type(e, item, item->results[i].type);
        for (uint32_t k = 0; k < i && item->results[i].name.text; k++)
            if (item->results[k].name.text &&
                strcmp(item->results[i].name.text, item->results[k].name.text) == 0)
                twice(e, &item->results[i].name, &item->results[k].name);
    }
    check_members(e, item, item->members, item->n_members);
}

// The item of that name that stands before items[end] of file number `last`, on the same side of the library.
static const tct_item *declared_before(tct_elab *e, const char *name, size_t last, uint32_t end) {
    bool library = tct_elab_of_library(e, e->package->files.data[last]);
    for (size_t f = 0; f <= last; f++) {
        const tct_ast *ast = e->package->files.data[f];
        if (tct_elab_of_library(e, ast) != library) continue;
        for (uint32_t i = 0; i < (f == last ? end : ast->n_items); i++) {
            const tct_item *it = ast->items[i];
            if (it->kind != TCT_ITEM_USE && it->name.text && strcmp(it->name.text, name) == 0) return it;
        }
    }
    return NULL;
}

bool tct_elab_declarations(tct_elab *e) {
    size_t errors = e->d->n_errors;
    for (size_t f = 0; f < e->package->files.len; f++) {
        const tct_ast *ast = e->package->files.data[f];
        e->file = ast;
        for (uint32_t i = 0; i < ast->n_items; i++) {
            const tct_item *item = ast->items[i];
            if (item->kind == TCT_ITEM_USE || item->kind == TCT_ITEM_CONFIG || !item->name.text) continue;
            const tct_item *before = declared_before(e, item->name.text, f, i);
            if (before) twice(e, &item->name, &before->name);
            check_item(e, item);
        }
    }
    e->file = NULL;
    return e->d->n_errors == errors;
}

// An optimizer by itself, for a parameter with one axis.
static void check_optimizer(tct_elab *e, const tct_item *item) {
    tct_builder b = {.kind = TCT_BUILD_TOP};
    b.graph = tct_graph_new(e->module, tct_arena_strdup(&e->module->arena, item->name.text));
    e->builder = &b;
    tct_elab_new_graph(e);
    tct_scope_push(e, true);
    tct_axis axis = tct_axis_get(e->module, "P", 0);
    for (uint32_t i = 0; i < item->n_params; i++) {
        const tct_name *name = &item->params[i].name;
        tct_value v =
            tct_ir_input(b.graph, tct_arena_strdup(&e->module->arena, name->text), TCT_F32, NULL, 0);
        tct_scope_bind(e, name->text, tct_val_tensor(e, v, name->span), name->span, false);
    }
    tct_value step = tct_ir_input(b.graph, "step", TCT_F32, NULL, 0);
    tct_scope_bind(e, "step", tct_val_tensor(e, step, item->name.span), item->name.span, false);
    tct_value grad = tct_ir_input(b.graph, "grad", TCT_F32, &axis, 1);
    tct_scope_bind(e, "grad", tct_val_tensor(e, grad, item->name.span), item->name.span, false);
    tct_value param = tct_ir_input(b.graph, "param", TCT_F32, &axis, 1);
    tct_scope_bind(e, "param", tct_val_tensor(e, param, item->name.span), item->name.span, true);
    tct_block rest = {.stmts = TCT_NEW_ARRAY(&e->arena, tct_stmt *, item->body->n_stmts + 1),
                      .span = item->body->span};
    for (uint32_t i = 0; i < item->body->n_stmts; i++) {
        tct_stmt *s = item->body->stmts[i];
        if (s->kind != TCT_STMT_STATE) {
            rest.stmts[rest.n_stmts++] = s;
            continue;
        }
        tct_elab_static(e, s->value, V_FLOAT, "is the first value of an optimizer's state");
        tct_value v =
            tct_ir_input(b.graph, tct_arena_strdup(&e->module->arena, s->names[0].text), TCT_F32, &axis, 1);
        tct_scope_bind(e, s->names[0].text, tct_val_tensor(e, v, s->span), s->names[0].span, true);
    }
    tct_elab_block(e, &rest);
    tct_scope_pop(e);
    e->builder = NULL;
}

// What is known to be wrong is elaborated only for an index. Messages from there on would be echoes.
typedef struct echoes {
    size_t messages, errors;
} echoes;

static echoes echoes_begin(tct_diag *d) {
    echoes x = {d->messages.len, d->n_errors};
    d->n_errors = 0;
    return x;
}

static void echoes_end(tct_diag *d, echoes x) {
    d->messages.len = x.messages;
    d->n_errors = x.errors;
}

static void check_items(tct_elab *e, tct_ir_module *m, bool library) {
    for (size_t f = 0; f < e->package->files.len; f++) {
        const tct_ast *ast = e->package->files.data[f];
        if (tct_elab_of_library(e, ast) && !library) continue;
        for (uint32_t i = 0; i < ast->n_items; i++) {
            const tct_item *item = ast->items[i];
            e->file = ast;
            e->module = m;
            if (item->kind == TCT_ITEM_GRAPH) tct_elab_build(e, item);
            if (item->kind == TCT_ITEM_MODEL) tct_elab_build_model(e, item);
            if (item->kind == TCT_ITEM_OPTIMIZER) check_optimizer(e, item);
            tct_ir_module_drop(m, 0);
        }
    }
}

static void check_pipelines(tct_elab *e, tct_ir_module *m, const tct_stage_hooks *hooks) {
    for (size_t f = 0; f < e->package->files.len; f++) {
        const tct_ast *ast = e->package->files.data[f];
        for (uint32_t i = 0; i < ast->n_items; i++)
            if (ast->items[i]->kind == TCT_ITEM_PIPELINE)
                tct_elab_program(e, m, ast->items[i]->name.text, hooks);
    }
}

bool tct_check(tct_diag *d, const tct_package *package, const tct_setting *sets, size_t n_sets, bool library,
               const tct_stage_hooks *hooks) {
    size_t errors = d->n_errors;
    bool sound = errors == 0 || !package->index; // else the syntax isn't
    echoes syntax = sound ? (echoes){0} : echoes_begin(d);
    tct_elab *e = tct_elab_new(d, package, sets, n_sets);
    tct_ir_module *m = tct_ir_module_new();
    if (e->sound) {
        check_items(e, m, library);
    } else if (e->index) {
        echoes x = echoes_begin(d);
        check_items(e, m, library);
        echoes_end(d, x);
    }
    // Stage code is elaborated only where the graphs that it calls are sound: their faults would be told
    // again.
    if (hooks && d->n_errors == (sound ? errors : 0)) {
        check_pipelines(e, m, hooks);
    } else if (hooks && e->index) {
        echoes x = echoes_begin(d);
        check_pipelines(e, m, hooks);
        echoes_end(d, x);
    }
    tct_ir_module_free(m);
    tct_elab_free(e);
    if (!sound) echoes_end(d, syntax);
    return d->n_errors == errors;
}
