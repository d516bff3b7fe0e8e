#include "driver/bind.h"

#include "driver/hyper.h"
#include "runtime/model.h"
#include "runtime/program.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct bound_axis {
    const char *name;
    int64_t size;
    const char *tensor; // that bound it
} bound_axis;

typedef struct binder {
    tct_diag *d;
    const tct_graph_request *request;
    const tct_safetensors *in;
    const char *prefix;
    bool f64;
    tct_bound *out;
    TCT_VEC(bound_axis) axes;
    tct_settings settings; // for the elaborator
    bool *taken;           // by entry of `in`
} binder;

static const char *text(binder *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static const char *text(binder *b, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    const char *s = tct_arena_vprintf(&b->d->arena, fmt, ap);
    va_end(ap);
    return s;
}

static const tct_safetensors_entry *find(binder *b, const char *name) {
    if (!b->in) return NULL;
    const tct_safetensors_entry *e = tct_safetensors_find(b->in, text(b, "%s%s", b->prefix, name));
    for (size_t i = 0; e && i < tct_safetensors_count(b->in); i++)
        if (tct_safetensors_at(b->in, i) == e) b->taken[i] = true;
    return e;
}

// "F32[3, 11]" as the file has it.
static const char *described(binder *b, const tct_safetensors_entry *e) {
    tct_buf s = {0};
    tct_buf_puts(&s, e->file_dtype);
    for (int i = 0; i < e->n_axes; i++) tct_buf_printf(&s, "%s%lld", i ? ", " : "[", (long long)e->sizes[i]);
    tct_buf_puts(&s, e->n_axes ? "]" : " without axes");
    const char *kept = tct_arena_strdup(&b->d->arena, s.data);
    tct_buf_free(&s);
    return kept;
}

static bool check_dtype(binder *b, const char *name, tct_dtype want, const tct_safetensors_entry *e) {
    bool same = e->loadable && (e->dtype == want || (b->f64 && tct_dtype_is_float(want) &&
                                                     (e->dtype == TCT_F32 || e->dtype == TCT_F64)));
    if (same) return true;
    tct_error(b->d, "E0705", TCT_NO_SPAN, "%s is %s, but the file has %s", name, tct_dtype_name(want),
              described(b, e));
    static const char *const torch[] = {"float32", "float64", "bfloat16", "int32", "int64", "int8", "bool"};
    tct_help(b->d, "convert it where the file is written: x.to(torch.%s), or x.astype(\"%s\") in NumPy",
             torch[want], torch[want]);
    return false;
}

static bool bind_axis(binder *b, const char *name, int64_t size, const char *tensor) {
    for (size_t i = 0; i < b->axes.len; i++) {
        const bound_axis *a = &b->axes.data[i];
        if (strcmp(a->name, name) != 0) continue;
        if (a->size == size) return true;
        return tct_error(b->d, "E0302", TCT_NO_SPAN, "axis %s is %lld in %s and %lld in %s", name,
                         (long long)a->size, a->tensor, (long long)size, tensor);
    }
    TCT_PUSH(&b->axes, (bound_axis){name, size, tensor});
    if (size < 1) return tct_error(b->d, "E0302", TCT_NO_SPAN, "axis %s is empty in %s", name, tensor);
    TCT_PUSH(&b->settings, (tct_setting){name, text(b, "%lld", (long long)size)});
    return true;
}

// Names for the dimensions that `..` takes: those given with --set x.rest="B T"; else R0, R1, …, of which the
// last ones are the graph's parameters of type axes.
static bool rest_axes(binder *b, const tct_graph_param *p, const tct_safetensors_entry *e) {
    uint32_t extra = (uint32_t)e->n_axes - p->n_axes;
    const char *rest = text(b, "%s.rest", p->name), *names = tct_graph_given(&b->out->file, rest);
    if (!names) {
        TCT_VEC(const char *) lists = {0};
        for (size_t i = 0; i < b->out->file.n_params; i++)
            if (strcmp(b->out->file.params[i].type, "axes") == 0)
                TCT_PUSH(&lists, b->out->file.params[i].name);
        names = "";
        for (uint32_t i = 0; i < extra; i++) {
            uint32_t from_end = extra - i;
            const char *name = from_end <= lists.len ? lists.data[lists.len - from_end] : text(b, "R%u", i);
            names = text(b, "%s%s%s", names, i ? " " : "", name);
        }
        TCT_VEC_FREE(&lists);
        TCT_PUSH(&b->settings, (tct_setting){rest, names});
    }
    uint32_t k = 0;
    for (const char *at = names; *at; k++) {
        size_t len = strcspn(at, " ");
        if (k < extra && !bind_axis(b, tct_arena_strndup(&b->d->arena, at, len), e->sizes[k], p->name))
            return false;
        at += len + strspn(at + len, " ");
    }
    if (k == extra) return true;
    return tct_error(b->d, "E0705", TCT_NO_SPAN, "%s = \"%s\" names %u axes, but %s is %s", rest, names, k,
                     p->name, described(b, e));
}

static bool missing(binder *b, const char *name) {
    tct_error(b->d, "E0705", TCT_NO_SPAN, "the input has no tensor %s%s", b->prefix, name);
    TCT_VEC(const char *) names = {0};
    for (size_t i = 0; b->in && i < tct_safetensors_count(b->in); i++)
        if (!b->taken[i]) TCT_PUSH(&names, tct_safetensors_at(b->in, i)->name);
    const char *near = tct_nearest(name, names.data, names.len);
    tct_buf all = {0};
    for (size_t i = 0; !near && i < names.len && i < 8; i++)
        tct_buf_printf(&all, "%s%s%s", i ? ", " : "", names.data[i], i == 7 && names.len > 8 ? ", ..." : "");
    if (near || all.len) tct_help(b->d, "what nothing else takes: %s", near ? near : all.data);
    tct_buf_free(&all);
    TCT_VEC_FREE(&names);
    return false;
}

static bool bind_tensor(binder *b, const tct_graph_param *p) {
    const tct_safetensors_entry *e = find(b, p->name);
    bool scalar = p->n_axes == 0 && !p->rest;
    if (!e) {
        if (!scalar || !(tct_graph_given(&b->out->file, p->name) || p->has_default))
            return missing(b, p->name);
        if (!tct_graph_given(&b->out->file, p->name) && !p->has_value)
            TCT_PUSH(&b->settings, (tct_setting){p->name, NULL});
        return true;
    }
    if (!check_dtype(b, p->name, p->dtype, e)) return false;
    if (p->rest ? e->n_axes < (int)p->n_axes : e->n_axes != (int)p->n_axes) {
        tct_buf axes = {0};
        if (p->rest) tct_buf_puts(&axes, "..");
        for (uint32_t i = 0; i < p->n_axes; i++)
            tct_buf_printf(&axes, "%s%s", i || p->rest ? ", " : "", p->axes[i]);
        if (scalar)
            tct_error(b->d, "E0705", TCT_NO_SPAN, "%s is a scalar, but the file has %s", p->name,
                      described(b, e));
        else
            tct_error(b->d, "E0705", TCT_NO_SPAN, "%s is %s[%s], but the file has %s", p->name,
                      tct_dtype_name(p->dtype), axes.data, described(b, e));
        tct_buf_free(&axes);
        return false;
    }
    if (p->rest && !rest_axes(b, p, e)) return false;
    for (uint32_t i = 0; i < p->n_axes; i++)
        if (!bind_axis(b, p->axes[i], e->sizes[(uint32_t)e->n_axes - p->n_axes + i], p->name)) return false;
    return true;
}

static bool bind_static(binder *b, const tct_graph_param *p) {
    const tct_safetensors_entry *e = p->is_axis ? NULL : find(b, p->name);
    if (!e) {
        if (p->is_axis || p->has_default || tct_graph_given(&b->out->file, p->name)) return true;
        tct_error(b->d, "E0904", TCT_NO_SPAN, "%s is not known", p->name);
        tct_help(b->d, "it is static (%s): give it with --set %s=VALUE%s", p->type, p->name,
                 strcmp(p->type, "string") == 0 ? "" : ", or as a tensor without axes");
        return false;
    }
    bool number =
        strcmp(p->type, "int") == 0 || strcmp(p->type, "float") == 0 || strcmp(p->type, "bool") == 0;
    tct_tensor t;
    if (!number || e->n_axes)
        return tct_error(b->d, "E0705", TCT_NO_SPAN, "%s is a static %s, but the file has %s", p->name,
                         p->type, described(b, e));
    if (!tct_safetensors_load(b->d, b->in, e->name, &t)) return false;
    double x = tct_tensor_get(&t, 0);
    bool whole = x == floor(x) && fabs(x) < 0x1p53;
    bool fits = strcmp(p->type, "float") == 0 ? isfinite(x)
                : strcmp(p->type, "int") == 0 ? whole && !tct_dtype_is_float(t.dtype)
                                              : t.dtype == TCT_BOOL || x == 0 || x == 1;
    tct_tensor_free(&t);
    if (!fits)
        return tct_error(b->d, "E0705", TCT_NO_SPAN, "%s is a static %s, but the file has %s, %g", p->name,
                         p->type, described(b, e), x);
    if (!tct_graph_given(&b->out->file, p->name))
        TCT_PUSH(&b->settings, (tct_setting){p->name, text(b, "%.17g", x)});
    return true;
}

// A scalar that is given as text or is the default.
static bool scalar_value(binder *b, const tct_graph_param *p, tct_tensor *t) {
    double x;
    if (!tct_graph_scalar(b->d, &b->out->file, p, &x)) return false;
    if (!tct_tensor_new(b->d, b->f64 && tct_dtype_is_float(p->dtype) ? TCT_F64 : p->dtype, 0, NULL, NULL, t))
        return false;
    tct_tensor_set(t, 0, x);
    return true;
}

// Sizes that the tensors of models tell for axes that the model leaves open.
static bool open_axes(binder *b, const tct_graph *g, bool *found) {
    for (size_t k = 0; k < g->inputs.len; k++) {
        const tct_node *n = tct_node_of(g, g->inputs.data[k]);
        const tct_safetensors_entry *e = NULL;
        for (uint8_t i = 0; i < n->n_axes; i++) {
            const tct_axis_info *a = tct_axis_of(g->module, n->axes[i]);
            if (a->size) continue;
            if (!e) e = find(b, n->attr.name);
            if (!e || e->n_axes != n->n_axes) break;
            if (!bind_axis(b, a->name, e->sizes[i], n->attr.name)) return false;
            *found = true;
        }
    }
    return true;
}

static bool load(binder *b, const tct_node *n, const tct_safetensors_entry *e, tct_tensor *t) {
    const tct_ir_module *m = b->out->graph->module;
    const char *name = n->attr.name;
    if (!check_dtype(b, name, (tct_dtype)n->dtype, e)) return false;
    bool fits = e->n_axes == n->n_axes;
    tct_buf want = {0};
    for (uint8_t i = 0; i < n->n_axes; i++) {
        const tct_axis_info *a = tct_axis_of(m, n->axes[i]);
        fits = fits && e->sizes[i] == a->size;
        tct_buf_printf(&want, "%s%s = %lld", i ? ", " : "", a->name, (long long)a->size);
    }
    if (!fits) {
        tct_error(b->d, "E0705", TCT_NO_SPAN, "%s is %s[%s], but the file has %s", name,
                  tct_dtype_name((tct_dtype)n->dtype), want.len ? want.data : "", described(b, e));
        if (strchr(name, '.'))
            tct_help(b->d, "sizes of a model follow from its hyper-parameters: --set %.*s.NAME=VALUE",
                     (int)strcspn(name, "."), name);
    }
    tct_buf_free(&want);
    return fits && tct_safetensors_load(b->d, b->in, e->name, t);
}

static bool widen(tct_diag *d, tct_tensor *t) {
    tct_tensor wide;
    if (t->dtype == TCT_F64 || !tct_dtype_is_float(t->dtype)) return true;
    if (!tct_tensor_cast(d, t, TCT_F64, &wide)) return false;
    tct_tensor_free(t);
    *t = wide;
    return true;
}

// What the tensors of the file leave open of a model that has a folder.
static bool load_folders(binder *b) {
    size_t n;
    const tct_graph_model *models = tct_elab_graph_models(b->out->file.elab, &n);
    for (size_t i = 0; i < b->request->n_models; i++)
        for (size_t k = 0; k < n; k++) {
            if (strcmp(models[k].name, b->request->models[i].name) != 0) continue;
            const tct_model_desc *desc = models[k].desc;
            tct_tensor *params = tct_params_new(b->d, desc);
            if (!params) return false;
            if (!tct_params_load(b->d, desc, b->request->models[i].value, params)) {
                tct_params_free(desc, params);
                return false;
            }
            for (uint32_t p = 0; p < desc->n_params; p++) {
                tct_tensor *to = &b->out->inputs[models[k].first_input + p];
                if (to->data) continue;
                *to = params[p];
                params[p] = (tct_tensor){0};
            }
            tct_params_free(desc, params);
        }
    return true;
}

static bool has_folder(const binder *b, const char *name) {
    size_t len = strcspn(name, ".");
    for (size_t i = 0; name[len] && i < b->request->n_models; i++)
        if (strlen(b->request->models[i].name) == len && memcmp(b->request->models[i].name, name, len) == 0)
            return true;
    return false;
}

static bool fill(binder *b) {
    tct_graph *g = b->out->graph;
    b->out->n_inputs = g->inputs.len;
    b->out->inputs = tct_alloc((g->inputs.len + 1) * sizeof *b->out->inputs);
    bool ok = true;
    for (size_t k = 0; k < g->inputs.len; k++) {
        const tct_node *n = tct_node_of(g, g->inputs.data[k]);
        tct_tensor *t = &b->out->inputs[k];
        const tct_safetensors_entry *e = find(b, n->attr.name);
        const tct_graph_param *p = tct_graph_param_named(&b->out->file, n->attr.name);
        if (e)
            ok &= load(b, n, e, t);
        else if (p && !n->n_axes)
            ok &= scalar_value(b, p, t);
        else if (!has_folder(b, n->attr.name))
            ok &= missing(b, n->attr.name);
    }
    ok = ok && load_folders(b);
    for (size_t k = 0; ok && b->f64 && k < g->inputs.len; k++) ok = widen(b->d, &b->out->inputs[k]);
    return ok;
}

static bool all_taken(binder *b) {
    TCT_VEC(const char *) names = {0};
    for (size_t i = 0; i < b->out->n_inputs; i++)
        TCT_PUSH(&names, tct_node_of(b->out->graph, b->out->graph->inputs.data[i])->attr.name);
    for (size_t i = 0; i < b->out->file.n_params; i++)
        if (b->out->file.params[i].is_static) TCT_PUSH(&names, b->out->file.params[i].name);
    bool ok = true;
    for (size_t i = 0; b->in && i < tct_safetensors_count(b->in); i++) {
        const tct_safetensors_entry *e = tct_safetensors_at(b->in, i);
        size_t len = strlen(b->prefix);
        if (b->taken[i] || strncmp(e->name, b->prefix, len) != 0) continue;
        ok = tct_error(b->d, "E0705", TCT_NO_SPAN, "%s takes no tensor %s", b->request->graph, e->name);
        const char *near = tct_nearest(e->name + len, names.data, names.len);
        if (near) tct_help(b->d, "did you mean %s?", near);
    }
    TCT_VEC_FREE(&names);
    return ok;
}

static bool bind(binder *b) {
    tct_graph_file *f = &b->out->file;
    if (!tct_graph_open(b->d, b->request, f)) return false;
    for (size_t i = 0; i < b->request->n_axes; i++) {
        const tct_setting *a = &b->request->axes[i];
        TCT_PUSH(&b->axes, (bound_axis){a->name, strtoll(a->value, NULL, 10), "--axis"});
    }
    tct_infer_hyper(&b->d->arena, f, b->in, b->prefix, &b->settings);
    bool ok = true;
    for (size_t i = 0; i < f->n_params; i++) {
        const tct_graph_param *p = &f->params[i];
        if (p->is_static)
            ok &= bind_static(b, p);
        else if (!p->is_model)
            ok &= bind_tensor(b, p);
    }
    if (!ok) return false;
    tct_graph *g = tct_graph_build(b->d, f, b->settings.data, b->settings.len);
    bool more = false;
    if (!g || !open_axes(b, g, &more)) return false;
    if (more) g = tct_graph_build(b->d, f, b->settings.data, b->settings.len);
    if (!g) return false;
    b->out->graph = g;
    return tct_graph_sizes_known(b->d, f, g) && fill(b) && all_taken(b);
}

bool tct_bind_inputs(tct_diag *d, const tct_graph_request *r, const tct_safetensors *in, const char *prefix,
                     bool f64, tct_bound *out) {
    binder b = {.d = d, .request = r, .in = in, .prefix = prefix, .f64 = f64, .out = out};
    b.taken = tct_alloc((in ? tct_safetensors_count(in) : 0) + 1);
    bool ok = bind(&b);
    tct_heap_free(b.taken);
    TCT_VEC_FREE(&b.axes);
    TCT_VEC_FREE(&b.settings);
    return ok;
}

void tct_bound_free(tct_bound *b) {
    for (size_t k = 0; k < b->n_inputs; k++) tct_tensor_free(&b->inputs[k]);
    tct_heap_free(b->inputs);
    tct_graph_close(&b->file);
    *b = (tct_bound){0};
}
