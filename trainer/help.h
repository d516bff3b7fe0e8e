// What a trainer says about itself.
#ifndef TCT_TRAINER_HELP_H
#define TCT_TRAINER_HELP_H

#include "runtime/image.h"

// "pipeline NAME of FILE, built by tercet 0.1.0 for avx2, avx512\n", appended.
void tct_trainer_title(const tct_image *image, tct_buf *out);

// The part of --help that the program gives: config values with type, default, range and documentation, those
// that were fixed when it was built, and the stages. Appended.
void tct_trainer_help(const tct_image *image, tct_buf *out);

#endif
