// Element types of tensors: sizes, names, and the bf16 conversion.
#ifndef TCT_BASE_DTYPE_H
#define TCT_BASE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// X(enum, size in bytes, name in the language and IR, name in safetensors files)
#define TCT_DTYPES(X)                                                                                        \
    X(TCT_F32, 4, "f32", "F32")                                                                              \
    X(TCT_F64, 8, "f64", "F64")                                                                              \
    X(TCT_BF16, 2, "bf16", "BF16")                                                                           \
    X(TCT_I32, 4, "i32", "I32")                                                                              \
    X(TCT_I64, 8, "i64", "I64")                                                                              \
    X(TCT_I8, 1, "i8", "I8")                                                                                 \
    X(TCT_BOOL, 1, "bool", "BOOL") // one byte each, 0 or 1

typedef enum tct_dtype {
#define TCT_DTYPE_ENUM(id, size, name, file_name) id,
    TCT_DTYPES(TCT_DTYPE_ENUM)
#undef TCT_DTYPE_ENUM
        TCT_N_DTYPES
} tct_dtype;

// Bytes of one element.
static inline size_t tct_dtype_size(tct_dtype t) {
    switch (t) {
#define TCT_DTYPE_SIZE(id, size, name, file_name)                                                            \
    case id:                                                                                                 \
        return size;
        TCT_DTYPES(TCT_DTYPE_SIZE)
#undef TCT_DTYPE_SIZE
    default:
        return 0;
    }
}

// "f32", "bf16", …: the language's and the IR's name.
static inline const char *tct_dtype_name(tct_dtype t) {
    switch (t) {
#define TCT_DTYPE_NAME(id, size, name, file_name)                                                            \
    case id:                                                                                                 \
        return name;
        TCT_DTYPES(TCT_DTYPE_NAME)
#undef TCT_DTYPE_NAME
    default:
        return "?";
    }
}

// "F32", "BF16", …: the name in a safetensors header.
static inline const char *tct_dtype_file_name(tct_dtype t) {
    switch (t) {
#define TCT_DTYPE_FILE_NAME(id, size, name, file_name)                                                       \
    case id:                                                                                                 \
        return file_name;
        TCT_DTYPES(TCT_DTYPE_FILE_NAME)
#undef TCT_DTYPE_FILE_NAME
    default:
        return "?";
    }
}

// The dtype called `name` in the language; false when there is none.
static inline bool tct_dtype_parse(const char *name, tct_dtype *out) {
    for (int t = 0; t < TCT_N_DTYPES; t++)
        if (strcmp(name, tct_dtype_name((tct_dtype)t)) == 0) {
            *out = (tct_dtype)t;
            return true;
        }
    return false;
}

static inline bool tct_dtype_is_float(tct_dtype t) { return t == TCT_F32 || t == TCT_F64 || t == TCT_BF16; }
static inline bool tct_dtype_is_int(tct_dtype t) { return t == TCT_I32 || t == TCT_I64 || t == TCT_I8; }

// The least and the largest number of an integer type.
static inline int64_t tct_dtype_least(tct_dtype t) {
    return t == TCT_I8 ? INT8_MIN : t == TCT_I32 ? INT32_MIN : INT64_MIN;
}
static inline int64_t tct_dtype_most(tct_dtype t) {
    return t == TCT_I8 ? INT8_MAX : t == TCT_I32 ? INT32_MAX : INT64_MAX;
}
static inline bool tct_dtype_holds(tct_dtype t, int64_t x) {
    return x >= tct_dtype_least(t) && x <= tct_dtype_most(t);
}

// A bf16 is the upper half of an f32.
typedef uint16_t tct_bf16;

static inline float tct_bf16_to_f32(tct_bf16 h) {
    uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

// Rounds to nearest, ties to even. A NaN stays a NaN (quiet, sign and upper payload kept).
static inline tct_bf16 tct_f32_to_bf16(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return (tct_bf16)((bits >> 16) | 0x0040u);
    return (tct_bf16)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

// IEEE half to f32, exact. Half floats are only read from files, never computed with.
static inline float tct_f16_to_f32(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 31u, fraction = h & 0x3FFu, bits;
    float f;
    if (exponent == 31u) {
        bits = sign | 0x7F800000u | fraction << 13;
    } else if (exponent) {
        bits = sign | (exponent + 112u) << 23 | fraction << 13;
    } else { // zero or subnormal: fraction · 2⁻²⁴
        float magnitude = (float)fraction * 0x1p-24f;
        memcpy(&bits, &magnitude, sizeof bits);
        bits |= sign;
    }
    memcpy(&f, &bits, sizeof f);
    return f;
}

#endif
