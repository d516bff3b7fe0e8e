// The config values of a program before and while it runs.
#ifndef TCT_RUNTIME_SETTINGS_H
#define TCT_RUNTIME_SETTINGS_H

#include "base/setting.h"
#include "runtime/program.h"

struct tct_value;

// Gives config values by name, computes those that follow from others and checks the ranges. p->config
// becomes a new table, in d's arena. With n = 0 only what follows is computed. Reports E0405 (unknown name),
// E0402 (of another type), E0403 (out of range) and E0406 (the program was compiled for other values); then
// p is as it was.
bool tct_settings_apply(tct_diag *d, tct_program *p, const tct_setting *sets, size_t n);

// The values that the texts of p->config stand for, in out[p->n_config]; the caller drops them. Reports
// E0402.
bool tct_settings_values(tct_diag *d, const tct_program *p, struct tct_value *out);

#endif
