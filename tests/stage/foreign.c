// Foreign functions that tests/stage/test_extern.c calls from stage code and from graphs.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

// Stage code

int64_t foreign_add(int64_t a, int64_t b);
int64_t foreign_add(int64_t a, int64_t b) { return a + b; }

double foreign_mix(double x, int64_t n, int32_t twice, const char *text);
double foreign_mix(double x, int64_t n, int32_t twice, const char *text) {
    return (x + (double)n) * (twice ? 2 : 1) + (double)strlen(text);
}

int32_t foreign_even(int64_t n);
int32_t foreign_even(int64_t n) { return n % 2 == 0; }

const char *foreign_name(int64_t n);
const char *foreign_name(int64_t n) {
    static char name[32];
    snprintf(name, sizeof name, "number %lld", (long long)n);
    return name;
}

void foreign_halves(const double *x, int64_t n, double *out);
void foreign_halves(const double *x, int64_t n, double *out) {
    for (int64_t i = 0; i < n; i++) out[i] = x[i] / 2;
}

void foreign_lengths(const char *const *x, int64_t n, int64_t *out);
void foreign_lengths(const char *const *x, int64_t n, int64_t *out) {
    for (int64_t i = 0; i < n; i++) out[i] = (int64_t)strlen(x[i]);
}

// Graphs: y[b, t] = w * x[b, t]^2, and its gradient.

int foreign_squares(const float *x, int64_t b, int64_t t, const float *w, float *out, int64_t out_b,
                    int64_t out_t);
int foreign_squares(const float *x, int64_t b, int64_t t, const float *w, float *out, int64_t out_b,
                    int64_t out_t) {
    if (b != out_b || t != out_t) return 1;
    for (int64_t i = 0; i < b * t; i++) out[i] = *w * x[i] * x[i];
    return 0;
}

int foreign_squares_grad(const float *x, int64_t b, int64_t t, const float *w, const float *d_out,
                         int64_t d_b, int64_t d_t, float *dx, int64_t dx_b, int64_t dx_t, float *dw);
int foreign_squares_grad(const float *x, int64_t b, int64_t t, const float *w, const float *d_out,
                         int64_t d_b, int64_t d_t, float *dx, int64_t dx_b, int64_t dx_t, float *dw) {
    if (b != d_b || t != d_t || b != dx_b || t != dx_t) return 1;
    *dw = 0;
    for (int64_t i = 0; i < b * t; i++) {
        dx[i] = 2 * *w * x[i] * d_out[i];
        *dw += x[i] * x[i] * d_out[i];
    }
    return 0;
}

// The first k of every row, from a tensor whose axes its caller has in another order.
int foreign_first(const float *x, int64_t t, int64_t b, float *out, int64_t out_b, int64_t k);
int foreign_first(const float *x, int64_t t, int64_t b, float *out, int64_t out_b, int64_t k) {
    if (b != out_b || k > t) return 1;
    for (int64_t i = 0; i < b; i++)
        for (int64_t j = 0; j < k; j++) out[i * k + j] = x[j * b + i];
    return 0;
}

int foreign_fails(const float *x, int64_t t, float *out, int64_t out_t);
int foreign_fails(const float *x, int64_t t, float *out, int64_t out_t) {
    (void)x, (void)t, (void)out, (void)out_t;
    return 7;
}
