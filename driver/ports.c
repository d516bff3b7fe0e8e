#include "driver/ports.h"

#include <inttypes.h>
#include <stdlib.h>

bool tct_ports_open(tct_diag *d, const tct_plan *plan, tct_port_fill fill, void *ctx, tct_ports *o) {
    *o = (tct_ports){.in = tct_alloc((plan->n_inputs + 1) * sizeof *o->in),
                     .out = tct_alloc((plan->n_outputs + 1) * sizeof *o->out)};
    for (uint32_t i = 0; i < plan->n_inputs; i++) {
        const tct_plan_port *port = &plan->inputs[i];
        o->in[i] = tct_try_alloc(port->bytes ? port->bytes : 1, 64);
        if (!o->in[i]) return tct_error(d, "E0801", TCT_NO_SPAN, "no memory for %s", port->name);
        fill(ctx, i, port, o->in[i]);
    }
    for (uint32_t i = 0; i < plan->n_outputs; i++) {
        const tct_plan_port *port = &plan->outputs[i];
        o->out[i] = port->alias >= 0 ? o->in[port->alias] : tct_try_alloc(port->bytes ? port->bytes : 1, 64);
        if (!o->out[i]) return tct_error(d, "E0801", TCT_NO_SPAN, "no memory for %s", port->name);
    }
    o->arena = tct_try_alloc(plan->arena_bytes ? plan->arena_bytes : 1, 64);
    return o->arena || tct_error(d, "E0801", TCT_NO_SPAN, "no memory for %" PRIu64 " bytes of intermediates",
                                 plan->arena_bytes);
}

void tct_ports_close(const tct_plan *plan, tct_ports *o) {
    for (uint32_t i = 0; o->out && i < plan->n_outputs; i++)
        if (plan->outputs[i].alias < 0) free(o->out[i]);
    for (uint32_t i = 0; o->in && i < plan->n_inputs; i++) free(o->in[i]);
    free(o->in);
    free(o->out);
    free(o->arena);
    *o = (tct_ports){0};
}
