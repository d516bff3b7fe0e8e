#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool tct_file_read(tct_diag *d, const char *path, char **out, size_t *out_len) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        tct_error(d, "E0701", TCT_NO_SPAN, "cannot open %s: %s", path, strerror(errno));
        if (fd >= 0) close(fd);
        return false;
    }
    if (S_ISDIR(st.st_mode)) {
        close(fd);
        return tct_error(d, "E0701", TCT_NO_SPAN, "%s is a folder, a file was expected", path);
    }
    enum { MAX_DEVICE = 64 << 20 }; // bytes: /dev/zero doesn't end
    bool endless = false;
    tct_buf b = {0};
    char chunk[65536];
    ssize_t n;
    while (!endless && ((n = read(fd, chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR))) {
        if (n > 0) tct_buf_add(&b, chunk, (size_t)n);
        endless = S_ISCHR(st.st_mode) && b.len > MAX_DEVICE;
    }
    int failed = n < 0 ? errno : 0;
    close(fd);
    if (endless) {
        tct_buf_free(&b);
        return tct_error(d, "E0701", TCT_NO_SPAN, "%s is a device that doesn't end, a file was expected",
                         path);
    }
    if (failed) {
        tct_buf_free(&b);
        return tct_error(d, "E0701", TCT_NO_SPAN, "cannot read %s: %s", path, strerror(failed));
    }
    if (!b.data) tct_buf_add(&b, "", 0);
    *out = b.data;
    if (out_len) *out_len = b.len;
    return true;
}

struct tct_file_writer {
    char *path, *temporary;
    int fd;
};

static void writer_free(tct_file_writer *w) {
    if (w->fd >= 0) close(w->fd);
    free(w->path);
    free(w->temporary);
    free(w);
}

tct_file_writer *tct_file_writer_open(tct_diag *d, const char *path) {
    // The new file takes the place of what is there, so that must be a file.
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        tct_error(d, "E0702", TCT_NO_SPAN, "cannot write %s: it is %s, not a file", path,
                  S_ISDIR(st.st_mode) ? "a folder" : "a device or a pipe");
        return NULL;
    }
    tct_file_writer *w = tct_alloc(sizeof *w);
    tct_buf name = {0};
    tct_buf_printf(&name, "%s.tmp%ld", path, (long)getpid());
    w->path = tct_strdup(path);
    w->temporary = name.data;
    w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (w->fd < 0) {
        tct_error(d, "E0702", TCT_NO_SPAN, "cannot write %s: %s", path, strerror(errno));
        writer_free(w);
        return NULL;
    }
    return w;
}

bool tct_file_writer_add(tct_diag *d, tct_file_writer *w, const void *data, size_t len) {
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(w->fd, p, len < (1u << 30) ? len : (1u << 30));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return tct_error(d, "E0702", TCT_NO_SPAN, "cannot write %s: %s", w->path, strerror(errno));
        p += n;
        len -= (size_t)n;
    }
    return true;
}

bool tct_file_writer_commit(tct_diag *d, tct_file_writer *w) {
    bool ok = fsync(w->fd) == 0 || errno == EINVAL; // EINVAL: a pipe or a special file
    if (ok) {
        int fd = w->fd;
        w->fd = -1;
        ok = close(fd) == 0 && rename(w->temporary, w->path) == 0;
    }
    if (!ok) {
        tct_error(d, "E0702", TCT_NO_SPAN, "cannot write %s: %s", w->path, strerror(errno));
        unlink(w->temporary);
    }
    writer_free(w);
    return ok;
}

void tct_file_writer_abandon(tct_file_writer *w) {
    unlink(w->temporary);
    writer_free(w);
}

bool tct_file_write(tct_diag *d, const char *path, const void *data, size_t len) {
    tct_file_writer *w = tct_file_writer_open(d, path);
    if (!w) return false;
    if (!tct_file_writer_add(d, w, data, len)) {
        tct_file_writer_abandon(w);
        return false;
    }
    return tct_file_writer_commit(d, w);
}

bool tct_make_dir(tct_diag *d, const char *path) {
    char *p = tct_strdup(path);
    bool ok = true;
    for (char *s = p; ok && *s; s++) {
        bool last = s[1] == 0;
        if (*s != '/' && !last) continue;
        if (*s == '/' && s == p) continue;
        char keep = last ? 0 : *s;
        if (!last) *s = 0;
        if (mkdir(p, 0755) != 0 && errno != EEXIST)
            ok = tct_error(d, "E0702", TCT_NO_SPAN, "cannot make folder %s: %s", path, strerror(errno));
        if (!last) *s = keep;
    }
    free(p);
    return ok;
}

bool tct_file_map(tct_diag *d, const char *path, tct_mapping *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    *out = (tct_mapping){0};
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        int why = errno;
        bool regular = fd < 0;
        if (fd >= 0) close(fd);
        return tct_error(d, "E0701", TCT_NO_SPAN, "cannot open %s: %s", path,
                         regular ? strerror(why) : "not a regular file");
    }
    if (st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            int why = errno;
            close(fd);
            return tct_error(d, "E0701", TCT_NO_SPAN, "cannot map %s: %s", path, strerror(why));
        }
        out->data = p;
        out->len = (size_t)st.st_size;
    }
    close(fd);
    return true;
}

void tct_file_unmap(tct_mapping *m) {
    if (m->data) munmap((void *)(uintptr_t)m->data, m->len);
    *m = (tct_mapping){0};
}

const char *tct_path_join(tct_arena *a, const char *dir, const char *name) {
    if (name[0] == '/' || !dir || !dir[0]) return tct_arena_strdup(a, name);
    return tct_arena_printf(a, dir[strlen(dir) - 1] == '/' ? "%s%s" : "%s/%s", dir, name);
}

const char *tct_path_dir(tct_arena *a, const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return ".";
    return tct_arena_strndup(a, path, slash == path ? 1 : (size_t)(slash - path));
}

const char *tct_program_folder(tct_arena *a) {
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0) return ".";
    path[n] = 0;
    return tct_path_dir(a, path);
}
