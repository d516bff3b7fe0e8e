// Values of the elaborator: making, copying, describing them, and turning them into operands of the graph
// being built.
#include "frontend/elab_internal.h"

#include <assert.h>
#include <string.h>

tct_val *tct_val_new(tct_elab *e, tct_val_kind kind, tct_span span) {
    tct_val *v = TCT_NEW(&e->arena, tct_val);
    v->kind = kind;
    v->span = span;
    v->known = true;
    v->value = TCT_NO_VALUE;
    return v;
}

tct_val *tct_val_error(tct_elab *e) { return tct_val_new(e, V_ERROR, TCT_NO_SPAN); }

tct_val *tct_val_int(tct_elab *e, int64_t i, tct_span span) {
    tct_val *v = tct_val_new(e, V_INT, span);
    v->i = i;
    return v;
}

tct_val *tct_val_float(tct_elab *e, double f, tct_span span) {
    tct_val *v = tct_val_new(e, V_FLOAT, span);
    v->f = f;
    return v;
}

tct_val *tct_val_bool(tct_elab *e, bool b, tct_span span) {
    tct_val *v = tct_val_new(e, V_BOOL, span);
    v->i = b;
    return v;
}

tct_val *tct_val_string(tct_elab *e, const char *s, tct_span span) {
    tct_val *v = tct_val_new(e, V_STRING, span);
    v->s = s;
    return v;
}

tct_val *tct_val_tensor(tct_elab *e, tct_value value, tct_span span) {
    tct_val *v = tct_val_new(e, V_TENSOR, span);
    v->builder = e->builder;
    v->value = value;
    return v;
}

tct_val *tct_val_copy(tct_elab *e, const tct_val *v) {
    tct_val *c = TCT_NEW(&e->arena, tct_val);
    *c = *v;
    if (v->kind == V_LIST) {
        c->items = TCT_NEW_ARRAY(&e->arena, tct_val *, v->n_items);
        for (uint32_t i = 0; i < v->n_items; i++) c->items[i] = tct_val_copy(e, v->items[i]);
    }
    if (v->kind == V_STRUCT) {
        c->fields = TCT_NEW_ARRAY(&e->arena, tct_field, v->n_fields);
        for (uint32_t i = 0; i < v->n_fields; i++) {
            c->fields[i] = v->fields[i];
            c->fields[i].val = tct_val_copy(e, v->fields[i].val);
        }
    }
    return c;
}

tct_val **tct_val_field(const tct_val *v, const char *name) {
    for (uint32_t i = 0; i < v->n_fields; i++)
        if (strcmp(v->fields[i].name, name) == 0) return &v->fields[i].val;
    return NULL;
}

void tct_val_add_field(tct_elab *e, tct_val *v, const char *name, tct_val *field) {
    v->fields = tct_arena_realloc(&e->arena, v->fields, v->n_fields * sizeof *v->fields,
                                  (v->n_fields + 1) * sizeof *v->fields);
    v->fields[v->n_fields++] = (tct_field){.name = name, .val = field};
}

void tct_val_keep_field(tct_elab *e, tct_val *v, const tct_field *like, tct_val *field) {
    tct_val_add_field(e, v, like->name, field);
    v->fields[v->n_fields - 1].span = like->span;
}

bool tct_val_is_number(const tct_val *v) { return v->kind == V_INT || v->kind == V_FLOAT; }

const tct_node *tct_elab_node(tct_elab *e, tct_value v) { return tct_node_of(e->builder->graph, v); }

const char *tct_axes_text(tct_elab *e, const tct_axis *axes, uint32_t n) {
    tct_buf b = {0};
    tct_buf_putc(&b, '[');
    for (uint32_t i = 0; i < n; i++)
        tct_buf_printf(&b, "%s%s", i ? ", " : "", tct_axis_local_name(e, axes[i]));
    tct_buf_putc(&b, ']');
    char *s = tct_arena_strdup(&e->arena, b.data);
    tct_buf_free(&b);
    return s;
}

static const char *describe_tensor(tct_elab *e, tct_dtype dtype, const tct_axis *axes, uint32_t n) {
    if (n == 0) return tct_arena_printf(&e->arena, "a scalar %s", tct_dtype_name(dtype));
    return tct_arena_printf(&e->arena, "%s%s", tct_dtype_name(dtype), tct_axes_text(e, axes, n));
}

const char *tct_type_text(tct_elab *e, const tct_type *t) {
    tct_buf b = {0};
    tct_buf_puts(&b, t->name.text);
    if (t->has_axes) {
        tct_buf_putc(&b, '[');
        if (t->rest) tct_buf_puts(&b, "..");
        for (uint32_t i = 0; i < t->n_axes; i++)
            tct_buf_printf(&b, "%s%s", i || t->rest ? ", " : "", t->axes[i].name.text);
        tct_buf_putc(&b, ']');
    }
    char *s = tct_arena_strdup(&e->arena, b.data);
    tct_buf_free(&b);
    return s;
}

const char *tct_val_describe(tct_elab *e, const tct_val *v) {
    switch (v->kind) {
    case V_INT:
        return v->known ? tct_arena_printf(&e->arena, "the int %lld", (long long)v->i) : "an int";
    case V_FLOAT:
        return v->known ? tct_arena_printf(&e->arena, "the float %g", v->f) : "a float";
    case V_BOOL:
        return v->known ? v->i ? "the bool true" : "the bool false" : "a bool";
    case V_STRING:
        return tct_arena_printf(&e->arena, "the string \"%.40s\"", v->s);
    case V_LIST:
        return tct_arena_printf(&e->arena, "a list of %u element%s", v->n_items, v->n_items == 1 ? "" : "s");
    case V_TENSOR: {
        const tct_node *n = tct_node_of(v->builder->graph, v->value);
        return describe_tensor(e, n->dtype, n->axes, n->n_axes);
    }
    case V_PARAM:
        return describe_tensor(e, v->dtype, v->param_axes, v->n_param_axes);
    case V_REG:
        if (v->is_tensor_reg) return describe_tensor(e, v->dtype, v->param_axes, v->n_param_axes);
        return v->s ? v->s : "a number";
    case V_STRUCT:
        if (v->s) return v->s;
        return v->model ? tct_arena_printf(&e->arena, "the model %s", v->model->name.text) : "a structure";
    case V_AXIS:
        return tct_arena_printf(&e->arena, "the axis %s", tct_axis_local_name(e, v->axis));
    case V_OPAQUE:
        return v->s ? v->s : "a value of stage code";
    case V_NONE:
        return "nothing";
    case V_ERROR:
        return "an error";
    }
    return "?";
}

const char *tct_val_fields(tct_elab *e, const tct_val *v) {
    const char *text = "";
    for (uint32_t i = 0; i < v->n_fields; i++)
        text = tct_arena_printf(&e->arena, "%s%s%s", text, i ? ", " : "", v->fields[i].name);
    return text;
}

void tct_elab_at(tct_elab *e, tct_span span) {
    if (e->builder) e->builder->graph->span = span;
}

bool tct_elab_dtype(tct_elab *e, const tct_val *v, tct_dtype *out) {
    (void)e;
    if (v->kind == V_TENSOR)
        *out = tct_node_of(v->builder->graph, v->value)->dtype;
    else if (v->kind == V_PARAM || (v->kind == V_REG && v->is_tensor_reg))
        *out = v->dtype;
    else
        return false;
    return true;
}

// The value `outer` of b's parent as an input of b: whole, or its slice where it has the scan's axis.
static tct_value import_from_parent(tct_elab *e, tct_builder *b, tct_value outer) {
    for (size_t i = 0; i < b->imports.len; i++)
        if (b->imports.data[i].kind == V_TENSOR && b->imports.data[i].a == outer)
            return b->imports.data[i].input;
    const tct_node *n = tct_node_of(b->parent->graph, outer);
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t n_axes = 0;
    for (uint32_t i = 0; i < n->n_axes; i++)
        if (n->axes[i] != b->scan_axis) axes[n_axes++] = n->axes[i];
    const char *name = tct_arena_printf(&e->module->arena, "x%zu", b->imports.len);
    tct_value input = tct_ir_input(b->graph, name, n->dtype, axes, n_axes);
    TCT_PUSH(&b->imports, (tct_import){.kind = V_TENSOR, .a = outer, .input = input});
    return input;
}

static tct_value import_into(tct_elab *e, tct_builder *b, tct_builder *home, tct_value v) {
    if (b == home) return v;
    assert(b->parent);
    return import_from_parent(e, b, import_into(e, b->parent, home, v));
}

static tct_value constant(tct_elab *e, tct_val *v, tct_dtype dtype, tct_span span) {
    tct_graph *g = e->builder->graph;
    double x = v->kind == V_FLOAT ? v->f : (double)v->i;
    bool floating = dtype == TCT_F32 || dtype == TCT_F64 || dtype == TCT_BF16;
    if (!v->known && v->size_of) {
        tct_ir_attr attr = {.n_axes = 1, .axes = {v->axis}, .dtype = dtype};
        return tct_ir_emit(g, e->d, TCT_IR_SIZE, NULL, 0, &attr);
    }
    if (!v->known) {
        if (!e->needs_size.file) e->needs_size = span;
        return tct_ir_const(g, dtype, 1);
    }
    if (v->kind == V_FLOAT && !floating) {
        tct_elab_error(e, "E0333", span, "the number %g can't become %s, which its tensor has", v->f,
                       tct_dtype_name(dtype));
        tct_elab_help(e, "convert the tensor first: f32(x)");
        return TCT_NO_VALUE;
    }
    if ((v->kind == V_BOOL) != (dtype == TCT_BOOL)) {
        tct_elab_error(e, "E0333", span, "%s can't become %s, which its tensor has", tct_val_describe(e, v),
                       tct_dtype_name(dtype));
        tct_elab_help(e, "%s(…) converts", tct_dtype_name(dtype));
        return TCT_NO_VALUE;
    }
    if (tct_dtype_is_int(dtype) && !tct_dtype_holds(dtype, v->i)) {
        tct_elab_error(e, "E0333", span, "%lld doesn't fit into %s", (long long)v->i, tct_dtype_name(dtype));
        return TCT_NO_VALUE;
    }
    if (tct_dtype_is_int(dtype)) { // not every i64 is a double
        tct_ir_attr attr = {.dtype = dtype, .i = v->i};
        return tct_ir_emit(g, e->d, TCT_IR_CONST, NULL, 0, &attr);
    }
    return tct_ir_const(g, dtype, x);
}

tct_value tct_elab_operand(tct_elab *e, tct_val *v, tct_dtype dtype, tct_span span) {
    assert(e->builder);
    switch (v->kind) {
    case V_ERROR:
        return TCT_NO_VALUE;
    case V_TENSOR:
        return import_into(e, e->builder, v->builder, v->value);
    case V_REG:
    case V_PARAM: {
        tct_builder *root = e->builder;
        while (root->parent) root = root->parent;
        tct_value value = tct_stage_import(e, root, v, dtype, span);
        return value == TCT_NO_VALUE ? value : import_into(e, e->builder, root, value);
    }
    case V_INT:
    case V_FLOAT:
    case V_BOOL:
        tct_elab_at(e, span);
        return constant(e, v, dtype, span);
    default:
        tct_elab_error(e, "E0332", span, "a tensor is expected here, found %s", tct_val_describe(e, v));
        return TCT_NO_VALUE;
    }
}

tct_val *tct_elab_result(tct_elab *e, tct_value v, tct_span span, size_t messages_before) {
    tct_elab_after_report(e, messages_before);
    if (v == TCT_NO_VALUE) return tct_val_error(e);
    return tct_val_tensor(e, v, span);
}

bool tct_elab_shape(tct_elab *e, const tct_axis *axes, uint32_t n, tct_span span) {
    int64_t elements = 1;
    if (n > TCT_IR_MAX_AXES)
        return tct_elab_error(e, "E0612", span, "%u axes: a tensor has at most %d", n, TCT_IR_MAX_AXES);
    for (uint32_t i = 0; i < n; i++) {
        int64_t size = tct_axis_of(e->module, axes[i])->size;
        const char *name = tct_axis_of(e->module, axes[i])->name;
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(tct_axis_of(e->module, axes[k])->name, name) == 0)
                return tct_elab_error(e, "E0611", span, "a tensor can't have the axis %s twice", name);
        if (__builtin_mul_overflow(elements, size ? size : 1, &elements) || elements > (int64_t)1 << 48)
            return tct_elab_error(e, "E0612", span, "a tensor of more than 2^48 elements: its axes are %s",
                                  tct_axes_text(e, axes, n));
    }
    return true;
}

tct_value tct_elab_broadcast(tct_elab *e, tct_value x, const tct_axis *axes, uint32_t n, tct_span span) {
    if (x == TCT_NO_VALUE) return x;
    tct_axis all[2 * TCT_IR_MAX_AXES];
    uint32_t have = tct_elab_node(e, x)->n_axes, total = have;
    memcpy(all, tct_elab_node(e, x)->axes, have * sizeof *all);
    for (uint32_t i = 0; i < n; i++)
        if (!tct_node_has_axis(tct_elab_node(e, x), axes[i])) all[total++] = axes[i];
    if (total == have) return x;
    if (!tct_elab_shape(e, all, total, span)) return TCT_NO_VALUE;
    return tct_ir_broadcast(e->builder->graph, x, all + have, total - have);
}
