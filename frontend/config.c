// Configuration: values declared in config blocks, overridden from the command line, checked against type and
// range.
#include "base/file.h"
#include "base/setting.h"
#include "frontend/elab_internal.h"

#include <string.h>

static void collect(tct_elab *e, const tct_ast *file, const tct_config_entry *entries, uint32_t n,
                    const char *prefix) {
    for (uint32_t i = 0; i < n; i++) {
        const tct_config_entry *c = &entries[i];
        const char *name =
            prefix[0] ? tct_arena_printf(&e->arena, "%s.%s", prefix, c->name.text) : c->name.text;
        if (c->group) {
            collect(e, file, c->entries, c->n_entries, name);
            continue;
        }
        bool twice = false;
        for (size_t k = 0; k < e->config.len && !twice; k++)
            if (strcmp(e->config.data[k].name, name) == 0) {
                tct_elab_error(e, "E0401", c->name.span, "config.%s is declared twice", name);
                tct_elab_note(e, e->config.data[k].entry->name.span, "first declared here");
                twice = true;
            }
        if (!twice) TCT_PUSH(&e->config, (tct_config_cell){.name = name, .entry = c, .file = file});
    }
}

tct_val *tct_elab_literal(tct_elab *e, const char *type, const char *text, tct_span span) {
    tct_literal_kind kind = TCT_LITERAL_TEXT;
    tct_literal l;
    tct_literal_kind_of(type, &kind);
    if (!tct_literal_read(kind, text, &l)) return NULL;
    return kind == TCT_LITERAL_INT     ? tct_val_int(e, l.i, span)
           : kind == TCT_LITERAL_FLOAT ? tct_val_float(e, l.f, span)
           : kind == TCT_LITERAL_BOOL  ? tct_val_bool(e, l.b, span)
                                       : tct_val_string(e, tct_arena_strdup(&e->arena, l.s), span);
}

tct_literal tct_val_literal(const tct_val *v) {
    switch (v->kind) {
    case V_INT:
        return (tct_literal){.kind = TCT_LITERAL_INT, .i = v->i};
    case V_FLOAT:
        return (tct_literal){.kind = TCT_LITERAL_FLOAT, .f = v->f};
    case V_BOOL:
        return (tct_literal){.kind = TCT_LITERAL_BOOL, .b = v->i != 0};
    default:
        return (tct_literal){.kind = TCT_LITERAL_TEXT, .s = v->s};
    }
}

static double number(const tct_val *v) { return v->kind == V_INT ? (double)v->i : v->f; }

static bool check_range(tct_elab *e, tct_config_cell *c, const tct_val *v, tct_span place) {
    if (!c->entry->low || !tct_val_is_number(v)) return true;
    e->config_reads = &c->range_from;
    tct_val *low = tct_elab_expr(e, c->entry->low), *high = tct_elab_expr(e, c->entry->high);
    e->config_reads = NULL;
    if (low->kind == V_ERROR || high->kind == V_ERROR) return false;
    if (!tct_val_is_number(low) || !tct_val_is_number(high))
        return tct_elab_error(e, "E0403", c->entry->low->span, "a range has numbers as bounds");
    c->is_ranged = true;
    c->bounds[0] = number(low);
    c->bounds[1] = number(high);
    tct_literal l = tct_val_literal(v);
    if (tct_setting_in_range(e->d, c->name, &l, c->bounds[0], c->bounds[1], place)) return true;
    if (place.file != c->entry->span.file || place.begin < c->entry->span.begin ||
        place.begin > c->entry->span.end)
        tct_elab_note(e, c->entry->span, "the range is declared here");
    return false;
}

static bool known_type(const char *type) { return tct_literal_kind_of(type, &(tct_literal_kind){0}); }

const char *tct_config_type(const tct_config_cell *c) {
    return c->entry->type ? c->entry->type->name.text : "";
}

// A path that is made of another path is relative to what that is relative to.
static bool follows_from_path(const tct_elab *e, const tct_config_set *from) {
    for (uint32_t i = 0; from && i < from->n; i++) {
        if (strcmp(tct_config_type(&e->config.data[from->cell[i]]), "path") == 0) return true;
    }
    return false;
}

static tct_val *evaluate(tct_elab *e, tct_config_cell *c) {
    if (c->val) return c->val;
    const char *type = tct_config_type(c);
    if (c->evaluating) {
        tct_elab_error(e, "E0404", c->entry->span, "config.%s depends on its own value", c->name);
        return tct_val_error(e);
    }
    if (!known_type(type)) {
        tct_elab_error(e, "E0402", c->entry->type ? c->entry->type->span : c->entry->span,
                       type[0] ? "config values are int, float, bool, string or path, found %s"
                               : "a config value needs a type: int, float, bool, string or path",
                       type);
        return c->val = tct_val_error(e);
    }
    uint32_t height = c->entry->value ? c->entry->value->height + 1u : 0; // a value may need others first
    if (!tct_elab_may_nest(e, height, c->entry->span)) return tct_val_error(e);
    c->evaluating = true;
    e->level += height;
    const tct_config_set **reads = e->config_reads;
    e->config_reads = &c->value_from;
    tct_val *v = c->entry->value ? tct_elab_expr(e, c->entry->value) : tct_val_error(e);
    e->config_reads = reads;
    e->level -= height;
    c->evaluating = false;
    tct_val_kind want = strcmp(type, "int") == 0     ? V_INT
                        : strcmp(type, "float") == 0 ? V_FLOAT
                        : strcmp(type, "bool") == 0  ? V_BOOL
                                                     : V_STRING;
    if (want == V_FLOAT && v->kind == V_INT) v = tct_val_float(e, (double)v->i, v->span);
    if (v->kind != V_ERROR && v->kind != want) {
        tct_elab_error(e, "E0402", c->entry->value->span, "config.%s is declared %s, found %s", c->name, type,
                       tct_val_describe(e, v));
        v = tct_val_error(e);
    }
    if (v->kind == V_STRING && strcmp(type, "path") == 0 && v->s[0] != '/' &&
        !follows_from_path(e, c->value_from)) // relative to the file that says it
        v = tct_elab_path(e, c->file, v->s, v->span);
    c->val = v;
    return v;
}

static void override(tct_elab *e, const tct_setting *s) {
    tct_span place = tct_setting_place(e->d, s);
    const char **names = TCT_NEW_ARRAY(&e->arena, const char *, e->config.len + 1);
    for (size_t i = 0; i < e->config.len; i++) names[i] = e->config.data[i].name;
    int64_t cell = tct_setting_find(e->d, s, place, names, e->config.len);
    if (cell < 0) return;
    tct_config_cell *c = &e->config.data[cell];
    const char *type = tct_config_type(c);
    tct_literal l;
    if (!tct_setting_read(e->d, s, place, type, &l)) {
        tct_note_at(e->d, c->entry->span, "declared here");
        return;
    }
    c->val = tct_elab_literal(e, type, s->value, place);
    c->from_command_line = true;
}

// What the default of a value reads that is given by hand, for a program that can be given another.
static void default_reads(tct_elab *e, tct_config_cell *c) {
    if (!c->from_command_line || !c->entry->value ||
        !tct_elab_may_nest(e, c->entry->value->height, c->entry->span))
        return;
    tct_mark mark = tct_elab_mark(e);
    e->config_reads = &c->value_from;
    tct_elab_expr(e, c->entry->value);
    e->config_reads = NULL;
    tct_elab_forget(e, mark); // it isn't needed now
}

void tct_elab_config(tct_elab *e, const tct_setting *sets, size_t n) {
    for (size_t f = 0; f < e->package->files.len; f++) {
        const tct_ast *ast = e->package->files.data[f];
        for (uint32_t i = 0; i < ast->n_items; i++)
            if (ast->items[i]->kind == TCT_ITEM_CONFIG)
                collect(e, ast, ast->items[i]->entries, ast->items[i]->n_entries, "");
    }
    tct_scope_push(e, true);
    for (size_t i = 0; i < n; i++) override(e, &sets[i]);
    for (size_t i = 0; i < e->config.len; i++) evaluate(e, &e->config.data[i]);
    for (size_t i = 0; i < e->config.len; i++) default_reads(e, &e->config.data[i]);
    for (size_t i = 0; i < e->config.len; i++) {
        tct_config_cell *c = &e->config.data[i];
        tct_span place = c->from_command_line || !c->entry->value ? c->val->span : c->entry->value->span;
        if (c->val->kind != V_ERROR) check_range(e, c, c->val, place);
    }
    tct_scope_pop(e);
}

const tct_config_set *tct_config_union(tct_elab *e, const tct_config_set *a, const tct_config_set *b) {
    if (!a || !b || a == b) return a ? a : b;
    tct_config_set *out = tct_arena_alloc(&e->arena, sizeof *out + (a->n + b->n) * sizeof *out->cell);
    out->n = 0;
    for (uint32_t i = 0, k = 0; i < a->n || k < b->n;) {
        bool left = k == b->n || (i < a->n && a->cell[i] <= b->cell[k]);
        if (left && k < b->n && a->cell[i] == b->cell[k]) k++;
        out->cell[out->n++] = left ? a->cell[i++] : b->cell[k++];
    }
    return out;
}

static const tct_config_set *alone(tct_elab *e, uint32_t cell) {
    tct_config_set *out = tct_arena_alloc(&e->arena, sizeof *out + sizeof *out->cell);
    out->n = 1;
    out->cell[0] = cell;
    return out;
}

// Where no register can be read the value is settled here and now.
static tct_val *in_program(tct_elab *e, uint32_t cell, tct_val *v, tct_span span) {
    if (!e->config.data[cell].fixed && tct_stage_at_run_time(e)) {
        tct_config_node *how = TCT_NEW(&e->arena, tct_config_node);
        *how = (tct_config_node){.kind = TCT_HOW_CELL, .cell = cell, .size = 1};
        tct_val *reg = tct_stage_config(e, cell, span);
        reg->from = alone(e, cell);
        reg->fold = v;
        reg->how = how;
        return reg;
    }
    tct_val *fixed = tct_val_copy(e, v);
    fixed->from = alone(e, cell);
    tct_elab_fix_cells(e, fixed->from, span, "is read where a model or a generating graph is built");
    return fixed;
}

tct_val *tct_elab_config_value(tct_elab *e, const char *dotted, tct_span span) {
    const char **names = TCT_NEW_ARRAY(&e->arena, const char *, e->config.len + 1);
    for (uint32_t i = 0; i < e->config.len; i++) {
        names[i] = e->config.data[i].name;
        if (strcmp(names[i], dotted) != 0) continue;
        tct_val *v = evaluate(e, &e->config.data[i]);
        if (e->config_reads) *e->config_reads = tct_config_union(e, *e->config_reads, alone(e, i));
        return e->pipeline && v->kind != V_ERROR ? in_program(e, i, v, span) : v;
    }
    tct_elab_error(e, "E0405", span, "unknown config value `%s`", dotted);
    const char *near = tct_nearest(dotted, names, e->config.len);
    if (near) tct_elab_help(e, "did you mean `config.%s`?", near);
    return tct_val_error(e);
}
