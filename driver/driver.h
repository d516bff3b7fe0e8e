// What the commands share.
#ifndef TCT_DRIVER_DRIVER_H
#define TCT_DRIVER_DRIVER_H

#include "base/diag.h"

#include <argp.h>

// Exit statuses: the work was done, the user's input is wrong, the command line is wrong.
enum { TCT_EXIT_OK = 0, TCT_EXIT_ERROR = 1, TCT_EXIT_USAGE = 2 };

// Errors kept of a run; more are counted.
enum { TCT_MAX_ERRORS = 20 };

#define COMMAND(name, args, doc) int tct_cmd_##name(int argc, char **argv);
#include "driver/commands.def"
#undef COMMAND

// Writes all messages of `d` to stderr, in colour on a terminal, and empties it. TCT_EXIT_ERROR when there
// was an error, else TCT_EXIT_OK.
int tct_report(tct_diag *d);

// Where `use std.…` looks: the environment variable TERCET_STD; else ../std beside the folder of the
// executable; else ../share/tercet/std. In the arena; the first place that holds core.tct, or the first of
// all.
const char *tct_std_dir(tct_arena *a);

// Whether a file can be written there, asked before work that takes a while. E0702.
bool tct_may_write(tct_diag *d, const char *path);

// Writes all of `text` to stdout; false (reported) when that fails.
bool tct_write_out(tct_diag *d, const tct_buf *text);

#endif
