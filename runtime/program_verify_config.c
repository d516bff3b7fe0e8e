// Config values: their texts, and the code of those that follow from others.
#include "base/setting.h"
#include "runtime/program_verify_internal.h"

#include <math.h>

static tct_kind kind_of(tct_literal_kind kind) {
    static const tct_kind kinds[] = {[TCT_LITERAL_INT] = TCT_KIND_INT,
                                     [TCT_LITERAL_FLOAT] = TCT_KIND_FLOAT,
                                     [TCT_LITERAL_BOOL] = TCT_KIND_BOOL,
                                     [TCT_LITERAL_TEXT] = TCT_KIND_STRING};
    return kinds[kind];
}

bool tct_verify_config_read(tct_verifier *v, const tct_instr *at) {
    tct_literal_kind kind;
    return (at->a < v->p->n_config && tct_literal_kind_of(v->p->config[at->a].type, &kind) &&
            tct_verify_kind(v, at->dst, kind_of(kind))) ||
           tct_wrong(v, "there is no config value %u of its type", at->a);
}

bool tct_verify_decided(tct_verifier *v, const tct_decided *by) {
    for (uint32_t i = 0; i < by->n; i++)
        if (by->config[i] >= v->p->n_config)
            return tct_wrong(v, "there is no config value %u", by->config[i]);
    return true;
}

// Jumps go forward, so code comes to its end.
static bool may_stand_in_code(const tct_instr *at, uint32_t number, const tct_config_code *code) {
    if (at->op == TCT_I_JUMP) return at->a > number && at->a <= code->end;
    if (at->op == TCT_I_JUMP_IF || at->op == TCT_I_JUMP_IFNOT) return at->b > number && at->b <= code->end;
    return at->op <= TCT_I_MATH2;
}

static bool code_fits(tct_verifier *v, const tct_config_code *code, bool number, tct_kind kind) {
    if (code->end == 0) return true;
    if (code->begin >= code->end || code->end > v->p->n_instrs) return tct_wrong(v, "its code is not there");
    for (uint32_t i = code->begin; i < code->end; i++)
        if (!may_stand_in_code(&v->p->instrs[i], i, code))
            return tct_wrong(v, "instruction %u cannot be one of its code", i);
    const tct_reg_type *t = tct_verify_reg(v, code->reg);
    if (!t) return false;
    bool fits = number ? t->kind == TCT_KIND_INT || t->kind == TCT_KIND_FLOAT : t->kind == kind;
    return fits || tct_wrong(v, "its code gives another type");
}

static bool value_fits(tct_verifier *v, const tct_config_value *c) {
    tct_literal_kind kind;
    tct_literal l;
    if (!tct_literal_kind_of(c->type, &kind) || !tct_literal_read(kind, c->value, &l))
        return tct_wrong(v, "\"%s\" is no %s", c->value, c->type);
    bool number = kind == TCT_LITERAL_INT || kind == TCT_LITERAL_FLOAT;
    if (c->is_ranged && (!number || isnan(c->low) || isnan(c->high)))
        return tct_wrong(v, "its range is none");
    return code_fits(v, &c->derived, false, kind_of(kind)) &&
           code_fits(v, &c->low_code, true, TCT_KIND_NONE) &&
           code_fits(v, &c->high_code, true, TCT_KIND_NONE);
}

static bool guard_fits(tct_verifier *v, const tct_config_guard *g) {
    return (g->code.end || tct_wrong(v, "a condition has no code")) &&
           code_fits(v, &g->code, false, TCT_KIND_BOOL) && tct_verify_decided(v, &g->of);
}

bool tct_verify_config(tct_verifier *v) {
    for (uint32_t i = 0; i < v->p->n_config; i++)
        if (!value_fits(v, &v->p->config[i])) {
            v->wrong = tct_arena_printf(v->arena, "config.%s: %s", v->p->config[i].name, v->wrong);
            return false;
        }
    for (uint32_t i = 0; i < v->p->n_guards; i++)
        if (!guard_fits(v, &v->p->guards[i])) return false;
    return true;
}
