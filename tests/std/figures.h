// Holds graphs of the library to the figures of tests/figures: interpreted, and compiled for every
// instruction set of this machine, where one and two threads must give the same bits.
#ifndef TCT_TESTS_STD_FIGURES_H
#define TCT_TESTS_STD_FIGURES_H

#include "driver/evaluate.h"
#include "runtime/isa.h"
#include "runtime/safetensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FIGURES TERCET_SOURCE_DIR "/tests/figures/"
#define FIGURES_TCT TERCET_SOURCE_DIR "/tests/std/figures.tct"

static inline void figures_fail(tct_diag *d, const char *what) {
    tct_buf text = {0};
    tct_diag_render(d, &text, false);
    fprintf(stderr, "%s\n%s\n", what, text.data ? text.data : "");
    tct_buf_free(&text);
    fail();
}

// Agreement to 1e-5 relative: of the element, or of a tenth of the tensor's largest where terms cancel.
static inline void figures_agree(const char *what, const tct_tensor *found, const tct_tensor *expected,
                                 double absolute) {
    int64_t n = tct_tensor_elements(expected);
    if (tct_tensor_elements(found) != n) {
        fprintf(stderr, "%s: %lld elements, not %lld\n", what, (long long)tct_tensor_elements(found),
                (long long)n);
        fail();
    }
    double largest = 0;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(tct_tensor_get(expected, i)));
    for (int64_t i = 0; i < n; i++) {
        double x = tct_tensor_get(found, i), y = tct_tensor_get(expected, i);
        if (fabs(x - y) <= 1e-5 * fmax(fabs(y), 0.1 * largest) + absolute) continue;
        fprintf(stderr, "%s: element %lld is %.9g, not %.9g (largest %g)\n", what, (long long)i, x, y,
                largest);
        fail();
    }
}

typedef void (*figures_check)(void *ctx, const char *how, const tct_graph *g, const tct_tensor *outputs);

static inline void figures_free(const tct_graph *g, tct_tensor *outputs) {
    for (size_t k = 0; k < g->outputs.len; k++) tct_tensor_free(&outputs[k]);
}

// Evaluates b->graph in every way and has each result checked.
static inline void figures_everywhere(const tct_bound *b, const char *what, figures_check check, void *ctx) {
    tct_diag d = {0};
    size_t n = b->graph->outputs.len;
    tct_tensor *outputs = tct_alloc((n + 1) * sizeof *outputs), *again = tct_alloc((n + 1) * sizeof *again);
    char how[200];
    snprintf(how, sizeof how, "%s, interpreted", what);
    if (!tct_evaluate_interp(&d, b, NULL, false, outputs)) figures_fail(&d, how);
    check(ctx, how, b->graph, outputs);
    figures_free(b->graph, outputs);
    static const char *const sets[] = {"avx2", "avx512"};
    for (size_t s = 0; s < 2; s++) {
        tct_isa isa;
        if (!tct_isa_parse(sets[s], &isa) || isa > tct_isa_host()) continue;
        snprintf(how, sizeof how, "%s, %s", what, sets[s]);
        tct_compiler *c = tct_compiler_new(&d, sets[s], 0);
        const tct_plan *plan = c ? tct_compile_graph(&d, c, b->graph, NULL) : NULL;
        if (!plan || !tct_evaluate_plan(&d, b, plan, 1, NULL, outputs) ||
            !tct_evaluate_plan(&d, b, plan, 2, NULL, again))
            figures_fail(&d, how);
        check(ctx, how, b->graph, outputs);
        for (size_t k = 0; k < n; k++)
            if (memcmp(outputs[k].data, again[k].data, outputs[k].bytes) != 0) {
                fprintf(stderr, "%s: two threads give other bits for %s\n", how,
                        b->graph->outputs.data[k].name);
                fail();
            }
        figures_free(b->graph, outputs);
        figures_free(b->graph, again);
        tct_compiler_free(c);
    }
    free(outputs);
    free(again);
    tct_diag_free(&d);
}

#endif
