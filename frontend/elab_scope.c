// Scopes, axes in scope, and reporting with the trail of calls.
#include "frontend/elab_internal.h"

#include <stdarg.h>
#include <string.h>

// Drops the message reported last when an earlier one has the same place and code.
static bool drop_repetition(tct_elab *e) {
    tct_diag *d = e->d;
    if (d->messages.len == 0 || (d->max_errors && d->n_errors > d->max_errors)) return false;
    const tct_message *last = &d->messages.data[d->messages.len - 1];
    for (size_t i = 0; i + 1 < d->messages.len; i++) {
        const tct_message *m = &d->messages.data[i];
        if (m->code && strcmp(m->code, last->code) == 0 && m->span.file == last->span.file &&
            m->span.begin == last->span.begin && m->span.end == last->span.end) {
            d->messages.len--;
            d->n_errors--;
            e->repeated++;
            return true;
        }
    }
    return false;
}

size_t tct_elab_faults(const tct_elab *e) { return e->d->n_errors + e->repeated; }

enum { MAX_WORK = 200000, MAX_REPEATED = 1000 };

void tct_elab_new_graph(tct_elab *e) {
    if (e->work <= MAX_WORK) e->work = 0; // otherwise the rest of the program isn't tried
    e->repeated_before = e->repeated;
}

bool tct_elab_one_more(tct_elab *e, tct_span span) {
    // Calls and turns that go wrong as others did, told once: the rest would do so, too.
    if (e->repeated - e->repeated_before > MAX_REPEATED) {
        e->repeated++;
        return false;
    }
    if (++e->work <= MAX_WORK) return true;
    if (e->work > MAX_WORK + 1) { // reported
        e->work = MAX_WORK + 2;
        e->repeated++;
        return false;
    }
    tct_elab_error(e, "E0345", span,
                   "more than %d calls and turns of loops in one graph, which are all written out", MAX_WORK);
    tct_elab_help(e, "scan repeats along an axis without being unrolled");
    return false;
}

bool tct_elab_may_nest(tct_elab *e, uint32_t height, tct_span span) {
    enum { MAX_LEVEL = 4000 };
    if (e->level + height <= MAX_LEVEL) return true;
    if (e->too_deep) { // told once: what depends on it fails, too
        e->repeated++;
        return false;
    }
    e->too_deep = true;
    return tct_elab_error(e, "E0345", span, "this needs too many others inside each other");
}

static bool inside(tct_span inner, tct_span outer) {
    return inner.file == outer.file && inner.begin >= outer.begin && inner.end <= outer.end;
}

// The calls that led to the message's place, innermost first. A call around that place says nothing new.
static void note_calls(tct_elab *e) {
    enum { MAX_NOTES = 6 };
    int noted = 0;
    tct_span last = e->d->messages.len ? e->d->messages.data[e->d->messages.len - 1].span : TCT_NO_SPAN;
    for (tct_scope *s = tct_scope_function(e); s; s = s->caller) {
        while (s && !s->function) s = s->parent;
        if (!s || !s->item || !s->call.file) break;
        if (inside(last, s->call)) continue;
        last = s->call;
        if (++noted <= MAX_NOTES) tct_elab_note(e, s->call, "in this call of %s", s->item->name.text);
    }
    if (noted > MAX_NOTES) tct_elab_note(e, TCT_NO_SPAN, "and %d more calls around it", noted - MAX_NOTES);
}

static bool of_library(const tct_elab *e, uint32_t file) {
    for (size_t f = 0; f < e->package->files.len; f++)
        if (e->package->files.data[f]->file == file) return tct_elab_of_library(e, e->package->files.data[f]);
    return false;
}

tct_span tct_elab_own_place(tct_elab *e, tct_span place) {
    for (tct_scope *s = tct_scope_function(e); s && of_library(e, place.file); s = s->caller) {
        while (s && !s->function) s = s->parent;
        if (!s || !s->item || !s->call.file) break;
        place = s->call;
    }
    return place;
}

// Notes and help belong to the message reported last, unless that was dropped as a repetition.
void tct_elab_note(tct_elab *e, tct_span span, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    if (!e->muted) tct_note_at(e->d, span, "%s", tct_arena_vprintf(&e->arena, fmt, ap));
    va_end(ap);
}

void tct_elab_help(tct_elab *e, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    if (!e->muted) tct_help(e->d, "%s", tct_arena_vprintf(&e->arena, fmt, ap));
    va_end(ap);
}

bool tct_elab_error(tct_elab *e, const char *code, tct_span span, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    char *text = tct_arena_vprintf(&e->arena, fmt, ap);
    va_end(ap);
    tct_error(e->d, code, span, "%s", text);
    e->muted = drop_repetition(e);
    if (!e->muted) note_calls(e);
    return false;
}

void tct_elab_after_report(tct_elab *e, size_t n) {
    if (e->d->messages.len > n && !drop_repetition(e)) note_calls(e);
}

tct_scope *tct_scope_push(tct_elab *e, bool function) {
    tct_scope *s = tct_alloc(sizeof *s);
    s->parent = function ? NULL : e->scope;
    s->caller = function ? e->scope : NULL;
    s->function = function;
    e->scope = s;
    return s;
}

void tct_scope_pop(tct_elab *e) {
    tct_scope *s = e->scope;
    e->scope = s->function ? s->caller : s->parent;
    TCT_VEC_FREE(&s->symbols);
    TCT_VEC_FREE(&s->in_use);
    tct_heap_free(s);
}

tct_scope *tct_scope_function(tct_elab *e) {
    tct_scope *s = e->scope;
    while (s && !s->function) s = s->parent;
    return s;
}

tct_symbol *tct_scope_find(tct_elab *e, const char *name, bool is_axis) {
    for (tct_scope *s = e->scope; s; s = s->parent)
        for (size_t i = s->symbols.len; i-- > 0;) {
            tct_symbol *y = &s->symbols.data[i];
            if (y->is_axis == is_axis && strcmp(y->name, name) == 0) return y;
        }
    return NULL;
}

void tct_scope_bind(tct_elab *e, const char *name, tct_val *val, tct_span span, bool mutable) {
    tct_symbol s = {.name = name, .val = val, .span = span, .mutable = mutable, .builder = e->builder};
    TCT_PUSH(&e->scope->symbols, s);
    if (e->index) tct_index_declared(e, name, span, val);
}

static void mark_in_use(tct_scope *f, tct_axis axis) {
    for (size_t i = 0; i < f->in_use.len; i++)
        if (f->in_use.data[i] == axis) return;
    TCT_PUSH(&f->in_use, axis);
}

static const char *size_text(tct_elab *e, tct_axis axis) {
    int64_t size = tct_axis_of(e->module, axis)->size;
    return size ? tct_arena_printf(&e->arena, "%lld", (long long)size) : "of unknown size";
}

bool tct_scope_bind_axis(tct_elab *e, const char *name, tct_axis axis, tct_span span) {
    tct_scope *f = tct_scope_function(e);
    tct_symbol *old = NULL;
    for (size_t i = 0; i < f->symbols.len && !old; i++)
        if (f->symbols.data[i].is_axis && strcmp(f->symbols.data[i].name, name) == 0)
            old = &f->symbols.data[i];
    if (old && old->val->axis != axis) {
        int64_t was = tct_axis_of(e->module, old->val->axis)->size, is = tct_axis_of(e->module, axis)->size;
        if (was != is)
            tct_elab_error(e, "E0330", span, "axis %s is %s here and %s elsewhere", name, size_text(e, axis),
                           size_text(e, old->val->axis));
        else
            tct_elab_error(e, "E0330", span, "axis %s stands for two axes: %s and %s", name,
                           tct_axis_of(e->module, old->val->axis)->name, tct_axis_of(e->module, axis)->name);
        if (old->span.file && was != is)
            tct_elab_note(e, old->span, "%s was bound to %s here", name, size_text(e, old->val->axis));
        else if (old->span.file)
            tct_elab_note(e, old->span, "%s was bound to %s here", name,
                          tct_axis_of(e->module, old->val->axis)->name);
        return false;
    }
    if (old) return true;
    tct_val *v = tct_val_new(e, V_AXIS, span);
    v->axis = axis;
    TCT_PUSH(&f->symbols, (tct_symbol){.name = name, .val = v, .span = span, .is_axis = true});
    mark_in_use(f, axis);
    if (e->index) tct_index_declared(e, name, span, v);
    return true;
}

tct_axis tct_scope_new_axis(tct_elab *e, const char *name, int64_t size, tct_span span) {
    tct_scope *f = tct_scope_function(e);
    const char *unique = name;
    tct_axis axis = tct_axis_get(e->module, unique, size);
    for (int n = 1;; n++) {
        bool taken = false;
        for (size_t i = 0; i < f->in_use.len; i++)
            taken |= strcmp(tct_axis_of(e->module, f->in_use.data[i])->name, unique) == 0;
        if (!taken) break;
        unique = tct_arena_printf(&e->module->arena, "%s_%d", name, n);
        axis = tct_axis_get(e->module, unique, size);
    }
    tct_scope_bind_axis(e, name, axis, span);
    return axis;
}

bool tct_axis_is_called(tct_elab *e, tct_axis axis, const char *name) {
    tct_scope *f = tct_scope_function(e);
    bool named = false;
    for (size_t i = 0; f && i < f->symbols.len; i++) {
        const tct_symbol *s = &f->symbols.data[i];
        if (!s->is_axis) continue;
        if (strcmp(s->name, name) == 0) return s->val->axis == axis;
        named |= s->val->axis == axis;
    }
    return !named && strcmp(tct_axis_of(e->module, axis)->name, name) == 0;
}

const char *tct_axis_local_name(tct_elab *e, tct_axis axis) {
    tct_scope *f = tct_scope_function(e);
    for (size_t i = 0; f && i < f->symbols.len; i++)
        if (f->symbols.data[i].is_axis && f->symbols.data[i].val->axis == axis)
            return f->symbols.data[i].name;
    return tct_axis_of(e->module, axis)->name;
}

const char *tct_elab_suggest(tct_elab *e, const char *name) {
    if (e->muted) return NULL; // what it would help with isn't told again
    TCT_VEC(const char *) names = {0};
    for (tct_scope *s = e->scope; s; s = s->parent)
        for (size_t i = 0; i < s->symbols.len; i++)
            if (!s->symbols.data[i].is_axis) TCT_PUSH(&names, s->symbols.data[i].name);
    for (size_t f = 0; f < e->package->files.len; f++)
        for (uint32_t i = 0; i < e->package->files.data[f]->n_items; i++) {
            const tct_item *it = e->package->files.data[f]->items[i];
            if (it->name.text && it->kind != TCT_ITEM_USE) TCT_PUSH(&names, it->name.text);
        }
    for (int i = 0; i < TCT_IR_N_OPS; i++)
        if (tct_elab_is_operation(tct_ir_ops[i].name)) TCT_PUSH(&names, tct_ir_ops[i].name);
    const char *found = tct_nearest(name, names.data, names.len);
    TCT_VEC_FREE(&names);
    return found;
}
