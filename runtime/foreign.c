// Foreign C functions: finding and calling them.
#include "runtime/foreign.h"

#include "runtime/library.h"

#include <ffi.h>

bool tct_foreign_resolve(tct_diag *d, tct_plan_foreign *f) {
    f->fn = tct_library_symbol(d, f->library, f->symbol);
    f->call = f->fn ? tct_foreign_call : NULL;
    return f->fn != NULL;
}

bool tct_foreign_call(tct_diag *d, const tct_plan_foreign *f, void *const *operands) {
    uint32_t n_operands = f->n_in + f->n_out, n = 0;
    for (uint32_t i = 0; i < n_operands; i++) n += 1 + f->n_axes[i];
    ffi_type **types = tct_alloc((n + 1) * sizeof *types);
    void **values = tct_alloc((n + 1) * sizeof *values);
    uint32_t at = 0;
    for (uint32_t i = 0; i < n_operands; i++) {
        types[at] = &ffi_type_pointer;
        values[at++] = (void *)&operands[i];
        for (uint32_t a = 0; a < f->n_axes[i]; a++) {
            types[at] = &ffi_type_sint64;
            values[at++] = (void *)&f->size[i][a];
        }
    }
    ffi_cif cif;
    ffi_arg status = 0;
    bool ready = ffi_prep_cif(&cif, FFI_DEFAULT_ABI, n, &ffi_type_sint, types) == FFI_OK;
    if (ready) ffi_call(&cif, FFI_FN(f->fn), &status, values);
    tct_heap_free(types);
    tct_heap_free(values);
    if (!ready)
        return tct_error(d, "E0851", TCT_NO_SPAN, "libffi cannot call '%s' with %u arguments", f->symbol, n);
    if ((int)status != 0)
        return tct_error(d, "E0851", TCT_NO_SPAN, "the foreign function '%s' failed with status %d",
                         f->symbol, (int)status);
    return true;
}
