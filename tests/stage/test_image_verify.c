// What images are held to, rule by rule: a program that was compiled right passes, and with one number
// changed it is refused in the words of the rule.
#include "runtime/gemm.h"
#include "runtime/plan_verify.h"
#include "runtime/program_verify.h"
#include "tests/stage/image.h"

// Everything below changes what was read into an arena of its own.
#define CHANGE(type, x) (*(type *)(uintptr_t)&(x))

static tct_instr *instr(const tct_program *p, tct_opcode op) {
    for (uint32_t i = 0; i < p->n_instrs; i++)
        if (p->instrs[i].op == op) return &CHANGE(tct_instr, p->instrs[i]);
    return NULL;
}

static tct_call *call(const tct_program *p, tct_builtin builtin) {
    for (uint32_t i = 0; i < p->n_calls; i++)
        if (p->calls[i].builtin == builtin) return &CHANGE(tct_call, p->calls[i]);
    return NULL;
}

// A register of the kind; UINT32_MAX when there is none.
static uint32_t reg(const tct_program *p, tct_kind kind) {
    for (uint32_t i = 0; i < p->n_regs; i++)
        if (p->regs[i].kind == kind) return i;
    return UINT32_MAX;
}

static tct_bind *bind(const tct_program *p, tct_bind_kind kind, bool output) {
    for (uint32_t i = 0; i < p->n_runs; i++) {
        const tct_plan *plan = p->plans[p->runs[i].plan];
        const tct_bind *all = output ? p->runs[i].outputs : p->runs[i].inputs;
        for (uint32_t k = 0; k < (output ? plan->n_outputs : plan->n_inputs); k++)
            if (all[k].kind == kind) return &CHANGE(tct_bind, all[k]);
    }
    return NULL;
}

// A step of the kind and the plan that it is of: *of.
static tct_step *step_of(const tct_plan *plan, tct_step_kind kind, const tct_plan **of) {
    for (uint32_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].kind == kind) {
            *of = plan;
            return &CHANGE(tct_step, plan->steps[i]);
        }
    for (uint32_t i = 0; i < plan->n_scans; i++) {
        tct_step *s = step_of(plan->scans[i].body, kind, of);
        if (s) return s;
    }
    return NULL;
}

static tct_step *step(const tct_program *p, tct_step_kind kind, const tct_plan **of) {
    for (uint32_t i = 0; i < p->n_plans; i++) {
        tct_step *s = step_of(p->plans[i], kind, of);
        if (s) return s;
    }
    return NULL;
}

static tct_gemm_args *gemm(const tct_program *p) {
    for (uint32_t i = 0; i < p->n_plans; i++)
        for (uint32_t k = 0; k < p->plans[i]->n_steps; k++) {
            const tct_step *s = &p->plans[i]->steps[k];
            tct_gemm_args *g = &CHANGE(tct_gemm_args, p->plans[i]->args[s->arg]);
            if (s->kind == TCT_STEP_GEMM && g->m > 1 && g->n > 1 && g->k > 1 && g->path == TCT_GEMM_TILES)
                return g;
        }
    return NULL;
}

// What is changed, where a program has it: its first line finds that, the second changes it.
#define CASE(name, find, ...)                                                                                \
    static bool name(tct_program *p) {                                                                       \
        find;                                                                                                \
        if (!x) return false;                                                                                \
        __VA_ARGS__;                                                                                         \
        return true;                                                                                         \
    }
#define IN_PLAN(name, kind, ...)                                                                             \
    static bool name(tct_program *p) {                                                                       \
        const tct_plan *plan = NULL;                                                                         \
        tct_step *x = step(p, kind, &plan);                                                                  \
        if (!x) return false;                                                                                \
        __VA_ARGS__;                                                                                         \
        return true;                                                                                         \
    }

static const tct_generator *narrow_generator(const tct_program *p) {
    for (uint32_t i = 0; i < p->n_generators; i++)
        if (p->generators[i].n_weights) return &p->generators[i];
    return NULL;
}

CASE(no_register, tct_instr *x = instr(p, TCT_I_IADD), x->b = p->n_regs)
CASE(other_kind, tct_instr *x = instr(p, TCT_I_SADD), x->a = reg(p, TCT_KIND_INT))
CASE(string_as_int, tct_instr *x = instr(p, TCT_I_IADD), x->a = reg(p, TCT_KIND_STRING))
CASE(no_constant, tct_instr *x = instr(p, TCT_I_CONST), x->a = p->n_consts)
CASE(constant_of_other_kind, tct_instr *x = instr(p, TCT_I_CONST), x->dst = reg(p, TCT_KIND_MODEL))
CASE(empty_constant, const tct_const *x = p->n_consts ? p->consts : NULL,
     CHANGE(uint8_t, x->kind) = TCT_KIND_MODEL)
CASE(far_jump, tct_instr *x = instr(p, TCT_I_JUMP), x->a = p->n_instrs)
CASE(far_condition, tct_instr *x = instr(p, TCT_I_JUMP_IFNOT), x->b = UINT32_MAX)
CASE(no_operation, tct_instr *x = instr(p, TCT_I_MOVE), x->op = TCT_I_END + 1)
CASE(no_end, const tct_instr *x = &p->instrs[p->n_instrs - 1], CHANGE(uint16_t, x->op) = TCT_I_SAFEPOINT)
CASE(move_of_types, tct_instr *x = instr(p, TCT_I_MOVE), x->dst = reg(p, TCT_KIND_TOKENIZER))
CASE(no_call, tct_instr *x = instr(p, TCT_I_CALL), x->a = p->n_calls)
CASE(no_builtin, tct_call *x = call(p, TCT_BUILTIN_NEXT), x->builtin = TCT_N_BUILTINS)
CASE(lacks_argument, tct_call *x = call(p, TCT_BUILTIN_NEXT), x->n_args = 0)
CASE(lacks_result, tct_call *x = call(p, TCT_BUILTIN_NEXT), x->n_results--)
CASE(argument_too_many, tct_call *x = call(p, TCT_BUILTIN_STR), x->n_args++)
CASE(argument_of_kind, tct_call *x = call(p, TCT_BUILTIN_LEN),
     CHANGE(uint32_t, x->args[0]) = reg(p, TCT_KIND_INT))
CASE(field_of_type, tct_call *x = call(p, TCT_BUILTIN_NEXT),
     CHANGE(uint32_t, x->results[0]) = reg(p, TCT_KIND_INT))
CASE(no_generator, tct_call *x = call(p, TCT_BUILTIN_GENERATE), x->generator = p->n_generators)
CASE(no_run, tct_instr *x = instr(p, TCT_I_RUN), x->a = p->n_runs)
CASE(no_stage, tct_instr *x = instr(p, TCT_I_STAGE), x->a = p->n_stages)
CASE(no_log, tct_instr *x = instr(p, TCT_I_LOG), x->a = p->n_logs)
CASE(log_of_model, const tct_log *x = instr(p, TCT_I_LOG) ? p->logs : NULL,
     CHANGE(uint32_t, x->regs[0]) = reg(p, TCT_KIND_MODEL))
CASE(no_model, tct_instr *x = instr(p, TCT_I_MODEL), x->a = p->n_models)
CASE(no_optimizer, tct_instr *x = instr(p, TCT_I_OPTIMIZER), x->a = p->n_optimizers)
CASE(no_function, tct_instr *x = instr(p, TCT_I_MATH), x->b = 1000)
CASE(stage_outside, const tct_stage_desc *x = p->n_stages ? p->stages : NULL,
     CHANGE(uint32_t, x->end) = p->n_instrs + 1)
CASE(stage_as_path, const tct_stage_desc *x = p->n_stages ? p->stages : NULL,
     CHANGE(const char *, x->name) = "../../etc")
CASE(bound_register, tct_bind *x = bind(p, TCT_BIND_REG, false), x->reg = reg(p, TCT_KIND_STRING))
CASE(bound_parameter, tct_bind *x = bind(p, TCT_BIND_PARAM, false), x->index = UINT32_MAX)
CASE(bound_state, tct_bind *x = bind(p, TCT_BIND_STATE, true), x->index = 1000)
CASE(bound_output, tct_bind *x = bind(p, TCT_BIND_PARAM, true), x->kind = TCT_BIND_STEP)
CASE(bound_kind, tct_bind *x = bind(p, TCT_BIND_REG, true), x->kind = 77)
CASE(register_type, const tct_reg_type *x = p->regs, CHANGE(uint8_t, x->kind) = 99)
CASE(register_shape,
     const tct_reg_type *x = reg(p, TCT_KIND_TENSOR) < p->n_regs ? &p->regs[reg(p, TCT_KIND_TENSOR)] : NULL,
     CHANGE(uint8_t, x->dtype) = TCT_N_DTYPES)
CASE(register_table,
     const tct_reg_type *x = reg(p, TCT_KIND_MODEL) < p->n_regs ? &p->regs[reg(p, TCT_KIND_MODEL)] : NULL,
     CHANGE(uint32_t, x->table) = p->n_models)
CASE(parameter_shape, const tct_model_desc *x = p->n_models ? p->models : NULL,
     CHANGE(int64_t, x->params[0].size[0]) = -1)
CASE(optimizer_model, const tct_optimizer_desc *x = p->n_optimizers ? p->optimizers : NULL,
     CHANGE(uint32_t, x->param_model[0]) = x->n_models)
CASE(optimizer_parameter, const tct_optimizer_desc *x = p->n_optimizers ? p->optimizers : NULL,
     CHANGE(uint32_t, x->param_index[0]) = 1000000)
CASE(generator_vocab,
     const tct_generator *x = p->n_generators && call(p, TCT_BUILTIN_GENERATE) ? p->generators : NULL,
     CHANGE(int64_t, x->vocab) = 1 << 20)
CASE(generator_places,
     const tct_generator *x = p->n_generators && call(p, TCT_BUILTIN_GENERATE) ? p->generators : NULL,
     CHANGE(int64_t, x->places) = 0)
CASE(generator_fill,
     const tct_generator *x = p->n_generators && call(p, TCT_BUILTIN_GENERATE) ? p->generators : NULL,
     CHANGE(int64_t, x->fill) = x->batch + 1)
CASE(generator_plan,
     const tct_generator *x = p->n_generators && call(p, TCT_BUILTIN_GENERATE) ? p->generators : NULL,
     CHANGE(uint32_t, x->step) = x->prefill)
CASE(generator_weights, const tct_generator *x = narrow_generator(p),
     CHANGE(uint32_t, x->weights[0]) = 1000000)
CASE(generator_convert, const tct_generator *x = narrow_generator(p),
     CHANGE(uint32_t, x->convert) = x->prefill)

IN_PLAN(port_shape, TCT_STEP_KERNEL, CHANGE(uint64_t, plan->inputs[0].bytes) *= 2)
IN_PLAN(port_alias, TCT_STEP_KERNEL, CHANGE(int32_t, plan->outputs[0].alias) = (int32_t)plan->n_inputs)
IN_PLAN(buffer_place, TCT_STEP_KERNEL, CHANGE(uint8_t, plan->buffers[0].place) = 9)
IN_PLAN(buffer_index, TCT_STEP_KERNEL,
        CHANGE(tct_plan_buffer, plan->buffers[0]) = (tct_plan_buffer){.place = TCT_PLACE_INPUT,
                                                                      .index = 5000})
IN_PLAN(buffer_end, TCT_STEP_KERNEL, CHANGE(uint64_t, plan->buffers[0].bytes) += 1 << 30)
IN_PLAN(buffer_wraps, TCT_STEP_KERNEL, CHANGE(uint64_t, plan->buffers[0].offset) = UINT64_MAX)
IN_PLAN(operand, TCT_STEP_KERNEL, CHANGE(uint32_t, plan->operands[0]) = plan->n_buffers)
IN_PLAN(operands, TCT_STEP_KERNEL, x->n_operands = UINT32_MAX)
IN_PLAN(integers, TCT_STEP_KERNEL, x->arg = plan->n_args + 1)
IN_PLAN(kernel, TCT_STEP_KERNEL, x->kernel = plan->n_kernels)
IN_PLAN(scratch, TCT_STEP_KERNEL, x->scratch = plan->scratch_bytes + 1)
IN_PLAN(step_beside, TCT_STEP_GEMM, x->beside = true)
IN_PLAN(step_kind, TCT_STEP_KERNEL, x->kind = 4)
IN_PLAN(arena, TCT_STEP_KERNEL, CHANGE(uint64_t, plan->arena_bytes) = UINT64_MAX)
IN_PLAN(scan, TCT_STEP_SCAN, x->kernel = plan->n_scans)
IN_PLAN(scan_trips, TCT_STEP_SCAN, CHANGE(int64_t, plan->scans[x->kernel].trips) *= 1000;
        ((int64_t *)plan->scans[x->kernel].size)[0] *= 1000)
IN_PLAN(scan_size, TCT_STEP_SCAN, CHANGE(int64_t, plan->scans[x->kernel].trips) *= 2)
IN_PLAN(scan_apart, TCT_STEP_SCAN, CHANGE(bool, plan->scans[x->kernel].apart) = true)
IN_PLAN(scan_rows, TCT_STEP_SCAN, CHANGE(int64_t, plan->scans[x->kernel].rows[0].bytes) = 7)
IN_PLAN(scan_ports, TCT_STEP_SCAN, CHANGE(uint32_t, plan->scans[x->kernel].n_in)++)
IN_PLAN(product_integers, TCT_STEP_GEMM, x->n_args = TCT_GEMM_N_ARGS - 1)
CASE(product_size, tct_gemm_args *x = gemm(p), x->element_bytes = 3)
CASE(product_rows, tct_gemm_args *x = gemm(p), x->m++)
CASE(product_stride, tct_gemm_args *x = gemm(p), x->b_n.stride[0] = 1 << 20)
CASE(product_negative, tct_gemm_args *x = gemm(p), x->c_m.stride[0] = -1)
CASE(product_axes, tct_gemm_args *x = gemm(p), x->a_k.n = TCT_GEMM_MAX_AXES + 1)
CASE(product_endless, tct_gemm_args *x = gemm(p), x->kc = 0)
CASE(product_tile, tct_gemm_args *x = gemm(p), x->mr = 0)
CASE(product_kernel, tct_gemm_args *x = gemm(p), for (int i = 0; i < 4; i++) x->slot[i] = -1)
CASE(product_slot, tct_gemm_args *x = gemm(p), x->slot[0] = 1000000)
CASE(product_kept, tct_gemm_args *x = gemm(p), x->b_kept = 1000)
CASE(product_done, tct_gemm_args *x = gemm(p), x->b_done = 1)
CASE(product_done_steps, tct_gemm_args *x = gemm(p), x->b_done_steps = 1)
IN_PLAN(product_scratch, TCT_STEP_GEMM, x->scratch = 0)

typedef struct tested {
    const char *name, *words;
    bool (*change)(tct_program *p);
} tested;
#define T(name, words) {#name, words, name}
static const tested all[] = {
    T(no_register, "there is no register"),
    T(other_kind, "holds a int where a string belongs"),
    T(string_as_int, "holds a string where a int belongs"),
    T(no_constant, "there is no constant"),
    T(constant_of_other_kind, "holds a model where"),
    T(empty_constant, "has no value"),
    T(far_jump, "there is no instruction"),
    T(far_condition, "there is no instruction"),
    T(no_operation, "there is no operation"),
    T(no_end, "it runs past its end"),
    T(move_of_types, "between registers whose types differ"),
    T(no_call, "there is no call"),
    T(no_builtin, "there is no built-in"),
    T(lacks_argument, "it lacks a register"),
    T(lacks_result, "it lacks a register"),
    T(argument_too_many, "call of str"),
    T(argument_of_kind, "it has a int where a list belongs"),
    T(field_of_type, "a field of its batch has another type"),
    T(no_generator, "there is no generator"),
    T(no_run, "there is no run"),
    T(no_stage, "there is no stage"),
    T(no_log, "there is no log"),
    T(log_of_model, "a model is logged"),
    T(no_model, "there is no model"),
    T(no_optimizer, "there is no optimizer"),
    T(no_function, "there is no function"),
    T(stage_outside, "lies outside of the program"),
    T(stage_as_path, "has no name"),
    T(bound_register, "does not fit it"),
    T(bound_parameter, "does not fit it"),
    T(bound_state, "does not fit it"),
    T(bound_output, "does not fit it"),
    T(bound_kind, "does not fit it"),
    T(register_type, "has an impossible type"),
    T(register_shape, "has an impossible type"),
    T(register_table, "has an impossible type"),
    T(parameter_shape, "has an impossible shape"),
    T(optimizer_model, "has no model"),
    T(optimizer_parameter, "a parameter 1000000 that is not there"),
    T(generator_vocab, "do not fit each other"),
    T(generator_places, "do not fit each other"),
    T(generator_fill, "do not fit each other"),
    T(generator_plan, "do not fit each other"),
    T(generator_weights, "do not fit each other"),
    T(generator_convert, "do not fit each other"),
    T(port_shape, "has an impossible shape"),
    T(port_alias, "takes the place of input"),
    T(buffer_place, "lies in place 9"),
    T(buffer_index, "number 5000"),
    T(buffer_end, "takes"),
    T(buffer_wraps, "takes"),
    T(operand, "operand 0 is buffer"),
    T(operands, "past the end of their tables"),
    T(integers, "past the end of their tables"),
    T(kernel, "it runs kernel"),
    T(scratch, "more scratch memory"),
    T(step_beside, "cannot share a dispatch"),
    T(step_kind, "its kind is 4"),
    T(arena, "more memory than there is"),
    T(scan, "there is no scan"),
    T(scan_trips, "of its scan is too small"),
    T(scan_rows, "of its scan do not fit each other"),
    T(scan_ports, "do not fit each other"),
    T(scan_size, "do not fit each other"),
    T(scan_apart, "do not fit each other"),
    T(product_integers, "lacks kernels, integers or operands"),
    T(product_size, "impossible sizes"),
    T(product_rows, "reaches past an operand"),
    T(product_stride, "reaches past an operand"),
    T(product_negative, "reaches past an operand"),
    T(product_axes, "reaches past an operand"),
    T(product_endless, "impossible blocks"),
    T(product_tile, "impossible blocks"),
    T(product_kernel, "lacks a kernel"),
    T(product_slot, "lacks a kernel"),
    T(product_kept, "keeps what it packs in no operand"),
    T(product_done, "keeps what it packs where it does not fit"),
    T(product_done_steps, "keeps what it packs where it does not fit"),
    T(product_scratch, "scratch memory"),
};
enum { N_TESTED = sizeof all / sizeof *all };

static const char *verify_plan(tct_arena *a, const tct_plan *plan) {
    for (uint32_t i = 0; i < plan->n_scans; i++) {
        const char *wrong = verify_plan(a, plan->scans[i].body);
        if (wrong) return wrong;
    }
    return tct_plan_verify(a, plan);
}

static const char *verify(tct_arena *a, const tct_program *p) {
    for (uint32_t i = 0; i < p->n_plans; i++) {
        const char *wrong = verify_plan(a, p->plans[i]);
        if (wrong) return wrong;
    }
    return tct_program_verify(a, p, p->plans);
}

// The change in the first program that has what it changes.
static bool check(const tested *t, const made_image *images, size_t n) {
    for (size_t i = 0; i < n; i++) {
        tct_arena a = {0};
        tct_diag d = {0};
        tct_image image;
        assert_true(tct_image_read(&d, &a, "image", images[i].bytes.data, images[i].bytes.len, &image));
        image.program.plans = image.variants[0].plans;
        assert_null(verify(&a, &image.program));
        bool changed = t->change(&image.program);
        const char *wrong = changed ? verify(&a, &image.program) : NULL;
        bool fine = wrong && strstr(wrong, t->words);
        if (changed && !fine)
            print_error("%s: expected \"%s\", found \"%s\"\n", t->name, t->words, wrong ? wrong : "nothing");
        tct_arena_free(&a);
        tct_diag_free(&d);
        if (changed) return fine;
    }
    print_error("%s: no program has what it changes\n", t->name);
    return false;
}

static void rules(void **state) {
    (void)state;
    static const char *const names[] = {"training.tct",   "generation.tct", "runs.tct",
                                        "statements.tct", "graphs.tct",     "copies.tct"};
    enum { N = sizeof names / sizeof *names };
    made_image images[N];
    tct_arena a = {0};
    for (size_t i = 0; i < N; i++)
        make_image(tct_path_join(&a, STAGE_FOLDER, names[i]), NULL, NULL, 0, &images[i]);
    bool fine = true;
    for (size_t i = 0; i < N_TESTED; i++) fine &= check(&all[i], images, N);
    for (size_t i = 0; i < N; i++) drop_image(&images[i]);
    tct_arena_free(&a);
    assert_true(fine);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
