#include "runtime/signature.h"

void tct_foreign_signature(const tct_plan_foreign *f, tct_buf *out) {
    tct_buf_puts(out, "i_");
    for (uint32_t i = 0; i < f->n_in + f->n_out; i++) {
        tct_buf_putc(out, 'p');
        for (uint32_t a = 0; a < f->n_axes[i]; a++) tct_buf_putc(out, 'l');
    }
}

// The letters of a value's C type (runtime/caller.h).
static const char *letters(uint8_t kind) {
    switch ((tct_kind)kind) {
    case TCT_KIND_INT:
        return "l";
    case TCT_KIND_FLOAT:
        return "d";
    case TCT_KIND_BOOL:
        return "i";
    case TCT_KIND_STRING:
        return "p";
    default:
        return "pl";
    }
}

void tct_extern_signature(const tct_extern *e, const tct_reg_type *types, tct_buf *out) {
    bool list = e->result != UINT32_MAX && types[e->result].kind == TCT_KIND_LIST;
    tct_buf_puts(out, e->result == UINT32_MAX || list ? "v" : letters(types[e->result].kind));
    tct_buf_putc(out, '_');
    for (uint32_t i = 0; i < e->n_args; i++) tct_buf_puts(out, letters(types[e->args[i]].kind));
    if (list) tct_buf_putc(out, 'p');
}
