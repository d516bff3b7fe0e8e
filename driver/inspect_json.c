// An executable's contents for a program.
#include "driver/inspect.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

static json_t *text_or_null(const char *s) { return s ? json_string(s) : json_null(); }
static json_t *whole(uint64_t n) { return json_integer((json_int_t)n); }

static void put_config(const tct_diag *d, const tct_inspection *x, json_t *root) {
    const tct_program *p = &x->image.program;
    tct_arena a = {0};
    json_t *list = json_array();
    for (uint32_t i = 0; i < p->n_config; i++) {
        const tct_config_value *v = &p->config[i];
        json_t *j = json_object();
        json_object_set_new(j, "name", json_string(v->name));
        json_object_set_new(j, "type", json_string(v->type));
        json_object_set_new(j, "value", json_string(v->value));
        json_object_set_new(j, "default", json_boolean(v->is_default));
        json_object_set_new(j, "fixed", text_or_null(v->fixed));
        json_object_set_new(j, "fixed_at", text_or_null(tct_inspect_place(d, &a, v->fixed_at)));
        json_object_set_new(j, "declared_at", text_or_null(tct_inspect_place(d, &a, v->declared_at)));
        json_object_set_new(j, "doc", text_or_null(v->doc));
        json_array_append_new(list, j);
    }
    json_object_set_new(root, "config", list);
    json_t *conditions = json_array();
    for (uint32_t i = 0; i < p->n_guards; i++) {
        const tct_config_guard *g = &p->guards[i];
        json_t *j = json_object(), *of = json_array();
        for (uint32_t k = 0; k < g->of.n; k++)
            json_array_append_new(of, json_string(p->config[g->of.config[k]].name));
        json_object_set_new(j, "text", json_string(g->text));
        json_object_set_new(j, "holds", json_boolean(g->holds));
        json_object_set_new(j, "of", of);
        json_object_set_new(j, "at", text_or_null(tct_inspect_place(d, &a, g->at)));
        json_array_append_new(conditions, j);
    }
    json_object_set_new(root, "conditions", conditions);
    tct_arena_free(&a);
}

static void put_stages(const tct_program *p, json_t *root) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < p->n_stages; i++) {
        json_t *j = json_object();
        json_object_set_new(j, "name", json_string(p->stages[i].name));
        json_object_set_new(j, "doc", text_or_null(p->stages[i].doc));
        json_array_append_new(list, j);
    }
    json_object_set_new(root, "stages", list);
}

static void put_models(const tct_program *p, json_t *root) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < p->n_models; i++) {
        const tct_model_desc *m = &p->models[i];
        json_t *j = json_object(), *params = json_object();
        for (uint32_t k = 0; k < m->n_params; k++) {
            json_t *size = json_array();
            for (int axis = 0; axis < m->params[k].n_axes; axis++)
                json_array_append_new(size, json_integer(m->params[k].size[axis]));
            json_object_set_new(params, m->params[k].name, size);
        }
        json_object_set_new(j, "type", json_string(m->type));
        json_object_set_new(j, "architecture", text_or_null(m->architecture));
        json_object_set_new(j, "parameters", params);
        json_array_append_new(list, j);
    }
    json_object_set_new(root, "models", list);
}

static json_t *ports(const tct_plan_port *port, uint32_t n) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++) {
        json_t *j = json_object(), *axes = json_array();
        for (uint32_t k = 0; k < port[i].n_axes; k++)
            json_array_append_new(axes, json_pack("[s, I]", port[i].axis[k], (json_int_t)port[i].size[k]));
        json_object_set_new(j, "name", json_string(port[i].name));
        json_object_set_new(j, "dtype", json_string(tct_dtype_name((tct_dtype)port[i].dtype)));
        json_object_set_new(j, "axes", axes);
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *plan_of(const tct_plan *plan, bool with_text) {
    json_t *j = json_object();
    json_object_set_new(j, "steps", whole(tct_inspect_steps(plan)));
    json_object_set_new(j, "arena_bytes", whole(plan->arena_bytes));
    json_object_set_new(j, "constant_bytes", whole(plan->constant_bytes));
    json_object_set_new(j, "scratch_bytes", whole(plan->scratch_bytes));
    if (with_text) {
        tct_buf text = {0};
        tct_plan_print(plan, &text);
        json_object_set_new(j, "text", json_stringn(text.data, text.len));
        tct_buf_free(&text);
    }
    return j;
}

static void put_graphs(const tct_diag *d, const tct_inspection *x, bool with_text, json_t *root) {
    tct_arena a = {0};
    json_t *list = json_array();
    for (uint32_t i = 0; i < x->image.program.n_plans; i++) {
        const tct_plan *first = x->image.variants[0].plans[i];
        json_t *j = json_object(), *plans = json_object();
        for (uint32_t v = 0; v < x->image.n_variants; v++)
            json_object_set_new(plans, tct_isa_name(x->image.variants[v].isa),
                                plan_of(x->image.variants[v].plans[i], with_text));
        json_object_set_new(j, "name", json_string(first->name));
        json_object_set_new(j, "called_at", text_or_null(tct_inspect_place(d, &a, x->called_at[i])));
        json_object_set_new(j, "inputs", ports(first->inputs, first->n_inputs));
        json_object_set_new(j, "outputs", ports(first->outputs, first->n_outputs));
        json_object_set_new(j, "plans", plans);
        json_array_append_new(list, j);
    }
    json_object_set_new(root, "graphs", list);
    tct_arena_free(&a);
}

static void put_kernels(const tct_inspection *x, json_t *root) {
    json_t *list = json_array();
    for (size_t i = 0; i < x->kernels.len; i++) {
        const tct_inspected_kernel *k = &x->kernels.data[i];
        json_t *j = json_object(), *sets = json_array();
        for (uint32_t v = 0; v < x->image.n_variants; v++)
            if (k->sets >> v & 1)
                json_array_append_new(sets, json_string(tct_isa_name(x->image.variants[v].isa)));
        json_object_set_new(j, "symbol", json_string(k->symbol));
        json_object_set_new(j, "sets", sets);
        json_object_set_new(j, "code_bytes", k->bytes ? whole(k->bytes) : json_null());
        json_array_append_new(list, j);
    }
    json_object_set_new(root, "kernels", list);
}

static void put_foreign(const tct_inspection *x, json_t *root) {
    json_t *list = json_array();
    for (size_t i = 0; i < x->foreigns.len; i++) {
        json_t *j = json_object();
        json_object_set_new(j, "symbol", json_string(x->foreigns.data[i].symbol));
        json_object_set_new(j, "library", text_or_null(x->foreigns.data[i].library));
        json_array_append_new(list, j);
    }
    json_object_set_new(root, "foreign", list);
}

static void put_sources(const tct_inspection *x, bool with_text, json_t *root) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < x->image.n_sources; i++) {
        const tct_image_source *s = &x->image.sources[i];
        json_t *j = json_object();
        json_object_set_new(j, "path", json_string(s->path));
        json_object_set_new(j, "bytes", whole(s->len));
        if (with_text) json_object_set_new(j, "text", json_stringn(s->text, s->len));
        json_array_append_new(list, j);
    }
    json_object_set_new(root, "sources", list);
}

void tct_inspect_json(const tct_diag *d, const tct_inspection *x, const tct_inspect_options *o,
                      tct_buf *out) {
    const tct_program *p = &x->image.program;
    json_t *root = json_object();
    char hash[17];
    snprintf(hash, sizeof hash, "%016" PRIx64, p->hash);
    json_object_set_new(root, "file", json_string(x->elf.path));
    json_object_set_new(root, "bytes", whole(x->elf.file.len));
    json_object_set_new(root, "image_bytes", whole(x->image_bytes));
    json_object_set_new(root, "version", json_string(x->image.version));
    json_object_set_new(root, p->n_instrs ? "pipeline" : "library", json_string(p->name));
    json_object_set_new(root, "program", json_string(p->path));
    json_object_set_new(root, "hash", json_string(hash));
    put_config(d, x, root);
    put_stages(p, root);
    put_models(p, root);
    put_graphs(d, x, o->plan, root);
    put_kernels(x, root);
    put_foreign(x, root);
    put_sources(x, o->source, root);
    char *text = json_dumps(root, JSON_INDENT(2));
    tct_buf_printf(out, "%s\n", text);
    free(text);
    json_decref(root);
}
