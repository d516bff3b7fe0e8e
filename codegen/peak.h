// The measuring stick: a loop of independent fused multiply-adds in registers.
#ifndef TCT_CODEGEN_PEAK_H
#define TCT_CODEGEN_PEAK_H

#include "codegen/jit.h"

// void symbol(int64_t turns, void *sink): turns × tct_peak_flops operations; sink gets one vector.
typedef void (*tct_peak_fn)(int64_t turns, void *sink);

tct_unit tct_peak_unit(tct_dtype dtype); // f32 or f64
const char *tct_peak_symbol(tct_dtype dtype);
double tct_peak_flops(const tct_target *target, tct_dtype dtype);

#endif
