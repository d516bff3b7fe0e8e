// The components of tokenizer.json: normalizer, pre_tokenizer, post_processor and decoder, each read into a
// list of steps. A component or an option that isn't known here is an error that names it.
#include "runtime/tokenizer_internal.h"
#include "runtime/utf8.h"

#include <string.h>
#include <utf8proc.h>

// What is being read, for messages.
typedef struct place {
    tct_diag *d;
    tct_tokenizer *t;
    const char *part; // "normalizer", …
} place;

static bool refuse(const place *p, const char *what) {
    return tct_error(p->d, "E0706", TCT_NO_SPAN, "%s: %s: %s", p->t->label, p->part, what);
}

static bool get_bool(const place *p, json_t *o, const char *key, bool fallback, bool *out) {
    json_t *v = json_object_get(o, key);
    *out = v ? json_is_true(v) : fallback;
    return !v || json_is_boolean(v) ||
           tct_error(p->d, "E0706", TCT_NO_SPAN, "%s: %s: '%s' must be true or false", p->t->label, p->part,
                     key);
}

static bool get_text(const place *p, json_t *o, const char *key, const char *fallback, tct_tok_step *s) {
    json_t *v = json_object_get(o, key);
    const char *text = v ? json_string_value(v) : fallback;
    if (!text)
        return tct_error(p->d, "E0706", TCT_NO_SPAN, "%s: %s: '%s' must be a string", p->t->label, p->part,
                         key);
    s->text = tct_arena_strdup(&p->t->arena, text);
    s->text_len = strlen(text);
    return true;
}

static bool compile(const place *p, const char *pattern, bool literal, tct_tok_step *s) {
    s->re =
        tct_tok_regex(p->d, tct_arena_printf(&p->t->arena, "%s: %s", p->t->label, p->part), pattern, literal);
    return s->re != NULL;
}

// {"String": …} or {"Regex": …}
static bool get_pattern(const place *p, json_t *o, tct_tok_step *s) {
    json_t *v = json_object_get(o, "pattern");
    const char *text = json_string_value(json_object_get(v, "String"));
    const char *regex = json_string_value(json_object_get(v, "Regex"));
    if ((!text || !text[0]) && !regex)
        return refuse(p, "'pattern' must be {\"String\": …} or {\"Regex\": …}");
    return compile(p, text ? text : regex, text != NULL, s);
}

static bool get_count(const place *p, json_t *o, const char *key, int *out) {
    json_t *v = json_object_get(o, key);
    json_int_t n = json_is_integer(v) ? json_integer_value(v) : -1;
    if (n < 0 || n > 1000)
        return tct_error(p->d, "E0706", TCT_NO_SPAN, "%s: %s: '%s' must be a whole number from 0 to 1000",
                         p->t->label, p->part, key);
    *out = (int)n;
    return true;
}

// The one character of Metaspace and how it is put before words, in all the spellings that files have.
static bool get_metaspace(const place *p, json_t *o, tct_tok_step *s) {
    bool prefix, split;
    if (!get_text(p, o, "replacement", "\xE2\x96\x81", s) ||
        !get_bool(p, o, "add_prefix_space", true, &prefix) || !get_bool(p, o, "split", true, &split))
        return false;
    if (s->text_len == 0 || tct_utf8_len((unsigned char)s->text[0]) != s->text_len)
        return refuse(p, "Metaspace's 'replacement' must be one character");
    json_t *v = json_object_get(o, "prepend_scheme");
    const char *scheme = v ? json_string_value(v) : prefix ? "always" : "never";
    s->kind = TCT_TOK_METASPACE;
    s->whole = !split;
    if (scheme && strcmp(scheme, "always") == 0)
        s->where = TCT_TOK_ALWAYS;
    else if (scheme && strcmp(scheme, "first") == 0)
        s->where = TCT_TOK_FIRST;
    else if (scheme && strcmp(scheme, "never") == 0)
        s->where = TCT_TOK_NEVER;
    else
        return refuse(p, "Metaspace's 'prepend_scheme' must be always, first or never");
    return compile(p, s->text, true, s);
}

typedef bool (*reader)(const place *p, const char *type, json_t *o, tct_tok_steps *out);

// Reads a component: null, one of `read`'s kinds, or a Sequence of them under `list`.
static bool read_component(const place *p, json_t *o, const char *list, int depth, reader read,
                           tct_tok_steps *out) {
    if (!o || json_is_null(o)) return true;
    const char *type = json_string_value(json_object_get(o, "type"));
    if (!type) return refuse(p, "an object with a 'type' was expected");
    if (strcmp(type, "Sequence") != 0) return read(p, type, o, out);
    json_t *items = json_object_get(o, list), *item;
    size_t i;
    if (!json_is_array(items) || depth > 8)
        return tct_error(p->d, "E0706", TCT_NO_SPAN, "%s: %s: a Sequence needs a list '%s', at most 8 deep",
                         p->t->label, p->part, list);
    json_array_foreach(items, i, item) {
        if (!read_component(p, item, list, depth + 1, read, out)) return false;
    }
    return true;
}

static bool unknown(const place *p, const char *type) {
    return tct_error(p->d, "E0706", TCT_NO_SPAN, "%s: the %s '%s' is not supported", p->t->label, p->part,
                     type);
}

// Appends the step even when it failed, so that what it holds is released with the tokenizer.
static bool add(tct_tok_steps *out, tct_tok_step s, bool ok) {
    TCT_PUSH(out, s);
    return ok;
}

static bool read_normalizer(const place *p, const char *type, json_t *o, tct_tok_steps *out) {
    tct_tok_step s = {0};
    static const struct {
        const char *name;
        int options;
    } forms[] = {
        {"NFC", UTF8PROC_STABLE | UTF8PROC_COMPOSE},
        {"NFD", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE},
        {"NFKC", UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
        {"NFKD", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(type, forms[i].name) == 0)
            return add(out, (tct_tok_step){.kind = TCT_TOK_UNICODE, .form = forms[i].options}, true);
    if (strcmp(type, "Prepend") == 0) {
        s.kind = TCT_TOK_PREPEND;
        bool ok = get_text(p, o, "prepend", NULL, &s);
        return add(out, s, ok);
    }
    if (strcmp(type, "Replace") == 0) {
        s.kind = TCT_TOK_REPLACE;
        bool ok = get_text(p, o, "content", NULL, &s) && get_pattern(p, o, &s);
        return add(out, s, ok);
    }
    return unknown(p, type);
}

static bool read_split(const place *p, json_t *o, tct_tok_step *s) {
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext",
                                        "Contiguous"};
    const char *behavior = json_string_value(json_object_get(o, "behavior"));
    int found = -1;
    for (int i = 0; behavior && i < 5; i++)
        if (strcmp(behavior, names[i]) == 0) found = i;
    if (found < 0) return refuse(p, "Split's 'behavior' is not one of those that are known");
    s->split = (tct_tok_split)found;
    return get_bool(p, o, "invert", false, &s->invert) && get_pattern(p, o, s);
}

static bool read_splitter(const place *p, const char *type, json_t *o, tct_tok_steps *out) {
    tct_tok_step s = {.kind = TCT_TOK_SPLIT};
    bool flag, ok;
    if (strcmp(type, "ByteLevel") == 0) {
        bool space;
        s.kind = TCT_TOK_BYTES;
        ok = get_bool(p, o, "add_prefix_space", true, &space) && get_bool(p, o, "use_regex", true, &flag) &&
             (!flag || compile(p, tct_tok_gpt2_pattern, false, &s));
        s.where = ok && space ? TCT_TOK_ALWAYS : TCT_TOK_NEVER;
    } else if (strcmp(type, "Metaspace") == 0) {
        ok = get_metaspace(p, o, &s);
    } else if (strcmp(type, "Split") == 0) {
        ok = read_split(p, o, &s);
    } else if (strcmp(type, "Digits") == 0) {
        ok = get_bool(p, o, "individual_digits", false, &flag) && compile(p, "\\p{N}", false, &s);
        s.split = ok && flag ? TCT_TOK_ISOLATED : TCT_TOK_CONTIGUOUS;
    } else if (strcmp(type, "WhitespaceSplit") == 0) {
        s.split = TCT_TOK_REMOVED;
        ok = compile(p, "\\s", false, &s);
    } else if (strcmp(type, "Whitespace") == 0) {
        s.invert = true;
        s.split = TCT_TOK_REMOVED;
        ok = compile(p, "\\w+|[^\\w\\s]+", false, &s);
    } else {
        return unknown(p, type);
    }
    return add(out, s, ok);
}

static bool read_decoder(const place *p, const char *type, json_t *o, tct_tok_steps *out) {
    tct_tok_step s = {0};
    bool ok = true;
    if (strcmp(type, "ByteLevel") == 0) {
        s.kind = TCT_TOK_BYTES;
    } else if (strcmp(type, "Metaspace") == 0) {
        ok = get_metaspace(p, o, &s);
    } else if (strcmp(type, "Replace") == 0) {
        s.kind = TCT_TOK_REPLACE;
        ok = get_text(p, o, "content", NULL, &s) && get_pattern(p, o, &s);
    } else if (strcmp(type, "ByteFallback") == 0) {
        s.kind = TCT_TOK_FALLBACK;
    } else if (strcmp(type, "Fuse") == 0) {
        s.kind = TCT_TOK_FUSE;
    } else if (strcmp(type, "Strip") == 0) {
        s.kind = TCT_TOK_STRIP;
        ok = get_text(p, o, "content", NULL, &s) && get_count(p, o, "start", &s.start) &&
             get_count(p, o, "stop", &s.stop);
        if (ok && (s.text_len == 0 || tct_utf8_len((unsigned char)s.text[0]) != s.text_len))
            ok = refuse(p, "Strip's 'content' must be one character");
    } else {
        return unknown(p, type);
    }
    return add(out, s, ok);
}

// Orders of steps that can't be decoded as tokens come: one Fuse at most and only a Strip after it, one
// ByteFallback, ByteLevel alone.
static bool check_decoder(const place *p) {
    tct_tok_steps *s = &p->t->decoder;
    int fuse = 0, fallback = 0, after = 0, bytes = 0;
    for (size_t i = 0; i < s->len; i++) {
        tct_tok_kind k = s->data[i].kind;
        if (fuse && (k != TCT_TOK_STRIP || ++after > 1)) return refuse(p, "only one Strip can follow Fuse");
        fuse += k == TCT_TOK_FUSE;
        fallback += k == TCT_TOK_FALLBACK;
        bytes += k == TCT_TOK_BYTES;
    }
    if (fallback > 1) return refuse(p, "ByteFallback occurs twice");
    if (bytes && s->len > 1) return refuse(p, "ByteLevel must be the only decoder");
    return true;
}

// The special tokens that a template puts before ({"Sequence"} seen: after) the text.
static bool read_template(const place *p, json_t *o) {
    json_t *single = json_object_get(o, "single"), *tokens = json_object_get(o, "special_tokens"), *item, *id;
    tct_ids before = {0}, after = {0};
    size_t i, k;
    bool seen = false, ok = json_is_array(single);
    json_array_foreach(single, i, item) {
        json_t *special = json_object_get(item, "SpecialToken");
        const char *name = json_string_value(json_object_get(special, "id"));
        json_t *ids = name ? json_object_get(json_object_get(tokens, name), "ids") : NULL;
        if (json_object_get(item, "Sequence")) {
            ok = ok && !seen;
            seen = true;
        } else if (!json_is_array(ids)) {
            ok = false;
        }
        json_array_foreach(ids, k, id) {
            json_int_t v = json_is_integer(id) ? json_integer_value(id) : -1;
            ok = ok && v >= 0 && v < (json_int_t)p->t->vocab.tokens.len && p->t->vocab.tokens.data[v].text;
            if (!ok) break;
            if (seen)
                TCT_PUSH(&after, (int32_t)v);
            else
                TCT_PUSH(&before, (int32_t)v);
        }
    }
    ok = ok && seen;
    if (!ok)
        refuse(p, "TemplateProcessing's 'single' must be one Sequence and special tokens of the vocabulary");
    // A later template goes around an earlier one.
    for (i = 0; i < p->t->prefix.len; i++) TCT_PUSH(&before, p->t->prefix.data[i]);
    for (i = 0; i < after.len; i++) TCT_PUSH(&p->t->suffix, after.data[i]);
    TCT_VEC_FREE(&p->t->prefix);
    TCT_VEC_FREE(&after);
    p->t->prefix.data = before.data;
    p->t->prefix.len = before.len;
    p->t->prefix.cap = before.cap;
    return ok;
}

static bool read_post(const place *p, const char *type, json_t *o, tct_tok_steps *out) {
    (void)out;
    if (strcmp(type, "ByteLevel") == 0) return true; // moves offsets, not tokens
    if (strcmp(type, "TemplateProcessing") == 0) return read_template(p, o);
    return unknown(p, type);
}

bool tct_tok_load(tct_diag *d, tct_tokenizer *t, json_t *root) {
    static const char *const known[] = {"version",        "truncation", "padding",
                                        "added_tokens",   "normalizer", "pre_tokenizer",
                                        "post_processor", "decoder",    "model"};
    const char *key;
    json_t *value;
    if (!json_is_object(root))
        return tct_error(d, "E0706", TCT_NO_SPAN, "%s: a JSON object was expected", t->label);
    json_object_foreach(root, key, value) {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) found |= strcmp(key, known[i]) == 0;
        if (!found)
            return tct_error(d, "E0706", TCT_NO_SPAN, "%s: the part '%s' is not supported", t->label, key);
    }
    place normalizer = {d, t, "normalizer"}, splitter = {d, t, "pre_tokenizer"},
          post = {d, t, "post_processor"}, decoder = {d, t, "decoder"};
    json_t *decoding = json_object_get(root, "decoder");
    if (!decoding || json_is_null(decoding)) TCT_PUSH(&t->decoder, (tct_tok_step){.kind = TCT_TOK_SPACED});
    return tct_tok_load_model(d, t, json_object_get(root, "model")) &&
           read_component(&normalizer, json_object_get(root, "normalizer"), "normalizers", 0, read_normalizer,
                          &t->normalizer) &&
           read_component(&splitter, json_object_get(root, "pre_tokenizer"), "pretokenizers", 0,
                          read_splitter, &t->splitter) &&
           read_component(&decoder, decoding, "decoders", 0, read_decoder, &t->decoder) &&
           check_decoder(&decoder) && tct_tok_load_added(d, t, json_object_get(root, "added_tokens")) &&
           read_component(&post, json_object_get(root, "post_processor"), "processors", 0, read_post, NULL);
}
