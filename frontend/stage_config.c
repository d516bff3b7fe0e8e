// Config values in a pipeline. The program reads them from registers when it starts; one that is needed while
// the program is compiled is fixed, and everything is elaborated again with its value.
#include "frontend/stage_internal.h"

#include <string.h>

tct_mark tct_elab_mark(const tct_elab *e) {
    return (tct_mark){e->d->messages.len, e->d->n_errors, e->repeated, e->work, e->too_deep};
}

void tct_elab_forget(tct_elab *e, tct_mark mark) {
    e->d->messages.len = mark.messages;
    e->d->n_errors = mark.errors;
    e->repeated = e->repeated_before = mark.repeated;
    e->work = mark.work;
    e->too_deep = mark.too_deep;
}

// Folding

static bool is_static(const tct_val *v) {
    return v->kind == V_INT || v->kind == V_FLOAT || v->kind == V_BOOL || v->kind == V_STRING;
}

bool tct_val_is_config(const tct_val *v) { return v->kind == V_REG && v->from; }
bool tct_val_can_fold(const tct_val *v) { return is_static(v) || tct_val_is_config(v); }

tct_val_kind tct_val_static_kind(const tct_elab *e, const tct_val *v) {
    if (!tct_val_is_config(v)) return v->kind;
    tct_kind k = (tct_kind)e->pipeline->regs.data[v->reg].kind;
    return k == TCT_KIND_INT ? V_INT : k == TCT_KIND_FLOAT ? V_FLOAT : k == TCT_KIND_BOOL ? V_BOOL : V_STRING;
}

// `of`: the value whose default follows from these; NULL: they are used themselves.
static void fix_cells(tct_elab *e, const tct_config_set *cells, tct_span place, const char *use,
                      const tct_config_cell *of) {
    for (uint32_t i = 0; cells && i < cells->n; i++) {
        tct_config_cell *c = &e->config.data[cells->cell[i]];
        if (c->fixed) continue;
        c->fixed = of ? tct_arena_printf(&e->arena, "decides config.%s, which %s", of->name, use) : use;
        c->fixed_at = place;
        e->n_fixed++;
        if (!c->from_command_line) fix_cells(e, c->value_from, place, use, of ? of : c);
    }
}

void tct_elab_fix_cells(tct_elab *e, const tct_config_set *cells, tct_span place, const char *use) {
    fix_cells(e, cells, tct_elab_own_place(e, place), use, NULL);
}

tct_val *tct_elab_fix(tct_elab *e, tct_val *v, tct_span place, const char *use) {
    if (!tct_val_is_config(v)) return v;
    tct_elab_fix_cells(e, v->from, place, use);
    if (!v->fold) return tct_val_error(e);
    tct_val *out = tct_val_copy(e, v->fold);
    out->from = v->from;
    return out;
}

static bool is_cell(const tct_val *c) {
    const tct_config_node *how = c->how;
    if (how->kind == TCT_HOW_OPERATOR && how->op == TCT_OP_NOT) return is_cell(how->part[0]);
    return how->kind == TCT_HOW_CELL;
}

static bool same(const tct_val *a, const tct_val *b) {
    if (tct_val_is_config(a) != tct_val_is_config(b)) return false;
    if (!tct_val_is_config(a))
        return a->kind == b->kind && (a->kind == V_STRING  ? strcmp(a->s, b->s) == 0
                                      : a->kind == V_FLOAT ? memcmp(&a->f, &b->f, sizeof a->f) == 0
                                                           : a->i == b->i);
    const tct_config_node *x = a->how, *y = b->how;
    bool eq = x->kind == y->kind && x->size == y->size && x->n == y->n && x->cell == y->cell &&
              x->op == y->op && (!x->name || strcmp(x->name, y->name) == 0);
    for (uint32_t i = 0; eq && i < x->n; i++) eq = same(x->part[i], y->part[i]);
    return eq;
}

static bool same_place(tct_span a, tct_span b) {
    return a.file == b.file && a.begin == b.begin && a.end == b.end;
}

static void guard(tct_elab *e, tct_val *c, tct_span place) {
    for (size_t i = 0; i < e->pipeline->guards.len; i++) {
        const stage_guard *g = &e->pipeline->guards.data[i];
        if (same_place(g->place, place) && same(g->condition, c)) return;
    }
    TCT_PUSH(&e->pipeline->guards, ((stage_guard){c, place, tct_elab_own_place(e, place)}));
}

// A condition that is large when it is written out whole isn't kept, nor one that is a value itself.
static bool may_be_guard(const tct_elab *e, const tct_val *c) {
    enum { MAX_SIZE = 1000 };
    return c->fold && tct_val_static_kind(e, c) == V_BOOL && c->how->size <= MAX_SIZE && !is_cell(c);
}

tct_val *tct_elab_decide(tct_elab *e, tct_val *c, tct_span place, const char *use) {
    if (!tct_val_is_config(c) || !may_be_guard(e, c)) return tct_elab_fix(e, c, place, use);
    guard(e, c, place);
    tct_val *out = tct_val_copy(e, c->fold);
    out->from = c->from;
    return out;
}

bool tct_stage_both_sides(const tct_elab *e, tct_span place) {
    for (size_t i = 0; i < e->stage->one_sided.len; i++)
        if (same_place(e->stage->one_sided.data[i], place)) return false;
    return true;
}

void tct_stage_one_side(tct_elab *e, tct_span place) {
    if (!tct_stage_both_sides(e, place)) return;
    TCT_PUSH(&e->stage->one_sided, place);
    e->n_fixed++; // another pass
}

static tct_val *fold_operator(tct_elab *e, tct_operator op, tct_val *a, tct_val *b, tct_span span) {
    if (op == TCT_OP_AND) return tct_val_bool(e, a->i && b->i, span);
    if (op == TCT_OP_OR) return tct_val_bool(e, a->i || b->i, span);
    if (op == TCT_OP_NOT) return tct_val_bool(e, !a->i, span);
    if (op != TCT_OP_NEG) return tct_elab_binary(e, op, a, b, span);
    if (a->kind == V_FLOAT) return tct_val_float(e, -a->f, span);
    return a->i == INT64_MIN ? tct_val_error(e) : tct_val_int(e, -a->i, span);
}

// The value of `how` for static parts.
static tct_val *fold(tct_elab *e, const tct_config_node *how, tct_val *const *part, tct_span span) {
    switch (how->kind) {
    case TCT_HOW_OPERATOR:
        return fold_operator(e, how->op, part[0], how->n > 1 ? part[1] : NULL, span);
    case TCT_HOW_FUNCTION:
        return tct_elab_number_function(e, how->name, part, span);
    case TCT_HOW_FLOAT:
        return tct_val_float(e, (double)part[0]->i, span);
    case TCT_HOW_CHOICE: {
        tct_val *taken = part[0]->i ? part[1] : part[2];
        bool real = taken->kind == V_INT && (part[1]->kind == V_FLOAT || part[2]->kind == V_FLOAT);
        return real ? tct_val_float(e, (double)taken->i, span) : taken;
    }
    case TCT_HOW_CELL:
        break;
    }
    return tct_val_error(e);
}

tct_val *tct_stage_follows(tct_elab *e, tct_val *out, tct_config_node how) {
    tct_val *plain[3];
    bool config = false, computable = true;
    const tct_config_set *from = NULL;
    for (uint32_t i = 0; i < how.n; i++) {
        tct_val *v = how.part[i];
        if (!tct_val_can_fold(v)) return out;
        config |= tct_val_is_config(v);
        computable &= !tct_val_is_config(v) || v->fold;
        from = tct_config_union(e, from, v->from);
        plain[i] = v->fold ? v->fold : v;
    }
    if (out->kind != V_REG) out->from = from;
    if (out->kind != V_REG || !config) return out;
    out->from = from;
    how.size = 1;
    for (uint32_t i = 0; i < how.n; i++) {
        uint32_t size = how.part[i]->how ? how.part[i]->how->size : 1;
        how.size = size < UINT32_MAX - how.size ? how.size + size : UINT32_MAX;
    }
    tct_config_node *kept = TCT_NEW(&e->arena, tct_config_node);
    *kept = how;
    out->how = kept;
    if (!computable) return out;
    tct_mark mark = tct_elab_mark(e);
    out->fold = fold(e, &how, plain, out->span);
    if (out->fold->kind != V_ERROR) return out;
    tct_elab_forget(e, mark); // it may have a value when the program runs
    out->fold = NULL;
    return out;
}

// Registers

bool tct_stage_at_run_time(const tct_elab *e) {
    const tct_builder *root = e->builder;
    while (root && root->parent) root = root->parent;
    return e->stage || (root && root->kind == TCT_BUILD_RUN);
}

uint32_t tct_stage_read_config(tct_elab *e, uint32_t cell, tct_span span) {
    const tct_config_cell *c = &e->config.data[cell];
    tct_reg_type t = {.kind = (uint8_t)tct_stage_kind(e, c->val),
                      .name = tct_arena_printf(&e->arena, "config.%s", c->name)};
    TCT_PUSH(&e->pipeline->regs, t);
    uint32_t reg = (uint32_t)e->pipeline->regs.len - 1;
    tct_instr i = {.op = TCT_I_CONFIG, .dst = reg, .a = cell, .span = span};
    TCT_PUSH(&e->pipeline->instrs, i);
    return reg;
}

void tct_stage_config_begin(tct_elab *e) {
    for (uint32_t i = 0; i < e->config.len; i++)
        if (!e->config.data[i].fixed && e->config.data[i].val->kind != V_ERROR)
            e->config.data[i].reg = tct_stage_read_config(e, i, e->config.data[i].entry->span);
}

tct_code_mark tct_stage_code_mark(const tct_elab *e) {
    const struct tct_stage_state *p = e->pipeline;
    return p ? (tct_code_mark){p->regs.len, p->instrs.len} : (tct_code_mark){0, 0};
}

void tct_stage_code_forget(tct_elab *e, tct_code_mark mark) {
    e->pipeline->regs.len = mark.regs;
    e->pipeline->instrs.len = mark.instrs;
}

// Code of the stage that a graph stands in, while that graph is elaborated: it comes before the graph's run.
typedef struct around {
    struct tct_stage_state *stage;
    tct_builder *builder;
} around;

static around enter(tct_elab *e) {
    around a = {e->stage, e->builder};
    e->stage = e->pipeline;
    e->builder = NULL;
    return a;
}

static tct_val *leave(tct_elab *e, around a, tct_val *v) {
    e->stage = a.stage;
    e->builder = a.builder;
    return v;
}

tct_val *tct_stage_config(tct_elab *e, uint32_t cell, tct_span span) {
    around a = enter(e);
    uint32_t reg = e->stage->of_config ? tct_stage_read_config(e, cell, span) : e->config.data[cell].reg;
    return leave(e, a, tct_stage_reg_val(e, reg, span));
}

tct_val *tct_stage_operator(tct_elab *e, tct_operator op, tct_val *a, tct_val *b, tct_span span) {
    around x = enter(e);
    return leave(e, x, b ? tct_stage_binary(e, op, a, b, span) : tct_stage_unary(e, op, a, span));
}

tct_val *tct_stage_number_function(tct_elab *e, const char *name, tct_val *const *v, tct_span span) {
    around x = enter(e);
    return leave(e, x, tct_stage_function(e, name, v, span));
}

tct_val *tct_stage_as_float(tct_elab *e, tct_val *v, tct_span span) {
    around x = enter(e);
    tct_val *out = tct_stage_reg_val(e, tct_stage_load(e, v, TCT_KIND_FLOAT, span), span);
    return leave(e, x,
                 tct_stage_follows(e, out, (tct_config_node){.kind = TCT_HOW_FLOAT, .n = 1, .part = {v}}));
}
