// Checkpoints on disk: a folder with the machine's state (machine.json), its tensors (tensors.safetensors)
// and a manifest that says whose they are and what they hash to. A folder appears and is replaced as a whole:
// a process that is killed at any moment leaves the old one or the new one.
#ifndef TCT_RUNTIME_CHECKPOINT_H
#define TCT_RUNTIME_CHECKPOINT_H

#include "runtime/program.h"
#include "runtime/safetensors.h"

#include <jansson.h>

// Whose checkpoint it is.
typedef struct tct_checkpoint_owner {
    const tct_program *program;
    uint64_t seed;
} tct_checkpoint_owner;

// Writes `folder`/`name`, replacing what is there. `tensors` is finished here, also on failure; its path must
// be tct_checkpoint_tensors_path's. Reports E0702.
const char *tct_checkpoint_tensors_path(tct_arena *a, const char *folder, const char *name);
// Makes the temporary folder that the tensors go to, empty.
bool tct_checkpoint_begin(tct_diag *d, const char *folder, const char *name);
bool tct_checkpoint_write(tct_diag *d, const char *folder, const char *name,
                          const tct_checkpoint_owner *owner, const json_t *machine,
                          tct_safetensors_writer *tensors);

// Gives the checkpoint `name` a second name. The files are shared where the file system can.
bool tct_checkpoint_keep(tct_diag *d, const char *folder, const char *name, const char *as);

typedef struct tct_checkpoint {
    json_t *machine; // an object
    tct_safetensors *tensors;
} tct_checkpoint;

// Opens one, after checking that it is complete and belongs to `owner`. Reports E0830 (none there, damaged,
// of another version) or E0831 (of another program: says which configuration values differ, or another
// seed).
bool tct_checkpoint_open(tct_diag *d, const char *folder, const char *name, const tct_checkpoint_owner *owner,
                         tct_checkpoint *out);
void tct_checkpoint_close(tct_checkpoint *c);

#endif
