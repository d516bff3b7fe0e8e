// tercet reduce: shrinks a graph for which a command fails.
#include "base/file.h"
#include "driver/driver.h"
#include "passes/reduce.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct reduce_arguments {
    const char *file, *command, *match, *output;
    double timeout;
} reduce_arguments;

enum { KEY_COMMAND = 256, KEY_MATCH, KEY_TIMEOUT };

static const struct argp_option options[] = {
    {"command", KEY_COMMAND, "COMMAND", 0,
     "Run by the shell, {} being the path of a graph. It fails when its exit status is not 0", 0},
    {"match", KEY_MATCH, "TEXT", 0, "It only fails when its output holds this text as well", 0},
    {"output", 'o', "FILE", 0,
     "Write the smallest graph there, whenever one is found (default: print it in the end)", 0},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0, "A command that takes longer has not failed (default: 60)", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    reduce_arguments *o = state->input;
    char *end;
    switch (key) {
    case KEY_COMMAND:
        o->command = arg;
        if (!strstr(arg, "{}")) argp_error(state, "--command has no {} where the graph's path goes");
        return 0;
    case KEY_MATCH:
        o->match = arg;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case KEY_TIMEOUT:
        o->timeout = strtod(arg, &end);
        if (*end || !(o->timeout > 0)) argp_error(state, "--timeout is a number of seconds, not `%s`", arg);
        return 0;
    case ARGP_KEY_INIT:
        o->timeout = 60;
        return 0;
    case ARGP_KEY_ARG:
        if (o->file) argp_error(state, "one FILE at a time");
        o->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->file) argp_error(state, "FILE is missing");
        if (!o->command) argp_error(state, "--command COMMAND is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

typedef struct session {
    tct_diag *d;
    const reduce_arguments *o;
    char folder[64];
    char graph[96], log[96]; // files in it
    char *command;           // with the path in it
    bool terminal, broken;   // broken: reported, stop asking
    int status;              // of the last run
} session;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// The command with every {} replaced; on the heap.
static char *with_path(const char *command, const char *path) {
    tct_buf out = {0};
    for (const char *at = command; *at;) {
        const char *next = strstr(at, "{}");
        tct_buf_add(&out, at, next ? (size_t)(next - at) : strlen(at));
        if (!next) break;
        tct_buf_puts(&out, path);
        at = next + 2;
    }
    return out.data;
}

static bool open_session(session *s) {
    snprintf(s->folder, sizeof s->folder, "/tmp/tercet-reduce-XXXXXX");
    if (!mkdtemp(s->folder))
        return tct_error(s->d, "E0702", TCT_NO_SPAN, "cannot make a folder in /tmp: %s", strerror(errno));
    snprintf(s->graph, sizeof s->graph, "%s/graph.tir", s->folder);
    snprintf(s->log, sizeof s->log, "%s/log", s->folder);
    s->command = with_path(s->o->command, s->graph);
    s->terminal = isatty(STDERR_FILENO);
    return true;
}

static void close_session(session *s) {
    unlink(s->graph);
    unlink(s->log);
    rmdir(s->folder);
    tct_heap_free(s->command);
}

// In the child: the shell, in a process group of its own, its output in the log.
static void become_shell(const session *s) {
    setpgid(0, 0);
    int in = open("/dev/null", O_RDONLY), out = open(s->log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (in >= 0 && out >= 0 && dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(out, 2) >= 0)
        execl("/bin/sh", "sh", "-c", s->command, (char *)NULL);
    _exit(127);
}

// The exit status, as the shell has it; -1: it took too long; -2 after reporting.
static int run_command(session *s) {
    pid_t child = fork();
    if (child < 0) {
        tct_error(s->d, "E0701", TCT_NO_SPAN, "cannot start a process: %s", strerror(errno));
        return -2;
    }
    if (child == 0) become_shell(s);
    setpgid(child, child);
    double end = now() + s->o->timeout, pause = 0.0005;
    for (int status;;) {
        pid_t done = waitpid(child, &status, WNOHANG);
        if (done == child) {
            kill(-child, SIGKILL); // what it may have left behind
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        if (now() > end) {
            kill(-child, SIGKILL);
            waitpid(child, &status, 0);
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = (long)(1e9 * pause)}, NULL);
        if (pause < 0.02) pause *= 1.5;
    }
}

static bool output_matches(session *s) {
    if (!s->o->match) return true;
    tct_diag quiet = {0};
    char *text;
    size_t len;
    bool found = false;
    if (tct_file_read(&quiet, s->log, &text, &len)) {
        found = memmem(text, len, s->o->match, strlen(s->o->match)) != NULL;
        tct_heap_free(text);
    }
    tct_diag_free(&quiet);
    return found;
}

static bool fails(void *ctx, const char *text, size_t len) {
    session *s = ctx;
    if (s->broken) return false;
    s->broken = !tct_file_write(s->d, s->graph, text, len);
    if (s->broken) return false;
    s->status = run_command(s);
    s->broken = s->status == -2;
    return s->status != 0 && s->status != -1 && !s->broken && output_matches(s);
}

static void progress(void *ctx, const tct_reduce_state *state, const char *text, size_t len) {
    session *s = ctx;
    if (text && s->o->output && !s->broken) s->broken = !tct_file_write(s->d, s->o->output, text, len);
    if (!s->terminal) return;
    fprintf(stderr, "\r\033[K%zu nodes, %zu inputs; %u runs, %u of them smaller; %s", state->nodes,
            state->inputs, state->tests, state->found, state->what);
    fflush(stderr);
}

// Why there is nothing to reduce.
static bool does_not_fail(session *s) {
    const reduce_arguments *o = s->o;
    if (s->broken) return false;
    if (s->status == -1)
        tct_error(s->d, "E0605", TCT_NO_SPAN, "the command takes longer than %g seconds for %s", o->timeout,
                  o->file);
    else if (s->status == 0)
        tct_error(s->d, "E0605", TCT_NO_SPAN, "the command does not fail for %s: its exit status is 0",
                  o->file);
    else
        tct_error(s->d, "E0605", TCT_NO_SPAN, "the command fails for %s, but its output has no '%s'", o->file,
                  o->match);
    tct_help(s->d, "it was: %s", s->command);
    return false;
}

static bool reduce(tct_diag *d, const reduce_arguments *o, tct_buf *out) {
    char *text;
    size_t len;
    session s = {.d = d, .o = o};
    if (!tct_file_read(d, o->file, &text, &len)) return false;
    bool ok = open_session(&s);
    if (ok) {
        ok = fails(&s, text, len) || does_not_fail(&s);
        tct_reduce_request r = {.fails = fails, .progress = progress, .ctx = &s};
        ok = ok && tct_reduce(d, o->file, text, len, &r, out) && !s.broken;
        if (s.terminal) fputs("\r\033[K", stderr);
        close_session(&s);
    }
    tct_heap_free(text);
    return ok;
}

int tct_cmd_reduce(int argc, char **argv) {
    static const struct argp argp = {options,
                                     parse_option,
                                     "FILE",
                                     "Shrinks a graph in text form, for which a command fails, to a small "
                                     "one for which it fails, too: drops "
                                     "results, replaces nodes by operands, inputs and zeros, shrinks axes, "
                                     "takes bodies apart.\vExample: a pass "
                                     "that breaks a graph,\n  tercet reduce g.tir --command 'tercet opt {} "
                                     "--passes cse --verify-each' --match "
                                     "E0603",
                                     NULL,
                                     NULL,
                                     NULL};
    reduce_arguments o = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    tct_diag d = {.max_errors = TCT_MAX_ERRORS};
    tct_buf out = {0};
    bool ok = reduce(&d, &o, &out);
    if (ok && o.output)
        tct_file_write(&d, o.output, out.data, out.len);
    else if (ok)
        tct_write_out(&d, &out);
    tct_buf_free(&out);
    return tct_report(&d);
}
