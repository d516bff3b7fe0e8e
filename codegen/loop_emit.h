// Internal to codegen/loop_*.c: the state of emitting one kernel.
#ifndef TCT_CODEGEN_LOOP_EMIT_H
#define TCT_CODEGEN_LOOP_EMIT_H

#include "codegen/debug.h"
#include "codegen/loop.h"

// Nesting: the function, the items, the lanes of a column kernel or the rows of an item, and from
// LEVEL_REDUCED on the reduced axes. Every value is emitted once at the outermost level where all it depends
// on is known.
enum {
    LEVEL_FUNCTION,
    LEVEL_ITEM,
    LEVEL_LANES,
    LEVEL_ROW = LEVEL_LANES,
    LEVEL_REDUCED,
    MAX_LEVELS = LEVEL_REDUCED + TCT_LOOP_MAX_AXES
};

typedef struct tct_loop_reductions tct_loop_reductions; // codegen/loop_reduce.c

typedef struct tct_loop_known {
    uint32_t epoch; // of its level when it was emitted
    LLVMValueRef v[TCT_LOOP_MAX_UNROLL];
} tct_loop_known;

typedef struct tct_loop_emitter {
    const tct_loop *l;
    LLVMContextRef c;
    LLVMBuilderRef b, start; // `start`: where variables are made
    LLVMValueRef fn, scratch;
    LLVMValueRef *bufs;
    LLVMTypeRef i64;
    // Levels that are open: the block that their code goes to, and a number that tells one opening from the
    // next.
    LLVMBasicBlockRef block[MAX_LEVELS];
    uint32_t epoch[MAX_LEVELS], epochs;
    LLVMValueRef counter[TCT_LOOP_MAX_AXES]; // of the lane axis: that of lane 0 of the first vector
    unsigned width;                          // vectors of lanes side by side right now
    LLVMValueRef mask;                       // of lanes of the last vector that exist, NULL: all
    uint32_t pass;
    tct_loop_known *known;           // by value
    tct_loop_reductions *reductions; // of the current pass
    tct_debug *debug;                // NULL: places are not wanted
    tct_span place;                  // of the instructions that are emitted now
} tct_loop_emitter;

// What is emitted from now on is for `place`. Returns what it was for before.
tct_span tct_loop_place(tct_loop_emitter *e, tct_span place);
// The builder at the end of what was emitted at a level.
void tct_loop_at(tct_loop_emitter *e, int level);
bool tct_loop_has_lanes(const tct_loop_emitter *e,
                        uint32_t axes); // does a value with these axes differ by lane
int tct_loop_level_of(const tct_loop_emitter *e, const tct_loop_value *v);
// The value, one for each vector side by side (one in all when it has no lanes).
LLVMValueRef *tct_loop_get(tct_loop_emitter *e, tct_lv v);
void tct_loop_bind(tct_loop_emitter *e, tct_lv v, int level, LLVMValueRef *what, unsigned n);
void tct_loop_emit_store(tct_loop_emitter *e, const tct_loop_store *s, int level);
LLVMValueRef tct_loop_number(const tct_loop_emitter *e, int64_t x);
// Lanes of vector `u` that exist, NULL: all.
LLVMValueRef tct_loop_mask(const tct_loop_emitter *e, unsigned u);
// How many elements from lane counter `at` on lie before a line that the store begins in; 0 where no line is
// ever begun. Computed at `level`.
LLVMValueRef tct_loop_before_line(tct_loop_emitter *e, const tct_loop_store *s, LLVMValueRef at, int level);
// A variable that is `first` from the end of `level` on; promoted to a register later.
LLVMValueRef tct_loop_variable(tct_loop_emitter *e, int level, LLVMTypeRef t, LLVMValueRef first);

// How many lanes of the row the kernel's prefix holds for, which may be less than none or more than there
// are; computed at `level`.
LLVMValueRef tct_loop_prefix_end(tct_loop_emitter *e, int level);

tct_loop_reductions *tct_loop_reductions_new(tct_arena *arena);
// The reductions that end with the current pass: begin at `level` with so many vectors side by side; take the
// point that is open; are known at `level` from here on.
void tct_loop_begin_reductions(tct_loop_emitter *e, int level, unsigned vectors);
void tct_loop_reduce(tct_loop_emitter *e, int level);
void tct_loop_end_reductions(tct_loop_emitter *e, int level, unsigned vectors);

#endif
