// An executable's contents for a person.
#include "driver/inspect.h"

#include <inttypes.h>

static void put_size(uint64_t bytes, tct_buf *out) {
    if (bytes < 10000)
        tct_buf_printf(out, "%" PRIu64 " bytes", bytes);
    else if (bytes < 1000000)
        tct_buf_printf(out, "%.1f kB", (double)bytes / 1e3);
    else
        tct_buf_printf(out, "%.2f MB", (double)bytes / 1e6);
}

// Documentation, each line after `indent` blanks.
static void put_doc(const char *doc, int indent, tct_buf *out) {
    while (doc && *doc) {
        int n = (int)strcspn(doc, "\n");
        tct_buf_printf(out, "%*s%.*s\n", n ? indent : 0, "", n, doc);
        doc += n + (doc[n] == '\n');
    }
}

static void put_head(const tct_inspection *x, tct_buf *out) {
    const tct_program *p = &x->image.program;
    uint64_t code;
    uint32_t kernels = tct_inspect_kernels(x, UINT32_MAX, &code);
    tct_buf_printf(out, "%s, ", x->elf.path);
    put_size(x->elf.file.len, out);
    tct_buf_printf(out, ", built by Tercet %s\n%s %s of %s", x->image.version,
                   p->n_instrs ? "pipeline" : "library", p->name, p->path);
    if (p->n_instrs) tct_buf_printf(out, ", program %016" PRIx64, p->hash);
    tct_buf_putc(out, '\n');
    tct_buf_printf(out, "image of ");
    put_size(x->image_bytes, out);
    tct_buf_printf(out, ", %u kernels", kernels);
    if (code) {
        tct_buf_puts(out, " of ");
        put_size(code, out);
    }
    tct_buf_puts(out, "\n");
}

static void put_config(const tct_diag *d, const tct_program *p, tct_buf *out) {
    tct_arena a = {0};
    if (p->n_config) tct_buf_puts(out, "\nConfig\n");
    for (uint32_t i = 0; i < p->n_config; i++) {
        const tct_config_value *v = &p->config[i];
        tct_buf_printf(out, "  %s: %s = %s%s", v->name, v->type, v->value, v->is_default ? "" : "  (given)");
        if (v->fixed) tct_buf_printf(out, "  (fixed: it %s", v->fixed);
        if (v->fixed && v->fixed_at.file) tct_buf_printf(out, ", %s", tct_inspect_place(d, &a, v->fixed_at));
        tct_buf_puts(out, v->fixed ? ")\n" : "\n");
        put_doc(v->doc, 6, out);
    }
    for (uint32_t i = 0; i < p->n_guards; i++) {
        const tct_config_guard *g = &p->guards[i];
        tct_buf_printf(out, "  compiled for `%s` being %s, %s\n", g->text, g->holds ? "true" : "false",
                       tct_inspect_place(d, &a, g->at));
    }
    tct_arena_free(&a);
}

static void put_stages(const tct_program *p, tct_buf *out) {
    if (p->n_stages) tct_buf_puts(out, "\nStages\n");
    for (uint32_t i = 0; i < p->n_stages; i++) {
        tct_buf_printf(out, "  %s\n", p->stages[i].name);
        put_doc(p->stages[i].doc, 6, out);
    }
}

static void put_models(const tct_program *p, tct_buf *out) {
    if (p->n_models) tct_buf_puts(out, "\nModels\n");
    for (uint32_t i = 0; i < p->n_models; i++) {
        const tct_model_desc *m = &p->models[i];
        double elements = 0;
        for (uint32_t k = 0; k < m->n_params; k++) {
            double n = 1;
            for (int axis = 0; axis < m->params[k].n_axes; axis++) n *= (double)m->params[k].size[axis];
            elements += n;
        }
        tct_buf_printf(out, "  %s%s%s: %.0f numbers in %u parameters\n", m->type,
                       m->architecture ? " as " : "", m->architecture ? m->architecture : "", elements,
                       m->n_params);
    }
}

static void put_graphs(const tct_diag *d, const tct_inspection *x, tct_buf *out) {
    tct_arena a = {0};
    const tct_image *image = &x->image;
    if (!image->program.n_plans) return;
    int width = 0;
    for (uint32_t i = 0; i < image->program.n_plans; i++) {
        int n = (int)strlen(image->variants[0].plans[i]->name);
        if (n > width) width = n;
    }
    tct_buf_printf(out, "\nGraphs: steps and memory\n  %*s", width, "");
    for (uint32_t v = 0; v < image->n_variants; v++)
        tct_buf_printf(out, "  %18s", tct_isa_name(image->variants[v].isa));
    tct_buf_putc(out, '\n');
    for (uint32_t i = 0; i < image->program.n_plans; i++) {
        tct_buf_printf(out, "  %-*s", width, image->variants[0].plans[i]->name);
        for (uint32_t v = 0; v < image->n_variants; v++) {
            const tct_plan *plan = image->variants[v].plans[i];
            tct_buf_printf(out, "  %5u %9.1f kB", tct_inspect_steps(plan),
                           (double)(plan->arena_bytes + plan->constant_bytes) / 1e3);
        }
        const char *place = tct_inspect_place(d, &a, x->called_at[i]);
        tct_buf_printf(out, "  %s\n", place ? place : "");
    }
    tct_arena_free(&a);
}

static void put_kernels(const tct_inspection *x, tct_buf *out) {
    if (!x->kernels.len) return;
    tct_buf_puts(out, "\nKernels\n");
    for (uint32_t v = 0; v < x->image.n_variants; v++) {
        uint64_t code;
        uint32_t n = tct_inspect_kernels(x, v, &code);
        tct_buf_printf(out, "  %-10s %5u", tct_isa_name(x->image.variants[v].isa), n);
        if (code) tct_buf_puts(out, "  ");
        if (code) put_size(code, out);
        tct_buf_putc(out, '\n');
    }
}

static void put_foreign(const tct_inspection *x, tct_buf *out) {
    if (x->foreigns.len) tct_buf_puts(out, "\nForeign functions\n");
    for (size_t i = 0; i < x->foreigns.len; i++) {
        const tct_inspected_foreign *f = &x->foreigns.data[i];
        tct_buf_printf(out, "  %s of %s\n", f->symbol, f->library ? f->library : "the program itself");
    }
}

static void put_sources(const tct_image *image, tct_buf *out) {
    tct_buf_puts(out, "\nSources\n");
    for (uint32_t i = 0; i < image->n_sources; i++) {
        tct_buf_printf(out, "  %s, ", image->sources[i].path);
        put_size(image->sources[i].len, out);
        tct_buf_putc(out, '\n');
    }
}

// Plans that several instruction sets share are printed once.
static void put_plans(const tct_image *image, tct_buf *out) {
    for (uint32_t i = 0; i < image->program.n_plans; i++)
        for (uint32_t v = 0; v < image->n_variants; v++) {
            const tct_plan *plan = image->variants[v].plans[i];
            bool before = false;
            for (uint32_t w = 0; w < v; w++) before |= image->variants[w].plans[i] == plan;
            if (before) continue;
            tct_buf_puts(out, "\n// for");
            for (uint32_t w = v; w < image->n_variants; w++)
                if (image->variants[w].plans[i] == plan)
                    tct_buf_printf(out, " %s", tct_isa_name(image->variants[w].isa));
            tct_buf_putc(out, '\n');
            tct_plan_print(plan, out);
        }
}

void tct_inspect_text(const tct_diag *d, const tct_inspection *x, const tct_inspect_options *o,
                      tct_buf *out) {
    put_head(x, out);
    put_config(d, &x->image.program, out);
    put_stages(&x->image.program, out);
    put_models(&x->image.program, out);
    put_graphs(d, x, out);
    put_kernels(x, out);
    put_foreign(x, out);
    put_sources(&x->image, out);
    if (o->plan) put_plans(&x->image, out);
    for (uint32_t i = 0; i < x->image.n_sources && o->source; i++)
        tct_buf_printf(out, "\n// %s\n%s", x->image.sources[i].path, x->image.sources[i].text);
}
