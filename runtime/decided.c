#include "runtime/decided.h"

void tct_note_decided(tct_diag *d, const tct_program *p, const tct_decided *by, bool ahead) {
    const char *sets = "";
    for (uint32_t i = 0; i < by->n; i++) {
        const tct_config_value *c = &p->config[by->config[i]];
        sets = tct_arena_printf(&d->arena, "%s --set %s=…", sets, c->name);
        tct_note_at(d, c->fixed ? c->fixed_at : c->declared_at, "config.%s = %s%s%s", c->name, c->value,
                    c->fixed ? " " : "", c->fixed ? c->fixed : "");
    }
    if (ahead)
        tct_note_at(d, TCT_NO_SPAN, "a trainer for it is built by tercet build %s%s -o …", p->path, sets);
    else if (by->n)
        tct_note_at(d, TCT_NO_SPAN, "another value is given by%s", sets);
}
