#include "driver/pass_stats.h"

#include "ir/match.h"

#include <jansson.h>
#include <stdlib.h>

static size_t count_nodes(const tct_graph *g) {
    size_t n = g->nodes.len;
    for (size_t v = 0; v < g->nodes.len; v++)
        if (g->nodes.data[v].attr.body) n += count_nodes(g->nodes.data[v].attr.body);
    return n;
}

static void count_all(tct_pass_stat *s, const tct_graph *g, bool made) {
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        (made ? s->op_made : s->op_removed)[n->op]++;
        ++*(made ? &s->made : &s->removed);
        if (n->attr.body) count_all(s, n->attr.body, made);
    }
}

// Nodes of one side that have no partner, or one that they were replaced by.
static void count_side(tct_pass_stat *s, const tct_graph *g, const uint8_t *fate, bool made) {
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        if (fate[v] != TCT_IR_GONE && fate[v] != TCT_IR_REPLACED) continue;
        (made ? s->op_made : s->op_removed)[n->op]++;
        ++*(made ? &s->made : &s->removed);
        if (n->attr.body) count_all(s, n->attr.body, made);
    }
}

static void count_changes(tct_pass_stat *s, const tct_graph *before, const tct_graph *after) {
    if (before == after) return;
    tct_arena arena = {0};
    tct_ir_match m;
    tct_ir_match_graphs(&arena, before, after, &m);
    count_side(s, before, m.before, false);
    count_side(s, after, m.after, true);
    for (size_t v = 0; v < after->nodes.len; v++) {
        const tct_node *n = &after->nodes.data[v];
        if (m.after[v] != TCT_IR_REWRITTEN) continue;
        s->rewritten++;
        if (n->attr.body) count_changes(s, before->nodes.data[m.to_before[v]].attr.body, n->attr.body);
    }
    tct_arena_free(&arena);
}

void tct_pass_stats_add(tct_pass_stats *s, const tct_phase *phase) {
    if (!phase->before) return;
    tct_pass_stat one = {.name = phase->name, .seconds = phase->seconds, .nodes = count_nodes(phase->graph)};
    if (s->count) count_changes(&one, phase->before, phase->graph);
    TCT_PUSH(&s->passes, one);
}

// "+dot 2, where 1 -broadcast 3".
static void print_ops(const uint32_t *counts, char sign, tct_buf *out) {
    bool any = false;
    for (int op = 0; op < TCT_IR_N_OPS; op++) {
        if (!counts[op]) continue;
        if (any)
            tct_buf_printf(out, ", %s %u", tct_ir_ops[op].name, counts[op]);
        else
            tct_buf_printf(out, "  %c%s %u", sign, tct_ir_ops[op].name, counts[op]);
        any = true;
    }
}

void tct_pass_stats_print(const tct_pass_stats *s, bool times, tct_buf *out) {
    double all = 0;
    for (size_t k = 0; k < s->passes.len; k++) all += s->passes.data[k].seconds;
    tct_buf_printf(out, "; %-16s", "pass");
    if (times) tct_buf_printf(out, " %10s %6s", "ms", "share");
    tct_buf_printf(out, " %8s", "nodes");
    if (s->count) tct_buf_printf(out, " %7s %7s %9s", "made", "removed", "rewritten");
    tct_buf_putc(out, '\n');
    for (size_t k = 0; k < s->passes.len; k++) {
        const tct_pass_stat *p = &s->passes.data[k];
        tct_buf_printf(out, "; %-16s", p->name);
        if (times)
            tct_buf_printf(out, " %10.3f %5.1f%%", 1e3 * p->seconds, all > 0 ? 100 * p->seconds / all : 0);
        tct_buf_printf(out, " %8zu", p->nodes);
        if (s->count) {
            tct_buf_printf(out, " %7u %7u %9u", p->made, p->removed, p->rewritten);
            print_ops(p->op_made, '+', out);
            print_ops(p->op_removed, '-', out);
        }
        tct_buf_putc(out, '\n');
    }
    if (times) tct_buf_printf(out, "; %-16s %10.3f\n", "all", 1e3 * all);
}

static json_t *ops_json(const uint32_t *counts) {
    json_t *object = json_object();
    for (int op = 0; op < TCT_IR_N_OPS; op++)
        if (counts[op]) json_object_set_new(object, tct_ir_ops[op].name, json_integer(counts[op]));
    return object;
}

void tct_pass_stats_json(const tct_pass_stats *s, tct_buf *out) {
    json_t *list = json_array();
    for (size_t k = 0; k < s->passes.len; k++) {
        const tct_pass_stat *p = &s->passes.data[k];
        json_t *one = json_pack("{s:s, s:f, s:I}", "pass", p->name, "seconds", p->seconds, "nodes",
                                (json_int_t)p->nodes);
        if (s->count) {
            json_object_set_new(one, "made", json_integer(p->made));
            json_object_set_new(one, "removed", json_integer(p->removed));
            json_object_set_new(one, "rewritten", json_integer(p->rewritten));
            json_object_set_new(one, "made_by_operation", ops_json(p->op_made));
            json_object_set_new(one, "removed_by_operation", ops_json(p->op_removed));
        }
        json_array_append_new(list, one);
    }
    json_t *all = json_pack("{s:o}", "passes", list);
    char *text = json_dumps(all, JSON_INDENT(2));
    tct_buf_puts(out, text);
    tct_buf_putc(out, '\n');
    free(text);
    json_decref(all);
}
