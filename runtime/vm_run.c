// Runs a plan on what its bindings name. An output goes straight to its place where that is safe: a
// register's tensor is overwritten only when nobody else holds it and no input reads it; an output that takes
// an input's memory changes parameters and optimizer states in place. Anything else is computed aside and put
// in its place afterwards.
#include "runtime/vm_state.h"

#include <assert.h>
#include <stdlib.h>

// An output that waits for the run to end.
typedef struct tct_pending {
    tct_value fresh; // tensor that replaces a register's
    void *aside;     // heap memory to be copied into `place`; place NULL: to be thrown away
    void *place;
} tct_pending;

bool tct_vm_room_open(tct_vm *vm) {
    const tct_program *p = vm->program;
    uint32_t n_in = 0, n_out = 0;
    uint64_t bytes = 64;
    for (uint32_t i = 0; i < p->n_plans; i++) {
        const tct_plan *plan = p->plans[i];
        if (plan->n_inputs > n_in) n_in = plan->n_inputs;
        if (plan->n_outputs > n_out) n_out = plan->n_outputs;
        if (plan->arena_bytes > bytes) bytes = plan->arena_bytes;
    }
    vm->room = (tct_run_room){
        .in = tct_alloc((n_in + 1) * sizeof(void *)),
        .out = tct_alloc((n_out + 1) * sizeof(void *)),
        .origin = tct_alloc((n_in + 1) * sizeof(void *)),
        .todo = tct_alloc((n_out + 1) * sizeof(tct_pending)),
        .scalars = tct_alloc(((size_t)n_in + n_out + 1) * sizeof(uint64_t)),
    };
    vm->generators = tct_alloc((p->n_generators + 1) * sizeof *vm->generators);
    vm->arena = tct_try_alloc_dirty(bytes, TCT_TENSOR_ALIGN);
    if (vm->arena) return true;
    tct_error(vm->d, "E0801", TCT_NO_SPAN, "no memory for the plans' arena of %.1f MB", (double)bytes / 1e6);
    tct_help(vm->d, "a smaller batch or length takes less");
    return false;
}

void tct_vm_room_close(tct_vm *vm) {
    free(vm->room.in);
    free(vm->room.out);
    free(vm->room.origin);
    free(vm->room.todo);
    free(vm->room.scalars);
    free(vm->arena);
    for (uint32_t i = 0; vm->generators && i < vm->program->n_generators; i++)
        tct_generate_close(vm->generators[i]);
    free(vm->generators);
}

tct_generate_room *tct_vm_generator(tct_vm *vm, uint32_t number) {
    const tct_program *p = vm->program;
    const tct_generator *g = &p->generators[number];
    tct_generate_room **room = &vm->generators[number];
    if (!*room) *room = tct_generate_open(vm->d, vm->pool, g, p->plans);
    return *room;
}

// One number as an element of `dtype`.
static void put_scalar(uint8_t dtype, tct_value v, void *out) {
    tct_tensor t = {.dtype = (tct_dtype)dtype, .data = out};
    if (dtype == TCT_I64 && v.kind == TCT_KIND_INT)
        memcpy(out, &v.i, sizeof v.i); // not every i64 is a double
    else
        tct_tensor_set(&t, 0, tct_value_number(v));
}

static tct_value take_scalar(uint8_t dtype, const void *data, uint8_t kind) {
    tct_tensor t = {.dtype = (tct_dtype)dtype, .data = (void *)data};
    if (kind == TCT_KIND_INT) {
        int64_t i;
        if (dtype == TCT_I64)
            memcpy(&i, data, sizeof i);
        else
            i = (int64_t)tct_tensor_get(&t, 0);
        return tct_value_int(i);
    }
    if (kind == TCT_KIND_BOOL) return tct_value_bool(tct_tensor_get(&t, 0) != 0);
    return tct_value_float(tct_tensor_get(&t, 0));
}

// The memory of a parameter, state or gradient sum.
static tct_tensor *fixed_place(tct_vm *vm, const tct_bind *b) {
    tct_value *v = &vm->regs[b->reg];
    switch ((tct_bind_kind)b->kind) {
    case TCT_BIND_PARAM:
        assert(v->kind == TCT_KIND_MODEL && b->index < v->model->desc->n_params);
        return &v->model->params[b->index];
    case TCT_BIND_STATE:
        assert(v->kind == TCT_KIND_OPTIMIZER);
        return &v->optimizer->states[b->index];
    case TCT_BIND_GRAD:
        assert(v->kind == TCT_KIND_OPTIMIZER && v->optimizer->grads);
        return &v->optimizer->grads[b->index];
    default:
        return NULL;
    }
}

static bool is_number(tct_value v) {
    return v.kind == TCT_KIND_INT || v.kind == TCT_KIND_FLOAT || v.kind == TCT_KIND_BOOL;
}

// A tensor that should have a port's shape, as the caller of the frontend promised.
static bool check_port(tct_vm *vm, const tct_plan *plan, const tct_plan_port *port, const tct_tensor *t) {
    bool same = t->dtype == port->dtype && t->n_axes == (int)port->n_axes;
    for (uint32_t i = 0; same && i < port->n_axes; i++) same = t->sizes[i] == port->size[i];
    if (same) return true;
    tct_buf want = {0};
    for (uint32_t i = 0; i < port->n_axes; i++)
        tct_buf_printf(&want, "%s%s=%lld", i ? ", " : "", port->axis[i], (long long)port->size[i]);
    tct_error(vm->d, "E0816", TCT_NO_SPAN, "'%s' of %s is %s, but it was compiled for %s[%s]", port->name,
              plan->name, tct_tensor_describe(&vm->d->arena, t), tct_dtype_name((tct_dtype)port->dtype),
              want.data ? want.data : "");
    tct_buf_free(&want);
    return false;
}

static bool bind_inputs(tct_vm *vm, const tct_plan *plan, const tct_run *run) {
    tct_run_room *r = &vm->room;
    for (uint32_t i = 0; i < plan->n_inputs; i++) {
        const tct_bind *b = &run->inputs[i];
        const tct_plan_port *port = &plan->inputs[i];
        tct_value v = vm->regs[b->reg];
        const tct_tensor *t = fixed_place(vm, b);
        if (b->kind == TCT_BIND_STEP) {
            assert(v.kind == TCT_KIND_OPTIMIZER);
            put_scalar(port->dtype, tct_value_int(v.optimizer->step), &r->scalars[i]);
        } else if (b->kind == TCT_BIND_REG && is_number(v)) {
            put_scalar(port->dtype, v, &r->scalars[i]);
        } else if (!t) {
            assert(v.kind == TCT_KIND_TENSOR);
            t = &v.array->t;
        }
        if (t && !check_port(vm, plan, port, t)) return false;
        r->in[i] = t ? t->data : &r->scalars[i];
        r->origin[i] = r->in[i];
    }
    return true;
}

static uint32_t readers(const tct_vm *vm, const tct_plan *plan, const void *memory) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < plan->n_inputs; i++) n += vm->room.origin[i] == memory;
    return n;
}

static bool is_taken(const tct_vm *vm, uint32_t outputs, const void *memory) {
    for (uint32_t i = 0; i < outputs; i++)
        if (vm->room.out[i] == memory) return true;
    return false;
}

// Where output o would go if nothing stood against it; NULL: nowhere yet.
static void *natural_place(tct_vm *vm, const tct_plan *plan, const tct_run *run, uint32_t o) {
    const tct_bind *b = &run->outputs[o];
    const tct_plan_port *port = &plan->outputs[o];
    if (b->kind == TCT_BIND_DROP) return NULL;
    if (b->kind != TCT_BIND_REG) return fixed_place(vm, b)->data;
    uint8_t kind = vm->program->regs[b->reg].kind;
    if (kind != TCT_KIND_TENSOR) return &vm->room.scalars[plan->n_inputs + o];
    tct_value v = vm->regs[b->reg];
    if (v.kind != TCT_KIND_TENSOR || v.array->refs != 1) return NULL;
    const tct_tensor *t = &v.array->t;
    bool same = t->dtype == port->dtype && t->n_axes == (int)port->n_axes;
    for (uint32_t i = 0; same && i < port->n_axes; i++) same = t->sizes[i] == port->size[i];
    return same ? t->data : NULL;
}

// Memory of its own for output o.
static void *place_aside(tct_vm *vm, const tct_plan *plan, const tct_run *run, uint32_t o, void *place) {
    const tct_bind *b = &run->outputs[o];
    const tct_plan_port *port = &plan->outputs[o];
    tct_pending *p = &vm->room.todo[o];
    if (b->kind == TCT_BIND_REG && vm->program->regs[b->reg].kind == TCT_KIND_TENSOR) {
        if (!tct_value_tensor(vm->d, (tct_dtype)port->dtype, port->n_axes, port->axis, port->size, &p->fresh))
            return NULL;
        return p->fresh.array->t.data;
    }
    p->aside = tct_try_alloc(port->bytes ? port->bytes : 1, TCT_TENSOR_ALIGN);
    p->place = place;
    if (!p->aside)
        tct_error(vm->d, "E0801", TCT_NO_SPAN, "no memory for the result '%s' of %s", port->name, plan->name);
    return p->aside;
}

static bool bind_outputs(tct_vm *vm, const tct_plan *plan, const tct_run *run) {
    tct_run_room *r = &vm->room;
    for (uint32_t o = 0; o < plan->n_outputs; o++) r->todo[o] = (tct_pending){0};
    for (uint32_t o = 0; o < plan->n_outputs; o++) {
        const tct_plan_port *port = &plan->outputs[o];
        void *place = natural_place(vm, plan, run, o);
        int32_t alias = port->alias;
        uint32_t read = place ? readers(vm, plan, place) : 0;
        bool in_place = alias >= 0 && place == r->origin[alias] && read == 1;
        bool usable = place && (in_place || read == 0) && !is_taken(vm, o, place);
        void *memory = usable ? place : place_aside(vm, plan, run, o, place);
        if (!memory) return false;
        r->out[o] = memory;
        if (alias < 0) continue;
        if (memory != r->in[alias] && port->bytes) memcpy(memory, r->in[alias], port->bytes);
        r->in[alias] = memory;
    }
    return true;
}

static void commit_outputs(tct_vm *vm, const tct_plan *plan, const tct_run *run, bool ok) {
    for (uint32_t o = 0; o < plan->n_outputs; o++) {
        tct_pending *p = &vm->room.todo[o];
        const tct_bind *b = &run->outputs[o];
        const tct_plan_port *port = &plan->outputs[o];
        if (ok && b->kind == TCT_BIND_REG && vm->program->regs[b->reg].kind != TCT_KIND_TENSOR)
            tct_value_set(&vm->regs[b->reg],
                          take_scalar(port->dtype, vm->room.out[o], vm->program->regs[b->reg].kind));
        else if (ok && p->fresh.kind == TCT_KIND_TENSOR)
            tct_value_set(&vm->regs[b->reg], p->fresh);
        else if (ok && p->place && port->bytes)
            memcpy(p->place, p->aside, port->bytes);
        if (!ok) tct_value_drop(&p->fresh);
        free(p->aside);
        *p = (tct_pending){0};
    }
}

bool tct_vm_run_plan(tct_vm *vm, const tct_run *run) {
    const tct_plan *plan = vm->program->plans[run->plan];
    if (!bind_inputs(vm, plan, run)) return false;
    bool ok = bind_outputs(vm, plan, run) &&
              tct_plan_run(vm->d, plan, vm->pool, vm->room.in, vm->room.out, vm->arena, vm->trace);
    commit_outputs(vm, plan, run, ok);
    return ok;
}
