#include "runtime/extern.h"

#include "runtime/library.h"
#include "runtime/utf8.h"

#include <ffi.h>
#include <stdlib.h>

bool tct_extern_resolve(tct_diag *d, tct_extern *e) {
    e->fn = tct_library_symbol(d, e->library, e->symbol);
    return e->fn != NULL;
}

// One C argument or result.
typedef union slot {
    int64_t i;
    double f;
    int32_t b;
    const void *p;
    ffi_arg word; // libffi widens small integral results to this
} slot;

// What a call needs while it lasts. Lists become arrays in the arena.
typedef struct call {
    tct_arena arena;
    ffi_type **types;
    void **values;
    uint32_t n;
    size_t first_list; // elements of the first list argument
    bool has_list;
} call;

static void add(call *c, ffi_type *type, slot s) {
    slot *kept = TCT_NEW(&c->arena, slot);
    *kept = s;
    c->types[c->n] = type;
    c->values[c->n++] = kept;
}

static void add_list(call *c, const tct_list *l, uint8_t element) {
    void *data = TCT_NEW_ARRAY(&c->arena, slot, l->len + 1);
    for (size_t i = 0; i < l->len; i++) {
        tct_value v = l->items[i];
        if (element == TCT_KIND_STRING)
            ((const char **)data)[i] = v.text->text;
        else if (element == TCT_KIND_FLOAT)
            ((double *)data)[i] = v.f;
        else
            ((int64_t *)data)[i] = v.kind == TCT_KIND_BOOL ? v.b : v.i;
    }
    if (!c->has_list) c->first_list = l->len;
    c->has_list = true;
    add(c, &ffi_type_pointer, (slot){.p = data});
    add(c, &ffi_type_sint64, (slot){.i = (int64_t)l->len});
}

static void add_argument(call *c, tct_value v, const tct_reg_type *type) {
    switch ((tct_kind)v.kind) {
    case TCT_KIND_INT:
        add(c, &ffi_type_sint64, (slot){.i = v.i});
        return;
    case TCT_KIND_FLOAT:
        add(c, &ffi_type_double, (slot){.f = v.f});
        return;
    case TCT_KIND_BOOL:
        add(c, &ffi_type_sint32, (slot){.b = v.b});
        return;
    case TCT_KIND_STRING:
        add(c, &ffi_type_pointer, (slot){.p = v.text->text});
        return;
    default:
        add_list(c, v.list, type->element);
    }
}

static ffi_type *result_type(uint8_t kind) {
    switch ((tct_kind)kind) {
    case TCT_KIND_INT:
        return &ffi_type_sint64;
    case TCT_KIND_FLOAT:
        return &ffi_type_double;
    case TCT_KIND_BOOL:
        return &ffi_type_sint32;
    case TCT_KIND_STRING:
        return &ffi_type_pointer;
    default:
        return &ffi_type_void;
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

static bool take_result(tct_diag *d, const tct_extern *e, const tct_reg_type *type, const slot *result,
                        const slot *list, size_t list_len, tct_value *out) {
    switch ((tct_kind)type->kind) {
    case TCT_KIND_INT:
        *out = tct_value_int(result->i);
        return true;
    case TCT_KIND_FLOAT:
        *out = tct_value_float(result->f);
        return true;
    case TCT_KIND_BOOL:
        *out = tct_value_bool((int32_t)result->word != 0);
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
            tct_list_push(out->list, type->element == TCT_KIND_FLOAT  ? tct_value_float(list[i].f)
                                     : type->element == TCT_KIND_BOOL ? tct_value_bool(list[i].i != 0)
                                                                      : tct_value_int(list[i].i));
        return true;
    }
}

bool tct_extern_call(tct_diag *d, const tct_extern *e, const tct_reg_type *types, tct_value *regs) {
    const tct_reg_type *type = e->result != UINT32_MAX ? &types[e->result] : NULL;
    call c = {0};
    size_t most = 2 * (size_t)e->n_args + 2; // a list takes two
    c.types = TCT_NEW_ARRAY(&c.arena, ffi_type *, most);
    c.values = TCT_NEW_ARRAY(&c.arena, void *, most);
    for (uint32_t i = 0; i < e->n_args; i++) add_argument(&c, regs[e->args[i]], &types[e->args[i]]);
    slot *list = NULL;
    if (type && type->kind == TCT_KIND_LIST) {
        list = TCT_NEW_ARRAY(&c.arena, slot, c.first_list + 1);
        add(&c, &ffi_type_pointer, (slot){.p = list});
    }
    ffi_cif cif;
    slot result = {0};
    ffi_type *gives = type ? result_type(type->kind) : &ffi_type_void;
    bool ok = ffi_prep_cif(&cif, FFI_DEFAULT_ABI, c.n, gives, c.types) == FFI_OK;
    if (ok)
        ffi_call(&cif, FFI_FN(e->fn), &result, c.values);
    else
        tct_error(d, "E0851", TCT_NO_SPAN, "libffi cannot call '%s' with %u arguments", e->name, c.n);
    tct_value v = {0};
    if (ok && type && take_result(d, e, type, &result, list, c.first_list, &v))
        tct_value_set(&regs[e->result], v);
    else if (type)
        ok = false;
    tct_arena_free(&c.arena);
    return ok;
}
