// The image as a constant, and every function by its symbol.
#include "codegen/bundle.h"

#include "codegen/shim.h"
#include "runtime/image.h"
#include "runtime/linked.h"

#include <stdlib.h>
#include <string.h>

typedef struct contents {
    const tct_bundle *bundle;
    const char **symbols; // sorted, each once
    size_t n;
} contents;

static LLVMValueRef define(LLVMModuleRef module, const char *name, LLVMValueRef value) {
    LLVMValueRef global = LLVMAddGlobal(module, LLVMTypeOf(value), name);
    LLVMSetInitializer(global, value);
    LLVMSetGlobalConstant(global, 1);
    return global;
}

static LLVMValueRef text(LLVMModuleRef module, const char *s) {
    LLVMContextRef c = LLVMGetModuleContext(module);
    LLVMValueRef global = define(module, "", LLVMConstStringInContext(c, s, (unsigned)strlen(s), 0));
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetUnnamedAddress(global, LLVMGlobalUnnamedAddr);
    return global;
}

static void emit_functions(LLVMModuleRef module, const contents *x) {
    LLVMContextRef c = LLVMGetModuleContext(module);
    LLVMTypeRef pointer = LLVMPointerTypeInContext(c, 0), fields[] = {pointer, pointer};
    LLVMTypeRef entry = LLVMStructTypeInContext(c, fields, 2, 0);
    LLVMTypeRef function = LLVMFunctionType(LLVMVoidTypeInContext(c), NULL, 0, 0);
    LLVMValueRef *entries = tct_alloc((x->n + 1) * sizeof *entries);
    for (size_t i = 0; i < x->n; i++) {
        const char *name = x->symbols[i];
        if (strncmp(name, TCT_LINKED_FOREIGN, strlen(TCT_LINKED_FOREIGN)) == 0)
            name += strlen(TCT_LINKED_FOREIGN);
        LLVMValueRef address = LLVMAddFunction(module, name, function);
        LLVMSetVisibility(address, LLVMHiddenVisibility);
        LLVMValueRef pair[] = {text(module, x->symbols[i]), address};
        entries[i] = LLVMConstNamedStruct(entry, pair, 2);
    }
    define(module, "tct_linked_functions", LLVMConstArray2(entry, entries, x->n));
    define(module, "tct_linked_n_functions", LLVMConstInt(LLVMInt64TypeInContext(c), x->n, 0));
    tct_heap_free(entries);
}

static void emit(const void *data, LLVMModuleRef module, const tct_target *target) {
    (void)target;
    const contents *x = data;
    const tct_bundle *p = x->bundle;
    LLVMContextRef c = LLVMGetModuleContext(module);
    LLVMValueRef image =
        define(module, "tct_linked_image", LLVMConstStringInContext2(c, p->image, p->image_bytes, 1));
    LLVMSetSection(image, TCT_IMAGE_SECTION);
    LLVMSetAlignment(image, 16);
    define(module, "tct_linked_image_bytes", LLVMConstInt(LLVMInt64TypeInContext(c), p->image_bytes, 0));
    emit_functions(module, x);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t sort_once(const char **symbols, size_t n) {
    qsort(symbols, n, sizeof *symbols, by_text);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!kept || strcmp(symbols[kept - 1], symbols[i]) != 0) symbols[kept++] = symbols[i];
    return kept;
}

bool tct_bundle_objects(tct_diag *d, const tct_bundle *p, tct_objects *out) {
    tct_arena a = {0};
    const char **callers = TCT_NEW_ARRAY(&a, const char *, p->n_signatures + 1);
    for (size_t i = 0; i < p->n_signatures; i++)
        callers[i] = tct_arena_printf(&a, TCT_LINKED_CALLER "%s", p->signatures[i]);
    size_t n_callers = sort_once(callers, p->n_signatures);
    contents x = {.bundle = p,
                  .symbols = TCT_NEW_ARRAY(&a, const char *, p->n_kernels + n_callers + p->n_foreigns + 1)};
    for (size_t i = 0; i < p->n_kernels; i++) x.symbols[x.n++] = p->kernels[i];
    for (size_t i = 0; i < n_callers; i++) x.symbols[x.n++] = callers[i];
    for (size_t i = 0; i < p->n_foreigns; i++)
        x.symbols[x.n++] = tct_arena_printf(&a, TCT_LINKED_FOREIGN "%s", p->foreigns[i]);
    x.n = sort_once(x.symbols, x.n);
    tct_unit *units = TCT_NEW_ARRAY(&a, tct_unit, n_callers + 1);
    units[0] = (tct_unit){.name = "bundle", .emit = emit, .data = &x};
    for (size_t i = 0; i < n_callers; i++) units[i + 1] = tct_shim_unit(callers[i]);
    tct_target base = tct_target_of(TCT_ISA_BASE);
    // Each in a module of its own: a table refers to callers as to all functions, by name.
    *out = (tct_objects){0};
    bool ok = true;
    for (size_t i = 0; i <= n_callers && ok; i++) {
        tct_objects one = {0};
        ok = tct_units_compile(d, &base, &units[i], 1, 1, NULL, &one);
        tct_objects_append(out, &one);
    }
    if (!ok) tct_objects_free(out);
    tct_arena_free(&a);
    return ok;
}
