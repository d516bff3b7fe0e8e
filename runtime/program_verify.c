// Programs held to what the machine relies on: instructions here, the rest in program_verify_*.c.
#include "runtime/program_verify.h"

#include "runtime/program_shape.h"
#include "runtime/program_verify_internal.h"
#include "runtime/value.h"

bool tct_wrong(tct_verifier *v, const char *fmt, ...) {
    if (v->wrong) return false;
    va_list ap;
    va_start(ap, fmt);
    v->wrong = tct_arena_vprintf(v->arena, fmt, ap);
    va_end(ap);
    return false;
}

const tct_reg_type *tct_verify_reg(tct_verifier *v, uint32_t reg) {
    if (reg < v->p->n_regs) return &v->p->regs[reg];
    tct_wrong(v, "there is no register %u", reg);
    return NULL;
}

bool tct_verify_kind(tct_verifier *v, uint32_t reg, tct_kind kind) {
    const tct_reg_type *t = tct_verify_reg(v, reg);
    if (!t) return false;
    return t->kind == kind || tct_wrong(v, "register %u holds a %s where a %s belongs", reg,
                                        tct_kind_name((tct_kind)t->kind), tct_kind_name(kind));
}

bool tct_same_type(const tct_reg_type *a, const tct_reg_type *b) {
    if (a->kind != b->kind) return false;
    switch ((tct_kind)a->kind) {
    case TCT_KIND_LIST:
        return a->element == b->element && (a->element != TCT_KIND_LIST || a->element2 == b->element2);
    case TCT_KIND_TENSOR:
        return a->dtype == b->dtype && a->n_axes == b->n_axes;
    case TCT_KIND_MODEL:
    case TCT_KIND_OPTIMIZER:
    case TCT_KIND_DATASET:
        return a->table == b->table;
    default:
        return true;
    }
}

static tct_kind kind_of_letter(char letter) {
    switch (letter) {
    case 'i':
        return TCT_KIND_INT;
    case 'f':
        return TCT_KIND_FLOAT;
    case 'b':
        return TCT_KIND_BOOL;
    case 's':
        return TCT_KIND_STRING;
    case 'l':
        return TCT_KIND_LIST;
    case 't':
        return TCT_KIND_TENSOR;
    case 'm':
        return TCT_KIND_MODEL;
    case 'o':
        return TCT_KIND_OPTIMIZER;
    default: // any
        return TCT_KIND_NONE;
    }
}

static bool below(tct_verifier *v, uint32_t number, uint32_t n, const char *what) {
    return number < n || tct_wrong(v, "there is no %s %u", what, number);
}

static bool verify_model(tct_verifier *v, const tct_instr *at) {
    return below(v, at->a, v->p->n_models, "model") &&
           (v->p->regs[at->dst].table == at->a || tct_wrong(v, "it makes another model")) &&
           (at->c != UINT32_MAX ? tct_verify_kind(v, at->c, TCT_KIND_STRING)
                                : tct_verify_kind(v, at->b, TCT_KIND_INT));
}

static bool verify_extern(tct_verifier *v, uint32_t number) {
    if (!below(v, number, v->p->n_externs, "foreign function")) return false;
    const tct_extern *e = &v->p->externs[number];
    for (uint32_t i = 0; i <= e->n_args; i++) {
        bool result = i == e->n_args;
        if (result && e->result == UINT32_MAX) break;
        const tct_reg_type *t = tct_verify_reg(v, result ? e->result : e->args[i]);
        if (!t) return false;
        uint8_t kind = t->kind == TCT_KIND_LIST ? t->element : t->kind;
        bool scalar = kind == TCT_KIND_INT || kind == TCT_KIND_FLOAT || kind == TCT_KIND_BOOL ||
                      (kind == TCT_KIND_STRING && !(result && t->kind == TCT_KIND_LIST));
        if (!scalar) return tct_wrong(v, "%s cannot pass a %s", e->name, tct_kind_name((tct_kind)t->kind));
    }
    return true;
}

static bool verify_log(tct_verifier *v, const tct_instr *at) {
    if (!below(v, at->a, v->p->n_logs, "log")) return false;
    const tct_log *l = &v->p->logs[at->a];
    if (at->op == TCT_I_SUMMARY && !l->group) return tct_wrong(v, "a summary has no name");
    for (uint32_t i = 0; i < l->n; i++) {
        const tct_reg_type *t = tct_verify_reg(v, l->regs[i]);
        if (!t) return false;
        if (t->kind < TCT_KIND_INT || t->kind > TCT_KIND_STRING)
            return tct_wrong(v, "a %s is logged", tct_kind_name((tct_kind)t->kind));
    }
    return true;
}

// What a letter of the instruction's operands other than a register stands for.
static bool verify_operand(tct_verifier *v, const tct_instr *at, char what) {
    const tct_program *p = v->p;
    switch (what) {
    case 'k':
        return below(v, at->a, p->n_consts, "constant") &&
               tct_verify_kind(v, at->dst, (tct_kind)p->consts[at->a].kind);
    case 'K':
        return tct_verify_config_read(v, at);
    case 'm':
        return below(v, at->b, TCT_MATH_TANH + 1, "function");
    case 'n':
        return below(v, at->c, TCT_MATH2_MAX + 1, "function");
    case 'j':
        return below(v, at->a, p->n_instrs, "instruction");
    case 'J':
        return below(v, at->b, p->n_instrs, "instruction");
    case 'B':
        return below(v, at->a, p->n_calls, "call") && tct_verify_call(v, &p->calls[at->a]);
    case 'R':
        return below(v, at->a, p->n_runs, "run") && tct_verify_run(v, &p->runs[at->a]);
    case 'X':
        return verify_extern(v, at->a);
    case 'M':
        return verify_model(v, at);
    case 'O':
        return below(v, at->a, p->n_optimizers, "optimizer") &&
               (p->regs[at->dst].table == at->a || tct_wrong(v, "it makes another optimizer"));
    case 'L':
        return verify_log(v, at);
    default: // 'S'
        return below(v, at->a, p->n_stages, "stage");
    }
}

// Instructions whose registers' types depend on each other.
static bool verify_types(tct_verifier *v, const tct_instr *at) {
    if (at->op != TCT_I_MOVE && at->op != TCT_I_GET && at->op != TCT_I_ITEM) return true;
    const tct_reg_type *dst = &v->p->regs[at->dst], *a = &v->p->regs[at->a];
    tct_reg_type element = {.kind = a->element, .element = a->element2};
    bool ok;
    if (at->op == TCT_I_MOVE)
        ok = tct_same_type(dst, a);
    else if (at->op == TCT_I_GET)
        ok = tct_same_type(dst, &element);
    else
        ok = a->n_axes == 0 && dst->kind >= TCT_KIND_INT && dst->kind <= TCT_KIND_BOOL;
    return ok || tct_wrong(v, "%s between registers whose types differ", tct_instr_shape_of(at->op)->name);
}

static bool verify_instr(tct_verifier *v, const tct_instr *at) {
    if (at->op > TCT_I_END) return tct_wrong(v, "there is no operation %u", at->op);
    const tct_instr_shape *shape = tct_instr_shape_of(at->op);
    const char *kinds = shape->kinds;
    for (const char *o = shape->operands; *o; o++) {
        if (!strchr("dabc", *o)) continue;
        uint32_t reg = *o == 'd' ? at->dst : *o == 'a' ? at->a : *o == 'b' ? at->b : at->c;
        tct_kind kind = kind_of_letter(*kinds++);
        if (kind == TCT_KIND_NONE ? !tct_verify_reg(v, reg) : !tct_verify_kind(v, reg, kind)) return false;
    }
    for (const char *o = shape->operands; *o; o++)
        if (!strchr("dabc", *o) && !verify_operand(v, at, *o)) return false;
    return verify_types(v, at);
}

static bool verify_end(tct_verifier *v) {
    if (v->p->n_instrs == 0) return true;
    uint16_t last = v->p->instrs[v->p->n_instrs - 1].op;
    return last == TCT_I_END || last == TCT_I_JUMP || tct_wrong(v, "it runs past its end");
}

const char *tct_program_verify(tct_arena *a, const tct_program *p, const tct_plan *const *plans) {
    tct_verifier v = {a, p, plans, NULL};
    if (!tct_verify_tables(&v)) return v.wrong;
    for (uint32_t i = 0; i < p->n_instrs; i++)
        if (!verify_instr(&v, &p->instrs[i])) return tct_arena_printf(a, "instruction %u: %s", i, v.wrong);
    if (!verify_end(&v)) return v.wrong;
    tct_verify_config(&v);
    return v.wrong;
}
