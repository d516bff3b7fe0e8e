// Plans and their kernels for the page.
#include "driver/page_data.h"
#include "runtime/gemm.h"

#include <string.h>

static json_t *numbers(uint32_t n, const uint32_t *x) {
    json_t *list = json_array();
    for (uint32_t k = 0; k < n; k++) json_array_append_new(list, json_integer(x[k]));
    return list;
}

static json_t *kernel_text(tct_page_data *p, const char *symbol, tct_dump_stage stage) {
    p->scratch.len = 0;
    tct_compiler_kernel_text(p->compiler, symbol, stage, p->d, &p->scratch);
    char *text = p->scratch.data, *end = strchr(text, '\n');
    if (end && strncmp(text + 2, symbol, strlen(symbol)) == 0)
        text = end + 1; // who uses it, which the page knows
    return tct_page_kernel_text(p, text, stage == TCT_DUMP_ASM);
}

// The number of a kernel among all of the page.
static uint32_t kernel_number(tct_page_data *p, const char *symbol) {
    bool fresh;
    uint32_t number = tct_page_number(&p->kernels, symbol, &fresh);
    if (!fresh) return number;
    json_array_append_new(p->kernels.list, json_pack("{s:s, s:o, s:o, s:o}", "symbol", symbol, "loop",
                                                     kernel_text(p, symbol, TCT_DUMP_KERNEL), "llvm",
                                                     kernel_text(p, symbol, TCT_DUMP_LLVM), "asm",
                                                     kernel_text(p, symbol, TCT_DUMP_ASM)));
    return number;
}

static json_t *step_kernels(tct_page_data *p, const tct_plan *plan, const tct_step *s) {
    json_t *list = json_array();
    if (s->kind == TCT_STEP_KERNEL)
        json_array_append_new(list, json_integer(kernel_number(p, plan->kernels[s->kernel].symbol)));
    if (s->kind != TCT_STEP_GEMM) return list;
    const tct_gemm_args *g = (const tct_gemm_args *)(plan->args + s->arg);
    for (int i = 0; i < TCT_GEMM_N_SLOTS; i++)
        if (g->slot[i] >= 0)
            json_array_append_new(
                list, json_integer(kernel_number(p, plan->kernels[s->kernel + g->slot[i]].symbol)));
    return list;
}

static json_t *step_json(tct_page_data *p, const tct_explained *x, uint32_t k) {
    const tct_plan *plan = x->plan;
    static const char *const kinds[] = {"loop", "product", "scan", "foreign"};
    const tct_step *s = &plan->steps[k];
    json_t *kernels = step_kernels(p, plan, s);
    p->scratch.len = 0;
    tct_plan_print_step(plan, k, &p->scratch);
    json_t *text = tct_page_string(p->scratch.data, p->scratch.len);
    tct_value node = x->origin->node[k];
    tct_kernel_figures f = tct_explain_figures(p->explanation, x, k);
    return json_pack("{s:s, s:s, s:i, s:i, s:o, s:o, s:I, s:f, s:f, s:i, s:s, s:i, s:o}", "kind",
                     kinds[s->kind], "label", s->label ? s->label : "", "node",
                     node == TCT_NO_VALUE ? -1 : (int)node, "scan",
                     s->kind == TCT_STEP_SCAN ? (int)s->kernel : -1, "kernels", kernels, "operands",
                     numbers(s->n_operands, plan->operands + s->operand), "tasks", (json_int_t)s->n_tasks,
                     "flops", s->flops, "bytes", s->bytes, "part", (int)tct_explain_part(x, k), "bound",
                     tct_limit_name(f.limit), "span", (int)tct_page_span(p, s->span), "text", text);
}

static json_t *ports(uint32_t n, const tct_plan_port *port) {
    json_t *list = json_array();
    for (uint32_t k = 0; k < n; k++)
        json_array_append_new(list,
                              json_pack("[o, I, i]", tct_page_string(port[k].name, strlen(port[k].name)),
                                        (json_int_t)port[k].bytes, (int)port[k].alias));
    return list;
}

json_t *tct_page_plan(tct_page_data *p, const tct_explained *x) {
    const tct_plan *plan = x->plan;
    json_t *steps = json_array(), *buffers = json_array(), *scans = json_array();
    for (uint32_t k = 0; k < plan->n_steps; k++) json_array_append_new(steps, step_json(p, x, k));
    for (uint32_t k = 0; k < plan->n_buffers; k++) {
        const tct_plan_buffer *b = &plan->buffers[k];
        json_array_append_new(buffers, json_pack("[i, i, I, I, i, i]", (int)b->place, (int)b->index,
                                                 (json_int_t)b->offset, (json_int_t)b->bytes,
                                                 (int)b->first_step, (int)b->last_step));
    }
    for (uint32_t k = 0; k < plan->n_scans; k++) {
        json_t *scan = tct_page_plan(p, &x->scans[k]);
        json_object_set_new(scan, "trips", json_integer(plan->scans[k].trips));
        json_array_append_new(scans, scan);
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "steps", steps, "apart",
                     tct_page_apart(p, x), "buffers", buffers, "scans", scans, "inputs",
                     ports(plan->n_inputs, plan->inputs), "outputs", ports(plan->n_outputs, plan->outputs),
                     "arena", (json_int_t)plan->arena_bytes, "constants", (json_int_t)plan->constant_bytes,
                     "scratch", (json_int_t)plan->scratch_bytes);
}
