#include "driver/graphs.h"

#include "driver/compile_program.h"
#include "driver/driver.h"
#include "passes/passes.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool tct_split_setting(char *text, tct_setting *out) {
    char *equals = strchr(text, '=');
    if (!equals || equals == text) return false;
    *equals = 0;
    *out = (tct_setting){text, equals + 1};
    return true;
}

const tct_graph_param *tct_graph_param_named(const tct_graph_file *f, const char *name) {
    for (size_t i = 0; i < f->n_params; i++)
        if (strcmp(f->params[i].name, name) == 0) return &f->params[i];
    return NULL;
}

const char *tct_graph_given(const tct_graph_file *f, const char *name) {
    for (size_t i = 0; i < f->request->n_sets; i++)
        if (strcmp(f->request->sets[i].name, name) == 0) return f->request->sets[i].value;
    return NULL;
}

bool tct_graph_scalar(tct_diag *d, const tct_graph_file *f, const tct_graph_param *p, double *out) {
    const char *given = tct_graph_given(f, p->name);
    *out = p->value;
    if (!given) return true;
    char *end;
    errno = 0;
    double x = *out = strtod(given, &end);
    bool truth = strcmp(given, "true") == 0 || strcmp(given, "false") == 0;
    if (truth) *out = given[0] == 't';
    bool number = end != given && !*end && errno == 0;
    bool fits = p->dtype == TCT_BOOL         ? truth
                : tct_dtype_is_int(p->dtype) ? number && x == floor(x) && fabs(x) < 0x1p53
                                             : number;
    return fits || tct_error(d, "E0902", TCT_NO_SPAN, "--set %s=%s: %s is %s, which that is not", p->name,
                             given, p->name, tct_dtype_name(p->dtype));
}

static const tct_item *find_graph(const tct_package *p, const char *name) {
    for (size_t f = 0; f < p->files.len; f++)
        for (uint32_t i = 0; i < p->files.data[f]->n_items; i++) {
            const tct_item *item = p->files.data[f]->items[i];
            if (item->kind == TCT_ITEM_GRAPH && strcmp(item->name.text, name) == 0) return item;
        }
    return NULL;
}

const tct_item *tct_graph_item(const tct_graph_file *f) { return find_graph(&f->package, f->request->graph); }

// Whether a name begins with a parameter of the graph ("clip", "m.layers"); the others are config values.
static bool names_parameter(const tct_item *graph, const char *name) {
    size_t len = strcspn(name, ".");
    for (uint32_t i = 0; graph && i < graph->n_params; i++) {
        const char *p = graph->params[i].name.text;
        if (strlen(p) == len && memcmp(p, name, len) == 0) return true;
    }
    return false;
}

static bool check_hyper(tct_diag *d, const tct_graph_param *p, const char *name) {
    if (!p->model || p->model->kind != TCT_ITEM_MODEL) return true; // elaboration reports that
    const char **names = TCT_NEW_ARRAY(&d->arena, const char *, p->model->n_params);
    for (uint32_t i = 0; i < p->model->n_params; i++) {
        names[i] = p->model->params[i].name.text;
        if (strcmp(names[i], name) == 0) return true;
    }
    tct_error(d, "E0902", p->model->name.span, "--set %s.%s: %s has no hyper-parameter %s", p->name, name,
              p->type, name);
    const char *near = tct_nearest(name, names, p->model->n_params);
    if (near) tct_help(d, "did you mean %s.%s?", p->name, near);
    return false;
}

static bool check_set(tct_diag *d, const tct_graph_file *f, const tct_setting *s) {
    size_t len = strcspn(s->name, ".");
    const char *name = tct_arena_strndup(&d->arena, s->name, len);
    const tct_graph_param *p = tct_graph_param_named(f, name);
    if (!p || p->is_model) {
        if (!p) return true;
        if (s->name[len]) return check_hyper(d, p, s->name + len + 1);
        tct_error(d, "E0902", TCT_NO_SPAN, "--set %s: %s is a model", s->name, name);
        tct_help(d, "give its hyper-parameters, as in --set %s.NAME=VALUE, or a folder: --model %s=DIR", name,
                 name);
        return false;
    }
    if (s->name[len]) {
        if (p->rest && strcmp(s->name + len, ".rest") == 0) return true;
        return tct_error(d, "E0902", TCT_NO_SPAN, "--set %s: %s is no model", s->name, name);
    }
    if (p->is_static || (p->n_axes == 0 && !p->rest)) return true;
    tct_error(d, "E0902", TCT_NO_SPAN, "--set %s: %s is a tensor", s->name, name);
    tct_help(d, "tensors come from the file given with --in");
    return false;
}

// Hyper-parameters that config.json gives: keys mapped to a bare name, unless they are set.
static bool from_folder(tct_diag *d, tct_graph_file *f, const tct_setting *model) {
    const tct_graph_param *p = tct_graph_param_named(f, model->name);
    if (!p || !p->is_model || !p->model) {
        const char **names = TCT_NEW_ARRAY(&d->arena, const char *, f->n_params);
        size_t n = 0;
        for (size_t i = 0; i < f->n_params; i++)
            if (f->params[i].is_model) names[n++] = f->params[i].name;
        tct_error(d, "E0902", TCT_NO_SPAN, "--model %s: %s has no model called %s", model->name,
                  f->request->graph, model->name);
        const char *near = tct_nearest(model->name, names, n);
        if (near || n) tct_help(d, "did you mean %s?", near ? near : names[0]);
        return false;
    }
    for (uint32_t i = 0; i < p->model->n_members; i++) {
        const tct_member *m = &p->model->members[i];
        if (m->kind != TCT_MEMBER_HUGGINGFACE) continue;
        for (uint32_t k = 0; k < m->n_args; k++) {
            const tct_expr *x = m->args[k].value;
            bool hyper = false;
            for (uint32_t h = 0; x->kind == TCT_EXPR_NAME && h < p->model->n_params; h++)
                hyper |= strcmp(p->model->params[h].name.text, x->name.text) == 0;
            if (!hyper) continue;
            const char *name = tct_arena_printf(&d->arena, "%s.%s", p->name, x->name.text), *text = NULL;
            if (!tct_driver_hooks.folder_value(NULL, d, model->value, m->args[k].name.text, &text))
                return false;
            if (text && !tct_graph_given(f, name)) TCT_PUSH(&f->given, (tct_setting){name, text});
        }
        return true;
    }
    tct_error(d, "E0504", p->model->name.span,
              "%s has no huggingface member, so it can't be read from a folder", p->model->name.text);
    return false;
}

bool tct_graph_open(tct_diag *d, const tct_graph_request *r, tct_graph_file *out) {
    out->request = r;
    if (!tct_package_load(d, &out->package, r->file, tct_std_dir(&d->arena))) return false;
    const tct_item *graph = find_graph(&out->package, r->graph);
    tct_setting *config = TCT_NEW_ARRAY(&d->arena, tct_setting, r->n_sets);
    size_t n_config = 0;
    for (size_t i = 0; i < r->n_sets; i++)
        if (!names_parameter(graph, r->sets[i].name)) config[n_config++] = r->sets[i];
    out->module = tct_ir_module_new();
    out->elab = tct_elab_new(d, &out->package, config, n_config);
    if (d->n_errors) return false;
    out->params = tct_elab_params(out->elab, r->graph, &out->n_params);
    if (!out->params) return false;
    bool ok = true;
    for (size_t i = 0; i < r->n_sets; i++) {
        if (!names_parameter(graph, r->sets[i].name)) continue;
        ok &= check_set(d, out, &r->sets[i]);
        const tct_graph_param *p = tct_graph_param_named(out, r->sets[i].name);
        if (!p || p->is_static) TCT_PUSH(&out->given, r->sets[i]); // scalar tensors are inputs
    }
    for (size_t i = 0; i < r->n_axes; i++) TCT_PUSH(&out->given, r->axes[i]);
    for (size_t i = 0; ok && i < r->n_models; i++) ok = from_folder(d, out, &r->models[i]);
    return ok;
}

void tct_graph_close(tct_graph_file *f) {
    if (f->elab) tct_elab_free(f->elab);
    if (f->module) tct_ir_module_free(f->module);
    tct_package_free(&f->package);
    TCT_VEC_FREE(&f->given);
    *f = (tct_graph_file){0};
}

static bool check_axes(tct_diag *d, const tct_graph_file *f) {
    for (size_t i = 0; i < f->request->n_axes; i++) {
        const char *name = f->request->axes[i].name;
        TCT_VEC(const char *) names = {0};
        bool used = false;
        for (size_t k = 0; k < f->module->axes.len; k++) TCT_PUSH(&names, f->module->axes.data[k].name);
        // An axis that is nowhere but on the command line was interned last, by the elaborator's settings.
        for (size_t g = 0; !used && g < f->module->graphs.len; g++)
            for (size_t v = 0; v < f->module->graphs.data[g]->nodes.len; v++) {
                const tct_node *n = &f->module->graphs.data[g]->nodes.data[v];
                for (uint8_t k = 0; k < n->n_axes; k++)
                    used |= strcmp(tct_axis_of(f->module, n->axes[k])->name, name) == 0;
            }
        if (!used) {
            for (size_t k = names.len; k-- > 0;)
                if (strcmp(names.data[k], name) == 0) names.data[k] = names.data[--names.len];
            tct_error(d, "E0902", TCT_NO_SPAN, "--axis %s: %s has no axis %s", name, f->request->graph, name);
            const char *near = tct_nearest(name, names.data, names.len);
            if (near) tct_help(d, "did you mean %s?", near);
        }
        TCT_VEC_FREE(&names);
        if (!used) return false;
    }
    return true;
}

tct_graph *tct_graph_build(tct_diag *d, tct_graph_file *f, const tct_setting *more, size_t n) {
    size_t given = f->given.len;
    for (size_t i = 0; i < n; i++) TCT_PUSH(&f->given, more[i]);
    tct_graph *g = tct_elab_graph(f->elab, f->module, f->request->graph, f->given.data, f->given.len);
    f->given.len = given;
    return g && check_axes(d, f) ? g : NULL;
}

tct_graph *tct_graph_gradient(tct_diag *d, tct_graph *g, const tct_pass_trace *trace) {
    return tct_passes_run(d, g, "early,grad", trace);
}

bool tct_graph_sizes_known(tct_diag *d, const tct_graph_file *f, const tct_graph *g) {
    tct_buf axes = {0}, hyper = {0};
    for (size_t k = 0; k < f->module->axes.len; k++) {
        const tct_axis_info *a = &f->module->axes.data[k];
        if (a->size) continue;
        const tct_node *of = NULL;
        bool model = false;
        for (size_t i = 0; !of && i < g->nodes.len; i++) {
            const tct_node *n = &g->nodes.data[i];
            for (uint8_t j = 0; j < n->n_axes; j++)
                if (n->axes[j] == k && (!of || n->op == TCT_IR_INPUT)) of = n;
        }
        if (!of) continue;
        model = of->op == TCT_IR_INPUT && strchr(of->attr.name, '.');
        tct_buf *to = model ? &hyper : &axes;
        tct_buf_printf(to, "%s%s", to->len ? ", " : "", a->name);
    }
    bool ok = axes.len == 0 && hyper.len == 0;
    if (axes.len || hyper.len) {
        tct_error(d, "E0904", TCT_NO_SPAN, "%s: sizes are not known: %s%s%s", f->request->graph,
                  axes.len ? axes.data : "", axes.len && hyper.len ? ", " : "", hyper.len ? hyper.data : "");
        if (hyper.len)
            tct_help(
                d, "sizes of a model follow from its hyper-parameters: --set m.NAME=VALUE, or --model m=DIR; "
                   "those that it leaves open, and others, with --axis NAME=SIZE");
        else
            tct_help(d, "give them with --axis NAME=SIZE");
    }
    tct_buf_free(&axes);
    tct_buf_free(&hyper);
    return ok;
}
