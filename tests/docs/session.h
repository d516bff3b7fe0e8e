// What a reader does at a terminal: commands in a copy of the repository's root made of links, so that what
// they write stays out of it. A page has one session; its current folder lasts from command to command.
#ifndef TERCET_TESTS_DOCS_SESSION_H
#define TERCET_TESTS_DOCS_SESSION_H

#include "base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct tct_session {
    tct_arena arena;
    const char *folder;
} tct_session;

static void session_open(tct_session *s) {
    *s = (tct_session){0};
    char folder[] = "/tmp/tercet-docs-XXXXXX";
    assert_non_null(mkdtemp(folder));
    s->folder = tct_arena_printf(&s->arena, "%s", folder);
    assert_int_equal(mkdir(tct_arena_printf(&s->arena, "%s/root", folder), 0700), 0);
    DIR *root = opendir(TERCET_SOURCE_DIR);
    assert_non_null(root);
    for (const struct dirent *entry; (entry = readdir(root));) {
        const char *name = entry->d_name;
        if (name[0] == '.' || strncmp(name, "build", 5) == 0 || strcmp(name, "runs") == 0) continue;
        assert_int_equal(symlink(tct_arena_printf(&s->arena, "%s/%s", TERCET_SOURCE_DIR, name),
                                 tct_arena_printf(&s->arena, "%s/root/%s", folder, name)),
                         0);
    }
    closedir(root);
    FILE *at = fopen(tct_arena_printf(&s->arena, "%s/at", folder), "w");
    assert_non_null(at);
    fprintf(at, "%s/root\n", folder);
    fclose(at);
}

static void session_close(tct_session *s) {
    assert_int_equal(system(tct_arena_printf(&s->arena, "rm -rf %s", s->folder)), 0);
    tct_arena_free(&s->arena);
}

// Writes a file into the current folder.
static void session_write(tct_session *s, const char *name, const char *text, size_t len) {
    char at[4096];
    FILE *file = fopen(tct_arena_printf(&s->arena, "%s/at", s->folder), "r");
    assert_non_null(file);
    assert_non_null(fgets(at, sizeof at, file));
    fclose(file);
    at[strcspn(at, "\n")] = 0;
    file = fopen(tct_arena_printf(&s->arena, "%s/%s", at, name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
}

// Runs a command in the current folder; appends what it writes on both its outputs.
static void session_run(tct_session *s, const char *command, tct_buf *got) {
    const char *script = tct_arena_printf(&s->arena, "%s/command", s->folder);
    FILE *file = fopen(script, "w");
    assert_non_null(file);
    fprintf(file, "cd -- \"$(cat %s/at)\" || exit\n%s\npwd > %s/at\n", s->folder, command, s->folder);
    fclose(file);
    FILE *pipe = popen(tct_arena_printf(&s->arena, "sh %s 2>&1 </dev/null", script), "r");
    assert_non_null(pipe);
    char chunk[4096];
    for (size_t k; (k = fread(chunk, 1, sizeof chunk, pipe)) > 0;) tct_buf_add(got, chunk, k);
    pclose(pipe);
    tct_buf_puts(got, "");
}

#endif
