// The version of Tercet, as CMakeLists.txt states it.
#ifndef TCT_BASE_VERSION_H
#define TCT_BASE_VERSION_H

const char *tct_version(void); // "0.1.0"

#endif
