// The program that is linked into this executable.
#ifndef TCT_TRAINER_LOAD_H
#define TCT_TRAINER_LOAD_H

#include "runtime/image.h"

// Reads the image into *out, in d's arena, and its sources into `d`. E0715, E0716.
bool tct_trainer_read(tct_diag *d, tct_image *out);

// Gives image->program the plans of the best instruction set that is at most `limit` and that this processor
// has, and all their functions. E0845 when there is none.
bool tct_trainer_choose(tct_diag *d, tct_image *image, tct_isa limit);

#endif
