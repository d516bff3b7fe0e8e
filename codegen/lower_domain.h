// Internal to codegen/lower*.c: the axes that a kernel of loops runs over.
#ifndef TCT_CODEGEN_LOWER_DOMAIN_H
#define TCT_CODEGEN_LOWER_DOMAIN_H

#include "codegen/loop.h"

enum { TCT_DOMAIN_MAX_DIGITS = 6 };

// An axis of the domain; it may run as several loops, the digits of its index.
typedef struct tct_domain_axis {
    tct_axis axis;
    bool reduced;
    uint32_t n_digits;
    int64_t digit[TCT_DOMAIN_MAX_DIGITS]; // sizes, outermost first
    uint32_t first;                       // loop axis of the first digit
} tct_domain_axis;

typedef struct tct_domain {
    uint32_t n;
    tct_domain_axis axes[TCT_LOOP_MAX_AXES];
} tct_domain;

void tct_domain_add(tct_domain *d, tct_axis a, int64_t size, bool reduced); // unless it is there
// Gives the kernel its loops.
void tct_domain_open(tct_domain *d, const tct_ir_module *m, tct_loop *l);
// The index of an axis that is there, made of the counters of its loops.
tct_lv tct_domain_index(const tct_domain *d, tct_loop *l, tct_axis a);
// Makes two loops of one, when the domain is opened again. False where its axis has as many as it may have.
bool tct_domain_split(tct_domain *d, uint32_t loop_axis, int64_t inner);

#endif
