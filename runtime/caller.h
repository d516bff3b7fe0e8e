// Calling C functions whose type only data tells.
#ifndef TCT_RUNTIME_CALLER_H
#define TCT_RUNTIME_CALLER_H

#include <stdbool.h>
#include <stdint.h>

// An argument or a result.
typedef union tct_slot {
    int64_t l;
    double d;
    int32_t i;
    const void *p;
} tct_slot;

// Calls fn. `signature` spells its type: a letter for the result, "_", a letter for each argument; l is
// int64_t, d double, i int32_t, p a pointer, v nothing. `result` is one slot. Returns whether the call was
// possible.
typedef bool (*tct_caller)(const char *signature, void *fn, const tct_slot *args, tct_slot *result);

// A caller of everything, by libffi. A trainer has compiled callers instead and doesn't link it.
bool tct_ffi_call(const char *signature, void *fn, const tct_slot *args, tct_slot *result);

#endif
