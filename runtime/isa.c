// Which instruction sets this machine runs.
#include "runtime/isa.h"

#include <cpuid.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const names[TCT_N_ISAS] = {"base", "avx2", "avx512", "avx512bf16", "amx"};

// Linux gives a process the tiles' registers, which are large, only when it asks.
static bool has_tiles(void) {
    enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, REQUEST = 0x1023, TILE_DATA = 18 };
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & AMX_BF16) || !(d & AMX_TILE)) return false;
    return syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
}

tct_isa tct_isa_host(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi2"))
        return TCT_ISA_BASE;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl"))
        return TCT_ISA_AVX2;
    if (!__builtin_cpu_supports("avx512bf16")) return TCT_ISA_AVX512;
    return has_tiles() ? TCT_ISA_AMX : TCT_ISA_AVX512BF16;
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
