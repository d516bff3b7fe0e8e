// minimize, optimizers, and models as values.
#include "tests/stage/pipeline.h"

static void training(void **state) {
    (void)state;
    pipeline_holds("training.tct");
}

static void mixed(void **state) {
    (void)state;
    pipeline_holds("mixed.tct");
}

static void sparse(void **state) {
    (void)state;
    pipeline_holds("sparse.tct");
}

static void feedback(void **state) {
    (void)state;
    pipeline_holds("feedback.tct");
}

#define TRAIN(body)                                                                                          \
    "use std.optim.sgd\nmodel M(n: int = 2) {\n axis A = n\n param w: f32[A] = 1.0\n}\n"                     \
    "model E() {\n part none: N()\n}\nmodel N() {\n}\n"                                                      \
    "pipeline p {\n let m = M()\n let opt = sgd(m)\n stage s {\n" body "\n}\n}\n"

static void refused(void **state) {
    (void)state;
    pipeline_refused(TRAIN("minimize m.w with opt(lr = 0.1)"), "E0511", "a scalar f32");
    pipeline_refused(TRAIN("let n = M()\n minimize sum(n.w, A) with opt(lr = 0.1)"), "E0511",
                     "doesn't depend");
    pipeline_refused(TRAIN("minimize 1.0 with opt(lr = 0.1)"), "E0511", "doesn't depend");
    pipeline_refused(TRAIN("minimize sum(m.w, A) with opt()"), "E0340", "lacks its hyper-parameter `lr`");
    pipeline_refused(TRAIN("minimize sum(m.w, A) with opt(lr = 0.1, lr = 0.2)"), "E0338", "`lr` twice");
    pipeline_refused(TRAIN("minimize sum(m.w, A) with opt(lr = 0.1, rate = 0.2)"), "E0338", "`rate`");
    pipeline_refused(TRAIN("minimize sum(m.w, A) with opt(lr = \"a\")"), "E0502", "lr of sgd is a number");
    pipeline_refused(TRAIN("minimize sum(m.w, A) with sgd(lr = 0.1)"), "E0505", "a kind of optimizer");
    pipeline_refused(TRAIN("let two = sgd(m)\n minimize sum(m.w, A) with opt(lr = 0.1), two(lr = 0.1)"),
                     "E0505", "train the same model");
    pipeline_refused(TRAIN("let o = sgd()"), "E0505", "needs the models");
    pipeline_refused(TRAIN("let n = M(n = 3)\n assign(n, m)"), "E0510", "the same parameters");
    pipeline_refused(TRAIN("let a = E()\n assign(a.none, a.none)"), "E0510", "has no parameters");
    pipeline_refused(TRAIN("ema(m, m, 1.5)"), "E0817", "decay");
    pipeline_refused(TRAIN("m.w = tensor([1.0], \"A\", 1)"), "E0502", "the parameter is f32[A]");
    pipeline_refused(TRAIN("m.w = i32(m.w)"), "E0502", "the parameter is f32[A]");
    pipeline_refused(TRAIN("var n = 2\n let k = M(n)"), "E0337", "n of M");
    pipeline_refused(TRAIN("save(m, \"../out\", tokenizer(\"" STAGE_FOLDER "/data/letters\"))"), "E0817",
                     "inside");
    pipeline_refused(TRAIN("minimize sum(x.w, A) for x in m with opt(lr = 0.1)"), "E0512", "split(batch, n)");
    pipeline_refused(TRAIN("minimize sum(m.w, A) for x in split({y = m.w}, 2) with opt(lr = 0.1)"), "E0512",
                     "tensors");
    pipeline_refused(TRAIN("minimize sum(m.w, A) in half with opt(lr = 0.1)"), "E0104", "`bf16` or `f32`");
    pipeline_refused(TRAIN("let x = m.nothing"), "E0202", "no field `nothing`");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(training), cmocka_unit_test(mixed),
                                       cmocka_unit_test(sparse), cmocka_unit_test(feedback),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
