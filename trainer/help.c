#include "trainer/help.h"

#include "base/setting.h"

#include <string.h>

void tct_trainer_title(const tct_image *image, tct_buf *out) {
    tct_buf_printf(out, "pipeline %s of %s, built by tercet %s for", image->program.name, image->program.path,
                   image->version);
    for (uint32_t i = 0; i < image->n_variants; i++)
        tct_buf_printf(out, "%s %s", i ? "," : "", tct_isa_name(image->variants[i].isa));
    tct_buf_putc(out, '\n');
}

static void add_lines(const char *text, tct_buf *out) {
    while (text && *text) {
        size_t n = strcspn(text, "\n");
        tct_buf_printf(out, "        %.*s\n", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

static void add_number(const tct_config_value *c, double x, tct_buf *out) {
    if (strcmp(c->type, "int") == 0)
        tct_buf_printf(out, "%.0f", x);
    else
        tct_print_double(x, out);
}

// The conditions on value `cell` that chose what was compiled.
static void add_guards(const tct_program *p, uint32_t cell, tct_buf *out) {
    for (uint32_t i = 0; i < p->n_guards; i++)
        for (uint32_t k = 0; k < p->guards[i].of.n; k++)
            if (p->guards[i].of.config[k] == cell)
                tct_buf_printf(out, "        As long as `%s` stays %s.\n", p->guards[i].text,
                               p->guards[i].holds ? "true" : "false");
}

static void add_value(const tct_program *p, uint32_t cell, tct_buf *out) {
    const tct_config_value *c = &p->config[cell];
    bool text = strcmp(c->type, "string") == 0 || strcmp(c->type, "path") == 0;
    tct_buf_printf(out, text ? "  %s: %s = \"%s\"" : "  %s: %s = %s", c->name, c->type, c->value);
    if (c->beside) tct_buf_puts(out, " in --folder");
    if (c->is_ranged) {
        tct_buf_puts(out, ", from ");
        add_number(c, c->low, out);
        tct_buf_puts(out, " to ");
        add_number(c, c->high, out);
    }
    if (c->derived.end && c->is_default) tct_buf_puts(out, ", follows from other values");
    tct_buf_putc(out, '\n');
    add_lines(c->doc, out);
    if (c->fixed) tct_buf_printf(out, "        Fixed: it %s.\n", c->fixed);
    add_guards(p, cell, out);
}

static void add_values(const tct_program *p, bool fixed, const char *title, tct_buf *out) {
    bool any = false;
    for (uint32_t i = 0; i < p->n_config; i++) {
        if ((p->config[i].fixed != NULL) != fixed) continue;
        if (!any) tct_buf_puts(out, title);
        any = true;
        add_value(p, i, out);
    }
}

void tct_trainer_help(const tct_image *image, tct_buf *out) {
    const tct_program *p = &image->program;
    add_values(p, false, "\nConfig values, given by --set NAME=VALUE:\n", out);
    add_values(
        p, true,
        "\nConfig values that were fixed when this trainer was built; `tercet build --set NAME=VALUE` builds "
        "one with another:\n",
        out);
    if (p->n_stages) tct_buf_puts(out, "\nStages:\n");
    for (uint32_t i = 0; i < p->n_stages; i++) {
        tct_buf_printf(out, "  %s\n", p->stages[i].name);
        add_lines(p->stages[i].doc, out);
    }
}
