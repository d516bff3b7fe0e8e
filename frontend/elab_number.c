// Functions of static numbers stay static: sqrt(64), max(heads, 2), exp(-1).
#include "frontend/elab_internal.h"

#include <string.h>

static const struct {
    const char *name;
    double (*fn)(double);
} functions[] = {{"sqrt", sqrt}, {"exp", exp},  {"log", log},     {"sin", sin},        {"cos", cos},
                 {"tanh", tanh}, {"abs", fabs}, {"floor", floor}, {"round", nearbyint}};

enum { N_FUNCTIONS = sizeof functions / sizeof *functions };

static bool is_choice(const char *name) { return strcmp(name, "max") == 0 || strcmp(name, "min") == 0; }

static bool is_conversion(const char *name) { return strcmp(name, "int") == 0 || strcmp(name, "float") == 0; }

uint32_t tct_elab_number_arity(const char *name) {
    if (is_choice(name)) return 2;
    if (is_conversion(name)) return 1;
    for (size_t i = 0; i < N_FUNCTIONS; i++)
        if (strcmp(functions[i].name, name) == 0) return 1;
    return 0;
}

static double number(const tct_val *v) { return v->kind == V_INT ? (double)v->i : v->f; }

static tct_val *choice(tct_elab *e, const char *name, tct_val *a, tct_val *b, tct_span span) {
    bool ints = a->kind == V_INT && b->kind == V_INT, largest = strcmp(name, "max") == 0;
    bool less = ints ? a->i < b->i : number(a) < number(b),
         same = !less && !(ints ? b->i < a->i : number(b) < number(a));
    const tct_val *chosen = less == largest && !same ? b : a;
    return ints ? tct_val_int(e, chosen->i, span) : tct_val_float(e, number(chosen), span);
}

static tct_val *conversion(tct_elab *e, const char *name, const tct_val *v, tct_span span) {
    if (strcmp(name, "float") == 0) return tct_val_float(e, number(v), span);
    if (v->kind == V_INT) return tct_val_int(e, v->i, span);
    if (fabs(v->f) < 9e18) return tct_val_int(e, (int64_t)v->f, span);
    tct_elab_error(e, "E0341", span, "%g doesn't fit into an int", v->f);
    return tct_val_error(e);
}

tct_val *tct_elab_number_function(tct_elab *e, const char *name, tct_val *const *v, tct_span span) {
    tct_val *r = NULL;
    bool known = v[0]->known;
    if (is_choice(name)) {
        r = choice(e, name, v[0], v[1], span);
        known = known && v[1]->known;
    } else if (is_conversion(name)) {
        r = conversion(e, name, v[0], span);
    } else if (strcmp(name, "abs") == 0 && v[0]->kind == V_INT && v[0]->i != INT64_MIN) {
        r = tct_val_int(e, v[0]->i < 0 ? -v[0]->i : v[0]->i, span);
    }
    for (size_t i = 0; i < N_FUNCTIONS && !r; i++)
        if (strcmp(functions[i].name, name) == 0) r = tct_val_float(e, functions[i].fn(number(v[0])), span);
    r->known = known;
    return r;
}
