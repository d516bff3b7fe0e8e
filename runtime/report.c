#include "runtime/report.h"

#include "base/file.h"
#include "runtime/embed.h"
#include "runtime/report_data.h"
#include "runtime/summary.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static void add_about(const tct_report *r, tct_buf *out) {
    long s = (long)r->seconds;
    tct_html_text(r->program->path, out);
    tct_buf_printf(out, " &middot; %ld:%02ld:%02ld on %d thread%s &middot; seed %" PRIu64, s / 3600,
                   s / 60 % 60, s % 60, r->threads, r->threads == 1 ? "" : "s", r->seed);
}

static void add_config(const tct_program *p, tct_buf *out) {
    if (p->n_config == 0) {
        tct_buf_puts(out, "<p class=\"none\">The program has none.</p>\n");
        return;
    }
    tct_buf_puts(out, "<table><tr><th>name</th><th>value</th><th></th></tr>\n");
    for (uint32_t i = 0; i < p->n_config; i++) {
        const tct_config_value *c = &p->config[i];
        tct_buf_puts(out, c->is_default ? "<tr>" : "<tr class=\"changed\">");
        tct_buf_puts(out, "<td><code>");
        tct_html_text(c->name, out);
        tct_buf_puts(out, "</code></td><td><code>");
        tct_html_text(c->value, out);
        tct_buf_puts(out, "</code></td><td class=\"doc\">");
        tct_html_text(c->doc ? c->doc : "", out);
        tct_buf_puts(out, "</td></tr>\n");
    }
    tct_buf_puts(out, "</table>\n");
}

static bool is(const char *word, const char *name, size_t len) {
    return strlen(word) == len && memcmp(word, name, len) == 0;
}

// Fills the page's mark @@NAME@@ in.
static bool fill(tct_diag *d, const tct_report *r, const char *name, size_t len, tct_buf *out) {
    if (is("TITLE", name, len))
        tct_html_text(r->program->name, out);
    else if (is("ABOUT", name, len))
        add_about(r, out);
    else if (is("RESULTS", name, len))
        tct_summary_html(r->summary, out);
    else if (is("CONFIG", name, len))
        add_config(r->program, out);
    else if (is("DYGRAPHS_JS", name, len))
        tct_buf_add(out, tct_embed_dygraphs_js, tct_embed_dygraphs_js_len);
    else if (is("DYGRAPHS_CSS", name, len))
        tct_buf_add(out, tct_embed_dygraphs_css, tct_embed_dygraphs_css_len);
    else {
        assert(is("DATA", name, len));
        return tct_report_data(d, r->program, r->metrics, r->samples, out);
    }
    return true;
}

bool tct_report_write(tct_diag *d, const tct_report *r, const char *path) {
    const char *at = (const char *)tct_embed_report_page, *mark;
    tct_buf page = {0};
    bool ok = true;
    while (ok && (mark = strstr(at, "@@"))) {
        const char *name = mark + 2, *end = strstr(name, "@@");
        tct_buf_add(&page, at, (size_t)(mark - at));
        ok = fill(d, r, name, (size_t)(end - name), &page);
        at = end + 2;
    }
    tct_buf_puts(&page, at);
    ok = ok && tct_file_write(d, path, page.data, page.len);
    tct_buf_free(&page);
    return ok;
}
