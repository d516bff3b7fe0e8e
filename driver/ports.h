// Memory for running a plan on made-up numbers: what benchmarks and `explain --measure` run on.
#ifndef TCT_DRIVER_PORTS_H
#define TCT_DRIVER_PORTS_H

#include "runtime/plan.h"

typedef struct tct_ports {
    void **in, **out; // by port; an output that takes an input's memory is that input's
    void *arena;
} tct_ports;

// Fills the memory of input `i`, which is zero.
typedef void (*tct_port_fill)(void *ctx, uint32_t i, const tct_plan_port *port, void *data);

// Memory for all ports and the arena, inputs filled. false after reporting E0801. Release with
// tct_ports_close in any case.
bool tct_ports_open(tct_diag *d, const tct_plan *plan, tct_port_fill fill, void *ctx, tct_ports *out);
void tct_ports_close(const tct_plan *plan, tct_ports *p);

#endif
