// Calls of graphs: matching arguments, binding axes, expanding the body, checking results.
#include "frontend/elab_internal.h"

#include <string.h>

enum { MAX_DEPTH = 200 };

bool tct_elab_dtype_name(const char *name, tct_dtype *out) {
    for (int t = 0; t < TCT_N_DTYPES; t++)
        if (strcmp(tct_dtype_name((tct_dtype)t), name) == 0) {
            *out = (tct_dtype)t;
            return true;
        }
    return false;
}

static tct_val_kind static_kind(const char *type) {
    if (strcmp(type, "int") == 0) return V_INT;
    if (strcmp(type, "float") == 0) return V_FLOAT;
    if (strcmp(type, "bool") == 0) return V_BOOL;
    if (strcmp(type, "string") == 0 || strcmp(type, "path") == 0) return V_STRING;
    return V_ERROR;
}

static bool is_tensor_type(const tct_type *t, tct_dtype *dtype) {
    if (strcmp(t->name.text, "bool") == 0 && !t->has_axes) return false;
    if (strcmp(t->name.text, "real") == 0) {
        *dtype = TCT_N_DTYPES;
        return true;
    }
    return tct_elab_dtype_name(t->name.text, dtype);
}

typedef struct expansion {
    tct_elab *e;
    const tct_item *item;
    tct_scope *caller; // scope to evaluate arguments in
    tct_dtype real;    // what `real` stands for, TCT_N_DTYPES: not bound yet
    bool ordered;      // called by stage code: results have their axes in the declared order
} expansion;

// Runs `fn` as the caller: with its scope. Values keep no trace of the scope they were made in.
static const char *caller_name(expansion *x, tct_axis axis) {
    tct_scope *inner = x->e->scope;
    x->e->scope = x->caller;
    const char *name = x->caller ? tct_axis_local_name(x->e, axis) : tct_axis_of(x->e->module, axis)->name;
    x->e->scope = inner;
    return name;
}

static const char *caller_describe(expansion *x, const tct_val *v) {
    tct_scope *inner = x->e->scope;
    x->e->scope = x->caller;
    const char *text = tct_val_describe(x->e, v);
    x->e->scope = inner;
    return text;
}

static tct_symbol *bound_axis(tct_elab *e, const char *name) {
    tct_scope *f = tct_scope_function(e);
    for (size_t i = 0; i < f->symbols.len; i++)
        if (f->symbols.data[i].is_axis && strcmp(f->symbols.data[i].name, name) == 0)
            return &f->symbols.data[i];
    return NULL;
}

// Whether the caller calls the axis so.
static bool caller_calls(expansion *x, tct_axis axis, const char *name) {
    tct_scope *inner = x->e->scope;
    x->e->scope = x->caller;
    bool so = tct_axis_is_called(x->e, axis, name);
    x->e->scope = inner;
    return so;
}

// Binds a tensor argument: converts, checks dtype and axes, binds the axes that its type names.
static tct_val *bind_tensor(expansion *x, const tct_param *p, tct_dtype dtype, tct_val *v, tct_span place) {
    tct_elab *e = x->e;
    const tct_type *t = p->type;
    tct_dtype want = dtype == TCT_N_DTYPES ? (x->real == TCT_N_DTYPES ? TCT_F32 : x->real) : dtype;
    bool called = place.file != 0; // or the graph by itself
    if (!called) place = p->name.span;
    if (v->kind == V_STRUCT || v->kind == V_LIST || v->kind == V_STRING || v->kind == V_AXIS ||
        v->kind == V_OPAQUE || v->kind == V_NONE) {
        tct_elab_error(e, "E0332", place, "%s of %s is a tensor %s, found %s", p->name.text,
                       x->item->name.text, tct_type_text(e, t), caller_describe(x, v));
        return tct_val_error(e);
    }
    tct_elab_at(e, place);
    tct_value value = tct_elab_operand(e, v, want, place);
    if (value == TCT_NO_VALUE) return tct_val_error(e);
    tct_node n = *tct_elab_node(e, value);
    if (dtype == TCT_N_DTYPES && x->real == TCT_N_DTYPES &&
        (n.dtype == TCT_F32 || n.dtype == TCT_F64 || n.dtype == TCT_BF16))
        want = x->real = (tct_dtype)n.dtype;
    if (n.dtype != want) {
        tct_elab_error(e, "E0333", place, "%s of %s is %s, found %s", p->name.text, x->item->name.text,
                       tct_dtype_name(want), caller_describe(x, tct_val_tensor(e, value, place)));
        tct_elab_note(e, t->span, "declared here");
        tct_elab_help(e, "%s(…) converts", tct_dtype_name(want));
        return tct_val_error(e);
    }
    bool matched[TCT_IR_MAX_AXES] = {false};
    for (uint32_t i = 0; i < t->n_axes; i++) {
        const tct_type_axis *a = &t->axes[i];
        tct_symbol *s = bound_axis(e, a->name.text);
        int found = -1;
        for (uint32_t k = 0; k < n.n_axes && found < 0; k++)
            if (!matched[k] && (s ? n.axes[k] == s->val->axis : caller_calls(x, n.axes[k], a->name.text)))
                found = (int)k;
        if (found < 0) {
            int same = -1; // an axis of that name and another size
            for (uint32_t k = 0; k < n.n_axes; k++)
                if (caller_calls(x, n.axes[k], a->name.text)) same = (int)k;
            if (s && same >= 0) {
                int64_t is = tct_axis_of(e->module, n.axes[same])->size,
                        was = tct_axis_of(e->module, s->val->axis)->size;
                if (is && was)
                    tct_elab_error(e, "E0330", place,
                                   "axis %s of %s is %lld here, and %lld in what came before", a->name.text,
                                   x->item->name.text, (long long)is, (long long)was);
                else
                    tct_elab_error(e, "E0330", place, "axis %s of %s is another axis in what came before",
                                   a->name.text, x->item->name.text);
                if (s->span.file && was)
                    tct_elab_note(e, s->span, "%s was bound to %lld here", a->name.text, (long long)was);
                else if (s->span.file)
                    tct_elab_note(e, s->span, "%s was bound here", a->name.text);
                return tct_val_error(e);
            }
            tct_elab_error(e, "E0334", place, "%s of %s is %s, found %s: axis %s is missing", p->name.text,
                           x->item->name.text, tct_type_text(e, t),
                           caller_describe(x, tct_val_tensor(e, value, place)), a->name.text);
            tct_elab_note(e, t->span, "declared here");
            if (n.n_axes > 0 && n.n_axes <= t->n_axes) {
                const char *other = NULL;
                for (uint32_t k = 0; k < n.n_axes; k++) {
                    bool named = false;
                    for (uint32_t j = 0; j < t->n_axes; j++)
                        named |= caller_calls(x, n.axes[k], t->axes[j].name.text);
                    if (!named && !other) other = caller_name(x, n.axes[k]);
                }
                if (other)
                    tct_elab_help(e, "if %s stands for it: %s[%s = %s](…)", other, x->item->name.text,
                                  a->name.text, other);
            }
            return tct_val_error(e);
        }
        matched[found] = true;
        if (!s && !tct_scope_bind_axis(e, a->name.text, n.axes[found], called ? place : a->name.span))
            return tct_val_error(e);
        if (a->size) {
            tct_val *size = tct_elab_static(e, a->size, V_INT, tct_elab_sizes_axis(e, a->name.text));
            int64_t have = tct_axis_of(e->module, n.axes[found])->size;
            if (size && size->known && have && have != size->i) {
                tct_elab_error(e, "E0336", place, "axis %s is %lld here, and %s demands %lld", a->name.text,
                               (long long)have, x->item->name.text, (long long)size->i);
                tct_elab_note(e, a->name.span, "demanded here");
                return tct_val_error(e);
            }
        }
    }
    tct_scope *f = tct_scope_function(e);
    for (uint32_t k = 0; k < n.n_axes; k++) {
        if (matched[k]) continue;
        if (!t->rest) {
            tct_elab_error(e, "E0335", place, "%s of %s is %s, found %s: axis %s is one too many",
                           p->name.text, x->item->name.text, tct_type_text(e, t),
                           caller_describe(x, tct_val_tensor(e, value, place)), caller_name(x, n.axes[k]));
            tct_elab_note(e, t->span, "declared here");
            return tct_val_error(e);
        }
        bool there = false;
        for (size_t i = 0; i < f->in_use.len; i++) there |= f->in_use.data[i] == n.axes[k];
        if (!there) TCT_PUSH(&f->in_use, n.axes[k]);
    }
    return tct_val_tensor(e, value, place);
}

static tct_val *bind_static(expansion *x, const tct_param *p, tct_val_kind want, tct_val *v, tct_span place) {
    tct_elab *e = x->e;
    if (tct_val_is_config(v)) { // static where it is used so, and a number of the program elsewhere
        tct_val_kind kind = tct_val_static_kind(e, v);
        if (want == V_FLOAT && kind == V_INT) return tct_stage_as_float(e, v, place);
        if (kind == want) return v;
    }
    if (v->kind == want || v->kind == V_ERROR) return v;
    if (want == V_FLOAT && v->kind == V_INT) {
        tct_val *f = tct_val_float(e, (double)v->i, place);
        f->known = v->known;
        return f;
    }
    tct_elab_error(e, "E0337", place, "%s of %s is %s %s that is known at compile time, found %s",
                   p->name.text, x->item->name.text, strcmp(p->type->name.text, "int") == 0 ? "an" : "a",
                   p->type->name.text, caller_describe(x, v));
    tct_elab_note(e, p->name.span, "declared here");
    return tct_val_error(e);
}

static tct_val *bind_model(expansion *x, const tct_param *p, tct_val *v, tct_span place) {
    tct_elab *e = x->e;
    if (v->kind != V_STRUCT || !v->model || strcmp(v->model->name.text, p->type->name.text) != 0) {
        tct_elab_error(e, "E0332", place, "%s of %s is a %s, found %s", p->name.text, x->item->name.text,
                       p->type->name.text, caller_describe(x, v));
        tct_elab_note(e, p->type->span, "declared here");
        return tct_val_error(e);
    }
    for (uint32_t i = 0; i < v->n_axes; i++)
        if (!tct_scope_bind_axis(e, v->axes[i].name, v->axes[i].axis, place)) return tct_val_error(e);
    return v;
}

// Axis arguments are evaluated in the caller before anything else is bound.
static bool bind_axis_param(expansion *x, const tct_param *p, const tct_actual *a, tct_span call) {
    tct_elab *e = x->e;
    bool list = strcmp(p->type->name.text, "axes") == 0;
    if (!a || !a->expr)
        return tct_elab_error(e, "E0340", call, "%s lacks its argument `%s`, the name of an axis",
                              x->item->name.text, p->name.text);
    tct_scope *inner = e->scope;
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t n = 1;
    e->scope = x->caller;
    bool ok = list ? tct_elab_axes(e, a->expr, axes, &n) : tct_elab_axis(e, a->expr, &axes[0]);
    e->scope = inner;
    if (!ok) return false;
    if (!list) return tct_scope_bind_axis(e, p->name.text, axes[0], a->expr->span);
    tct_val *v = tct_val_new(e, V_LIST, a->expr->span);
    v->items = TCT_NEW_ARRAY(&e->arena, tct_val *, n);
    v->n_items = n;
    tct_scope *f = tct_scope_function(e);
    for (uint32_t i = 0; i < n; i++) {
        v->items[i] = tct_val_new(e, V_AXIS, a->expr->span);
        v->items[i]->axis = axes[i];
        TCT_PUSH(&f->in_use, axes[i]);
    }
    tct_scope_bind(e, p->name.text, v, a->expr->span, false);
    return true;
}

static bool is_axis_type(const tct_type *t) {
    return t && (strcmp(t->name.text, "axis") == 0 || strcmp(t->name.text, "axes") == 0);
}

// `..` comes first.
static tct_value in_declared_order(expansion *x, const tct_type *t, tct_value v) {
    const tct_node *n = tct_elab_node(x->e, v);
    tct_axis order[TCT_IR_MAX_AXES];
    uint32_t rest = n->n_axes - t->n_axes, k = 0;
    for (uint32_t i = 0; i < t->n_axes; i++)
        order[rest + i] = bound_axis(x->e, t->axes[i].name.text)->val->axis;
    for (uint32_t i = 0; i < n->n_axes; i++) {
        bool declared = false;
        for (uint32_t j = 0; j < t->n_axes; j++) declared |= order[rest + j] == n->axes[i];
        if (!declared) order[k++] = n->axes[i];
    }
    tct_builder *b = x->e->builder;
    v = tct_elab_reordered(b->graph, v, order);
    b->ordered = tct_arena_realloc(&x->e->arena, b->ordered, b->n_ordered * sizeof *b->ordered,
                                   (b->n_ordered + 1) * sizeof *b->ordered);
    b->ordered[b->n_ordered++] = v;
    return v;
}

// Checks a result against its declared type; static numbers become scalars.
static tct_val *check_result(expansion *x, const tct_result *r, tct_val *v, tct_span place) {
    tct_elab *e = x->e;
    tct_dtype dtype;
    if (v->kind == V_ERROR) return v;
    if (!is_tensor_type(r->type, &dtype)) {
        tct_val_kind kind = static_kind(r->type->name.text);
        if (kind == V_FLOAT && tct_val_is_config(v) && tct_val_static_kind(e, v) == V_INT)
            return tct_stage_as_float(e, v, place);
        if (kind == tct_val_static_kind(e, v)) return v;
        if (static_kind(r->type->name.text) == V_FLOAT && v->kind == V_INT) {
            tct_val *f = tct_val_float(e, (double)v->i, v->span);
            f->known = v->known;
            return f;
        }
        if (v->kind == V_STRUCT && v->model && strcmp(v->model->name.text, r->type->name.text) == 0) return v;
        tct_elab_error(e, "E0344", place, "%s returns %s, found %s", x->item->name.text, r->type->name.text,
                       tct_val_describe(e, v));
        if (static_kind(r->type->name.text) == V_BOOL && v->kind == V_TENSOR)
            tct_elab_help(e, "bool is known at compile time; bool[] is a tensor without axes");
        return tct_val_error(e);
    }
    tct_dtype want = dtype == TCT_N_DTYPES ? (x->real == TCT_N_DTYPES ? TCT_F32 : x->real) : dtype;
    tct_value value = tct_elab_operand(e, v, want, place);
    if (value == TCT_NO_VALUE) return tct_val_error(e);
    const tct_node *n = tct_elab_node(e, value);
    if (n->dtype != want) {
        tct_elab_error(e, "E0344", place, "%s returns %s, found %s", x->item->name.text,
                       tct_type_text(e, r->type), tct_val_describe(e, tct_val_tensor(e, value, place)));
        tct_elab_note(e, r->type->span, "declared here");
        return tct_val_error(e);
    }
    uint32_t found = 0;
    for (uint32_t i = 0; i < r->type->n_axes; i++) {
        tct_symbol *s = bound_axis(e, r->type->axes[i].name.text);
        if (s && tct_node_has_axis(n, s->val->axis)) {
            found++;
            continue;
        }
        tct_elab_error(e, "E0344", place, "%s returns %s, found %s: axis %s is missing", x->item->name.text,
                       tct_type_text(e, r->type), tct_val_describe(e, tct_val_tensor(e, value, place)),
                       r->type->axes[i].name.text);
        tct_elab_note(e, r->type->span, "declared here");
        return tct_val_error(e);
    }
    if (found < n->n_axes && !r->type->rest) {
        const char *more = "";
        for (uint32_t k = 0; k < n->n_axes && !more[0]; k++) {
            bool declared = false;
            for (uint32_t i = 0; i < r->type->n_axes; i++)
                declared |= bound_axis(e, r->type->axes[i].name.text)->val->axis == n->axes[k];
            if (!declared) more = tct_axis_local_name(e, n->axes[k]);
        }
        tct_elab_error(e, "E0344", place, "%s returns %s, found %s: axis %s is one too many",
                       x->item->name.text, tct_type_text(e, r->type),
                       tct_val_describe(e, tct_val_tensor(e, value, place)), more);
        tct_elab_note(e, r->type->span, "declared here");
        return tct_val_error(e);
    }
    if (x->ordered) value = in_declared_order(x, r->type, value);
    return tct_val_tensor(e, value, place);
}

// "(a, b)"
static const char *results_text(tct_elab *e, const tct_item *item) {
    const char *text = "(";
    for (uint32_t i = 0; i < item->n_results; i++)
        text = tct_arena_printf(&e->arena, "%s%s%s", text, i ? ", " : "", item->results[i].name.text);
    return item->n_results ? tct_arena_printf(&e->arena, "%s)", text) : "";
}

// The value of a call from what return gave.
static tct_val *results(expansion *x, tct_val *returned, tct_span place) {
    tct_elab *e = x->e;
    const tct_item *item = x->item;
    if (returned->kind == V_ERROR) return returned;
    if (item->n_results == 1 && !item->results[0].name.text)
        return check_result(x, &item->results[0], returned, place);
    if (returned->kind != V_STRUCT || returned->model || returned->n_fields != item->n_results) {
        if (item->n_results != 1) {
            const char *found = returned->kind == V_NONE ? "none"
                                : returned->kind == V_STRUCT && !returned->model
                                    ? tct_arena_printf(&e->arena, "%u", returned->n_fields)
                                    : "one";
            tct_elab_error(e, "E0344", place, "%s has %u results, this return gives %s", item->name.text,
                           item->n_results, found);
            if (item->n_results)
                tct_elab_note(e, item->results[0].type->span, "the results are declared here");
            tct_elab_help(e, "return %s", results_text(e, item));
            return tct_val_error(e);
        }
        tct_val *wrapped = tct_val_new(e, V_STRUCT, place);
        tct_val_add_field(e, wrapped, item->results[0].name.text,
                          check_result(x, &item->results[0], returned, place));
        wrapped->fields[0].span = item->results[0].name.span;
        return wrapped;
    }
    tct_val *out = tct_val_new(e, V_STRUCT, place);
    for (uint32_t i = 0; i < item->n_results; i++) {
        tct_val **named = tct_val_field(returned, item->results[i].name.text);
        tct_val *v = named ? *named : returned->fields[i].val;
        tct_val_add_field(e, out, item->results[i].name.text, check_result(x, &item->results[i], v, place));
        out->fields[i].span = item->results[i].name.span;
    }
    return out;
}

void tct_elab_export_axes(tct_elab *e, const tct_item *item, tct_scope *caller) {
    struct {
        const char *name;
        tct_axis axis;
        tct_span span;
    } found[16];
    uint32_t n = 0;
    for (uint32_t i = 0; i < item->n_results; i++)
        for (uint32_t k = 0; k < item->results[i].type->n_axes && n < 16; k++) {
            const tct_type_axis *a = &item->results[i].type->axes[k];
            tct_symbol *s = bound_axis(e, a->name.text);
            if (!s) continue;
            found[n].name = a->name.text;
            found[n].axis = s->val->axis;
            found[n++].span = a->name.span;
        }
    tct_scope *inner = e->scope;
    e->scope = caller;
    for (uint32_t i = 0; i < n; i++) {
        tct_scope *f = tct_scope_function(e);
        bool known = !f;
        for (size_t k = 0; f && k < f->symbols.len; k++)
            known |= f->symbols.data[k].is_axis && (f->symbols.data[k].val->axis == found[i].axis ||
                                                    strcmp(f->symbols.data[k].name, found[i].name) == 0);
        if (!known) tct_scope_bind_axis(e, found[i].name, found[i].axis, found[i].span);
    }
    e->scope = inner;
}

tct_val *tct_elab_expand(tct_elab *e, const tct_item *item, tct_actual *actuals, uint32_t n,
                         const tct_arg *map, uint32_t n_map, tct_span span) {
    if (item->kind != TCT_ITEM_GRAPH || !item->body) {
        tct_elab_error(e, "E0203", span, "`%s` is no graph, so it can't be called in one", item->name.text);
        return tct_val_error(e);
    }
    if (!tct_elab_one_more(e, span) || !tct_elab_may_nest(e, item->body->height, span))
        return tct_val_error(e);
    if (e->depth >= MAX_DEPTH) {
        tct_elab_error(e, "E0345", span, "calls nest more than %d deep: %s calls itself without an end",
                       MAX_DEPTH, item->name.text);
        tct_elab_help(e, "a graph is expanded where it is called; scan repeats along an axis");
        return tct_val_error(e);
    }
    int32_t *which = TCT_NEW_ARRAY(&e->arena, int32_t, item->n_params + 1);
    if (!tct_elab_match(e, item->name.text, item->params, item->n_params, actuals, n, span, which))
        return tct_val_error(e);

    // Arguments are evaluated in the caller, but for axes.
    bool ok = true;
    for (uint32_t k = 0; k < item->n_params; k++) {
        if (which[k] < 0 || is_axis_type(item->params[k].type)) continue;
        tct_actual *a = &actuals[which[k]];
        if (!a->val) a->val = tct_elab_expr(e, a->expr);
        ok &= a->val->kind != V_ERROR;
        if (!item->params[k].inout || !a->expr) continue;
        if (e->stage) {
            ok = tct_elab_error(e, "E0501", a->expr->span,
                                "%s of %s is inout, and stage code doesn't lend its variables",
                                item->params[k].name.text, item->name.text);
            tct_elab_note(e, item->params[k].name.span, "declared here");
        } else if (!tct_elab_place(e, a->expr)) {
            ok = false;
        }
    }
    if (!ok) return tct_val_error(e);

    expansion x = {
        .e = e, .item = item, .caller = e->scope, .real = TCT_N_DTYPES, .ordered = e->stage != NULL};
    tct_axis mapped[TCT_IR_MAX_AXES];
    for (uint32_t i = 0; i < n_map && i < TCT_IR_MAX_AXES; i++)
        if (!tct_elab_axis(e, map[i].value, &mapped[i])) return tct_val_error(e);
    struct tct_stage_state *stage = e->stage;
    const tct_ast *file = e->file;
    tct_val *returned_before = e->returned;
    bool in_scan = e->in_scan;
    tct_scope *f = tct_scope_push(e, true);
    f->item = item;
    f->call = span;
    e->stage = NULL;
    e->file = tct_elab_item_file(e, item);
    e->returned = NULL;
    e->in_scan = false;
    e->level += item->body->height;
    e->depth++;
    for (uint32_t i = 0; i < n_map && i < TCT_IR_MAX_AXES; i++)
        ok &= tct_scope_bind_axis(e, map[i].name.text, mapped[i], map[i].name.span);
    for (uint32_t k = 0; k < item->n_params && ok; k++)
        if (is_axis_type(item->params[k].type))
            ok = bind_axis_param(&x, &item->params[k], which[k] < 0 ? NULL : &actuals[which[k]], span);
    for (uint32_t k = 0; k < item->n_params && ok; k++) {
        const tct_param *p = &item->params[k];
        if (is_axis_type(p->type)) continue;
        tct_actual *a = which[k] < 0 ? NULL : &actuals[which[k]];
        tct_val *v = a ? a->val : tct_elab_expr(e, p->value);
        tct_span place = a && a->expr ? a->expr->span : a ? span : p->value->span;
        tct_dtype dtype;
        if (is_tensor_type(p->type, &dtype))
            v = bind_tensor(&x, p, dtype, v, place);
        else if (static_kind(p->type->name.text) != V_ERROR)
            v = bind_static(&x, p, static_kind(p->type->name.text), v, place);
        else
            v = bind_model(&x, p, v, place);
        ok = v->kind != V_ERROR;
        tct_scope_bind(e, p->name.text, v, p->name.span, p->inout);
    }
    tct_val *out = tct_val_error(e);
    tct_val **changed = TCT_NEW_ARRAY(&e->arena, tct_val *, item->n_params + 1);
    if (ok) {
        size_t errors = tct_elab_faults(e);
        tct_elab_block(e, item->body);
        if (e->returned)
            out = results(&x, e->returned, e->returned->span);
        else if (tct_elab_faults(e) == errors && item->n_results) {
            tct_elab_error(e, "E0344", item->name.span, "%s ends without a return", item->name.text);
            tct_elab_note(e, item->results[0].type->span, "the result is declared here");
        } else if (!item->n_results)
            out = tct_val_new(e, V_NONE, span);
        for (uint32_t k = 0; k < item->n_params; k++)
            if (item->params[k].inout && which[k] >= 0)
                changed[k] = tct_scope_find(e, item->params[k].name.text, false)->val;
        tct_elab_export_axes(e, item, x.caller);
    }
    e->depth--;
    e->level -= item->body->height;
    e->in_scan = in_scan;
    e->returned = returned_before;
    e->file = file;
    e->stage = stage;
    tct_scope_pop(e);
    for (uint32_t k = 0; k < item->n_params; k++) {
        const tct_actual *a = changed[k] ? &actuals[which[k]] : NULL;
        if (a && a->place)
            *a->place = changed[k];
        else if (a && a->expr)
            tct_elab_assign(e, a->expr, changed[k]);
    }
    return out;
}

tct_val *tct_elab_call(tct_elab *e, const tct_item *item, const tct_expr *call) {
    if (item->kind == TCT_ITEM_MODEL || item->kind == TCT_ITEM_OPTIMIZER || item->kind == TCT_ITEM_FN ||
        item->kind == TCT_ITEM_PIPELINE || item->kind == TCT_ITEM_CONFIG) {
        bool model = item->kind == TCT_ITEM_MODEL;
        tct_elab_error(e, "E0203", call->a->span, "%s `%s` can't be called in a graph",
                       model                              ? "the model"
                       : item->kind == TCT_ITEM_OPTIMIZER ? "the optimizer"
                       : item->kind == TCT_ITEM_PIPELINE  ? "the pipeline"
                       : item->kind == TCT_ITEM_FN        ? "the fn"
                                                          : "the config",
                       item->name.text);
        if (model)
            tct_elab_help(e, "stage code makes models; a graph gets one as a parameter, m: %s",
                          item->name.text);
        else
            tct_elab_help(e, "it belongs into stage code");
        return tct_val_error(e);
    }
    tct_actual *actuals = TCT_NEW_ARRAY(&e->arena, tct_actual, call->n_args + 1);
    for (uint32_t i = 0; i < call->n_args; i++) {
        actuals[i].name = call->args[i].name;
        actuals[i].expr = call->args[i].value;
    }
    const tct_arg *map = NULL;
    uint32_t n_map = 0;
    if (call->a->kind == TCT_EXPR_INDEX) {
        map = call->a->args;
        n_map = call->a->n_args;
        for (uint32_t i = 0; i < n_map; i++)
            if (!map[i].name.text) {
                tct_elab_error(e, "E0331", map[i].value->span, "an axis of %s = an axis here is expected",
                               item->name.text);
                tct_elab_help(e, "%s[V = K](…)", item->name.text);
                return tct_val_error(e);
            }
    }
    if (item->kind == TCT_ITEM_EXTERN) return tct_elab_foreign(e, item, actuals, call->n_args, call->span);
    return tct_elab_expand(e, item, actuals, call->n_args, map, n_map, call->span);
}
