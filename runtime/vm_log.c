// What a run leaves behind while it goes: metrics.jsonl, summary.json, and at the ends of stages the report.
#include "base/file.h"
#include "runtime/report.h"
#include "runtime/summary.h"
#include "runtime/vm_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

// A figure that is no number is written as null, and said once for each stage and name.
static void warn_not_finite(tct_vm *vm, const char *name, double x, tct_span span) {
    char *key = NULL;
    if (asprintf(&key, "%s/%s", tct_vm_stage(vm), name) < 0) tct_out_of_memory(64);
    if (!json_object_get(vm->warned, key)) {
        json_object_set_new(vm->warned, key, json_true());
        tct_warning(vm->d, "E0821", span, "%s is %s in stage %s at step %" PRId64 "; it is written as null",
                    name,
                    isnan(x) ? "nan"
                    : x < 0  ? "-inf"
                             : "inf",
                    tct_vm_stage(vm), vm->done);
        tct_progress_clear(vm->progress);
        fprintf(stderr, "warning: %s is %s in stage %s at step %" PRId64 "\n", name,
                isnan(x) ? "nan"
                : x < 0  ? "-inf"
                         : "inf",
                tct_vm_stage(vm), vm->done);
    }
    free(key);
}

static void add_value(tct_vm *vm, const char *name, tct_value v, tct_span span, tct_buf *line) {
    switch ((tct_kind)v.kind) {
    case TCT_KIND_INT:
        tct_buf_printf(line, "%" PRId64, v.i);
        break;
    case TCT_KIND_BOOL:
        tct_buf_puts(line, v.b ? "true" : "false");
        return;
    case TCT_KIND_FLOAT:
        if (!isfinite(v.f)) warn_not_finite(vm, name, v.f, span);
        tct_json_number(v.f, line);
        break;
    default:
        tct_json_string(v.text->text, v.text->len, line);
        return;
    }
    tct_progress_metric(vm->progress, name, tct_value_number(v));
}

bool tct_vm_log(tct_vm *vm, const tct_instr *at) {
    const tct_log *log = &vm->program->logs[at->a];
    const char *stage = tct_vm_stage(vm);
    tct_buf line = {0};
    tct_buf_puts(&line, "{\"stage\":");
    tct_json_string(stage, strlen(stage), &line);
    tct_buf_printf(&line, ",\"step\":%" PRId64 ",\"time\":%.3f", vm->done, tct_vm_elapsed(vm));
    for (uint32_t i = 0; i < log->n; i++) {
        tct_buf_putc(&line, ',');
        tct_json_string(log->names[i], strlen(log->names[i]), &line);
        tct_buf_putc(&line, ':');
        add_value(vm, log->names[i], vm->regs[log->regs[i]], at->span, &line);
    }
    tct_buf_putc(&line, '}');
    bool ok = tct_metrics_line(vm->d, vm->metrics, line.data, line.len);
    tct_buf_free(&line);
    return ok;
}

static json_t *json_of(tct_vm *vm, const char *name, tct_value v, tct_span span) {
    switch ((tct_kind)v.kind) {
    case TCT_KIND_INT:
        return json_integer(v.i);
    case TCT_KIND_BOOL:
        return json_boolean(v.b);
    case TCT_KIND_FLOAT:
        if (isfinite(v.f)) return json_real(v.f);
        warn_not_finite(vm, name, v.f, span);
        return json_null();
    default:
        return json_stringn(v.text->text, v.text->len);
    }
}

static bool write_summary(tct_vm *vm) {
    char *text = json_dumps(vm->summary, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
    tct_arena scratch = {0};
    tct_buf file = {0};
    tct_buf_puts(&file, text);
    tct_buf_putc(&file, '\n');
    bool ok =
        tct_file_write(vm->d, tct_path_join(&scratch, vm->options->out, "summary.json"), file.data, file.len);
    tct_buf_free(&file);
    tct_arena_free(&scratch);
    free(text);
    return ok;
}

bool tct_vm_summary(tct_vm *vm, const tct_instr *at) {
    const tct_log *log = &vm->program->logs[at->a];
    json_t *group = json_object_get(vm->summary, log->group);
    if (!group) {
        group = json_object();
        json_object_set_new(vm->summary, log->group, group);
    }
    for (uint32_t i = 0; i < log->n; i++)
        json_object_set_new(group, log->names[i],
                            json_of(vm, log->names[i], vm->regs[log->regs[i]], at->span));
    return write_summary(vm);
}

bool tct_vm_open_outputs(tct_vm *vm, uint64_t metrics_bytes) {
    tct_arena scratch = {0};
    vm->metrics =
        tct_metrics_open(vm->d, tct_path_join(&scratch, vm->options->out, "metrics.jsonl"), metrics_bytes);
    tct_arena_free(&scratch);
    return vm->metrics != NULL && write_summary(vm);
}

static bool write_report(tct_vm *vm) {
    tct_arena scratch = {0};
    tct_report report = {
        .program = vm->program,
        .metrics = tct_path_join(&scratch, vm->options->out, "metrics.jsonl"),
        .summary = vm->summary,
        .samples = vm->samples,
        .seed = vm->options->seed,
        .threads = tct_pool_threads(vm->pool),
        .seconds = tct_vm_elapsed(vm),
    };
    bool ok = tct_report_write(vm->d, &report, tct_path_join(&scratch, vm->options->out, "report.html"));
    tct_arena_free(&scratch);
    return ok;
}

bool tct_vm_finish_outputs(tct_vm *vm, bool show_table) {
    if (show_table && json_object_size(vm->summary)) {
        tct_buf table = {0};
        tct_summary_text(vm->summary, &table);
        tct_progress_clear(vm->progress);
        printf("\n%s", table.data);
        fflush(stdout);
        tct_buf_free(&table);
    }
    return write_report(vm);
}
