// Plans as fields of an image.
#include "runtime/image_codec.h"

// A new field must be written and read, too.
_Static_assert(sizeof(tct_plan_port) == 48, "tct_code_port misses a field");
_Static_assert(sizeof(tct_plan_buffer) == 32, "code_buffer misses a field");
_Static_assert(sizeof(tct_step) == 80, "code_step misses a field");
_Static_assert(sizeof(tct_plan_kernel) == 16, "code_kernel misses a field");
_Static_assert(sizeof(tct_plan_scan) == 64, "code_scan misses a field");
_Static_assert(sizeof(tct_plan_foreign) == 64, "code_foreign misses a field");
_Static_assert(sizeof(tct_plan) == 152, "tct_code_plan misses a field");

void tct_code_port(tct_codec *c, tct_plan_port *p) {
    tct_code_text(c, &p->name);
    tct_code_u8(c, &p->dtype);
    tct_code_count(c, &p->n_axes);
    TCT_CODE_TABLE(c, p->axis, p->n_axes, const char *, tct_code_text);
    TCT_CODE_TABLE(c, p->size, p->n_axes, int64_t, tct_code_i64);
    tct_code_u64(c, &p->bytes);
    tct_code_i32(c, &p->alias);
}

static void code_buffer(tct_codec *c, tct_plan_buffer *b) {
    tct_code_u8(c, &b->place);
    tct_code_u8(c, &b->dtype);
    tct_code_u32(c, &b->index);
    tct_code_u64(c, &b->offset);
    tct_code_u64(c, &b->bytes);
    tct_code_u32(c, &b->first_step);
    tct_code_u32(c, &b->last_step);
}

static void code_step(tct_codec *c, tct_step *s) {
    tct_code_u8(c, &s->kind);
    tct_code_bool(c, &s->beside);
    tct_code_u32(c, &s->kernel);
    tct_code_u32(c, &s->operand);
    tct_code_u32(c, &s->n_operands);
    tct_code_u32(c, &s->arg);
    tct_code_u32(c, &s->n_args);
    tct_code_i64(c, &s->n_tasks);
    tct_code_u64(c, &s->scratch);
    tct_code_maybe_text(c, &s->label);
    tct_code_span(c, &s->span);
    tct_code_f64(c, &s->flops);
    tct_code_f64(c, &s->bytes);
}

static void code_kernel(tct_codec *c, tct_plan_kernel *k) { tct_code_text(c, &k->symbol); }

static void code_rows(tct_codec *c, tct_plan_rows *r) {
    tct_code_i64(c, &r->bytes);
    tct_code_i64(c, &r->apart);
}

static void code_scan(tct_codec *c, tct_plan_scan *s) {
    tct_code_plan_number(c, &s->body);
    tct_code_i64(c, &s->trips);
    tct_code_count(c, &s->n_axes);
    TCT_CODE_TABLE(c, s->size, s->n_axes, int64_t, tct_code_i64);
    tct_code_bool(c, &s->reverse);
    tct_code_bool(c, &s->apart);
    tct_code_u32(c, &s->n_in);
    tct_code_u32(c, &s->n_out);
    tct_code_u32(c, &s->n_carries);
    uint32_t n = (s->n_in + s->n_out) * s->n_axes;
    tct_code_count(c, &n);
    if (!c->out && ((uint64_t)s->n_in + s->n_out > UINT32_MAX / (s->n_axes + UINT64_C(1)) ||
                    ((uint64_t)s->n_in + s->n_out) * s->n_axes != n))
        tct_codec_fail(c, "a scan with %u strides", n);
    TCT_CODE_TABLE(c, s->stride, n, int64_t, tct_code_i64);
    TCT_CODE_TABLE(c, s->rows, s->n_out, tct_plan_rows, code_rows);
}

// One operand's sizes, kept apart from their number.
typedef struct sizes {
    uint32_t n;
    const int64_t *size;
} sizes;

static void code_sizes(tct_codec *c, sizes *s) {
    tct_code_count(c, &s->n);
    TCT_CODE_TABLE(c, s->size, s->n, int64_t, tct_code_i64);
}

static void code_foreign(tct_codec *c, tct_plan_foreign *f) {
    tct_code_maybe_text(c, &f->library);
    tct_code_text(c, &f->symbol);
    tct_code_count(c, &f->n_in);
    tct_code_count(c, &f->n_out);
    if (c->failed) return;
    uint32_t n = f->n_in + f->n_out;
    TCT_CODE_TABLE(c, f->dtype, n, uint8_t, tct_code_u8);
    uint32_t *n_axes = c->out ? NULL : tct_codec_room(c, n, sizeof *n_axes);
    const int64_t **size = c->out ? NULL : tct_codec_room(c, n, sizeof *size);
    for (uint32_t i = 0; i < n && !c->failed; i++) {
        sizes s = {0};
        if (c->out) s = (sizes){f->n_axes[i], f->size[i]};
        code_sizes(c, &s);
        if (c->out) continue;
        n_axes[i] = s.n;
        size[i] = s.size;
    }
    if (c->out) return;
    f->n_axes = n_axes;
    f->size = size;
}

void tct_code_plan(tct_codec *c, tct_plan *p) {
    tct_code_text(c, &p->name);
    tct_code_count(c, &p->n_inputs);
    TCT_CODE_TABLE(c, p->inputs, p->n_inputs, tct_plan_port, tct_code_port);
    tct_code_count(c, &p->n_outputs);
    TCT_CODE_TABLE(c, p->outputs, p->n_outputs, tct_plan_port, tct_code_port);
    tct_code_count(c, &p->n_buffers);
    TCT_CODE_TABLE(c, p->buffers, p->n_buffers, tct_plan_buffer, code_buffer);
    tct_code_count(c, &p->n_steps);
    TCT_CODE_TABLE(c, p->steps, p->n_steps, tct_step, code_step);
    tct_code_count(c, &p->n_kernels);
    TCT_CODE_TABLE(c, p->kernels, p->n_kernels, tct_plan_kernel, code_kernel);
    tct_code_count(c, &p->n_operands);
    TCT_CODE_TABLE(c, p->operands, p->n_operands, uint32_t, tct_code_u32);
    tct_code_count(c, &p->n_args);
    TCT_CODE_TABLE(c, p->args, p->n_args, int64_t, tct_code_i64);
    tct_code_count(c, &p->n_scans);
    TCT_CODE_TABLE(c, p->scans, p->n_scans, tct_plan_scan, code_scan);
    tct_code_count(c, &p->n_foreigns);
    TCT_CODE_TABLE(c, p->foreigns, p->n_foreigns, tct_plan_foreign, code_foreign);
    tct_code_u64(c, &p->constant_bytes);
    tct_code_bytes(c, &p->constants, p->constant_bytes);
    tct_code_u64(c, &p->arena_bytes);
    tct_code_u64(c, &p->scratch_bytes);
}
