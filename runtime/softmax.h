// Softmax over a row of logits, without its division: what sampling needs at every token. Bits are the same
// on every machine.
#ifndef TCT_RUNTIME_SOFTMAX_H
#define TCT_RUNTIME_SOFTMAX_H

#include <stdint.h>

enum { TCT_SOFTMAX_BLOCK = 256 };

// The largest of n numbers; -infinity when there is none. NaNs are passed over.
float tct_softmax_largest(const float *logits, int64_t n);

// The sum of exp((logits[i] - largest) * scale) for 0 ≤ n ≤ TCT_SOFTMAX_BLOCK logits, none above `largest`,
// which is finite. To out[i], unless that is NULL, go the terms; there is room for TCT_SOFTMAX_BLOCK. Each is
// within a few ulp, 0 below e^-87, and 0 for NaN.
double tct_softmax_block(const float *logits, int64_t n, float largest, float scale, float *out);

#endif
