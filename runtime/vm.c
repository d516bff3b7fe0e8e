// The machine's loop: one instruction after the other, until the program ends, fails or is interrupted.
#include "runtime/vm.h"

#include "base/file.h"
#include "runtime/extern.h"
#include "runtime/memory.h"
#include "runtime/rng.h"
#include "runtime/settings.h"
#include "runtime/vm_model.h"
#include "runtime/vm_scalar.h"
#include "runtime/vm_state.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

double tct_vm_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double tct_vm_elapsed(const tct_vm *vm) { return vm->elapsed + tct_vm_clock() - vm->started; }

const char *tct_vm_stage(const tct_vm *vm) {
    return vm->stage >= 0 ? vm->program->stages[vm->stage].name : "";
}

uint64_t tct_vm_seed(const tct_vm *vm, int64_t seed) {
    return vm->options->seed ? tct_rng_fold(vm->options->seed, (uint64_t)seed) : (uint64_t)seed;
}

// SIGINT and SIGTERM are held back while a program runs and looked for between instructions: the first one
// asks for a checkpoint, the second one ends the process.
static sigset_t stop_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

static void look_for_signals(tct_vm *vm) {
    sigset_t set = stop_signals();
    struct timespec at_once = {0, 0};
    int got = sigtimedwait(&set, NULL, &at_once);
    if (got < 0) return;
    tct_progress_clear(vm->progress);
    if (vm->interrupted) {
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        raise(got);
        return;
    }
    vm->interrupted = true;
    fprintf(stderr, "stopping: finishing the step and writing a checkpoint (again to stop at once)\n");
}

// Messages without a place get that of the instruction that was carried out.
static void place_messages(tct_diag *d, size_t first, tct_span span) {
    for (size_t i = first; i < d->messages.len; i++)
        if (d->messages.data[i].span.file == 0) d->messages.data[i].span = span;
}

static bool get_element(tct_vm *vm, const tct_instr *at) {
    const tct_list *l = vm->regs[at->a].list;
    int64_t i = vm->regs[at->b].i;
    if (i < 0 || (uint64_t)i >= l->len)
        return tct_error(vm->d, "E0812", at->span, "element %lld of a list of %zu (they count from 0)",
                         (long long)i, l->len);
    tct_value_set(&vm->regs[at->dst], tct_value_share(l->items[i]));
    return true;
}

static tct_value item_of(const tct_tensor *t, uint8_t kind) {
    if (kind == TCT_KIND_BOOL) return tct_value_bool(tct_tensor_get(t, 0) != 0);
    if (kind == TCT_KIND_FLOAT) return tct_value_float(tct_tensor_get(t, 0));
    int64_t i;
    tct_tensor integer = {.dtype = TCT_I64, .data = &i};
    if (t->dtype == TCT_I64)
        memcpy(&i, t->data, sizeof i);
    else
        tct_tensor_set(&integer, 0, tct_tensor_get(t, 0));
    return tct_value_int(i);
}

static bool make_model(tct_vm *vm, const tct_instr *at) {
    tct_value v;
    bool ok = at->c != UINT32_MAX ? tct_vm_load_model(vm, at->a, vm->regs[at->c].text->text, &v)
                                  : tct_vm_new_model(vm, at->a, tct_vm_seed(vm, vm->regs[at->b].i), &v);
    if (ok) tct_value_set(&vm->regs[at->dst], v);
    return ok;
}

static bool make_optimizer(tct_vm *vm, const tct_instr *at) {
    tct_value v;
    if (!tct_vm_new_optimizer(vm, at->a, &v)) return false;
    tct_value_set(&vm->regs[at->dst], v);
    return true;
}

static bool check_assertion(tct_vm *vm, const tct_instr *at) {
    if (vm->regs[at->a].b) return true;
    return tct_error(vm->d, "E0813", at->span, "%s", vm->regs[at->b].text->text);
}

// After a checkpoint: stops when a signal has asked for it.
static bool go_on(tct_vm *vm) {
    if (!vm->interrupted) return true;
    vm->stopped = true;
    tct_error(vm->d, "E0820", TCT_NO_SPAN, "the run was interrupted; its state is in %s/checkpoint",
              vm->options->out);
    tct_help(vm->d, "the same command with --resume goes on from there");
    return false;
}

static bool save(tct_vm *vm, const char *stage) {
    tct_trace_mark mark = tct_trace_begin(vm->trace);
    bool ok = tct_vm_save(vm, stage);
    tct_trace_end(vm->trace, mark, TCT_TRACE_CALL, "checkpoint", TCT_NO_SPAN);
    return ok;
}

static bool safepoint(tct_vm *vm) {
    double every = vm->options->checkpoint_seconds;
    look_for_signals(vm);
    bool due = every < 0 || (every > 0 && tct_vm_clock() - vm->saved >= every);
    return (!(due || vm->interrupted) || save(vm, NULL)) && go_on(vm);
}

// --- What a trace shows ---

static void begin_step(tct_vm *vm) {
    vm->step = vm->done;
    vm->step_mark = tct_trace_begin(vm->trace);
}

static void end_step(tct_vm *vm) {
    if (!vm->trace || vm->step < 0) return;
    char name[40];
    snprintf(name, sizeof name, "step %lld", (long long)vm->step);
    tct_trace_end(vm->trace, vm->step_mark, TCT_TRACE_STEP, name, TCT_NO_SPAN);
    vm->step = -1;
}

static void end_traced_stage(tct_vm *vm) {
    if (!vm->trace || vm->stage < 0) return;
    end_step(vm);
    tct_trace_end(vm->trace, vm->stage_mark, TCT_TRACE_STAGE, tct_vm_stage(vm), TCT_NO_SPAN);
}

static const char *const builtin_names[TCT_N_BUILTINS] = {
#define BUILTIN(id, name, ...) [TCT_BUILTIN_##id] = name,
#include "runtime/builtins.def"
#undef BUILTIN
};

// What an instruction is called in a trace; NULL: it isn't shown.
static const char *traced_name(const tct_vm *vm, const tct_instr *at) {
    switch ((tct_opcode)at->op) {
    case TCT_I_CALL:
        return builtin_names[vm->program->calls[at->a].builtin];
    case TCT_I_RUN:
        return vm->program->plans[vm->program->runs[at->a].plan]->name;
    case TCT_I_EXTERN:
        return vm->program->externs[at->a].name;
    case TCT_I_MODEL:
        return vm->program->models[at->a].type;
    case TCT_I_OPTIMIZER:
        return vm->program->optimizers[at->a].type;
    default:
        return NULL;
    }
}

// --- Instructions ---

static bool end_stage(tct_vm *vm, const tct_instr *at) {
    const char *name = vm->program->stages[at->a].name;
    tct_progress_stage_end(vm->progress, tct_vm_clock());
    end_traced_stage(vm);
    vm->stage = -1;
    vm->done = vm->total = 0;
    if (!save(vm, name) || !tct_vm_finish_outputs(vm, false)) return false;
    if (vm->options->to_stage && strcmp(vm->options->to_stage, name) == 0) vm->stopped = true;
    return go_on(vm);
}

static void begin_stage(tct_vm *vm, uint32_t number) {
    vm->stage = (int32_t)number;
    vm->done = vm->total = 0;
    vm->stage_mark = tct_trace_begin(vm->trace);
    tct_progress_stage(vm->progress, vm->program->stages[number].name, (int)number + 1,
                       (int)vm->program->n_stages);
}

static void note_progress(tct_vm *vm, const tct_instr *at) {
    vm->done = vm->regs[at->a].i;
    vm->total = vm->regs[at->b].i;
    tct_progress_step(vm->progress, vm->done, vm->total, tct_vm_clock());
    end_step(vm);
    if (vm->trace && vm->done < vm->total) begin_step(vm);
}

typedef bool (*builtin_fn)(tct_vm *vm, const tct_call *c);
static const builtin_fn builtins[TCT_N_BUILTINS] = {
#define BUILTIN(id, ...) [TCT_BUILTIN_##id] = tct_vm_call_##id,
#include "runtime/builtins.def"
#undef BUILTIN
};

static bool step_optimizer(tct_vm *vm, const tct_instr *at, bool zero) {
    tct_optimizer *o = vm->regs[at->a].optimizer;
    if (!zero) {
        o->step++;
        return true;
    }
    for (uint32_t i = 0; o->grads && i < o->desc->n_params; i++)
        if (o->grads[i].bytes) memset(o->grads[i].data, 0, o->grads[i].bytes);
    return true;
}

// Carries out the instruction at vm->pc, which is then that of the next one.
static bool execute(tct_vm *vm) {
    const tct_instr *at = &vm->program->instrs[vm->pc++];
    tct_value *regs = vm->regs;
    switch ((tct_opcode)at->op) {
    case TCT_I_LIST:
        tct_value_set(&regs[at->dst], tct_value_list());
        return true;
    case TCT_I_GET:
        return get_element(vm, at);
    case TCT_I_ITEM:
        tct_value_set(&regs[at->dst], item_of(&regs[at->a].array->t, vm->program->regs[at->dst].kind));
        return true;
    case TCT_I_JUMP:
        vm->pc = at->a;
        return true;
    case TCT_I_JUMP_IF:
        if (regs[at->a].b) vm->pc = at->b;
        return true;
    case TCT_I_JUMP_IFNOT:
        if (!regs[at->a].b) vm->pc = at->b;
        return true;
    case TCT_I_CALL:
        look_for_signals(vm);
        return builtins[vm->program->calls[at->a].builtin](vm, &vm->program->calls[at->a]);
    case TCT_I_RUN:
        look_for_signals(vm);
        return tct_vm_run_plan(vm, &vm->program->runs[at->a]);
    case TCT_I_EXTERN:
        return tct_extern_call(vm->d, &vm->program->externs[at->a], vm->program->regs, regs);
    case TCT_I_MODEL:
        return make_model(vm, at);
    case TCT_I_OPTIMIZER:
        return make_optimizer(vm, at);
    case TCT_I_ZERO_GRAD:
        return step_optimizer(vm, at, true);
    case TCT_I_STEP:
        return step_optimizer(vm, at, false);
    case TCT_I_LOG:
        return tct_vm_log(vm, at);
    case TCT_I_SUMMARY:
        return tct_vm_summary(vm, at);
    case TCT_I_ASSERT:
        return check_assertion(vm, at);
    case TCT_I_STAGE:
        begin_stage(vm, at->a);
        return true;
    case TCT_I_STAGE_END:
        return end_stage(vm, at);
    case TCT_I_PROGRESS:
        note_progress(vm, at);
        return true;
    case TCT_I_SAFEPOINT:
        return safepoint(vm);
    case TCT_I_END:
        vm->stopped = true;
        return true;
    default:
        return tct_vm_scalar(vm, at);
    }
}

static bool execute_traced(tct_vm *vm) {
    const tct_instr *at = &vm->program->instrs[vm->pc];
    const char *name = vm->trace ? traced_name(vm, at) : NULL;
    if (!name) return execute(vm);
    tct_trace_mark mark = tct_trace_begin(vm->trace);
    bool ok = execute(vm);
    tct_trace_end(vm->trace, mark, TCT_TRACE_CALL, name, at->span);
    return ok;
}

static bool run_instructions(tct_vm *vm) {
    while (!vm->stopped) {
        assert(vm->pc < vm->program->n_instrs);
        size_t messages = vm->d->messages.len;
        tct_span span = vm->program->instrs[vm->pc].span;
        bool ok = tct_vm_check(vm, &vm->program->instrs[vm->pc]) && execute_traced(vm);
        if (vm->d->messages.len > messages && !vm->stopped) place_messages(vm->d, messages, span);
        if (!ok) return false;
    }
    return true;
}

// The name of the stage before `name`, which is one; NULL when it is the first.
static const char *stage_before(const tct_program *p, const char *name) {
    uint32_t i = 0;
    while (strcmp(p->stages[i].name, name) != 0) i++;
    return i ? p->stages[i - 1].name : NULL;
}

// Registers and position: fresh, or those of a checkpoint.
static bool begin(tct_vm *vm) {
    const tct_run_options *o = vm->options;
    uint64_t metrics_bytes = 0;
    if (!tct_run_options_check(vm->d, vm->program, o)) return false;
    if (!tct_settings_values(vm->d, vm->program, vm->config)) return false;
    const char *before = o->from_stage ? stage_before(vm->program, o->from_stage) : NULL;
    if (!tct_make_dir(vm->d, o->out)) return false;
    if (o->trace && !(vm->trace = tct_trace_open(vm->d, vm->pool, o->trace, o->trace_limit))) return false;
    for (uint32_t i = 0; i < vm->program->n_externs; i++)
        if (!vm->program->externs[i].fn &&
            !tct_extern_resolve(vm->d, &vm->program->externs[i], vm->program->folder))
            return false;
    if (!tct_memory_check(vm->d, vm->program, o->ahead) || !tct_vm_room_open(vm)) return false;
    if ((o->resume || before) && !tct_vm_restore(vm, o->resume ? NULL : before, &metrics_bytes)) return false;
    vm->stage_mark = tct_trace_begin(vm->trace);
    return tct_vm_open_outputs(vm, metrics_bytes);
}

// false after reporting that the trace is lost.
static bool close_trace(tct_vm *vm) {
    if (!vm->trace) return true;
    end_traced_stage(vm);
    tct_buf table = {0};
    tct_trace_table(vm->trace, TCT_TRACE_LINES, &table);
    tct_progress_clear(vm->progress);
    fputs(table.data, stderr);
    tct_buf_free(&table);
    return tct_trace_close(vm->d, vm->trace);
}

static void close_machine(tct_vm *vm) {
    tct_progress_close(vm->progress);
    tct_metrics_close(vm->metrics);
    for (uint32_t i = 0; i < vm->program->n_regs; i++) tct_value_drop(&vm->regs[i]);
    free(vm->regs);
    for (uint32_t i = 0; i < vm->program->n_config; i++) tct_value_drop(&vm->config[i]);
    free(vm->config);
    json_decref(vm->summary);
    json_decref(vm->samples);
    json_decref(vm->warned);
    tct_vm_room_close(vm);
    tct_pool_free(vm->pool);
}

bool tct_program_run(tct_diag *d, tct_program *p, const tct_run_options *options) {
    sigset_t set = stop_signals(), before;
    pthread_sigmask(SIG_BLOCK, &set, &before); // inherited by the pool's threads
    tct_vm vm = {
        .d = d,
        .program = p,
        .options = options,
        .pool = tct_pool_new(options->threads),
        .config = tct_alloc((p->n_config + 1) * sizeof(tct_value)),
        .regs = tct_alloc((p->n_regs + 1) * sizeof(tct_value)),
        .stage = -1,
        .step = -1,
        .summary = json_object(),
        .samples = json_array(),
        .warned = json_object(),
        .progress = tct_progress_open(stderr, options->progress),
        .started = tct_vm_clock(),
    };
    vm.saved = vm.started;
    bool ok = begin(&vm) && run_instructions(&vm) && tct_vm_finish_outputs(&vm, true);
    ok &= close_trace(&vm);
    close_machine(&vm);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}
