#include "driver/library.h"

#include "base/file.h"
#include "codegen/library.h"
#include "driver/archive.h"
#include "driver/assemble.h"
#include "driver/compile_program.h"
#include "driver/driver.h"
#include "driver/link.h"
#include "driver/localize.h"
#include "runtime/gemm.h"
#include "runtime/tensor.h"

#include <string.h>

typedef TCT_VEC(tct_linked_default) defaults;

// Everything on the way; zero-initialise.
typedef struct making {
    tct_diag *d;
    const tct_library_request *r;
    tct_compiled c; // with the pipeline, if there is one; its compiler compiles the graphs as well
    tct_library_contents x;
    tct_library_function *functions;
    const tct_plan **plans[TCT_N_ISAS]; // the pipeline's, then the graphs'
    uint32_t n_pipeline;
    defaults standing;
    tct_objects objects;
    tct_buf header, description, linked, object, archive;
} making;

void tct_library_request_free(tct_library_request *r) {
    for (size_t i = 0; i < r->graphs.len; i++) {
        TCT_VEC_FREE(&r->graphs.data[i].sets);
        TCT_VEC_FREE(&r->graphs.data[i].axes);
        TCT_VEC_FREE(&r->graphs.data[i].models);
    }
    TCT_VEC_FREE(&r->graphs);
    TCT_VEC_FREE(&r->sets);
    TCT_VEC_FREE(&r->axes);
    TCT_VEC_FREE(&r->models);
}

static bool compile_pipeline(making *m) {
    const tct_library_request *r = m->r;
    tct_compile_request request = {.file = r->file,
                                   .pipeline = r->pipeline,
                                   .sets = r->sets.data,
                                   .n_sets = r->sets.len,
                                   .threads = r->threads,
                                   .jit = r->jit};
    if (r->no_pipeline) {
        m->c.compiler = tct_compiler_new_ahead(r->isas, r->n_isas, r->threads);
        tct_jit_prepare(m->d, &r->jit, m->c.compiler);
        return true;
    }
    if (!tct_program_compile_ahead(m->d, &request, r->isas, r->n_isas, &m->c)) return false;
    m->x.program = &m->c.draft->program;
    m->n_pipeline = m->x.program->n_plans;
    return true;
}

static const tct_setting *joined(tct_arena *a, const tct_settings *x, const tct_settings *y, size_t *n) {
    tct_setting *all = TCT_NEW_ARRAY(a, tct_setting, x->len + y->len + 1);
    *n = 0;
    for (size_t i = 0; i < x->len; i++) all[(*n)++] = x->data[i];
    for (size_t i = 0; i < y->len; i++) all[(*n)++] = y->data[i];
    return all;
}

// Inputs that are scalars with a value: NULL stands for it.
static bool find_standing(making *m, const tct_graph_file *f, uint32_t number) {
    const tct_plan *plan = m->functions[number].plan;
    tct_library_field *fields = TCT_NEW_ARRAY(&m->d->arena, tct_library_field, plan->n_inputs + 1);
    m->functions[number].inputs = fields;
    for (uint32_t i = 0; i < plan->n_inputs; i++) {
        const tct_plan_port *port = &plan->inputs[i];
        const tct_graph_param *p = tct_graph_param_named(f, port->name);
        double x;
        if (!p || port->n_axes || !(p->has_value || tct_graph_given(f, port->name))) continue;
        if (!tct_graph_scalar(m->d, f, p, &x)) return false;
        tct_linked_default value = {.graph = number, .input = i};
        tct_tensor t = {.dtype = (tct_dtype)port->dtype, .data = &value.bits};
        tct_tensor_set(&t, 0, x);
        TCT_PUSH(&m->standing, value);
        tct_buf text = {0};
        tct_print_double(x, &text);
        fields[i].standing = tct_arena_strdup(&m->d->arena, text.data);
        tct_buf_free(&text);
    }
    return true;
}

static bool compile_built(making *m, tct_graph_file *f, uint32_t number) {
    tct_library_function *made = &m->functions[number];
    tct_plan *plans[TCT_N_ISAS];
    tct_graph *g = tct_graph_build(m->d, f, NULL, 0);
    if (!g || !tct_graph_sizes_known(m->d, f, g)) return false;
    if (made->gradients && !(g = tct_graph_gradient(m->d, g, NULL))) return false;
    if (!tct_compile_graph_ahead(m->d, m->c.compiler, g, NULL, plans)) return false;
    for (uint32_t s = 0; s < m->r->n_isas; s++) m->plans[s][m->n_pipeline + number] = plans[s];
    made->plan = plans[0];
    const char *doc = tct_graph_item(f)->doc;
    made->doc = doc ? tct_arena_strdup(&m->d->arena, doc) : NULL;
    return find_standing(m, f, number);
}

static bool compile_graph(making *m, uint32_t number) {
    const tct_library_graph *g = &m->r->graphs.data[number];
    tct_graph_request request = {.file = m->r->file, .graph = g->graph};
    request.sets = joined(&m->d->arena, &m->r->sets, &g->sets, &request.n_sets);
    request.axes = joined(&m->d->arena, &m->r->axes, &g->axes, &request.n_axes);
    request.models = joined(&m->d->arena, &m->r->models, &g->models, &request.n_models);
    m->functions[number] =
        (tct_library_function){.name = g->as, .graph = g->graph, .gradients = g->gradients};
    tct_graph_file f = {0};
    bool ok = tct_graph_open(m->d, &request, &f) && compile_built(m, &f, number);
    tct_graph_close(&f);
    return ok;
}

static bool compile(making *m) {
    if (!compile_pipeline(m)) return false;
    uint32_t n = (uint32_t)m->r->graphs.len;
    m->functions = TCT_NEW_ARRAY(&m->d->arena, tct_library_function, n + 1);
    m->x.n_functions = n;
    for (uint32_t s = 0; s < m->r->n_isas; s++) {
        m->plans[s] = TCT_NEW_ARRAY(&m->d->arena, const tct_plan *, m->n_pipeline + n + 1);
        for (uint32_t i = 0; i < m->n_pipeline; i++) m->plans[s][i] = m->c.variants[s].plans[i];
    }
    for (uint32_t i = 0; i < n; i++)
        if (!compile_graph(m, i)) return false;
    return tct_library_names(m->d, &m->x, m->functions);
}

static void at_least(uint64_t *most, uint64_t bytes) {
    bytes = (bytes + 63) & ~(uint64_t)63;
    if (bytes > *most) *most = bytes;
}

// The working memory that a plan takes.
static void measure(tct_linked_library *t, const tct_plan *plan) {
    at_least(&t->arena_bytes, plan->arena_bytes);
    at_least(&t->scratch_bytes, plan->scratch_bytes);
    at_least(&t->shared_bytes, tct_plan_shared(plan));
}

static bool assemble(making *m) {
    tct_linked_library *t = &m->x.table;
    *t = (tct_linked_library){.first_plan = m->n_pipeline,
                              .n_graphs = m->x.n_functions,
                              .n_defaults = m->standing.len,
                              .defaults = m->standing.data};
    tct_image_variant variants[TCT_N_ISAS];
    for (uint32_t s = 0; s < m->r->n_isas; s++) {
        variants[s] = (tct_image_variant){m->r->isas[s], m->plans[s]};
        for (uint32_t i = 0; i < m->x.n_functions; i++) measure(t, m->plans[s][m->n_pipeline + i]);
    }
    tct_image image = {.n_variants = m->r->n_isas, .variants = variants};
    if (m->x.program)
        image.program = *m->x.program;
    else
        image.program = (tct_program){
            .name = m->x.name, .path = m->x.file, .folder = tct_path_dir(&m->d->arena, m->r->file)};
    image.program.n_plans = m->n_pipeline + m->x.n_functions;

    t->abi = tct_library_header(&m->x, &m->header);
    tct_library_describe(&m->x, t->abi, &m->description);
    t->description = m->description.data;
    const char **functions = TCT_NEW_ARRAY(&m->d->arena, const char *, m->x.n_functions + 1);
    for (uint32_t i = 0; i < m->x.n_functions; i++)
        functions[i] = tct_arena_printf(&m->d->arena, "%s_%s", m->x.name, m->functions[i].name);
    tct_library_parts parts = {*t, functions};
    tct_objects more = {0};
    bool ok = tct_assemble(m->d, m->c.compiler, &image, false, &m->objects) &&
              tct_library_objects(m->d, &parts, &more);
    tct_objects_append(&m->objects, &more);
    return ok;
}

typedef TCT_VEC(tct_export) exports;

// What others may call.
static void find_exports(making *m, exports *out) {
    static const char *const always[] = {"abi", "status_text", "version", "description"},
                             *const graphs[] = {"workspace_bytes", "create", "destroy", "message"};
    tct_arena *a = &m->d->arena;
    for (size_t i = 0; i < 4; i++)
        TCT_PUSH(out, (tct_export){tct_arena_printf(a, "tct_library_%s", always[i]),
                                   tct_arena_printf(a, "%s_%s", m->x.name, always[i])});
    for (size_t i = 0; i < 4 && m->x.n_functions; i++)
        TCT_PUSH(out, (tct_export){tct_arena_printf(a, "tct_library_%s", graphs[i]),
                                   tct_arena_printf(a, "%s_%s", m->x.name, graphs[i])});
    for (uint32_t i = 0; i < m->x.n_functions; i++) {
        const char *name = tct_arena_printf(a, "%s_%s", m->x.name, m->functions[i].name);
        TCT_PUSH(out, (tct_export){name, name});
    }
    if (m->x.program)
        TCT_PUSH(out, (tct_export){"tct_library_run", tct_arena_printf(a, "%s_run", m->x.name)});
}

static bool link_archive(making *m, const char *linker) {
    exports all = {0};
    find_exports(m, &all);
    const char **from = TCT_NEW_ARRAY(&m->d->arena, const char *, all.len + 1);
    const char **to = TCT_NEW_ARRAY(&m->d->arena, const char *, all.len + 1);
    for (size_t i = 0; i < all.len; i++) {
        from[i] = all.data[i].from;
        to[i] = all.data[i].to;
    }
    bool ok = tct_link_library(m->d, linker, &m->objects, m->r->out, from, all.len, &m->linked);
    const char *wrong =
        ok ? tct_localize(m->linked.data, m->linked.len, all.data, all.len, &m->object) : NULL;
    if (wrong)
        ok = tct_error(m->d, "E0847", TCT_NO_SPAN, "what the linker %s made cannot be used: %s", linker,
                       wrong);
    if (ok) tct_archive_write("library.o", m->object.data, m->object.len, to, all.len, &m->archive);
    TCT_VEC_FREE(&all);
    return ok;
}

static bool make(making *m) {
    const char *slash = strrchr(m->r->out, '/'), *name = slash ? slash + 1 : m->r->out;
    m->x.name = name;
    const char *file = strrchr(m->r->file, '/');
    m->x.file = file ? file + 1 : m->r->file;
    if (!tct_is_c_name(name) || strncmp(name, "tct_", 4) == 0) {
        tct_error(m->d, "E0903", TCT_NO_SPAN, "a library cannot be called `%s`", name);
        tct_help(m->d,
                 "its name begins all of its names in C: a letter, then letters, digits and underscores, at "
                 "most 60; no keyword");
        return false;
    }
    const char *header = tct_arena_printf(&m->d->arena, "%s.h", m->r->out),
               *archive = tct_arena_printf(&m->d->arena, "%s.a", m->r->out);
    if (!tct_may_write(m->d, header) || !tct_may_write(m->d, archive)) return false;
    const char *linker = tct_linker(m->d, m->r->linker);
    return linker && compile(m) && assemble(m) && link_archive(m, linker) &&
           tct_file_write(m->d, archive, m->archive.data, m->archive.len) &&
           tct_file_write(m->d, header, m->header.data, m->header.len);
}

bool tct_library_build(tct_diag *d, const tct_library_request *r) {
    making m = {.d = d, .r = r};
    bool ok = make(&m);
    if (ok) {
        tct_jit_say(&r->jit, m.c.compiler);
        tct_compile_stats s = tct_compiler_stats(m.c.compiler);
        fprintf(stderr, "compiled %u graphs to %u kernels\n%s.h and %s.a, %.2f MB\n", s.graphs, s.kernels,
                r->out, r->out, (double)m.archive.len / 1e6);
    }
    tct_objects_free(&m.objects);
    tct_compiled_free(&m.c);
    TCT_VEC_FREE(&m.standing);
    tct_buf *const texts[] = {&m.header, &m.description, &m.linked, &m.object, &m.archive};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) tct_buf_free(texts[i]);
    return ok;
}
