// Contexts, and calls of graphs in them.
#include "library/library.h"
#include "runtime/linked.h"

#include <stdlib.h>

struct tct_library_context {
    tct_diag d; // the image is in its arena
    tct_image image;
    tct_pool *pool;
    void *workspace;
    void *own_workspace; // NULL when it is the caller's
    const void **inputs; // of a call: room for those of any graph
    tct_buf message;
};

static const tct_linked_library *const library = &tct_linked_library_table;

size_t tct_library_workspace_bytes(int threads) {
    if (threads <= 0) threads = tct_pool_cores();
    return library->arena_bytes + (size_t)threads * library->scratch_bytes + library->shared_bytes;
}

// Keeps what was reported as the context's message.
static tct_library_status failed(tct_library_context *c, tct_diag *d) {
    c->message.len = 0;
    tct_diag_render(d, &c->message, false);
    return tct_library_status_of(d);
}

static bool find_workspace(tct_library_context *c, const tct_library_options *o, int threads) {
    size_t bytes = tct_library_workspace_bytes(threads);
    c->workspace = o->workspace;
    if (!o->workspace) {
        c->workspace = c->own_workspace = tct_try_alloc(bytes + 64, 64);
        return c->workspace ||
               tct_error(&c->d, "E0801", TCT_NO_SPAN, "no memory for a workspace of %zu bytes", bytes);
    }
    if ((uintptr_t)o->workspace % 64)
        return tct_error(&c->d, "E0903", TCT_NO_SPAN, "the workspace is not aligned to 64 bytes");
    return o->workspace_bytes >= bytes ||
           tct_error(&c->d, "E0903", TCT_NO_SPAN,
                     "the workspace has %zu bytes; with %d threads it must have %zu", o->workspace_bytes,
                     threads, bytes);
}

static void make_room(tct_library_context *c) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < library->n_graphs; i++) {
        uint32_t n = c->image.program.plans[library->first_plan + i]->n_inputs;
        if (n > most) most = n;
    }
    c->inputs = tct_alloc((most + 1) * sizeof *c->inputs);
}

static bool open(tct_library_context *c, const tct_library_options *o) {
    tct_isa limit;
    if (!tct_library_limit(&c->d, o->isa, &limit) || !tct_library_threads(&c->d, o->threads) ||
        !tct_linked_read(&c->d, TCT_LIBRARY_ITSELF, &c->image))
        return false;
    c->image.program.folder = o->folder ? o->folder : ".";
    if (!tct_linked_choose(&c->d, TCT_LIBRARY_ITSELF, &c->image, limit)) return false;
    int threads = o->threads ? o->threads : tct_pool_cores();
    if (!find_workspace(c, o, threads)) return false;
    c->pool = tct_pool_new(threads);
    tct_pool_lend(c->pool, (char *)c->workspace + library->arena_bytes, library->scratch_bytes,
                  library->shared_bytes);
    make_room(c);
    return true;
}

tct_library_status tct_library_create(uint64_t abi, const tct_library_options *options,
                                      tct_library_context **context) {
    static const tct_library_options usual = {0};
    if (!context) return TCT_LIBRARY_ARGUMENT;
    tct_library_context *c = *context = tct_try_alloc(sizeof *c, 64);
    if (!c) return TCT_LIBRARY_NO_MEMORY;
    if (abi != library->abi) {
        tct_buf_puts(&c->message, "the header and the library were not made together");
        return TCT_LIBRARY_ABI_DIFFERS;
    }
    return open(c, options ? options : &usual) ? TCT_LIBRARY_OK : failed(c, &c->d);
}

void tct_library_destroy(tct_library_context *c) {
    if (!c) return;
    tct_pool_free(c->pool);
    free(c->own_workspace);
    tct_heap_free(c->inputs);
    tct_buf_free(&c->message);
    tct_diag_free(&c->d);
    free(c);
}

const char *tct_library_message(const tct_library_context *c) {
    return c && c->message.len ? c->message.data : "";
}

static const void *default_of(uint32_t graph, uint32_t input) {
    for (uint64_t i = 0; i < library->n_defaults; i++) {
        const tct_linked_default *x = &library->defaults[i];
        if (x->graph == graph && x->input == input) return &x->bits;
    }
    return NULL;
}

static bool check_port(tct_diag *d, const tct_plan *plan, const tct_plan_port *port, const void *memory) {
    if (!memory && port->bytes)
        return tct_error(d, "E0903", TCT_NO_SPAN, "%s: %s is NULL", plan->name, port->name);
    if ((uintptr_t)memory % tct_dtype_size((tct_dtype)port->dtype))
        return tct_error(d, "E0903", TCT_NO_SPAN, "%s: %s is not aligned to its elements, %s", plan->name,
                         port->name, tct_dtype_name((tct_dtype)port->dtype));
    return true;
}

static bool check_ports(tct_library_context *c, tct_diag *d, uint32_t graph, const tct_plan *plan,
                        void *const *inputs, void *const *outputs) {
    if ((plan->n_inputs && !inputs) || (plan->n_outputs && !outputs))
        return tct_error(d, "E0903", TCT_NO_SPAN, "%s: the structures of pointers are missing", plan->name);
    for (uint32_t i = 0; i < plan->n_inputs; i++) {
        c->inputs[i] = inputs[i] ? inputs[i] : default_of(graph, i);
        if (!check_port(d, plan, &plan->inputs[i], c->inputs[i])) return false;
    }
    for (uint32_t i = 0; i < plan->n_outputs; i++)
        if (!check_port(d, plan, &plan->outputs[i], outputs[i])) return false;
    return true;
}

tct_library_status tct_library_call(tct_library_context *c, uint32_t graph, void *const *inputs,
                                    void *const *outputs) {
    if (!c || !c->pool) return TCT_LIBRARY_ARGUMENT;
    const tct_plan *plan = c->image.program.plans[library->first_plan + graph];
    tct_diag d = {0};
    bool ok = check_ports(c, &d, graph, plan, inputs, outputs) &&
              tct_plan_run(&d, plan, c->pool, (void *const *)c->inputs, outputs, c->workspace, NULL);
    tct_library_status status = ok ? TCT_LIBRARY_OK : failed(c, &d);
    tct_diag_free(&d);
    return status;
}
