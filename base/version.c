#include "base/version.h"

const char *tct_version(void) { return TERCET_VERSION; } // a definition of this file's alone
