// Foreign C functions of graphs: finding and calling them.
#include "runtime/foreign.h"

#include "runtime/library.h"
#include "runtime/signature.h"

bool tct_foreign_resolve(tct_diag *d, tct_plan_foreign *f, const char *folder, tct_caller caller) {
    f->fn = tct_library_symbol(d, folder, f->library, f->symbol);
    f->caller = caller;
    return f->fn != NULL;
}

bool tct_foreign_call(tct_diag *d, const tct_plan_foreign *f, void *const *operands) {
    tct_buf signature = {0};
    tct_foreign_signature(f, &signature);
    tct_slot *args = tct_alloc(signature.len * sizeof *args), status = {0};
    size_t n = 0;
    for (uint32_t i = 0; i < f->n_in + f->n_out; i++) {
        args[n++].p = operands[i];
        for (uint32_t a = 0; a < f->n_axes[i]; a++) args[n++].l = f->size[i][a];
    }
    bool ready = f->caller(signature.data, f->fn, args, &status);
    tct_heap_free(args);
    tct_buf_free(&signature);
    if (!ready)
        return tct_error(d, "E0851", TCT_NO_SPAN, "'%s' cannot be called with %zu arguments", f->symbol, n);
    if (status.i != 0)
        return tct_error(d, "E0851", TCT_NO_SPAN, "the foreign function '%s' failed with status %d",
                         f->symbol, (int)status.i);
    return true;
}
