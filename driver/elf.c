#include "driver/elf.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

static Elf64_Shdr section_at(const tct_elf *e, size_t i) {
    Elf64_Shdr s;
    memcpy(&s, e->sections + i * sizeof s, sizeof s);
    return s;
}

// The section's bytes, NULL when it has none or they don't lie in the file.
static const unsigned char *bytes_of(const tct_elf *e, const Elf64_Shdr *s) {
    if (s->sh_type == SHT_NOBITS || s->sh_offset > e->file.len || s->sh_size > e->file.len - s->sh_offset)
        return NULL;
    return e->file.data + s->sh_offset;
}

// A string table: the last byte is NUL, so that every name in it ends.
static const char *strings_at(const tct_elf *e, size_t section, size_t *n) {
    if (section >= e->n_sections) return NULL;
    Elf64_Shdr s = section_at(e, section);
    const char *text = (const char *)bytes_of(e, &s);
    *n = s.sh_size;
    return text && *n && text[*n - 1] == 0 ? text : NULL;
}

static bool truncated(tct_diag *d, const tct_elf *e, uint64_t end, const char *what) {
    tct_error(d, "E0715", TCT_NO_SPAN, "%s is truncated: %s end at byte %llu, the file has %zu bytes",
              e->path, what, (unsigned long long)end, e->file.len);
    tct_help(d, "copy the file again, or build it again");
    return false;
}

static bool read_headers(tct_diag *d, tct_elf *e) {
    Elf64_Ehdr h;
    bool elf = e->file.len >= SELFMAG && memcmp(e->file.data, ELFMAG, SELFMAG) == 0;
    if (!elf) {
        tct_error(d, "E0715", TCT_NO_SPAN, "%s is no trainer: it is no ELF file", e->path);
        tct_help(d, "`tercet build FILE -o TRAINER` makes one");
        return false;
    }
    if (e->file.len < sizeof h) return truncated(d, e, sizeof h, "its headers");
    memcpy(&h, e->file.data, sizeof h);
    if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_machine != EM_X86_64)
        return tct_error(d, "E0715", TCT_NO_SPAN, "%s is no trainer: it is an ELF file for another processor",
                         e->path);
    if (h.e_shoff == 0 || h.e_shnum == 0) return true; // no sections
    uint64_t table = (uint64_t)h.e_shnum * sizeof(Elf64_Shdr);
    if (h.e_shentsize != sizeof(Elf64_Shdr))
        return tct_error(d, "E0715", TCT_NO_SPAN, "%s is damaged: its section headers have %u bytes each",
                         e->path, h.e_shentsize);
    if (h.e_shoff > e->file.len || table > e->file.len - h.e_shoff)
        return truncated(d, e, h.e_shoff + table, "its section headers");
    e->sections = e->file.data + h.e_shoff;
    e->n_sections = h.e_shnum;
    e->names = strings_at(e, h.e_shstrndx, &e->names_bytes);
    return true;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const tct_elf_function *)a)->name, ((const tct_elf_function *)b)->name);
}

static void read_functions(tct_elf *e) {
    for (size_t i = 0; i < e->n_sections; i++) {
        Elf64_Shdr s = section_at(e, i);
        if (s.sh_type != SHT_SYMTAB || s.sh_entsize != sizeof(Elf64_Sym)) continue;
        size_t names_bytes;
        const unsigned char *symbols = bytes_of(e, &s);
        const char *names = strings_at(e, s.sh_link, &names_bytes);
        for (size_t k = 0; symbols && names && k < s.sh_size / sizeof(Elf64_Sym); k++) {
            Elf64_Sym sym;
            memcpy(&sym, symbols + k * sizeof sym, sizeof sym);
            if (ELF64_ST_TYPE(sym.st_info) != STT_FUNC || sym.st_name >= names_bytes) continue;
            TCT_PUSH(&e->functions, (tct_elf_function){names + sym.st_name, sym.st_size});
        }
    }
    if (e->functions.len) qsort(e->functions.data, e->functions.len, sizeof *e->functions.data, by_name);
}

bool tct_elf_open(tct_diag *d, const char *path, tct_elf *out) {
    *out = (tct_elf){.path = path};
    if (!tct_file_map(d, path, &out->file)) return false;
    if (!read_headers(d, out)) return false;
    read_functions(out);
    return true;
}

void tct_elf_close(tct_elf *e) {
    tct_file_unmap(&e->file);
    TCT_VEC_FREE(&e->functions);
}

const unsigned char *tct_elf_section(const tct_elf *e, const char *name, size_t *n) {
    for (size_t i = 0; e->names && i < e->n_sections; i++) {
        Elf64_Shdr s = section_at(e, i);
        if (s.sh_name >= e->names_bytes || strcmp(e->names + s.sh_name, name) != 0) continue;
        *n = s.sh_size;
        return bytes_of(e, &s);
    }
    return NULL;
}

uint64_t tct_elf_function_bytes(const tct_elf *e, const char *name) {
    if (!e->functions.len) return 0;
    tct_elf_function key = {name, 0};
    const tct_elf_function *found = bsearch(&key, e->functions.data, e->functions.len, sizeof key, by_name);
    return found ? found->bytes : 0;
}
