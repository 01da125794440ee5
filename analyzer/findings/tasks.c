/* SPDX-License-Identifier: MIT
 * tasks.c: asyncio's tasks: state, stack of coroutines, what they wait for; those that are alike as
 * one group.
 *
 * Every object that is a task is looked at, wherever it is held: asyncio itself knows its tasks
 * only weakly. A task's stack is its coroutine, what that awaits, and so on, down to a future.
 * Whoever waits for a future that nothing else knows waits for ever: such tasks are counted apart.
 */
#include "analyzer/findings/parts.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/findings/hops.h"
#include "analyzer/objects/async.h"
#include "dumpfmt/base/mem.h"

#define MAX_STACK 64    /* coroutines of one task */
#define MAX_EXAMPLES 16 /* of a group */
#define MAX_KNOWERS 64  /* of a future that are looked at */
#define ERROR_TEXT 100  /* characters */

struct task {
    uint32_t node;
    struct py_future future;
    struct py_coroutine stack[MAX_STACK]; /* outermost first */
    uint64_t objects[MAX_STACK];          /* the coroutines themselves */
    uint32_t depth;
    uint64_t waits_for; /* object; 0 for nothing */
    const char *state;
};

static const char waiting[] = "waiting", ready[] = "ready", running[] = "running",
                  not_started[] = "not started", finished[] = "finished", failed[] = "failed",
                  cancelled[] = "cancelled";

static const char *state_of(const struct task *task)
{
    if (task->future.state == PY_FUTURE_CANCELLED)
        return cancelled;
    if (task->future.state == PY_FUTURE_FINISHED)
        return task->future.exception ? failed : finished;
    for (uint32_t i = 0; i < task->depth; i++)
        if (task->stack[i].state == PY_RUN_RUNNING)
            return running;
    if (task->depth == 1 && task->stack[0].state == PY_RUN_CREATED)
        return not_started;
    return task->future.waiter ? waiting : ready;
}

static void read_stack(struct py_objects *objects, struct task *task)
{
    uint64_t at = task->future.coroutine ? py_awaited(objects, task->future.coroutine) : 0;
    task->depth = 0;
    while (at && task->depth < MAX_STACK) {
        struct py_coroutine *coroutine = &task->stack[task->depth];
        if (!py_coroutine_read(objects, at, coroutine))
            break;
        task->objects[task->depth++] = at;
        at = coroutine->awaits ? py_awaited(objects, coroutine->awaits) : 0;
        for (uint32_t i = 0; i < task->depth; i++) /* a damaged chain */
            if (task->objects[i] == at)
                at = 0;
    }
    task->waits_for = task->future.waiter ? task->future.waiter : at;
}

static bool read_task(struct fi_analysis *analysis, uint32_t node, struct task *ret)
{
    ret->node = node;
    if (!py_future_read(analysis->objects, gr_address(analysis->graph, node), &ret->future))
        return false;
    read_stack(analysis->objects, ret);
    ret->state = state_of(ret);
    return true;
}

/* Is this one of what makes the task itself wait: its coroutines, their frames, what wakes it? */
static bool is_part_of(const struct fi_analysis *analysis, const struct task *task, uint32_t node)
{
    static const char *const glue[] = {"_asyncio.FutureIter", "TaskWakeupMethWrapper",
                                       "_asyncio.TaskWakeupMethWrapper",
                                       "builtin_function_or_method"};
    uint64_t address = gr_address(analysis->graph, node);
    const char *type = fi_type_name(analysis, node);
    if (node == task->node)
        return true;
    for (uint32_t i = 0; i < task->depth; i++)
        if (task->objects[i] == address || task->stack[i].frame.frame_object == address)
            return true;
    for (size_t i = 0; i < sizeof(glue) / sizeof(*glue); i++)
        if (!strcmp(type, glue[i]))
            return true;
    return false;
}

/* Nothing but the task knows what it waits for. */
static bool is_orphan(const struct fi_analysis *analysis, const struct task *task)
{
    const struct gr_graph *graph = analysis->graph;
    uint32_t node = task->state == waiting ? gr_node(graph, task->waits_for) : AL_NONE;
    bool is_task;
    if (node == AL_NONE || gr_root_kind_of(graph, node) != GR_ROOT_NONE ||
        !py_is_future(analysis->objects, fi_type(analysis, node), &is_task) || is_task)
        return false;
    uint32_t count = gr_referrer_count(graph, node), holder;
    if (count > MAX_KNOWERS)
        return false;
    GR_EACH_REFERRER (graph, node, holder)
        if (!is_part_of(analysis, task, holder))
            return false;
    return gr_references(graph, node) <= (int64_t)count;
}

/* What a coroutine of the library waits for, in words. */
static const struct {
    const char *file, *function, *what;
} library[] = {
    {"asyncio/tasks.py", "sleep", "a timer (asyncio.sleep)"},
    {"asyncio/tasks.py", "__sleep0", "its turn (asyncio.sleep(0))"},
    {"asyncio/tasks.py", "wait_for", "a future, with a time limit"},
    {"asyncio/tasks.py", "_wait", "some of several futures (asyncio.wait)"},
    {"asyncio/locks.py", "Lock.acquire", "an asyncio.Lock to become free"},
    {"asyncio/locks.py", "Event.wait", "an asyncio.Event to be set"},
    {"asyncio/locks.py", "Condition.wait", "an asyncio.Condition to be notified"},
    {"asyncio/locks.py", "Semaphore.acquire", "an asyncio.Semaphore to have room"},
    {"asyncio/locks.py", "Barrier.wait", "an asyncio.Barrier to fill"},
    {"asyncio/queues.py", "Queue.get", "an asyncio.Queue to give something"},
    {"asyncio/queues.py", "Queue.put", "an asyncio.Queue to have room"},
    {"asyncio/queues.py", "Queue.join", "an asyncio.Queue to be worked off"},
    {"asyncio/streams.py", "StreamReader._wait_for_data", "data from a stream"},
    {"asyncio/streams.py", "FlowControlMixin._drain_helper", "the other side to read (drain)"},
    {"asyncio/selector_events.py", "BaseSelectorEventLoop.sock_recv", "data from a socket"},
    {"asyncio/selector_events.py", "BaseSelectorEventLoop.sock_sendall", "room in a socket"},
    {"asyncio/selector_events.py", "BaseSelectorEventLoop.sock_accept", "a client to connect"},
    {"asyncio/selector_events.py", "BaseSelectorEventLoop.sock_connect", "a connection"},
    {"asyncio/base_events.py", "Server.serve_forever", "the server's end"},
    {"asyncio/base_subprocess.py", "BaseSubprocessTransport._wait", "a child process to end"},
};

static const char *library_wait(const struct fi_frame *innermost)
{
    for (size_t i = 0; i < sizeof(library) / sizeof(*library); i++) {
        size_t length = strlen(library[i].file);
        size_t have = innermost->file ? strlen(innermost->file) : 0;
        if (have >= length && !strcmp(innermost->file + have - length, library[i].file) &&
            !strcmp(innermost->function, library[i].function))
            return library[i].what;
    }
    return NULL;
}

static const char *task_phrase(struct fi_context *context, const struct py_future *task)
{
    struct py_objects *objects = context->analysis->objects;
    DF_CLEANUP_FREE char *name = py_task_name(objects, task);
    return name ? fi_pool_format(context->pool, "the task `%s`", name) : "a task";
}

static const char *awaits(struct fi_context *context, const struct task *task,
                          const struct fi_task_group *group)
{
    const struct fi_analysis *analysis = context->analysis;
    if (task->state != waiting)
        return NULL;
    const char *known =
        group->stack_count ? library_wait(&group->stack[group->stack_count - 1]) : NULL;
    if (known)
        return known;
    struct py_future future;
    uint32_t type = py_object_type(analysis->objects, task->waits_for);
    if (type == PY_NO_TYPE)
        return "a future";
    if (py_future_read(analysis->objects, task->waits_for, &future) && future.task)
        return task_phrase(context, &future);
    const char *name = py_type_at(analysis->objects, type)->name;
    if (!strcmp(name, "asyncio.tasks._GatheringFuture"))
        return "several tasks (asyncio.gather)";
    if (!strcmp(name, "_asyncio.Future") || !strcmp(name, "asyncio.futures.Future"))
        return "a future";
    return fi_type_phrase(context->pool, py_type_at(analysis->objects, type));
}

/* Not Python's: compiled by Cython, or a class with a send(). */
static const char *foreign_name(struct fi_context *context, const struct task *task)
{
    uint32_t type = task->future.coroutine
                        ? py_object_type(context->analysis->objects, task->future.coroutine)
                        : PY_NO_TYPE;
    return type == PY_NO_TYPE
               ? NULL
               : fi_pool_text(context->pool, py_type_at(context->analysis->objects, type)->name);
}

static void fill_stack(struct fi_context *context, const struct task *task,
                       struct fi_task_group *group)
{
    const struct py *py = context->analysis->py;
    struct py_reader reader = py_reader(py);
    group->stack = fi_pool_array(context->pool, task->depth, sizeof(*group->stack));
    if (!task->depth)
        group->coroutine = foreign_name(context, task);
    for (uint32_t i = 0; i < task->depth; i++) {
        const struct py_coroutine *from = &task->stack[i];
        char *name = from->name ? py_str(&reader, from->name, PY_MAX_NAME, NULL) : NULL;
        const char *text = fi_pool_take(context->pool, name);
        if (!i)
            group->coroutine = text;
        if (!from->frame.code)
            continue; /* it has ended */
        struct fi_frame *frame = &group->stack[group->stack_count++];
        frame->function = text ? text : "?";
        frame->file = fi_pool_take(context->pool, py_code_file(py, from->frame.code));
        frame->line = from->frame.line;
    }
}

/* FNV-1a over what makes tasks alike. */
static void mix(uint64_t *hash, uint64_t value)
{
    for (int i = 0; i < 64; i += 8)
        *hash = (*hash ^ (value >> i & 255)) * UINT64_C(0x100000001b3);
}

static uint64_t key_of(const struct fi_analysis *analysis, const struct task *task)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    mix(&hash, (uint64_t)(uintptr_t)task->state);
    mix(&hash, task->depth);
    for (uint32_t i = 0; i < task->depth; i++) {
        const struct py_coroutine *coroutine = &task->stack[i];
        mix(&hash, coroutine->frame.code ? coroutine->frame.code : coroutine->name);
        mix(&hash, coroutine->frame.code ? (uint64_t)coroutine->frame.lasti : 0);
    }
    uint64_t last = task->future.exception ? task->future.exception : task->waits_for;
    mix(&hash, last ? py_object_type(analysis->objects, last) : 0);
    return hash | 1;
}

struct found {
    struct fi_task_group *items;
    size_t count, capacity;
};

static void add_group(struct fi_context *context, const struct task *task, struct found *found)
{
    struct fi_task_group group = {.state = task->state};
    fill_stack(context, task, &group);
    group.awaits = awaits(context, task, &group);
    if (task->future.exception)
        group.error = fi_pool_take(
            context->pool, py_text(context->analysis->objects, task->future.exception, ERROR_TEXT));
    group.names = fi_pool_array(context->pool, MAX_EXAMPLES, sizeof(*group.names));
    group.examples = fi_pool_array(context->pool, MAX_EXAMPLES, sizeof(*group.examples));
    DF_PUSH(found, group);
}

static void add_to_group(struct fi_context *context, const struct task *task,
                         struct fi_task_group *group)
{
    const struct fi_analysis *analysis = context->analysis;
    if (group->count++ && group->awaits && !strncmp(group->awaits, "the task ", 9))
        group->awaits = "a task each";
    group->retained_bytes += fi_retained(analysis, task->node);
    group->orphans += is_orphan(analysis, task);
    if (group->example_count == MAX_EXAMPLES)
        return;
    group->examples[group->example_count] = gr_address(analysis->graph, task->node);
    group->names[group->example_count++] =
        fi_pool_take(context->pool, py_task_name(analysis->objects, &task->future));
}

static void count_state(struct fi_tasks *tasks, const struct task *task)
{
    tasks->count++;
    if (task->state == finished)
        tasks->finished++;
    else if (task->state == failed)
        tasks->failed++;
    else if (task->state == cancelled)
        tasks->cancelled++;
    else
        tasks->pending++;
}

static bool is_over(const struct fi_task_group *group)
{
    return group->state == finished || group->state == failed || group->state == cancelled;
}

static int compare_groups(const void *left, const void *right)
{
    const struct fi_task_group *a = left, *b = right;
    if (is_over(a) != is_over(b))
        return is_over(a) ? 1 : -1;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    int order = strcmp(a->coroutine ? a->coroutine : "", b->coroutine ? b->coroutine : "");
    if (!order)
        order = strcmp(a->state, b->state);
    return order ? order : (a->examples[0] > b->examples[0]) - (a->examples[0] < b->examples[0]);
}

/* Sorts the groups into the verdict, and tells every task its row there. */
static void keep_groups(struct fi_context *context, struct found *found)
{
    struct fi_tasks *tasks = &context->verdict->tasks;
    uint64_t *first = df_xcalloc(found->count, sizeof(*first));
    uint32_t *place = df_xcalloc(found->count, sizeof(*place));
    for (size_t i = 0; i < found->count; i++)
        first[i] = found->items[i].examples[0];
    if (found->count)
        qsort(found->items, found->count, sizeof(*found->items), compare_groups);
    struct df_map places;
    df_map_init(&places);
    for (size_t i = 0; i < found->count; i++)
        df_map_set(&places, found->items[i].examples[0], (uint32_t)i);
    for (size_t i = 0; i < found->count; i++)
        place[i] = df_map_get(&places, first[i]);
    df_map_deinit(&places);
    for (uint32_t i = 0; i < context->task_count; i++)
        context->tasks[i].group = place[context->tasks[i].group];
    tasks->groups = fi_pool_array(context->pool, found->count, sizeof(*tasks->groups));
    if (found->count)
        memcpy(tasks->groups, found->items, found->count * sizeof(*found->items));
    tasks->group_count = tasks->group_total = (uint32_t)found->count;
    free(first);
    free(place);
}

struct df_err *fi_fill_tasks(struct fi_context *context)
{
    uint32_t types = py_type_count(context->analysis->objects);
    DF_CLEANUP_FREE uint8_t *is_task = df_xcalloc(types, 1);
    DF_CLEANUP_FREE struct task *task = df_xcalloc(1, sizeof(*task));
    struct found found = {0};
    struct df_map groups;
    DF_CLEANUP_FREE uint32_t *nodes = NULL;
    uint32_t total = 0;
    for (uint32_t i = 0; i < types; i++) {
        bool is;
        is_task[i] = py_is_future(context->analysis->objects,
                                  py_type_at(context->analysis->objects, i), &is) &&
                     is;
    }
    DF_TRY(fi_nodes_of(context, is_task, &nodes, &total));
    context->tasks = fi_pool_array(context->pool, total, sizeof(*context->tasks));
    df_map_init(&groups);
    for (uint32_t i = 0; i < total; i++) {
        bool added;
        if (!read_task(context->analysis, nodes[i], task))
            continue;
        uint32_t row =
            df_map_add(&groups, key_of(context->analysis, task), (uint32_t)found.count, &added);
        if (added)
            add_group(context, task, &found);
        add_to_group(context, task, &found.items[row]);
        count_state(&context->verdict->tasks, task);
        context->tasks[context->task_count++] = (struct fi_task_row){nodes[i], row};
    }
    df_map_deinit(&groups);
    keep_groups(context, &found);
    free(found.items);
    return NULL;
}
