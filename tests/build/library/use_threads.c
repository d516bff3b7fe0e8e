// Contexts in several threads at once: each gets what one alone gets.
#include "one.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 4, CALLS = 500 };

static const float reward[8] = {1, 2, 3, 4, 0, 0, 1, 2};
static const int32_t rank[8] = {1, 2, 3, 0, 4, 3, 2, 1};
static float alone;

static int calls(int threads) {
    one_context *c;
    one_options o = {.threads = threads};
    int wrong = one_create(ONE_ABI, &o, &c) != ONE_OK;
    for (int i = 0; i < CALLS && !wrong; i++) {
        float x = -1;
        one_margin_loss_in in = {.reward = reward, .rank = rank};
        one_margin_loss_out out = {.out = &x};
        wrong = one_margin_loss(c, &in, &out) != ONE_OK || memcmp(&x, &alone, sizeof x) != 0;
    }
    one_destroy(c);
    return wrong;
}

static void *in_thread(void *wrong) {
    *(int *)wrong = calls(1 + *(int *)wrong % 2);
    return NULL;
}

int main(void) {
    one_context *c;
    if (one_create(ONE_ABI, NULL, &c) != ONE_OK) return 2;
    one_margin_loss_in in = {.reward = reward, .rank = rank};
    if (one_margin_loss(c, &in, &(one_margin_loss_out){.out = &alone}) != ONE_OK) return 3;
    pthread_t thread[THREADS];
    int wrong[THREADS], sum = 0;
    for (int i = 0; i < THREADS; i++) {
        wrong[i] = i;
        if (pthread_create(&thread[i], NULL, in_thread, &wrong[i]) != 0) return 4;
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        sum += wrong[i];
    }
    one_destroy(c);
    printf("%d wrong\n", sum);
    return sum;
}
