#include "runtime/extern.h"

#include "runtime/library.h"
#include "runtime/signature.h"
#include "runtime/utf8.h"

#include <string.h>

bool tct_extern_resolve(tct_diag *d, tct_extern *e, const char *folder) {
    e->fn = tct_library_symbol(d, folder, e->library, e->symbol);
    return e->fn != NULL;
}

// What a call needs while it lasts. Lists become arrays in the arena.
typedef struct call {
    tct_arena arena;
    tct_slot *args;
    uint32_t n;
    size_t first_list; // elements of the first list argument
    bool has_list;
} call;

static void add_list(call *c, const tct_list *l, uint8_t element) {
    tct_slot *data = TCT_NEW_ARRAY(&c->arena, tct_slot, l->len + 1);
    for (size_t i = 0; i < l->len; i++) {
        tct_value v = l->items[i];
        if (element == TCT_KIND_STRING)
            data[i].p = v.text->text;
        else if (element == TCT_KIND_FLOAT)
            data[i].d = v.f;
        else
            data[i].l = v.kind == TCT_KIND_BOOL ? v.b : v.i;
    }
    if (!c->has_list) c->first_list = l->len;
    c->has_list = true;
    c->args[c->n++].p = data;
    c->args[c->n++].l = (int64_t)l->len;
}

static void add_argument(call *c, tct_value v, const tct_reg_type *type) {
    switch ((tct_kind)v.kind) {
    case TCT_KIND_INT:
        c->args[c->n++].l = v.i;
        return;
    case TCT_KIND_FLOAT:
        c->args[c->n++].d = v.f;
        return;
    case TCT_KIND_BOOL:
        c->args[c->n++].i = v.b;
        return;
    case TCT_KIND_STRING:
        c->args[c->n++].p = v.text->text;
        return;
    default:
        add_list(c, v.list, type->element);
    }
}

// Strings are UTF-8 everywhere in the program; a foreign function may not know.
static bool is_utf8(const char *s) {
    size_t left = strlen(s), bad;
    uint32_t code;
    bool partial;
    while (left) {
        size_t n = tct_utf8_decode((const unsigned char *)s, left, &code, &bad, &partial);
        if (n == 0) return false;
        s += n;
        left -= n;
    }
    return true;
}

static bool take_result(tct_diag *d, const tct_extern *e, const tct_reg_type *type, const tct_slot *result,
                        const tct_slot *list, size_t list_len, tct_value *out) {
    switch ((tct_kind)type->kind) {
    case TCT_KIND_INT:
        *out = tct_value_int(result->l);
        return true;
    case TCT_KIND_FLOAT:
        *out = tct_value_float(result->d);
        return true;
    case TCT_KIND_BOOL:
        *out = tct_value_bool(result->i != 0);
        return true;
    case TCT_KIND_STRING:
        if (!result->p) return tct_error(d, "E0851", TCT_NO_SPAN, "'%s' returned no string (NULL)", e->name);
        if (!is_utf8(result->p))
            return tct_error(d, "E0851", TCT_NO_SPAN, "'%s' returned a string that is not UTF-8", e->name);
        *out = tct_value_string(result->p, strlen(result->p));
        return true;
    default:
        *out = tct_value_list();
        for (size_t i = 0; i < list_len; i++)
            tct_list_push(out->list, type->element == TCT_KIND_FLOAT  ? tct_value_float(list[i].d)
                                     : type->element == TCT_KIND_BOOL ? tct_value_bool(list[i].l != 0)
                                                                      : tct_value_int(list[i].l));
        return true;
    }
}

bool tct_extern_call(tct_diag *d, const tct_extern *e, const tct_reg_type *types, tct_value *regs) {
    const tct_reg_type *type = e->result != UINT32_MAX ? &types[e->result] : NULL;
    call c = {0};
    c.args = TCT_NEW_ARRAY(&c.arena, tct_slot, 2 * (size_t)e->n_args + 1); // a list takes two
    for (uint32_t i = 0; i < e->n_args; i++) add_argument(&c, regs[e->args[i]], &types[e->args[i]]);
    tct_slot *list = NULL, result = {0};
    if (type && type->kind == TCT_KIND_LIST) {
        list = TCT_NEW_ARRAY(&c.arena, tct_slot, c.first_list + 1);
        c.args[c.n++].p = list;
    }
    tct_buf signature = {0};
    tct_extern_signature(e, types, &signature);
    bool ok = e->caller(signature.data, e->fn, c.args, &result);
    if (!ok) tct_error(d, "E0851", TCT_NO_SPAN, "'%s' cannot be called with %u arguments", e->name, c.n);
    tct_value v = {0};
    if (ok && type) {
        ok = take_result(d, e, type, &result, list, c.first_list, &v);
        if (ok) tct_value_set(&regs[e->result], v);
    }
    tct_buf_free(&signature);
    tct_arena_free(&c.arena);
    return ok;
}
