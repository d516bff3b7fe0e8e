// The C types of foreign functions, as runtime/caller.h spells them.
#ifndef TCT_RUNTIME_SIGNATURE_H
#define TCT_RUNTIME_SIGNATURE_H

#include "base/buf.h"
#include "runtime/program.h"

// Of a graph: for each operand, inputs first, a pointer to its data and then its axes' sizes as int64_t,
// outermost first; it returns an int. Appended.
void tct_foreign_signature(const tct_plan_foreign *foreign, tct_buf *out);

// Of stage code (see tct_extern). `types` are the registers' types. Appended.
void tct_extern_signature(const tct_extern *e, const tct_reg_type *types, tct_buf *out);

#endif
