/* SPDX-License-Identifier: MIT
 * waits.c: what a thread waits for: what the library's own frames say (queue.get, Thread.join),
 * what the kernel says (the system call that it is in, its descriptor, the address that it sleeps
 * on), and, from that address, which lock it is.
 *
 * Locks: up to 3.12 (and in part later) a lock is a POSIX semaphore that its object points to:
 * the futex is the semaphore's first word. Locks of one byte (3.13+, Python/lock.c) have no futex
 * of their own: who waits sleeps on a semaphore in a `struct wait_entry` on its stack
 * (Python/parking_lot.c), which has the lock's address beside it.
 */
#include "analyzer/findings/waits.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/findings/hops.h"
#include "analyzer/objects/async.h"
#include "analyzer/objects/open.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/syscall.h"

#define LIBRARY_FRAMES 6 /* frames that are asked, innermost first */
#define MAX_LOCALS_ASKED 64
#define MAX_HOLDERS_ASKED 64
#define CONTAINERS (PY_TPFLAGS_DICT | PY_TPFLAGS_LIST | PY_TPFLAGS_TUPLE)

void fi_waits_init(struct fi_waits *waits, struct fi_context *context)
{
    *waits = (struct fi_waits){.context = context};
    df_map_init(&waits->locks);
    df_map_init(&waits->descriptors);
    df_map_init(&waits->named);
    fi_lwps_init(&waits->lwps, context->analysis->py->dump->core);
}

void fi_waits_deinit(struct fi_waits *waits)
{
    df_map_deinit(&waits->locks);
    df_map_deinit(&waits->descriptors);
    df_map_deinit(&waits->named);
    free(waits->names.items);
    fi_lwps_deinit(&waits->lwps);
}

/* What functions of the library wait for. `local`: the variable whose object is worth naming. */
static const struct library_row {
    const char *file, *function;
    const char *type; /* of `self`; NULL: any */
    const char *what;
    const char *local;
} library[] = {
    {"/queue.py", "get", NULL, "something to come into", "self"},
    {"/queue.py", "put", NULL, "room in", "self"},
    {"/queue.py", "join", NULL, "all work to be done of", "self"},
    {"/threading.py", "wait", "threading.Event", "the event to be set:", "self"},
    {"/threading.py", "wait", "threading.Barrier", "other threads at the barrier", "self"},
    {"/threading.py", "wait", NULL, "the condition to be notified:", "self"},
    {"/threading.py", "acquire", "threading.Semaphore", "room in the semaphore", "self"},
    {"/threading.py", "join", NULL, "the end of the thread", "self"},
    {"/threading.py", "_shutdown", NULL, "the end of all threads that are no daemons", NULL},
    {"/concurrent/futures/_base.py", "result", NULL, "the result of", "self"},
    {"/concurrent/futures/_base.py", "exception", NULL, "the result of", "self"},
    {"/concurrent/futures/_base.py", "wait", NULL, "several concurrent.futures", NULL},
    {"/concurrent/futures/thread.py", "_worker", NULL, "work: it is an idle thread of a pool",
     NULL},
    {"/multiprocessing/pool.py", "worker", NULL, "work: it is an idle worker of a pool", NULL},
    {"/multiprocessing/connection.py", "_recv", NULL, "data from another process", NULL},
    {"/multiprocessing/queues.py", "get", NULL, "something to come into", "self"},
    {"/subprocess.py", "wait", NULL, "a child process to end", NULL},
    {"/subprocess.py", "communicate", NULL, "the output of a child process", NULL},
    {"/asyncio/base_events.py", "run_forever", NULL,
     "events: its asyncio loop has nothing to do until a descriptor is ready or a timer is due",
     NULL},
    {"/asyncio/base_events.py", "_run_once", NULL,
     "events: its asyncio loop has nothing to do until a descriptor is ready or a timer is due",
     NULL},
    {"/socketserver.py", "serve_forever", NULL, "a client to connect", NULL},
    {"/selectors.py", "select", NULL, "one of its descriptors to become ready", NULL},
    {"/ssl.py", "read", NULL, "data from a TLS connection", NULL},
    {"/ssl.py", "do_handshake", NULL, "the other side of a TLS handshake", NULL},
};

static const char *bare_name(const char *function)
{
    const char *dot = strrchr(function, '.');
    return dot ? dot + 1 : function;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

static const struct fi_local *find_local(const struct fi_frame *frame, const char *name)
{
    for (uint32_t i = 0; name && i < frame->local_count && i < MAX_LOCALS_ASKED; i++)
        if (!strcmp(frame->locals[i].name, name))
            return &frame->locals[i];
    return NULL;
}

static bool self_is(const struct fi_waits *waits, const struct fi_frame *frame, const char *type)
{
    const struct fi_analysis *analysis = waits->context->analysis;
    const struct fi_local *self = find_local(frame, "self");
    uint32_t index = self ? py_object_type(analysis->objects, self->address) : PY_NO_TYPE;
    return index != PY_NO_TYPE &&
           py_type_derives(analysis->objects, py_type_at(analysis->objects, index), type);
}

static const struct library_row *library_row(const struct fi_waits *waits,
                                             const struct fi_frame *frame)
{
    for (size_t i = 0; frame->file && i < sizeof(library) / sizeof(*library); i++)
        if (ends_with(frame->file, library[i].file) &&
            !strcmp(bare_name(frame->function), library[i].function) &&
            (!library[i].type || self_is(waits, frame, library[i].type)))
            return &library[i];
    return NULL;
}

static bool is_library(const struct fi_frame *frame)
{
    return frame->file && (strstr(frame->file, "/lib/python") || strstr(frame->file, "/Lib/"));
}

/* The way of a node through one of its holders that a program has a name for: what a running
 * function has on its stack is a global or an attribute too, mostly. */
static char *named_way(struct fi_analysis *analysis, uint32_t node)
{
    const struct gr_graph *graph = analysis->graph;
    struct gr_referrers holders = gr_referrers(graph, node);
    struct py_refs refs = {0};
    char *found = NULL;
    uint32_t holder, asked = 0;
    while (!found && asked++ < MAX_HOLDERS_ASKED && gr_next_referrer(&holders, &holder)) {
        const struct py_type *type = fi_type(analysis, holder);
        if (!type->python_class && !(type->flags & CONTAINERS)) /* a bound method, a frame */
            continue;
        DF_CLEANUP_FREE char *path = fi_path(analysis, holder, false, 12);
        if (path[0] == '<')
            continue;
        DF_CLEANUP_FREE char *label = fi_step_label(analysis, holder, node, &refs);
        if (ends_with(path, ".__dict__") && fi_key_to_attribute(label))
            path[strlen(path) - strlen(".__dict__")] = 0;
        found = df_xasprintf("%s%s", path, label);
    }
    free(refs.items);
    return found;
}

/* How a node is called: by its path where a program has one for it, else by its type. */
static const char *name_of(struct fi_context *context, uint32_t node)
{
    DF_CLEANUP_FREE char *path = fi_path(context->analysis, node, false, 12);
    const char *type = fi_type_phrase(context->pool, fi_type(context->analysis, node));
    if (path[0] == '<') { /* a local of a thread, or nobody's */
        free(path);
        path = named_way(context->analysis, node);
    }
    return path ? fi_pool_format(context->pool, "`%s`, %s", path, type) : type;
}

/* Many threads wait for one lock, mostly: its way is looked for once. */
static const char *name_node(struct fi_waits *waits, uint32_t node)
{
    bool added;
    uint32_t index =
        df_map_add(&waits->named, UINT64_C(1) + node, (uint32_t)waits->names.count, &added);
    if (added)
        DF_PUSH(&waits->names, name_of(waits->context, node));
    return waits->names.items[index];
}

static const char *thread_called(struct fi_context *context, uint64_t object)
{
    struct py_reader reader = py_reader(context->analysis->py);
    uint64_t name = py_attribute(context->analysis->objects, object, "_name");
    char *text = name ? py_str(&reader, name, 200, NULL) : NULL;
    const char *kept = fi_pool_take(context->pool, text);
    return kept ? fi_pool_format(context->pool, "`%s`", kept) : "";
}

/* The outermost of the library's frames that are innermost, of those that say something. */
static bool ask_frames(struct fi_waits *waits, const struct fi_thread *thread, struct fi_wait *wait)
{
    struct fi_context *context = waits->context;
    const struct library_row *row = NULL;
    const struct fi_frame *frame = NULL;
    for (uint32_t i = 0; i < thread->frame_count && i < LIBRARY_FRAMES; i++) {
        const struct library_row *found = library_row(waits, &thread->frames[i]);
        if (found) {
            row = found;
            frame = &thread->frames[i];
        }
        if (!is_library(&thread->frames[i]))
            break;
    }
    if (!row)
        return false;
    const struct fi_local *local = find_local(frame, row->local);
    uint32_t node = local ? gr_node(context->analysis->graph, local->address) : AL_NONE;
    wait->text = row->what;
    if (node == AL_NONE)
        return true;
    wait->object = local->address;
    const char *name = !strcmp(row->function, "join") && ends_with(row->file, "/threading.py")
                           ? thread_called(context, local->address)
                           : name_node(waits, node);
    wait->text = fi_pool_format(context->pool, "%s %s", row->what, name);
    return true;
}

/* Where a thread that waits for this lock sleeps: the semaphore, or the lock's own byte. */
static uint64_t lock_place(struct py_reader *reader, uint64_t object, enum py_field field)
{
    uint32_t offset = reader->layout->offset[field];
    if (offset == PY_ABSENT)
        return 0;
    bool pointer = reader->layout->size[field] == 8;
    return pointer ? py_word(reader, object + offset) : object + offset;
}

static void find_locks(struct fi_waits *waits)
{
    const struct fi_analysis *analysis = waits->context->analysis;
    struct py_reader reader = py_reader(analysis->py);
    if (waits->locks_known)
        return;
    waits->locks_known = true;
    uint32_t types = py_type_count(analysis->objects), count = 0;
    DF_CLEANUP_FREE uint8_t *kinds = df_xcalloc(types, 1);
    DF_CLEANUP_FREE uint32_t *nodes = NULL;
    for (uint32_t i = 0; i < types; i++) {
        const char *type = py_type_at(analysis->objects, i)->name;
        kinds[i] = !strcmp(type, "_thread.RLock") ? 2 : !strcmp(type, "_thread.lock");
    }
    df_err_free(fi_nodes_of(waits->context, kinds, &nodes, &count));
    for (uint32_t i = 0; i < count && nodes; i++) {
        uint32_t node = nodes[i];
        bool owned = kinds[gr_type(analysis->graph, node)] == 2;
        uint64_t place = lock_place(&reader, gr_address(analysis->graph, node),
                                    owned ? PY_F_rlock_lock : PY_F_lock_lock);
        if (place)
            df_map_set(&waits->locks, place, node);
    }
}

/* The lock of a thread that sleeps at this address; AL_NONE when it is none of Python's. */
static uint32_t lock_at(struct fi_waits *waits, uint64_t futex)
{
    const struct py_layout *layout = &waits->context->analysis->py->layout;
    struct py_reader reader = py_reader(waits->context->analysis->py);
    find_locks(waits);
    uint32_t node = futex ? df_map_get(&waits->locks, futex) : DF_MAP_NONE;
    if (node != DF_MAP_NONE)
        return node;
    if (!PY_HAS(layout, waitentry, addr) || !PY_HAS(layout, waitentry, sema) ||
        futex < PY_OFF(layout, waitentry, sema))
        return AL_NONE;
    uint64_t entry = futex - PY_OFF(layout, waitentry, sema);
    uint64_t place = PY_PTR(&reader, entry, waitentry, addr);
    node = place ? df_map_get(&waits->locks, place) : DF_MAP_NONE;
    return node == DF_MAP_NONE ? AL_NONE : node;
}

static bool is_gil(const struct py *py, const struct py_thread *thread, uint64_t futex)
{
    const struct py_layout *layout = &py->layout;
    struct py_reader reader = py_reader(py);
    uint64_t gil = 0, size = PY_SIZEOF(layout, gil);
    if (PY_HAS(layout, interp, gil))
        gil = PY_PTR(&reader, py->interpreters[thread->interpreter].address, interp, gil);
    else if (PY_HAS(layout, runtime, gil))
        gil = PY_AT(layout, py->runtime, runtime, gil);
    return gil && size != PY_ABSENT && futex >= gil && futex - gil < size;
}

/* The thread that has an RLock: what a plain lock does not know. */
static void find_owner(struct fi_context *context, uint32_t node, struct fi_wait *wait)
{
    const struct fi_analysis *analysis = context->analysis;
    const struct py *py = analysis->py;
    struct py_reader reader = py_reader(py);
    if (strcmp(fi_type_name(analysis, node), "_thread.RLock") != 0 ||
        !PY_HAS(&py->layout, rlock, owner))
        return;
    uint64_t owner = PY_PTR(&reader, gr_address(analysis->graph, node), rlock, owner);
    if (owner)
        wait->owner = "one that has ended";
    for (uint32_t i = 0; owner && i < py->thread_count; i++)
        if (py->threads[i].thread_id == owner) {
            char *name = py_thread_name(analysis->objects, &py->threads[i]);
            wait->owner_thread = (int32_t)i;
            wait->owner =
                name ? fi_pool_take(context->pool, name)
                     : fi_pool_format(context->pool, "%lld", (long long)py->threads[i].native_id);
        }
}

static void tell_futex(struct fi_waits *waits, const struct py_thread *from, uint64_t futex,
                       struct fi_wait *wait)
{
    struct fi_context *context = waits->context;
    if (is_gil(context->analysis->py, from, futex)) {
        wait->text = "the GIL: it would run if it could";
        return;
    }
    uint32_t node = lock_at(waits, futex);
    if (node == AL_NONE) {
        if (!wait->text)
            wait->text = "a lock or condition of C code";
        return;
    }
    find_owner(context, node, wait);
    if (wait->text) /* the library's frames know for what it takes the lock */
        return;
    wait->object = gr_address(context->analysis->graph, node);
    wait->text = fi_pool_format(context->pool, "%s%s%s%s", name_node(waits, node),
                                wait->owner ? ", which the thread `" : "",
                                wait->owner ? wait->owner : "", wait->owner ? "` has" : "");
}

static void find_descriptors(struct fi_waits *waits)
{
    const struct fi_analysis *analysis = waits->context->analysis;
    if (waits->descriptors_known)
        return;
    waits->descriptors_known = true;
    uint32_t types = py_type_count(analysis->objects);
    DF_CLEANUP_FREE uint8_t *kinds = df_xcalloc(types, 1);
    for (uint32_t i = 0; i < types; i++)
        kinds[i] = (uint8_t)py_open_kind(analysis->objects, py_type_at(analysis->objects, i));
    for (uint32_t i = 0; i < types; i++)
        if (kinds[i] != PY_OPEN_FILE && kinds[i] != PY_OPEN_SOCKET)
            kinds[i] = 0;
    uint32_t count = 0;
    DF_CLEANUP_FREE uint32_t *nodes = NULL;
    df_err_free(fi_nodes_of(waits->context, kinds, &nodes, &count));
    for (uint32_t i = 0; i < count && nodes; i++) {
        uint32_t node = nodes[i];
        struct py_open open;
        if (py_open_read(analysis->objects, gr_address(analysis->graph, node),
                         (enum py_open_kind)kinds[gr_type(analysis->graph, node)], &open) &&
            open.descriptor >= 0)
            df_map_set(&waits->descriptors, (uint64_t)open.descriptor + 1, node);
    }
}

static void tell_descriptor(struct fi_waits *waits, const char *what, uint64_t descriptor,
                            struct fi_wait *wait)
{
    struct fi_context *context = waits->context;
    wait->descriptor = descriptor < INT32_MAX ? (int64_t)descriptor : -1;
    if (wait->text)
        return;
    find_descriptors(waits);
    uint32_t node = df_map_get(&waits->descriptors, descriptor + 1);
    if (node == DF_MAP_NONE) {
        wait->text = fi_pool_format(context->pool, "%s descriptor %llu", what,
                                    (unsigned long long)descriptor);
        return;
    }
    wait->object = gr_address(context->analysis->graph, node);
    wait->text = fi_pool_format(context->pool, "%s %s (descriptor %llu)", what,
                                name_node(waits, node), (unsigned long long)descriptor);
}

/* select() and poll() of nothing: how some sleep. */
static bool watches_nothing(const struct df_syscall *call)
{
    bool poll = !strcmp(call->name, "poll") || !strcmp(call->name, "ppoll");
    bool select = !strcmp(call->name, "select") || !strcmp(call->name, "pselect6");
    return (poll && !(uint32_t)call->arguments[1]) || (select && !(uint32_t)call->arguments[0]);
}

static void tell_call(struct fi_waits *waits, const struct py_thread *from,
                      const struct df_syscall *call, struct fi_wait *wait)
{
    static const char *const plain[] = {
        [DF_CALLS_POLL] = "one of its descriptors to become ready",
        [DF_CALLS_SLEEP] = "time to pass (it sleeps)",
        [DF_CALLS_CHILD] = "a child process to end",
        [DF_CALLS_SIGNAL] = "a signal",
    };
    wait->call = call->name;
    switch (call->kind) {
    case DF_CALLS_FUTEX:
        tell_futex(waits, from, call->arguments[0], wait);
        break;
    case DF_CALLS_READ:
        tell_descriptor(waits, strncmp(call->name, "accept", 6) ? "data from" : "a client of",
                        call->arguments[0], wait);
        break;
    case DF_CALLS_WRITE:
        tell_descriptor(waits, "the other side of", call->arguments[0], wait);
        break;
    case DF_CALLS_OTHER:
        break;
    default:
        if (!wait->text)
            wait->text = plain[call->kind == DF_CALLS_POLL && watches_nothing(call) ? DF_CALLS_SLEEP
                                                                                    : call->kind];
    }
}

/* A thread in no system call: in Python's code, or in whose? */
static const char *runs(struct fi_context *context, const struct py_thread *from, uint64_t pc)
{
    const struct py *py = context->analysis->py;
    struct df_module *module = df_module_at(py->dump->modules, pc);
    if (!module || module == py->module)
        return from->holds_gil ? "it runs Python code" : "it runs code of the interpreter";
    const struct df_symbol *symbol = df_module_symbol_at(module, pc);
    return fi_pool_format(context->pool, "it runs native code: %s%s%s", symbol ? symbol->name : "",
                          symbol ? " in " : "", module->name);
}

void fi_lwps_init(struct fi_lwps *lwps, const struct df_core *core)
{
    lwps->core = core;
    df_lwp_order_make(&lwps->by_tid, core, DF_LWP_TID);
    df_lwp_order_make(&lwps->by_tls, core, DF_LWP_TLS);
}

void fi_lwps_deinit(struct fi_lwps *lwps)
{
    df_lwp_order_free(&lwps->by_tid);
    df_lwp_order_free(&lwps->by_tls);
}

/* The last of equals; NULL when there is none. */
static const struct df_lwp *last_with(const struct fi_lwps *lwps, const struct df_lwp_order *order,
                                      uint64_t value)
{
    uint32_t end = value < UINT64_MAX ? df_lwp_order_find(order, value + 1) : order->count;
    if (!end || order->rows[end - 1].value != value)
        return NULL;
    return &lwps->core->lwps[order->rows[end - 1].index];
}

const struct df_lwp *fi_lwp_of(const struct fi_lwps *lwps, const struct py_thread *thread)
{
    if (!thread->alive)
        return NULL;
    const struct df_lwp *a = last_with(lwps, &lwps->by_tid, (uint64_t)thread->native_id), *b = NULL;
    if (thread->thread_id && lwps->core->machine == DF_X86_64)
        b = last_with(lwps, &lwps->by_tls, thread->thread_id);
    return !a || (b && b > a) ? b : a;
}

void fi_fill_wait(struct fi_waits *waits, const struct py_thread *from, struct fi_thread *thread)
{
    const struct df_dump *dump = waits->context->analysis->py->dump;
    const struct df_core *core = dump->core;
    struct fi_wait *wait = &thread->wait;
    struct df_syscall call;
    wait->descriptor = -1;
    wait->owner_thread = -1;
    const struct df_lwp *lwp = fi_lwp_of(&waits->lwps, from);
    bool in_kernel = lwp && df_lwp_syscall(dump->space, core->machine, lwp, &call);
    bool asleep = !lwp || (in_kernel && call.kind != DF_CALLS_OTHER);
    if (asleep)
        ask_frames(waits, thread, wait);
    if (in_kernel)
        tell_call(waits, from, &call, wait);
    else if (lwp)
        wait->doing = runs(waits->context, from, lwp->pc);
}
