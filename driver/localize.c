// A symbol table has its local symbols first, so making symbols local renumbers them; relocations refer to
// them by number.
#include "driver/localize.h"

#include <elf.h>
#include <string.h>

enum { LLVM_ADDRSIG = 0x6fff4c03 }; // a type of sections: a hint for linkers that nobody misses

typedef struct object {
    unsigned char *bytes;
    size_t n;
    Elf64_Ehdr header;
    Elf64_Shdr *sections; // in `bytes`
    Elf64_Shdr *symtab;
    const Elf64_Sym *symbols; // a copy of the table
    size_t n_symbols;
    const char *names;
    size_t names_bytes;
} object;

static bool lies_inside(const object *o, const Elf64_Shdr *s) {
    return s->sh_type == SHT_NOBITS || (s->sh_offset <= o->n && s->sh_size <= o->n - s->sh_offset);
}

static const char *open_object(object *o, tct_arena *a) {
    if (o->n < sizeof o->header || memcmp(o->bytes, ELFMAG, SELFMAG) != 0) return "it is no ELF file";
    memcpy(&o->header, o->bytes, sizeof o->header);
    const Elf64_Ehdr *h = &o->header;
    if (h->e_type != ET_REL || h->e_machine != EM_X86_64 || h->e_shentsize != sizeof(Elf64_Shdr) ||
        h->e_shoff % 8 || h->e_shoff > o->n || h->e_shnum > (o->n - h->e_shoff) / sizeof(Elf64_Shdr))
        return "it is no relocatable object for x86-64";
    o->sections = (Elf64_Shdr *)(o->bytes + h->e_shoff);
    for (size_t i = 0; i < h->e_shnum; i++) {
        if (!lies_inside(o, &o->sections[i])) return "a section lies outside of it";
        if (o->sections[i].sh_type == SHT_SYMTAB_SHNDX) return "it has too many sections";
        bool table = o->sections[i].sh_type == SHT_SYMTAB || o->sections[i].sh_type == SHT_RELA;
        if (table && o->sections[i].sh_offset % 8) return "a table in it is not aligned";
        if (o->sections[i].sh_type == SHT_SYMTAB) o->symtab = &o->sections[i];
    }
    if (!o->symtab || o->symtab->sh_entsize != sizeof(Elf64_Sym) || o->symtab->sh_link >= h->e_shnum)
        return "it has no table of symbols";
    const Elf64_Shdr *strings = &o->sections[o->symtab->sh_link];
    o->names = (const char *)o->bytes + strings->sh_offset;
    o->names_bytes = strings->sh_size;
    if (!o->names_bytes || o->names[o->names_bytes - 1]) return "its names have no end";
    o->n_symbols = o->symtab->sh_size / sizeof(Elf64_Sym);
    Elf64_Sym *copy = TCT_NEW_ARRAY(a, Elf64_Sym, o->n_symbols);
    memcpy(copy, o->bytes + o->symtab->sh_offset, o->n_symbols * sizeof *copy);
    o->symbols = copy;
    for (size_t i = 0; i < o->n_symbols; i++) {
        if (copy[i].st_name >= o->names_bytes) return "a symbol has no name";
        if (copy[i].st_shndx == SHN_COMMON) return "it has common symbols";
    }
    return NULL;
}

// The export that a symbol is, NULL for one that becomes local or stays what it is.
static const tct_export *export_of(const object *o, const Elf64_Sym *s, const tct_export *exports, size_t n) {
    if (s->st_shndx == SHN_UNDEF || ELF64_ST_BIND(s->st_info) == STB_LOCAL) return NULL;
    for (size_t i = 0; i < n; i++)
        if (strcmp(o->names + s->st_name, exports[i].from) == 0) return &exports[i];
    return NULL;
}

// Writes the new table and its names; number[i] becomes the new number of symbol i. The number of exports
// found.
static size_t sort_symbols(object *o, const tct_export *exports, size_t n_exports, uint32_t *number,
                           tct_buf *names) {
    Elf64_Sym *table = (Elf64_Sym *)(o->bytes + o->symtab->sh_offset);
    size_t at = 0, found = 0;
    tct_buf_putc(names, 0);
    for (int global = 0; global < 2; global++) {
        for (size_t i = 0; i < o->n_symbols; i++) {
            Elf64_Sym s = o->symbols[i];
            const tct_export *x = export_of(o, &s, exports, n_exports);
            bool is_global = x || (s.st_shndx == SHN_UNDEF && ELF64_ST_BIND(s.st_info) != STB_LOCAL);
            if (is_global != (bool)global) continue;
            const char *name = x ? x->to : o->names + s.st_name;
            s.st_name = *name ? (Elf64_Word)names->len : 0;
            if (*name) tct_buf_add(names, name, strlen(name) + 1);
            if (x) {
                s.st_info = ELF64_ST_INFO(STB_GLOBAL, ELF64_ST_TYPE(s.st_info));
                s.st_other = STV_DEFAULT;
                found++;
            } else if (!is_global) {
                s.st_info = ELF64_ST_INFO(STB_LOCAL, ELF64_ST_TYPE(s.st_info));
                s.st_other = STV_DEFAULT;
            }
            number[i] = (uint32_t)at;
            table[at++] = s;
        }
        if (!global) o->symtab->sh_info = (Elf64_Word)at;
    }
    return found;
}

static const char *renumber(object *o, const uint32_t *number) {
    size_t symtab = (size_t)(o->symtab - o->sections);
    for (size_t i = 0; i < o->header.e_shnum; i++) {
        Elf64_Shdr *s = &o->sections[i];
        if (s->sh_link != symtab || s->sh_type == SHT_NULL) continue;
        if (s->sh_type == SHT_GROUP && s->sh_info < o->n_symbols) {
            s->sh_info = number[s->sh_info];
        } else if (s->sh_type == LLVM_ADDRSIG) {
            s->sh_type = SHT_NULL;
        } else if (s->sh_type == SHT_RELA && s->sh_entsize == sizeof(Elf64_Rela)) {
            Elf64_Rela *rela = (Elf64_Rela *)(o->bytes + s->sh_offset);
            for (size_t k = 0; k < s->sh_size / sizeof *rela; k++) {
                size_t symbol = ELF64_R_SYM(rela[k].r_info);
                if (symbol >= o->n_symbols) return "a relocation names no symbol";
                rela[k].r_info = ELF64_R_INFO((uint64_t)number[symbol], ELF64_R_TYPE(rela[k].r_info));
            }
        } else {
            return "a section of an unknown type names symbols";
        }
    }
    return NULL;
}

const char *tct_localize(const char *bytes, size_t n, const tct_export *exports, size_t n_exports,
                         tct_buf *out) {
    tct_arena a = {0};
    tct_buf names = {0};
    object o = {.bytes = tct_arena_alloc(&a, n + 1), .n = n};
    memcpy(o.bytes, bytes, n);
    const char *wrong = open_object(&o, &a);
    if (!wrong) {
        uint32_t *number = TCT_NEW_ARRAY(&a, uint32_t, o.n_symbols);
        size_t found = sort_symbols(&o, exports, n_exports, number, &names);
        wrong = found == n_exports ? renumber(&o, number) : "a function of the library is missing";
    }
    if (!wrong) {
        size_t padding = -n & 7;
        Elf64_Shdr *strings = &o.sections[o.symtab->sh_link];
        strings->sh_offset = n + padding;
        strings->sh_size = names.len;
        tct_buf_add(out, o.bytes, n);
        for (size_t i = 0; i < padding; i++) tct_buf_putc(out, 0);
        tct_buf_add(out, names.data, names.len);
    }
    tct_buf_free(&names);
    tct_arena_free(&a);
    return wrong;
}
