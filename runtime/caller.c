// Calls through libffi.
#include "runtime/caller.h"

#include "base/arena.h"

#include <assert.h>
#include <ffi.h>
#include <string.h>

static ffi_type *type_of(char letter) {
    switch (letter) {
    case 'l':
        return &ffi_type_sint64;
    case 'd':
        return &ffi_type_double;
    case 'i':
        return &ffi_type_sint32;
    case 'p':
        return &ffi_type_pointer;
    default:
        assert(letter == 'v');
        return &ffi_type_void;
    }
}

bool tct_ffi_call(const char *signature, void *fn, const tct_slot *args, tct_slot *result) {
    const char *letters = signature + 2;
    unsigned n = (unsigned)strlen(letters);
    tct_arena a = {0};
    ffi_type **types = TCT_NEW_ARRAY(&a, ffi_type *, n + 1);
    void **values = TCT_NEW_ARRAY(&a, void *, n + 1);
    for (unsigned i = 0; i < n; i++) {
        types[i] = type_of(letters[i]);
        values[i] = (void *)(uintptr_t)&args[i];
    }
    ffi_cif cif;
    union {
        ffi_arg word; // libffi widens small integral results to this
        tct_slot slot;
    } got = {0};
    bool ok = ffi_prep_cif(&cif, FFI_DEFAULT_ABI, n, type_of(signature[0]), types) == FFI_OK;
    if (ok) ffi_call(&cif, FFI_FN(fn), &got, values);
    if (signature[0] == 'i') got.slot.l = (int64_t)got.word;
    *result = got.slot;
    tct_arena_free(&a);
    return ok;
}
