// The options of a run, and the command line that `tercet run` and a trainer share.
#ifndef TCT_RUNTIME_RUN_OPTIONS_H
#define TCT_RUNTIME_RUN_OPTIONS_H

#include "base/setting.h"
#include "runtime/program.h"

typedef struct tct_run_options {
    const char *out;           // the run's folder
    uint64_t seed;             // mixed into every seed of the program; 0: those stand as they are written
    int threads;               // 0: all cores
    bool resume;               // go on from the folder's checkpoint
    double checkpoint_seconds; // between checkpoints; 0: never but at the ends of stages; < 0: at every
                               // safepoint (tests)
    bool progress;             // a bar on stderr
    bool ahead;                // the program was compiled ahead of time, for messages
    const char *from_stage,
        *to_stage;        // NULL: all. from_stage starts from the checkpoint that its predecessor's end left
    const char *trace;    // NULL, or a file for a trace (runtime/trace.h), whose table then goes to stderr
    uint64_t trace_limit; // bytes of it; 0: TCT_TRACE_LIMIT
} tct_run_options;

// What the shared options say. Owner of `sets`; the texts are those of argv, which is changed.
typedef struct tct_run_request {
    tct_run_options run; // out: NULL unless given
    TCT_VEC(tct_setting) sets;
    bool list_stages, json;
} tct_run_request;

// The defaults. Release with tct_run_request_free.
void tct_run_request_init(tct_run_request *r);
void tct_run_request_free(tct_run_request *r);

// Parser of the shared options, whose input is a tct_run_request: an argp of its own, or a child of one. A
// wrong command line ends the process with argp_err_exit_status.
struct argp;
extern const struct argp tct_run_argp;

// Whether the stages that the options name are the program's, in this order; E0902 and E0903.
bool tct_run_options_check(tct_diag *d, const tct_program *p, const tct_run_options *options);

// Names and documentation of the stages, in their order, as text or as a JSON array of objects.
void tct_list_stages(const tct_program *p, bool json, tct_buf *out);

#endif
