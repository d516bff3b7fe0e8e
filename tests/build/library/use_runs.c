// Runs a pipeline from C: use_runs FOLDER [SETTING...]
#include "runs.h"

#include <stdio.h>

int main(int argc, char **argv) {
    char message[400], tiny[5];
    runs_run_options o = {.out = argv[1],
                          .settings = (const char *const *)argv + 2,
                          .n_settings = (size_t)argc - 2,
                          .seed = 5,
                          .threads = 1};
    if (runs_run(RUNS_ABI + 1, &o, NULL, 0) != RUNS_ABI_DIFFERS) return 3;
    o.checkpoint_seconds = -1;
    if (runs_run(RUNS_ABI, &o, tiny, sizeof tiny) != RUNS_ARGUMENT || tiny[4] || !tiny[3]) return 4;
    o.checkpoint_seconds = 0;
    runs_status s = runs_run(RUNS_ABI, &o, message, sizeof message);
    fprintf(stderr, "%s: %s\n", runs_status_text(s), message);
    return s == RUNS_OK ? 0 : 1;
}
