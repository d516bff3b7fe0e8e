// Statements of graphs, and scans.
#include "frontend/elab_internal.h"

#include <assert.h>
#include <string.h>

bool tct_elab_bind_names(tct_elab *e, const tct_stmt *s, tct_val *v) {
    if (!s->tuple) {
        tct_scope_bind(e, s->names[0].text, v, s->names[0].span, s->mutable);
        return v->kind != V_ERROR;
    }
    bool ok = v->kind == V_STRUCT && v->n_fields == s->n_names;
    if (!ok && v->kind != V_ERROR) {
        if (v->kind == V_STRUCT)
            tct_elab_error(e, "E0342", s->span, "%u names for %u values: %s", s->n_names, v->n_fields,
                           tct_val_fields(e, v));
        else
            tct_elab_error(e, "E0342", s->span, "%s can't be taken apart", tct_val_describe(e, v));
    }
    for (uint32_t i = 0; i < s->n_names; i++)
        tct_scope_bind(e, s->names[i].text, ok ? v->fields[i].val : tct_val_error(e), s->names[i].span,
                       s->mutable);
    return ok;
}

// The variable that an assignment is about.
static tct_symbol *assigned(tct_elab *e, const tct_expr *x) {
    tct_symbol *s = tct_scope_find(e, x->name.text, false);
    if (!s) {
        tct_elab_error(e, "E0201", x->span, "unknown variable `%s`", x->name.text);
        const char *near = tct_elab_suggest(e, x->name.text);
        if (near)
            tct_elab_help(e, "did you mean `%s`?", near);
        else
            tct_elab_help(e, "`var %s = …` makes one", x->name.text);
        return NULL;
    }
    if (!s->mutable) {
        tct_elab_error(e, "E0205", x->span, "`%s` can't be changed: it is no variable", x->name.text);
        tct_elab_note(e, s->span, "declared here");
        tct_elab_help(e, "`var %s = …` declares a variable", x->name.text);
        return NULL;
    }
    if (s->builder != e->builder) {
        tct_elab_error(e, "E0205", x->span, "`%s` is declared outside of this scan, which can't change it",
                       x->name.text);
        tct_elab_note(e, s->span, "declared here");
        tct_elab_help(e, "a carry changes from position to position: scan T (%s = …)", x->name.text);
        return NULL;
    }
    if (e->index) tct_index_name_at(e, x->span, s->span, s->val);
    return s;
}

// The place in a list that an index names, -1 after reporting.
static int64_t element(tct_elab *e, const tct_expr *x, const tct_val *list) {
    if (list->kind == V_REG) {
        tct_elab_error(e, "E0205", x->span, "elements of %s can't be assigned to", tct_val_describe(e, list));
        tct_elab_help(e, "append adds one; [a, b] makes a new list");
        return -1;
    }
    tct_val *i = tct_elab_static(e, x->args[0].value, V_INT, "chooses an element of a list");
    if (!i) return -1;
    if (list->kind == V_LIST && list->n_items && (!i->known || (i->i >= 0 && i->i < list->n_items)))
        return i->known ? i->i : 0;
    tct_elab_error(e, "E0342", x->span, "%s has no element %lld", tct_val_describe(e, list), (long long)i->i);
    return -1;
}

tct_val **tct_elab_place(tct_elab *e, const tct_expr *x) {
    if (x->kind == TCT_EXPR_NAME) {
        tct_symbol *s = assigned(e, x);
        return s ? &s->val : NULL;
    }
    if (x->kind == TCT_EXPR_FIELD) {
        tct_val **a = tct_elab_place(e, x->a);
        if (!a || (*a)->kind == V_ERROR) return NULL;
        tct_val **f = (*a)->kind == V_STRUCT ? tct_val_field(*a, x->name.text) : NULL;
        if (!f)
            tct_elab_error(e, "E0202", x->op_span, "%s has no field %s", tct_val_describe(e, *a),
                           x->name.text);
        return f;
    }
    if (x->kind == TCT_EXPR_INDEX && x->n_args == 1) {
        tct_val **a = tct_elab_place(e, x->a);
        if (!a || (*a)->kind == V_ERROR) return NULL;
        int64_t i = element(e, x, *a);
        return i < 0 ? NULL : &(*a)->items[i];
    }
    tct_elab_error(e, "E0205", x->span, "a variable is expected on the left of =");
    return NULL;
}

bool tct_elab_assign(tct_elab *e, const tct_expr *x, tct_val *v) {
    tct_val **place = tct_elab_place(e, x);
    if (!place) return false;
    if (x->kind == TCT_EXPR_NAME) {
        *place = v;
        return true;
    }
    // What is around the place, but for it as it was.
    const tct_val *whole = *tct_elab_place(e, x->a);
    tct_val *copy = TCT_NEW(&e->arena, tct_val);
    *copy = *whole;
    if (whole->kind == V_STRUCT) {
        copy->fields = TCT_NEW_ARRAY(&e->arena, tct_field, whole->n_fields);
        memcpy(copy->fields, whole->fields, whole->n_fields * sizeof *copy->fields);
        *tct_val_field(copy, x->name.text) = v;
    } else {
        copy->items = TCT_NEW_ARRAY(&e->arena, tct_val *, whole->n_items);
        memcpy(copy->items, whole->items, whole->n_items * sizeof *copy->items);
        copy->items[place - whole->items] = v;
    }
    return tct_elab_assign(e, x->a, copy);
}

// What a declaration states of a value. V_ERROR after reporting.
static tct_val *as_declared(tct_elab *e, const tct_type *t, tct_val *v) {
    tct_dtype want, have;
    const char *name = t->name.text;
    if (v->kind == V_ERROR) return v;
    if (strcmp(name, "float") == 0 && tct_val_is_config(v) && tct_val_static_kind(e, v) == V_INT)
        return tct_stage_as_float(e, v, t->span);
    const tct_val_kind kind = tct_val_static_kind(e, v);
    bool number = strcmp(name, "float") == 0 && (kind == V_INT || kind == V_FLOAT);
    if (number && v->kind == V_INT) {
        tct_val *f = tct_val_float(e, (double)v->i, v->span);
        f->known = v->known;
        return f;
    }
    bool fits = number || (strcmp(name, "int") == 0 && kind == V_INT) ||
                (strcmp(name, "bool") == 0 && !t->has_axes && kind == V_BOOL) ||
                ((strcmp(name, "string") == 0 || strcmp(name, "path") == 0) && kind == V_STRING) ||
                (v->kind == V_STRUCT && v->model && strcmp(v->model->name.text, name) == 0) ||
                (v->kind == V_LIST && strcmp(name, "list") == 0);
    if (!fits && tct_elab_dtype_name(name, &want)) {
        if (!tct_elab_dtype(e, v, &have)) { // a number becomes a scalar
            tct_value x = tct_elab_operand(e, v, want, t->span);
            if (x == TCT_NO_VALUE) return tct_val_error(e);
            v = tct_val_tensor(e, x, v->span);
            have = want;
        }
        tct_value x = tct_elab_operand(e, v, want, t->span);
        if (x == TCT_NO_VALUE) return tct_val_error(e);
        const tct_node *n = tct_elab_node(e, x);
        fits = want == have && (t->rest ? n->n_axes >= t->n_axes : n->n_axes == t->n_axes);
        for (uint32_t i = 0; i < t->n_axes && fits; i++) {
            bool found = false;
            for (uint32_t k = 0; k < n->n_axes; k++)
                found |= tct_axis_is_called(e, n->axes[k], t->axes[i].name.text);
            fits = found;
        }
    }
    if (fits) return v;
    tct_elab_error(e, "E0333", t->span, "declared %s, but the value is %s", tct_type_text(e, t),
                   tct_val_describe(e, v));
    return tct_val_error(e);
}

static bool body_once(tct_elab *e, const tct_block *b) {
    tct_scope_push(e, false);
    bool go_on = tct_elab_block(e, b);
    tct_scope_pop(e);
    return go_on;
}

// One turn of a loop, false after a return. One with errors is the last: the others would have the same.
static bool turn(tct_elab *e, const tct_stmt *s, tct_val *v, bool *last) {
    size_t faults = tct_elab_faults(e);
    tct_scope_push(e, false);
    tct_scope_bind(e, s->names[0].text, v, s->names[0].span, false);
    bool go_on = body_once(e, s->body);
    tct_scope_pop(e);
    *last = !go_on || tct_elab_faults(e) > faults;
    return go_on;
}

static bool for_loop(tct_elab *e, const tct_stmt *s) {
    tct_val *over;
    if (s->value->kind == TCT_EXPR_CALL && s->value->a->kind == TCT_EXPR_NAME &&
        strcmp(s->value->a->name.text, "range") == 0) {
        const tct_expr *r = s->value;
        tct_val *bound[3] = {NULL, NULL, NULL};
        if (r->n_args < 1 || r->n_args > 3)
            return tct_elab_error(e, "E0339", r->span,
                                  "range(n), range(first, end) or range(first, end, step)");
        for (uint32_t i = 0; i < r->n_args; i++)
            if (!(bound[i] = tct_elab_static(e, r->args[i].value, V_INT,
                                             "decides how often the loop of a graph is written out")))
                return false;
        int64_t first = r->n_args > 1 ? bound[0]->i : 0, end = r->n_args > 1 ? bound[1]->i : bound[0]->i;
        int64_t step = r->n_args > 2 ? bound[2]->i : 1;
        bool known = true;
        for (uint32_t i = 0; i < r->n_args; i++) known &= bound[i]->known;
        if (!known) first = 0, end = 2, step = 1;
        if (step == 0) return tct_elab_error(e, "E0341", r->span, "a range with step 0");
        // Distance and step as unsigned numbers: they fit whatever the bounds are.
        uint64_t distance = step > 0 ? (uint64_t)end - (uint64_t)first : (uint64_t)first - (uint64_t)end;
        uint64_t stride = step > 0 ? (uint64_t)step : -(uint64_t)step, count = 0;
        if (step > 0 ? end > first : first > end) count = (distance - 1) / stride + 1;
        if (count > 100000) {
            tct_elab_error(e, "E0345", r->span,
                           "a loop of %llu turns is too long: a graph's loop is unrolled",
                           (unsigned long long)count);
            tct_elab_help(e, "scan repeats along an axis without being unrolled");
            return false;
        }
        bool last = false, go_on = true;
        for (uint64_t k = 0; k < count && !last; k++) {
            if (!tct_elab_one_more(e, r->span)) return false;
            tct_val *v = tct_val_int(e, first + (int64_t)k * step, s->names[0].span);
            v->known = known;
            go_on = turn(e, s, v, &last);
        }
        return go_on;
    }
    over = tct_elab_expr(e, s->value);
    if (over->kind == V_ERROR) return false;
    if (over->kind != V_LIST)
        return tct_elab_error(e, "E0342", s->value->span, "for goes over a list or a range, found %s",
                              tct_val_describe(e, over));
    bool last = false, go_on = true;
    for (uint32_t k = 0; k < over->n_items && !last; k++) {
        if (!tct_elab_one_more(e, s->value->span)) return false;
        go_on = turn(e, s, over->items[k], &last);
    }
    return go_on;
}

static bool if_statement(tct_elab *e, const tct_stmt *s) {
    tct_val *c = tct_elab_static(e, s->value, V_BOOL, "chooses a side in a graph");
    if (!c) return false;
    if (c->i || !c->known) return body_once(e, s->body);
    return !s->otherwise || body_once(e, s->otherwise);
}

static bool assign(tct_elab *e, const tct_stmt *s) {
    tct_val *v = tct_elab_expr(e, s->value);
    return tct_elab_assign(e, s->target, v) && v->kind != V_ERROR;
}

static bool axis_statement(tct_elab *e, const tct_stmt *s) {
    tct_val *size =
        s->value ? tct_elab_static(e, s->value, V_INT, tct_elab_sizes_axis(e, s->names[0].text)) : NULL;
    if (!s->value)
        tct_elab_error(e, "E0331", s->span, "axis %s needs a size: axis %s = 4", s->names[0].text,
                       s->names[0].text);
    bool wrong = size && size->known && size->i < 1;
    if (wrong)
        tct_elab_error(e, "E0302", s->value->span, "an axis has at least one position, found %lld",
                       (long long)size->i);
    // Where the size is wrong it is unknown from here on, so that uses of the axis aren't reported.
    tct_scope_new_axis(e, s->names[0].text, size && size->known && !wrong ? size->i : 0, s->names[0].span);
    return size && !wrong;
}

static bool yield(tct_elab *e, const tct_stmt *s) {
    if (!e->in_scan) return tct_elab_error(e, "E0345", s->span, "yield stands in a scan only");
    if (e->yielded) {
        tct_elab_error(e, "E0345", s->span, "a second yield in this scan");
        tct_elab_help(e, "one yield gives several values: yield (a, b)");
        return false;
    }
    const tct_expr *x = s->value;
    bool tuple = x->kind == TCT_EXPR_TUPLE;
    uint32_t n = tuple ? x->n_args : 1;
    tct_val **v = TCT_NEW_ARRAY(&e->arena, tct_val *, n);
    tct_name *names = TCT_NEW_ARRAY(&e->arena, tct_name, n);
    bool ok = true;
    for (uint32_t i = 0; i < n; i++) {
        v[i] = tct_elab_expr(e, tuple ? x->args[i].value : x);
        if (tuple) names[i] = x->args[i].name;
        ok &= v[i]->kind != V_ERROR;
    }
    e->yielded = v;
    e->n_yielded = n;
    e->yield_names = names;
    return ok;
}

static bool statement(tct_elab *e, const tct_stmt *s) {
    switch (s->kind) {
    case TCT_STMT_LET: {
        tct_val *v = tct_elab_expr(e, s->value);
        if (s->type && !s->tuple) v = as_declared(e, s->type, v);
        tct_elab_bind_names(e, s, v);
        return true; // later statements are checked all the same; the error value keeps them quiet
    }
    case TCT_STMT_ASSIGN:
        assign(e, s);
        return true;
    case TCT_STMT_AXIS:
        axis_statement(e, s);
        return true;
    case TCT_STMT_FOR:
        return for_loop(e, s);
    case TCT_STMT_IF:
        return if_statement(e, s);
    case TCT_STMT_YIELD:
        yield(e, s);
        return true;
    case TCT_STMT_RETURN:
        if (e->in_scan) {
            tct_elab_error(e, "E0345", s->span, "return stands in a scan");
            tct_elab_help(e, "yield gives the scan's value at each position");
            return false;
        }
        e->returned = s->value ? tct_elab_expr(e, s->value) : tct_val_new(e, V_NONE, s->span);
        e->returned->span = s->value ? s->value->span : s->span;
        return false;
    case TCT_STMT_ASSERT: {
        tct_val *c = tct_elab_static(e, s->value, V_BOOL, "is asserted in a graph");
        if (c && c->known && !c->i) {
            tct_val *m =
                s->message ? tct_elab_static(e, s->message, V_STRING, "is in the message of a graph") : NULL;
            tct_elab_error(e, "E0346", s->value->span, "assertion doesn't hold%s%s", m ? ": " : "",
                           m ? m->s : "");
        }
        return true;
    }
    case TCT_STMT_EXPR: {
        tct_val *v = tct_elab_expr(e, s->value); // a call with an inout argument
        if (v->kind != V_ERROR && v->kind != V_NONE && s->value->kind != TCT_EXPR_CALL) {
            tct_elab_error(e, "E0345", s->span, "the value of this expression isn't used");
            tct_elab_help(e, "name it with let, or return it");
        }
        return true;
    }
    case TCT_STMT_WHILE:
    case TCT_STMT_BREAK:
    case TCT_STMT_CONTINUE:
    case TCT_STMT_STAGE:
        tct_elab_error(e, "E0501", s->span, "this is a statement of stage code, and this is a graph");
        tct_elab_help(e, "a graph repeats with for (unrolled) and scan (along an axis)");
        return true;
    case TCT_STMT_STATE:
        tct_elab_error(e, "E0501", s->span, "state stands in an optimizer only");
        return true;
    }
    return true;
}

bool tct_elab_block(tct_elab *e, const tct_block *b) {
    bool go_on = true;
    uint32_t i = 0;
    for (; go_on && i < b->n_stmts; i++) {
        if (e->index) tct_index_statement(e, b, i, false);
        go_on = statement(e, b->stmts[i]);
    }
    if (e->index) tct_index_statement(e, b, i, true);
    return go_on;
}

tct_val *tct_elab_block_value(tct_elab *e, const tct_block *b) {
    tct_val *v = NULL;
    tct_scope_push(e, false);
    for (uint32_t i = 0; b && i < b->n_stmts; i++) {
        const tct_stmt *s = b->stmts[i];
        if (e->index) tct_index_statement(e, b, i, false);
        if (i + 1 == b->n_stmts && s->kind == TCT_STMT_EXPR)
            v = tct_elab_expr(e, s->value);
        else if (!statement(e, s))
            break;
    }
    tct_scope_pop(e);
    if (!v) {
        tct_elab_error(e, "E0345", b ? b->span : TCT_NO_SPAN,
                       "this block must end with an expression, the value of the if");
        return tct_val_error(e);
    }
    return v;
}

// Scans

typedef struct carry {
    tct_name name;
    tct_val *init;   // as written
    tct_value start; // in the outer graph
    tct_dtype dtype;
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t n_axes;
    tct_value next; // in the body
} carry;

// Gives a carry's initial value the type that the body needs; true when that changed it.
static bool widen(tct_elab *e, carry *c, const tct_node *next, tct_span span) {
    bool changed = false;
    if (c->dtype != next->dtype) {
        tct_val_kind kind = tct_val_static_kind(e, c->init);
        if (kind != V_INT && kind != V_FLOAT) return false; // reported when the body is checked
        c->dtype = (tct_dtype)next->dtype;
        c->start =
            tct_elab_broadcast(e, tct_elab_operand(e, c->init, c->dtype, span), c->axes, c->n_axes, span);
        if (c->start == TCT_NO_VALUE) return false;
        changed = true;
    }
    tct_axis fresh[TCT_IR_MAX_AXES];
    uint32_t n = 0;
    for (uint32_t i = 0; i < next->n_axes; i++) {
        bool there = false;
        for (uint32_t k = 0; k < c->n_axes; k++) there |= c->axes[k] == next->axes[i];
        if (!there) fresh[n++] = next->axes[i];
    }
    if (n) {
        c->start = tct_elab_broadcast(e, c->start, fresh, n, span);
        if (c->start == TCT_NO_VALUE) return false;
        const tct_node *s = tct_elab_node(e, c->start);
        c->n_axes = s->n_axes;
        memcpy(c->axes, s->axes, s->n_axes * sizeof *c->axes);
        changed = true;
    }
    return changed;
}

// One elaboration of the body with the carries' present types. False when it reported errors.
static bool scan_body(tct_elab *e, const tct_expr *x, tct_builder *b, carry *c, uint32_t n) {
    size_t errors = tct_elab_faults(e);
    if (!tct_elab_one_more(e, x->span)) return false;
    e->builder = b;
    e->in_scan = true;
    e->yielded = NULL;
    e->n_yielded = 0;
    tct_scope_push(e, false);
    for (uint32_t i = 0; i < n; i++) {
        const char *name = tct_arena_strdup(&e->module->arena, c[i].name.text);
        tct_elab_at(e, c[i].name.span);
        tct_value in = tct_ir_input(b->graph, name, c[i].dtype, c[i].axes, c[i].n_axes);
        tct_scope_bind(e, c[i].name.text, tct_val_tensor(e, in, c[i].name.span), c[i].name.span, true);
    }
    tct_elab_block(e, x->then);
    // What was wrong outside is an error here without another report.
    bool ok = tct_elab_faults(e) == errors;
    for (uint32_t i = 0; i < n && ok; i++) {
        tct_val *v = tct_scope_find(e, c[i].name.text, false)->val;
        c[i].next = tct_elab_operand(e, v, c[i].dtype, c[i].name.span);
        ok = c[i].next != TCT_NO_VALUE;
    }
    for (uint32_t i = 0; i < e->n_yielded && ok; i++) {
        tct_value v = tct_elab_operand(e, e->yielded[i], TCT_F32, x->span);
        ok = v != TCT_NO_VALUE;
        if (ok) e->yielded[i] = tct_val_tensor(e, v, x->span);
    }
    tct_scope_pop(e);
    return ok;
}

static tct_val *scan_results(tct_elab *e, tct_value scan, uint32_t n_carries, tct_span span) {
    tct_graph *g = e->builder->graph;
    uint32_t n = e->n_yielded;
    const tct_name *names = e->yield_names;
    if (n == 1 && !names[0].text) return tct_val_tensor(e, tct_ir_get(g, scan, n_carries), span);
    tct_val *v = tct_val_new(e, V_STRUCT, span);
    for (uint32_t i = 0; i < n; i++) {
        const char *name = names[i].text ? names[i].text : tct_arena_printf(&e->arena, "%u", i);
        tct_val_add_field(e, v, name, tct_val_tensor(e, tct_ir_get(g, scan, n_carries + i), span));
    }
    return v;
}

tct_val *tct_elab_scan(tct_elab *e, const tct_expr *x) {
    tct_axis axis;
    tct_expr axis_name = {.kind = TCT_EXPR_NAME, .name = x->name, .span = x->name.span};
    if (!e->builder) {
        tct_elab_error(e, "E0343", x->span, "scan works on tensors, and there are none outside of graphs");
        return tct_val_error(e);
    }
    if (!tct_elab_axis(e, &axis_name, &axis)) return tct_val_error(e);
    carry *c = TCT_NEW_ARRAY(&e->arena, carry, x->n_args + 1);
    for (uint32_t i = 0; i < x->n_args; i++) {
        c[i].name = x->args[i].name;
        c[i].init = tct_elab_expr(e, x->args[i].value);
        c[i].start =
            tct_elab_operand(e, c[i].init, tct_val_static_kind(e, c[i].init) == V_BOOL ? TCT_BOOL : TCT_F32,
                             x->args[i].value->span);
        if (c[i].start == TCT_NO_VALUE) return tct_val_error(e);
        const tct_node *s = tct_elab_node(e, c[i].start);
        c[i].dtype = (tct_dtype)s->dtype;
        c[i].n_axes = s->n_axes;
        memcpy(c[i].axes, s->axes, s->n_axes * sizeof *c[i].axes);
        if (tct_node_has_axis(s, axis)) {
            tct_elab_error(e, "E0345", x->args[i].value->span,
                           "the carry %s has the axis %s that the scan runs along", c[i].name.text,
                           x->name.text);
            return tct_val_error(e);
        }
    }
    tct_builder *outer = e->builder;
    tct_val **yielded_before = e->yielded;
    uint32_t n_before = e->n_yielded;
    const tct_name *names_before = e->yield_names;
    bool scan_before = e->in_scan;
    tct_val *result = tct_val_error(e);
    // The carries' axes follow from the body, which can only be known by elaborating it: until they stay the
    // same.
    for (int round = 0; round <= TCT_IR_MAX_AXES; round++) {
        tct_builder *b = TCT_NEW(&e->arena, tct_builder);
        b->kind = TCT_BUILD_SCAN;
        b->parent = outer;
        b->scan_axis = axis;
        b->graph = tct_graph_new(e->module, "body");
        b->graph->span = x->span;
        bool ok = scan_body(e, x, b, c, x->n_args);
        e->builder = outer;
        e->in_scan = scan_before;
        if (!ok) {
            TCT_VEC_FREE(&b->imports);
            break;
        }
        bool changed = false, fits = true;
        for (uint32_t i = 0; i < x->n_args; i++) {
            const tct_node *next = tct_node_of(b->graph, c[i].next);
            if (tct_node_has_axis(next, axis)) {
                fits = tct_elab_error(e, "E0345", x->args[i].value->span,
                                      "the carry %s gets the axis %s that the scan runs along",
                                      c[i].name.text, x->name.text);
                continue;
            }
            changed |= widen(e, &c[i], next, x->args[i].value->span);
            fits = fits && c[i].start != TCT_NO_VALUE;
            if (fits && c[i].dtype != next->dtype) {
                fits = tct_elab_error(e, "E0333", x->args[i].value->span,
                                      "the carry %s begins as %s and goes on as %s", c[i].name.text,
                                      tct_dtype_name(c[i].dtype), tct_dtype_name((tct_dtype)next->dtype));
                tct_elab_help(e, "%s(…) converts", tct_dtype_name((tct_dtype)next->dtype));
            }
        }
        if (!fits || changed || !e->yielded) TCT_VEC_FREE(&b->imports);
        if (!fits) break;
        if (changed) continue;
        if (!e->yielded) {
            tct_elab_error(e, "E0345", x->span, "this scan yields nothing");
            tct_elab_help(e, "yield e gives its value at each position");
            break;
        }
        uint32_t n_in = x->n_args + (uint32_t)b->imports.len;
        tct_value *in = TCT_NEW_ARRAY(&e->arena, tct_value, n_in);
        for (uint32_t i = 0; i < x->n_args; i++) {
            in[i] = c[i].start;
            e->builder = b; // a carry that became smaller is filled again
            tct_value next = tct_elab_broadcast(e, c[i].next, c[i].axes, c[i].n_axes, x->args[i].value->span);
            e->builder = outer;
            tct_ir_output(b->graph, tct_arena_strdup(&e->module->arena, c[i].name.text), next, -1);
        }
        for (size_t i = 0; i < b->imports.len; i++) in[x->n_args + i] = b->imports.data[i].a;
        for (uint32_t i = 0; i < e->n_yielded; i++)
            tct_ir_output(b->graph, tct_arena_printf(&e->module->arena, "y%u", i), e->yielded[i]->value, -1);
        TCT_VEC_FREE(&b->imports);
        tct_ir_attr attr = {
            .n_axes = 1, .axes = {axis}, .i = x->n_args, .step = x->reverse ? -1 : 1, .body = b->graph};
        size_t before = e->d->messages.len;
        tct_elab_at(e, x->span);
        tct_value scan = tct_ir_emit(outer->graph, e->d, TCT_IR_SCAN, in, n_in, &attr);
        tct_elab_after_report(e, before);
        if (scan != TCT_NO_VALUE) result = scan_results(e, scan, x->n_args, x->span);
        break;
    }
    e->builder = outer;
    e->yielded = yielded_before;
    e->n_yielded = n_before;
    e->yield_names = names_before;
    return result;
}
