#include "runtime/vm_data.h"

#include "runtime/decided.h"

#include <stdlib.h>

void tct_vm_copy_records(const tct_records *from, tct_records *to) {
    for (size_t i = 0; i < from->rows.len; i++) {
        const tct_record *r = &from->rows.data[i];
        if (r->ranks)
            tct_records_add_ranked(to, r->prompt, r->n_responses, (const char *const *)r->responses,
                                   r->ranks);
        else
            tct_records_add_completion(to, r->prompt, r->responses[0]);
    }
}

bool tct_vm_open_dataset(tct_diag *d, tct_dataset_ref *s) {
    s->options.style = (tct_template){.prompt = *s->template_text ? s->template_text : NULL,
                                      .chat = *s->chat ? s->chat : NULL};
    if (s->path) {
        s->data = tct_dataset_open(d, s->kind, s->path, s->tokenizer->tokenizer, &s->options);
    } else {
        tct_records copy = {.source = s->records.source};
        tct_vm_copy_records(&s->records, &copy);
        s->data = tct_dataset_from_records(d, s->kind, &copy, s->tokenizer->tokenizer, &s->options);
    }
    return s->data != NULL;
}

bool tct_vm_open_tokenizer(tct_diag *d, const char *path, tct_value *out) {
    tct_tokenizer *t = tct_tokenizer_open(d, path);
    if (!t) return false;
    tct_tokenizer_ref *r = tct_alloc(sizeof *r);
    *r = (tct_tokenizer_ref){1, tct_strdup(path), t};
    *out = (tct_value){.kind = TCT_KIND_TOKENIZER, .tokenizer = r};
    return true;
}

static const char *token_text(tct_arena *a, int64_t id) {
    return id < 0 ? "none" : tct_arena_printf(a, "%lld", (long long)id);
}

bool tct_vm_tokenizer_fits(tct_vm *vm, const tct_tokenizer_ref *t, uint32_t reg) {
    const tct_tokenizer_desc *want = &vm->program->tokenizers[vm->program->regs[reg].table];
    const struct {
        const char *what;
        int64_t found, want;
    } facts[] = {
        {"beginning token", tct_tokenizer_special(t->tokenizer, TCT_BOS), want->bos},
        {"end token", tct_tokenizer_special(t->tokenizer, TCT_EOS), want->eos},
        {"padding token", tct_tokenizer_special(t->tokenizer, TCT_PAD), want->pad},
    };
    tct_arena *a = &vm->d->arena;
    int64_t vocab = tct_tokenizer_size(t->tokenizer);
    const char *differ = vocab == want->vocab ? ""
                                              : tct_arena_printf(a, "%lld tokens instead of %lld",
                                                                 (long long)vocab, (long long)want->vocab);
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (facts[i].found != facts[i].want)
            differ =
                tct_arena_printf(a, "%s%s%s %s instead of %s", differ, differ[0] ? ", " : "", facts[i].what,
                                 token_text(a, facts[i].found), token_text(a, facts[i].want));
    if (!differ[0]) return true;
    tct_error(vm->d, "E0717", TCT_NO_SPAN, "%s is another tokenizer than the program was compiled for: %s",
              t->path, differ);
    tct_help(vm->d, "use the tokenizer that goes with the model");
    tct_note_decided(vm->d, vm->program, &want->path, vm->options->ahead);
    return false;
}
