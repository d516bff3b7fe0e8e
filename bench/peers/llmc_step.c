// One supervised step of llm.c, measured in turns (see turns.py). bench/compare compiles it together with
// llm.c's train_gpt2.c, which lies in the folder LLMC_DIR and is no part of this repository:
//     cc -Ofast -march=native -fopenmp -I $LLMC_DIR llmc_step.c -lm -o llmc_step
// Arguments: a checkpoint in llm.c's format (see llmc_checkpoint.py), rows, tokens a row. llm.c prints while
// it reads the checkpoint; the lines of the protocol are those that begin with a brace.
#define TESTING
#include "train_gpt2.c"

#include <sys/resource.h>

static double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double peak_rss_mb(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

static void step(GPT2 *model, int *tokens, int *targets, int rows, int length, int n) {
    gpt2_forward(model, tokens, targets, (size_t)rows, (size_t)length);
    gpt2_zero_grad(model);
    gpt2_backward(model);
    gpt2_update(model, 3e-4f, 0.9f, 0.95f, 1e-8f, 0.1f, n);
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    int rows = atoi(argv[2]), length = atoi(argv[3]), n = 0;
    GPT2 model;
    gpt2_build_from_checkpoint(&model, argv[1]);
    size_t count = (size_t)rows * (size_t)length;
    int *tokens = mallocCheck((count + 1) * sizeof *tokens);
    for (size_t i = 0; i <= count; i++) tokens[i] = (int)(i * 7919 % model.config.vocab_size);
    gpt2_forward(&model, tokens, tokens + 1, (size_t)rows, (size_t)length); // warm: its largest arrays
    printf("{\"peak_rss_mb\": %.1f}\n", peak_rss_mb());
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        double end = seconds(CLOCK_MONOTONIC) + atof(line), best = 1e300, cpu = 0;
        int runs = 0;
        do {
            double wall = seconds(CLOCK_MONOTONIC), used = seconds(CLOCK_PROCESS_CPUTIME_ID);
            step(&model, tokens, tokens + 1, rows, length, ++n);
            wall = seconds(CLOCK_MONOTONIC) - wall, used = seconds(CLOCK_PROCESS_CPUTIME_ID) - used;
            if (wall < best) best = wall, cpu = used;
            runs++;
        } while (seconds(CLOCK_MONOTONIC) < end);
        printf("{\"ms\": %.3f, \"runs\": %d, \"process_ms\": %.3f, \"peak_rss_mb\": %.1f}\n", best * 1e3,
               runs, cpu * 1e3, peak_rss_mb());
        fflush(stdout);
    }
    gpt2_free(&model);
    free(tokens);
    return 0;
}
