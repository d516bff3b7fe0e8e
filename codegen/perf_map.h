// The file by which `perf` knows the names of code that is made at run time: /tmp/perf-PID.map.
#ifndef TCT_CODEGEN_PERF_MAP_H
#define TCT_CODEGEN_PERF_MAP_H

#include "base/diag.h"
#include "codegen/llvm.h"

typedef struct tct_perf_map tct_perf_map;

// Begins the file of this process. It stays when the process ends, for `perf report`. NULL after reporting
// E0702.
tct_perf_map *tct_perf_map_open(tct_diag *d);
void tct_perf_map_close(tct_perf_map *map); // NULL is nothing

// Remembers the functions of an object that is about to be loaded, and their sizes. The object stays the
// caller's.
void tct_perf_map_expect(tct_perf_map *map, LLVMMemoryBufferRef object);
// Writes where one of them lies. E0702.
bool tct_perf_map_add(tct_diag *d, tct_perf_map *map, const char *name, uint64_t address);

#endif
