// libFuzzer target of the IR's text: whatever is accepted prints, comes back equal, and, where small, can be
// run.
#include "ir/interp.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Work of one run, so that an input can't take the fuzzer's time or memory.
static bool is_small(const tct_graph *g) {
    if (g->nodes.len > 64) return false;
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        int64_t work = tct_node_elements(g, n);
        for (int k = 0; k < n->attr.n_axes; k++) {
            int64_t axis = tct_axis_of(g->module, n->attr.axes[k])->size;
            if (axis > 100) return false;
            work = work > 10000 ? work : work * axis;
        }
        if (work > 10000 || (n->attr.body && !is_small(n->attr.body))) return false;
        if (n->op == TCT_IR_SCAN && g->nodes.len > 8) return false;
    }
    return true;
}

static void run(tct_diag *d, const tct_graph *g) {
    tct_arena arena = {0};
    tct_ir_tensor *in = TCT_NEW_ARRAY(&arena, tct_ir_tensor, g->inputs.len);
    tct_ir_tensor *out = TCT_NEW_ARRAY(&arena, tct_ir_tensor, g->outputs.len);
    for (size_t k = 0; k < g->inputs.len; k++) {
        const tct_node *n = tct_node_of(g, g->inputs.data[k]);
        in[k] = (tct_ir_tensor){.dtype = (tct_dtype)n->dtype, .n_axes = n->n_axes};
        if (n->n_axes) memcpy(in[k].axes, n->axes, n->n_axes * sizeof *n->axes);
        in[k].data = tct_arena_alloc_array(&arena, 8, (size_t)tct_node_elements(g, n));
    }
    tct_ir_interp(d, &arena, g, in, out, NULL);
    tct_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tct_ir_module *m = tct_ir_module_new();
    tct_diag d = {0};
    tct_graph *g = tct_ir_parse(&d, m, "fuzz.tir", (const char *)data, size);
    if ((g == NULL) != (d.n_errors > 0)) abort();
    if (g) {
        tct_buf text = {0};
        tct_ir_print(g, &text, &d);
        const tct_graph *back = tct_ir_parse(&d, m, "again.tir", text.data, text.len);
        if (!back || !tct_ir_equal(g, back)) abort();
        tct_buf again = {0}; // with the places that the text gives, if it gives any
        tct_ir_print(back, &again, &d);
        bool places = strncmp(text.data, "source ", 7) == 0;
        if (places && (again.len != text.len || memcmp(again.data, text.data, text.len) != 0)) abort();
        tct_buf_free(&again);
        tct_buf_free(&text);
        if (is_small(g)) run(&d, g);
    }
    tct_buf shown = {0};
    tct_diag_render(&d, &shown, false);
    tct_buf_free(&shown);
    tct_diag_free(&d);
    tct_ir_module_free(m);
    return 0;
}
