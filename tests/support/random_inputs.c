// Inputs for random graphs, and the comparison of tensors.
#include "tests/support/random_graph.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static uint64_t next_bits(uint64_t *state) { // splitmix64
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static void set(tct_ir_tensor *t, int64_t at, tct_dtype declared, uint64_t bits) {
    // A quarter of the floats are multiples of 1/2, so that equal ones occur; all are exact in their own
    // dtype.
    double x = bits % 4 ? (double)(bits >> 40) * 0x1p-22 - 2 : (double)(bits >> 60) * 0.25 - 2;
    if (declared == TCT_BF16) x = (double)tct_bf16_to_f32(tct_f32_to_bf16((float)x));
    int64_t i = (int64_t)(bits >> 40) % 12 - 2;
    switch (t->dtype) {
    case TCT_F32:
        ((float *)t->data)[at] = (float)x;
        return;
    case TCT_F64:
        ((double *)t->data)[at] = x;
        return;
    case TCT_BF16:
        ((tct_bf16 *)t->data)[at] = tct_f32_to_bf16((float)x);
        return;
    case TCT_I32:
        ((int32_t *)t->data)[at] = (int32_t)i;
        return;
    case TCT_I64:
        ((int64_t *)t->data)[at] = i;
        return;
    default:
        ((uint8_t *)t->data)[at] = bits >> 63;
    }
}

void tct_random_inputs(const tct_graph *g, tct_arena *arena, uint64_t seed, bool f64, tct_ir_tensor *inputs) {
    uint64_t state = seed * 2 + 1;
    for (size_t k = 0; k < g->inputs.len; k++) {
        const tct_node *n = tct_node_of(g, g->inputs.data[k]);
        tct_ir_tensor *t = &inputs[k];
        tct_dtype declared = (tct_dtype)n->dtype;
        *t = (tct_ir_tensor){.dtype = f64 && tct_dtype_is_float(declared) ? TCT_F64 : declared,
                             .n_axes = n->n_axes};
        if (n->n_axes) memcpy(t->axes, n->axes, n->n_axes * sizeof *n->axes);
        int64_t count = tct_node_elements(g, n);
        t->data = tct_arena_alloc_array(arena, tct_dtype_size(t->dtype), (size_t)count);
        for (int64_t i = 0; i < count; i++) set(t, i, declared, next_bits(&state));
    }
}

static double number(const tct_ir_tensor *t, int64_t at) {
    switch (t->dtype) {
    case TCT_F32:
        return (double)((const float *)t->data)[at];
    case TCT_F64:
        return ((const double *)t->data)[at];
    case TCT_BF16:
        return (double)tct_bf16_to_f32(((const tct_bf16 *)t->data)[at]);
    case TCT_I32:
        return ((const int32_t *)t->data)[at];
    case TCT_I64: // exact below 2^53; the rest is compared as integers
        return (double)((const int64_t *)t->data)[at];
    default:
        return ((const uint8_t *)t->data)[at];
    }
}

static bool close_enough(const tct_ir_tensor *a, int64_t i, const tct_ir_tensor *b, int64_t j,
                         double relative, double absolute) {
    if (a->dtype == TCT_I64) return ((const int64_t *)a->data)[i] == ((const int64_t *)b->data)[j];
    double x = number(a, i), y = number(b, j);
    if (!tct_dtype_is_float(a->dtype)) return x == y;
    if (isnan(x) || isnan(y)) return isnan(x) && isnan(y);
    if (isinf(x) || isinf(y)) return x == y;
    return fabs(x - y) <= absolute + relative * fmax(fabs(x), fabs(y));
}

bool tct_tensors_close(const tct_ir_module *m, const tct_ir_tensor *a, const tct_ir_tensor *b,
                       double relative, double absolute, char why[200]) {
    int64_t stride[TCT_IR_MAX_AXES] = {0}, count = 1;
    bool same = a->dtype == b->dtype && a->n_axes == b->n_axes;
    for (int k = 0; same && k < a->n_axes; k++) {
        int64_t step = 1;
        for (int o = b->n_axes - 1; o >= 0 && !stride[k]; o--) {
            if (b->axes[o] == a->axes[k]) stride[k] = step;
            step *= tct_axis_of(m, b->axes[o])->size;
        }
        same = stride[k] != 0;
        count *= tct_axis_of(m, a->axes[k])->size;
    }
    if (!same) {
        snprintf(why, 200, "types differ: %s with %d axes, %s with %d axes", tct_dtype_name(a->dtype),
                 a->n_axes, tct_dtype_name(b->dtype), b->n_axes);
        return false;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i, j = 0;
        for (int k = a->n_axes - 1; k >= 0; k--) {
            int64_t size = tct_axis_of(m, a->axes[k])->size;
            j += rest % size * stride[k];
            rest /= size;
        }
        if (close_enough(a, i, b, j, relative, absolute)) continue;
        snprintf(why, 200, "element %lld of %lld: %.17g and %.17g", (long long)i, (long long)count,
                 number(a, i), number(b, j));
        return false;
    }
    return true;
}
