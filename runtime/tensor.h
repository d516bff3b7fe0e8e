// Tensors in memory: dtype, named axes, packed row-major data.
#ifndef TCT_RUNTIME_TENSOR_H
#define TCT_RUNTIME_TENSOR_H

#include "base/diag.h"
#include "base/dtype.h"

enum { TCT_MAX_AXES = 8, TCT_AXIS_NAME_MAX = 31, TCT_TENSOR_ALIGN = 64 };

// Packed, row-major, last axis fastest. `data` is aligned to 64 bytes when it was allocated here, and is
// whatever it was when borrowed (a file mapping). A 0-axis tensor is a scalar. Sizes may be 0.
typedef struct tct_tensor {
    tct_dtype dtype;
    bool owned; // data is freed by tct_tensor_free
    int n_axes;
    char axes[TCT_MAX_AXES][TCT_AXIS_NAME_MAX + 1]; // "" for an axis without a name (tensors from files)
    int64_t sizes[TCT_MAX_AXES];
    void *data;
    size_t bytes; // elements × dtype size, no padding
} tct_tensor;

// Product of sizes and the bytes it takes; false when an axis is negative, there are more than TCT_MAX_AXES,
// or the product overflows (bytes are kept within PTRDIFF_MAX).
bool tct_shape_bytes(tct_dtype dtype, int n_axes, const int64_t *sizes, int64_t *out_elements,
                     size_t *out_bytes);

// A zeroed tensor that owns its data. `axes`: n_axes names, or NULL for none; longer names are an error.
// Reports E0703 (bad shape) or E0801 (no memory) and returns false; *out is then empty. Release with
// tct_tensor_free.
bool tct_tensor_new(tct_diag *d, tct_dtype dtype, int n_axes, const char *const *axes, const int64_t *sizes,
                    tct_tensor *out);
// A tensor over memory that somebody else owns and that outlives it; nothing is copied. Errors as above.
bool tct_tensor_borrow(tct_diag *d, tct_dtype dtype, int n_axes, const char *const *axes,
                       const int64_t *sizes, void *data, tct_tensor *out);
// A deep copy that owns its data.
bool tct_tensor_copy(tct_diag *d, const tct_tensor *t, tct_tensor *out);
// A copy of another dtype. Float to integer truncates, saturates, and makes NaN 0; to bool: ≠ 0.
bool tct_tensor_cast(tct_diag *d, const tct_tensor *t, tct_dtype dtype, tct_tensor *out);
// Frees owned data and empties the struct. Empty and borrowed tensors are fine.
void tct_tensor_free(tct_tensor *t);

int64_t tct_tensor_elements(const tct_tensor *t);
// Element i of the packed data as double, whatever the dtype. 0 ≤ i < elements.
double tct_tensor_get(const tct_tensor *t, int64_t i);
void tct_tensor_set(tct_tensor *t, int64_t i, double value);
void tct_tensor_fill(tct_tensor *t, double value); // every element
// "f32[B=4, T=64]"; axes without a name show their size alone. In the arena.
const char *tct_tensor_describe(tct_arena *a, const tct_tensor *t);

#endif
