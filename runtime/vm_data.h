// Data sets as values of the stage machine: opened by a call of the program, or opened again by a checkpoint.
#ifndef TCT_RUNTIME_VM_DATA_H
#define TCT_RUNTIME_VM_DATA_H

#include "runtime/vm_state.h"

// Opens what `s` describes (everything but s->data, which must be NULL): from s->path, or from a copy of
// s->records when that is NULL. Reports what tct_dataset_open does.
bool tct_vm_open_dataset(tct_diag *d, tct_dataset_ref *s);

// Opens a tokenizer; takes nothing over.
bool tct_vm_open_tokenizer(tct_diag *d, const char *path, tct_value *out);
// Whether it is what register `reg` was compiled for; reports E0717.
bool tct_vm_tokenizer_fits(tct_vm *vm, const tct_tokenizer_ref *t, uint32_t reg);

// Copies all examples of `from`, which were made by a program, to `to`.
void tct_vm_copy_records(const tct_records *from, tct_records *to);

#endif
