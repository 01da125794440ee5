/* SPDX-License-Identifier: MIT
 * roots.c: the objects that the runtime's own structures own.
 *
 * The slots come from the layout; a slot's word counts only when it leads to something that looks
 * like an object (unions in the state hold other things too).
 */
#include <stdio.h>
#include <string.h>

#include "analyzer/cpython/layout_internal.h"
#include "analyzer/cpython/python_internal.h"

#define MAX_PATH 256
#define MAX_CHAIN 1000000 /* exception states of one thread */
#define MAX_ATEXIT 1000000

typedef void (*visitor)(void *context, uint64_t object, const char *path,
                        const struct py_thread *thread);

struct visit {
    const struct py *py;
    visitor function;
    void (*word)(void *context, uint64_t slot, uint64_t object); /* instead of function */
    void *context;
    const struct py_thread *thread;
};

/* The object that the word at `slot` refers to. */
static void deliver(const struct visit *visit, uint64_t slot, const char *path)
{
    struct py_reader reader = py_reader(visit->py);
    uint64_t object = py_word(&reader, slot);
    if (!object || !py_plausible_object(visit->py, object))
        return;
    if (visit->word)
        visit->word(visit->context, slot, object);
    else
        visit->function(visit->context, object, path, visit->thread);
}

/* A field of a structure; 0 when this build has none. */
static uint64_t field_slot(const struct visit *visit, uint64_t structure, enum py_field field)
{
    uint32_t offset = visit->py->layout.offset[field];
    return offset == PY_ABSENT ? 0 : structure + offset;
}

/* "owner.path", with the index where the slot's path has its "[]", or else at its end. */
static void slot_path(char buffer[MAX_PATH], const char *owner, const struct py_slot *slot,
                      uint32_t i)
{
    const char *hole = strstr(slot->path, "[]");
    if (slot->count == 1)
        snprintf(buffer, MAX_PATH, "%s.%s", owner, slot->path);
    else if (hole)
        snprintf(buffer, MAX_PATH, "%s.%.*s[%u]%s", owner, (int)(hole - slot->path), slot->path, i,
                 hole + 2);
    else
        snprintf(buffer, MAX_PATH, "%s.%s[%u]", owner, slot->path, i);
}

static void visit_slots(const struct visit *visit, uint64_t structure, const char *owner,
                        const struct py_slots *slots)
{
    struct py_reader reader = py_reader(visit->py);
    for (size_t k = 0; k < slots->count; k++) {
        const struct py_slot *slot = &slots->items[k];
        uint64_t at = structure + slot->offset;
        for (uint32_t i = 0; i < slot->count; i++, at += slot->stride) {
            char path[MAX_PATH];
            if (!py_word(&reader, at))
                continue;
            if (!visit->word)
                slot_path(path, owner, slot, i);
            deliver(visit, at, path);
        }
    }
}

/* Functions registered with atexit, where the interpreter keeps them in an array of its own (3.10
 * to 3.13; later they are a list, which is a slot like others). */
static void visit_atexit(const struct visit *visit, uint64_t interpreter)
{
    const struct py_layout *layout = &visit->py->layout;
    struct py_reader reader = py_reader(visit->py);
    if (!PY_HAS(layout, interp, atexit_count) || !PY_HAS(layout, atexit, func))
        return;
    uint64_t array = PY_PTR(&reader, interpreter, interp, atexit_callbacks);
    uint64_t count = PY_GET(&reader, interpreter, interp, atexit_count);
    if (!array || count > MAX_ATEXIT)
        return;
    for (uint64_t i = 0; i < count && !reader.fault; i++) {
        static const char *const names[] = {"func", "args", "kwargs"};
        uint64_t callback = py_word(&reader, array + i * 8); /* 0: unregistered */
        if (!callback)
            continue;
        uint64_t slots[] = {field_slot(visit, callback, PY_F_atexit_func),
                            field_slot(visit, callback, PY_F_atexit_args),
                            field_slot(visit, callback, PY_F_atexit_kwargs)};
        for (int k = 0; k < 3; k++) {
            char path[MAX_PATH];
            snprintf(path, sizeof(path), "interpreter.atexit.callbacks[%u].%s", (unsigned)i,
                     names[k]);
            deliver(visit, slots[k], path);
        }
    }
}

/* Signal handlers up to 3.11: static Handlers[NSIG] of Modules/signalmodule.c, each an int and an
 * object; `signal` is always built in. */
static void visit_signal_handlers(const struct visit *visit)
{
    const uint64_t stride = 16, function = 8;
    const struct df_symbol *symbol = py_local_symbol(visit->py->module, "Handlers");
    if (!symbol || symbol->size % stride || symbol->size > 256 * stride)
        return;
    for (uint64_t i = 0; i < symbol->size / stride; i++) {
        char path[MAX_PATH];
        snprintf(path, sizeof(path), "signal.Handlers[%u].func", (unsigned)i);
        deliver(visit, symbol->address + i * stride + function, path);
    }
}

/* Exceptions being handled: the thread's own state at the bottom (a slot of it: not again), above
 * it those of the generators that run. */
static void visit_exceptions(const struct visit *visit)
{
    const struct py_layout *layout = &visit->py->layout;
    struct py_reader reader = py_reader(visit->py);
    struct py_cycle cycle = {0};
    uint64_t thread = visit->thread->address;
    uint64_t item = PY_PTR(&reader, thread, thread, exc_info);
    uint64_t size = PY_SIZEOF(layout, thread) != PY_ABSENT ? PY_SIZEOF(layout, thread) : 0;
    for (uint32_t i = 0; item && i < MAX_CHAIN && !py_cycle_closed(&cycle, item); i++) {
        if (item < thread || item - thread >= size) {
            deliver(visit, field_slot(visit, item, PY_F_errstack_exc_type),
                    "thread.exc_info.exc_type");
            deliver(visit, field_slot(visit, item, PY_F_errstack_exc_value),
                    "thread.exc_info.exc_value");
            deliver(visit, field_slot(visit, item, PY_F_errstack_exc_traceback),
                    "thread.exc_info.exc_traceback");
        }
        item = PY_PTR(&reader, item, errstack, previous_item);
    }
}

static void visit_all(struct visit *visit)
{
    const struct py *py = visit->py;
    visit_slots(visit, py->runtime, "runtime", &py->layout.runtime_slots);
    visit_signal_handlers(visit);
    for (uint32_t i = 0; i < py->interpreter_count; i++) {
        uint64_t interpreter = py->interpreters[i].address;
        visit_slots(visit, interpreter, "interpreter", &py->layout.interp_slots);
        visit_atexit(visit, interpreter);
    }
    for (uint32_t i = 0; i < py->thread_count; i++) {
        visit->thread = &py->threads[i];
        visit_slots(visit, visit->thread->address, "thread", &py->layout.thread_slots);
        visit_exceptions(visit);
    }
}

void py_state_roots(const struct py *py, visitor function, void *context)
{
    struct visit visit = {.py = py, .function = function, .context = context};
    visit_all(&visit);
}

void py_state_words(const struct py *py,
                    void (*visit)(void *context, uint64_t slot, uint64_t object), void *context)
{
    struct visit state = {.py = py, .word = visit, .context = context};
    visit_all(&state);
}
