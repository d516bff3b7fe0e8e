#include "tests/support/machine.h"

#include "base/file.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t add_reg(machine *m, tct_reg_type t) {
    TCT_PUSH(&m->regs, t);
    return (uint32_t)m->regs.len - 1;
}

uint32_t machine_reg(machine *m, tct_kind kind, const char *name) {
    return add_reg(m, (tct_reg_type){.kind = (uint8_t)kind, .name = name});
}

uint32_t machine_list(machine *m, tct_kind element, const char *name) {
    return add_reg(m, (tct_reg_type){.kind = TCT_KIND_LIST, .element = (uint8_t)element, .name = name});
}

uint32_t machine_object(machine *m, tct_kind kind, uint32_t table, const char *name) {
    return add_reg(m, (tct_reg_type){.kind = (uint8_t)kind, .table = table, .name = name});
}

// "B=4 T=8" into names and sizes; returns how many.
static uint32_t parse_axes(machine *m, const char *text, const char **names, int64_t *sizes) {
    uint32_t n = 0;
    while (*text) {
        size_t len = strcspn(text, "=");
        names[n] = tct_arena_strndup(&m->arena, text, len);
        char *end;
        sizes[n++] = strtoll(text + len + 1, &end, 10);
        while (*end == ' ') end++;
        text = end;
    }
    return n;
}

uint32_t machine_tensor(machine *m, tct_dtype dtype, const char *axes, const char *name) {
    tct_reg_type t = {.kind = TCT_KIND_TENSOR, .dtype = (uint8_t)dtype, .name = name};
    t.n_axes = (uint8_t)parse_axes(m, axes, t.axis, t.size);
    return add_reg(m, t);
}

uint32_t machine_emit(machine *m, tct_opcode op, uint32_t dst, uint32_t a, uint32_t b, uint32_t c) {
    TCT_PUSH(&m->instrs, (tct_instr){.op = (uint16_t)op, .dst = dst, .a = a, .b = b, .c = c});
    return (uint32_t)m->instrs.len - 1;
}

static void emit_const(machine *m, uint32_t dst, tct_const c) {
    TCT_PUSH(&m->consts, c);
    machine_emit(m, TCT_I_CONST, dst, (uint32_t)m->consts.len - 1, 0, 0);
}

void machine_int(machine *m, uint32_t dst, int64_t i) {
    emit_const(m, dst, (tct_const){.kind = TCT_KIND_INT, .i = i});
}
void machine_float(machine *m, uint32_t dst, double f) {
    emit_const(m, dst, (tct_const){.kind = TCT_KIND_FLOAT, .f = f});
}
void machine_bool(machine *m, uint32_t dst, bool b) {
    emit_const(m, dst, (tct_const){.kind = TCT_KIND_BOOL, .i = b});
}
void machine_string(machine *m, uint32_t dst, const char *s) {
    emit_const(m, dst, (tct_const){.kind = TCT_KIND_STRING, .s = tct_arena_strdup(&m->arena, s)});
}

static uint32_t *copy_numbers(machine *m, const uint32_t *from, uint32_t n) {
    uint32_t *to = TCT_NEW_ARRAY(&m->arena, uint32_t, n + 1);
    memcpy(to, from, n * sizeof *to);
    return to;
}

uint32_t machine_call(machine *m, tct_builtin builtin, uint32_t n_args, const uint32_t *args,
                      uint32_t n_results, const uint32_t *results) {
    TCT_PUSH(&m->calls, (tct_call){.builtin = builtin,
                                   .n_args = n_args,
                                   .n_results = n_results,
                                   .args = copy_numbers(m, args, n_args),
                                   .results = copy_numbers(m, results, n_results)});
    machine_emit(m, TCT_I_CALL, 0, (uint32_t)m->calls.len - 1, 0, 0);
    return (uint32_t)m->calls.len - 1;
}

void machine_log(machine *m, const char *group, const char *names, const uint32_t *regs) {
    const char **list = TCT_NEW_ARRAY(&m->arena, const char *, strlen(names) + 1);
    uint32_t n = 0;
    while (*names) {
        size_t len = strcspn(names, " ");
        list[n++] = tct_arena_strndup(&m->arena, names, len);
        names += len + (names[len] == ' ');
    }
    TCT_PUSH(&m->logs, (tct_log){group, n, list, copy_numbers(m, regs, n)});
    machine_emit(m, group ? TCT_I_SUMMARY : TCT_I_LOG, 0, (uint32_t)m->logs.len - 1, 0, 0);
}

void machine_stage(machine *m, const char *name, bool begin) {
    if (begin)
        TCT_PUSH(&m->stages,
                 (tct_stage_desc){.name = name, .doc = "A stage.", .begin = (uint32_t)m->instrs.len});
    uint32_t number = (uint32_t)m->stages.len - 1;
    machine_emit(m, begin ? TCT_I_STAGE : TCT_I_STAGE_END, 0, number, 0, 0);
    if (!begin) m->stages.data[number].end = (uint32_t)m->instrs.len;
}

void machine_patch(machine *m, uint32_t instr) {
    tct_instr *at = &m->instrs.data[instr];
    *(at->op == TCT_I_JUMP ? &at->a : &at->b) = (uint32_t)m->instrs.len;
}

// "w f32 N=8 @0; loss f32"
static tct_plan_port *parse_ports(machine *m, const char *text, uint32_t *out_n) {
    tct_plan_port *ports = TCT_NEW_ARRAY(&m->arena, tct_plan_port, strlen(text) + 1);
    uint32_t n = 0;
    while (*text) {
        size_t len = strcspn(text, ";");
        char *one = tct_arena_strndup(&m->arena, text, len), *place = strchr(one, '@');
        text += len + (text[len] == ';');
        while (*text == ' ') text++;
        tct_plan_port *p = &ports[n++];
        p->alias = place ? atoi(place + 1) : -1;
        if (place) *place = 0;
        char *type = strchr(one, ' ');
        *type++ = 0;
        char *axes = strchr(type, ' ');
        if (axes) *axes++ = 0;
        tct_dtype dtype = TCT_F32;
        tct_dtype_parse(type, &dtype);
        const char **names = TCT_NEW_ARRAY(&m->arena, const char *, 8);
        int64_t *sizes = TCT_NEW_ARRAY(&m->arena, int64_t, 8);
        p->name = one;
        p->dtype = (uint8_t)dtype;
        p->n_axes = axes ? parse_axes(m, axes, names, sizes) : 0;
        p->axis = names;
        p->size = sizes;
        p->bytes = tct_dtype_size(dtype);
        for (uint32_t i = 0; i < p->n_axes; i++) p->bytes *= (uint64_t)sizes[i];
    }
    *out_n = n;
    return ports;
}

const tct_plan *machine_plan(machine *m, const char *name, const char *inputs, const char *outputs,
                             tct_kernel_fn kernel) {
    tct_plan *p = TCT_NEW(&m->arena, tct_plan);
    tct_plan_buffer *buffers;
    uint32_t *operands;
    p->name = name;
    p->inputs = parse_ports(m, inputs, &p->n_inputs);
    p->outputs = parse_ports(m, outputs, &p->n_outputs);
    uint32_t n = p->n_inputs + p->n_outputs;
    p->n_buffers = p->n_operands = n;
    p->buffers = buffers = TCT_NEW_ARRAY(&m->arena, tct_plan_buffer, n);
    p->operands = operands = TCT_NEW_ARRAY(&m->arena, uint32_t, n);
    for (uint32_t i = 0; i < n; i++) {
        bool in = i < p->n_inputs;
        buffers[i] = (tct_plan_buffer){.place = in ? TCT_PLACE_INPUT : TCT_PLACE_OUTPUT,
                                       .index = in ? i : i - p->n_inputs};
        operands[i] = i;
    }
    tct_step *step = TCT_NEW(&m->arena, tct_step);
    *step = (tct_step){.kind = TCT_STEP_KERNEL, .n_operands = n, .n_tasks = 1, .label = name};
    p->args = TCT_NEW(&m->arena, int64_t);
    p->kernels = TCT_NEW(&m->arena, tct_plan_kernel);
    p->kernels[0] = (tct_plan_kernel){name, (void *)kernel};
    p->n_kernels = p->n_steps = 1;
    p->steps = step;
    return p;
}

uint32_t machine_add_plan(machine *m, const tct_plan *plan) {
    TCT_PUSH(&m->plans, plan);
    return (uint32_t)m->plans.len - 1;
}

static tct_bind *copy_binds(machine *m, const tct_bind *from, uint32_t n) {
    tct_bind *to = TCT_NEW_ARRAY(&m->arena, tct_bind, n + 1);
    if (n) memcpy(to, from, n * sizeof *to);
    return to;
}

void machine_run(machine *m, uint32_t plan, const tct_bind *inputs, const tct_bind *outputs) {
    const tct_plan *p = m->plans.data[plan];
    TCT_PUSH(&m->runs,
             (tct_run){plan, copy_binds(m, inputs, p->n_inputs), copy_binds(m, outputs, p->n_outputs)});
    machine_emit(m, TCT_I_RUN, 0, (uint32_t)m->runs.len - 1, 0, 0);
}

tct_program *machine_done(machine *m) {
    machine_emit(m, TCT_I_END, 0, 0, 0, 0);
    m->program = (tct_program){
        .name = "test",
        .path = "test.tct",
        .hash = 0x1234,
        .n_regs = (uint32_t)m->regs.len,
        .n_instrs = (uint32_t)m->instrs.len,
        .n_consts = (uint32_t)m->consts.len,
        .n_calls = (uint32_t)m->calls.len,
        .n_runs = (uint32_t)m->runs.len,
        .n_plans = (uint32_t)m->plans.len,
        .n_models = (uint32_t)m->models.len,
        .n_optimizers = (uint32_t)m->optimizers.len,
        .n_tokenizers = (uint32_t)m->tokenizers.len,
        .n_generators = (uint32_t)m->generators.len,
        .n_logs = (uint32_t)m->logs.len,
        .n_externs = (uint32_t)m->externs.len,
        .n_config = (uint32_t)m->config.len,
        .n_stages = (uint32_t)m->stages.len,
        .regs = m->regs.data,
        .instrs = m->instrs.data,
        .consts = m->consts.data,
        .calls = m->calls.data,
        .runs = m->runs.data,
        .plans = m->plans.data,
        .models = m->models.data,
        .optimizers = m->optimizers.data,
        .tokenizers = m->tokenizers.data,
        .generators = m->generators.data,
        .logs = m->logs.data,
        .externs = m->externs.data,
        .config = m->config.data,
        .stages = m->stages.data,
    };
    return &m->program;
}

void machine_free(machine *m) {
    TCT_VEC_FREE(&m->regs);
    TCT_VEC_FREE(&m->instrs);
    TCT_VEC_FREE(&m->consts);
    TCT_VEC_FREE(&m->calls);
    TCT_VEC_FREE(&m->runs);
    TCT_VEC_FREE(&m->plans);
    TCT_VEC_FREE(&m->models);
    TCT_VEC_FREE(&m->optimizers);
    TCT_VEC_FREE(&m->tokenizers);
    TCT_VEC_FREE(&m->generators);
    TCT_VEC_FREE(&m->logs);
    TCT_VEC_FREE(&m->externs);
    TCT_VEC_FREE(&m->stages);
    TCT_VEC_FREE(&m->config);
    tct_arena_free(&m->arena);
}

const char *machine_folder(tct_arena *a) {
    char *path = tct_arena_strdup(a, "/tmp/tercet-test-XXXXXX");
    return mkdtemp(path) ? path : NULL;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

void machine_remove_folder(const char *path) { nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

char *machine_read(tct_arena *a, const char *folder, const char *name) {
    tct_diag d = {0};
    char *text = NULL, *copy = NULL;
    size_t len;
    if (tct_file_read(&d, tct_path_join(a, folder, name), &text, &len))
        copy = tct_arena_strndup(a, text, len);
    tct_heap_free(text);
    tct_diag_free(&d);
    return copy;
}
