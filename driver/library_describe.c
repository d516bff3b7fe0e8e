// What is in a library, for programs that read no header.
#include "base/version.h"
#include "driver/library.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *text_or_null(const char *s) { return s ? json_string(s) : json_null(); }

static json_t *ports(const tct_plan_port *port, const tct_library_field *fields, uint32_t n) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++) {
        json_t *j = json_object(), *axes = json_array();
        for (uint32_t k = 0; k < port[i].n_axes; k++)
            json_array_append_new(axes, json_pack("[s, I]", port[i].axis[k], (json_int_t)port[i].size[k]));
        json_object_set_new(j, "name", json_string(port[i].name));
        json_object_set_new(j, "field", json_string(fields[i].name));
        json_object_set_new(j, "dtype", json_string(tct_dtype_name((tct_dtype)port[i].dtype)));
        json_object_set_new(j, "axes", axes);
        json_object_set_new(j, "bytes", json_integer((json_int_t)port[i].bytes));
        json_object_set_new(j, "null", text_or_null(fields[i].standing));
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *graphs(const tct_library_contents *x) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < x->n_functions; i++) {
        const tct_library_function *f = &x->functions[i];
        char name[160];
        snprintf(name, sizeof name, "%s_%s", x->name, f->name);
        json_t *j = json_object();
        json_object_set_new(j, "function", json_string(name));
        json_object_set_new(j, "graph", json_string(f->graph));
        json_object_set_new(j, "gradients", json_boolean(f->gradients));
        json_object_set_new(j, "doc", text_or_null(f->doc));
        json_object_set_new(j, "inputs", ports(f->plan->inputs, f->inputs, f->plan->n_inputs));
        json_object_set_new(j, "outputs", ports(f->plan->outputs, f->outputs, f->plan->n_outputs));
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *pipeline(const tct_program *p) {
    json_t *j = json_object(), *stages = json_array(), *config = json_array();
    for (uint32_t i = 0; i < p->n_stages; i++)
        json_array_append_new(stages, json_pack("{s:s, s:o}", "name", p->stages[i].name, "doc",
                                                text_or_null(p->stages[i].doc)));
    for (uint32_t i = 0; i < p->n_config; i++) {
        const tct_config_value *v = &p->config[i];
        json_array_append_new(config, json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", v->name, "type", v->type,
                                                "value", v->value, "fixed", text_or_null(v->fixed), "doc",
                                                text_or_null(v->doc)));
    }
    json_object_set_new(j, "name", json_string(p->name));
    json_object_set_new(j, "stages", stages);
    json_object_set_new(j, "config", config);
    return j;
}

void tct_library_describe(const tct_library_contents *x, uint64_t abi, tct_buf *out) {
    json_t *root = json_object();
    char hex[19];
    snprintf(hex, sizeof hex, "0x%016" PRIx64, abi);
    json_object_set_new(root, "library", json_string(x->name));
    json_object_set_new(root, "version", json_string(tct_version()));
    json_object_set_new(root, "abi", json_string(hex));
    json_object_set_new(root, "graphs", graphs(x));
    json_object_set_new(root, "pipeline", x->program ? pipeline(x->program) : json_null());
    char *text = json_dumps(root, JSON_INDENT(2));
    tct_buf_puts(out, text);
    free(text);
    json_decref(root);
}
