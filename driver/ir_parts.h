// The text of a node in parts, for those who show it in another form.
#ifndef TCT_DRIVER_IR_PARTS_H
#define TCT_DRIVER_IR_PARTS_H

#include "ir/print.h"

// Of "%3: f32[B] = sum %2 {T}": "f32[B]", "sum" and " {T}"; not terminated.
typedef struct tct_ir_parts {
    const char *type, *op, *tail;
    size_t type_len, op_len, tail_len;
} tct_ir_parts;

// The parts point into `scratch`, whose text is replaced.
tct_ir_parts tct_ir_parts_of(tct_ir_printer *p, const tct_graph *g, tct_value v, tct_buf *scratch);

#endif
