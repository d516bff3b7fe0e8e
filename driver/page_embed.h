// The page's files, which the program carries in itself; runtime/embed.h says how.
#ifndef TCT_DRIVER_PAGE_EMBED_H
#define TCT_DRIVER_PAGE_EMBED_H

#include <stddef.h>

extern const unsigned char tct_embed_page_html[]; // driver/page/page.html
extern const size_t tct_embed_page_html_len;
extern const unsigned char tct_embed_page_css[];
extern const size_t tct_embed_page_css_len;
extern const unsigned char tct_embed_page_js[]; // its scripts, one behind the other
extern const size_t tct_embed_page_js_len;

#endif
