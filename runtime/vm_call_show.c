// Built-ins that show something, key and seconds.
#include "runtime/rng.h"
#include "runtime/vm_state.h"

#include <stdio.h>

bool tct_vm_call_PRINT(tct_vm *vm, const tct_call *c) {
    tct_buf text = {0};
    tct_value_print(*tct_arg(vm, c, 0), &text);
    tct_progress_clear(vm->progress);
    printf("%s\n", text.data ? text.data : "");
    fflush(stdout);
    tct_buf_free(&text);
    return true;
}

bool tct_vm_call_SAMPLES(tct_vm *vm, const tct_call *c) {
    const tct_list *prompts = tct_arg(vm, c, 1)->list, *responses = tct_arg(vm, c, 2)->list;
    int64_t count = tct_arg(vm, c, 3)->i;
    if (prompts->len != responses->len)
        return tct_error(vm->d, "E0817", TCT_NO_SPAN, "samples: %zu prompts with %zu responses", prompts->len,
                         responses->len);
    json_t *rows = json_array();
    for (size_t i = 0; i < prompts->len && (int64_t)i < count; i++) {
        const tct_text *prompt = prompts->items[i].text, *response = responses->items[i].text;
        json_array_append_new(rows,
                              json_pack("[s%,s%]", prompt->text, prompt->len, response->text, response->len));
    }
    json_t *group = json_pack("{s:s, s:s, s:o}", "stage", tct_vm_stage(vm), "title",
                              tct_arg(vm, c, 0)->text->text, "rows", rows);
    json_array_append_new(vm->samples, group);
    return true;
}

bool tct_vm_call_KEY(tct_vm *vm, const tct_call *c) {
    uint64_t key = tct_rng_fold(tct_vm_seed(vm, 1), vm->draws++);
    tct_value_set(tct_result(vm, c, 0), tct_value_int((int64_t)(key >> 1)));
    return true;
}

bool tct_vm_call_SECONDS(tct_vm *vm, const tct_call *c) {
    tct_value_set(tct_result(vm, c, 0), tct_value_float(tct_vm_elapsed(vm)));
    return true;
}
