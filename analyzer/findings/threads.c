/* SPDX-License-Identifier: MIT
 * threads.c: every thread's Python frames with their locals.
 *
 * A runaway recursion has a million frames that are all alike: of a deep stack the innermost and
 * the outermost frames are kept, and how many stand between them is said in their place.
 */
#include "analyzer/findings/waits.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define INNERMOST_FRAMES 150
#define OUTERMOST_FRAMES 50
#define LOCAL_TEXT 60 /* characters */

#define MAX_LOCALS 1000 /* of one frame */

struct locals {
    struct fi_context *context;
    struct fi_local *items;
    size_t count, capacity;
};

static void add_local(void *data, const char *name, uint64_t object)
{
    struct locals *locals = data;
    struct fi_context *context = locals->context;
    const struct fi_analysis *analysis = context->analysis;
    if (locals->count == MAX_LOCALS)
        return;
    uint32_t type = py_object_type(analysis->objects, object);
    uint32_t node = gr_node(analysis->graph, object);
    struct fi_local local = {
        .name = fi_pool_text(context->pool, name),
        .type = type == PY_NO_TYPE
                    ? "?"
                    : fi_pool_text(context->pool, py_type_at(analysis->objects, type)->name),
        .text = fi_pool_take(context->pool, py_text(analysis->objects, object, LOCAL_TEXT)),
        .address = object,
        .retained_bytes = node == AL_NONE ? 0 : fi_retained(analysis, node),
    };
    DF_PUSH(locals, local);
}

static void fill_frame(struct fi_context *context, const struct py_frame *from,
                       struct fi_frame *frame)
{
    const struct py *py = context->analysis->py;
    frame->function = fi_pool_take(context->pool, py_code_name(py, from->code));
    frame->file = fi_pool_take(context->pool, py_code_file(py, from->code));
    frame->line = from->line;
    if (!frame->function)
        frame->function = "?";
    /* a module's frame has its globals as locals: those are the module's, not the frame's */
    if (from->locals_dict && from->locals_dict == from->globals)
        return;
    struct locals locals = {.context = context};
    py_frame_locals(context->analysis->objects, from, add_local, &locals);
    frame->locals = fi_pool_array(context->pool, locals.count, sizeof(*locals.items));
    if (locals.count)
        memcpy(frame->locals, locals.items, locals.count * sizeof(*locals.items));
    frame->local_count = (uint32_t)locals.count;
    free(locals.items);
}

static void fill_frames(struct fi_context *context, const struct py_thread *from,
                        struct fi_thread *thread)
{
    uint32_t kept = INNERMOST_FRAMES + OUTERMOST_FRAMES, total = from->frame_count;
    bool cut = total > kept + 1;
    thread->frame_total = total;
    thread->frames = fi_pool_array(context->pool, cut ? kept + 1 : total, sizeof(struct fi_frame));
    for (uint32_t i = 0; i < total; i++) {
        if (cut && i == INNERMOST_FRAMES) {
            thread->frames[thread->frame_count++].function = fi_pool_format(
                context->pool, "… %s more frames …", fi_number_phrase(total - kept).text);
            i = total - OUTERMOST_FRAMES - 1;
            continue;
        }
        fill_frame(context, &from->frames[i], &thread->frames[thread->frame_count++]);
    }
}

void fi_fill_threads(struct fi_context *context)
{
    const struct py *py = context->analysis->py;
    struct fi_waits waits;
    fi_waits_init(&waits, context);
    struct fi_verdict *verdict = context->verdict;
    verdict->threads = fi_pool_array(context->pool, py->thread_count, sizeof(struct fi_thread));
    for (uint32_t i = 0; i < py->thread_count; i++) {
        const struct py_thread *from = &py->threads[i];
        struct fi_thread *thread = &verdict->threads[verdict->thread_count++];
        thread->name =
            fi_pool_take(context->pool, py_thread_name(context->analysis->objects, from));
        thread->native_id = from->native_id;
        thread->thread_id = from->thread_id;
        thread->holds_gil = from->holds_gil;
        thread->alive = from->alive;
        thread->interpreter = from->interpreter;
        fill_frames(context, from, thread);
        fi_fill_wait(&waits, from, thread);
        fi_fill_exceptions(context, from, thread);
    }
    fi_waits_deinit(&waits);
}
