// Names of a product's kernels, and what their generators share.
#include "codegen/gemm_kernels.h"
#include "codegen/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// tct_gemm_<kind>_<dtype>_<isa>_<rows>x<columns>[e][r][f][n][w<bytes>][a<panel>][b<panel>][p<pieces>][q<pieces>]
static const char *const kinds[] = {"micro",   "dots",    "stream", "copy",  "turn",  "rowsk",  "rowsm",
                                    "panelsk", "panelsn", "tiles",  "enter", "leave", "tstream"};

void gemm_kernel_symbol(const gemm_kernel *k, tct_isa isa, char out[TCT_GEMM_SYMBOL]) {
    char panel[2][8] = {"", ""}, narrow[8] = "", pieces[2][8] = {"", ""};
    if (k->narrow) snprintf(narrow, sizeof narrow, "w%u", k->narrow % 10);
    if (k->panel_a) snprintf(panel[0], sizeof panel[0], "a%u", k->panel_a % 1000);
    if (k->panel_b) snprintf(panel[1], sizeof panel[1], "b%u", k->panel_b % 1000);
    if (k->pieces_a > 1) snprintf(pieces[0], sizeof pieces[0], "p%u", k->pieces_a % 1000);
    if (k->pieces_b > 1) snprintf(pieces[1], sizeof pieces[1], "q%u", k->pieces_b % 1000);
    snprintf(out, TCT_GEMM_SYMBOL, "tct_gemm_%s_%s_%s_%ux%u%s%s%s%s%s%s%s%s%s", kinds[k->kind],
             tct_dtype_name(k->dtype), tct_isa_name(isa), k->rows, k->columns, k->edge ? "e" : "",
             k->by_row ? "r" : "", k->far ? "f" : "", k->rounded ? "n" : "", narrow, panel[0], panel[1],
             pieces[0], pieces[1]);
}

bool gemm_kernel_parse(const char *symbol, gemm_kernel *out, tct_isa *out_isa) {
    char kind[8], dtype[8], isa_name[16], flags[16] = "";
    gemm_kernel k = {0};
    if (sscanf(symbol, "tct_gemm_%7[a-z]_%7[a-z0-9]_%15[a-z0-9]_%ux%u%15s", kind, dtype, isa_name, &k.rows,
               &k.columns, flags) < 5)
        return false;
    tct_isa isa;
    if (!tct_dtype_parse(dtype, &k.dtype) || !tct_isa_parse(isa_name, &isa)) return false;
    size_t i = 0;
    while (i < sizeof kinds / sizeof *kinds && strcmp(kind, kinds[i]) != 0) i++;
    if (i == sizeof kinds / sizeof *kinds) return false;
    k.kind = (gemm_kernel_kind)i;
    k.edge = strchr(flags, 'e') != NULL;
    k.by_row = strchr(flags, 'r') != NULL;
    k.far = strchr(flags, 'f') != NULL;
    k.rounded = strchr(flags, 'n') != NULL;
    const char *a = strchr(flags, 'a'), *b = strchr(flags, 'b'), *w = strchr(flags, 'w'),
               *p = strchr(flags, 'p'), *q = strchr(flags, 'q');
    if (w) k.narrow = (unsigned)strtoul(w + 1, NULL, 10);
    if (a) k.panel_a = (unsigned)strtoul(a + 1, NULL, 10);
    if (b) k.panel_b = (unsigned)strtoul(b + 1, NULL, 10);
    k.pieces_a = p ? (unsigned)strtoul(p + 1, NULL, 10) : 1;
    k.pieces_b = q ? (unsigned)strtoul(q + 1, NULL, 10) : 1;
    *out = k;
    *out_isa = isa;
    char again[TCT_GEMM_SYMBOL];
    gemm_kernel_symbol(&k, isa, again);
    return strcmp(again, symbol) == 0;
}

gemm_code gemm_begin(LLVMModuleRef module, const tct_target *target, tct_dtype dtype, const char *symbol,
                     const char *params) {
    enum { MAX_PARAMS = 12 };
    LLVMContextRef c = LLVMGetModuleContext(module);
    LLVMTypeRef types[MAX_PARAMS], i64 = LLVMInt64TypeInContext(c);
    unsigned n = 0;
    for (; params[n]; n++) types[n] = params[n] == 'p' ? LLVMPointerTypeInContext(c, 0) : i64;
    LLVMValueRef fn =
        LLVMAddFunction(module, symbol, LLVMFunctionType(LLVMVoidTypeInContext(c), types, n, 0));
    for (unsigned i = 0; i < n; i++)
        if (params[i] == 'p' && i != GEMM_NEXT) tct_llvm_attribute(fn, i + 1, "noalias");
    tct_llvm_attribute(fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, "nounwind");
    unsigned lanes = tct_target_lanes(target, dtype);
    LLVMTypeRef element = tct_target_type(c, dtype);
    gemm_code g = {.b = LLVMCreateBuilderInContext(c),
                   .context = c,
                   .function = fn,
                   .element = element,
                   .vector = LLVMVectorType(element, lanes),
                   .i64 = i64,
                   .lanes = lanes,
                   .bytes = (unsigned)tct_dtype_size(dtype)};
    LLVMPositionBuilderAtEnd(g.b, gemm_block(&g));
    return g;
}

void gemm_end(gemm_code *g) {
    LLVMBuildRetVoid(g->b);
    LLVMDisposeBuilder(g->b);
}

LLVMValueRef gemm_index(const gemm_code *g, int64_t i) { return LLVMConstInt(g->i64, (uint64_t)i, 1); }

LLVMValueRef gemm_at(const gemm_code *g, LLVMValueRef p, LLVMValueRef offset) {
    return LLVMBuildInBoundsGEP2(g->b, g->element, p, &offset, 1, "");
}

LLVMValueRef gemm_scaled(const gemm_code *g, LLVMValueRef stride, unsigned times) {
    return LLVMBuildMul(g->b, stride, gemm_index(g, times), "");
}

LLVMBasicBlockRef gemm_block(const gemm_code *g) {
    return LLVMAppendBasicBlockInContext(g->context, g->function, "");
}

LLVMValueRef gemm_fma(const gemm_code *g, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z) {
    if (g->pairs) {
        LLVMTypeRef pairs = LLVMVectorType(LLVMBFloatTypeInContext(g->context), 2 * g->lanes);
        LLVMValueRef args[] = {z, LLVMBuildBitCast(g->b, x, pairs, ""), LLVMBuildBitCast(g->b, y, pairs, "")};
        return tct_llvm_intrinsic(g->b, "llvm.x86.avx512bf16.dpbf16ps.512", NULL, 0, args, 3);
    }
    LLVMTypeRef type = LLVMTypeOf(x);
    LLVMValueRef args[] = {x, y, z};
    return tct_llvm_intrinsic(g->b, "llvm.fmuladd", &type, 1, args, 3);
}

LLVMValueRef gemm_load_splat(const gemm_code *g, LLVMValueRef at) {
    return tct_llvm_splat(g->b, tct_llvm_load(g->b, g->element, at, g->bytes), g->lanes);
}

void gemm_fetch(const gemm_code *g, LLVMValueRef at, bool to_write, int level) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(g->context), pointer = LLVMTypeOf(at);
    LLVMValueRef args[] = {at, LLVMConstInt(i32, to_write, 0), LLVMConstInt(i32, (unsigned)level, 0),
                           LLVMConstInt(i32, 1, 0)};
    tct_llvm_intrinsic(g->b, "llvm.prefetch", &pointer, 1, args, 4);
}

static LLVMTypeRef narrow_type(const gemm_code *g, unsigned narrow) {
    return narrow == 0   ? g->element
           : narrow == 1 ? LLVMInt8TypeInContext(g->context)
                         : LLVMInt16TypeInContext(g->context);
}

LLVMValueRef gemm_narrow_at(const gemm_code *g, unsigned narrow, LLVMValueRef p, LLVMValueRef offset) {
    return LLVMBuildInBoundsGEP2(g->b, narrow_type(g, narrow), p, &offset, 1, "");
}

LLVMValueRef gemm_load_narrow(const gemm_code *g, unsigned narrow, LLVMValueRef at, LLVMValueRef mask) {
    LLVMTypeRef type = LLVMVectorType(narrow_type(g, narrow), g->lanes);
    unsigned align = narrow ? narrow : g->bytes;
    LLVMValueRef x = mask ? tct_llvm_masked_load(g->b, type, at, align, mask, LLVMConstNull(type))
                          : tct_llvm_load(g->b, type, at, align);
    if (narrow == 1) return LLVMBuildSIToFP(g->b, x, g->vector, "");
    return narrow ? tct_loop_emit_widen(g->b, TCT_BF16, g->lanes, x) : x;
}
