// What every pass of a run took and did: `tercet opt --time-passes --stats --json`.
#ifndef TCT_DRIVER_PASS_STATS_H
#define TCT_DRIVER_PASS_STATS_H

#include "driver/phases.h"

typedef struct tct_pass_stat {
    const char *name; // as a phase
    double seconds;
    size_t nodes; // afterwards, those of bodies too
    // With stats: nodes that are new, no longer there, and copies with other operands, attributes or layout.
    uint32_t made, removed, rewritten;
    uint32_t op_made[TCT_IR_N_OPS], op_removed[TCT_IR_N_OPS];
} tct_pass_stat;

// Zero-initialise but for `count`; release with TCT_VEC_FREE(&s->passes).
typedef struct tct_pass_stats {
    bool count; // made, removed, rewritten
    TCT_VEC(tct_pass_stat) passes;
} tct_pass_stats;

void tct_pass_stats_add(tct_pass_stats *s, const tct_phase *phase);
// Appends a table of times, of counts, or of both; as JSON one object, counts where there are any.
void tct_pass_stats_print(const tct_pass_stats *s, bool times, tct_buf *out);
void tct_pass_stats_json(const tct_pass_stats *s, tct_buf *out);

#endif
