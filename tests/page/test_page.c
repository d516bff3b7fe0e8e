// The data of pages: complete, escaped, every number in it within what it counts, and the same graphs as the
// text that dump prints.
#include "tests/page/page_file.h"

#include "base/file.h"
#include "driver/driver.h"

#define SMALL TERCET_SOURCE_DIR "/tests/page/small.tct"
#define LOSS SMALL " --graph small_loss --axis B=4 --axis T=8"

static size_t length(const json_t *object, const char *name) {
    const json_t *list = json_object_get(object, name);
    assert_true(json_is_array(list));
    return json_array_size(list);
}

static json_int_t number(const json_t *object, const char *name, size_t k) {
    const json_t *x = json_array_get(json_object_get(object, name), k);
    assert_true(json_is_integer(x));
    return json_integer_value(x);
}

static json_int_t field(const json_t *object, const char *name) {
    const json_t *x = json_object_get(object, name);
    assert_true(json_is_integer(x));
    return json_integer_value(x);
}

static void within(json_int_t x, json_int_t low, size_t n) {
    if (x < low || x >= (json_int_t)n)
        fail_msg("%lld is not in [%lld, %zu)", (long long)x, (long long)low, n);
}

// --- One version ---

typedef struct version {
    const json_t *json;
    size_t n, n_blocks;
    size_t first[4096], in[65536]; // of blocks, of nodes
} version;

static const char *string_at(const json_t *data, const version *v, const char *column, size_t k) {
    json_int_t id = number(v->json, column, k);
    within(id, 0, length(data, "strings"));
    return json_string_value(json_array_get(json_object_get(data, "strings"), (size_t)id));
}

static void read_version(const json_t *data, const json_t *json, version *v) {
    static const char *const columns[] = {"op", "type", "tail", "pass", "span"};
    v->json = json;
    v->n = length(json, "op");
    v->n_blocks = length(json, "size");
    assert_int_equal(length(json, "owner"), v->n_blocks);
    assert_int_equal(length(json, "results"), v->n_blocks);
    assert_int_equal(length(json, "values"), v->n_blocks);
    assert_in_range(v->n_blocks, 1, 4096);
    assert_in_range(v->n, 1, 65536);
    for (int k = 0; k < 5; k++) assert_int_equal(length(json, columns[k]), v->n);
    size_t at = 0, first = 0;
    for (size_t b = 0; b < v->n_blocks; b++) {
        size_t size = (size_t)number(json, "size", b);
        within(number(json, "owner", b), -1, first ? first : 1); // an owner stands before its body
        const json_t *values = json_array_get(json_object_get(json, "values"), b);
        for (size_t k = 0; k < json_array_size(values); k++)
            within(json_integer_value(json_array_get(values, k)), 0, size);
        v->first[b] = first;
        for (size_t n = first; n < first + size; n++) {
            v->in[n] = at;
            json_int_t count = number(json, "in", at++);
            for (json_int_t k = 0; k < count; k++) within(number(json, "in", at++), 1, n - first + 1);
            within(number(json, "span", n), -1, length(data, "spans"));
            within(number(json, "pass", n), -1, length(data, "strings"));
            assert_non_null(json_object_get(json_object_get(data, "ops"), string_at(data, v, "op", n)));
        }
        first += size;
    }
    assert_int_equal(first, v->n);
    assert_int_equal(at, length(json, "in"));
}

// --- Plans ---

static void check_plan(const json_t *data, const json_t *plan, const version *last, size_t block) {
    const json_t *steps = json_object_get(plan, "steps"), *step;
    size_t k, n_scans = length(plan, "scans"), size = (size_t)number(last->json, "size", block);
    bool *seen = tct_alloc(size + 1);
    json_array_foreach(steps, k, step) {
        json_int_t node = field(step, "node");
        within(node, -1, size);
        if (node >= 0) {
            assert_false(seen[node]);
            seen[node] = true;
            const char *op = string_at(data, last, "op", last->first[block] + (size_t)node);
            assert_true(strcmp(op, "fused") == 0 || strcmp(op, "dot") == 0 || strcmp(op, "scan") == 0);
        }
        within(field(step, "scan"), -1, n_scans);
        within(field(step, "span"), -1, length(data, "spans"));
        for (size_t i = 0; i < length(step, "kernels"); i++)
            within(number(step, "kernels", i), 0, length(data, "kernels"));
        for (size_t i = 0; i < length(step, "operands"); i++)
            within(number(step, "operands", i), 0, length(plan, "buffers"));
        if (field(step, "scan") < 0) continue;
        size_t body = 0; // the block that the scan's node owns
        for (size_t b = 1; b < last->n_blocks; b++)
            if (number(last->json, "owner", b) == (json_int_t)last->first[block] + node) body = b;
        assert_true(body > 0);
        check_plan(data, json_array_get(json_object_get(plan, "scans"), (size_t)field(step, "scan")), last,
                   body);
    }
    const json_t *edge;
    json_array_foreach(json_object_get(plan, "apart"), k, edge) {
        within(json_integer_value(json_array_get(edge, 0)), 0, size);
        within(json_integer_value(json_array_get(edge, 1)), 0, size);
        assert_true(seen[json_integer_value(json_array_get(edge, 0))]);
        assert_true(seen[json_integer_value(json_array_get(edge, 1))]);
        const json_t *reasons = json_array_get(edge, 2);
        assert_true(json_array_size(reasons) > 0);
        for (size_t i = 0; i < json_array_size(reasons); i++)
            within(json_integer_value(json_array_get(reasons, i)), 0, length(data, "strings"));
        within(json_integer_value(json_array_get(edge, 3)), -1, length(data, "strings"));
        within(json_integer_value(json_array_get(edge, 4)), -1, length(data, "strings"));
    }
    const json_t *buffer;
    json_array_foreach(json_object_get(plan, "buffers"), k, buffer) {
        json_int_t b[6];
        for (int i = 0; i < 6; i++) b[i] = json_integer_value(json_array_get(buffer, (size_t)i));
        within(b[0], 0, 4);
        if (b[0] == 0) assert_true(b[2] + b[3] <= field(plan, "arena"));
        assert_true(b[4] <= b[5] || b[4] == (json_int_t)UINT32_MAX);
    }
    free(seen);
}

static void check_kernel_text(const json_t *data, const json_t *form, const char *holds) {
    const char *text = json_string_value(json_object_get(form, "text"));
    assert_non_null(strstr(text, holds));
    assert_null(strstr(text, ".tct:")); // places are apart
    json_int_t lines = 0, said = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++) lines++;
    for (size_t k = 0; k < length(form, "at"); k += 3) {
        said += number(form, "at", k);
        within(number(form, "at", k + 1), -1, length(data, "sources"));
    }
    assert_int_equal(lines, said);
}

static void check_page(const json_t *data) {
    const json_t *graph, *stage, *span;
    size_t k, i;
    version *v = tct_alloc(sizeof *v);
    json_array_foreach(json_object_get(data, "spans"), k, span) {
        within(json_integer_value(json_array_get(span, 0)), 0, length(data, "sources"));
        const json_t *source = json_array_get(json_object_get(data, "sources"),
                                              (size_t)json_integer_value(json_array_get(span, 0)));
        const char *text = json_string_value(json_object_get(source, "text"));
        json_int_t lines = 1;
        for (const char *at = text; (at = strchr(at, '\n')); at++) lines++;
        within(json_integer_value(json_array_get(span, 1)), 1, (size_t)lines + 1);
        within(json_integer_value(json_array_get(span, 3)), json_integer_value(json_array_get(span, 1)),
               (size_t)lines + 1);
    }
    json_array_foreach(json_object_get(data, "graphs"), k, graph) {
        bool any = false;
        json_array_foreach(json_object_get(graph, "versions"), i, stage) {
            if (!json_object_get(stage, "graph")) continue;
            read_version(data, json_object_get(stage, "graph"), v);
            any = true;
        }
        assert_true(any);
        check_plan(data, json_object_get(graph, "plan"), v, 0); // v: the last one
    }
    const json_t *kernel;
    json_array_foreach(json_object_get(data, "kernels"), k, kernel) {
        check_kernel_text(data, json_object_get(kernel, "loop"), "");
        check_kernel_text(data, json_object_get(kernel, "llvm"), "define");
        check_kernel_text(data, json_object_get(kernel, "asm"), "ret");
    }
    free(v);
}

// --- The text again ---

static void print_block(const json_t *data, const version *v, size_t block, int depth, tct_buf *out) {
    size_t size = (size_t)number(v->json, "size", block);
    tct_buf_puts(out, "{\n");
    for (size_t k = 0; k < size; k++) {
        size_t n = v->first[block] + k, at = v->in[n];
        for (int i = 0; i < depth; i++) tct_buf_puts(out, "  ");
        tct_buf_printf(out, "%%%zu: %s = %s", k, string_at(data, v, "type", n), string_at(data, v, "op", n));
        json_int_t count = number(v->json, "in", at++);
        for (json_int_t i = 0; i < count; i++)
            tct_buf_printf(out, "%s %%%lld", i ? "," : "",
                           (long long)k - (long long)number(v->json, "in", at++));
        tct_buf_puts(out, string_at(data, v, "tail", n));
        for (size_t b = 1; b < v->n_blocks; b++) {
            if (number(v->json, "owner", b) != (json_int_t)n) continue;
            tct_buf_puts(out, " body ");
            print_block(data, v, b, depth + 1, out);
        }
        json_int_t pass = number(v->json, "pass", n), span = number(v->json, "span", n);
        if (span >= 0) {
            const json_t *s = json_array_get(json_object_get(data, "spans"), (size_t)span);
            const json_t *source = json_array_get(json_object_get(data, "sources"),
                                                  (size_t)json_integer_value(json_array_get(s, 0)));
            const char *path = json_string_value(json_object_get(source, "path"));
            tct_buf_printf(out, " @ %s:%d:%d", strrchr(path, '/') + 1,
                           (int)json_integer_value(json_array_get(s, 1)),
                           (int)json_integer_value(json_array_get(s, 2)));
        }
        if (pass >= 0) tct_buf_printf(out, "%s%s", span >= 0 ? " by " : " @ ", string_at(data, v, "pass", n));
        tct_buf_putc(out, '\n');
    }
    for (int i = 0; i < depth; i++) tct_buf_puts(out, "  ");
    tct_buf_puts(out, json_string_value(json_array_get(json_object_get(v->json, "results"), block)));
    tct_buf_putc(out, '\n');
    for (int i = 1; i < depth; i++) tct_buf_puts(out, "  ");
    tct_buf_putc(out, '}');
}

static char *print_version(const json_t *data, const json_t *json, tct_arena *a) {
    version *v = tct_alloc(sizeof *v);
    read_version(data, json, v);
    tct_buf out = {0};
    const json_t *line;
    size_t k;
    json_array_foreach(json_object_get(json, "head"), k, line) {
        tct_buf_puts(&out, k ? "\n" : "");
        tct_buf_puts(&out, json_string_value(line));
    }
    out.len -= 1; // the brace
    print_block(data, v, 0, 1, &out);
    tct_buf_putc(&out, '\n');
    char *text = tct_arena_strdup(a, out.data);
    tct_buf_free(&out);
    free(v);
    return text;
}

static void the_data_resolves(void **state) {
    (void)state;
    static const char *const arguments[] = {
        LOSS " --grad --format html",
        LOSS " --isa base --format html",
        SMALL " --format html",
        TERCET_SOURCE_DIR "/examples/loss/margin.tct --graph margin_loss --axis P=3 --axis K=4 --format html",
    };
    for (int k = 0; k < 4; k++) {
        tct_arena a = {0};
        json_t *data = page_data(page_dump(&a, arguments[k]));
        check_page(data);
        json_decref(data);
        tct_arena_free(&a);
    }
}

static void graphs_are_those_that_dump_prints(void **state) {
    (void)state;
    tct_arena a = {0};
    const char *const margin =
        TERCET_SOURCE_DIR "/examples/loss/margin.tct --graph margin_loss --axis P=3 --axis K=4";
    json_t *data = page_data(page_dump(&a, tct_arena_printf(&a, "%s --grad --format html", margin)));
    const json_t *versions = json_object_get(json_array_get(json_object_get(data, "graphs"), 0), "versions"),
                 *stage;
    size_t k, compared = 0;
    json_array_foreach(versions, k, stage) {
        const char *name = json_string_value(json_object_get(stage, "name"));
        const char *as = strcmp(name, "source") == 0 ? "ir"
                         : strcmp(name, "grad") == 0 ? "grad"
                         : strcmp(name, "fuse") == 0 ? "opt --grad"
                                                     : NULL;
        if (!as) continue;
        const char *printed = page_dump(&a, tct_arena_printf(&a, "%s --stage %s", margin, as));
        assert_string_equal(print_version(data, json_object_get(stage, "graph"), &a), printed);
        compared++;
    }
    assert_int_equal(compared, 3);
    json_decref(data);
    tct_arena_free(&a);
}

// The file's own text is in the page, and what would end or open an element isn't.
static void text_is_escaped(void **state) {
    (void)state;
    tct_arena a = {0};
    char *page = page_dump(&a, LOSS " --format html");
    const char *from = strstr(page, page_mark) + strlen(page_mark), *to = strstr(from, "</script>");
    assert_null(memchr(from, '<', (size_t)(to - from)));
    assert_null(strstr(page, "@@"));
    assert_null(strstr(page, "http://"));
    assert_null(strstr(page, "https://"));
    json_t *data = page_data(page);
    const json_t *source;
    size_t k;
    bool found = false;
    json_array_foreach(json_object_get(data, "sources"), k, source) found |=
        strstr(json_string_value(json_object_get(source, "text")), "</script> <!-- <script>.") != NULL;
    assert_true(found);
    json_decref(data);
    tct_arena_free(&a);
}

// Every reason that explain gives is in the page, with the names of files for paths.
static void neighbours_are_told_apart(void **state) {
    (void)state;
    tct_arena a = {0};
    json_t *data = page_data(page_dump(&a, LOSS " --grad --format html"));
    const json_t *plan = json_object_get(json_array_get(json_object_get(data, "graphs"), 0), "plan"), *edge;
    assert_true(length(plan, "apart") > 5);
    size_t k, products = 0;
    json_array_foreach(json_object_get(plan, "apart"), k, edge) {
        json_int_t id = json_integer_value(json_array_get(json_array_get(edge, 2), 0));
        const char *text = json_string_value(json_array_get(json_object_get(data, "strings"), (size_t)id));
        products += strstr(text, "a product reads its operands from memory") != NULL;
        assert_null(strstr(text, TERCET_SOURCE_DIR));
        assert_null(strstr(text, "kernel 1"));
    }
    assert_true(products >= 2);
    json_decref(data);
    tct_arena_free(&a);
}

static void a_pipeline_shows_all_its_graphs(void **state) {
    (void)state;
    tct_arena a = {0};
    json_t *data = page_data(page_dump(&a, SMALL " --format html"));
    assert_string_equal(json_string_value(json_object_get(data, "title")), "small");
    const json_t *graph = json_array_get(json_object_get(data, "graphs"), 0);
    assert_int_equal(length(data, "graphs"), 1);
    const char *names = "";
    for (size_t k = 0; k < length(graph, "inputs"); k++)
        names = tct_arena_printf(&a, "%s %s", names,
                                 json_string_value(json_array_get(json_object_get(graph, "inputs"), k)));
    const char *const expected[] = {" m.embed", " m.bias", " opt.up.m", " opt.down.v", " opt.step"};
    for (int k = 0; k < 5; k++)
        if (!strstr(names, expected[k])) fail_msg("no%s among%s", expected[k], names);
    json_decref(data);
    tct_arena_free(&a);
}

// --- Graphviz ---

static size_t occurrences(const char *text, const char *of) {
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, of)); at++) n++;
    return n;
}

// Groups and scans are clusters, every edge's ends are declared, and numbers stand in the nodes that use
// them.
static void dot_draws_groups_as_clusters(void **state) {
    (void)state;
    tct_arena a = {0};
    const char *opt = page_dump(&a, LOSS " --grad --stage opt");
    char *dot = page_dump(&a, LOSS " --grad --format dot");
    assert_int_equal(occurrences(dot, "subgraph cluster_"),
                     occurrences(opt, " = fused ") + occurrences(opt, " = scan "));
    assert_non_null(strstr(dot, "[label=\"tanh\\nf32[B, T, H]\""));
    assert_non_null(strstr(dot, "mul(·, "));
    assert_int_equal(occurrences(dot, "style=dashed"), occurrences(opt, " = scan "));
    const char *declared = strstr(dot, "->") - 1;
    tct_arena names = {0};
    for (char *line = strtok(tct_arena_strdup(&names, declared), "\n"); line; line = strtok(NULL, "\n")) {
        char from[64], to[64];
        if (sscanf(line, " %63s -> %63s", from, to) != 2) continue;
        if (!strstr(dot, tct_arena_printf(&names, " %s [label", from)) ||
            !strstr(dot, tct_arena_printf(&names, " %s [label", to)))
            fail_msg("an edge to nothing: %s", line);
    }
    tct_arena_free(&names);
    assert_non_null(strstr(page_dump(&a, SMALL " --graph small_loss --stage ir --format dot"), "digraph"));
    tct_arena_free(&a);
}

static void graphviz_takes_it(void **state) {
    (void)state;
    if (system("dot -V >/dev/null 2>&1") != 0) {
        fprintf(stderr, "SKIPPED: graphviz_takes_it: Graphviz isn't installed (scripts/setup installs it)\n");
        skip();
    }
    tct_arena a = {0};
    const char *folder = machine_folder(&a), *path = tct_path_join(&a, folder, "g.dot");
    char *dot = page_dump(&a, LOSS " --grad --format dot");
    tct_diag d = {0};
    assert_true(tct_file_write(&d, path, dot, strlen(dot)));
    assert_int_equal(
        system(tct_arena_printf(&a, "dot -Tsvg '%s' >'%s/g.svg' 2>'%s/err'", path, folder, folder)), 0);
    assert_string_equal(machine_read(&a, folder, "err"), ""); // warnings, too
    const char *svg = machine_read(&a, folder, "g.svg");
    assert_int_equal(occurrences(svg, "class=\"cluster\""), occurrences(dot, "subgraph cluster_"));
    machine_remove_folder(folder);
    tct_diag_free(&d);
    tct_arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_data_resolves),
        cmocka_unit_test(graphs_are_those_that_dump_prints),
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(neighbours_are_told_apart),
        cmocka_unit_test(a_pipeline_shows_all_its_graphs),
        cmocka_unit_test(dot_draws_groups_as_clusters),
        cmocka_unit_test(graphviz_takes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
