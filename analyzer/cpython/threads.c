/* SPDX-License-Identifier: MIT
 * threads.c: thread states, the kernel's threads that they ran on, and who holds the GIL.
 */
#include <stdlib.h>

#include "analyzer/cpython/python_internal.h"
#include "dumpfmt/base/mem.h"

/* On aarch64 pthread_self() lies below the thread register, by a constant of the C library (the
 * size of its struct pthread); on x86-64 they are equal. */
#define MAX_PTHREAD 8192

/* The threads of the core: by their numbers, and by their thread registers. */
struct lwps {
    const struct df_core *core;
    struct df_lwp_order by_tid, by_tls;
};

static bool by_native_id(const struct lwps *lwps, const struct py_thread *thread)
{
    uint64_t id = (uint64_t)thread->native_id;
    uint32_t i = df_lwp_order_find(&lwps->by_tid, id);
    return i < lwps->by_tid.count && lwps->by_tid.rows[i].value == id;
}

/* Which kernel thread's thread register belongs to this pthread_self(); 0 when none. */
static int64_t by_thread_register(const struct lwps *lwps, uint64_t thread_id)
{
    const struct df_lwp_order *order = &lwps->by_tls;
    uint32_t i = thread_id < UINT64_MAX ? df_lwp_order_find(order, thread_id + 1) : order->count;
    if (!i)
        return 0;
    uint64_t tls = order->rows[i - 1].value; /* the nearest below */
    if (thread_id - tls >= (lwps->core->machine == DF_X86_64 ? 1 : MAX_PTHREAD))
        return 0;
    return lwps->core->lwps[order->rows[df_lwp_order_find(order, tls)].index].tid;
}

/* Up to 3.10 the state has no native id; and in a container the process and the core may disagree
 * about it (PID namespaces), so the thread register is asked too. */
static void match_lwp(const struct lwps *lwps, struct py_thread *thread)
{
    if (thread->native_id && by_native_id(lwps, thread)) {
        thread->alive = true;
        return;
    }
    int64_t tid = thread->thread_id ? by_thread_register(lwps, thread->thread_id) : 0;
    thread->alive = tid != 0;
    if (!thread->native_id)
        thread->native_id = tid;
}

/* The thread state that holds an interpreter's GIL, 0 when none does. last_holder stays when the
 * lock is given up: only `locked` says that it is held. */
static uint64_t gil_holder(const struct py *py, uint64_t interpreter)
{
    const struct py_layout *layout = &py->layout;
    struct py_reader reader = py_reader(py);
    if (PY_HAS(layout, interp, gil)) { /* 3.12+: a pointer; interpreters may share one */
        uint64_t gil = PY_PTR(&reader, interpreter, interp, gil);
        if (!gil || (uint32_t)PY_GET(&reader, gil, gil, locked) != 1)
            return 0;
        return PY_PTR(&reader, gil, gil, last_holder);
    }
    if ((uint32_t)PY_GET(&reader, py->runtime, runtime, gil_locked) != 1)
        return 0;
    return PY_PTR(&reader, py->runtime, runtime, gil_last_holder);
}

struct threads {
    struct py_thread *items;
    size_t count, capacity;
};

static void read_interpreter_threads(const struct py *py, const struct lwps *lwps, uint32_t index,
                                     struct threads *list)
{
    struct py_reader reader = py_reader(py);
    struct py_interpreter *interpreter = &py->interpreters[index];
    struct py_cycle cycle = {0};
    uint64_t holder = gil_holder(py, interpreter->address);
    uint64_t at = PY_PTR(&reader, interpreter->address, interp, threads_head);
    interpreter->first_thread = (uint32_t)list->count;
    while (at && list->count < PY_MAX_THREADS && !py_cycle_closed(&cycle, at)) {
        struct py_thread thread = {
            .address = at,
            .interpreter = index,
            .thread_id = PY_PTR(&reader, at, thread, thread_id),
            .native_id = (int64_t)PY_GET(&reader, at, thread, native_thread_id),
            .holds_gil = at == holder,
        };
        at = PY_PTR(&reader, at, thread, next);
        if (reader.fault)
            break;
        match_lwp(lwps, &thread);
        DF_PUSH(list, thread);
    }
    interpreter->thread_count = (uint32_t)list->count - interpreter->first_thread;
}

void py_read_threads(struct py *py)
{
    struct threads list = {0};
    struct lwps lwps = {.core = py->dump->core};
    df_lwp_order_make(&lwps.by_tid, lwps.core, DF_LWP_TID);
    df_lwp_order_make(&lwps.by_tls, lwps.core, DF_LWP_TLS);
    for (uint32_t i = 0; i < py->interpreter_count; i++)
        read_interpreter_threads(py, &lwps, i, &list);
    df_lwp_order_free(&lwps.by_tid);
    df_lwp_order_free(&lwps.by_tls);
    py->threads = list.items;
    py->thread_count = (uint32_t)list.count;
    struct py_frame_budget budget = {PY_MAX_ALL_FRAMES, PY_MAX_LINE_BYTES};
    for (uint32_t i = 0; i < py->thread_count; i++)
        py_read_frames(py, &py->threads[i], &budget);
}

static bool thread_variable(const struct py *py, uint64_t tls, const char *name, uint64_t *ret)
{
    const struct df_symbol *variable = df_module_symbol(py->module, name);
    uint64_t block;
    if (!variable || variable->type != DF_SYMBOL_TLS ||
        !df_module_tls_block(py->dump->space, py->dump->modules, py->module, tls, &block))
        return false;
    *ret = block + variable->address;
    return true;
}

bool py_current_thread_slot(const struct py *py, uint64_t tls, uint64_t *ret)
{
    if (PY_HAS(&py->layout, runtime, tstate_current)) {
        *ret = PY_AT(&py->layout, py->runtime, runtime, tstate_current);
        return true;
    }
    return thread_variable(py, tls, "_Py_tss_tstate", ret);
}

bool py_current_interpreter_slot(const struct py *py, uint64_t tls, uint64_t *ret)
{
    return thread_variable(py, tls, "_Py_tss_interp", ret);
}
