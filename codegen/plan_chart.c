#include "codegen/plan_chart.h"

#include "base/size.h"
#include "codegen/plan_places.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 64, MOST_ROWS = 64 };

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

// What lies at one place of the arena for some time. Views of it are no blocks of their own.
typedef struct block {
    uint64_t begin, end;
    uint32_t first, last; // steps
    uint8_t dtype;
    char letter;
} block;

typedef TCT_VEC(block) blocks;

static int compare(const void *a, const void *b) {
    const block *x = a, *y = b;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->last < y->last ? -1 : x->last > y->last;
}

static void find_blocks(const tct_plan *plan, blocks *out) {
    for (uint32_t i = 0; i < plan->n_buffers; i++) {
        const tct_plan_buffer *p = &plan->buffers[i];
        if (p->place != TCT_PLACE_ARENA) continue;
        block b = {.begin = p->offset,
                   .end = p->offset + p->bytes,
                   .first = p->first_step,
                   .last = p->last_step,
                   .dtype = p->dtype};
        size_t same = 0; // a view begins later and ends where the whole does
        while (same < out->len && (out->data[same].end != b.end || out->data[same].first != b.first ||
                                   out->data[same].last != b.last))
            same++;
        if (same == out->len)
            TCT_PUSH(out, b);
        else if (b.begin < out->data[same].begin)
            out->data[same] = b;
    }
    if (out->len) qsort(out->data, out->len, sizeof *out->data, compare);
    for (size_t k = 0; k < out->len; k++) out->data[k].letter = letters[k % (sizeof letters - 1)];
}

static bool lives(const block *b, uint32_t step) { return b->first <= step && step <= b->last; }

static uint64_t in_use(const blocks *all, uint32_t step) {
    uint64_t bytes = 0;
    for (size_t k = 0; k < all->len; k++)
        if (lives(&all->data[k], step)) bytes += all->data[k].end - all->data[k].begin;
    return bytes;
}

// As tct_bytes_print, filled up with blanks on the left.
static void print_cell(uint64_t bytes, int width, tct_buf *out) {
    tct_buf text = {0};
    tct_bytes_print(bytes, &text);
    tct_buf_printf(out, "%*s", width, text.data);
    tct_buf_free(&text);
}

// The arena at one step: in each column what fills most of it.
static void print_row(const tct_plan *plan, const blocks *all, uint32_t step, tct_buf *out) {
    uint64_t filled[COLUMNS] = {0};
    char row[COLUMNS + 1];
    memset(row, '.', COLUMNS);
    row[COLUMNS] = 0;
    for (size_t k = 0; k < all->len; k++) {
        const block *b = &all->data[k];
        if (!lives(b, step)) continue;
        for (uint64_t c = 0; c < COLUMNS; c++) {
            uint64_t begin = c * plan->arena_bytes / COLUMNS, end = (c + 1) * plan->arena_bytes / COLUMNS;
            if (begin < b->begin) begin = b->begin;
            if (end > b->end) end = b->end;
            if (begin >= end || end - begin <= filled[c]) continue;
            filled[c] = end - begin;
            row[c] = b->letter;
        }
    }
    tct_buf_puts(out, row);
}

static void print_chart(const tct_plan *plan, const blocks *all, tct_buf *out) {
    uint32_t together = (plan->n_steps + MOST_ROWS - 1) / MOST_ROWS;
    uint64_t most = 0;
    uint32_t peak = 0;
    tct_buf_printf(out, "%11s %9s  0%*s", together > 1 ? "steps" : "step", "in use", COLUMNS - 1, "");
    out->len -= 8; // room for the end of the scale
    print_cell(plan->arena_bytes, 8, out);
    tct_buf_putc(out, '\n');
    for (uint32_t begin = 0; begin < plan->n_steps; begin += together) {
        uint32_t end = begin + together < plan->n_steps ? begin + together : plan->n_steps, fullest = begin;
        uint64_t bytes = 0;
        for (uint32_t s = begin; s < end; s++) {
            uint64_t now = in_use(all, s);
            if (s > begin && now <= bytes) continue;
            bytes = now;
            fullest = s;
        }
        if (bytes > most) {
            most = bytes;
            peak = fullest;
        }
        if (together > 1)
            tct_buf_printf(out, "%5u-%-5u ", begin, end - 1);
        else
            tct_buf_printf(out, "%11u ", begin);
        print_cell(bytes, 9, out);
        tct_buf_puts(out, "  ");
        print_row(plan, all, fullest, out);
        tct_buf_putc(out, '\n');
    }
    tct_buf_printf(out, "most at step %u: ", peak);
    tct_bytes_print(most, out);
    tct_buf_puts(out, " of ");
    tct_bytes_print(plan->arena_bytes, out);
    if (most && plan->arena_bytes > most)
        tct_buf_printf(out, ", %.1f %% more than can't be done without",
                       100 * (double)(plan->arena_bytes - most) / (double)most);
    tct_buf_putc(out, '\n');
}

static void print_table(const tct_plan *plan, const tct_plan_origin *origin, const blocks *all,
                        const tct_diag *sources, tct_buf *out) {
    tct_buf_printf(out, "\n  %14s %14s %-5s %-13s made by\n", "offset", "bytes", "dtype", "steps");
    for (size_t k = 0; k < all->len; k++) {
        const block *b = &all->data[k];
        tct_buf steps = {0};
        tct_buf_printf(&steps, "%u to %u", b->first, b->last);
        const char *label = plan->steps[b->first].label;
        tct_buf_printf(out, "%c %14" PRIu64 " %14" PRIu64 " %-5s %-13s %s", b->letter, b->begin,
                       b->end - b->begin, tct_dtype_name((tct_dtype)b->dtype), steps.data,
                       label ? label : "");
        tct_buf places = {0};
        if (sources) tct_step_places(plan, origin, b->first, sources, &places);
        if (places.len) tct_buf_printf(out, "  ; %s", places.data);
        tct_buf_putc(out, '\n');
        tct_buf_free(&steps);
        tct_buf_free(&places);
    }
}

static void print_ports(const char *what, const tct_plan_port *ports, uint32_t n, tct_buf *out) {
    uint64_t bytes = 0;
    uint32_t own = 0;
    for (uint32_t k = 0; k < n; k++) {
        if (ports[k].alias >= 0) continue;
        bytes += ports[k].bytes;
        own++;
    }
    tct_buf_printf(out, ", %u %s of ", own, what);
    tct_bytes_print(bytes, out);
    if (own < n) tct_buf_printf(out, " and %u in place of inputs", n - own);
}

void tct_plan_print_memory(const tct_plan *plan, const tct_plan_origin *origin, const tct_diag *sources,
                           tct_buf *out) {
    blocks all = {0};
    find_blocks(plan, &all);
    tct_buf_printf(out, "memory of %s: %u steps, arena of ", plan->name, plan->n_steps);
    tct_bytes_print(plan->arena_bytes, out);
    tct_buf_puts(out, ", ");
    tct_bytes_print(plan->scratch_bytes, out);
    tct_buf_puts(out, " of scratch a thread");
    print_ports("inputs", plan->inputs, plan->n_inputs, out);
    print_ports("outputs", plan->outputs, plan->n_outputs, out);
    tct_buf_puts(out, "\n\n");
    if (all.len && plan->arena_bytes) {
        print_chart(plan, &all, out);
        print_table(plan, origin, &all, sources, out);
    } else {
        tct_buf_puts(out, "nothing lies in the arena\n");
    }
    TCT_VEC_FREE(&all);
    for (uint32_t k = 0; k < plan->n_scans; k++) {
        tct_buf_putc(out, '\n');
        tct_plan_print_memory(plan->scans[k].body, origin ? origin->scans[k] : NULL, sources, out);
    }
}
