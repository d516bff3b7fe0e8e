// What can be known of a library without doing anything with it.
#include "library/library.h"

#include "base/version.h"
#include "runtime/linked.h"

uint64_t tct_library_abi(void) { return tct_linked_library_table.abi; }
const char *tct_library_version(void) { return tct_version(); }
const char *tct_library_description(void) { return tct_linked_library_table.description; }

const char *tct_library_status_text(tct_library_status status) {
    switch (status) {
    case TCT_LIBRARY_OK:
        return "done";
    case TCT_LIBRARY_NO_MEMORY:
        return "the system has not enough memory";
    case TCT_LIBRARY_ARGUMENT:
        return "an argument cannot be used";
    case TCT_LIBRARY_PROCESSOR:
        return "the library has no code for this processor";
    case TCT_LIBRARY_ABI_DIFFERS:
        return "the header and the library were not made together";
    case TCT_LIBRARY_FAILED:
        return "the work failed";
    }
    return "no status of this library";
}

tct_library_status tct_library_status_of(const tct_diag *d) {
    for (size_t i = 0; i < d->messages.len; i++) {
        if (d->messages.data[i].severity != TCT_ERROR) continue;
        const char *code = d->messages.data[i].code;
        if (strcmp(code, "E0801") == 0) return TCT_LIBRARY_NO_MEMORY;
        if (strcmp(code, "E0845") == 0) return TCT_LIBRARY_PROCESSOR;
        if (strcmp(code, "E0903") == 0) return TCT_LIBRARY_ARGUMENT;
        break;
    }
    return TCT_LIBRARY_FAILED;
}

bool tct_library_limit(tct_diag *d, const char *isa, tct_isa *out) {
    *out = TCT_N_ISAS;
    if (!isa || tct_isa_parse(isa, out)) return true;
    return tct_error(d, "E0903", TCT_NO_SPAN, "there is no instruction set called '%s'", isa);
}

bool tct_library_threads(tct_diag *d, int threads) {
    if (threads >= 0 && threads <= TCT_LIBRARY_MAX_THREADS) return true;
    return tct_error(d, "E0903", TCT_NO_SPAN, "threads is %d; it must lie in 0 to %d", threads,
                     TCT_LIBRARY_MAX_THREADS);
}
