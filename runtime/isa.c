// Which instruction sets this machine runs.
#include "runtime/isa.h"

#include <stddef.h>
#include <string.h>

static const char *const names[TCT_N_ISAS] = {"base", "avx2", "avx512", "avx512bf16"};

tct_isa tct_isa_host(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi2"))
        return TCT_ISA_BASE;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl"))
        return TCT_ISA_AVX2;
    return __builtin_cpu_supports("avx512bf16") ? TCT_ISA_AVX512BF16 : TCT_ISA_AVX512;
}

const char *tct_isa_name(tct_isa isa) { return names[isa]; }

bool tct_isa_parse(const char *name, tct_isa *out) {
    for (size_t i = 0; i < TCT_N_ISAS; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (tct_isa)i;
            return true;
        }
    return false;
}
