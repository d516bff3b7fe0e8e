// Files that the program carries in itself; CMake makes the arrays. Each ends with a NUL that its length
// doesn't count.
#ifndef TCT_RUNTIME_EMBED_H
#define TCT_RUNTIME_EMBED_H

#include <stddef.h>

extern const unsigned char tct_embed_report_page[]; // runtime/report_page.html
extern const size_t tct_embed_report_page_len;
// Dygraphs, MIT licence; the script's first line says so and stays in every report.
extern const unsigned char tct_embed_dygraphs_js[];
extern const size_t tct_embed_dygraphs_js_len;
extern const unsigned char tct_embed_dygraphs_css[];
extern const size_t tct_embed_dygraphs_css_len;

#endif
