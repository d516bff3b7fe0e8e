// Code with debug information as people read it: the places are comments, and the tables behind them are
// gone.
#ifndef TCT_CODEGEN_LISTING_H
#define TCT_CODEGEN_LISTING_H

#include "base/diag.h"

// Assembly as LLVM writes it. In front of the first instruction that is for another line of the source than
// those before stands "# margin.tct:7 | the line's text", with the path as it is and the text where `sources`
// (may be NULL) has it. What is left is what the same code without debug information gives.
void tct_listing_asm(const char *text, const tct_diag *sources, tct_buf *out);

// LLVM IR: "; margin.tct:7:17" behind every instruction in place of its metadata.
void tct_listing_llvm(const char *text, tct_buf *out);

#endif
