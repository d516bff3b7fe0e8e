// Matrix products of the libraries that others use, for bench/compare: OpenBLAS and oneDNN, f32, warm, on as
// many threads as asked. Built only where the libraries are found.
//
//     gemm_peers [--threads N] [--seconds S] [--json] MxNxK[:layout] …
//
// The layout is two letters as of `tercet bench gemm`: n as it is, t transposed, first A, then B. Products
// are 2·m·n·k operations; the best of a few rounds counts, in which the libraries take turns.
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef WITH_OPENBLAS
#include <cblas.h>
#endif
#ifdef WITH_ONEDNN
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#endif

enum { ROUNDS = 5 };

typedef struct product {
    int64_t m, n, k;
    bool ta, tb;
    const float *a, *b;
    float *c;
} product;

typedef struct peer {
    const char *name;
    void (*threads)(int n);
    void (*run)(const product *p);
} peer;

#ifdef WITH_OPENBLAS
static void openblas_threads(int n) { openblas_set_num_threads(n); }
static void openblas_run(const product *p) {
    cblas_sgemm(CblasRowMajor, p->ta ? CblasTrans : CblasNoTrans, p->tb ? CblasTrans : CblasNoTrans,
                (int)p->m, (int)p->n, (int)p->k, 1, p->a, (int)(p->ta ? p->m : p->k), p->b,
                (int)(p->tb ? p->k : p->n), 0, p->c, (int)p->n);
}
#endif
#ifdef WITH_ONEDNN
static void onednn_threads(int n) { omp_set_num_threads(n); }
static void onednn_run(const product *p) {
    dnnl_sgemm(p->ta ? 'T' : 'N', p->tb ? 'T' : 'N', p->m, p->n, p->k, 1, p->a, p->ta ? p->m : p->k, p->b,
               p->tb ? p->k : p->n, 0, p->c, p->n);
}
#endif

static const peer peers[] = {
#ifdef WITH_OPENBLAS
    {"openblas", openblas_threads, openblas_run},
#endif
#ifdef WITH_ONEDNN
    {"onednn", onednn_threads, onednn_run},
#endif
};
enum { PEERS = sizeof peers / sizeof *peers };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *numbers(int64_t n) {
    float *x = aligned_alloc(64, ((size_t)n * sizeof *x + 63) / 64 * 64);
    if (!x) {
        fputs("gemm_peers: out of memory\n", stderr);
        exit(1);
    }
    for (int64_t i = 0; i < n; i++) x[i] = (float)(i % 251) / 251 - 0.5F;
    return x;
}

static double seconds_of(const peer *x, const product *p, int64_t runs) {
    double start = now();
    for (int64_t i = 0; i < runs; i++) x->run(p);
    return (now() - start) / (double)runs;
}

// As many runs as fill a slice of time, once warm.
static int64_t runs_in(const peer *x, const product *p, double seconds) {
    seconds_of(x, p, 1);
    double each = seconds_of(x, p, 1);
    return each * 2 > seconds ? 1 : (int64_t)(seconds / each);
}

static bool parse(const char *text, product *p, char layout[3]) {
    int used = 0;
    *p = (product){0};
    memcpy(layout, "nn", 3);
    if (sscanf(text, "%" SCNd64 "x%" SCNd64 "x%" SCNd64 "%n", &p->m, &p->n, &p->k, &used) != 3) return false;
    if (p->m < 1 || p->n < 1 || p->k < 1 || p->m > 1 << 20 || p->n > 1 << 20 || p->k > 1 << 20) return false;
    text += used;
    if (*text == ':' && strlen(text) == 3 && strspn(text + 1, "nt") == 2)
        memcpy(layout, text + 1, 2);
    else if (*text)
        return false;
    p->ta = layout[0] == 't';
    p->tb = layout[1] == 't';
    return true;
}

static void measure(product *p, const char *layout, int threads, double seconds, bool json) {
    float *a = numbers(p->m * p->k), *b = numbers(p->k * p->n);
    p->a = a, p->b = b, p->c = numbers(p->m * p->n);
    double flops = 2.0 * (double)p->m * (double)p->n * (double)p->k, best[PEERS + 1] = {0};
    int64_t runs[PEERS + 1];
    for (int i = 0; i < PEERS; i++) runs[i] = runs_in(&peers[i], p, seconds / ROUNDS / PEERS);
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < PEERS; i++) {
            double rate = flops / seconds_of(&peers[i], p, runs[i]) * 1e-9;
            if (rate > best[i]) best[i] = rate;
        }
    for (int i = 0; i < PEERS; i++)
        printf(json ? "{\"bench\": \"gemm\", \"peer\": \"%s\", \"m\": %" PRId64 ", \"n\": %" PRId64
                      ", \"k\": %" PRId64 ", \"layout\": \"%s\", \"threads\": %d, \"gflops\": %.1f}\n"
                    : "%-8s %6" PRId64 " x%6" PRId64 " x%6" PRId64 " %s, %d threads: %7.1f GFLOP/s\n",
               peers[i].name, p->m, p->n, p->k, layout, threads, best[i]);
    free(a), free(b), free(p->c);
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"threads", required_argument, NULL, 't'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {"json", no_argument, NULL, 'j'},
                                            {NULL, 0, NULL, 0}};
    int threads = 1;
    double seconds = 0.5;
    bool json = false;
    for (int c; (c = getopt_long(argc, argv, "t:s:j", options, NULL)) != -1;) {
        if (c == 't')
            threads = atoi(optarg);
        else if (c == 's')
            seconds = atof(optarg);
        else if (c == 'j')
            json = true;
        else
            return 2;
    }
    if (threads < 1 || !(seconds > 0) || optind == argc) {
        fputs("usage: gemm_peers [--threads N] [--seconds S] [--json] MxNxK[:layout] ...\n", stderr);
        return 2;
    }
    for (int i = 0; i < PEERS; i++) peers[i].threads(threads);
    for (int i = optind; i < argc; i++) {
        product p;
        char layout[3];
        if (!parse(argv[i], &p, layout)) {
            fprintf(stderr, "gemm_peers: '%s' is not a shape like 256x768x3072:nt\n", argv[i]);
            return 2;
        }
        measure(&p, layout, threads, seconds, json);
    }
    return 0;
}
