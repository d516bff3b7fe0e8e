// Trains the loss of ranking.tct from C: the library gives loss and gradient, the rest is here. README.md
// says how to build it.
#include "ranking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 200, QUERIES = 16, ITEMS = 6, FEATURES = 8 };

_Static_assert(RANKING_LOSS_IN_FEATURES == QUERIES * ITEMS * FEATURES,
               "the library was built for other sizes");
_Static_assert(RANKING_LOSS_IN_WEIGHT == FEATURES, "the library was built for other sizes");

// A number in [-1, 1), from a generator that the Python program has as well.
static double draw(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*state >> 33) / (double)(UINT64_C(1) << 30) - 1;
}

// Queries whose items are ranked by weights that nobody knows.
static void make_batch(uint64_t *state, const double *hidden, float *features, int32_t *rank) {
    for (int p = 0; p < QUERIES; p++) {
        double score[ITEMS];
        for (int k = 0; k < ITEMS; k++) {
            score[k] = 0;
            for (int f = 0; f < FEATURES; f++) {
                double x = draw(state);
                features[(p * ITEMS + k) * FEATURES + f] = (float)x;
                score[k] += hidden[f] * x;
            }
        }
        for (int k = 0; k < ITEMS; k++) {
            rank[p * ITEMS + k] = 1;
            for (int j = 0; j < ITEMS; j++) rank[p * ITEMS + k] += score[j] > score[k];
        }
    }
}

static void check(ranking_status status, const ranking_context *context) {
    if (status == RANKING_OK) return;
    fprintf(stderr, "%s\n%s", ranking_status_text(status), ranking_message(context));
    exit(1);
}

int main(void) {
    static float features[RANKING_LOSS_IN_FEATURES];
    static int32_t rank[RANKING_LOSS_IN_RANK];
    float weight[FEATURES] = {0}, loss, right, grad_weight[FEATURES], grad_features[RANKING_LOSS_IN_FEATURES];
    double hidden[FEATURES], velocity[FEATURES] = {0};
    uint64_t state = 1;
    for (int f = 0; f < FEATURES; f++) hidden[f] = draw(&state);

    // Working memory of ours: after this, the library asks the system for none.
    ranking_options options = {.threads = 2, .workspace_bytes = ranking_workspace_bytes(2)};
    options.workspace = aligned_alloc(64, (options.workspace_bytes + 63) / 64 * 64);
    ranking_context *context;
    check(ranking_create(RANKING_ABI, &options, &context), context);

    ranking_loss_in in = {.weight = weight, .features = features, .rank = rank};
    ranking_loss_out out = {
        .loss = &loss, .right = &right, .grad_weight = grad_weight, .grad_features = grad_features};
    for (int step = 0; step <= STEPS; step++) {
        make_batch(&state, hidden, features, rank);
        check(ranking_loss(context, &in, &out), context);
        if (step % 40 == 0) printf("step %3d  loss %.4f  right %.3f\n", step, (double)loss, (double)right);
        for (int f = 0; f < FEATURES; f++) { // gradient descent with momentum
            velocity[f] = 0.9 * velocity[f] + (double)grad_weight[f];
            weight[f] = (float)((double)weight[f] - 0.05 * velocity[f]);
        }
    }
    ranking_destroy(context);
    free(options.workspace);
    return right > 0.9f ? 0 : 1;
}
