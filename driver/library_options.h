// Options of `tercet build` that are about libraries.
#ifndef TCT_DRIVER_LIBRARY_OPTIONS_H
#define TCT_DRIVER_LIBRARY_OPTIONS_H

#include "driver/library.h"

#include <argp.h>

// --lib, --graph, --as, --grad, --axis and --model; the input of this child is a tct_library_request. What
// follows a
// --graph belongs to it, what comes before the first to all.
extern const struct argp tct_library_argp;

// Where the next --set goes.
tct_settings *tct_library_sets(tct_library_request *r);

#endif
