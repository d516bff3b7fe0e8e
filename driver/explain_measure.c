// Runs an explained plan on random numbers.
#include "driver/explain.h"
#include "driver/ports.h"
#include "runtime/rng.h"

#include <string.h>
#include <time.h>

enum { LEAST_RUNS = 5, MOST_RUNS = 1000, USUAL_INTEGERS = 8, SEED = 11 };
static const double LEAST_SECONDS = 1;

typedef struct numbers {
    int64_t *limit; // by input: integers are below it
} numbers;

// A gather or scatter by input v, through movement, takes positions of an axis: integers are below its size,
// so that it takes what a real one would.
static int64_t limit_of(const tct_graph *g, tct_value v) {
    bool *is = tct_alloc(g->nodes.len);
    int64_t limit = 0;
    is[v] = true;
    for (tct_value u = v + 1; u < g->nodes.len; u++) {
        const tct_node *n = tct_node_of(g, u);
        bool stores = n->op == TCT_IR_SCATTER_ADD || n->op == TCT_IR_PUT;
        if ((stores || n->op == TCT_IR_GATHER) && is[n->in[1]]) {
            int64_t size = tct_axis_of(g->module, n->attr.axes[0])->size;
            if (!limit || size < limit) limit = size;
        } else if (n->n_in && is[n->in[0]] && !stores && n->op != TCT_IR_GATHER &&
                   (tct_ir_ops[n->op].cls == TCT_CLASS_MOVEMENT || n->op == TCT_IR_CAST)) {
            is[u] = true;
        }
    }
    tct_heap_free(is);
    return limit ? limit : USUAL_INTEGERS;
}

static void fill(void *ctx, uint32_t i, const tct_plan_port *port, void *data) {
    const numbers *f = ctx;
    size_t size = tct_dtype_size((tct_dtype)port->dtype);
    for (uint64_t k = 0; k < port->bytes / size; k++) {
        uint32_t r = tct_rng(SEED, i, k).v[0];
        float small = ((float)r * 0x1p-32F - 0.5F) * 0.2F;
        int64_t whole = (int64_t)(r % (uint64_t)f->limit[i]);
        switch ((tct_dtype)port->dtype) {
        case TCT_F32:
            ((float *)data)[k] = small;
            break;
        case TCT_F64:
            ((double *)data)[k] = (double)small;
            break;
        case TCT_BF16:
            memcpy((char *)data + 2 * k, (char *)&small + 2, 2);
            break;
        case TCT_I32:
            ((int32_t *)data)[k] = (int32_t)whole;
            break;
        case TCT_I64:
            ((int64_t *)data)[k] = whole;
            break;
        case TCT_I8:
            ((int8_t *)data)[k] = (int8_t)(r >> 24);
            break;
        default:
            ((uint8_t *)data)[k] = r & 1;
        }
    }
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool tct_explanation_measure(tct_diag *d, const tct_graph *g, tct_pool *pool, tct_trace *trace,
                             tct_explanation *e) {
    const tct_plan *plan = e->top.plan;
    numbers f = {tct_alloc((plan->n_inputs + 1) * sizeof *f.limit)};
    for (uint32_t i = 0; i < plan->n_inputs; i++) f.limit[i] = limit_of(g, g->inputs.data[i]);
    tct_ports p;
    bool ok = tct_ports_open(d, plan, fill, &f, &p) &&
              tct_plan_run(d, plan, pool, p.in, p.out, p.arena, NULL); // pages are touched
    double begin = now();
    while (ok && e->runs < MOST_RUNS && (e->runs < LEAST_RUNS || now() - begin < LEAST_SECONDS)) {
        double start = now();
        ok = tct_plan_run(d, plan, pool, p.in, p.out, p.arena, trace);
        double seconds = now() - start;
        if (!e->runs || seconds < e->seconds) e->seconds = seconds;
        e->runs++;
    }
    e->trace = trace;
    e->peak = *tct_trace_peak(trace);
    tct_ports_close(plan, &p);
    tct_heap_free(f.limit);
    return ok;
}
