// Two libraries of one graph, and a third, in one program.
#include "one.h"
#include "other.h"
#include "runs.h"

#include <stdio.h>

int main(void) {
    one_context *a;
    other_context *b;
    float reward[8] = {1, 2, 3, 4, 0, 0, 1, 2}, x = -1, y = -2;
    int32_t rank[8] = {1, 2, 3, 0, 4, 3, 2, 1};
    if (one_create(ONE_ABI, NULL, &a) != ONE_OK || other_create(OTHER_ABI, NULL, &b) != OTHER_OK) return 1;
    one_margin_loss_in in = {.reward = reward, .rank = rank};
    other_margin_loss_in in_b = {.reward = reward, .rank = rank};
    if (one_margin_loss(a, &in, &(one_margin_loss_out){.out = &x}) != ONE_OK) return 2;
    if (other_margin_loss(b, &in_b, &(other_margin_loss_out){.out = &y}) != OTHER_OK) return 3;
    printf("%d %.6g\n", x == y, (double)x);
    one_destroy(a);
    other_destroy(b);
    return ONE_ABI == OTHER_ABI || runs_abi() != RUNS_ABI;
}
