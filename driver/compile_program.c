#include "driver/compile_program.h"

#include "base/file.h"
#include "driver/driver.h"
#include "passes/passes.h"
#include "runtime/hf.h"
#include "runtime/settings.h"
#include "runtime/tokenizer.h"
#include "runtime/vm.h"

#include <jansson.h>
#include <math.h>
#include <time.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void print_binds(const tct_bind *binds, size_t n, tct_buf *out) {
    for (size_t i = 0; i < n; i++)
        tct_buf_printf(out, " %u:%u:%u", binds[i].kind, binds[i].reg, binds[i].index);
}

// A checkpoint belongs to one program: what it does, on which graphs, and not for which processor it is
// compiled.
static uint64_t program_hash(const tct_draft *draft) {
    const tct_program *p = &draft->program;
    tct_buf text = {0};
    tct_program_print_code(p, &text);
    for (uint32_t i = 0; i < draft->n_graphs; i++) tct_ir_print(draft->graphs[i], &text, NULL);
    for (uint32_t i = 0; i < p->n_runs; i++) {
        const tct_graph *g = draft->graphs[p->runs[i].plan];
        print_binds(p->runs[i].inputs, g->inputs.len, &text);
        print_binds(p->runs[i].outputs, g->outputs.len, &text);
    }
    uint64_t hash = XXH3_64bits(text.data, text.len);
    tct_buf_free(&text);
    return hash;
}

static bool compile_graphs(tct_diag *d, tct_compiled *c) {
    tct_draft *draft = c->draft;
    const tct_plan **plans = TCT_NEW_ARRAY(&d->arena, const tct_plan *, draft->n_graphs + 1);
    tct_compile_options options = {.defer = true};
    for (uint32_t i = 0; i < draft->n_graphs; i++) {
        plans[i] = tct_compile_graph(d, c->compiler, draft->graphs[i], &options);
        if (!plans[i]) return false;
    }
    draft->program.plans = plans;
    return tct_compiler_finish(d, c->compiler);
}

bool tct_program_draft(tct_diag *d, const tct_compile_request *r, tct_compiled *out) {
    double start = now();
    if (!tct_package_load(d, &out->package, r->file, tct_std_dir(&d->arena))) return false;
    out->module = tct_ir_module_new();
    out->elab = tct_elab_new(d, &out->package, r->sets, r->n_sets);
    if (d->n_errors) return false;
    out->draft = tct_elab_program(out->elab, out->module, r->pipeline, &tct_driver_hooks);
    if (!out->draft) return false;
    out->draft->program.hash = program_hash(out->draft);
    out->draft->program.folder = tct_path_dir(&d->arena, r->file);
    out->seconds = now() - start;
    return tct_settings_apply(d, &out->draft->program, NULL, 0);
}

bool tct_program_compile(tct_diag *d, const tct_compile_request *r, tct_compiled *out) {
    if (!out->draft && !tct_program_draft(d, r, out)) return false;
    double start = now();
    out->compiler = tct_jit_compiler(d, &r->jit, r->isa, r->threads);
    if (!out->compiler) return false;
    tct_compiler_libraries(out->compiler, out->draft->program.folder);
    if (!compile_graphs(d, out)) return false;
    tct_program *p = &out->draft->program;
    for (uint32_t i = 0; i < p->n_externs; i++) p->externs[i].caller = tct_ffi_call;
    out->seconds += now() - start;
    tct_jit_say(&r->jit, out->compiler);
    return true;
}

bool tct_program_compile_ahead(tct_diag *d, const tct_compile_request *r, const tct_isa *sets,
                               uint32_t n_sets, tct_compiled *out) {
    if (!out->draft && !tct_program_draft(d, r, out)) return false;
    double start = now();
    tct_draft *draft = out->draft;
    const tct_plan **plans[TCT_N_ISAS];
    for (uint32_t s = 0; s < n_sets; s++) {
        plans[s] = TCT_NEW_ARRAY(&d->arena, const tct_plan *, draft->n_graphs + 1);
        out->variants[s] = (tct_image_variant){sets[s], plans[s]};
    }
    out->n_variants = n_sets;
    out->compiler = tct_compiler_new_ahead(sets, n_sets, r->threads);
    tct_jit_prepare(d, &r->jit, out->compiler);
    for (uint32_t i = 0; i < draft->n_graphs; i++) {
        tct_plan *made[TCT_N_ISAS];
        if (!tct_compile_graph_ahead(d, out->compiler, draft->graphs[i], NULL, made)) return false;
        for (uint32_t s = 0; s < n_sets; s++) plans[s][i] = made[s];
    }
    draft->program.plans = plans[0];
    out->seconds += now() - start;
    return true;
}

void tct_compiled_free(tct_compiled *c) {
    if (c->compiler) tct_compiler_free(c->compiler);
    if (c->elab) tct_elab_free(c->elab);
    if (c->module) tct_ir_module_free(c->module);
    tct_package_free(&c->package);
    *c = (tct_compiled){0};
}
