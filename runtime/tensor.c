#include "runtime/tensor.h"

#include <math.h>
#include <stdlib.h>

bool tct_shape_bytes(tct_dtype dtype, int n_axes, const int64_t *sizes, int64_t *out_elements,
                     size_t *out_bytes) {
    if (n_axes < 0 || n_axes > TCT_MAX_AXES) return false;
    bool empty = false;
    for (int i = 0; i < n_axes; i++) {
        if (sizes[i] < 0) return false;
        empty |= sizes[i] == 0;
    }
    int64_t elements = 1, bytes;
    if (empty) elements = 0;
    for (int i = 0; i < n_axes && !empty; i++)
        if (__builtin_mul_overflow(elements, sizes[i], &elements)) return false;
    if (__builtin_mul_overflow(elements, (int64_t)tct_dtype_size(dtype), &bytes) || bytes > PTRDIFF_MAX)
        return false;
    *out_elements = elements;
    *out_bytes = (size_t)bytes;
    return true;
}

static bool describe(tct_diag *d, tct_dtype dtype, int n_axes, const char *const *axes, const int64_t *sizes,
                     tct_tensor *out) {
    *out = (tct_tensor){.dtype = dtype, .n_axes = n_axes};
    int64_t elements;
    bool fits = tct_shape_bytes(dtype, n_axes, sizes, &elements, &out->bytes);
    for (int i = 0; fits && i < n_axes; i++) {
        const char *name = axes && axes[i] ? axes[i] : "";
        size_t len = strlen(name);
        if (len > TCT_AXIS_NAME_MAX) {
            *out = (tct_tensor){0};
            return tct_error(d, "E0703", TCT_NO_SPAN, "axis name '%s' is longer than %d characters", name,
                             TCT_AXIS_NAME_MAX);
        }
        memcpy(out->axes[i], name, len + 1);
        out->sizes[i] = sizes[i];
    }
    if (fits) return true;
    *out = (tct_tensor){0};
    tct_buf shape = {0};
    for (int i = 0; i < n_axes && i <= TCT_MAX_AXES; i++)
        tct_buf_printf(&shape, "%s%lld", i ? ", " : "", (long long)sizes[i]);
    tct_error(d, "E0703", TCT_NO_SPAN,
              "a tensor %s[%s] can't be: sizes must be at least 0, axes at most %d, and "
              "the whole must fit in memory",
              tct_dtype_name(dtype), shape.data ? shape.data : "", TCT_MAX_AXES);
    tct_buf_free(&shape);
    return false;
}

bool tct_tensor_new(tct_diag *d, tct_dtype dtype, int n_axes, const char *const *axes, const int64_t *sizes,
                    tct_tensor *out) {
    if (!describe(d, dtype, n_axes, axes, sizes, out)) return false;
    out->data = tct_try_alloc(out->bytes, TCT_TENSOR_ALIGN);
    if (!out->data) {
        size_t bytes = out->bytes;
        *out = (tct_tensor){0};
        return tct_error(d, "E0801", TCT_NO_SPAN, "no memory for a tensor of %zu bytes", bytes);
    }
    out->owned = true;
    return true;
}

bool tct_tensor_borrow(tct_diag *d, tct_dtype dtype, int n_axes, const char *const *axes,
                       const int64_t *sizes, void *data, tct_tensor *out) {
    if (!describe(d, dtype, n_axes, axes, sizes, out)) return false;
    out->data = data;
    return true;
}

// A zeroed tensor of the same axes with another dtype.
static bool alike(tct_diag *d, const tct_tensor *t, tct_dtype dtype, tct_tensor *out) {
    const char *axes[TCT_MAX_AXES];
    for (int i = 0; i < t->n_axes; i++) axes[i] = t->axes[i];
    return tct_tensor_new(d, dtype, t->n_axes, axes, t->sizes, out);
}

bool tct_tensor_copy(tct_diag *d, const tct_tensor *t, tct_tensor *out) {
    if (!alike(d, t, t->dtype, out)) return false;
    if (t->bytes) memcpy(out->data, t->data, t->bytes);
    return true;
}

static int64_t saturate(double x, int64_t min, int64_t max) {
    if (isnan(x)) return 0;
    if (x <= (double)min) return min;
    if (x >= (double)max) return max;
    return (int64_t)x;
}

bool tct_tensor_cast(tct_diag *d, const tct_tensor *t, tct_dtype dtype, tct_tensor *out) {
    if (dtype == t->dtype) return tct_tensor_copy(d, t, out);
    if (!alike(d, t, dtype, out)) return false;
    int64_t n = tct_tensor_elements(t);
    if (t->dtype == TCT_I64 && dtype == TCT_I32) { // not every i64 is a double
        for (int64_t i = 0; i < n; i++) {
            int64_t v = ((const int64_t *)t->data)[i];
            ((int32_t *)out->data)[i] = v < INT32_MIN ? INT32_MIN : v > INT32_MAX ? INT32_MAX : (int32_t)v;
        }
        return true;
    }
    for (int64_t i = 0; i < n; i++) tct_tensor_set(out, i, tct_tensor_get(t, i));
    return true;
}

void tct_tensor_free(tct_tensor *t) {
    if (t->owned) free(t->data);
    *t = (tct_tensor){0};
}

int64_t tct_tensor_elements(const tct_tensor *t) {
    int64_t elements = 1;
    for (int i = 0; i < t->n_axes; i++) elements *= t->sizes[i];
    return elements;
}

double tct_tensor_get(const tct_tensor *t, int64_t i) {
    switch (t->dtype) {
    case TCT_F32:
        return (double)((const float *)t->data)[i];
    case TCT_F64:
        return ((const double *)t->data)[i];
    case TCT_BF16:
        return (double)tct_bf16_to_f32(((const tct_bf16 *)t->data)[i]);
    case TCT_I32:
        return ((const int32_t *)t->data)[i];
    case TCT_I64:
        return (double)((const int64_t *)t->data)[i];
    case TCT_I8:
        return ((const int8_t *)t->data)[i];
    case TCT_BOOL:
        return ((const uint8_t *)t->data)[i] != 0;
    default:
        return 0;
    }
}

void tct_tensor_set(tct_tensor *t, int64_t i, double value) {
    switch (t->dtype) {
    case TCT_F32:
        ((float *)t->data)[i] = (float)value;
        break;
    case TCT_F64:
        ((double *)t->data)[i] = value;
        break;
    case TCT_BF16:
        ((tct_bf16 *)t->data)[i] = tct_f32_to_bf16((float)value);
        break;
    case TCT_I32:
        ((int32_t *)t->data)[i] = (int32_t)saturate(value, INT32_MIN, INT32_MAX);
        break;
    case TCT_I64:
        ((int64_t *)t->data)[i] = saturate(value, INT64_MIN, INT64_MAX);
        break;
    case TCT_I8:
        ((int8_t *)t->data)[i] = (int8_t)saturate(value, INT8_MIN, INT8_MAX);
        break;
    case TCT_BOOL:
        ((uint8_t *)t->data)[i] = value != 0;
        break;
    default:
        break;
    }
}

const char *tct_tensor_describe(tct_arena *a, const tct_tensor *t) {
    tct_buf b = {0};
    tct_buf_puts(&b, tct_dtype_name(t->dtype));
    for (int i = 0; i < t->n_axes; i++)
        tct_buf_printf(&b, "%s%s%s%lld", i ? ", " : "[", t->axes[i], t->axes[i][0] ? "=" : "",
                       (long long)t->sizes[i]);
    if (t->n_axes) tct_buf_puts(&b, "]");
    const char *text = tct_arena_strdup(a, b.data);
    tct_buf_free(&b);
    return text;
}

void tct_tensor_fill(tct_tensor *t, double value) {
    int64_t n = tct_tensor_elements(t);
    if (value == 0) {
        if (t->bytes) memset(t->data, 0, t->bytes);
        return;
    }
    for (int64_t i = 0; i < n; i++) tct_tensor_set(t, i, value);
}
