// The running executable and its LLVM, as a line of text.
#include "codegen/identity.h"

#include "base/file.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <llvm-c/Core.h>
#include <sys/stat.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static bool hash_executable(XXH128_hash_t *hash) {
    tct_diag d = {0};
    tct_mapping exe;
    bool ok = tct_file_map(&d, "/proc/self/exe", &exe);
    tct_diag_free(&d);
    if (!ok) return false;
    *hash = XXH3_128bits(exe.data, exe.len);
    tct_file_unmap(&exe);
    return true;
}

// The file that LLVM's code was loaded from: the library, or the executable itself.
static bool stat_llvm(struct stat *st) {
    Dl_info info;
    void *code = (void *)(uintptr_t)LLVMGetVersion; // NOLINT: dladdr takes code as data
    return dladdr(code, &info) != 0 && info.dli_fname && stat(info.dli_fname, st) == 0;
}

bool tct_codegen_identity(tct_buf *out, const char **why) {
    XXH128_hash_t hash;
    struct stat llvm;
    if (!hash_executable(&hash)) {
        *why = "the running program cannot be read through /proc/self/exe";
        return false;
    }
    if (!stat_llvm(&llvm)) {
        *why = "the file of the LLVM library cannot be found";
        return false;
    }
    unsigned major, minor, patch;
    LLVMGetVersion(&major, &minor, &patch);
    tct_buf_printf(
        out, "tercet %016" PRIx64 "%016" PRIx64 " llvm %u.%u.%u of %" PRIdMAX " bytes at %" PRIdMAX ".%09ld",
        hash.high64, hash.low64, major, minor, patch, (intmax_t)llvm.st_size, (intmax_t)llvm.st_mtim.tv_sec,
        llvm.st_mtim.tv_nsec);
    return true;
}
