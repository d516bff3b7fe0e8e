// Running the library's pipeline.
#include "library/library.h"
#include "runtime/linked.h"
#include "runtime/settings.h"
#include "runtime/vm.h"

// "ppo.lr=1e-6" in two, in the diag's arena.
static bool split(tct_diag *d, const char *text, tct_setting *out) {
    const char *equals = text ? strchr(text, '=') : NULL;
    if (!equals || equals == text)
        return tct_error(d, "E0903", TCT_NO_SPAN, "settings are KEY=VALUE, not '%s'", text ? text : "NULL");
    *out = (tct_setting){tct_arena_strndup(&d->arena, text, (size_t)(equals - text)), equals + 1};
    return true;
}

static bool apply(tct_diag *d, tct_program *p, const tct_library_run_options *o) {
    if (o->n_settings && !o->settings)
        return tct_error(d, "E0903", TCT_NO_SPAN, "there are %zu settings at NULL", o->n_settings);
    tct_setting *sets = TCT_NEW_ARRAY(&d->arena, tct_setting, o->n_settings + 1);
    for (size_t i = 0; i < o->n_settings; i++)
        if (!split(d, o->settings[i], &sets[i])) return false;
    return tct_settings_apply(d, p, sets, o->n_settings);
}

static bool run(tct_diag *d, const tct_library_run_options *o) {
    tct_isa limit;
    tct_image image;
    if (!tct_library_limit(d, o->isa, &limit) || !tct_library_threads(d, o->threads) ||
        !tct_linked_read(d, TCT_LIBRARY_ITSELF, &image))
        return false;
    tct_program *p = &image.program;
    p->folder = o->folder ? o->folder : ".";
    tct_run_options options = {.out = o->out ? o->out : tct_arena_printf(&d->arena, "runs/%s", p->name),
                               .seed = o->seed,
                               .threads = o->threads,
                               .resume = o->resume,
                               .checkpoint_seconds = o->checkpoint_seconds,
                               .progress = o->progress,
                               .from_stage = o->from_stage,
                               .to_stage = o->to_stage,
                               .trace = o->trace};
    if (!(o->checkpoint_seconds >= 0))
        return tct_error(d, "E0903", TCT_NO_SPAN, "checkpoint_seconds is %g; it must be at least 0",
                         o->checkpoint_seconds);
    return tct_run_options_check(d, p, &options) && tct_linked_choose(d, TCT_LIBRARY_ITSELF, &image, limit) &&
           apply(d, p, o) && tct_program_run(d, p, &options);
}

tct_library_status tct_library_run(uint64_t abi, const tct_library_run_options *options, char *message,
                                   size_t message_bytes) {
    static const tct_library_run_options usual = {0};
    tct_diag d = {0};
    tct_buf said = {0};
    tct_library_status status = TCT_LIBRARY_OK;
    if (abi != tct_linked_library_table.abi) {
        status = TCT_LIBRARY_ABI_DIFFERS;
        tct_buf_puts(&said, tct_library_status_text(status));
    } else if (!run(&d, options ? options : &usual)) {
        status = tct_library_status_of(&d);
    }
    tct_diag_render(&d, &said, false);
    if (message && message_bytes) {
        size_t n = said.len < message_bytes ? said.len : message_bytes - 1;
        if (n) memcpy(message, said.data, n);
        message[n] = 0;
    }
    tct_buf_free(&said);
    tct_diag_free(&d);
    return status;
}
