// Reading the image, choosing an instruction set, and finding functions by name.
#include "runtime/linked.h"

#include "runtime/foreign.h"
#include "runtime/signature.h"

#include <stdlib.h>
#include <string.h>

bool tct_linked_read(tct_diag *d, const char *what, tct_image *out) {
    if (!tct_image_read(d, &d->arena, what, tct_linked_image, tct_linked_image_bytes, out)) return false;
    for (uint32_t i = 0; i < out->n_sources; i++)
        tct_diag_add_source(d, out->sources[i].path, out->sources[i].text, out->sources[i].len);
    return true;
}

static int compare(const void *symbol, const void *entry) {
    return strcmp(symbol, ((const tct_linked_function *)entry)->symbol);
}

static void *look_up(const char *symbol) {
    const tct_linked_function *found =
        bsearch(symbol, tct_linked_functions, tct_linked_n_functions, sizeof *tct_linked_functions, compare);
    return found ? found->address : NULL;
}

// A foreign function that was linked, NULL where its library is to be opened.
static void *foreign(const char *name) {
    tct_buf symbol = {0};
    tct_buf_printf(&symbol, TCT_LINKED_FOREIGN "%s", name);
    void *fn = look_up(symbol.data);
    tct_buf_free(&symbol);
    return fn;
}

// The address of a function, NULL after reporting.
static void *linked(tct_diag *d, const char *symbol) {
    void *found = look_up(symbol);
    if (found) return found;
    tct_error(d, "E0715", TCT_NO_SPAN, "the function %s is missing that the image names", symbol);
    tct_help(d, "build it again");
    return NULL;
}

// Frees `signature`.
static tct_caller caller_of(tct_diag *d, tct_buf *signature) {
    tct_buf symbol = {0};
    tct_buf_printf(&symbol, TCT_LINKED_CALLER "%s", signature->data);
    tct_caller caller = (tct_caller)linked(d, symbol.data);
    tct_buf_free(&symbol);
    tct_buf_free(signature);
    return caller;
}

static bool resolve_plan(tct_diag *d, const tct_plan *plan, const char *folder) {
    for (uint32_t k = 0; k < plan->n_kernels; k++)
        if (!(plan->kernels[k].fn = linked(d, plan->kernels[k].symbol))) return false;
    for (uint32_t k = 0; k < plan->n_foreigns; k++) {
        tct_buf signature = {0};
        tct_foreign_signature(&plan->foreigns[k], &signature);
        tct_caller caller = caller_of(d, &signature);
        if (!caller) return false;
        plan->foreigns[k].caller = caller;
        plan->foreigns[k].fn = foreign(plan->foreigns[k].symbol);
        if (!plan->foreigns[k].fn && !tct_foreign_resolve(d, &plan->foreigns[k], folder, caller))
            return false;
    }
    for (uint32_t k = 0; k < plan->n_scans; k++)
        if (!resolve_plan(d, plan->scans[k].body, folder)) return false;
    return true;
}

static bool resolve_externs(tct_diag *d, const tct_program *p) {
    for (uint32_t i = 0; i < p->n_externs; i++) {
        tct_buf signature = {0};
        tct_extern_signature(&p->externs[i], p->regs, &signature);
        if (!(p->externs[i].caller = caller_of(d, &signature))) return false;
        p->externs[i].fn = foreign(p->externs[i].symbol);
    }
    return true;
}

bool tct_linked_choose(tct_diag *d, const char *what, tct_image *image, tct_isa limit) {
    tct_isa host = tct_isa_host(), best = limit < host ? limit : host;
    const tct_image_variant *chosen = NULL;
    const char *sets = "";
    for (uint32_t i = 0; i < image->n_variants; i++) {
        const tct_image_variant *v = &image->variants[i];
        if (v->isa <= best) chosen = v;
        sets = tct_arena_printf(&d->arena, "%s%s%s", sets, i ? ", " : "", tct_isa_name(v->isa));
    }
    if (!chosen) {
        const char *whose = limit < host ? "it may use" : "this processor has";
        bool plain = limit >= host && host == TCT_ISA_BASE;
        tct_error(d, "E0845", TCT_NO_SPAN, "%s was built for %s, and %s no %s%s", what, sets, whose,
                  plain ? "AVX2" : "more than ", plain ? "" : tct_isa_name(best));
        tct_help(d, "`tercet build --isa %s` builds one that runs here", tct_isa_name(best));
        return false;
    }
    image->program.plans = chosen->plans;
    for (uint32_t i = 0; i < image->program.n_plans; i++)
        if (!resolve_plan(d, chosen->plans[i], image->program.folder)) return false;
    return resolve_externs(d, &image->program);
}
