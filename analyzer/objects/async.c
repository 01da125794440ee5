/* SPDX-License-Identifier: MIT
 * async.c: see async.h.
 */
#include "analyzer/objects/async.h"

#include "analyzer/objects/internal.h"

#define MAX_BASES 64   /* a chain of bases may be damaged into a ring */
#define MAX_BETWEEN 16 /* objects between two that wait for each other */
#define MAX_TASK_NAME 200

bool py_type_derives(const struct py_objects *objects, const struct py_type *type, const char *name)
{
    for (int depth = 0; depth < MAX_BASES; depth++) {
        if (!strcmp(type->name, name))
            return true;
        if (type->base_index == PY_NO_TYPE)
            return false;
        type = objects->types[type->base_index];
    }
    return false;
}

bool py_is_coroutine(const struct py_type *type)
{
    return !strcmp(type->name, "coroutine") || !strcmp(type->name, "generator") ||
           !strcmp(type->name, "async_generator");
}

/* Up to 3.10 a generator has a frame object until it ends; while it runs, the top of its stack is
 * not in memory. */
static void read_object_frame(struct py_objects *objects, uint64_t object, struct py_coroutine *ret)
{
    uint64_t frame = PY_PTR(&objects->reader, object, gen, gi_frame);
    ret->state = PY_RUN_FINISHED;
    if (!frame || !py_frame_read(objects->py, frame, &ret->frame))
        return;
    const struct py_layout *layout = objects->reader.layout;
    bool top = PY_HAS(layout, frameobject, f_stackdepth)
                   ? (int32_t)PY_GET(&objects->reader, frame, frameobject, f_stackdepth) >= 0
                   : PY_PTR(&objects->reader, frame, frameobject, f_stacktop) != 0;
    if (ret->frame.lasti < 0)
        ret->state = PY_RUN_CREATED;
    else
        ret->state = top ? PY_RUN_SUSPENDED : PY_RUN_RUNNING;
}

static void read_inner_frame(struct py_objects *objects, uint64_t object, struct py_coroutine *ret)
{
    const struct py_layout *layout = objects->reader.layout;
    int8_t state = (int8_t)PY_GET(&objects->reader, object, gen, gi_frame_state);
    bool completed = state == layout->frame_state_completed &&
                     layout->frame_state_completed != layout->frame_state_suspended;
    if (state == layout->frame_state_created)
        ret->state = PY_RUN_CREATED;
    else if (state == layout->frame_state_executing)
        ret->state = PY_RUN_RUNNING;
    else if (completed || state >= layout->frame_state_cleared)
        ret->state = PY_RUN_FINISHED;
    else
        ret->state = PY_RUN_SUSPENDED;
    uint64_t frame = PY_AT(layout, object, gen, gi_iframe);
    if (ret->state == PY_RUN_FINISHED || !py_frame_read(objects->py, frame, &ret->frame))
        ret->frame = (struct py_frame){0};
}

/* The uppermost object on the value stack of a suspended frame: what `await` and `yield from` leave
 * there (3.15 puts a null on top of it). */
static uint64_t stack_top(struct py_objects *objects, const struct py_frame *frame)
{
    for (uint32_t i = frame->stack_count; i; i--) {
        uint64_t at = frame->localsplus + ((uint64_t)frame->slot_count + i - 1) * 8;
        uint64_t word = py_word(&objects->reader, at);
        uint64_t object = word ? py_slot_object(objects->py, word, NULL) : 0;
        if (object)
            return object;
    }
    return 0;
}

bool py_coroutine_read(struct py_objects *objects, uint64_t object, struct py_coroutine *ret)
{
    uint32_t type = py_object_type(objects, object);
    *ret = (struct py_coroutine){0};
    if (type == PY_NO_TYPE || !py_is_coroutine(objects->types[type]))
        return false;
    objects->reader.fault = false;
    ret->name = PY_PTR(&objects->reader, object, gen, gi_qualname);
    if (objects->reader.layout->frame_shape == PY_FRAME_OBJECTS)
        read_object_frame(objects, object, ret);
    else
        read_inner_frame(objects, object, ret);
    if (ret->state == PY_RUN_SUSPENDED && ret->frame.code)
        ret->awaits = stack_top(objects, &ret->frame);
    if (ret->awaits && py_object_type(objects, ret->awaits) == PY_NO_TYPE)
        ret->awaits = 0;
    return py_reader_status(objects) == PY_OK;
}

/* The first reference to something that runs or will be done. */
static uint64_t inner(struct py_objects *objects, uint64_t object)
{
    struct py_refs refs = {0};
    uint64_t found = 0;
    py_walk_one(objects, object, &refs);
    for (size_t i = 0; i < refs.count && !found; i++) {
        bool task;
        uint32_t type = py_object_type(objects, refs.items[i].target);
        if (type != PY_NO_TYPE && (py_is_coroutine(objects->types[type]) ||
                                   py_is_future(objects, objects->types[type], &task)))
            found = refs.items[i].target;
    }
    free(refs.items);
    return found;
}

static bool is_between(const char *type)
{
    static const char *const names[] = {"_asyncio.FutureIter",   "coroutine_wrapper",
                                        "async_generator_asend", "async_generator_athrow",
                                        "anext_awaitable",       "types._GeneratorWrapper"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (!strcmp(type, names[i]))
            return true;
    return false;
}

/* What an object that is none of the builtin ones waits for; 0 when it is what is waited for. */
static uint64_t next_of(struct py_objects *objects, const struct py_type *type, uint64_t object)
{
    bool task;
    uint64_t next = 0;
    if (type->python_class) /* a wrapper of a library, as aiohttp's: it has a coroutine */
        return py_is_future(objects, type, &task) ? 0 : py_attribute(objects, object, "_coro");
    if (!is_between(type->name))
        return 0;
    if (!strcmp(type->name, "_asyncio.FutureIter"))
        next = PY_PTR(&objects->reader, object, futureiter, future);
    objects->reader.fault = false;
    return next ? next : inner(objects, object);
}

uint64_t py_awaited(struct py_objects *objects, uint64_t object)
{
    for (int depth = 0; depth < MAX_BETWEEN; depth++) {
        uint32_t type = py_object_type(objects, object);
        uint64_t next = type == PY_NO_TYPE ? 0 : next_of(objects, objects->types[type], object);
        if (!next)
            break;
        object = next;
    }
    return object;
}

bool py_is_future(const struct py_objects *objects, const struct py_type *type, bool *ret_task)
{
    *ret_task = false;
    for (int depth = 0; depth < MAX_BASES; depth++) {
        *ret_task |=
            !strcmp(type->name, "_asyncio.Task") || !strcmp(type->name, "asyncio.tasks.Task");
        if (*ret_task || !strcmp(type->name, "_asyncio.Future") ||
            !strcmp(type->name, "asyncio.futures.Future"))
            return true;
        if (type->base_index == PY_NO_TYPE)
            return false;
        type = objects->types[type->base_index];
    }
    return false;
}

static bool is_none(struct py_objects *objects, uint64_t object)
{
    uint32_t type = object ? py_object_type(objects, object) : PY_NO_TYPE;
    return type == PY_NO_TYPE || !strcmp(objects->types[type]->name, "NoneType");
}

static uint64_t object_or_0(struct py_objects *objects, uint64_t object)
{
    return is_none(objects, object) ? 0 : object;
}

/* Futures written in Python (asyncio.futures._PyFuture). */
static bool read_attributes(struct py_objects *objects, uint64_t object, struct py_future *ret)
{
    uint64_t state = py_attribute(objects, object, "_state");
    if (!state)
        return false;
    if (py_str_equals(&objects->reader, state, "CANCELLED"))
        ret->state = PY_FUTURE_CANCELLED;
    else if (py_str_equals(&objects->reader, state, "FINISHED"))
        ret->state = PY_FUTURE_FINISHED;
    ret->exception = object_or_0(objects, py_attribute(objects, object, "_exception"));
    if (!ret->task)
        return true;
    ret->coroutine = object_or_0(objects, py_attribute(objects, object, "_coro"));
    ret->waiter = object_or_0(objects, py_attribute(objects, object, "_fut_waiter"));
    ret->name_object = object_or_0(objects, py_attribute(objects, object, "_name"));
    return true;
}

bool py_future_read(struct py_objects *objects, uint64_t object, struct py_future *ret)
{
    struct py_reader *reader = &objects->reader;
    uint32_t index = py_object_type(objects, object);
    *ret = (struct py_future){0};
    if (index == PY_NO_TYPE || !py_is_future(objects, objects->types[index], &ret->task))
        return false;
    const struct py_type *type = objects->types[index];
    if (!py_type_derives(objects, type, "_asyncio.Future") &&
        !py_type_derives(objects, type, "_asyncio.Task"))
        return read_attributes(objects, object, ret);
    if (!PY_HAS(reader->layout, future, fut_state))
        return false;
    reader->fault = false;
    uint32_t state = (uint32_t)PY_GET(reader, object, future, fut_state);
    ret->state = state <= PY_FUTURE_FINISHED ? (enum py_future_state)state : PY_FUTURE_PENDING;
    ret->exception = object_or_0(objects, PY_PTR(reader, object, future, fut_exception));
    if (ret->task) {
        ret->coroutine = object_or_0(objects, PY_PTR(reader, object, task, task_coro));
        ret->waiter = object_or_0(objects, PY_PTR(reader, object, task, task_fut_waiter));
        ret->name_object = object_or_0(objects, PY_PTR(reader, object, task, task_name));
    }
    return py_reader_status(objects) == PY_OK;
}

char *py_task_name(struct py_objects *objects, const struct py_future *task)
{
    struct py_reader *reader = &objects->reader;
    int64_t number;
    if (!task->name_object)
        return NULL;
    char *text = py_flags_of(reader, task->name_object) & PY_TPFLAGS_UNICODE
                     ? py_str(reader, task->name_object, MAX_TASK_NAME, NULL)
                     : NULL;
    if (!text && py_int(reader, task->name_object, &number))
        text = df_xasprintf("Task-%lld", (long long)number);
    reader->fault = false;
    return text;
}
