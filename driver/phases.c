#include "driver/phases.h"

#include "codegen/plan_chart.h"

#include <stdlib.h>
#include <string.h>

static const char start[] = "ir";
static const char *const code_names[] = {"kernel", "llvm", "asm", "plan", "memory"};
static const char *const code_endings[] = {"txt", "ll", "s", "txt", "txt"};
enum { N_CODE = sizeof code_names / sizeof *code_names, MEMORY = N_CODE - 1 };

static int code_number(const char *name) {
    for (int k = 0; k < N_CODE; k++)
        if (strcmp(code_names[k], name) == 0) return k;
    return -1;
}

// Pass number `at` of a list that is written out, by its name as a phase; NULL behind the last one.
static const char *pass_name(tct_arena *a, const char *list, uint32_t at, const char **rest) {
    for (uint32_t k = 0; k < at && *list; k++) {
        list += strcspn(list, ",");
        list += *list == ',';
    }
    if (!*list) return NULL;
    size_t len = strcspn(list, ",");
    *rest = list + len + (list[len] == ',');
    return tct_arena_strndup(a, list, len);
}

static const char *phase_name(tct_arena *a, const char *list, uint32_t at, const char **rest) {
    const char *name = pass_name(a, list, at, rest), *ignored;
    uint32_t times = 1;
    if (!name) return NULL;
    for (uint32_t k = 0; k < at; k++) times += strcmp(pass_name(a, list, k, &ignored), name) == 0;
    return times > 1 ? tct_arena_printf(a, "%s#%u", name, times) : name;
}

static bool same_name(const char *phase, const char *name) {
    size_t len = strlen(phase);
    return strcmp(phase, name) == 0 || (strncmp(phase, name, len) == 0 && strcmp(name + len, "#1") == 0);
}

bool tct_phase_is(const tct_phase *phase, const char *name) { return same_name(phase->name, name); }

// The passes behind phase `name`, and its number; NULL when there is no such phase.
static const char *behind(tct_arena *a, const char *list, const char *name, uint32_t *number) {
    const char *rest = list, *is;
    *number = 1;
    if (strcmp(name, start) == 0) return list;
    for (uint32_t k = 0; (is = phase_name(a, list, k, &rest)); k++) {
        *number = k + 2;
        if (same_name(is, name)) return rest;
    }
    return NULL;
}

static void unknown_phase(tct_diag *d, const char *list, const char *name) {
    TCT_VEC(const char *) names = {0};
    const char *is, *rest;
    tct_buf all = {0};
    tct_buf_puts(&all, start);
    TCT_PUSH(&names, start);
    for (uint32_t k = 0; (is = phase_name(&d->arena, list, k, &rest)); k++) {
        tct_buf_printf(&all, ", %s", is);
        TCT_PUSH(&names, is);
    }
    tct_error(d, "E0602", TCT_NO_SPAN, "there is no phase called '%s'", name);
    const char *near = tct_nearest(name, names.data, names.len);
    if (near)
        tct_help(d, "did you mean '%s'?", near);
    else
        tct_help(d, "phases are: %s", all.data);
    tct_buf_free(&all);
    TCT_VEC_FREE(&names);
}

bool tct_phase_known(tct_diag *d, const char *list, const char *name) {
    uint32_t number;
    list = tct_passes_expand(d, &d->arena, list);
    if (!list) return false;
    bool known = behind(&d->arena, list, name, &number) != NULL;
    if (!known) unknown_phase(d, list, name);
    return known;
}

typedef struct runner {
    tct_arena *arena;
    const tct_phases_request *r;
    tct_phase phase; // the last one
} runner;

static void hand_out(runner *run) {
    if (run->r->each) run->r->each(run->r->ctx, &run->phase);
}

static void after_pass(void *ctx, const char *pass, const tct_graph *before, const tct_graph *g,
                       double seconds) {
    runner *run = ctx;
    const char *rest;
    (void)pass;
    run->phase.name = phase_name(run->arena, run->phase.list, run->phase.number - 1, &rest);
    run->phase.number++;
    run->phase.before = before;
    run->phase.graph = g;
    run->phase.seconds = seconds;
    hand_out(run);
}

static bool make_code(tct_diag *d, runner *run, tct_graph *g) {
    tct_compiler *c = tct_compiler_new(d, run->r->isa, 0);
    // Fusing again changes nothing about what was fused; the machine code is made as text alone.
    tct_compile_options compile = {.passes = "", .defer = true};
    const tct_plan *plan = c ? tct_compile_graph(d, c, g, &compile) : NULL;
    for (int k = 0; k < N_CODE && plan; k++) {
        run->phase = (tct_phase){.number = run->phase.number + 1,
                                 .name = code_names[k],
                                 .list = run->phase.list,
                                 .compiler = c,
                                 .plan = plan};
        hand_out(run);
    }
    tct_compiler_free(c);
    return plan != NULL;
}

bool tct_phases_run(tct_diag *d, tct_graph *g, const tct_phases_request *r) {
    tct_arena *a = &d->arena;
    const char *list = tct_passes_expand(d, a, r->passes), *from = r->from ? r->from : start;
    if (!list) return false;
    runner run = {.arena = a, .r = r};
    const char *rest = behind(a, list, from, &run.phase.number);
    if (!rest) {
        unknown_phase(d, list, from);
        return false;
    }
    run.phase.list = list;
    run.phase.name = from;
    run.phase.graph = g;
    hand_out(&run);
    tct_pass_trace trace = {.verify_each = r->verify_each, .after = after_pass, .ctx = &run};
    g = tct_passes_run(d, g, rest, &trace);
    return g && (!r->code || make_code(d, &run, g));
}

void tct_phase_text(const tct_phase *phase, const tct_diag *sources, bool bare, tct_buf *out) {
    if (phase->graph && bare)
        tct_ir_print_bare(phase->graph, out);
    else if (phase->graph)
        tct_ir_print(phase->graph, out, sources);
    else if (code_number(phase->name) == MEMORY)
        tct_plan_print_memory(phase->plan, tct_compiler_origin(phase->compiler, phase->plan),
                              bare ? NULL : sources, out);
    else
        tct_compiler_dump(phase->compiler, phase->plan, (tct_dump_stage)code_number(phase->name),
                          bare ? NULL : sources, out);
}

const char *tct_phase_file(tct_arena *a, const tct_phase *phase) {
    int code = code_number(phase->name);
    const char *ending = code >= 0 ? code_endings[code] : "tir";
    char *file = (char *)(uintptr_t)tct_arena_printf(a, "%02u-%s.%s", phase->number, phase->name, ending);
    for (char *at = file; (at = strchr(at, '#'));) *at = '-';
    return file;
}

const char *tct_phases_unknown_size(const tct_graph *g) {
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        for (int k = 0; k < n->n_axes; k++)
            if (!tct_axis_of(g->module, n->axes[k])->size) return tct_axis_of(g->module, n->axes[k])->name;
    }
    return NULL;
}
