// Tokenizers of a program: their folder is read while compiling for its size and special tokens.
#include "frontend/stage_internal.h"

#include <string.h>

// What a tokenizer tells, read once however often the program is elaborated.
static bool token_info(tct_elab *e, const char *path, tct_token_info *out, tct_span span) {
    for (size_t i = 0; i < e->stage->known.len; i++)
        if (strcmp(e->stage->known.data[i].path, path) == 0) {
            *out = e->stage->known.data[i].info;
            return true;
        }
    if (!e->stage->hooks->tokenizer(e->stage->hooks->ctx, e->d, path, out)) {
        tct_note_at(e->d, span, "this tokenizer is read when the program is compiled");
        return false;
    }
    TCT_PUSH(&e->stage->known, ((stage_known){path, *out}));
    return true;
}

tct_val *tct_stage_tokenizer(tct_elab *e, tct_val *path, tct_span place, tct_span span) {
    if (tct_val_is_config(path) && !path->fold) // can't be computed: it is to be told why
        path = tct_elab_fix(e, path, place, "is the path of a tokenizer");
    if (path->kind == V_ERROR) return path;
    if (tct_val_static_kind(e, path) != V_STRING) {
        tct_elab_error(e, "E0509", place, "the path of a tokenizer must be known at compile time");
        return tct_val_error(e);
    }
    stage_tokenizer *t = TCT_NEW(&e->arena, stage_tokenizer);
    if (!token_info(e, path->fold ? path->fold->s : path->s, &t->info, span)) return tct_val_error(e);
    tct_val *v = tct_val_new(e, V_STRUCT, span);
    v->s = "a tokenizer";
    v->data = t;
    v->has_reg = true;
    v->reg = tct_stage_reg(
        e, (tct_reg_type){.kind = TCT_KIND_TOKENIZER, .table = (uint32_t)e->stage->tokenizers.len});
    tct_tokenizer_desc desc = {.vocab = t->info.vocab,
                               .bos = t->info.bos,
                               .eos = t->info.eos,
                               .pad = t->info.pad,
                               .path = tct_stage_decided(path->from)};
    TCT_PUSH(&e->stage->tokenizers, desc);
    tct_val_add_field(e, v, "vocab", tct_val_int(e, t->info.vocab, span));
    tct_val_add_field(e, v, "bos", tct_val_int(e, t->info.bos, span));
    tct_val_add_field(e, v, "eos", tct_val_int(e, t->info.eos, span));
    tct_val_add_field(e, v, "pad", tct_val_int(e, t->info.pad, span));
    return v;
}
