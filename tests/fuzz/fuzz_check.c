// libFuzzer target of the elaborator: any program is safe to check. Run it in the root of the repository,
// which holds the library.
#include "frontend/elab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tct_diag d = {.max_errors = 20};
    tct_package package = {0};
    if (tct_package_load_text(&d, &package, "fuzz.tct", (const char *)data, size, "std"))
        tct_check(&d, &package, NULL, 0, false, NULL);
    tct_buf out = {0};
    tct_diag_render(&d, &out, false);
    tct_buf_free(&out);
    tct_package_free(&package);
    tct_diag_free(&d);
    return 0;
}
