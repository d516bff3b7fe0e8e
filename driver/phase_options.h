// Options that choose among the phases of a graph, and what is shown of them: `dump` and `opt`.
#ifndef TCT_DRIVER_PHASE_OPTIONS_H
#define TCT_DRIVER_PHASE_OPTIONS_H

#include "driver/phases.h"

#include <argp.h>

typedef struct tct_phase_options {
    const char *after, *diff; // phases
    const char *dump_dir;
    const char *isa;
    bool bare, verify_each;
} tct_phase_options;

// --after, --diff, --dump-dir, --isa, --bare and --verify-each; the input of this child is a
// tct_phase_options.
extern const struct argp tct_phase_argp;

typedef struct tct_phases_shown {
    const tct_phase_options *options;
    const char *passes, *from; // as in tct_phases_request
    // A phase to show: "ir", "kernel", … or NULL for the graph that the last pass gives. Not looked at where
    // the options say what to show.
    const char *stage;
    // How graphs are printed, NULL: as text.
    void (*print)(const tct_graph *g, const tct_diag *sources, tct_buf *out);
    void (*each)(void *ctx, const tct_phase *phase); // may be NULL
    void *ctx;
} tct_phases_shown;

// Runs the phases, appends what is to be shown and writes the folder. False after reporting.
bool tct_phases_show(tct_diag *d, tct_graph *g, const tct_phases_shown *s, tct_buf *out);

#endif
