#include "driver/driver.h"

#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int tct_report(tct_diag *d) { return tct_diag_report(d) ? TCT_EXIT_OK : TCT_EXIT_ERROR; }

const char *tct_std_dir(tct_arena *a) {
    const char *set = getenv("TERCET_STD");
    if (set && set[0]) return tct_arena_strdup(a, set);
    const char *bin = tct_program_folder(a);
    static const char *const places[] = {"../std", "../share/tercet/std"};
    for (size_t k = 0; k < sizeof places / sizeof places[0]; k++) {
        const char *dir = tct_path_join(a, bin, places[k]);
        if (access(tct_path_join(a, dir, "core.tct"), F_OK) != 0) continue;
        char *real = realpath(dir, NULL);
        const char *found = tct_arena_strdup(a, real ? real : dir);
        free(real);
        return found;
    }
    return tct_path_join(a, bin, places[0]);
}

bool tct_may_write(tct_diag *d, const char *path) {
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return tct_error(d, "E0702", TCT_NO_SPAN, "cannot write %s: it is %s, not a file", path,
                         S_ISDIR(st.st_mode) ? "a folder" : "a device or a pipe");
    const char *folder = tct_path_dir(&d->arena, path);
    return access(folder, W_OK | X_OK) == 0 ||
           tct_error(d, "E0702", TCT_NO_SPAN, "cannot write %s: %s: %s", path, folder, strerror(errno));
}

bool tct_write_out(tct_diag *d, const tct_buf *text) {
    size_t n = text->len ? fwrite(text->data, 1, text->len, stdout) : 0;
    if (n == text->len && fflush(stdout) == 0) return true;
    return tct_error(d, "E0702", TCT_NO_SPAN, "cannot write the output: %s", strerror(errno));
}
