// Why a compiled graph is what it is: its kernels, the operations in each, what each computes and moves, and
// the reasons for what stands apart. `tercet explain` prints it, as text or as JSON.
#ifndef TCT_DRIVER_EXPLAIN_H
#define TCT_DRIVER_EXPLAIN_H

#include "codegen/compile.h"
#include "passes/fusion.h"
#include "runtime/trace.h"

// A plan with what it was made from.
typedef struct tct_explained {
    const tct_plan *plan;
    const tct_plan_origin *origin;
    tct_fusion_report report;
    uint32_t *step_of;           // by node of report.fused: its step
    struct tct_explained *scans; // by scan of the plan: its body
    char *prefix;                // of its steps' numbers: "", or "12." for the body of step 12
} tct_explained;

typedef struct tct_explanation {
    const tct_diag *sources;
    const char *name;
    bool backward; // the graph has gradients
    tct_explained top;
    tct_peak peak;
    const tct_trace *trace; // NULL: nothing was measured, the peak is assumed
    int runs;
    double seconds; // of the shortest run
} tct_explanation;

// Compiles `g`, whose sizes are known, and explains it. `run`: machine code as well, for
// tct_explanation_measure. What it refers to lives as long as compiler and module. false after reporting;
// release with tct_explanation_free in any case. `trace` (may be NULL) sees the passes.
bool tct_explanation_make(tct_diag *d, tct_compiler *c, tct_graph *g, bool run, const tct_pass_trace *trace,
                          tct_explanation *out);
void tct_explanation_free(tct_explanation *e);

// Runs the plan on random numbers, five times or for a second, whichever is more, on `trace`, from which the
// times of its kernels then come.
bool tct_explanation_measure(tct_diag *d, const tct_graph *g, tct_pool *pool, tct_trace *trace,
                             tct_explanation *e);

// One kernel in figures.
typedef struct tct_kernel_figures {
    double flops, bytes, intensity; // intensity: operations a byte
    double least;                   // seconds that the peak allows
    tct_limit limit;
    uint64_t calls; // measured; 0: not
    double seconds; // of the shortest call
} tct_kernel_figures;
tct_kernel_figures tct_explain_figures(const tct_explanation *e, const tct_explained *x, uint32_t step);

// The graph of which operations a step consists: the body of a group, or the fused graph for a product, scan
// or call by itself, with that as only node of interest in *only. NULL for copies that planning added.
const tct_graph *tct_explain_operations(const tct_explained *x, uint32_t step, tct_value *only);
// An operation worth telling of: no input, constant, or result of a bundle.
bool tct_explain_is_operation(const tct_node *n);
// Whether it computes forward values, others, or both (TCT_FUSION_FORWARD, TCT_FUSION_BACKWARD); 0: a copy.
uint8_t tct_explain_part(const tct_explained *x, uint32_t step);
// What the loops of a step run over and reduce; n_axes 0 for none.
tct_fusion_domain tct_explain_domain(const tct_explained *x, uint32_t step);

// Sentences, without full stops (driver/explain_reasons.c). Appended to `out`.
void tct_explain_place(const tct_diag *sources, tct_span span,
                       tct_buf *out); // "file:line:column"; "" for none
void tct_explain_operation(const tct_explanation *e, const tct_node *n,
                           tct_buf *out); // "exp at file:line:column"
void tct_explain_reason(const tct_explanation *e, const tct_explained *x, const tct_fusion_edge *edge,
                        tct_fusion_reason reason, tct_buf *out);
// Why the value isn't computed again by its user; nothing for values that can't be, and users that take
// memory.
void tct_explain_again(const tct_explained *x, const tct_fusion_edge *edge, tct_buf *out);
// What could be done about it; nothing where there is nothing.
void tct_explain_advice(const tct_explanation *e, const tct_explained *x, const tct_fusion_edge *edge,
                        tct_buf *out);

void tct_explain_text(const tct_explanation *e, tct_buf *out);
void tct_explain_json(const tct_explanation *e, tct_buf *out);

#endif
