#include "driver/ir_parts.h"

#include <string.h>

// " %1, %2" at the beginning of `s`.
static size_t operands_length(const char *s, uint32_t n) {
    const char *at = s;
    for (uint32_t k = 0; k < n; k++) {
        at += *at == ',';
        at += 2; // " %"
        at += strspn(at, "0123456789");
    }
    return (size_t)(at - s);
}

tct_ir_parts tct_ir_parts_of(tct_ir_printer *p, const tct_graph *g, tct_value v, tct_buf *scratch) {
    const tct_node *n = tct_node_of(g, v);
    scratch->len = 0;
    tct_ir_print_node(p, g, v, NULL, scratch);
    tct_ir_parts t = {.type = strchr(scratch->data, ' ') + 1};
    const char *equals = strstr(t.type, " = ");
    t.type_len = (size_t)(equals - t.type);
    t.op = equals + 3;
    t.op_len = strlen(tct_ir_ops[n->op].name);
    t.tail = t.op + t.op_len;
    t.tail += operands_length(t.tail, n->n_in);
    t.tail_len = strlen(t.tail);
    return t;
}
