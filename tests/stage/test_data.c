// Data sets in stage code: every kind, loops over them, parts of batches, and what is refused.
#include "tests/stage/pipeline.h"

static void data(void **state) {
    (void)state;
    pipeline_holds("data.tct");
}

#define DATA(body)                                                                                           \
    "config {\n tok: path = \"" STAGE_FOLDER "/data/letters\"\n file: path = \"" STAGE_FOLDER                \
    "/data/demonstrations.jsonl\"\n}\n"                                                                      \
    "pipeline p {\n let tok = tokenizer(config.tok)\n stage s {\n" body "\n}\n}\n"

static void refused(void **state) {
    (void)state;
    pipeline_refused(DATA("var n = 2\n let d = demonstrations(config.file, tok, batch = n, length = 8)"),
                     "E0509", "decides shapes");
    pipeline_refused(
        DATA("let d = demonstrations(config.file, tok, batch = 2, length = 8)\n let b = next(d)\n"
             "for m in minibatches(b, 3, 1) {\n print(1)\n}"),
        "E0512", "2 rows can't be cut into parts of 3");
    pipeline_refused(
        DATA("let d = demonstrations(config.file, tok, batch = 2, length = 8)\n let b = next(d)\n"
             "for m in split({a = b, x = tensor([1.0], \"B\", 1)}, 1) {\n print(1)\n}"),
        "E0512", "x has 1 rows");
    pipeline_refused(DATA("for m in split({a = 1}, 1) {\n print(1)\n}"), "E0512", "no tensors");
    pipeline_refused(DATA("for m in split(tok, 1) {\n print(1)\n}"), "E0512", "a structure of tensors");
    pipeline_refused(DATA("let d = demonstrations(config.file, tok, batch = 2, length = 8, once = true)\n"
                          "for i in range(4) {\n let b = next(d)\n}"),
                     "E0815", "no batch left");
    pipeline_refused(DATA("let d = demonstrations(config.file, tok, batch = 2, length = 8, first = 9)"),
                     "E0709", "");
    pipeline_refused(DATA("let d = demonstrations(config.file, tok, batch = 2, length = 3)"), "E0710", "");
    pipeline_refused(DATA("let d = rankings(config.file, tok, batch = 2, length = 8, k = 2)"), "E0709", "");
    pipeline_refused(DATA("let d = demonstrations(config.file, tok, batch = 2, length = 8, lenght = 3)"),
                     "E0338", "no parameter `lenght`");
    pipeline_refused(DATA("let d = next(tok)"), "E0502", "a data set");
    pipeline_refused(
        DATA("let d = demonstrations(config.file, tok, batch = 1000000000, length = 1000000000)\n"
             "let b = next(d)"),
        "E0612", "2^48");
    pipeline_refused(DATA("let t = take(tensor([1.0], \"A\", 1), [0, 0], 0, 3)"), "E0812", "");
    pipeline_refused(DATA("let t = take(tensor([1.0], \"A\", 1), [1], 0, 1)"), "E0812", "");
    pipeline_refused(DATA("let t = tensor([1.0, 2.0], \"A\", 3)"), "E0817", "tensor");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(data), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
