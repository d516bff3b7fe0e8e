// The table of config values in a program, and the code of those that follow from others. It stands by itself
// behind the program's own, and is carried out before it.
#include "frontend/stage_internal.h"

#include <string.h>

static bool may_stand_in_code(const tct_instr *i) {
    return i->op <= TCT_I_MATH2 || i->op == TCT_I_JUMP || i->op == TCT_I_JUMP_IF || i->op == TCT_I_JUMP_IFNOT;
}

// The code that computes x when the program starts; `kind`: NONE for any number. *out is empty where x is a
// constant. false: there is no such code, whatever the reason.
static bool code_of(tct_elab *e, const tct_expr *x, tct_kind kind, tct_config_code *out) {
    stage *s = e->stage;
    tct_mark mark = tct_elab_mark(e);
    uint32_t begin = tct_stage_here(e), reg = NO_REG;
    tct_val *v = tct_stage_value(e, x);
    bool ok = v->kind != V_ERROR;
    if (ok && tct_val_is_config(v)) {
        if (kind == TCT_KIND_NONE) kind = tct_stage_kind(e, v);
        reg = tct_stage_load(e, v, kind, x->span);
        ok = reg != NO_REG;
    }
    for (uint32_t i = begin; i < s->instrs.len; i++) ok = ok && may_stand_in_code(&s->instrs.data[i]);
    if (ok && reg != NO_REG)
        *out = (tct_config_code){begin, tct_stage_here(e), reg};
    else
        s->instrs.len = begin;
    if (!ok) tct_elab_forget(e, mark);
    return ok;
}

static bool is_literal(const tct_expr *x) {
    return !x || x->kind == TCT_EXPR_INT || x->kind == TCT_EXPR_FLOAT || x->kind == TCT_EXPR_BOOL ||
           x->kind == TCT_EXPR_STRING;
}

// A path that is made of strings is relative to its file, which is settled now.
static bool is_joined(const tct_elab *e, const tct_config_cell *c) {
    if (strcmp(tct_config_type(c), "path") != 0) return false;
    for (uint32_t i = 0; c->value_from && i < c->value_from->n; i++)
        if (strcmp(tct_config_type(&e->config.data[c->value_from->cell[i]]), "path") == 0) return false;
    return true;
}

static void add_code(tct_elab *e, const tct_config_cell *c, tct_config_value *v) {
    const char *decides = tct_arena_printf(&e->arena, "decides config.%s", c->name);
    const tct_config_entry *x = c->entry;
    e->file = c->file;
    if (!c->fixed && !is_literal(x->value) &&
        (is_joined(e, c) || !code_of(e, x->value, tct_stage_kind(e, c->val), &v->derived)))
        tct_elab_fix_cells(e, c->value_from, x->value->span, decides);
    if (c->is_ranged && ((!is_literal(x->low) && !code_of(e, x->low, TCT_KIND_NONE, &v->low_code)) ||
                         (!is_literal(x->high) && !code_of(e, x->high, TCT_KIND_NONE, &v->high_code))))
        tct_elab_fix_cells(e, c->range_from, x->low->span,
                           tct_arena_printf(&e->arena, "decides the range of config.%s", c->name));
}

static const char *value_text(tct_elab *e, const tct_val *v) {
    tct_buf text = {0};
    tct_literal l = tct_val_literal(v);
    if (v->beside) l.s = tct_elab_beside(e, v->s);
    tct_literal_print(&l, &text);
    const char *kept = tct_arena_strdup(&e->arena, text.data ? text.data : "");
    tct_buf_free(&text);
    return kept;
}

// A value of config computed again, from the config table.
static tct_val *again(tct_elab *e, tct_val *v, tct_span span);

static tct_val *choice_again(tct_elab *e, const tct_config_node *how, tct_kind kind, tct_span span) {
    uint32_t c = tct_stage_load(e, again(e, how->part[0], span), TCT_KIND_BOOL, span);
    uint32_t out = tct_stage_scalar_reg(e, kind, NULL, span)->reg;
    uint32_t to_else = tct_stage_emit(e, TCT_I_JUMP_IFNOT, 0, c, 0, 0, span);
    uint32_t a = tct_stage_load(e, again(e, how->part[1], span), kind, span);
    tct_stage_emit(e, TCT_I_MOVE, out, a, 0, 0, span);
    uint32_t to_end = tct_stage_emit(e, TCT_I_JUMP, 0, 0, 0, 0, span);
    tct_stage_patch(e, to_else, tct_stage_here(e));
    uint32_t b = tct_stage_load(e, again(e, how->part[2], span), kind, span);
    tct_stage_emit(e, TCT_I_MOVE, out, b, 0, 0, span);
    tct_stage_patch(e, to_end, tct_stage_here(e));
    return tct_stage_reg_val(e, out, span);
}

static tct_val *again(tct_elab *e, tct_val *v, tct_span span) {
    if (!tct_val_is_config(v)) return v;
    const tct_config_node *how = v->how;
    tct_val *part[2] = {NULL, NULL};
    if (how->kind == TCT_HOW_CELL)
        return tct_stage_reg_val(e, tct_stage_read_config(e, how->cell, span), span);
    if (how->kind == TCT_HOW_CHOICE) {
        tct_val_kind k = tct_val_static_kind(e, v);
        tct_kind kind = k == V_INT     ? TCT_KIND_INT
                        : k == V_FLOAT ? TCT_KIND_FLOAT
                        : k == V_BOOL  ? TCT_KIND_BOOL
                                       : TCT_KIND_STRING;
        return choice_again(e, how, kind, span);
    }
    for (uint32_t i = 0; i < how->n; i++) part[i] = again(e, how->part[i], span);
    if (how->kind == TCT_HOW_FLOAT)
        return tct_stage_reg_val(e, tct_stage_load(e, part[0], TCT_KIND_FLOAT, span), span);
    if (how->kind == TCT_HOW_FUNCTION) return tct_stage_function(e, how->name, part, span);
    return how->n == 1 ? tct_stage_unary(e, how->op, part[0], span)
                       : tct_stage_binary(e, how->op, part[0], part[1], span);
}

// The condition as it is written.
static const char *source_text(tct_elab *e, tct_span s) {
    const tct_source *source = tct_diag_source(e->d, s.file);
    return tct_arena_strndup(&e->arena, source->text + s.begin, s.end - s.begin);
}

const tct_config_guard *tct_stage_guards(tct_elab *e, uint32_t *n) {
    stage *s = e->stage;
    tct_config_guard *out = TCT_NEW_ARRAY(&e->arena, tct_config_guard, s->guards.len + 1);
    for (size_t i = 0; i < s->guards.len; i++) {
        const stage_guard *g = &s->guards.data[i];
        uint32_t begin = tct_stage_here(e), reg = again(e, g->condition, g->place)->reg;
        out[i] = (tct_config_guard){.code = {begin, tct_stage_here(e), reg},
                                    .holds = g->condition->fold->i,
                                    .text = source_text(e, g->place),
                                    .of = tct_stage_decided(g->condition->from),
                                    .at = g->own_place};
    }
    *n = (uint32_t)s->guards.len;
    return out;
}

const tct_config_value *tct_stage_config_table(tct_elab *e) {
    tct_config_value *values = TCT_NEW_ARRAY(&e->arena, tct_config_value, e->config.len + 1);
    e->stage->of_config = true;
    tct_scope_push(e, true);
    for (size_t i = 0; i < e->config.len; i++) {
        const tct_config_cell *c = &e->config.data[i];
        values[i] = (tct_config_value){.name = c->name,
                                       .type = tct_config_type(c),
                                       .value = c->val->kind == V_ERROR ? "" : value_text(e, c->val),
                                       .doc = c->entry->doc,
                                       .is_default = !c->from_command_line,
                                       .beside = c->val->beside,
                                       .is_ranged = c->is_ranged,
                                       .low = c->bounds[0],
                                       .high = c->bounds[1],
                                       .fixed = c->fixed,
                                       .fixed_at = c->fixed_at,
                                       .declared_at = c->entry->span};
        if (c->val->kind != V_ERROR) add_code(e, c, &values[i]);
    }
    tct_scope_pop(e);
    e->stage->of_config = false;
    return values;
}

tct_decided tct_stage_decided(const tct_config_set *by) {
    return by ? (tct_decided){by->n, by->cell} : (tct_decided){0};
}
