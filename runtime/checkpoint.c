#include "runtime/checkpoint.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { CHECKPOINT_VERSION = 1 };
static const char *const format_name = "tercet checkpoint";
static const char *const files[] = {"machine.json", "tensors.safetensors"};
enum { N_FILES = sizeof files / sizeof *files };

// "folder/name.suffix/file"; file may be NULL.
static const char *path_of(tct_arena *a, const char *folder, const char *name, const char *suffix,
                           const char *file) {
    return tct_arena_printf(a, "%s/%s%s%s%s", folder, name, suffix, file ? "/" : "", file ? file : "");
}

const char *tct_checkpoint_tensors_path(tct_arena *a, const char *folder, const char *name) {
    return path_of(a, folder, name, ".tmp", files[1]);
}

// Checkpoints are flat; a file that is not ours in there is removed as well.
static bool remove_folder(tct_diag *d, const char *path) {
    DIR *dir = opendir(path);
    if (!dir && errno == ENOENT) return true;
    tct_arena scratch = {0};
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            unlink(tct_path_join(&scratch, path, e->d_name));
    if (dir) closedir(dir);
    tct_arena_free(&scratch);
    if (rmdir(path) == 0) return true;
    return tct_error(d, "E0702", TCT_NO_SPAN, "cannot remove the old checkpoint %s: %s", path,
                     strerror(errno));
}

static void sync_folder(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

bool tct_checkpoint_begin(tct_diag *d, const char *folder, const char *name) {
    tct_arena scratch = {0};
    const char *path = path_of(&scratch, folder, name, ".tmp", NULL);
    bool ok = remove_folder(d, path) && tct_make_dir(d, path);
    tct_arena_free(&scratch);
    return ok;
}

// Puts name.tmp in the place of name. Between the two renames the old one is name.old, where opening finds
// it.
static bool swap_in(tct_diag *d, const char *folder, const char *name) {
    tct_arena scratch = {0};
    const char *now = path_of(&scratch, folder, name, "", NULL),
               *fresh = path_of(&scratch, folder, name, ".tmp", NULL),
               *old = path_of(&scratch, folder, name, ".old", NULL);
    sync_folder(fresh);
    bool there = access(now, F_OK) == 0;
    // A stale .old is only worth keeping while there is nothing newer under the name.
    bool ok = !there || remove_folder(d, old);
    if (ok && there && rename(now, old) != 0)
        ok = tct_error(d, "E0702", TCT_NO_SPAN, "cannot move %s: %s", now, strerror(errno));
    if (ok && rename(fresh, now) != 0)
        ok = tct_error(d, "E0702", TCT_NO_SPAN, "cannot write %s: %s", now, strerror(errno));
    if (ok) {
        sync_folder(folder);
        ok = remove_folder(d, old);
    }
    tct_arena_free(&scratch);
    return ok;
}

static json_t *describe_file(tct_diag *d, const char *path) {
    tct_mapping m;
    if (!tct_file_map(d, path, &m)) return NULL;
    char hash[17];
    snprintf(hash, sizeof hash, "%016" PRIx64, (uint64_t)XXH3_64bits(m.data, m.len));
    json_t *about = json_pack("{s:I, s:s}", "bytes", (json_int_t)m.len, "xxh3", hash);
    tct_file_unmap(&m);
    return about;
}

static json_t *manifest_of(const tct_checkpoint_owner *owner) {
    char hash[17], seed[24];
    snprintf(hash, sizeof hash, "%016" PRIx64, owner->program->hash);
    snprintf(seed, sizeof seed, "%" PRIu64, owner->seed);
    json_t *config = json_object();
    for (uint32_t i = 0; i < owner->program->n_config; i++)
        json_object_set_new(config, owner->program->config[i].name,
                            json_string(owner->program->config[i].value));
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:o}", "format", format_name, "version", CHECKPOINT_VERSION,
                     "program", hash, "pipeline", owner->program->name, "seed", seed, "config", config);
}

static bool write_json(tct_diag *d, const char *path, const json_t *value) {
    char *text = json_dumps(value, JSON_INDENT(1));
    bool ok = text && tct_file_write(d, path, text, strlen(text));
    if (!text) tct_error(d, "E0702", TCT_NO_SPAN, "cannot write %s: it holds text that is not UTF-8", path);
    free(text);
    return ok;
}

bool tct_checkpoint_write(tct_diag *d, const char *folder, const char *name,
                          const tct_checkpoint_owner *owner, const json_t *machine,
                          tct_safetensors_writer *tensors) {
    tct_arena scratch = {0};
    bool ok = tct_safetensors_writer_finish(d, tensors) &&
              write_json(d, path_of(&scratch, folder, name, ".tmp", files[0]), machine);
    json_t *manifest = manifest_of(owner), *about = json_object();
    json_object_set_new(manifest, "files", about);
    for (int i = 0; ok && i < N_FILES; i++) {
        json_t *file = describe_file(d, path_of(&scratch, folder, name, ".tmp", files[i]));
        ok = file && json_object_set_new(about, files[i], file) == 0;
    }
    ok = ok && write_json(d, path_of(&scratch, folder, name, ".tmp", "manifest.json"), manifest) &&
         swap_in(d, folder, name);
    json_decref(manifest);
    tct_arena_free(&scratch);
    return ok;
}

static bool link_or_copy(tct_diag *d, const char *from, const char *to) {
    if (link(from, to) == 0) return true;
    tct_mapping m;
    if (!tct_file_map(d, from, &m)) return false;
    bool ok = tct_file_write(d, to, m.data, m.len);
    tct_file_unmap(&m);
    return ok;
}

bool tct_checkpoint_keep(tct_diag *d, const char *folder, const char *name, const char *as) {
    tct_arena scratch = {0};
    bool ok = tct_checkpoint_begin(d, folder, as);
    const char *all[] = {files[0], files[1], "manifest.json"};
    for (int i = 0; ok && i < 3; i++)
        ok = link_or_copy(d, path_of(&scratch, folder, name, "", all[i]),
                          path_of(&scratch, folder, as, ".tmp", all[i]));
    ok = ok && swap_in(d, folder, as);
    tct_arena_free(&scratch);
    return ok;
}

static bool damaged(tct_diag *d, const char *path, const char *what) {
    tct_error(d, "E0830", TCT_NO_SPAN, "the checkpoint %s is damaged: %s", path, what);
    tct_help(
        d, "start without --resume, or from a stage whose predecessor's checkpoint is whole (--from STAGE)");
    return false;
}

static json_t *read_json(tct_diag *d, const char *checkpoint, const char *path) {
    char *text;
    size_t len;
    if (!tct_file_read(d, path, &text, &len)) return NULL;
    // Texts that a model made may hold any character.
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    tct_heap_free(text);
    if (json_is_object(value)) return value;
    json_decref(value);
    damaged(d, checkpoint, tct_arena_printf(&d->arena, "%s is not a JSON object", path));
    return NULL;
}

// What follows from other values is the same when those are.
static bool same_value(const json_t *config, const tct_config_value *c) {
    if (c->derived.end && c->is_default) return true;
    const char *was = json_string_value(json_object_get(config, c->name));
    return was && strcmp(was, c->value) == 0;
}

// Names the first few configuration values that differ.
static void note_config(tct_diag *d, const json_t *config, const tct_program *p) {
    int differ = 0;
    for (uint32_t i = 0; i < p->n_config; i++) {
        const char *was = json_string_value(json_object_get(config, p->config[i].name));
        if (same_value(config, &p->config[i])) continue;
        if (differ++ < 5)
            tct_note_at(d, TCT_NO_SPAN, "%s was %s, is %s", p->config[i].name, was ? was : "not there",
                        p->config[i].value);
    }
    if (differ > 5) tct_note_at(d, TCT_NO_SPAN, "and %d more", differ - 5);
    if (!differ)
        tct_note_at(d, TCT_NO_SPAN,
                    "the configuration is the same: the program's text, the library, the "
                    "compiler or a file that it read has changed");
}

static bool check_owner(tct_diag *d, const char *path, const json_t *manifest,
                        const tct_checkpoint_owner *owner) {
    char hash[17], seed[24];
    snprintf(hash, sizeof hash, "%016" PRIx64, owner->program->hash);
    snprintf(seed, sizeof seed, "%" PRIu64, owner->seed);
    const char *format = json_string_value(json_object_get(manifest, "format"));
    const char *program = json_string_value(json_object_get(manifest, "program"));
    const char *was = json_string_value(json_object_get(manifest, "seed"));
    json_int_t version = json_integer_value(json_object_get(manifest, "version"));
    if (!format || strcmp(format, format_name) != 0 || !program || !was)
        return damaged(d, path, "its manifest.json is not one of Tercet's");
    if (version != CHECKPOINT_VERSION)
        return tct_error(d, "E0830", TCT_NO_SPAN,
                         "the checkpoint %s has version %lld; this Tercet reads version %d", path,
                         (long long)version, CHECKPOINT_VERSION);
    if (strcmp(program, hash) != 0) {
        tct_error(d, "E0831", TCT_NO_SPAN, "the checkpoint %s belongs to another program than %s", path,
                  owner->program->path);
        note_config(d, json_object_get(manifest, "config"), owner->program);
        tct_help(d, "resume with the same file and --set values, or start without --resume");
        return false;
    }
    const json_t *config = json_object_get(manifest, "config");
    bool same = true;
    for (uint32_t i = 0; i < owner->program->n_config; i++)
        same &= same_value(config, &owner->program->config[i]);
    if (!same) {
        tct_error(d, "E0831", TCT_NO_SPAN, "the checkpoint %s was made with other config values", path);
        note_config(d, config, owner->program);
        tct_help(d, "resume with the same --set values, or start without --resume");
        return false;
    }
    if (strcmp(was, seed) == 0) return true;
    tct_error(d, "E0831", TCT_NO_SPAN, "the checkpoint %s was made with --seed %s, this run has %s", path,
              was, seed);
    tct_help(d, "resume with --seed %s", was);
    return false;
}

static bool check_files(tct_diag *d, const char *path, const json_t *manifest) {
    tct_arena scratch = {0};
    bool ok = true;
    for (int i = 0; ok && i < N_FILES; i++) {
        const json_t *want = json_object_get(json_object_get(manifest, "files"), files[i]);
        const char *file = tct_path_join(&scratch, path, files[i]);
        if (access(file, F_OK) != 0) {
            ok = damaged(d, path, tct_arena_printf(&d->arena, "%s is missing", files[i]));
            continue;
        }
        json_t *found = describe_file(d, file);
        if (!found)
            ok = false;
        else if (!json_equal(found, want))
            ok = damaged(d, path, tct_arena_printf(&d->arena, "%s is not what was written", files[i]));
        json_decref(found);
    }
    tct_arena_free(&scratch);
    return ok;
}

bool tct_checkpoint_open(tct_diag *d, const char *folder, const char *name, const tct_checkpoint_owner *owner,
                         tct_checkpoint *out) {
    tct_arena scratch = {0};
    *out = (tct_checkpoint){0};
    const char *path = path_of(&scratch, folder, name, "", NULL);
    if (access(path, F_OK) != 0) path = path_of(&scratch, folder, name, ".old", NULL);
    const char *manifest_path = tct_path_join(&scratch, path, "manifest.json");
    json_t *manifest = NULL;
    bool ok = access(manifest_path, F_OK) == 0;
    if (!ok) {
        tct_error(d, "E0830", TCT_NO_SPAN, "there is no checkpoint %s/%s", folder, name);
        tct_help(d, "runs write one every few minutes and at the end of every stage; start without --resume");
    } else {
        manifest = read_json(d, path, manifest_path);
        ok = manifest && check_owner(d, path, manifest, owner) && check_files(d, path, manifest);
    }
    if (ok) out->machine = read_json(d, path, tct_path_join(&scratch, path, files[0]));
    if (out->machine) out->tensors = tct_safetensors_open(d, tct_path_join(&scratch, path, files[1]));
    json_decref(manifest);
    tct_arena_free(&scratch);
    if (out->machine && out->tensors) return true;
    tct_checkpoint_close(out);
    return false;
}

void tct_checkpoint_close(tct_checkpoint *c) {
    json_decref(c->machine);
    tct_safetensors_close(c->tensors);
    *c = (tct_checkpoint){0};
}
