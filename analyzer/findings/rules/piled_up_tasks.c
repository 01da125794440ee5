/* SPDX-License-Identifier: MIT
 * piled_up_tasks.c: which tasks, coroutines and generators pile up?
 *
 * Alike ones (the same code, suspended at the same line) that are many are told with who keeps
 * them: tasks that wait, tasks that are over and are kept all the same, coroutines that nobody
 * awaited, generators that nobody read to their end. A server has a task for each client that is
 * connected and silent: who waits for the network or for a timer is suspected last; who waits for
 * a future that nothing else knows, first.
 */
#include "analyzer/findings/rules/accuse.h"
#include "analyzer/findings/rules/piles.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/findings/hops.h"
#include "analyzer/objects/async.h"
#include "dumpfmt/base/mem.h"

#define LEAST 100     /* alike */
#define MANY 1000     /* alike that wait, and no doubt about it */
#define OPEN_SHARE 20 /* who waits for the network: a twentieth of the heap is worth a word */
#define HUGE 10000    /* no process has so many on purpose */
#define MAX_GROUPS 20 /* whose keepers are looked for: the largest */

/* Where the program itself stands: the innermost frame that is no part of a library. */
static const char *own_frame(struct fi_context *context, const struct fi_task_group *group)
{
    const struct fi_frame *own = group->stack_count ? &group->stack[0] : NULL;
    for (uint32_t i = group->stack_count; i-- > 1;)
        if (group->stack[i].file && !strstr(group->stack[i].file, "/lib/python")) {
            own = &group->stack[i];
            break;
        }
    if (!own || !own->file)
        return "";
    const char *slash = strrchr(own->file, '/');
    return fi_pool_format(context->pool, " at %s:%d", slash ? slash + 1 : own->file, own->line);
}

static bool waits_for_outside(const struct fi_task_group *group)
{
    return group->awaits && (strstr(group->awaits, "stream") || strstr(group->awaits, "socket") ||
                             strstr(group->awaits, "timer") || strstr(group->awaits, "client"));
}

static bool is_over(const struct fi_task_group *group)
{
    return !strcmp(group->state, "finished") || !strcmp(group->state, "failed") ||
           !strcmp(group->state, "cancelled");
}

static enum fi_severity grade(const struct fi_context *context, const struct fi_task_group *group,
                              const struct fi_pile *pile)
{
    enum fi_severity severity = fi_severity_of(context, pile->retained);
    bool lost = group->orphans >= group->count / 10 * 9;
    if (waits_for_outside(group) && !lost)
        return pile->count >= HUGE    ? fi_at_least(severity, FI_MEDIUM)
               : severity > FI_MEDIUM ? FI_MEDIUM
                                      : severity;
    if (pile->count >= HUGE || (pile->count >= MANY && lost))
        return FI_HIGH;
    severity = fi_at_least(severity, fi_gravity(context, pile->retained, pile->count));
    return pile->count >= MANY || lost ? fi_at_least(severity, FI_MEDIUM) : severity;
}

static const char *state_phrase(struct fi_context *context, const struct fi_task_group *group)
{
    if (group->awaits)
        return fi_pool_format(context->pool, "wait for %s%s", group->awaits,
                              own_frame(context, group));
    if (!strcmp(group->state, "failed"))
        return "have failed, and nobody has looked";
    if (is_over(group))
        return fi_pool_format(context->pool, "are over (%s)", group->state);
    if (!strcmp(group->state, "not started"))
        return "have not begun to run";
    return fi_pool_format(context->pool, "are ready to go on%s", own_frame(context, group));
}

static const char *task_advice(const struct fi_task_group *group)
{
    if (is_over(group))
        return "Forget a task when it is over: `task.add_done_callback(tasks.discard)`, or start "
               "it in an asyncio.TaskGroup; retrieve results and exceptions where they are due.";
    if (group->orphans)
        return "Find who was to complete these futures and lost them; give the wait a time limit "
               "(asyncio.wait_for, asyncio.timeout), so that one lost answer does not keep a task "
               "for ever.";
    if (waits_for_outside(group))
        return "If these are not clients that are connected: give the wait a time limit "
               "(asyncio.timeout), cancel tasks that nobody needs any more, and do not start one "
               "where one waits already.";
    return "Start a fixed number of workers instead of a task for each piece of work (or bound "
           "them with an asyncio.Semaphore), give the wait a time limit (asyncio.timeout), and "
           "cancel tasks that nobody needs any more.";
}

/* "asyncio/streams.py" of a file's whole path. */
static const char *tail(const char *file)
{
    const char *slash = file ? strrchr(file, '/') : NULL;
    while (slash && slash > file && slash[-1] != '/')
        slash--;
    return slash ? slash : file ? file : "?";
}

static void add_stack(struct fi_context *context, struct fi_finding *finding,
                      const struct fi_task_group *group)
{
    const char *text = "";
    for (uint32_t i = 0; i < group->stack_count && i < 6; i++) {
        const struct fi_frame *frame = &group->stack[i];
        text = fi_pool_format(context->pool, "%s%s%s (%s:%d)", text, i ? " → " : "",
                              frame->function, tail(frame->file), frame->line);
    }
    if (group->stack_count)
        fi_evidence(context, finding, fi_pool_format(context->pool, "each stands at %s", text));
}

static const char *keeper_clause(struct fi_context *context, const struct fi_pile *pile)
{
    const char *keeper = fi_pile_keeper(context, pile);
    return keeper ? fi_pool_format(context->pool, "; they are kept by %s", keeper) : "";
}

static void accuse_tasks(struct fi_context *context, const struct fi_rule *rule,
                         const struct fi_task_group *group, const struct fi_pile *pile)
{
    const char *name = group->coroutine ? group->coroutine : "?";
    const char *what = fi_pool_format(context->pool, "%s:%s", group->state, name);
    const char *type = fi_type_name(context->analysis, pile->members[0]);
    struct fi_finding *finding = fi_pile_accuse(context, rule, pile, type, what);
    finding->severity = grade(context, group, pile);
    finding->title =
        fi_pool_format(context->pool, "%s tasks `%s` (%s) %s%s", fi_number_phrase(pile->count).text,
                       name, fi_pile_share(context, pile->retained), state_phrase(context, group),
                       keeper_clause(context, pile));
    add_stack(context, finding, group);
    if (group->orphans)
        fi_evidence(context, finding,
                    fi_pool_format(context->pool,
                                   "of %s, nothing but the task itself knows the future that it "
                                   "waits for: it can never go on",
                                   fi_number_phrase(group->orphans).text));
    if (group->error)
        fi_evidence(context, finding,
                    fi_pool_format(context->pool,
                                   "one of them failed with %s; exceptions hold their tracebacks, "
                                   "and these the locals of all frames",
                                   group->error));
    fi_evidence(context, finding,
                fi_pool_format(context->pool, "about %s each",
                               fi_bytes_phrase(pile->retained / pile->count).text));
    finding->advice = task_advice(group);
}

/* Some clients that are connected, or jobs that sleep. */
static bool is_usual(const struct fi_context *context, const struct fi_task_group *group,
                     const struct fi_pile *pile)
{
    return waits_for_outside(group) && !group->orphans && pile->count < MANY &&
           pile->retained < context->verdict->heap_bytes / OPEN_SHARE;
}

static struct df_err *ask_tasks(struct fi_context *context, const struct fi_rule *rule,
                                uint32_t row, uint32_t *nodes)
{
    const struct fi_task_group *group = &context->verdict->tasks.groups[row];
    struct fi_piles piles;
    uint32_t count = 0;
    for (uint32_t i = 0; i < context->task_count; i++)
        if (context->tasks[i].group == row &&
            !fi_is_garbage(context->analysis, context->tasks[i].node))
            nodes[count++] = context->tasks[i].node;
    DF_TRY(fi_piles_find(context, nodes, count, LEAST, &piles));
    for (uint32_t i = 0; i < piles.count; i++)
        if (!is_usual(context, group, &piles.items[i]))
            accuse_tasks(context, rule, group, &piles.items[i]);
    fi_piles_deinit(&piles);
    return NULL;
}

/* Coroutines and generators of one code, in one state, that nobody waits for. */
struct kind {
    uint64_t code;
    int64_t lasti;
    enum py_run_state state;
    uint32_t type, count, example;
};

struct loose {
    struct fi_context *context;
    struct df_map index; /* of what makes alike -> row of kinds */
    struct {
        struct kind *items;
        size_t count, capacity;
    } kinds;
    struct {
        uint32_t *items;
        size_t count, capacity;
    } nodes, rows;
};

/* Does a task or another coroutine have it: is somebody going to run it? */
static bool is_awaited(const struct fi_analysis *analysis, uint32_t node)
{
    static const char *const runners[] = {"frame",
                                          "coroutine",
                                          "coroutine_wrapper",
                                          "async_generator_asend",
                                          "async_generator_athrow",
                                          "anext_awaitable"};
    const struct gr_graph *graph = analysis->graph;
    uint32_t holder;
    GR_EACH_REFERRER (graph, node, holder) {
        const struct py_type *type = fi_type(analysis, holder);
        bool task;
        if (py_is_future(analysis->objects, type, &task) && task)
            return true;
        for (size_t i = 0; i < sizeof(runners) / sizeof(*runners); i++)
            if (!strcmp(type->name, runners[i]))
                return true;
    }
    return false;
}

static void add_loose(struct loose *loose, uint32_t node)
{
    const struct fi_analysis *analysis = loose->context->analysis;
    struct py_coroutine coroutine;
    bool added;
    if (!py_coroutine_read(analysis->objects, gr_address(analysis->graph, node), &coroutine) ||
        !coroutine.frame.code || coroutine.state == PY_RUN_RUNNING || is_awaited(analysis, node))
        return;
    uint64_t key = coroutine.frame.code + (uint64_t)(coroutine.frame.lasti + 1) * 4 +
                   (uint64_t)coroutine.state;
    uint32_t row = df_map_add(&loose->index, key, (uint32_t)loose->kinds.count, &added);
    if (added)
        DF_PUSH(&loose->kinds, (struct kind){.code = coroutine.frame.code,
                                             .lasti = coroutine.frame.lasti,
                                             .state = coroutine.state,
                                             .type = gr_type(analysis->graph, node),
                                             .example = node});
    loose->kinds.items[row].count++;
    DF_PUSH(&loose->nodes, node);
    DF_PUSH(&loose->rows, row);
}

static const char *loose_state(struct fi_context *context, const struct kind *kind,
                               const char *type, const struct py_frame *frame)
{
    if (kind->state == PY_RUN_CREATED)
        return !strcmp(type, "coroutine") ? "were never awaited" : "were never read from";
    DF_CLEANUP_FREE char *file = py_code_file(context->analysis->py, frame->code);
    const char *slash = file ? strrchr(file, '/') : NULL;
    return fi_pool_format(
        context->pool, "stopped at %s:%d and were not %s",
        slash  ? slash + 1
        : file ? file
               : "?",
        frame->line, !strcmp(type, "coroutine") ? "awaited to their end" : "read to their end");
}

static const char *loose_advice(const char *type)
{
    if (!strcmp(type, "coroutine"))
        return "Await each coroutine that is made, or give it to asyncio.create_task; close() the "
               "ones that are not needed. python -X dev names the line that made one.";
    if (!strcmp(type, "async_generator"))
        return "Close asynchronous generators that are left early: `async with "
               "contextlib.aclosing(rows(...)) as stream`, or `await stream.aclose()`.";
    return "Close generators that are left early (generator.close(), contextlib.closing), and do "
           "not keep them: a suspended generator holds all its locals.";
}

static void accuse_loose(struct fi_context *context, const struct fi_rule *rule,
                         const struct kind *kind, const struct fi_pile *pile)
{
    const struct fi_analysis *analysis = context->analysis;
    const char *type = py_type_at(analysis->objects, kind->type)->name;
    struct py_reader reader = py_reader(analysis->py);
    struct py_coroutine coroutine;
    if (!py_coroutine_read(analysis->objects, gr_address(analysis->graph, kind->example),
                           &coroutine))
        return;
    const char *name =
        coroutine.name
            ? fi_pool_take(context->pool, py_str(&reader, coroutine.name, PY_MAX_NAME, NULL))
            : NULL;
    name = name ? name : "?";
    struct fi_finding *finding = fi_pile_accuse(context, rule, pile, type,
                                                fi_pool_format(context->pool, "%s:%s", type, name));
    finding->severity = fi_at_least(fi_severity_of(context, pile->retained),
                                    fi_gravity(context, pile->retained, pile->count));
    if (pile->count >= MANY)
        finding->severity =
            fi_at_least(finding->severity,
                        pile->count >= HUGE || kind->state == PY_RUN_CREATED ? FI_HIGH : FI_MEDIUM);
    finding->title = fi_pool_format(
        context->pool, "%s %ss `%s` (%s) %s%s", fi_number_phrase(pile->count).text,
        !strcmp(type, "async_generator") ? "asynchronous generator" : type, name,
        fi_pile_share(context, pile->retained), loose_state(context, kind, type, &coroutine.frame),
        keeper_clause(context, pile));
    fi_evidence(context, finding,
                fi_pool_format(context->pool,
                               "no task and no other coroutine waits for them; each "
                               "holds its arguments and locals, about %s",
                               fi_bytes_phrase(pile->retained / pile->count).text));
    finding->advice = loose_advice(type);
}

/* AL_NONE: no more that are many. */
static uint32_t largest_kind(const struct loose *loose)
{
    uint32_t best = AL_NONE;
    for (size_t i = 0; i < loose->kinds.count; i++)
        if (loose->kinds.items[i].count >= LEAST &&
            (best == AL_NONE || loose->kinds.items[i].count > loose->kinds.items[best].count))
            best = (uint32_t)i;
    return best;
}

static struct df_err *ask_kind(struct loose *loose, const struct fi_rule *rule, uint32_t row,
                               uint32_t *nodes)
{
    struct fi_piles piles;
    uint32_t count = 0;
    for (size_t i = 0; i < loose->nodes.count; i++)
        if (loose->rows.items[i] == row)
            nodes[count++] = loose->nodes.items[i];
    DF_TRY(fi_piles_find(loose->context, nodes, count, LEAST, &piles));
    for (uint32_t i = 0; i < piles.count; i++)
        accuse_loose(loose->context, rule, &loose->kinds.items[row], &piles.items[i]);
    fi_piles_deinit(&piles);
    return NULL;
}

static struct df_err *ask_loose(struct loose *loose, const struct fi_rule *rule)
{
    const struct fi_analysis *analysis = loose->context->analysis;
    uint32_t types = py_type_count(analysis->objects);
    DF_CLEANUP_FREE uint8_t *right = df_xcalloc(types, 1);
    DF_CLEANUP_FREE uint32_t *nodes = NULL;
    uint32_t count;
    for (uint32_t i = 0; i < types; i++)
        right[i] = py_is_coroutine(py_type_at(analysis->objects, i));
    DF_TRY(fi_nodes_of(loose->context, right, &nodes, &count));
    for (uint32_t i = 0; i < count; i++)
        if (!fi_is_garbage(analysis, nodes[i]))
            add_loose(loose, nodes[i]);
    for (int told = 0; told < MAX_GROUPS; told++) {
        uint32_t row = largest_kind(loose);
        if (row == AL_NONE)
            break;
        struct df_err *err = ask_kind(loose, rule, row, nodes);
        if (err)
            return err;
        loose->kinds.items[row].count = 0;
    }
    return NULL;
}

struct df_err *fi_ask_piled_up_tasks(struct fi_context *context, const struct fi_rule *rule)
{
    DF_CLEANUP_FREE uint32_t *nodes = NULL;
    const struct fi_tasks *tasks = &context->verdict->tasks;
    DF_TRY(df_array(context->task_count, sizeof(*nodes), &nodes));
    for (uint32_t i = 0, asked = 0; i < tasks->group_count && asked < MAX_GROUPS; i++) {
        if (tasks->groups[i].count < LEAST)
            continue;
        DF_TRY(ask_tasks(context, rule, i, nodes));
        asked++;
    }
    struct loose loose = {.context = context};
    df_map_init(&loose.index);
    struct df_err *err = ask_loose(&loose, rule);
    df_map_deinit(&loose.index);
    free(loose.kinds.items);
    free(loose.nodes.items);
    free(loose.rows.items);
    return err;
}
