#include "codegen/perf_map.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <llvm-c/Object.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct function {
    const char *name;
    uint64_t size;
} function;

struct tct_perf_map {
    tct_arena arena;
    const char *path;
    int fd;
    TCT_VEC(function) functions;
};

static bool failed(tct_diag *d, const char *path) {
    return tct_error(d, "E0702", TCT_NO_SPAN, "cannot write %s: %s", path, strerror(errno));
}

tct_perf_map *tct_perf_map_open(tct_diag *d) {
    tct_perf_map *map = tct_alloc(sizeof *map);
    map->path = tct_arena_printf(&map->arena, "/tmp/perf-%ld.map", (long)getpid());
    unlink(map->path); // of an earlier process with this number
    map->fd = open(map->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (map->fd >= 0) return map;
    failed(d, map->path);
    tct_perf_map_close(map);
    return NULL;
}

void tct_perf_map_close(tct_perf_map *map) {
    if (!map) return;
    if (map->fd >= 0) close(map->fd);
    TCT_VEC_FREE(&map->functions);
    tct_arena_free(&map->arena);
    tct_heap_free(map);
}

static bool in_text(LLVMSectionIteratorRef section, LLVMSymbolIteratorRef symbol, LLVMBinaryRef binary) {
    LLVMMoveToContainingSection(section, symbol);
    if (LLVMObjectFileIsSectionIteratorAtEnd(binary, section)) return false;
    const char *name = LLVMGetSectionName(section);
    return name && strcmp(name, ".text") == 0;
}

void tct_perf_map_expect(tct_perf_map *map, LLVMMemoryBufferRef object) {
    char *message = NULL;
    LLVMBinaryRef binary = LLVMCreateBinary(object, NULL, &message);
    LLVMDisposeMessage(message);
    if (!binary) return; // loading it will say why
    LLVMSymbolIteratorRef s = LLVMObjectFileCopySymbolIterator(binary);
    LLVMSectionIteratorRef section = LLVMObjectFileCopySectionIterator(binary);
    for (; !LLVMObjectFileIsSymbolIteratorAtEnd(binary, s); LLVMMoveToNextSymbol(s)) {
        uint64_t size = LLVMGetSymbolSize(s);
        const char *name = LLVMGetSymbolName(s);
        if (size == 0 || !name || !in_text(section, s, binary)) continue;
        function f = {tct_arena_strdup(&map->arena, name), size};
        TCT_PUSH(&map->functions, f);
    }
    LLVMDisposeSectionIterator(section);
    LLVMDisposeSymbolIterator(s);
    LLVMDisposeBinary(binary);
}

bool tct_perf_map_add(tct_diag *d, tct_perf_map *map, const char *name, uint64_t address) {
    char line[512];
    for (size_t k = 0; k < map->functions.len; k++) {
        const function *f = &map->functions.data[k];
        if (strcmp(f->name, name) != 0) continue;
        int n = snprintf(line, sizeof line, "%" PRIx64 " %" PRIx64 " %s\n", address, f->size, name);
        if (n < 0 || (size_t)n >= sizeof line) return true; // no kernel's name is that long
        return write(map->fd, line, (size_t)n) == n || failed(d, map->path);
    }
    return true;
}
