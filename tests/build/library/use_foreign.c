// A graph that calls a C function of a shared library, with its gradient: the sum of w * x * x.
#include "squares.h"

#include <stdio.h>

// use_foreign [FOLDER]: where the shared library is.
int main(int argc, char **argv) {
    squares_context *c;
    squares_options o = {.folder = argc > 1 ? argv[1] : NULL};
    float x[6] = {1, 2, 3, 4, 5, 6}, w = 2, out, grad_x[6], grad_w;
    squares_status s = squares_create(SQUARES_ABI, &o, &c);
    squares_total_grad_in in = {.m_x = x, .m_w = &w};
    squares_total_grad_out to = {.out = &out, .grad_m_x = grad_x, .grad_m_w = &grad_w};
    if (s == SQUARES_OK) s = squares_total_grad(c, &in, &to);
    if (s == SQUARES_OK)
        printf("%g %g %g %g\n", (double)out, (double)grad_w, (double)grad_x[0], (double)grad_x[5]);
    if (s != SQUARES_OK) printf("%s: %s", squares_status_text(s), squares_message(c));
    squares_destroy(c);
    return (int)s;
}
