// Units to object code: emitted, optimised and compiled in modules of a few kernels each, in parallel.
#include "codegen/jit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

// Kernels come vectorised, unrolled and mostly optimal: what is left is tidying. Measured on the kernels of a
// GPT-2 training step, this takes half the time of default<O2>, code generation included, for code as fast.
static const char passes[] =
    "function(sroa,early-cse<memssa>,loop-mssa(licm),instcombine<no-verify-fixpoint>,"
    "early-cse<memssa>,simplifycfg,dce)";

// Units a module: fewer, and the fixed cost of a module shows; more, and threads run out of work.
static const double cost_a_module = 12;

typedef struct group {
    size_t begin, end; // units
    LLVMMemoryBufferRef object;
    char *error; // LLVM's message, or NULL
} group;

typedef struct compilation {
    const tct_target *target;
    const tct_unit *units;
    group *groups;
    size_t n_groups;
    _Atomic size_t next;
} compilation;

static LLVMModuleRef emit_module(LLVMContextRef context, LLVMTargetMachineRef machine,
                                 const tct_target *target, const tct_unit *units, size_t n) {
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext(units[0].name, context);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetModuleDataLayout(module, layout);
    LLVMDisposeTargetData(layout);
    char *triple = LLVMGetTargetMachineTriple(machine);
    LLVMSetTarget(module, triple);
    LLVMDisposeMessage(triple);
    for (size_t i = 0; i < n; i++) units[i].emit(units[i].data, module, target);
    return module;
}

// Returns LLVM's complaint (heap) or NULL.
static char *verify(LLVMModuleRef module) {
    char *message = NULL;
    bool broken = LLVMVerifyModule(module, LLVMReturnStatusAction, &message);
    char *error = broken ? tct_strdup(message) : NULL;
    LLVMDisposeMessage(message);
    return error;
}

static char *optimise(LLVMModuleRef module, LLVMTargetMachineRef machine) {
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef failure = LLVMRunPasses(module, passes, machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (!failure) return NULL;
    char *message = LLVMGetErrorMessage(failure);
    char *error = tct_strdup(message);
    LLVMDisposeErrorMessage(message);
    return error;
}

static char *generate(LLVMModuleRef module, LLVMTargetMachineRef machine, LLVMCodeGenFileType type,
                      LLVMMemoryBufferRef *out) {
    char *message = NULL;
    if (!LLVMTargetMachineEmitToMemoryBuffer(machine, module, type, &message, out)) return NULL;
    char *error = tct_strdup(message);
    LLVMDisposeMessage(message);
    return error;
}

static void compile_group(const compilation *c, LLVMTargetMachineRef machine, group *g) {
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = emit_module(context, machine, c->target, c->units + g->begin, g->end - g->begin);
    g->error = verify(module);
    if (!g->error) g->error = optimise(module, machine);
    if (!g->error) g->error = generate(module, machine, LLVMObjectFile, &g->object);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
}

typedef struct unit_worker {
    compilation *work;
    LLVMTargetMachineRef machine; // one a thread
    pthread_t thread;
} unit_worker;

static void *compile_groups(void *arg) {
    unit_worker *me = arg;
    for (size_t i; (i = atomic_fetch_add(&me->work->next, 1)) < me->work->n_groups;)
        compile_group(me->work, me->machine, &me->work->groups[i]);
    return NULL;
}

static size_t group_units(const tct_unit *units, size_t n, group *groups) {
    size_t n_groups = 0;
    double cost = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || cost >= cost_a_module) {
            groups[n_groups++] = (group){.begin = i};
            cost = 0;
        }
        cost += units[i].cost > 0 ? units[i].cost : 1;
        groups[n_groups - 1].end = i + 1;
    }
    return n_groups;
}

// The calling thread compiles as well; a thread that the system refuses is done without.
static void run_workers(unit_worker *workers, size_t n) {
    size_t started = 1;
    while (started < n &&
           pthread_create(&workers[started].thread, NULL, compile_groups, &workers[started]) == 0)
        started++;
    compile_groups(&workers[0]);
    for (size_t i = 1; i < started; i++) pthread_join(workers[i].thread, NULL);
}

static bool report(tct_diag *d, const compilation *c) {
    bool ok = true;
    for (size_t i = 0; i < c->n_groups; i++) {
        const group *g = &c->groups[i];
        if (!g->error) continue;
        ok =
            tct_error(d, "E0841", TCT_NO_SPAN, "LLVM refuses the code of '%s'%s: %s", c->units[g->begin].name,
                      g->end - g->begin > 1 ? " or of a kernel after it" : "", g->error);
        tct_help(d, "this is an error in Tercet; please report it with the program that shows it");
    }
    return ok;
}

bool tct_units_compile(tct_diag *d, const tct_target *target, const tct_unit *units, size_t n, int threads,
                       tct_objects *out) {
    *out = (tct_objects){0};
    if (n == 0) return true;
    group *groups = tct_alloc(n * sizeof *groups);
    compilation work = {target, units, groups, group_units(units, n, groups), 0};
    size_t n_workers = threads < 1 ? 1 : (size_t)threads;
    if (n_workers > work.n_groups) n_workers = work.n_groups;
    unit_worker *workers = tct_alloc(n_workers * sizeof *workers);
    bool ok = true;
    for (size_t i = 0; ok && i < n_workers; i++) {
        workers[i] = (unit_worker){.work = &work, .machine = tct_target_machine(d, target)};
        ok = workers[i].machine != NULL;
    }
    if (ok) run_workers(workers, n_workers);
    for (size_t i = 0; i < n_workers; i++)
        if (workers[i].machine) LLVMDisposeTargetMachine(workers[i].machine);
    ok = ok && report(d, &work);
    if (ok) out->data = tct_alloc(work.n_groups * sizeof *out->data);
    for (size_t i = 0; i < work.n_groups; i++) {
        if (ok)
            out->data[out->n++] = groups[i].object;
        else if (groups[i].object)
            LLVMDisposeMemoryBuffer(groups[i].object);
        free(groups[i].error);
    }
    free(workers);
    free(groups);
    return ok;
}

void tct_objects_free(tct_objects *objects) {
    for (size_t i = 0; i < objects->n; i++) LLVMDisposeMemoryBuffer(objects->data[i]);
    free(objects->data);
    *objects = (tct_objects){0};
}

void tct_objects_append(tct_objects *objects, tct_objects *more) {
    if (more->n) {
        objects->data = tct_realloc(objects->data, (objects->n + more->n) * sizeof *objects->data);
        memcpy(objects->data + objects->n, more->data, more->n * sizeof *more->data);
    }
    objects->n += more->n;
    free(more->data);
    *more = (tct_objects){0};
}

static char *module_text(LLVMModuleRef module, LLVMTargetMachineRef machine, tct_text_stage stage,
                         tct_buf *out) {
    char *error = verify(module);
    if (!error && stage != TCT_TEXT_LLVM) error = optimise(module, machine);
    if (error) return error;
    if (stage == TCT_TEXT_ASM) {
        LLVMMemoryBufferRef text;
        error = generate(module, machine, LLVMAssemblyFile, &text);
        if (error) return error;
        tct_buf_add(out, LLVMGetBufferStart(text), LLVMGetBufferSize(text));
        LLVMDisposeMemoryBuffer(text);
    } else {
        char *text = LLVMPrintModuleToString(module);
        tct_buf_puts(out, text);
        LLVMDisposeMessage(text);
    }
    return NULL;
}

bool tct_unit_text(tct_diag *d, const tct_target *target, const tct_unit *unit, tct_text_stage stage,
                   tct_buf *out) {
    LLVMTargetMachineRef machine = tct_target_machine(d, target);
    if (!machine) return false;
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = emit_module(context, machine, target, unit, 1);
    char *error = module_text(module, machine, stage, out);
    bool ok =
        !error || tct_error(d, "E0841", TCT_NO_SPAN, "LLVM refuses the code of '%s': %s", unit->name, error);
    free(error);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    LLVMDisposeTargetMachine(machine);
    return ok;
}
