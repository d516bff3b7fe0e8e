// Turns for a pipeline of Tercet (see turns.py): what bench/graphs/ppo.tct calls. The first call ends its
// preparation, every other one a turn; a pipeline measures one iteration a turn, however many seconds are
// asked for. It ends the process with
// its input.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

__attribute__((visibility("default"))) bool next_turn(void);

static double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool next_turn(void) {
    static int turns = -2; // the first iteration is warm-up
    static double begin, used;
    double wall = seconds(CLOCK_MONOTONIC) - begin, process = seconds(CLOCK_PROCESS_CPUTIME_ID) - used;
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    double mb = (double)u.ru_maxrss / 1024;
    turns++;
    if (turns == 0) printf("{\"peak_rss_mb\": %.1f}\n", mb);
    if (turns > 0)
        printf("{\"ms\": %.3f, \"runs\": 1, \"process_ms\": %.3f, \"peak_rss_mb\": %.1f}\n", wall * 1e3,
               process * 1e3, mb);
    fflush(stdout);
    char line[64];
    if (turns >= 0 && !fgets(line, sizeof line, stdin))
        _Exit(0); // models of gigabytes aren't saved for nothing
    begin = seconds(CLOCK_MONOTONIC), used = seconds(CLOCK_PROCESS_CPUTIME_ID);
    return true;
}
