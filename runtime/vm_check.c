// Values that an instruction is about to read are there. A program that was compiled right never fails this;
// a checkpoint that was tampered with can.
#include "runtime/program_shape.h"
#include "runtime/vm_state.h"

static bool present(tct_vm *vm, uint32_t reg) {
    const tct_reg_type *type = &vm->program->regs[reg];
    if (vm->regs[reg].kind == type->kind) return true;
    return tct_error(vm->d, "E0818", TCT_NO_SPAN, "%s %s has no value here",
                     tct_kind_name((tct_kind)type->kind), type->name ? type->name : "temporary");
}

static bool all_present(tct_vm *vm, const uint32_t *regs, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (!present(vm, regs[i])) return false;
    return true;
}

static bool binds_present(tct_vm *vm, const tct_bind *binds, uint32_t n, bool outputs) {
    for (uint32_t i = 0; i < n; i++) {
        bool written = outputs && binds[i].kind == TCT_BIND_REG;
        if (binds[i].kind != TCT_BIND_DROP && !written && !present(vm, binds[i].reg)) return false;
    }
    return true;
}

static bool operand_present(tct_vm *vm, const tct_instr *at, char what) {
    const tct_program *p = vm->program;
    switch (what) {
    case 'a':
        return present(vm, at->a);
    case 'b':
        return present(vm, at->b);
    case 'c':
        return present(vm, at->c);
    case 'B':
        return all_present(vm, p->calls[at->a].args, p->calls[at->a].n_args);
    case 'R': {
        const tct_run *run = &p->runs[at->a];
        const tct_plan *plan = p->plans[run->plan];
        return binds_present(vm, run->inputs, plan->n_inputs, false) &&
               binds_present(vm, run->outputs, plan->n_outputs, true);
    }
    case 'X':
        return all_present(vm, p->externs[at->a].args, p->externs[at->a].n_args);
    case 'M':
        return present(vm, at->c != UINT32_MAX ? at->c : at->b);
    case 'O':
        return all_present(vm, p->optimizers[at->a].models, p->optimizers[at->a].n_models);
    case 'L':
        return all_present(vm, p->logs[at->a].regs, p->logs[at->a].n);
    default:
        return true;
    }
}

bool tct_vm_check(tct_vm *vm, const tct_instr *at) {
    for (const char *o = tct_instr_shape_of(at->op)->operands; *o; o++)
        if (!operand_present(vm, at, *o)) return false;
    return true;
}
