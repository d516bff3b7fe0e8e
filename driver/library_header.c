// The header of a library: library/api.h with the library's name, and a function for each graph.
#include "base/version.h"
#include "driver/library.h"
#include "runtime/embed.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

extern const unsigned char tct_embed_library_api[]; // library/api.h

static const char *c_type(uint8_t dtype) {
    switch ((tct_dtype)dtype) {
    case TCT_F32:
        return "float";
    case TCT_F64:
        return "double";
    case TCT_BF16:
        return "uint16_t"; // its bits
    case TCT_I32:
        return "int32_t";
    case TCT_I64:
        return "int64_t";
    case TCT_I8:
        return "int8_t";
    default:
        return "uint8_t"; // 0 or 1
    }
}

// A line of a comment. What would go on in the next line of C is kept from it.
static void put_comment(const char *text, size_t n, tct_buf *out) {
    tct_buf_puts(out, n ? "// " : "//");
    for (size_t i = 0; i < n; i++) tct_buf_putc(out, iscntrl((unsigned char)text[i]) ? ' ' : text[i]);
    while (n && text[n - 1] == ' ') n--;
    if (n && (text[n - 1] == '\\' || (n >= 3 && memcmp(text + n - 3,
                                                       "?"
                                                       "?/",
                                                       3) == 0)))
        tct_buf_putc(out, '.');
    tct_buf_putc(out, '\n');
}

// Documentation, each line after `indent` blanks.
static void put_doc(const char *text, int indent, tct_buf *out) {
    while (text && *text) {
        int n = (int)strcspn(text, "\n");
        tct_buf line = {0};
        if (n) tct_buf_printf(&line, "%*s%.*s", indent, "", n, text);
        put_comment(line.data, line.len, out);
        tct_buf_free(&line);
        text += n + (text[n] == '\n');
    }
}

static uint64_t elements(const tct_plan_port *p) { return p->bytes / tct_dtype_size((tct_dtype)p->dtype); }

static void put_fields(const tct_plan_port *ports, const tct_library_field *fields, uint32_t n, bool input,
                       tct_buf *out) {
    for (uint32_t i = 0; i < n; i++) {
        const tct_plan_port *p = &ports[i];
        tct_buf_printf(out, "    %s%s *%s; // %s", input ? "const " : "", c_type(p->dtype), fields[i].name,
                       tct_dtype_name((tct_dtype)p->dtype));
        for (uint32_t k = 0; k < p->n_axes; k++)
            tct_buf_printf(out, "%s%s=%" PRId64 "%s", k ? ", " : "[", p->axis[k], p->size[k],
                           k + 1 == p->n_axes ? "]" : "");
        if (p->n_axes) tct_buf_printf(out, ", %" PRIu64 " elements", elements(p));
        if (fields[i].standing) tct_buf_printf(out, "; NULL: %s", fields[i].standing);
        tct_buf_putc(out, '\n');
    }
    if (n == 0) tct_buf_puts(out, "    char nothing; // C has no structures without a member\n");
}

static void put_upper(const char *s, tct_buf *out) {
    for (; *s; s++) tct_buf_putc(out, (char)toupper((unsigned char)*s));
}

static void put_sizes(const tct_library_contents *x, const tct_library_function *f, bool input,
                      tct_buf *out) {
    const tct_plan_port *ports = input ? f->plan->inputs : f->plan->outputs;
    const tct_library_field *fields = input ? f->inputs : f->outputs;
    uint32_t n = input ? f->plan->n_inputs : f->plan->n_outputs;
    for (uint32_t i = 0; i < n; i++) {
        tct_buf_printf(out, "#define %s_", x->upper);
        put_upper(f->name, out);
        tct_buf_puts(out, input ? "_IN_" : "_OUT_");
        put_upper(fields[i].name, out);
        tct_buf_printf(out, " %" PRIu64 "\n", elements(&ports[i]));
    }
}

static void put_function(const tct_library_contents *x, const tct_library_function *f, tct_buf *out) {
    tct_buf_printf(out, "\n// Graph %s%s.\n", f->graph,
                   f->gradients ? ", and the gradient of its first output to every float input" : "");
    if (f->doc && *f->doc) {
        tct_buf_puts(out, "//\n");
        put_doc(f->doc, 0, out);
    }
    tct_buf_printf(out, "typedef struct %s_%s_in {\n", x->name, f->name);
    put_fields(f->plan->inputs, f->inputs, f->plan->n_inputs, true, out);
    tct_buf_printf(out, "} %s_%s_in;\n\ntypedef struct %s_%s_out {\n", x->name, f->name, x->name, f->name);
    put_fields(f->plan->outputs, f->outputs, f->plan->n_outputs, false, out);
    tct_buf_printf(out, "} %s_%s_out;\n\n", x->name, f->name);
    tct_buf_printf(out, "%s_status %s_%s(%s_context *context, const %s_%s_in *in, const %s_%s_out *out);\n\n",
                   x->name, x->name, f->name, x->name, x->name, f->name, x->name, f->name);
    tct_buf_puts(out, "// Elements of each.\n");
    put_sizes(x, f, true, out);
    put_sizes(x, f, false, out);
}

static void put_graphs(const tct_library_contents *x, tct_buf *out) {
    tct_buf_printf(out, "//\n// Workspace: %" PRIu64 " bytes, and %" PRIu64 " for each thread.\n",
                   x->table.arena_bytes + x->table.shared_bytes, x->table.scratch_bytes);
    for (uint32_t i = 0; i < x->n_functions; i++) put_function(x, &x->functions[i], out);
    tct_buf_putc(out, '\n');
}

static void put_pipeline(const tct_program *p, tct_buf *out) {
    tct_buf_printf(out, "//\n// Pipeline %s. Its stages:\n", p->name);
    for (uint32_t i = 0; i < p->n_stages; i++) {
        tct_buf_printf(out, "//   %s\n", p->stages[i].name);
        put_doc(p->stages[i].doc, 6, out);
    }
    tct_buf_puts(out, "//\n// Its settings; those that are fixed were decided when the library was built:\n");
    for (uint32_t i = 0; i < p->n_config; i++) {
        const tct_config_value *v = &p->config[i];
        tct_buf line = {0};
        tct_buf_printf(&line, "  %s: %s = %s%s", v->name, v->type, v->value, v->fixed ? "  (fixed)" : "");
        put_comment(line.data, line.len, out);
        tct_buf_free(&line);
        put_doc(v->doc, 6, out);
    }
}

// Text of api.h up to `end` with the library's names.
static void put_text(const tct_library_contents *x, const char *text, const char *end, tct_buf *out) {
    static const char lower[] = "tct_library", upper[] = "TCT_LIBRARY";
    while (text < end) {
        if (strncmp(text, lower, sizeof lower - 1) == 0 || strncmp(text, upper, sizeof upper - 1) == 0) {
            tct_buf_puts(out, *text == 't' ? x->name : x->upper);
            text += sizeof lower - 1;
        } else {
            tct_buf_putc(out, *text++);
        }
    }
}

// Goes past the mark, having written what is before it where it is wanted.
static const char *put_until(const tct_library_contents *x, const char *text, const char *mark, bool wanted,
                             tct_buf *out) {
    const char *at = strstr(text, mark);
    if (wanted) put_text(x, text, at, out);
    return at + strlen(mark);
}

static void put_body(const tct_library_contents *x, const char *api, tct_buf *out) {
    const char *at = strstr(api, "/* begin */\n") + strlen("/* begin */\n");
    bool graphs = x->n_functions > 0, pipeline = x->program != NULL;
    at = put_until(x, at, "/* graphs: begin */\n", true, out);
    at = put_until(x, at, "/* graphs: here */\n", graphs, out);
    if (graphs) put_graphs(x, out);
    at = put_until(x, at, "/* graphs: end */\n", graphs, out);
    at = put_until(x, at, "/* pipeline: begin */\n", true, out);
    at = put_until(x, at, "/* stages: here */\n", pipeline, out);
    if (pipeline) put_pipeline(x->program, out);
    at = put_until(x, at, "/* pipeline: end */\n", pipeline, out);
    put_text(x, at, at + strlen(at), out);
}

uint64_t tct_library_header(const tct_library_contents *x, tct_buf *out) {
    tct_buf body = {0}, first = {0};
    put_body(x, (const char *)tct_embed_library_api, &body);
    uint64_t abi = XXH3_64bits(body.data, body.len);
    const char *guard_end = strstr(body.data, "\n\n"); // after the two lines of the guard
    tct_buf_printf(&first, "%s.h: made by Tercet %s from %s. Link %s.a with -lm -lpthread.", x->name,
                   tct_version(), x->file, x->name);
    put_comment(first.data, first.len, out);
    tct_buf_free(&first);
    tct_buf_add(out, body.data, (size_t)(guard_end - body.data) + 1);
    tct_buf_printf(out, "\n#define %s_ABI UINT64_C(0x%016" PRIx64 ")\n", x->upper, abi);
    tct_buf_puts(out, guard_end + 1);
    tct_buf_free(&body);
    return abi;
}
