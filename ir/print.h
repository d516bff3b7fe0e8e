// The parts of the text form, for those who print a graph in another order or with other labels than
// tct_ir_print.
#ifndef TCT_IR_PRINT_H
#define TCT_IR_PRINT_H

#include "ir/ir.h"

// Names for the axes and sources of one text or several. Begin, name everything that will be printed, print,
// end.
typedef struct tct_ir_printer {
    const tct_ir_module *m;
    const tct_diag *sources; // NULL: places are not printed
    bool no_pass;            // neither are the passes that made nodes
    uint32_t *suffix; // by axis: 1 + its number among the named axes of its name; 0: it has no name yet
    const char **source_name; // by file
    TCT_VEC(tct_axis) axes;   // that have names, in that order
    TCT_VEC(uint32_t) files;  // likewise
    tct_buf *out;             // of the function at hand
    tct_arena arena;
} tct_ir_printer;

void tct_ir_printer_begin(tct_ir_printer *p, const tct_ir_module *m, const tct_diag *sources);
void tct_ir_printer_end(tct_ir_printer *p);
// Names the axes and sources of g, in the order of first use, bodies where they stand.
void tct_ir_printer_names(tct_ir_printer *p, const tct_graph *g);

// Each appends to `out`, without a line end. `labels`: the numbers of nodes, NULL for their own.
void tct_ir_print_source_line(tct_ir_printer *p, uint32_t file, tct_buf *out);
void tct_ir_print_axis_line(tct_ir_printer *p, tct_axis a, tct_buf *out);
void tct_ir_print_graph_name(const tct_graph *g, tct_buf *out);
// "%3: f32[B] = sum %2 {T}", no body, no origin.
void tct_ir_print_node(tct_ir_printer *p, const tct_graph *g, tct_value v, const uint32_t *labels,
                       tct_buf *out);
// " @ rm.tct:4:9 by stable"; nothing where nothing is known.
void tct_ir_print_origin(tct_ir_printer *p, const tct_node *n, tct_buf *out);
void tct_ir_print_return(tct_ir_printer *p, const tct_graph *g, const uint32_t *labels, tct_buf *out);

#endif
