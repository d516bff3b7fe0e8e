// Statements and values of stage code: programs that assert what they compute, and what is refused.
#include "tests/stage/pipeline.h"

static void statements(void **state) {
    (void)state;
    pipeline_holds("statements.tct");
}

static void copies(void **state) {
    (void)state;
    pipeline_holds("copies.tct");
}

#define STAGE(body) "pipeline p { stage s { " body " } }"

static void values_that_do_not_fit(void **state) {
    (void)state;
    pipeline_refused(STAGE("var x = 1\n x = 1.5"), "E0502", "an int is expected");
    pipeline_refused(STAGE("var x = [1]\n x = [\"a\"]"), "E0502", "elements of another type");
    pipeline_refused(STAGE("var x = []\n append(x, 1)\n x = [\"a\"]"), "E0502", "elements of another type");
    pipeline_refused(STAGE("var x = []\n let y = x\n append(x, 1)\n samples(\"s\", y, y)"), "E0502",
                     "strings");
    pipeline_refused(STAGE("let x = [1, \"a\"]\n print(x)"), "E0502", "one type");
    pipeline_refused(STAGE("let x = [[1], [\"a\"]]\n print(x)"), "E0502", "one type");
    pipeline_refused(STAGE("let x = [[[1]]]\n print(x)"), "E0502", "two levels");
    pipeline_refused(STAGE("var x = [1]\n append(x, \"a\")"), "E0502", "another type");
    pipeline_refused(STAGE("let x = [1]\n append(x, 2)"), "E0205", "`x` can't be changed");
    pipeline_refused(STAGE("append([1], 2)"), "E0205", "append changes a variable");
    pipeline_refused(STAGE("var x = {a = 1}\n x = {b = 1}"), "E0502", "field `a`");
    pipeline_refused(STAGE("var x = {a = 1, a = 2}"), "E0204", "`a` is given twice");
    pipeline_refused(STAGE("var x = [1]\n x[0] = 2"), "E0205", "elements of a list");
    pipeline_refused(STAGE("let x: int = 1.5"), "E0502", "`x` is an int, found the float 1.5");
    pipeline_refused(STAGE("var x: string = 1"), "E0502", "`x` is a string");
    pipeline_refused(STAGE("let x = nothing()") "\nfn nothing() { }", "E0513", "no value");
    pipeline_refused(STAGE("let x = 1\n x = 2"), "E0205", "`x` can't be changed");
    pipeline_refused(STAGE("var n = 3\n let x = if n > 2 { 1 } else { \"a\" }"), "E0502",
                     "an int is expected");
    pipeline_refused(STAGE("let x = 1 and true"), "E0502", "a bool is expected");
    pipeline_refused(STAGE("let x = false or 1"), "E0502", "a bool is expected");
}

static void procedures(void **state) {
    (void)state;
    pipeline_refused("fn f(x: int) -> int {\n if x > 0 { return 1 }\n}\n" STAGE("var n = 1\n let y = f(n)"),
                     "E0344", "f can end without a return");
    pipeline_refused("fn f(x: int) -> int {\n assert x > 0\n}\n" STAGE("var n = 1\n let y = f(n)"), "E0344",
                     "f can end without a return");
    pipeline_refused("fn f() -> string {\n return 1\n}\n" STAGE("print(f())"), "E0502",
                     "the result of f is a string");
    pipeline_refused("fn f(x: list[string]) {\n print(x)\n}\n" STAGE("f([1])"), "E0502", "`x` of f");
    pipeline_refused("fn f(x) {\n append(x, 1)\n}\n" STAGE("var x = [1]\n f(x)"), "E0205",
                     "`x` can't be changed");
    pipeline_refused("fn f(n) -> int {\n return f(n - 1)\n}\n" STAGE("print(f(3))"), "E0345",
                     "f calls itself");
    pipeline_refused("fn f() {\n print(secret)\n}\n" STAGE("let secret = 1\n f()"), "E0201", "`secret`");
}

static void at_run_time(void **state) {
    (void)state;
    pipeline_refused(STAGE("var n = 0\n let x = 1 div n"), "E0809", "");
    pipeline_refused(STAGE("var xs = [1, 2]\n var i = 2\n let x = xs[i]"), "E0812",
                     "element 2 of a list of 2");
    pipeline_refused(STAGE("var n = 1\n assert n == 2, \"n is \" + str(n)"), "E0813", "n is 1");
    pipeline_refused(STAGE("var x = 1e300\n let n = int(x)"), "E0811", "");
    pipeline_refused(STAGE("var xs = [1.0]\n xs = []\n let m = mean(xs)"), "E0817", "mean");
}

static void jumps_out_of_place(void **state) {
    (void)state;
    pipeline_refused("fn f() {\n return\n}\n" STAGE("for i in range(3) {\n let x = f()\n}"), "E0513",
                     "no value");
    pipeline_refused(STAGE("let opt = 1\n let y = minimize 1.0 with opt()"), "E0505",
                     "`opt` is no optimizer");
    pipeline_refused(STAGE("for i in 3 {\n print(i)\n}"), "E0513", "for goes over");
    pipeline_refused(STAGE("for i in [] {\n print(i)\n}"), "E0502", "isn't known");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements),  cmocka_unit_test(copies),
        cmocka_unit_test(procedures),  cmocka_unit_test(values_that_do_not_fit),
        cmocka_unit_test(at_run_time), cmocka_unit_test(jumps_out_of_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
