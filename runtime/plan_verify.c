#include "runtime/plan_verify.h"

#include "runtime/gemm.h"
#include "runtime/tensor.h"

#include <inttypes.h>

// More of an arena, of scratch or of constants than any machine has: sums of a few stay within 64 bits.
static const uint64_t most_bytes = (uint64_t)1 << 48;

bool tct_plan_shape_bytes(uint8_t dtype, uint32_t n_axes, const int64_t *size, uint64_t *bytes) {
    int64_t elements;
    size_t n;
    bool ok = dtype < TCT_N_DTYPES && n_axes <= TCT_MAX_AXES &&
              tct_shape_bytes((tct_dtype)dtype, (int)n_axes, size, &elements, &n) && n <= most_bytes;
    *bytes = ok ? n : 0;
    return ok;
}

static const char *check_port(tct_arena *a, const tct_plan *p, uint32_t number, bool output) {
    const tct_plan_port *port = output ? &p->outputs[number] : &p->inputs[number];
    const char *what = output ? "output" : "input";
    uint64_t bytes;
    if (!tct_plan_shape_bytes(port->dtype, port->n_axes, port->size, &bytes) || bytes != port->bytes)
        return tct_arena_printf(a, "%s %u has an impossible shape", what, number);
    if (port->alias < -1 || (!output && port->alias != -1) || port->alias >= (int64_t)p->n_inputs)
        return tct_arena_printf(a, "%s %u takes the place of input %d", what, number, port->alias);
    if (port->alias >= 0 && p->inputs[port->alias].bytes != bytes)
        return tct_arena_printf(a, "output %u takes the place of an input of another size", number);
    return NULL;
}

static const char *check_buffer(tct_arena *a, const tct_plan *p, uint32_t number) {
    const tct_plan_buffer *b = &p->buffers[number];
    uint64_t room;
    if (b->place == TCT_PLACE_ARENA)
        room = p->arena_bytes;
    else if (b->place == TCT_PLACE_CONST)
        room = p->constant_bytes;
    else if (b->place == TCT_PLACE_INPUT && b->index < p->n_inputs)
        room = p->inputs[b->index].bytes;
    else if (b->place == TCT_PLACE_OUTPUT && b->index < p->n_outputs)
        room = p->outputs[b->index].bytes;
    else
        return tct_arena_printf(a, "buffer %u lies in place %u, number %u", number, b->place, b->index);
    if (b->dtype >= TCT_N_DTYPES) return tct_arena_printf(a, "buffer %u has dtype %u", number, b->dtype);
    if (b->offset > room || b->bytes > room - b->offset)
        return tct_arena_printf(a, "buffer %u takes %" PRIu64 " bytes from %" PRIu64 " on, of %" PRIu64,
                                number, b->bytes, b->offset, room);
    return NULL;
}

// Bytes of operand i of a step.
static uint64_t operand_bytes(const tct_plan *p, const tct_step *s, uint32_t i) {
    return p->buffers[p->operands[s->operand + i]].bytes;
}

static const char *check_kernel(tct_arena *a, const tct_plan *p, const tct_step *s) {
    if (s->kernel < p->n_kernels && s->n_tasks >= 0) return NULL;
    return tct_arena_printf(a, "it runs kernel %u over %" PRId64 " tasks", s->kernel, s->n_tasks);
}

static const char *check_gemm(tct_arena *a, const tct_plan *p, const tct_step *s) {
    if (s->kernel > p->n_kernels || s->n_args < TCT_GEMM_N_ARGS || s->n_operands < 3)
        return "its product lacks kernels, integers or operands";
    const tct_gemm_args *g = (const tct_gemm_args *)(p->args + s->arg);
    if (g->b_kept && (g->b_kept < 3 || g->b_kept >= (int64_t)s->n_operands))
        return "its product keeps what it packs in no operand";
    uint64_t bytes[4] = {operand_bytes(p, s, 0), operand_bytes(p, s, 1), operand_bytes(p, s, 2)};
    if (g->b_kept) bytes[3] = operand_bytes(p, s, (uint32_t)g->b_kept);
    return tct_gemm_verify(a, g, bytes, p->n_kernels - s->kernel, s->scratch);
}

// Operand i from its base on: `bytes` at every position.
static bool strides_fit(const tct_plan_scan *scan, uint32_t i, uint64_t bytes, uint64_t room) {
    if (scan->trips == 0) return true;
    if (bytes > room) return false;
    room -= bytes;
    for (uint32_t a = 0; a < scan->n_axes; a++) {
        int64_t far, stride = scan->stride[(size_t)i * scan->n_axes + a];
        if (stride < 0 || __builtin_mul_overflow(stride, scan->size[a] - 1, &far) || (uint64_t)far > room)
            return false;
        room -= (uint64_t)far;
    }
    return true;
}

static bool sizes_fit(const tct_plan_scan *scan) {
    int64_t trips = 1;
    for (uint32_t a = 0; a < scan->n_axes; a++)
        if (scan->size[a] < 0 || __builtin_mul_overflow(trips, scan->size[a], &trips)) return false;
    return trips == scan->trips;
}

// Trips beside each other carry nothing from one to the next, and call nothing that may fail.
static bool may_be_apart(const tct_plan *body) {
    for (uint32_t i = 0; i < body->n_steps; i++) {
        const tct_step *s = &body->steps[i];
        if (s->kind == TCT_STEP_FOREIGN || (s->kind == TCT_STEP_SCAN && s->kernel < body->n_scans &&
                                            !may_be_apart(body->scans[s->kernel].body)))
            return false;
    }
    return true;
}

// Bytes from the first to the last that result i of a trip takes. False: its rows don't fit each other.
static bool rows_fit(const tct_plan_scan *scan, uint32_t i, uint64_t *bytes) {
    const tct_plan_rows *rows = &scan->rows[i];
    int64_t far;
    if (rows->bytes == 0 || *bytes == 0) return rows->bytes == 0;
    if (!scan->apart || rows->bytes < 0 || rows->apart < rows->bytes || *bytes % (uint64_t)rows->bytes ||
        *bytes / (uint64_t)rows->bytes > INT64_MAX ||
        __builtin_mul_overflow((int64_t)(*bytes / (uint64_t)rows->bytes) - 1, rows->apart, &far) ||
        __builtin_add_overflow(far, rows->bytes, &far))
        return false;
    *bytes = (uint64_t)far;
    return true;
}

static const char *check_scan(tct_arena *a, const tct_plan *p, const tct_step *s) {
    if (s->kernel >= p->n_scans) return tct_arena_printf(a, "there is no scan %u", s->kernel);
    const tct_plan_scan *scan = &p->scans[s->kernel];
    const tct_plan *body = scan->body;
    if (scan->n_in != body->n_inputs || scan->n_out != body->n_outputs || !sizes_fit(scan) ||
        scan->n_carries > scan->n_in || scan->n_carries > scan->n_out ||
        s->n_operands != (uint64_t)scan->n_in + scan->n_out + !scan->apart)
        return "its scan and the body do not fit each other";
    for (uint32_t i = 0; i < scan->n_in + scan->n_out; i++) {
        bool in = i < scan->n_in, carry = in ? i < scan->n_carries : i - scan->n_in < scan->n_carries;
        uint64_t bytes = in ? body->inputs[i].bytes : body->outputs[i - scan->n_in].bytes;
        uint32_t port = in ? i : i - scan->n_in;
        if (carry && bytes != body->inputs[port].bytes)
            return tct_arena_printf(a, "operand %u of its scan changes its size on the way", i);
        if (carry && !in && body->outputs[port].alias != (int32_t)port)
            return tct_arena_printf(a, "operand %u of its scan does not stay where it is", i);
        if (!in && !rows_fit(scan, port, &bytes))
            return tct_arena_printf(a, "the rows of operand %u of its scan do not fit each other", i);
        if (carry ? bytes > operand_bytes(p, s, i) : !strides_fit(scan, i, bytes, operand_bytes(p, s, i)))
            return tct_arena_printf(a, "operand %u of its scan is too small", i);
    }
    if (tct_plan_scan_scratch(scan) > s->scratch) return "its scan has too little scratch memory";
    if (scan->apart)
        return scan->n_carries || !may_be_apart(body) ? "the trips of its scan cannot run beside each other"
                                                      : NULL;
    uint64_t workspace = operand_bytes(p, s, scan->n_in + scan->n_out);
    if (body->arena_bytes > workspace || tct_plan_scan_workspace(scan) > workspace)
        return "its scan has too little workspace";
    return NULL;
}

static const char *check_foreign(tct_arena *a, const tct_plan *p, const tct_step *s) {
    if (s->kernel >= p->n_foreigns) return tct_arena_printf(a, "there is no foreign function %u", s->kernel);
    const tct_plan_foreign *f = &p->foreigns[s->kernel];
    if (s->n_operands != f->n_in + f->n_out) return "its foreign function takes other operands";
    for (uint32_t i = 0; i < s->n_operands; i++) {
        uint64_t bytes;
        if (!tct_plan_shape_bytes(f->dtype[i], f->n_axes[i], f->size[i], &bytes) ||
            bytes > operand_bytes(p, s, i))
            return tct_arena_printf(a, "operand %u of its foreign function has an impossible shape", i);
    }
    return NULL;
}

static const char *check_step(tct_arena *a, const tct_plan *p, const tct_step *s) {
    if (s->operand > p->n_operands || s->n_operands > p->n_operands - s->operand || s->arg > p->n_args ||
        s->n_args > p->n_args - s->arg)
        return "it takes operands or integers past the end of their tables";
    if (s->scratch > p->scratch_bytes) return "it takes more scratch memory than the plan reserves";
    switch ((tct_step_kind)s->kind) {
    case TCT_STEP_KERNEL:
        return check_kernel(a, p, s);
    case TCT_STEP_GEMM:
        return check_gemm(a, p, s);
    case TCT_STEP_SCAN:
        return check_scan(a, p, s);
    case TCT_STEP_FOREIGN:
        return check_foreign(a, p, s);
    }
    return tct_arena_printf(a, "its kind is %u", s->kind);
}

// Kernels that share a dispatch are few, and take few operands.
static const char *check_beside(tct_arena *a, const tct_plan *p) {
    uint32_t kernels = 0;
    uint64_t operands = 0;
    for (uint32_t i = 0; i < p->n_steps; i++) {
        const tct_step *s = &p->steps[i];
        if (!s->beside) kernels = 0, operands = 0;
        operands += s->n_operands;
        if (s->beside && (i == 0 || s->kind != TCT_STEP_KERNEL || p->steps[i - 1].kind != TCT_STEP_KERNEL ||
                          ++kernels >= TCT_PLAN_MOST_BESIDE || operands > TCT_PLAN_MOST_OPERANDS_BESIDE))
            return tct_arena_printf(a, "step %u cannot share a dispatch", i);
    }
    return NULL;
}

const char *tct_plan_verify(tct_arena *a, const tct_plan *p) {
    const char *wrong = NULL;
    if (p->arena_bytes > most_bytes || p->scratch_bytes > most_bytes || p->constant_bytes > most_bytes)
        return "it wants more memory than there is";
    for (uint32_t i = 0; i < p->n_inputs && !wrong; i++) wrong = check_port(a, p, i, false);
    for (uint32_t i = 0; i < p->n_outputs && !wrong; i++) wrong = check_port(a, p, i, true);
    for (uint32_t i = 0; i < p->n_buffers && !wrong; i++) wrong = check_buffer(a, p, i);
    for (uint32_t i = 0; i < p->n_operands && !wrong; i++)
        if (p->operands[i] >= p->n_buffers)
            wrong = tct_arena_printf(a, "operand %u is buffer %u of %u", i, p->operands[i], p->n_buffers);
    for (uint32_t i = 0; i < p->n_kernels && !wrong; i++)
        if (!*p->kernels[i].symbol) wrong = tct_arena_printf(a, "kernel %u has no name", i);
    for (uint32_t i = 0; i < p->n_steps && !wrong; i++) {
        wrong = check_step(a, p, &p->steps[i]);
        if (wrong) wrong = tct_arena_printf(a, "step %u: %s", i, wrong);
    }
    if (!wrong) wrong = check_beside(a, p);
    return wrong;
}
