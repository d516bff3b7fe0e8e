// The compiler: passes, plan, and machine code for kernels that no earlier graph had.
#include "codegen/compile.h"

#include "base/places.h"
#include "base/size.h"
#include "codegen/debug.h"
#include "codegen/fit.h"
#include "codegen/jit.h"
#include "codegen/listing.h"
#include "codegen/plan.h"
#include "codegen/plan_places.h"
#include "runtime/foreign.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct kernel {
    const char *symbol;
    tct_unit unit;
    tct_isa isa;
    tct_loop *loop; // NULL: a kernel of products
    uint64_t hash;
    const char *text;
    tct_span span; // of its first use, as are all places in it
    uint32_t uses;
    const tct_diag *sources; // for debug information, NULL: none
    void *fn;                // NULL until it is compiled
    bool compiled;
} kernel;

struct tct_kernel_set {
    tct_arena arena;
    TCT_VEC(kernel *) kernels;
    uint32_t *table, table_size; // kernel + 1 by hash of its text; 0: free
    uint32_t hits;
};

typedef struct planned {
    tct_plan *plan;
    const tct_plan_origin *origin;
    bool resolved;
} planned;

struct tct_compiler {
    tct_target targets[TCT_N_ISAS];
    uint32_t n_targets;
    int threads;
    tct_jit *jit;          // NULL: ahead of time
    tct_cache *cache;      // owned, may be NULL
    const char *libraries; // folder
    uint64_t memory;       // what a graph may take; 0: as it comes
    tct_arena arena;
    tct_kernel_set set;
    const tct_diag *sources; // for debug information, NULL: none
    const char *passes;      // of graphs whose options name none
    TCT_VEC(planned) plans;
    tct_compile_stats stats;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// --- Kernels ---

static uint64_t hash_text(const char *s) {
    uint64_t h = UINT64_C(0xCBF29CE484222325);
    for (; *s; s++) h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001B3);
    return h ^ h >> 32;
}

static kernel *find_or_add(tct_kernel_set *set, tct_isa isa, const char *text) {
    if (2 * set->kernels.len >= set->table_size) {
        uint32_t size = set->table_size ? 2 * set->table_size : 256;
        uint32_t *table = TCT_NEW_ARRAY(&set->arena, uint32_t, size);
        for (uint32_t k = 0; k < set->kernels.len; k++) {
            uint64_t at = set->kernels.data[k]->hash & (size - 1);
            while (table[at]) at = (at + 1) & (size - 1);
            table[at] = k + 1;
        }
        set->table = table;
        set->table_size = size;
    }
    uint64_t hash = hash_text(text), at = hash & (set->table_size - 1);
    for (; set->table[at]; at = (at + 1) & (set->table_size - 1)) {
        kernel *k = set->kernels.data[set->table[at] - 1];
        if (k->hash == hash && k->isa == isa && strcmp(k->text, text) == 0) return k;
    }
    kernel *k = TCT_NEW(&set->arena, kernel);
    k->hash = hash;
    k->isa = isa;
    k->text = tct_arena_strdup(&set->arena, text);
    TCT_PUSH(&set->kernels, k);
    set->table[at] = (uint32_t)set->kernels.len;
    return k;
}

static void emit_loop(const void *data, LLVMModuleRef module, const tct_target *target) {
    const kernel *k = data;
    (void)target;
    tct_loop_emit(k->loop, k->symbol, module, k->sources);
}

static void emit_gemm(const void *data, LLVMModuleRef module, const tct_target *target) {
    const kernel *k = data;
    tct_unit unit = tct_gemm_unit(k->symbol);
    unit.emit(unit.data, module, target);
    if (!k->sources) return;
    LLVMValueRef fn = LLVMGetNamedFunction(module, k->symbol);
    tct_debug debug;
    tct_debug_begin(&debug, k->sources, fn, k->span);
    tct_debug_end(&debug, fn);
}

static void free_loop(tct_loop *loop) {
    tct_arena *arena = loop->arena; // the loop lies in it
    tct_arena_free(arena);
    tct_heap_free(arena);
}

static bool has_bf16(const tct_loop *loop) {
    for (uint32_t b = 0; b < loop->n_bufs; b++)
        if (loop->buf_dtype[b] == TCT_BF16) return true;
    for (uint32_t v = 0; v < loop->n_values; v++)
        if (loop->values[v].dtype == TCT_BF16) return true;
    return false;
}

const char *tct_kernel_set_loop(tct_kernel_set *set, const tct_target *target, tct_loop *loop) {
    tct_buf text = {0};
    tct_loop_print(loop, NULL, &text);
    kernel *k = find_or_add(set, tct_target_kernel_isa(target, has_bf16(loop)), text.data);
    tct_buf_free(&text);
    k->uses++;
    if (k->symbol) {
        set->hits++;
        free_loop(loop);
        return k->symbol;
    }
    k->symbol = tct_arena_printf(&set->arena, "%s_%016" PRIx64 "_%s", loop->tile ? "tile" : "loop", k->hash,
                                 tct_isa_name(k->isa));
    k->loop = loop;
    k->span = loop->span;
    k->unit = (tct_unit){.name = k->symbol,
                         .key = k->text,
                         .emit = emit_loop,
                         .data = k,
                         .cost = (double)(loop->n_values + loop->cost) * loop->unroll / 16};
    return k->symbol;
}

const char *tct_kernel_set_gemm(tct_kernel_set *set, const char *symbol, tct_span span) {
    kernel *k = find_or_add(set, tct_gemm_symbol_isa(symbol), symbol);
    k->uses++;
    if (k->symbol) {
        set->hits++;
    } else {
        k->symbol = k->text;
        k->span = span;
        k->unit = tct_gemm_unit(k->symbol);
        k->unit.emit = emit_gemm;
        k->unit.data = k;
    }
    return k->symbol;
}

static kernel *kernel_by_symbol(const tct_kernel_set *set, const char *symbol) {
    for (size_t k = 0; k < set->kernels.len; k++)
        if (set->kernels.data[k]->symbol == symbol) return set->kernels.data[k];
    return NULL;
}

tct_kernel_set *tct_kernel_set_new(void) { return tct_alloc(sizeof(tct_kernel_set)); }

static void set_free(tct_kernel_set *set) {
    for (size_t k = 0; k < set->kernels.len; k++)
        if (set->kernels.data[k]->loop) free_loop(set->kernels.data[k]->loop);
    TCT_VEC_FREE(&set->kernels);
    tct_arena_free(&set->arena);
}

void tct_kernel_set_free(tct_kernel_set *set) {
    set_free(set);
    tct_heap_free(set);
}

// --- The compiler ---

static tct_compiler *new_compiler(tct_jit *jit, const tct_isa *sets, uint32_t n_sets, int threads) {
    tct_compiler *c = tct_alloc(sizeof *c);
    for (uint32_t i = 0; i < n_sets; i++) c->targets[i] = tct_target_of(sets[i]);
    c->n_targets = n_sets;
    c->jit = jit;
    c->passes = tct_passes_default;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    c->threads = threads > 0 ? threads : cores > 0 ? (int)cores : 1;
    return c;
}

tct_compiler *tct_compiler_new(tct_diag *d, const char *isa, int threads) {
    tct_isa which = tct_isa_host();
    if (isa && !tct_isa_parse(isa, &which)) {
        tct_error(d, "E0902", TCT_NO_SPAN, "there is no instruction set called '%s'", isa);
        tct_help(d, "base, avx2, avx512, avx512bf16 and amx are there");
        return NULL;
    }
    tct_jit *jit = tct_jit_new(d);
    return jit ? new_compiler(jit, &which, 1, threads) : NULL;
}

tct_compiler *tct_compiler_new_ahead(const tct_isa *sets, uint32_t n_sets, int threads) {
    assert(n_sets > 0 && n_sets <= TCT_N_ISAS);
    return new_compiler(NULL, sets, n_sets, threads);
}

void tct_compiler_free(tct_compiler *c) {
    if (!c) return;
    tct_jit_free(c->jit);
    tct_cache_close(c->cache);
    set_free(&c->set);
    TCT_VEC_FREE(&c->plans);
    tct_arena_free(&c->arena);
    tct_heap_free(c);
}

void tct_compiler_libraries(tct_compiler *c, const char *folder) { c->libraries = folder; }

void tct_compiler_memory(tct_compiler *c, uint64_t bytes) { c->memory = bytes; }

void tct_compiler_use_cache(tct_compiler *c, tct_cache *cache) {
    assert(!c->cache);
    c->cache = cache;
}

bool tct_compiler_use_perf(tct_diag *d, tct_compiler *c) {
    assert(c->jit && c->set.kernels.len == 0);
    if (c->sources) { // whose lines perf is to know
        tct_jit_free(c->jit);
        c->jit = tct_jit_new_dumping(d);
    }
    return c->jit && tct_jit_use_perf(d, c->jit);
}

void tct_compiler_passes(tct_compiler *c, const char *passes) { c->passes = passes; }

const char *tct_compiler_pass_list(const tct_compiler *c, const tct_graph *g) {
    return g->mixed ? tct_passes_mixed : c->passes;
}

tct_cache *tct_compiler_cache(const tct_compiler *c) { return c->cache; }

void tct_compiler_debug(tct_compiler *c, const tct_diag *sources) { c->sources = sources; }

// Object code of kernels, each for its own instruction set.
static bool compile_kernels(tct_diag *d, tct_compiler *c, kernel *const *kernels, size_t n,
                            tct_objects *out) {
    *out = (tct_objects){0};
    TCT_VEC(tct_unit) units = {0};
    bool ok = true;
    for (int isa = 0; isa < TCT_N_ISAS && ok; isa++) {
        units.len = 0;
        for (size_t k = 0; k < n; k++) {
            if ((int)kernels[k]->isa != isa) continue;
            kernels[k]->sources = c->sources;
            TCT_PUSH(&units, kernels[k]->unit);
        }
        tct_target target = tct_target_of((tct_isa)isa);
        tct_objects objects = {0};
        ok =
            units.len == 0 || tct_units_compile(d, &target, units.data, units.len, c->threads,
                                                c->sources ? NULL : c->cache, // which knows nothing of places
                                                &objects);
        tct_objects_append(out, &objects);
    }
    c->stats.cached += (uint32_t)out->n_cached;
    c->stats.compiled += (uint32_t)(out->n - out->n_cached);
    TCT_VEC_FREE(&units);
    if (!ok) tct_objects_free(out);
    return ok;
}

static bool load_new_kernels(tct_diag *d, tct_compiler *c) {
    TCT_VEC(kernel *) fresh = {0};
    for (size_t k = 0; k < c->set.kernels.len; k++)
        if (!c->set.kernels.data[k]->compiled) TCT_PUSH(&fresh, c->set.kernels.data[k]);
    tct_objects objects;
    bool ok = compile_kernels(d, c, fresh.data, fresh.len, &objects) && tct_jit_add(d, c->jit, &objects);
    for (size_t k = 0; k < fresh.len && ok; k++) {
        fresh.data[k]->fn = tct_jit_lookup(d, c->jit, fresh.data[k]->symbol);
        fresh.data[k]->compiled = ok = fresh.data[k]->fn != NULL;
    }
    TCT_VEC_FREE(&fresh);
    return ok;
}

// Addresses of the plan's kernels and foreign functions.
static bool resolve(tct_diag *d, tct_compiler *c, tct_plan *plan) {
    bool ok = true;
    for (uint32_t k = 0; k < plan->n_kernels; k++)
        plan->kernels[k].fn = kernel_by_symbol(&c->set, plan->kernels[k].symbol)->fn;
    for (uint32_t k = 0; k < plan->n_foreigns && ok; k++)
        ok = tct_foreign_resolve(d, &plan->foreigns[k], c->libraries, tct_ffi_call);
    for (uint32_t k = 0; k < plan->n_scans && ok; k++) ok = resolve(d, c, (tct_plan *)plan->scans[k].body);
    return ok;
}

bool tct_compiler_finish(tct_diag *d, tct_compiler *c) {
    double start = now();
    assert(c->jit);
    bool ok = load_new_kernels(d, c);
    for (size_t k = 0; k < c->plans.len && ok; k++) {
        planned *p = &c->plans.data[k];
        if (!p->resolved) ok = p->resolved = resolve(d, c, p->plan);
    }
    c->stats.code_seconds += now() - start;
    return ok;
}

bool tct_compiler_objects(tct_diag *d, tct_compiler *c, tct_objects *out) {
    double start = now();
    bool ok = compile_kernels(d, c, c->set.kernels.data, c->set.kernels.len, out);
    c->stats.code_seconds += now() - start;
    return ok;
}

uint32_t tct_compiler_n_kernels(const tct_compiler *c) { return (uint32_t)c->set.kernels.len; }

const char *tct_compiler_kernel(const tct_compiler *c, uint32_t i) { return c->set.kernels.data[i]->symbol; }

static uint32_t steps_of(const tct_plan *plan) {
    uint32_t n = plan->n_steps;
    for (uint32_t k = 0; k < plan->n_scans; k++) n += steps_of(plan->scans[k].body);
    return n;
}

// g within the limit, before fusion.
static tct_graph *fit(tct_diag *d, tct_compiler *c, tct_graph *g) {
    uint64_t ports = tct_fit_ports(g), least = c->memory == TCT_LEAST_MEMORY;
    uint64_t room = least || c->memory <= ports ? 0 : c->memory - ports;
    tct_fitted f;
    g = tct_fit(d, g, c->targets, c->n_targets, room, &f);
    if (!g) return NULL;
    if (!least && (c->memory < ports || f.after > room)) {
        tct_buf needed = {0}, had = {0}, limit = {0};
        tct_bytes_print(ports + f.before, &needed);
        tct_bytes_print(ports + f.after, &had);
        tct_bytes_print(c->memory, &limit);
        tct_error(d, "E0848", TCT_NO_SPAN, "%s needs %s of memory, more than the limit of %s", g->name,
                  f.values ? had.data : needed.data, limit.data);
        if (f.values)
            tct_note_at(d, TCT_NO_SPAN,
                        "that is with %.0f %% of its arithmetic done a second time; without, %s",
                        100 * f.share, needed.data);
        tct_help(d, "a smaller batch or length takes less, or `for part in split(batch, n)`");
        tct_buf_free(&needed);
        tct_buf_free(&had);
        tct_buf_free(&limit);
        return NULL;
    }
    c->stats.again += f.values;
    if (f.share > c->stats.again_most) {
        c->stats.again_most = f.share;
        c->stats.kept_from = f.before;
        c->stats.kept_to = f.after;
    }
    return g;
}

// The plans of g, one for each target.
static bool plan_graph(tct_diag *d, tct_compiler *c, tct_graph *g, const tct_compile_options *o,
                       tct_plan **plans) {
    double start = now();
    g = tct_passes_run(d, g, o->passes ? o->passes : tct_compiler_pass_list(c, g), o->trace);
    if (g && c->memory) g = fit(d, c, g);
    if (!g) return false;
    g = tct_pass_fuse(g);
    double planning = now();
    c->stats.pass_seconds += planning - start;
    for (uint32_t i = 0; i < c->n_targets; i++) {
        planned p = {0};
        p.plan = plans[i] = tct_plan_make(d, &c->arena, g, &c->targets[i], &c->set, NULL, &p.origin);
        if (!p.plan) return false;
        TCT_PUSH(&c->plans, p);
        c->stats.steps += steps_of(plans[i]);
    }
    c->stats.graphs++;
    c->stats.plan_seconds += now() - planning;
    return true;
}

static const tct_compile_options no_options;

tct_plan *tct_compile_graph(tct_diag *d, tct_compiler *c, tct_graph *g, const tct_compile_options *o) {
    assert(c->jit);
    if (!o) o = &no_options;
    tct_plan *plan;
    if (!plan_graph(d, c, g, o, &plan)) return NULL;
    return o->defer || tct_compiler_finish(d, c) ? plan : NULL;
}

bool tct_compile_graph_ahead(tct_diag *d, tct_compiler *c, tct_graph *g, const tct_compile_options *o,
                             tct_plan **plans) {
    return plan_graph(d, c, g, o ? o : &no_options, plans);
}

const tct_plan_origin *tct_compiler_origin(const tct_compiler *c, const tct_plan *plan) {
    for (size_t k = 0; k < c->plans.len; k++)
        if (c->plans.data[k].plan == plan) return c->plans.data[k].origin;
    return NULL;
}

tct_compile_stats tct_compiler_stats(const tct_compiler *c) {
    tct_compile_stats s = c->stats;
    s.kernels = (uint32_t)c->set.kernels.len;
    s.kernel_hits = c->set.hits;
    return s;
}

// --- Dumps ---

// "used 12 times, first by std/core.tct:4, 7-9".
static void dump_uses(const kernel *k, const tct_diag *sources, tct_buf *out) {
    TCT_VEC(tct_span) spans = {0};
    TCT_PUSH(&spans, k->span);
    for (uint32_t v = 0; k->loop && v < k->loop->n_values; v++) TCT_PUSH(&spans, k->loop->values[v].span);
    for (uint32_t s = 0; k->loop && s < k->loop->n_stores; s++) TCT_PUSH(&spans, k->loop->stores[s].span);
    tct_buf places = {0};
    tct_places_print(sources, spans.data, spans.len, &places);
    if (k->uses != 1) tct_buf_printf(out, "used %u times%s", k->uses, places.len ? ", first by " : "");
    if (places.len) tct_buf_puts(out, places.data);
    tct_buf_free(&places);
    TCT_VEC_FREE(&spans);
}

static void dump_kernel(const kernel *k, tct_dump_stage stage, const tct_diag *sources, tct_buf *out) {
    tct_buf uses = {0};
    if (sources) dump_uses(k, sources, &uses);
    if (uses.len) tct_buf_printf(out, "%c %s: %s\n", stage == TCT_DUMP_ASM ? '#' : ';', k->symbol, uses.data);
    tct_buf_free(&uses);
    if (stage == TCT_DUMP_KERNEL) {
        tct_buf_printf(out, "%s%s\n", k->symbol, k->loop ? ":" : "");
        if (k->loop) tct_loop_print(k->loop, sources, out);
        tct_buf_putc(out, '\n');
        return;
    }
    tct_diag d = {0};
    tct_target target = tct_target_of(k->isa);
    kernel noted = *k;
    noted.sources = sources;
    noted.unit.data = &noted;
    tct_buf text = {0};
    tct_unit_text(&d, &target, &noted.unit, stage == TCT_DUMP_LLVM ? TCT_TEXT_LLVM : TCT_TEXT_ASM, &text);
    if (stage == TCT_DUMP_LLVM)
        tct_listing_llvm(text.data ? text.data : "", out);
    else
        tct_listing_asm(text.data ? text.data : "", sources, out);
    tct_buf_free(&text);
    tct_diag_free(&d);
}

void tct_compiler_kernel_text(const tct_compiler *c, const char *symbol, tct_dump_stage stage,
                              const tct_diag *sources, tct_buf *out) {
    dump_kernel(kernel_by_symbol(&c->set, symbol), stage, sources, out);
}

static void dump_kernels(const tct_compiler *c, const tct_plan *plan, tct_dump_stage stage,
                         const tct_diag *sources, bool *seen, tct_buf *out) {
    for (uint32_t k = 0; k < plan->n_kernels; k++) {
        for (size_t j = 0; j < c->set.kernels.len; j++) {
            if (c->set.kernels.data[j]->symbol != plan->kernels[k].symbol || seen[j]) continue;
            seen[j] = true;
            dump_kernel(c->set.kernels.data[j], stage, sources, out);
        }
    }
    for (uint32_t k = 0; k < plan->n_scans; k++)
        dump_kernels(c, plan->scans[k].body, stage, sources, seen, out);
}

void tct_compiler_dump(const tct_compiler *c, const tct_plan *plan, tct_dump_stage stage,
                       const tct_diag *sources, tct_buf *out) {
    if (stage == TCT_DUMP_PLAN) {
        tct_plan_print_places(plan, tct_compiler_origin(c, plan), sources, out);
        return;
    }
    bool *seen = tct_alloc(c->set.kernels.len + 1);
    dump_kernels(c, plan, stage, sources, seen, out);
    tct_heap_free(seen);
}
