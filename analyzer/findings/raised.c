/* SPDX-License-Identifier: MIT
 * raised.c: the exceptions that a thread raises or handles, with their tracebacks.
 *
 * CPython does not write down how much memory was asked for when it raises MemoryError; the request
 * is mostly made by the line that the traceback ends in, from numbers that are still there.
 */
#include "analyzer/findings/parts.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/findings/hops.h"
#include "analyzer/objects/async.h"
#include "analyzer/objects/traceback.h"
#include "dumpfmt/base/mem.h"

#define MAX_HANDLED 16
#define MAX_ENTRIES 200 /* of a traceback */
#define ERROR_TEXT 200  /* characters */
#define LARGE 1000000   /* a number that may have been too many bytes, or elements */
#define MAX_NUMBERS 3

struct numbers {
    struct fi_context *context;
    const char *text;
    uint32_t count;
};

static void add_number(void *data, const char *name, uint64_t object)
{
    struct numbers *numbers = data;
    struct fi_context *context = numbers->context;
    struct py_reader reader = py_reader(context->analysis->py);
    int64_t value;
    if (numbers->count == MAX_NUMBERS || !py_int(&reader, object, &value) || value < LARGE)
        return;
    numbers->count++;
    numbers->text =
        fi_pool_format(context->pool, "%s%s`%s` = %s", numbers->text ? numbers->text : "",
                       numbers->text ? ", " : "", name, fi_number_phrase((uint64_t)value).text);
}

static const char *memory_note(struct fi_context *context, const struct py_frame *last)
{
    struct numbers numbers = {.context = context};
    if (last->code && last->locals_dict != last->globals)
        py_frame_locals(context->analysis->objects, last, add_number, &numbers);
    if (numbers.count)
        return fi_pool_format(context->pool,
                              "how much was asked for is not recorded; large numbers in the frame "
                              "that asked: %s",
                              numbers.text);
    return "how much was asked for is not recorded";
}

static bool is_memory_error(const struct fi_analysis *analysis, uint64_t exception)
{
    uint32_t type = py_object_type(analysis->objects, exception);
    return type != PY_NO_TYPE &&
           py_type_derives(analysis->objects, py_type_at(analysis->objects, type), "MemoryError");
}

static void fill_traceback(struct fi_context *context, uint64_t traceback,
                           struct fi_exception *exception, struct py_frame *ret_last)
{
    const struct fi_analysis *analysis = context->analysis;
    struct py_traceback entry;
    *ret_last = (struct py_frame){0};
    exception->frames = fi_pool_array(context->pool, MAX_ENTRIES, sizeof(*exception->frames));
    while (traceback && exception->frame_count < MAX_ENTRIES &&
           py_traceback_read(analysis->objects, traceback, &entry)) {
        struct fi_frame *frame = &exception->frames[exception->frame_count++];
        frame->function = "?";
        frame->line = entry.line;
        if (entry.frame.code) {
            char *name = py_code_name(analysis->py, entry.frame.code);
            frame->function = name ? fi_pool_take(context->pool, name) : "?";
            frame->file = fi_pool_take(context->pool, py_code_file(analysis->py, entry.frame.code));
        }
        *ret_last = entry.frame;
        traceback = entry.next;
    }
}

static void add(struct fi_context *context, struct fi_thread *thread, uint64_t object, bool raised)
{
    struct py_objects *objects = context->analysis->objects;
    struct fi_exception *exception = &thread->exceptions[thread->exception_count];
    uint32_t index = py_object_type(objects, object);
    struct py_frame last;
    if (index == PY_NO_TYPE)
        return;
    thread->exception_count++;
    exception->raised = raised;
    exception->address = object;
    exception->type = fi_pool_text(context->pool, py_type_at(objects, index)->name);
    exception->text = fi_pool_take(context->pool, py_text(objects, object, ERROR_TEXT));
    if (!py_is_exception(py_type_at(objects, index)))
        return;
    fill_traceback(context, py_exception_traceback(objects, object), exception, &last);
    if (is_memory_error(context->analysis, object)) {
        exception->memory = true;
        exception->note = memory_note(context, &last);
    }
}

void fi_fill_exceptions(struct fi_context *context, const struct py_thread *from,
                        struct fi_thread *thread)
{
    uint64_t raised, handled[MAX_HANDLED];
    uint32_t count =
        py_thread_exceptions(context->analysis->objects, from, &raised, handled, MAX_HANDLED);
    if (!raised && !count)
        return;
    thread->exceptions = fi_pool_array(context->pool, MAX_HANDLED + 1, sizeof(*thread->exceptions));
    if (raised)
        add(context, thread, raised, true);
    for (uint32_t i = 0; i < count; i++)
        add(context, thread, handled[i], false);
}
