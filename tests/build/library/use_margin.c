// Uses the library `margin` as a C program and as a C++ program does; the test compares what it prints with
// tercet eval.
#include "margin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLDS(x)                                                                                             \
    do {                                                                                                     \
        if (!(x)) {                                                                                          \
            fprintf(stderr, "line %d: %s does not hold\n", __LINE__, #x);                                    \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

enum { N = MARGIN_LOSS_IN_REWARD };

static float reward[N], step = 0.25f;
static int32_t rank[N];
static float out[1], grad_reward[MARGIN_LOSS_OUT_GRAD_REWARD], grad_step[1];

static margin_loss_in inputs(void) {
    margin_loss_in in;
    in.reward = reward;
    in.rank = rank;
    in.step = &step;
    return in;
}

static margin_loss_out outputs(void) {
    margin_loss_out to;
    to.out = out;
    to.grad_reward = grad_reward;
    to.grad_step = grad_step;
    return to;
}

static void print(const char *name, const float *x, int n) {
    printf("%s", name);
    for (int i = 0; i < n; i++) printf(" %.9g", (double)x[i]);
    printf("\n");
}

static void compute(margin_context *c) {
    margin_loss_in in = inputs();
    margin_loss_out to = outputs();
    memset(grad_reward, 0x7f, sizeof grad_reward);
    HOLDS(margin_loss(c, &in, &to) == MARGIN_OK);
}

// With any number of threads, in memory of its own or of the caller's, with any instruction set: contexts do
// not mind each other.
static void many_contexts(void) {
    float first[N];
    margin_context *c[4];
    memcpy(first, grad_reward, sizeof first);
    for (int i = 0; i < 4; i++) {
        margin_options o;
        memset(&o, 0, sizeof o);
        o.threads = i;
        void *memory = NULL;
        if (i % 2) {
            o.workspace_bytes = margin_workspace_bytes(i);
            memory = o.workspace = aligned_alloc(64, (o.workspace_bytes + 64) / 64 * 64);
            HOLDS(memory);
        }
        HOLDS(margin_create(MARGIN_ABI, &o, &c[i]) == MARGIN_OK);
        compute(c[i]);
        HOLDS(memcmp(first, grad_reward, sizeof first) == 0);
        if (memory) {
            margin_destroy(c[i]);
            free(memory);
            c[i] = NULL;
        }
    }
    for (int i = 0; i < 4; i++) margin_destroy(c[i]);
}

static void refused_context(const margin_options *o, margin_status status, const char *words) {
    margin_context *c;
    HOLDS(margin_create(MARGIN_ABI, o, &c) == status);
    HOLDS(strstr(margin_message(c), words));
    margin_loss_in in = inputs();
    margin_loss_out to = outputs();
    HOLDS(margin_loss(c, &in, &to) == MARGIN_ARGUMENT);
    margin_destroy(c);
}

static void refusals(margin_context *c) {
    margin_options o;
    margin_context *other;
    memset(&o, 0, sizeof o);
    o.threads = -1;
    refused_context(&o, MARGIN_ARGUMENT, "threads is -1");
    o.threads = 1;
    o.isa = "sse9";
    refused_context(&o, MARGIN_ARGUMENT, "'sse9'");
    o.isa = "base";
    refused_context(&o, MARGIN_PROCESSOR, "it may use no more than base");
    o.isa = NULL;
    static char memory[4096];
    o.workspace = memory + (64 - (uintptr_t)memory % 64) % 64;
    o.workspace_bytes = margin_workspace_bytes(1) - 1;
    refused_context(&o, MARGIN_ARGUMENT, "it must have");
    o.workspace = (char *)o.workspace + 4;
    refused_context(&o, MARGIN_ARGUMENT, "not aligned");
    HOLDS(margin_create(MARGIN_ABI + 1, NULL, &other) == MARGIN_ABI_DIFFERS);
    HOLDS(strstr(margin_message(other), "not made together"));
    margin_destroy(other);
    HOLDS(margin_create(MARGIN_ABI, NULL, NULL) == MARGIN_ARGUMENT);
    margin_destroy(NULL);

    margin_loss_in in = inputs();
    margin_loss_out to = outputs();
    in.rank = NULL;
    HOLDS(margin_loss(c, &in, &to) == MARGIN_ARGUMENT);
    HOLDS(strstr(margin_message(c), "rank is NULL"));
    in = inputs();
    in.reward = (const float *)((const char *)reward + 1);
    HOLDS(margin_loss(c, &in, &to) == MARGIN_ARGUMENT);
    HOLDS(strstr(margin_message(c), "reward is not aligned"));
    in = inputs();
    to.grad_step = NULL;
    HOLDS(margin_loss(c, &in, &to) == MARGIN_ARGUMENT);
    HOLDS(strstr(margin_message(c), "grad.step is NULL"));
    HOLDS(margin_loss(c, NULL, &to) == MARGIN_ARGUMENT);
    HOLDS(margin_loss(NULL, &in, &to) == MARGIN_ARGUMENT);
    for (int i = -1; i < 9; i++) HOLDS(strlen(margin_status_text((margin_status)i)) > 3);
}

int main(void) {
    HOLDS(margin_abi() == MARGIN_ABI);
    HOLDS(strstr(margin_description(), "\"function\": \"margin_loss\""));
    for (int i = 0; i < N; i++) {
        reward[i] = (float)(i * 7 % 5) * 0.3f - 0.4f;
        rank[i] = i * 5 % 4;
    }
    margin_context *c;
    HOLDS(margin_create(MARGIN_ABI, NULL, &c) == MARGIN_OK);
    HOLDS(strcmp(margin_message(c), "") == 0);
    compute(c);
    print("out", out, 1);
    print("grad.reward", grad_reward, N);
    print("grad.step", grad_step, 1);
    many_contexts();
    refusals(c);
    compute(c); // after all that was refused

    margin_loss_in in = inputs(); // what was given when the library was built
    margin_loss_out to = outputs();
    in.step = NULL;
    float before = out[0];
    out[0] = 0;
    HOLDS(margin_loss(c, &in, &to) == MARGIN_OK);
    HOLDS(memcmp(&before, out, sizeof before) == 0);
    margin_destroy(c);
    return 0;
}
