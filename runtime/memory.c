#include "runtime/memory.h"

#include "base/size.h"
#include "runtime/generate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

// --- What it takes ---

static uint64_t elements(const tct_model_param *p) {
    uint64_t n = 1;
    for (uint32_t k = 0; k < p->n_axes; k++) n *= (uint64_t)p->size[k];
    return n;
}

static uint64_t model_bytes(const tct_model_desc *m) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < m->n_params; i++)
        bytes += elements(&m->params[i]) * tct_dtype_size((tct_dtype)m->params[i].dtype);
    return bytes;
}

static uint64_t optimizer_bytes(const tct_program *p, const tct_optimizer_desc *o) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < o->n_params; i++) {
        const tct_model_desc *m = &p->models[p->regs[o->models[o->param_model[i]]].table];
        const tct_model_param *x = &m->params[o->param_index[i]];
        bytes += elements(x) * o->n_states * sizeof(float);
        if (o->accumulates) bytes += elements(x) * tct_dtype_size((tct_dtype)x->dtype);
    }
    return bytes;
}

// What the first call of a plan passes to it.
static void find_data(const tct_program *p, uint32_t plan, tct_memory_need *n) {
    const tct_run *run = NULL;
    for (uint32_t i = 0; i < p->n_runs && !run; i++)
        if (p->runs[i].plan == plan) run = &p->runs[i];
    for (uint32_t i = 0; run && i < p->plans[plan]->n_inputs; i++) {
        const tct_plan_port *port = &p->plans[plan]->inputs[i];
        if (run->inputs[i].kind == TCT_BIND_PARAM) n->parameters += port->bytes;
        if (run->inputs[i].kind != TCT_BIND_REG || port->n_axes == 0 || n->axis) continue;
        n->axis = port->axis[0];
        n->size = port->size[0];
    }
}

int64_t tct_memory_fitting(const tct_memory_need *n, uint64_t room) {
    if (room <= n->parameters || n->arena <= n->parameters) return 0;
    return (int64_t)((double)n->size * (double)(room - n->parameters) / (double)(n->arena - n->parameters));
}

tct_memory_need tct_memory_needed(const tct_program *p) {
    tct_memory_need n = {0};
    for (uint32_t i = 0; i < p->n_instrs; i++) {
        const tct_instr *at = &p->instrs[i];
        if (at->op == TCT_I_MODEL) n.models += model_bytes(&p->models[at->a]);
        if (at->op == TCT_I_OPTIMIZER) n.optimizers += optimizer_bytes(p, &p->optimizers[at->a]);
        if (at->op == TCT_I_CALL && p->calls[at->a].builtin == TCT_BUILTIN_CLONE)
            n.models += model_bytes(&p->models[p->regs[p->calls[at->a].results[0]].table]);
    }
    for (uint32_t i = 0; i < p->n_generators; i++) {
        const tct_generator *g = &p->generators[i];
        n.generation += tct_generate_narrow_bytes(g, p->plans);
        for (uint32_t k = 0; k < g->n_cache; k++) {
            n.generation += g->cache[k].bytes;
            if (g->fill < g->places) // rows that are on their way to a place
                n.generation += g->cache[k].bytes / (uint64_t)g->places * (uint64_t)g->fill;
        }
    }
    uint32_t largest = 0;
    for (uint32_t i = 0; i < p->n_plans; i++) {
        if (p->plans[i]->arena_bytes <= n.arena) continue;
        n.arena = p->plans[i]->arena_bytes;
        n.plan = p->plans[i]->name;
        largest = i;
    }
    if (n.plan) find_data(p, largest, &n);
    return n;
}

uint64_t tct_memory_total(const tct_memory_need *n) {
    return n->models + n->optimizers + n->generation + n->arena;
}

// --- What there is ---

// The number behind `key` in a file of lines, or of a file that is a number with key "". False: not there.
static bool number_in(const char *path, const char *key, uint64_t *out) {
    FILE *f = fopen(path, "r");
    char line[256];
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f))
        found = strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), "%" SCNu64, out) == 1;
    if (f) fclose(f);
    return found;
}

static void keep_least(uint64_t bytes, const char *what, uint64_t *least, const char **why) {
    if (bytes >= *least) return;
    *least = bytes;
    *why = what;
}

static uint64_t less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

uint64_t tct_memory_available(const char **why) {
    uint64_t least = UINT64_MAX, x, swap = 0, limit, pages = 0;
    *why = "";
    number_in("/proc/meminfo", "SwapFree:", &swap);
    if (number_in("/proc/meminfo", "MemAvailable:", &x))
        keep_least((x + swap) << 10, "of this machine's memory", &least, why);
    // What the group holds of files can be had back.
    uint64_t held = 0;
    number_in("/sys/fs/cgroup/memory.stat", "anon ", &held);
    if (number_in("/sys/fs/cgroup/memory.max", "", &limit))
        keep_least(less(limit, held), "of the limit of the control group", &least, why);
    struct rlimit r;
    number_in("/proc/self/statm", "", &pages);
    if (getrlimit(RLIMIT_AS, &r) == 0 && r.rlim_cur != RLIM_INFINITY)
        keep_least(less(r.rlim_cur, pages * (uint64_t)sysconf(_SC_PAGESIZE)),
                   "of the limit of address space (ulimit -v)", &least, why);
    return least;
}

// --- The check ---

static const char *text_of(tct_diag *d, uint64_t bytes) {
    tct_buf b = {0};
    tct_bytes_print(bytes, &b);
    const char *kept = tct_arena_strdup(&d->arena, b.data);
    tct_buf_free(&b);
    return kept;
}

bool tct_memory_check(tct_diag *d, const tct_program *p, bool ahead) {
    const char *why;
    tct_memory_need n = tct_memory_needed(p);
    uint64_t total = tct_memory_total(&n), there = tct_memory_available(&why);
    if (total <= there) return true;
    tct_error(d, "E0849", TCT_NO_SPAN, "%s needs %s of memory, and %s %s are left", p->name,
              text_of(d, total), text_of(d, there), why);
    tct_note_at(d, TCT_NO_SPAN, "models %s, optimizers %s, generation %s, intermediates of %s %s",
                text_of(d, n.models), text_of(d, n.optimizers), text_of(d, n.generation),
                n.plan ? n.plan : "plans", text_of(d, n.arena));
    uint64_t fixed = total - n.arena, trained = n.models + n.optimizers;
    if (there <= trained) {
        tct_help(d, "models and optimizers are too large by themselves");
        return false;
    }
    if (there <= fixed) {
        tct_note_at(d, TCT_NO_SPAN,
                    "beside models and optimizers there are %s, %.0f %% of what generation keeps",
                    text_of(d, there - trained), 100 * (double)(there - trained) / (double)n.generation);
        tct_help(
            d,
            "`at_once = N` keeps keys and values of N rows at a time; fewer or shorter rows take less, too");
        return false;
    }
    int64_t fits = n.axis ? tct_memory_fitting(&n, there - fixed) : 0;
    if (fits)
        tct_note_at(d, TCT_NO_SPAN,
                    "with axis %s = %" PRId64 " instead of %" PRId64
                    " it fits, if all grows with it but gradients",
                    n.axis, fits, n.size);
    else
        tct_note_at(
            d, TCT_NO_SPAN,
            "there are %s for intermediates, %.0f %% of what they take: a batch or length that much smaller "
            "fits",
            text_of(d, there - fixed), 100 * (double)(there - fixed) / (double)n.arena);
    tct_help(d, "%s --memory %" PRIu64 "M computes values again instead of keeping them",
             ahead ? "tercet build" : "with", there >> 20);
    return false;
}
