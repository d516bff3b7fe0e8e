// What a library of `tercet build --lib NAME` offers. This file is compiled with the library, and its text
// becomes NAME.h: there, tct_library stands for NAME, and lines between marks come and go with what is in it.

/* begin */
#ifndef TCT_LIBRARY_H
#define TCT_LIBRARY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The functions below that take a version get TCT_LIBRARY_ABI, and refuse to work when this header and the
// library were not made together: the number changes with every shape, every name and every structure here.
uint64_t tct_library_abi(void);

typedef enum tct_library_status {
    TCT_LIBRARY_OK,
    TCT_LIBRARY_NO_MEMORY,   // the system has not enough
    TCT_LIBRARY_ARGUMENT,    // a pointer is missing or not aligned, or an option says what it can't
    TCT_LIBRARY_PROCESSOR,   // the library has no code for this processor
    TCT_LIBRARY_ABI_DIFFERS, // the header belongs to another library
    TCT_LIBRARY_FAILED       // the work itself failed: the message says how
} tct_library_status;

// "the system has not enough memory", …: a sentence for each status. Never NULL. Thread-safe.
const char *tct_library_status_text(tct_library_status status);

// Version of Tercet that made the library, and everything that is in it as JSON: graphs with the names,
// types, axes and bytes of inputs and outputs in the order of their structures, stages, config. Static
// memory. Thread-safe.
const char *tct_library_version(void);
const char *tct_library_description(void);

/* graphs: begin */
// What graphs run in: threads, working memory, the code for this processor. The library has no state outside
// of contexts. A context serves one call at a time; several contexts work at the same time without minding
// each other. Results don't depend on the number of threads, nor on what ran before.
typedef struct tct_library_context tct_library_context;

typedef struct tct_library_options {
    int threads;     // that work on a call, its caller counted; 0: as many as the caller may run on
    const char *isa; // "avx2", "avx512", …: no better instruction set than this; NULL: the best there is
    void *workspace; // working memory of the caller's, aligned to 64 bytes, which stays the context's until
                     // it is destroyed; NULL: the context finds its own
    size_t workspace_bytes; // of it, at least tct_library_workspace_bytes(threads)
    const char *folder; // where relative paths of the program begin, those of foreign functions' libraries;
                        // NULL: the current folder
} tct_library_options;

// What the graphs need beside their inputs and outputs, for any of them and any processor. threads as above.
// Thread-safe.
size_t tct_library_workspace_bytes(int threads);

// Makes a context; `options` may be NULL: all zero. After a failure *context is NULL, or a context that is
// good for its message and to be destroyed. Thread-safe.
tct_library_status tct_library_create(uint64_t abi, const tct_library_options *options,
                                      tct_library_context **context);
void tct_library_destroy(tct_library_context *context); // NULL is fine

// What went wrong in the last function that failed with this context; "" when none has. Valid until the next
// call with it.
const char *tct_library_message(const tct_library_context *context);

// The graphs. Each takes a structure of pointers to inputs and one of pointers to outputs. The caller owns
// all that they point to; tensors are packed, row-major in the order of axes given, aligned to their
// elements. Outputs may not overlap with inputs or each other; all are written, or after a failure undefined.
// The working memory comes from the context: a call takes no memory from the system but a few bytes for each
// scan. NULL stands for the value of an input that is given with one.
/* graphs: here */
/* graphs: end */
/* pipeline: begin */
typedef struct tct_library_run_options {
    const char *out; // folder for metrics, checkpoints, models and the report; NULL: runs/ and the
                     // pipeline's name
    const char *const *settings; // config values, as "ppo.lr=1e-6"
    size_t n_settings;
    const char *folder;                // where relative paths of the program begin; NULL: the current folder
    uint64_t seed;                     // of everything random
    int threads;                       // 0: as many as the caller may run on; the result doesn't depend on it
    const char *isa;                   // no better instruction set than this; NULL: the best there is
    int resume;                        // not 0: go on from the checkpoint in the folder
    const char *from_stage, *to_stage; // NULL: all
    double checkpoint_seconds;         // between checkpoints; 0: only at the ends of stages
    int progress;                      // not 0: a bar on a terminal's stderr
    const char *trace;                 // NULL, or a file for a trace of kernels
} tct_library_run_options;

// Runs the pipeline, as `tercet run` does and with the same results: model files are equal to the byte.
// `options` may be NULL: all zero. What it reports goes to `message` as text, cut to message_bytes with its
// NUL; NULL and 0 are fine. It prints on stdout what a trainer prints. While it runs, SIGINT and SIGTERM are
// held back from the calling thread: the first writes a checkpoint and ends the run (TCT_LIBRARY_FAILED), the
// second ends the process. One run at a time in a process.
/* stages: here */
tct_library_status tct_library_run(uint64_t abi, const tct_library_run_options *options, char *message,
                                   size_t message_bytes);
/* pipeline: end */

#ifdef __cplusplus
}
#endif

#endif
