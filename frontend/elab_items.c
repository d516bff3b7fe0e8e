// Items by name: of the program and of the library, which don't see each other's where both have one.
#include "frontend/elab_internal.h"

#include <string.h>

// One name; item[1] is the library's. Slots of an open hash table.
typedef struct tct_item_slot {
    const char *name; // NULL: free
    const tct_item *item[2];
} tct_item_slot;

static uint64_t hash(const char *name) { // FNV-1a: names are a few bytes long
    uint64_t h = 14695981039346656037u;
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 1099511628211u;
    return h ^ h >> 32;
}

static tct_item_slot *slot_of(const tct_elab *e, const char *name) {
    for (uint64_t k = hash(name);; k++) {
        tct_item_slot *s = &e->items[k & (e->n_item_slots - 1)];
        if (!s->name || strcmp(s->name, name) == 0) return s;
    }
}

bool tct_elab_of_library(const tct_elab *e, const tct_ast *file) {
    const char *folder = e->package->std_dir;
    size_t len = folder ? strlen(folder) : 0;
    return len && strncmp(file->path, folder, len) == 0 && file->path[len] == '/';
}

void tct_elab_items(tct_elab *e) {
    size_t n = 0;
    for (size_t f = 0; f < e->package->files.len; f++) n += e->package->files.data[f]->n_items;
    e->n_item_slots = 16;
    while (e->n_item_slots < 2 * n) e->n_item_slots *= 2;
    e->items = TCT_NEW_ARRAY(&e->arena, tct_item_slot, e->n_item_slots);
    // Where a name is declared twice, which is an error, the last file counts and in it the first item.
    for (size_t f = e->package->files.len; f-- > 0;) {
        const tct_ast *ast = e->package->files.data[f];
        int side = tct_elab_of_library(e, ast);
        for (uint32_t i = 0; i < ast->n_items; i++) {
            const tct_item *item = ast->items[i];
            if (!item->name.text || item->kind == TCT_ITEM_USE) continue;
            tct_item_slot *s = slot_of(e, item->name.text);
            s->name = item->name.text;
            if (!s->item[side]) s->item[side] = item;
        }
    }
}

const tct_item *tct_elab_item(tct_elab *e, const char *name) {
    const tct_item_slot *s = slot_of(e, name);
    int own = e->file && tct_elab_of_library(e, e->file);
    return s->item[own] ? s->item[own] : s->item[!own];
}

const tct_ast *tct_elab_item_file(tct_elab *e, const tct_item *item) {
    for (size_t f = 0; f < e->package->files.len; f++)
        if (e->package->files.data[f]->file == item->span.file) return e->package->files.data[f];
    return NULL;
}
