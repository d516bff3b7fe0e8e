// A value that is given by name from outside: --set ppo.lr=1e-6.
#ifndef TCT_BASE_SETTING_H
#define TCT_BASE_SETTING_H

typedef struct tct_setting {
    const char *name, *value; // value: source text of a literal, or any text for strings and paths
} tct_setting;

#endif
