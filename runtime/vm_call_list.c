// Built-ins on lists and tensors: order, take, tensor, list, len, append, mean, stddev, str.
#include "runtime/rng.h"
#include "runtime/vm_state.h"

#include <assert.h>
#include <math.h>

bool tct_vm_call_ORDER(tct_vm *vm, const tct_call *c) {
    int64_t n = tct_arg(vm, c, 0)->i, seed = tct_arg(vm, c, 1)->i;
    if (n < 0 || n > UINT32_MAX)
        return tct_error(vm->d, "E0817", TCT_NO_SPAN, "order(%lld): the number must lie in 0 to 2^32 - 1",
                         (long long)n);
    uint64_t stream = tct_rng_fold(0, (uint64_t)TCT_BUILTIN_ORDER);
    tct_value list = tct_value_list();
    for (int64_t i = 0; i < n; i++)
        tct_list_push(list.list, tct_value_int((int64_t)tct_rng_permute((uint64_t)seed, stream, (uint64_t)n,
                                                                        (uint64_t)i)));
    tct_value_set(tct_result(vm, c, 0), list);
    return true;
}

bool tct_vm_call_TAKE(tct_vm *vm, const tct_call *c) {
    tct_value from = tct_value_share(*tct_arg(vm, c, 0));
    const tct_tensor *t = &from.array->t;
    const tct_list *order = tct_arg(vm, c, 1)->list;
    int64_t first = tct_arg(vm, c, 2)->i, count = tct_arg(vm, c, 3)->i;
    const tct_reg_type *type = tct_result_type(vm, c, 0);
    const char *axes[TCT_MAX_AXES];
    int64_t sizes[TCT_MAX_AXES];
    for (int i = 0; i < t->n_axes; i++) {
        axes[i] = i < type->n_axes ? type->axis[i] : t->axes[i];
        sizes[i] = t->sizes[i];
    }
    sizes[0] = count;
    bool ok = t->n_axes > 0;
    if (!ok) tct_error(vm->d, "E0817", TCT_NO_SPAN, "take: a tensor without axes has no rows");
    if (ok && (first < 0 || count < 0 || (uint64_t)first > order->len ||
               (uint64_t)count > order->len - (uint64_t)first))
        ok = tct_error(vm->d, "E0812", TCT_NO_SPAN, "take: %lld rows from %lld on, of an order of %zu",
                       (long long)count, (long long)first, order->len);
    tct_value *out = tct_result(vm, c, 0);
    ok = ok && tct_value_reuse_tensor(vm->d, t->dtype, (uint32_t)t->n_axes, axes, sizes, out);
    size_t row = ok && t->sizes[0] ? t->bytes / (size_t)t->sizes[0] : 0;
    for (int64_t i = 0; ok && i < count; i++) {
        int64_t k = order->items[first + i].i;
        if (k < 0 || k >= t->sizes[0])
            ok = tct_error(vm->d, "E0812", TCT_NO_SPAN, "take: row %lld of a tensor with %lld rows",
                           (long long)k, (long long)t->sizes[0]);
        else if (row)
            memcpy((char *)out->array->t.data + (size_t)i * row, (char *)t->data + (size_t)k * row, row);
    }
    tct_value_drop(&from);
    return ok;
}

bool tct_vm_call_TENSOR(tct_vm *vm, const tct_call *c) {
    const tct_list *x = tct_arg(vm, c, 0)->list;
    const tct_reg_type *type = tct_result_type(vm, c, 0);
    assert(type->kind == TCT_KIND_TENSOR && type->n_axes == 1);
    if ((int64_t)x->len != type->size[0])
        return tct_error(vm->d, "E0817", TCT_NO_SPAN,
                         "tensor: the list has %zu elements, the axis %s has %lld", x->len, type->axis[0],
                         (long long)type->size[0]);
    tct_value *out = tct_result(vm, c, 0);
    if (!tct_value_reuse_tensor(vm->d, (tct_dtype)type->dtype, 1, type->axis, type->size, out)) return false;
    for (size_t i = 0; i < x->len; i++)
        tct_tensor_set(&out->array->t, (int64_t)i, tct_value_number(x->items[i]));
    return true;
}

bool tct_vm_call_LIST(tct_vm *vm, const tct_call *c) {
    const tct_tensor *t = &tct_arg(vm, c, 0)->array->t;
    uint8_t element = tct_result_type(vm, c, 0)->element;
    tct_value list = tct_value_list();
    int64_t n = tct_tensor_elements(t);
    for (int64_t i = 0; i < n; i++) {
        double x = tct_tensor_get(t, i);
        tct_list_push(list.list, element == TCT_KIND_INT    ? tct_value_int((int64_t)x)
                                 : element == TCT_KIND_BOOL ? tct_value_bool(x != 0)
                                                            : tct_value_float(x));
    }
    tct_value_set(tct_result(vm, c, 0), list);
    return true;
}

bool tct_vm_call_LEN(tct_vm *vm, const tct_call *c) {
    tct_value_set(tct_result(vm, c, 0), tct_value_int((int64_t)tct_arg(vm, c, 0)->list->len));
    return true;
}

bool tct_vm_call_APPEND(tct_vm *vm, const tct_call *c) {
    tct_value item = tct_value_share(*tct_arg(vm, c, 1));
    tct_value *list = tct_arg(vm, c, 0);
    tct_value_own_list(list);
    tct_list_push(list->list, item);
    return true;
}

static double mean_of(const tct_list *x) {
    double sum = 0;
    for (size_t i = 0; i < x->len; i++) sum += tct_value_number(x->items[i]);
    return sum / (double)x->len;
}

static bool check_filled(tct_vm *vm, const char *name, const tct_list *x) {
    return x->len || tct_error(vm->d, "E0817", TCT_NO_SPAN, "%s of an empty list", name);
}

bool tct_vm_call_MEAN(tct_vm *vm, const tct_call *c) {
    const tct_list *x = tct_arg(vm, c, 0)->list;
    if (!check_filled(vm, "mean", x)) return false;
    tct_value_set(tct_result(vm, c, 0), tct_value_float(mean_of(x)));
    return true;
}

bool tct_vm_call_STDDEV(tct_vm *vm, const tct_call *c) {
    const tct_list *x = tct_arg(vm, c, 0)->list;
    if (!check_filled(vm, "stddev", x)) return false;
    double mean = mean_of(x), sum = 0;
    for (size_t i = 0; i < x->len; i++) {
        double off = tct_value_number(x->items[i]) - mean;
        sum += off * off;
    }
    tct_value_set(tct_result(vm, c, 0), tct_value_float(sqrt(sum / (double)x->len)));
    return true;
}

bool tct_vm_call_STR(tct_vm *vm, const tct_call *c) {
    tct_buf text = {0};
    tct_value_print(*tct_arg(vm, c, 0), &text);
    tct_value_set(tct_result(vm, c, 0), tct_value_string(text.data, text.len));
    tct_buf_free(&text);
    return true;
}
