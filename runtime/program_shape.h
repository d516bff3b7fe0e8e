// How the numbers of an instruction read: which are registers, which are tables and places.
#ifndef TCT_RUNTIME_PROGRAM_SHAPE_H
#define TCT_RUNTIME_PROGRAM_SHAPE_H

#include "runtime/program.h"

// Letters of `operands`: d register dst (written); a, b, c registers (read); k constant a; K config[a]; m
// number b; n number c; j place a; J place b; B calls[a]; R runs[a]; X externs[a]; M models[a] with its seed
// or folder; O optimizers[a]; L logs[a]; S stages[a]. Letters of `kinds`, one for each of the registers d, a,
// b, c in `operands`: i int, f float, b bool, s string, l list, t tensor, m model, o optimizer; * what
// tct_program_verify says of the instruction.
typedef struct tct_instr_shape {
    const char *name, *operands, *kinds;
} tct_instr_shape;

const tct_instr_shape *tct_instr_shape_of(uint16_t op);

#endif
