// tercet generate: continues a prompt with a model from a Hugging Face folder, printing as it goes.
#include "base/file.h"
#include "driver/compile_program.h"
#include "driver/driver.h"
#include "runtime/generate.h"
#include "runtime/hf.h"
#include "runtime/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct generate_arguments {
    const char *model, *prompt;
    tct_generate_options o;
    int threads;
    const char *weights;
    bool raw;
    const char *isa;
    tct_jit_options jit;
} generate_arguments;

enum {
    KEY_MODEL = 256,
    KEY_PROMPT,
    KEY_MAX_NEW,
    KEY_TEMPERATURE,
    KEY_TOP_K,
    KEY_TOP_P,
    KEY_SEED,
    KEY_WEIGHTS,
    KEY_RAW,
    KEY_ISA
};

static const struct argp_option options[] = {
    {"model", KEY_MODEL, "DIR", 0, "Hugging Face folder with weights and tokenizer", 0},
    {"prompt", KEY_PROMPT, "TEXT", 0, "Text to continue (default: none, the model begins)", 0},
    {"max-new", KEY_MAX_NEW, "N", 0, "Most tokens to generate (default: 128)", 0},
    {"temperature", KEY_TEMPERATURE, "T", 0, "0 takes the likeliest token every time (default: 1)", 0},
    {"top-k", KEY_TOP_K, "K", 0, "Only the K likeliest tokens (default: 0, all)", 0},
    {"top-p", KEY_TOP_P, "P", 0, "Only the likeliest tokens that make up the share P (default: 1, all)", 0},
    {"seed", KEY_SEED, "N", 0, "Seed of the sampling (default: 0)", 0},
    {"weights", KEY_WEIGHTS, "T", 0,
     "What products read their weights in after the prompt: f32 (default), bf16 or int8", 0},
    {"raw", KEY_RAW, NULL, 0, "Print the new text alone, without the prompt and without figures", 0},
    {"threads", 't', "N", 0, "Threads (default: all cores)", 0},
    {"isa", KEY_ISA, "SET", 0,
     "Compile for base, avx2, avx512, avx512bf16 or amx (default: the best of this machine)", 0},
    {0},
};

static long whole(struct argp_state *state, const char *name, const char *arg, long low, long high) {
    char *end;
    long n = strtol(arg, &end, 10);
    if (end == arg || *end || n < low || n > high)
        argp_error(state, "--%s takes a number from %ld to %ld, not `%s`", name, low, high, arg);
    return n;
}

static double real(struct argp_state *state, const char *name, const char *arg, double above) {
    char *end;
    double x = strtod(arg, &end);
    if (end == arg || *end || !(x >= above) || isinf(x))
        argp_error(state, "--%s takes a number of at least %g, not `%s`", name, above, arg);
    return x;
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    generate_arguments *a = state->input;
    tct_sampling *s = &a->o.sampling;
    switch (key) {
    case KEY_MODEL:
        a->model = arg;
        return 0;
    case KEY_PROMPT:
        a->prompt = arg;
        return 0;
    case KEY_MAX_NEW:
        a->o.max_new = whole(state, "max-new", arg, 1, 1000000);
        return 0;
    case KEY_TEMPERATURE:
        s->temperature = real(state, "temperature", arg, 0);
        return 0;
    case KEY_TOP_K:
        s->top_k = whole(state, "top-k", arg, 0, INT32_MAX);
        return 0;
    case KEY_TOP_P:
        s->top_p = real(state, "top-p", arg, 1e-9);
        return 0;
    case KEY_SEED:
        s->seed = (uint64_t)whole(state, "seed", arg, 0, 0x7fffffffffffffff);
        return 0;
    case KEY_WEIGHTS:
        if (strcmp(arg, "f32") != 0 && strcmp(arg, "bf16") != 0 && strcmp(arg, "int8") != 0)
            argp_error(state, "--weights takes f32, bf16 or int8, not `%s`", arg);
        a->weights = arg;
        return 0;
    case KEY_RAW:
        a->raw = true;
        return 0;
    case 't':
        a->threads = (int)whole(state, "threads", arg, 1, 1024);
        return 0;
    case KEY_ISA:
        a->isa = arg;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->jit;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "`%s` is no option; the prompt goes after --prompt", arg);
        return 0;
    case ARGP_KEY_END:
        if (!a->model) argp_error(state, "--model DIR is needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

// The pipeline of std/tools/generate.tct for the folder, and the longest text that the model can take.
static const char *family_of(tct_diag *d, const char *folder, int64_t *context) {
    tct_hf_model *hf = tct_hf_open(d, folder);
    if (!hf) return NULL;
    static const struct {
        const char *type, *pipeline, *context;
    } families[] = {{"gpt2", "gpt2", "n_positions"},
                    {"llama", "llama", "max_position_embeddings"},
                    {"qwen2", "qwen2", "max_position_embeddings"}};
    const char *type = json_string_value(json_object_get(tct_hf_config(hf), "model_type")), *found = NULL;
    for (size_t i = 0; type && i < sizeof families / sizeof *families; i++) {
        if (strcmp(type, families[i].type) != 0) continue;
        if (tct_hf_config_int(d, hf, families[i].context, 1, INT32_MAX, -1, context))
            found = families[i].pipeline;
        tct_hf_close(hf);
        return found;
    }
    tct_error(d, "E0714", TCT_NO_SPAN,
              "%s/config.json: \"model_type\" is %s%s%s, which the library has no model for", folder,
              type ? "\"" : "", type ? type : "missing", type ? "\"" : "");
    tct_help(d, "std/model has gpt2, llama and qwen2");
    tct_hf_close(hf);
    return NULL;
}

// The prompt's tokens, with the template's before them; an empty text is the beginning-of-text token alone.
static bool encode(tct_diag *d, const tct_tokenizer *t, const char *text, tct_ids *out) {
    if (!tct_tokenizer_encode(d, t, text, strlen(text), TCT_ENCODE_PREFIX, out)) return false;
    int32_t bos = tct_tokenizer_special(t, TCT_BOS);
    if (out->len == 0 && bos >= 0) TCT_PUSH(out, bos);
    if (out->len) return true;
    tct_error(d, "E0707", TCT_NO_SPAN,
              "the prompt has no tokens, and the tokenizer has no token that begins a text");
    tct_help(d, "give some text with --prompt");
    return false;
}

typedef struct stream {
    tct_decoder decoder;
    tct_buf text;
    int64_t tokens;
} stream;

static void flush_text(stream *s) {
    if (s->text.len) fwrite(s->text.data, 1, s->text.len, stdout);
    fflush(stdout);
    s->text.len = 0;
}

static bool print_token(void *context, int64_t row, int32_t token) {
    (void)row;
    stream *s = context;
    s->tokens++;
    tct_decoder_push(&s->decoder, token, &s->text);
    flush_text(s);
    return true;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// The description of the model that the program generates with.
static const tct_model_desc *generated_with(const tct_program *p) {
    for (uint32_t i = 0; i < p->n_calls; i++)
        if (p->calls[i].builtin == TCT_BUILTIN_GENERATE)
            return &p->models[p->regs[p->calls[i].args[0]].table];
    return NULL;
}

// What the run needs besides the program.
typedef struct session {
    const tct_model_desc *desc;
    tct_tensor *params;
    tct_pool *pool;
    tct_generate_room *room;
    void *arena, **pointers;
} session;

static bool open_session(tct_diag *d, const generate_arguments *a, const tct_program *p, session *s) {
    const tct_generator *g = &p->generators[0];
    uint64_t bytes = tct_generate_arena(g, p->plans);
    s->desc = generated_with(p);
    s->params = tct_params_new(d, s->desc);
    if (!s->params || !tct_params_load(d, s->desc, a->model, s->params)) return false;
    s->pool = tct_pool_new(a->threads);
    s->room = tct_generate_open(d, s->pool, g, p->plans);
    s->arena = tct_try_alloc(bytes + 64, 64);
    s->pointers = tct_alloc((s->desc->n_params + 1) * sizeof *s->pointers);
    for (uint32_t i = 0; i < s->desc->n_params; i++) s->pointers[i] = s->params[i].data;
    if (!s->arena)
        tct_error(d, "E0801", TCT_NO_SPAN, "no memory for %.1f MB of intermediate results",
                  (double)bytes / 1e6);
    return s->arena && s->room;
}

static void close_session(session *s) {
    tct_generate_close(s->room);
    tct_pool_free(s->pool);
    if (s->desc) tct_params_free(s->desc, s->params);
    free(s->arena);
    free(s->pointers);
}

static bool generate(tct_diag *d, const generate_arguments *a, const tct_program *p, const tct_tokenizer *t,
                     const tct_ids *ids) {
    session s = {0};
    stream out = {.decoder = {.tokenizer = t,
                              .flags = TCT_DECODE_SKIP_SPECIAL | (*a->prompt ? TCT_DECODE_CONTINUE : 0)}};
    if (!open_session(d, a, p, &s)) {
        close_session(&s);
        return false;
    }
    int32_t length = (int32_t)ids->len, rolled_length, prompt_length;
    size_t width = ids->len + (size_t)a->o.max_new;
    bool ended;
    tct_rollout rollout = {
        .tokens = tct_alloc(width * sizeof(int32_t)),
        .target = tct_alloc(width * sizeof(int32_t)),
        .mask = tct_alloc(width * sizeof(bool)),
        .logp = tct_alloc(width * sizeof(float)),
        .length = &rolled_length,
        .prompt_length = &prompt_length,
        .ended = &ended,
    };
    tct_generate_options o = a->o;
    o.eos = tct_tokenizer_eos_ids(t, &o.n_eos);
    o.on_token = print_token;
    o.context = &out;
    if (!a->raw) fputs(a->prompt, stdout);
    double start = now();
    bool ok = tct_generate(d, s.pool, s.room, s.pointers, s.desc->n_params, s.arena, ids->data, &length, &o,
                           &rollout);
    double seconds = now() - start;
    tct_decoder_finish(&out.decoder, &out.text);
    flush_text(&out);
    if (ok && !a->raw) {
        printf("\n");
        fprintf(stderr, "%lld tokens in %.2f s, %.1f a second%s\n", (long long)out.tokens, seconds,
                (double)out.tokens / seconds, ended ? "" : "; stopped by --max-new");
    }
    tct_buf_free(&out.text);
    free(rollout.tokens);
    free(rollout.target);
    free(rollout.mask);
    free(rollout.logp);
    close_session(&s);
    return ok;
}

static bool run(tct_diag *d, const generate_arguments *a, const tct_tokenizer *t) {
    int64_t context = 0;
    tct_ids ids = {0};
    tct_compiled c = {0};
    const char *family = family_of(d, a->model, &context);
    bool ok = family && encode(d, t, a->prompt, &ids);
    if (ok && (int64_t)ids.len + a->o.max_new > context) {
        ok = tct_error(d, "E0710", TCT_NO_SPAN,
                       "a prompt of %zu tokens and %lld new ones are more than the model's %lld", ids.len,
                       (long long)a->o.max_new, (long long)context);
        tct_help(d, "--max-new %lld is the most that fits",
                 (long long)(context > (int64_t)ids.len ? context - (int64_t)ids.len : 0));
    }
    if (ok) {
        char *folder = realpath(a->model, NULL);
        tct_setting sets[] = {{"model", folder ? folder : a->model},
                              {"length", tct_arena_printf(&d->arena, "%zu", ids.len)},
                              {"new", tct_arena_printf(&d->arena, "%lld", (long long)a->o.max_new)},
                              {"weights", a->weights}};
        tct_compile_request request = {
            .file = tct_path_join(&d->arena, tct_std_dir(&d->arena), "tools/generate.tct"),
            .pipeline = family,
            .sets = sets,
            .n_sets = 4,
            .threads = a->threads,
            .isa = a->isa,
            .jit = a->jit};
        ok = tct_program_compile(d, &request, &c) && generate(d, a, &c.draft->program, t, &ids);
        free(folder);
    }
    tct_compiled_free(&c);
    TCT_VEC_FREE(&ids);
    return ok;
}

int tct_cmd_generate(int argc, char **argv) {
    static const struct argp_child shared[] = {{&tct_jit_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options, parse_option, "",  "Continues a prompt with a model from a Hugging Face folder.",
        shared,  NULL,         NULL};
    generate_arguments a = {
        .prompt = "", .weights = "f32", .o = {.max_new = 128, .sampling = {.temperature = 1, .top_p = 1}}};
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    tct_diag d = {.max_errors = TCT_MAX_ERRORS};
    tct_tokenizer *t = tct_tokenizer_open(&d, a.model);
    if (t) run(&d, &a, t);
    tct_tokenizer_close(t);
    return tct_report(&d);
}
