// Looking into ELF files that nobody vouches for: sections by name, and functions with their sizes.
#ifndef TCT_DRIVER_ELF_H
#define TCT_DRIVER_ELF_H

#include "base/file.h"

typedef struct tct_elf_function {
    const char *name; // in the mapped file
    uint64_t bytes;   // of code
} tct_elf_function;

// A mapped 64-bit little-endian ELF file. Zero-initialise; release with tct_elf_close.
typedef struct tct_elf {
    const char *path;
    tct_mapping file;
    const unsigned char *sections; // section headers
    size_t n_sections;
    const char *names; // of sections
    size_t names_bytes;
    TCT_VEC(tct_elf_function) functions; // ascending by name; none in a stripped file
} tct_elf;

// Maps the file and checks what its headers say. false after reporting E0701 (cannot be read) or E0715 (no
// such file, truncated). `path` is kept.
bool tct_elf_open(tct_diag *d, const char *path, tct_elf *out);
void tct_elf_close(tct_elf *e);

// The bytes of the section `name`, in the mapping. NULL when there is none with bytes in the file.
const unsigned char *tct_elf_section(const tct_elf *e, const char *name, size_t *n);

// Bytes of code of a function, 0 when the file doesn't tell.
uint64_t tct_elf_function_bytes(const tct_elf *e, const char *name);

#endif
