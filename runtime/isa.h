// Instruction sets that code is generated for. An ahead-of-time trainer carries several and picks one here,
// so this belongs to the run time.
#ifndef TCT_RUNTIME_ISA_H
#define TCT_RUNTIME_ISA_H

#include <stdbool.h>

// Each includes the ones before it.
typedef enum tct_isa {
    TCT_ISA_BASE,       // x86-64 with SSE2
    TCT_ISA_AVX2,       // x86-64-v3: AVX2, FMA, F16C
    TCT_ISA_AVX512,     // x86-64-v4: AVX-512 F, BW, CD, DQ, VL
    TCT_ISA_AVX512BF16, // and AVX512_BF16
    TCT_ISA_AMX,        // and AMX tiles of bf16
    TCT_N_ISAS
} tct_isa;

// The best that this machine and its operating system run. Asks the system for the process's permission to
// use tile registers, where there are any: before that they fault. Thread-safe.
tct_isa tct_isa_host(void);
// "base", "avx2", "avx512", "avx512bf16", "amx".
const char *tct_isa_name(tct_isa isa);
// False when `name` is none of them.
bool tct_isa_parse(const char *name, tct_isa *out);

#endif
