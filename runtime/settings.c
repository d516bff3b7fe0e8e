#include "runtime/settings.h"

#include "base/file.h"
#include "runtime/vm_scalar.h"

#include <stdlib.h>
#include <string.h>

typedef enum cell_state { OPEN, BUSY, DONE } cell_state;

typedef struct settings {
    tct_vm vm; // its regs and config are all that is used of it
    tct_config_value *table;
    cell_state *state;
    tct_span *place; // where a value was given
} settings;

static tct_value value_of(const tct_literal *l) {
    switch (l->kind) {
    case TCT_LITERAL_INT:
        return tct_value_int(l->i);
    case TCT_LITERAL_FLOAT:
        return tct_value_float(l->f);
    case TCT_LITERAL_BOOL:
        return tct_value_bool(l->b);
    default:
        return tct_value_string(l->s, strlen(l->s));
    }
}

static tct_literal literal_of(const tct_value *v) {
    switch ((tct_kind)v->kind) {
    case TCT_KIND_INT:
        return (tct_literal){.kind = TCT_LITERAL_INT, .i = v->i};
    case TCT_KIND_FLOAT:
        return (tct_literal){.kind = TCT_LITERAL_FLOAT, .f = v->f};
    case TCT_KIND_BOOL:
        return (tct_literal){.kind = TCT_LITERAL_BOOL, .b = v->b};
    default:
        return (tct_literal){.kind = TCT_LITERAL_TEXT, .s = v->text->text};
    }
}

static const char *text_of(tct_diag *d, const tct_literal *l) {
    tct_buf text = {0};
    tct_literal_print(l, &text);
    const char *kept = tct_arena_strdup(&d->arena, text.data ? text.data : "");
    tct_buf_free(&text);
    return kept;
}

static bool read_value(tct_diag *d, const tct_program *p, const tct_config_value *c, tct_value *out) {
    tct_setting s = {c->name, c->value};
    tct_literal l;
    if (!tct_setting_read(d, &s, c->declared_at, c->type, &l)) return false;
    tct_value_set(out, c->beside && l.kind == TCT_LITERAL_TEXT ? tct_vm_path(p, l.s) : value_of(&l));
    return true;
}

bool tct_settings_values(tct_diag *d, const tct_program *p, tct_value *out) {
    for (uint32_t i = 0; i < p->n_config; i++)
        if (!read_value(d, p, &p->config[i], &out[i])) return false;
    return true;
}

static bool resolve(settings *s, uint32_t cell);

// Carries code out and leaves its value in *out, which is a new hold.
static bool run_code(settings *s, const tct_config_code *code, tct_value *out) {
    tct_vm *vm = &s->vm;
    for (uint32_t pc = code->begin; pc < code->end;) {
        const tct_instr *at = &vm->program->instrs[pc++];
        if (!tct_vm_check(vm, at)) return false;
        switch ((tct_opcode)at->op) {
        case TCT_I_JUMP:
            pc = at->a;
            break;
        case TCT_I_JUMP_IF:
            if (vm->regs[at->a].b) pc = at->b;
            break;
        case TCT_I_JUMP_IFNOT:
            if (!vm->regs[at->a].b) pc = at->b;
            break;
        case TCT_I_CONFIG:
            if (!resolve(s, at->a)) return false;
            // fall through
        default:
            if (!tct_vm_scalar(vm, at)) return false;
        }
    }
    tct_value_set(out, tct_value_share(vm->regs[code->reg]));
    return true;
}

static bool derive(settings *s, uint32_t cell) {
    tct_config_value *c = &s->table[cell];
    size_t messages = s->vm.d->messages.len;
    if (!run_code(s, &c->derived, &s->vm.config[cell])) {
        if (s->vm.d->messages.len > messages)
            tct_note_at(s->vm.d, c->declared_at, "the default of config.%s is computed from other values",
                        c->name);
        return false;
    }
    tct_literal l = literal_of(&s->vm.config[cell]);
    c->value = text_of(s->vm.d, &l);
    if (c->beside) { // as it stood in the table: without the program's folder
        const char *folder = tct_path_join(&s->vm.d->arena, s->vm.program->folder, "");
        size_t n = strlen(folder);
        c->beside = strncmp(c->value, folder, n) == 0;
        if (c->beside) c->value += n;
    }
    return true;
}

// Computes the value of a cell, and before it those that it follows from.
static bool resolve(settings *s, uint32_t cell) {
    tct_config_value *c = &s->table[cell];
    if (s->state[cell] == DONE) return true;
    if (s->state[cell] == BUSY)
        return tct_error(s->vm.d, "E0404", c->declared_at, "config.%s depends on its own value", c->name);
    s->state[cell] = BUSY;
    bool follows = c->derived.end && c->is_default && !c->fixed;
    bool ok = follows ? derive(s, cell) : read_value(s->vm.d, s->vm.program, c, &s->vm.config[cell]);
    if (ok) s->state[cell] = DONE;
    return ok;
}

static bool bound(settings *s, const tct_config_code *code, double *out) {
    tct_value v = {0};
    if (!code->end) return true;
    bool ok = run_code(s, code, &v);
    if (ok) *out = tct_value_number(v);
    tct_value_drop(&v);
    return ok;
}

static bool check_range(settings *s, uint32_t cell) {
    tct_config_value *c = &s->table[cell];
    if (!c->is_ranged) return true;
    if (!bound(s, &c->low_code, &c->low) || !bound(s, &c->high_code, &c->high)) return false;
    tct_literal l = literal_of(&s->vm.config[cell]);
    bool given = s->place[cell].file != 0;
    tct_diag *d = s->vm.d;
    if (tct_setting_in_range(d, c->name, &l, c->low, c->high, given ? s->place[cell] : c->declared_at))
        return true;
    if (given && c->declared_at.file) tct_note_at(d, c->declared_at, "the range is declared here");
    if (!given && c->derived.end) tct_help(d, "its default is computed from other values; set it as well");
    return false;
}

static bool is_fixed(tct_diag *d, const tct_program *p, const tct_config_value *c, tct_span place,
                     const char *value) {
    if (!c->fixed) return false;
    tct_error(d, "E0406", place, "config.%s was fixed when the program was compiled: it %s", c->name,
              c->fixed);
    if (c->fixed_at.file) tct_note_at(d, c->fixed_at, "here");
    tct_help(d, "build it with another value: tercet build %s --set %s=%s -o …", p->path, c->name, value);
    return true;
}

// A condition that chose what was compiled is as it was.
static bool check_guard(settings *s, const tct_config_guard *g) {
    tct_value v = {0};
    if (!run_code(s, &g->code, &v)) return false;
    if (v.b == g->holds) return true;
    tct_diag *d = s->vm.d;
    const tct_program *p = s->vm.program;
    uint32_t cell = g->of.n ? g->of.config[0] : 0;
    const char *sets = "";
    for (uint32_t i = 0; i < g->of.n; i++) {
        uint32_t k = g->of.config[i];
        if (s->place[k].file) cell = k;
        if (s->place[k].file)
            sets = tct_arena_printf(&d->arena, "%s --set %s=%s", sets, s->table[k].name, s->table[k].value);
    }
    tct_error(d, "E0406", s->place[cell], "config.%s is %s, but the program was compiled for `%s` being %s",
              s->table[cell].name, s->table[cell].value, g->text, g->holds ? "true" : "false");
    if (g->at.file) tct_note_at(d, g->at, "this chose what was compiled");
    tct_help(d, "build it with this value: tercet build %s%s -o …", p->path, sets);
    return false;
}

static bool give(settings *s, const tct_setting *set, const char *const *names) {
    tct_diag *d = s->vm.d;
    const tct_program *p = s->vm.program;
    tct_span place = tct_setting_place(d, set);
    int64_t cell = tct_setting_find(d, set, place, names, p->n_config);
    if (cell < 0) return false;
    tct_config_value *c = &s->table[cell];
    tct_literal l;
    if (!tct_setting_read(d, set, place, c->type, &l)) {
        if (c->declared_at.file) tct_note_at(d, c->declared_at, "declared here");
        return false;
    }
    const char *text = text_of(d, &l);
    if (strcmp(text, c->value) != 0 && is_fixed(d, p, c, place, text)) return false;
    c->value = text;
    c->is_default = c->beside = false;
    s->place[cell] = place;
    return true;
}

bool tct_settings_apply(tct_diag *d, tct_program *p, const tct_setting *sets, size_t n) {
    uint32_t cells = p->n_config;
    settings s = {.vm = {.d = d,
                         .program = p,
                         .regs = tct_alloc((p->n_regs + 1) * sizeof(tct_value)),
                         .config = tct_alloc((cells + 1) * sizeof(tct_value))},
                  .table = TCT_NEW_ARRAY(&d->arena, tct_config_value, cells + 1),
                  .state = tct_alloc((cells + 1) * sizeof(cell_state)),
                  .place = tct_alloc((cells + 1) * sizeof(tct_span))};
    const char **names = TCT_NEW_ARRAY(&d->arena, const char *, cells + 1);
    for (uint32_t i = 0; i < cells; i++) {
        s.table[i] = p->config[i];
        names[i] = p->config[i].name;
    }
    bool ok = true;
    for (size_t i = 0; i < n; i++) ok &= give(&s, &sets[i], names);
    for (uint32_t i = 0; ok && i < cells; i++) ok = resolve(&s, i);
    for (uint32_t i = 0; ok && i < cells; i++) ok = check_range(&s, i);
    for (uint32_t i = 0; ok && i < p->n_guards; i++) ok = check_guard(&s, &p->guards[i]);
    if (ok) p->config = s.table;
    for (uint32_t i = 0; i < p->n_regs; i++) tct_value_drop(&s.vm.regs[i]);
    for (uint32_t i = 0; i < cells; i++) tct_value_drop(&s.vm.config[i]);
    tct_heap_free(s.vm.regs);
    tct_heap_free(s.vm.config);
    tct_heap_free(s.state);
    tct_heap_free(s.place);
    return ok;
}
