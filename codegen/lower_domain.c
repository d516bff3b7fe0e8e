// The axes that a kernel of loops runs over, each in one loop or several.
#include "codegen/lower_domain.h"

#include <assert.h>
#include <string.h>

static const tct_domain_axis *find(const tct_domain *d, tct_axis a) {
    for (uint32_t k = 0; k < d->n; k++)
        if (d->axes[k].axis == a) return &d->axes[k];
    return NULL;
}

void tct_domain_add(tct_domain *d, tct_axis a, int64_t size, bool reduced) {
    if (find(d, a)) return;
    assert(d->n < TCT_LOOP_MAX_AXES);
    d->axes[d->n++] = (tct_domain_axis){.axis = a, .reduced = reduced, .n_digits = 1, .digit = {size}};
}

void tct_domain_open(tct_domain *d, const tct_ir_module *m, tct_loop *l) {
    for (uint32_t k = 0; k < d->n; k++) {
        tct_domain_axis *x = &d->axes[k];
        x->first = l->n_axes;
        for (uint32_t g = 0; g < x->n_digits; g++)
            tct_loop_add_axis(l, tct_axis_of(m, x->axis)->name, x->digit[g], x->reduced);
    }
}

tct_lv tct_domain_index(const tct_domain *d, tct_loop *l, tct_axis a) {
    const tct_domain_axis *x = find(d, a);
    tct_lv digit[TCT_DOMAIN_MAX_DIGITS];
    int64_t weight[TCT_DOMAIN_MAX_DIGITS], s = 1;
    assert(x);
    for (uint32_t k = x->n_digits; k-- > 0;) {
        digit[k] = tct_loop_counter(l, x->first + k);
        weight[k] = s;
        s *= x->digit[k];
    }
    return tct_loop_affine(l, 0, x->n_digits, digit, weight);
}

bool tct_domain_split(tct_domain *d, uint32_t loop_axis, int64_t inner) {
    for (uint32_t k = 0; k < d->n; k++) {
        tct_domain_axis *x = &d->axes[k];
        if (loop_axis < x->first || loop_axis >= x->first + x->n_digits) continue;
        uint32_t at = loop_axis - x->first;
        if (x->n_digits == TCT_DOMAIN_MAX_DIGITS) return false;
        memmove(x->digit + at + 1, x->digit + at, (x->n_digits - at) * sizeof *x->digit);
        x->digit[at + 1] = inner;
        x->digit[at] /= inner;
        x->n_digits++;
        return true;
    }
    return false;
}
