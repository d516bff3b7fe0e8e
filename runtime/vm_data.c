#include "runtime/vm_data.h"

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
