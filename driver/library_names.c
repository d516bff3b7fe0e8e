// Names of Tercet as names of C: dots and other characters become underscores, keywords get one more.
#include "driver/library.h"

#include <ctype.h>
#include <string.h>

static bool is_keyword(const char *s) {
    static const char *const keywords[] = {"alignas",
                                           "alignof",
                                           "and",
                                           "and_eq",
                                           "asm",
                                           "auto",
                                           "bitand",
                                           "bitor",
                                           "bool",
                                           "break",
                                           "case",
                                           "catch",
                                           "char",
                                           "char8_t",
                                           "char16_t",
                                           "char32_t",
                                           "class",
                                           "compl",
                                           "concept",
                                           "const",
                                           "consteval",
                                           "constexpr",
                                           "constinit",
                                           "const_cast",
                                           "continue",
                                           "co_await",
                                           "co_return",
                                           "co_yield",
                                           "decltype",
                                           "default",
                                           "delete",
                                           "do",
                                           "double",
                                           "dynamic_cast",
                                           "else",
                                           "enum",
                                           "explicit",
                                           "export",
                                           "extern",
                                           "false",
                                           "float",
                                           "for",
                                           "friend",
                                           "goto",
                                           "if",
                                           "inline",
                                           "int",
                                           "long",
                                           "mutable",
                                           "namespace",
                                           "new",
                                           "noexcept",
                                           "not",
                                           "not_eq",
                                           "nullptr",
                                           "operator",
                                           "or",
                                           "or_eq",
                                           "private",
                                           "protected",
                                           "public",
                                           "register",
                                           "reinterpret_cast",
                                           "requires",
                                           "restrict",
                                           "return",
                                           "short",
                                           "signed",
                                           "sizeof",
                                           "static",
                                           "static_assert",
                                           "static_cast",
                                           "struct",
                                           "switch",
                                           "template",
                                           "this",
                                           "thread_local",
                                           "throw",
                                           "true",
                                           "try",
                                           "typedef",
                                           "typeid",
                                           "typename",
                                           "typeof",
                                           "typeof_unqual",
                                           "union",
                                           "unsigned",
                                           "using",
                                           "virtual",
                                           "void",
                                           "volatile",
                                           "wchar_t",
                                           "while",
                                           "xor",
                                           "xor_eq"};
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(s, keywords[i]) == 0) return true;
    return false;
}

bool tct_is_c_name(const char *s) {
    if (!isalpha((unsigned char)*s) || is_keyword(s) || strlen(s) > 60) return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && *s != '_') return false;
    return true;
}

static const char *identifier(tct_arena *a, const char *name) {
    char *s = tct_arena_strdup(a, *name ? name : "x");
    for (char *p = s; *p; p++)
        if (!isalnum((unsigned char)*p)) *p = '_';
    if (!isalpha((unsigned char)*s)) return tct_arena_printf(a, "x%s", s);
    return is_keyword(s) ? tct_arena_printf(a, "%s_", s) : s;
}

static const tct_library_field *fields(tct_arena *a, const tct_plan_port *ports, uint32_t n,
                                       const tct_library_field *known) {
    tct_library_field *made = TCT_NEW_ARRAY(a, tct_library_field, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        const char *base = identifier(a, ports[i].name), *name = base;
        for (uint32_t k = 0, tries = 1; k < i; k++)
            if (strcmp(made[k].name, name) == 0) { // m.a_b and m_a.b
                name = tct_arena_printf(a, "%s_%u", base, ++tries);
                k = UINT32_MAX; // from the first again
            }
        made[i] = (tct_library_field){name, known ? known[i].standing : NULL};
    }
    return made;
}

// Names that the library's own functions and types have.
static bool is_taken(const char *name) {
    static const char *const taken[] = {"abi",     "version", "description", "status",  "status_text",
                                        "create",  "destroy", "context",     "options", "workspace_bytes",
                                        "message", "run",     "run_options"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(name, taken[i]) == 0) return true;
    return false;
}

bool tct_library_names(tct_diag *d, tct_library_contents *x, tct_library_function *functions) {
    char *upper = tct_arena_strdup(&d->arena, x->name);
    for (char *p = upper; *p; p++) *p = (char)toupper((unsigned char)*p);
    x->upper = upper;
    for (uint32_t i = 0; i < x->n_functions; i++) {
        tct_library_function *f = &functions[i];
        const char *base = identifier(&d->arena, f->graph);
        if (!f->name) f->name = f->gradients ? tct_arena_printf(&d->arena, "%s_grad", base) : base;
        bool again = false;
        for (uint32_t k = 0; k < i; k++) again |= strcmp(functions[k].name, f->name) == 0;
        if (again || is_taken(f->name)) {
            tct_error(d, "E0903", TCT_NO_SPAN, "two functions of %s would be called %s_%s", x->name, x->name,
                      f->name);
            tct_help(d, "give one another name: --graph %s --as NAME", f->graph);
            return false;
        }
        f->inputs = fields(&d->arena, f->plan->inputs, f->plan->n_inputs, f->inputs);
        f->outputs = fields(&d->arena, f->plan->outputs, f->plan->n_outputs, NULL);
    }
    x->functions = functions;
    return true;
}
