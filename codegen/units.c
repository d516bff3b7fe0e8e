// Units to object code: taken from the cache, or emitted, optimised and compiled in parallel. Every unit is a
// module of its own, so that its object is a function of its key. (Several to a module would take 5 % less
// time.)
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

typedef struct result {
    LLVMMemoryBufferRef object;
    char *error; // LLVM's message, or NULL
} result;

typedef struct compilation {
    const tct_target *target;
    const tct_unit *units;
    tct_cache *cache;
    result *results; // by unit
    size_t *missing; // units that are to be compiled, the largest first: threads then end at the same time
    size_t n_missing;
    _Atomic size_t next;
} compilation;

// Debuggers and profilers find their way through kernels by these tables; the code is the same.
static void add_unwind_tables(LLVMModuleRef module) {
    enum { EVERYWHERE = 2 }; // at every instruction, not only at calls
    unsigned kind = LLVMGetEnumAttributeKindForName("uwtable", strlen("uwtable"));
    LLVMAttributeRef tables = LLVMCreateEnumAttribute(LLVMGetModuleContext(module), kind, EVERYWHERE);
    for (LLVMValueRef f = LLVMGetFirstFunction(module); f; f = LLVMGetNextFunction(f))
        if (!LLVMIsDeclaration(f)) LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex, tables);
}

static LLVMModuleRef emit_module(LLVMContextRef context, LLVMTargetMachineRef machine,
                                 const tct_target *target, const tct_unit *unit) {
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext(unit->name, context);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetModuleDataLayout(module, layout);
    LLVMDisposeTargetData(layout);
    char *triple = LLVMGetTargetMachineTriple(machine);
    LLVMSetTarget(module, triple);
    LLVMDisposeMessage(triple);
    tct_llvm_set_isa(module, target->isa);
    unit->emit(unit->data, module, target);
    add_unwind_tables(module);
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

// --- The cache ---

// The names of LLVM's processor and features are what the code may use; the host is not asked.
static tct_buf key_of(const tct_target *target, const tct_unit *unit) {
    tct_buf key = {0};
    tct_buf_printf(&key, "%s %s %s\n%s", tct_isa_name(target->isa), target->cpu, target->features, unit->key);
    return key;
}

static void find(compilation *c, size_t unit) {
    tct_buf key = key_of(c->target, &c->units[unit]);
    void *object;
    size_t len;
    if (tct_cache_get(c->cache, key.data, &object, &len)) {
        c->results[unit].object = LLVMCreateMemoryBufferWithMemoryRangeCopy(object, len, c->units[unit].name);
        tct_heap_free(object);
    }
    tct_buf_free(&key);
}

static void keep(const compilation *c, size_t unit) {
    LLVMMemoryBufferRef object = c->results[unit].object;
    tct_buf key = key_of(c->target, &c->units[unit]);
    tct_cache_put(c->cache, key.data, LLVMGetBufferStart(object), LLVMGetBufferSize(object));
    tct_buf_free(&key);
}

// --- Compilation ---

static void compile_unit(const compilation *c, LLVMTargetMachineRef machine, size_t unit) {
    result *r = &c->results[unit];
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = emit_module(context, machine, c->target, &c->units[unit]);
    r->error = verify(module);
    if (!r->error) r->error = optimise(module, machine);
    if (!r->error) r->error = generate(module, machine, LLVMObjectFile, &r->object);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    if (r->object && c->cache) keep(c, unit);
}

typedef struct unit_worker {
    compilation *work;
    LLVMTargetMachineRef machine; // one a thread
    pthread_t thread;
} unit_worker;

static void *compile_units(void *arg) {
    unit_worker *me = arg;
    for (size_t i; (i = atomic_fetch_add(&me->work->next, 1)) < me->work->n_missing;)
        compile_unit(me->work, me->machine, me->work->missing[i]);
    return NULL;
}

// The calling thread compiles as well; a thread that the system refuses is done without.
static void run_workers(unit_worker *workers, size_t n) {
    size_t started = 1;
    while (started < n &&
           pthread_create(&workers[started].thread, NULL, compile_units, &workers[started]) == 0)
        started++;
    compile_units(&workers[0]);
    for (size_t i = 1; i < started; i++) pthread_join(workers[i].thread, NULL);
}

static int by_cost(const void *a, const void *b, void *units) {
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    double difference = ((const tct_unit *)units)[x].cost - ((const tct_unit *)units)[y].cost;
    return difference > 0 ? -1 : difference < 0 ? 1 : x < y ? -1 : x > y;
}

static bool compile_missing(tct_diag *d, compilation *c, int threads) {
    size_t n = threads < 1 ? 1 : (size_t)threads;
    if (n > c->n_missing) n = c->n_missing;
    qsort_r(c->missing, c->n_missing, sizeof *c->missing, by_cost, (void *)(uintptr_t)c->units);
    unit_worker *workers = tct_alloc(n * sizeof *workers);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        workers[i] = (unit_worker){.work = c, .machine = tct_target_machine(d, c->target)};
        ok = workers[i].machine != NULL;
    }
    if (ok) run_workers(workers, n);
    for (size_t i = 0; i < n; i++)
        if (workers[i].machine) LLVMDisposeTargetMachine(workers[i].machine);
    free(workers);
    return ok;
}

static bool report(tct_diag *d, const compilation *c) {
    bool ok = true;
    for (size_t k = 0; k < c->n_missing; k++) {
        size_t i = c->missing[k];
        if (!c->results[i].error) continue;
        ok = tct_error(d, "E0841", TCT_NO_SPAN, "LLVM refuses the code of '%s': %s", c->units[i].name,
                       c->results[i].error);
        tct_help(d, "this is an error in Tercet; please report it with the program that shows it");
    }
    return ok;
}

bool tct_units_compile(tct_diag *d, const tct_target *target, const tct_unit *units, size_t n, int threads,
                       tct_cache *cache, tct_objects *out) {
    *out = (tct_objects){0};
    if (n == 0) return true;
    compilation c = {.target = target, .units = units, .cache = cache};
    c.results = tct_alloc(n * sizeof *c.results);
    c.missing = tct_alloc(n * sizeof *c.missing);
    for (size_t i = 0; i < n; i++) {
        if (cache) find(&c, i);
        if (!c.results[i].object) c.missing[c.n_missing++] = i;
    }
    bool ok = c.n_missing == 0 || (compile_missing(d, &c, threads) && report(d, &c));
    if (cache) tct_cache_flush(cache);
    if (ok) {
        out->data = tct_alloc(n * sizeof *out->data);
        out->n_cached = n - c.n_missing;
    }
    for (size_t i = 0; i < n; i++) {
        if (ok)
            out->data[out->n++] = c.results[i].object;
        else if (c.results[i].object)
            LLVMDisposeMemoryBuffer(c.results[i].object);
        free(c.results[i].error);
    }
    free(c.results);
    free(c.missing);
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
    objects->n_cached += more->n_cached;
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
    LLVMModuleRef module = emit_module(context, machine, target, unit);
    char *error = module_text(module, machine, stage, out);
    bool ok =
        !error || tct_error(d, "E0841", TCT_NO_SPAN, "LLVM refuses the code of '%s': %s", unit->name, error);
    free(error);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    LLVMDisposeTargetMachine(machine);
    return ok;
}
