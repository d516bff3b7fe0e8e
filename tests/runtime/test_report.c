// What a run shows: metrics, the table at its end, the bar on a terminal, the report.
#include "runtime/report.h"

#include "base/file.h"
#include "runtime/metrics.h"
#include "runtime/progress.h"
#include "runtime/summary.h"
#include "tests/support/machine.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void metrics_go_on_where_they_were(void **state) {
    (void)state;
    tct_arena a = {0};
    tct_diag d = {0};
    const char *folder = machine_folder(&a), *path = tct_path_join(&a, folder, "metrics.jsonl");
    tct_metrics *m = tct_metrics_open(&d, path, 0);
    assert_true(tct_metrics_line(&d, m, "{}", 2));
    uint64_t keep = tct_metrics_bytes(m);
    assert_true(tct_metrics_line(&d, m, "{\"lost\":1}", 10));
    tct_metrics_close(m);
    m = tct_metrics_open(&d, path, keep);
    assert_true(tct_metrics_line(&d, m, "[1]", 3));
    assert_int_equal(tct_metrics_bytes(m), 7);
    tct_metrics_close(m);
    assert_string_equal(machine_read(&a, folder, "metrics.jsonl"), "{}\n[1]\n");
    assert_null(tct_metrics_open(&d, path, 8));
    assert_string_equal(d.messages.data[0].code, "E0830");
    assert_null(tct_metrics_open(&d, "/nowhere/metrics.jsonl", 0));
    assert_string_equal(d.messages.data[1].code, "E0702");
    machine_remove_folder(folder);
    tct_diag_free(&d);
    tct_arena_free(&a);
}

static void json_text_reads_back(void **state) {
    (void)state;
    static const char *const strings[] = {"", "plain", "a \"quoted\" \\ line\nwith\ttabs \x01 and ü €"};
    static const double numbers[] = {0, -0.5, 0.1, 1e300, 5e-324, 1.0 / 3, 123456789012};
    for (size_t i = 0; i < 3; i++) {
        tct_buf b = {0};
        tct_json_string(strings[i], strlen(strings[i]), &b);
        json_t *v = json_loads(b.data, JSON_DECODE_ANY, NULL);
        assert_string_equal(json_string_value(v), strings[i]);
        json_decref(v);
        tct_buf_free(&b);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        tct_buf b = {0};
        tct_json_number(numbers[i], &b);
        assert_true(strtod(b.data, NULL) == numbers[i]);
        tct_buf_free(&b);
    }
    tct_buf b = {0};
    tct_json_number(NAN, &b);
    tct_json_number(-INFINITY, &b);
    assert_string_equal(b.data, "nullnull");
    tct_buf_free(&b);
}

static const char *const summary_text = "{\"rm\": {\"accuracy\": 0.75}, \"base\": {\"gold\": -1.25, \"kl\": "
                                        "0}, \"sft\": {\"kl\": 0.001, \"gold\": 12345678.0},"
                                        " \"größe\": {\"gold\": null, \"kl\": \"none\"}}";

static void groups_with_the_same_keys_are_one_table(void **state) {
    (void)state;
    json_t *summary = json_loads(summary_text, 0, NULL);
    tct_buf b = {0};
    tct_summary_text(summary, &b);
    assert_string_equal(b.data, "    accuracy\n"
                                "rm    0.7500\n"
                                "\n"
                                "            gold      kl\n"
                                "base     -1.2500       0\n"
                                "sft    1.235e+07  0.0010\n"
                                "größe          -    none\n");
    b.len = 0;
    tct_summary_html(summary, &b);
    assert_non_null(strstr(b.data, "<tr><th>sft</th><td>1.235e+07</td><td>0.0010</td></tr>"));
    tct_buf_free(&b);
    json_decref(summary);
}

static void the_bar_says_how_far_it_is(void **state) {
    (void)state;
    tct_progress *p = tct_progress_open(stderr, false);
    tct_buf b = {0};
    tct_progress_stage(p, "sft", 2, 4);
    tct_progress_step(p, 0, 200, 0);
    tct_progress_step(p, 50, 200, 10);
    tct_progress_metric(p, "loss", 1.23456);
    tct_progress_metric(p, "lr", 1e-5);
    tct_progress_metric(p, "loss", 1.125);
    tct_progress_line(p, 10, 200, &b);
    assert_string_equal(b.data,
                        "2/4 sft █████                50/200  5.0/s  0:10, left 0:30  loss 1.125  lr 1e-05");
    b.len = 0;
    tct_progress_line(p, 10, 12, &b);
    assert_string_equal(b.data, "2/4 sft ████");
    b.len = 0;
    tct_progress_stage(p, "ppo", 3, 4);
    tct_progress_step(p, 30, 0, 20); // taken up at step 30
    tct_progress_step(p, 40, 0, 60);
    tct_progress_line(p, 40, 200, &b);
    assert_string_equal(b.data, "3/4 ppo step 40  0.25/s  0:40");
    tct_buf_free(&b);
    tct_progress_close(p);
}

static const tct_stage_desc stages[] = {{.name = "sft", .doc = "Learns <from> demonstrations."},
                                        {.name = "ppo"}};
static const tct_config_value config[] = {
    {.name = "sft.lr", .type = "float", .value = "0.001", .doc = "Learning rate & more.", .is_default = true},
    {.name = "data", .type = "path", .value = "a\"b.jsonl"}};

// Writes a report of `lines` and returns its text.
static char *report_of(tct_arena *a, const char *lines, const json_t *samples) {
    tct_diag d = {0};
    const char *folder = machine_folder(a);
    tct_program program = {.name = "instruct<gpt>",
                           .path = "x.tct",
                           .n_stages = 2,
                           .stages = stages,
                           .n_config = 2,
                           .config = config};
    json_t *summary = json_loads(summary_text, 0, NULL);
    const char *metrics = tct_path_join(a, folder, "metrics.jsonl");
    assert_true(tct_file_write(&d, metrics, lines, strlen(lines)));
    tct_report r = {&program, metrics, summary, samples, 7, 2, 3725};
    assert_true(tct_report_write(&d, &r, tct_path_join(a, folder, "report.html")));
    char *text = machine_read(a, folder, "report.html");
    machine_remove_folder(folder);
    json_decref(summary);
    tct_diag_free(&d);
    return text;
}

// The page's data, parsed as JSON.
static json_t *data_of(const char *page) {
    static const char mark[] = "const stages = ";
    const char *from = strstr(page, mark) + sizeof mark - 1, *to = strstr(from, "];\n");
    json_t *data = json_loadb(from, (size_t)(to + 1 - from), 0, NULL);
    assert_non_null(data);
    return data;
}

static void the_report_holds_everything(void **state) {
    (void)state;
    tct_arena a = {0};
    json_t *samples = json_loads(
        "[{\"stage\":\"ppo\",\"title\":\"After </script>\",\"rows\":[[\"Q <b>\",\"A\"]]}]", 0, NULL);
    char *page = report_of(&a,
                           "{\"stage\":\"sft\",\"step\":0,\"time\":0.1,\"loss\":2.5,\"note\":\"text\"}\n"
                           "{\"stage\":\"sft\",\"step\":1,\"time\":0.2,\"loss\":null,\"lr\":1e-3}\n"
                           "{\"stage\":\"\",\"step\":0,\"time\":0.3,\"x\":1}\n",
                           samples);
    static const char *const marks[] = {"@@TITLE",  "@@ABOUT", "@@RESULTS",
                                        "@@CONFIG", "@@DATA",  "@@DYGRAPHS"};
    for (int i = 0; i < 6; i++) assert_null(strstr(page, marks[i]));
    assert_non_null(strstr(page, "<h1>instruct&lt;gpt&gt;</h1>"));
    assert_non_null(strstr(page, "1:02:05 on 2 threads &middot; seed 7"));
    assert_non_null(strstr(page, "Learning rate &amp; more."));
    assert_non_null(strstr(page, "a&quot;b.jsonl"));
    assert_non_null(strstr(page, "LICENSE.txt (MIT)")); // Dygraphs' own line
    assert_null(strstr(page, "After </script>"));
    assert_null(strstr(page, "src=\"http"));
    json_t *data = data_of(page);
    assert_int_equal(json_array_size(data), 3);
    json_t *sft = json_array_get(data, 0), *ppo = json_array_get(data, 1);
    json_t *points = json_object_get(json_object_get(json_object_get(sft, "metrics"), "loss"), "points");
    assert_int_equal(json_array_size(points), 2);
    assert_true(json_real_value(json_array_get(json_array_get(points, 0), 1)) == 2.5);
    assert_true(json_is_null(json_array_get(json_array_get(points, 1), 1)));
    assert_int_equal(json_object_size(json_object_get(sft, "metrics")), 2);
    json_t *group = json_array_get(json_object_get(ppo, "samples"), 0);
    assert_string_equal(json_string_value(json_object_get(group, "title")), "After </script>");
    assert_string_equal(
        json_string_value(json_array_get(json_array_get(json_object_get(group, "rows"), 0), 0)), "Q <b>");
    json_decref(data);
    json_decref(samples);
    tct_arena_free(&a);
}

static void long_curves_are_thinned(void **state) {
    (void)state;
    tct_arena a = {0};
    tct_buf lines = {0};
    for (int i = 0; i < 4000; i++)
        tct_buf_printf(&lines, "{\"stage\":\"ppo\",\"step\":%d,\"time\":1,\"kl\":%g}\n", i, i * 0.5);
    json_t *none = json_array(), *data = data_of(report_of(&a, lines.data, none));
    json_t *kl = json_object_get(json_object_get(json_array_get(data, 1), "metrics"), "kl"),
           *points = json_object_get(kl, "points");
    assert_int_equal(json_integer_value(json_object_get(kl, "count")), 4000);
    assert_in_range(json_array_size(points), 1000, 1501);
    json_t *last = json_array_get(points, json_array_size(points) - 1);
    assert_int_equal(json_integer_value(json_array_get(last, 0)), 3999);
    json_decref(data);
    json_decref(none);
    tct_buf_free(&lines);
    tct_arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_go_on_where_they_were),
        cmocka_unit_test(json_text_reads_back),
        cmocka_unit_test(groups_with_the_same_keys_are_one_table),
        cmocka_unit_test(the_bar_says_how_far_it_is),
        cmocka_unit_test(the_report_holds_everything),
        cmocka_unit_test(long_curves_are_thinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
