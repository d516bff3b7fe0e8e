// A headless Chromium, driven over DevTools' pipe: real pages, real clicks and keys, real times.
#ifndef TESTS_PAGE_BROWSER_H
#define TESTS_PAGE_BROWSER_H

#include "tests/page/page_file.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

typedef struct browser {
    pid_t process;
    int to, from; // pipes
    int last_id;
    tct_buf received;
    char session[64];
    json_t *complaints; // exceptions and errors of the page
    json_t *requests;   // addresses that it asked for
    bool loaded;
    const char *profile;
    tct_arena arena;
} browser;

#if defined(__SANITIZE_ADDRESS__)
#define BROWSER_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BROWSER_SANITIZED 1
#endif
#endif

static inline bool browser_installed(void) { return system("chromium --version >/dev/null 2>&1") == 0; }

static inline double browser_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline void browser_start(browser *b) {
    int down[2], up[2];
    *b = (browser){.complaints = json_array(), .requests = json_array()};
    b->profile = machine_folder(&b->arena);
    assert_int_equal(pipe(down), 0);
    assert_int_equal(pipe(up), 0);
    char *profile = tct_arena_printf(&b->arena, "--user-data-dir=%s", b->profile);
    b->process = fork();
    assert_true(b->process >= 0);
    if (b->process == 0) { // DevTools reads descriptor 3 and writes descriptor 4
        int in = fcntl(down[0], F_DUPFD, 10), out = fcntl(up[1], F_DUPFD, 10),
            null = open("/dev/null", O_RDWR);
        dup2(in, 3);
        dup2(out, 4);
        dup2(null, 1);
        dup2(null, 2);
        execlp("chromium", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
               "--disable-extensions", "--disable-background-networking", "--window-size=1500,950",
               "--remote-debugging-pipe", profile, (char *)NULL);
        _exit(127);
    }
    close(down[0]);
    close(up[1]);
    b->to = down[1];
    b->from = up[0];
}

static inline void browser_note(browser *b, json_t *message) {
    const char *method = json_string_value(json_object_get(message, "method"));
    json_t *params = json_object_get(message, "params");
    if (!method) return;
    if (strcmp(method, "Page.loadEventFired") == 0) b->loaded = true;
    if (strcmp(method, "Runtime.exceptionThrown") == 0) json_array_append(b->complaints, params);
    if (strcmp(method, "Network.requestWillBeSent") == 0)
        json_array_append(b->requests, json_object_get(json_object_get(params, "request"), "url"));
}

// The next message; events are noted. NULL: none came within a minute. The caller releases it.
static inline json_t *browser_receive(browser *b) {
    double until = browser_now() + 60;
    for (;;) {
        char *end = b->received.len ? memchr(b->received.data, 0, b->received.len) : NULL;
        if (end) {
            size_t n = (size_t)(end - b->received.data);
            json_t *message = json_loadb(b->received.data, n, 0, NULL);
            memmove(b->received.data, end + 1, b->received.len - n - 1);
            b->received.len -= n + 1;
            browser_note(b, message);
            return message;
        }
        struct pollfd p = {.fd = b->from, .events = POLLIN};
        char bytes[65536];
        if (browser_now() > until || poll(&p, 1, 1000) < 0) return NULL;
        if (!(p.revents & (POLLIN | POLLHUP))) continue;
        ssize_t n = read(b->from, bytes, sizeof bytes);
        if (n <= 0) return NULL;
        tct_buf_add(&b->received, bytes, (size_t)n);
    }
}

// Calls a method of DevTools; takes `params` over (NULL: none). The result, which the caller releases.
static inline json_t *browser_call(browser *b, const char *method, json_t *params) {
    int id = ++b->last_id;
    json_t *message =
        json_pack("{s:i, s:s, s:o}", "id", id, "method", method, "params", params ? params : json_object());
    if (b->session[0]) json_object_set_new(message, "sessionId", json_string(b->session));
    char *text = json_dumps(message, JSON_COMPACT);
    json_decref(message);
    for (size_t at = 0, n = strlen(text) + 1; at < n;) {
        ssize_t sent = write(b->to, text + at, n - at);
        if (sent <= 0) fail_msg("Chromium doesn't listen any more (%s)", method);
        at += (size_t)sent;
    }
    free(text);
    for (json_t *answer; (answer = browser_receive(b)); json_decref(answer)) {
        if (json_integer_value(json_object_get(answer, "id")) != id) continue;
        json_t *error = json_object_get(answer, "error");
        if (error) fail_msg("%s: %s", method, json_string_value(json_object_get(error, "message")));
        json_t *result = json_incref(json_object_get(answer, "result"));
        json_decref(answer);
        return result;
    }
    fail_msg("no answer to %s", method);
    return NULL;
}

static inline void browser_do(browser *b, const char *method, json_t *params) {
    json_decref(browser_call(b, method, params));
}

// Opens a file, another one than the last; back when it has loaded.
static inline void browser_open(browser *b, const char *path, const char *hash) {
    if (!b->session[0]) {
        json_t *target = browser_call(b, "Target.createTarget", json_pack("{s:s}", "url", "about:blank"));
        json_t *attached = browser_call(
            b, "Target.attachToTarget",
            json_pack("{s:O, s:b}", "targetId", json_object_get(target, "targetId"), "flatten", 1));
        snprintf(b->session, sizeof b->session, "%s",
                 json_string_value(json_object_get(attached, "sessionId")));
        json_decref(target);
        json_decref(attached);
        browser_do(b, "Page.enable", NULL);
        browser_do(b, "Runtime.enable", NULL);
        browser_do(b, "Network.enable", NULL);
        browser_do(b, "Performance.enable", json_pack("{s:s}", "timeDomain", "threadTicks"));
    }
    b->loaded = false;
    browser_do(b, "Page.navigate", json_pack("{s:o}", "url", json_sprintf("file://%s%s", path, hash)));
    for (double until = browser_now() + 60; !b->loaded;) {
        json_t *message = browser_receive(b);
        if (!message || browser_now() > until) fail_msg("%s doesn't load", path);
        json_decref(message);
    }
}

// The value of an expression of the page, promises awaited. The caller releases it.
static inline json_t *browser_evaluate(browser *b, const char *expression) {
    json_t *r = browser_call(
        b, "Runtime.evaluate",
        json_pack("{s:s, s:b, s:b}", "expression", expression, "awaitPromise", 1, "returnByValue", 1));
    json_t *thrown = json_object_get(r, "exceptionDetails");
    if (thrown) {
        char *text = json_dumps(thrown, 0);
        fail_msg("%.200s: %.2000s", expression, text);
    }
    json_t *value = json_incref(json_object_get(json_object_get(r, "result"), "value"));
    json_decref(r);
    return value;
}

static inline double browser_number(browser *b, const char *expression) {
    json_t *v = browser_evaluate(b, expression);
    if (!json_is_number(v)) fail_msg("%s is no number", expression);
    double x = json_number_value(v);
    json_decref(v);
    return x;
}

// A function of the page (tests/page/checks.js) that returns what is wrong, "" for nothing.
static inline void browser_check(browser *b, const char *call) {
    json_t *v = browser_evaluate(b, tct_arena_printf(&b->arena, "checks.%s", call));
    if (!json_is_string(v) || json_string_length(v) > 0)
        fail_msg("%s: %s", call, json_is_string(v) ? json_string_value(v) : "no string");
    json_decref(v);
}

// Seconds of the processor that the page has taken since it was opened: no other process counts.
static inline double browser_seconds(browser *b) {
    json_t *r = browser_call(b, "Performance.getMetrics", NULL), *metric;
    double seconds = -1;
    size_t k;
    json_array_foreach(
        json_object_get(r, "metrics"), k,
        metric) if (strcmp(json_string_value(json_object_get(metric, "name")), "TaskDuration") == 0) seconds =
        json_number_value(json_object_get(metric, "value"));
    json_decref(r);
    assert_true(seconds >= 0);
    return seconds;
}

// A click where `expression`, [x, y], says.
static inline void browser_click(browser *b, const char *expression, int times) {
    json_t *at = browser_evaluate(b, expression);
    if (json_array_size(at) != 2) fail_msg("%s is no place", expression);
    for (int k = 1; k <= times; k++) {
        static const char *const events[] = {"mouseMoved", "mousePressed", "mouseReleased"};
        for (int e = 0; e < 3; e++)
            browser_do(b, "Input.dispatchMouseEvent",
                       json_pack("{s:s, s:O, s:O, s:s, s:i, s:i}", "type", events[e], "x",
                                 json_array_get(at, 0), "y", json_array_get(at, 1), "button",
                                 e ? "left" : "none", "buttons", e == 1, "clickCount", e ? k : 0));
    }
    json_decref(at);
}

// A key by its name ("Enter", "ArrowDown") or a character.
static inline void browser_key(browser *b, const char *key) {
    bool character = strlen(key) == 1;
    json_t *down = json_pack("{s:s, s:s}", "type", "keyDown", "key", key);
    if (character) json_object_set_new(down, "text", json_string(key));
    if (strcmp(key, "Enter") == 0) json_object_set_new(down, "text", json_string("\r"));
    browser_do(b, "Input.dispatchKeyEvent", down);
    browser_do(b, "Input.dispatchKeyEvent", json_pack("{s:s, s:s}", "type", "keyUp", "key", key));
}

static inline void browser_end(browser *b) {
    close(b->to);
    close(b->from);
    for (int k = 0; k < 200 && waitpid(b->process, NULL, WNOHANG) == 0; k++) { // it ends with its pipe
        if (k == 100) kill(b->process, SIGKILL);
        usleep(50000);
    }
    machine_remove_folder(b->profile);
    json_decref(b->complaints);
    json_decref(b->requests);
    tct_buf_free(&b->received);
    tct_arena_free(&b->arena);
}

#endif
