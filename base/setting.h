// Values that are given by name from outside, --set ppo.lr=1e-6: their texts, and what is said of wrong ones.
#ifndef TCT_BASE_SETTING_H
#define TCT_BASE_SETTING_H

#include "base/diag.h"

typedef struct tct_setting {
    const char *name, *value; // value: source text of a literal, or any text for strings and paths
} tct_setting;

typedef enum tct_literal_kind {
    TCT_LITERAL_INT,
    TCT_LITERAL_FLOAT,
    TCT_LITERAL_BOOL,
    TCT_LITERAL_TEXT
} tct_literal_kind;

typedef struct tct_literal {
    tct_literal_kind kind;
    union {
        int64_t i;
        double f;
        bool b;
        const char *s;
    };
} tct_literal;

// The kind of values of a config type: int, float, bool, string, path. false: no such type.
bool tct_literal_kind_of(const char *type, tct_literal_kind *out);
// The value that a text stands for; a TEXT refers to it. false: it stands for none of this kind. Floats are
// finite.
bool tct_literal_read(tct_literal_kind kind, const char *text, tct_literal *out);
// Appends a text that reads as the value, the same text for the same value.
void tct_literal_print(const tct_literal *l, tct_buf *out);
// Appends the shortest decimal that reads back as `f`; "nan", "inf" and "-inf" for what has none.
void tct_print_double(double f, tct_buf *out);

// The command line as a source of messages: the name of a setting.
tct_span tct_setting_place(tct_diag *d, const tct_setting *s);
// The number of the config value that `s` names. -1 after reporting E0405, with the one that is meant or all
// there are.
int64_t tct_setting_find(tct_diag *d, const tct_setting *s, tct_span place, const char *const *names,
                         size_t n);
// The value of `s` as one of `type`. false after reporting E0402.
bool tct_setting_read(tct_diag *d, const tct_setting *s, tct_span place, const char *type, tct_literal *out);
// Whether a number is in its range. false after reporting E0403.
bool tct_setting_in_range(tct_diag *d, const char *name, const tct_literal *value, double low, double high,
                          tct_span place);

#endif
