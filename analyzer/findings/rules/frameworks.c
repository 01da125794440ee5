/* SPDX-License-Identifier: MIT
 * frameworks.c: what do libraries keep that is known to grow?
 *
 * A table: where a suspect stands, by the classes that it hangs on and the names of its path, and
 * what that means. A row is a known fact of a library, with the fix that this library has; its rule
 * name says which.
 */
#include "analyzer/findings/rules/accuse.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define MUCH 12 /* a twelfth of the heap */
#define STEPS 6 /* upwards from the suspect that are asked */

struct row {
    const char *rule;
    const char *owner; /* a class on the way up, or a base of it; NULL: any */
    const char *item;  /* the class of what is held, or a base of it; NULL: any */
    const char *path;  /* a part of the path; NULL: any */
    const char *what, *advice;
    const char *longest; /* the count is the length of the longest list of this class */
    bool bounded;        /* its library bounds it, or it is no leak: told when it is much */
};

static const struct row rows[] = {
    {"django-query-log", "django.db.backends.base.base.BaseDatabaseWrapper", NULL, "queries_log",
     "Django's log of SQL statements, which it keeps while DEBUG is True",
     "Set DEBUG = False; where it must be True, call django.db.reset_queries() now and then.", NULL,
     false},
    {"celery-task-state", "celery.app.task.Task", NULL, NULL,
     "state of a Celery task: a task is one object for the whole life of its worker",
     "Keep what belongs to one run in local variables of run(), not on self or on the class; "
     "worker_max_tasks_per_child is only a stopgap.",
     NULL, false},
    {"celery-results", NULL, "celery.result.AsyncResult", NULL,
     "Celery results that nobody fetched",
     "Call get() or forget() on each, or keep only its id; set ignore_result=True where nobody "
     "asks "
     "for the result.",
     NULL, false},
    {"celery-results", "celery.backends.base.Backend", NULL, NULL,
     "what a Celery result backend keeps",
     "Call get() or forget() on each result; set ignore_result=True and result_expires.", NULL,
     false},
    {"sqlalchemy-session", "sqlalchemy.orm.session.Session", NULL, NULL,
     "objects of an SQLAlchemy session that was never closed",
     "Close the session after each piece of work (with Session() as session: ...), or call "
     "expunge_all(); never keep one session for the whole process.",
     NULL, false},
    {"logging-handlers", "logging.Logger", "logging.Handler", ".handlers",
     "the handlers of a logger: one was added again and again",
     "Add a handler once, where logging is configured, not in each call; or remove it "
     "(removeHandler, close) when it has served.",
     NULL, false},
    {"logging-buffer", "logging.handlers.BufferingHandler", NULL, ".buffer",
     "log records that wait in a buffering handler",
     "Give the MemoryHandler a target and a capacity, and look at why it is not flushed.", NULL,
     false},
    {"logging-records", "logging.Handler", NULL, NULL,
     "what a logging handler collects and does not let go of",
     "Bound what the handler collects (collections.deque(maxlen=...)), or write it out and forget "
     "it; a handler of tests must be removed when it has served.",
     NULL, false},
    {"logging-loggers", "logging.Manager", NULL, ".loggerDict",
     "loggers, which live for ever: their names are made from data",
     "Use one logger a module, and put what differs into the message or into extra=.", NULL, false},
    {"mock-calls", "unittest.mock.Base", NULL, NULL,
     "a mock, which remembers every call and its arguments",
     "Take the mock out of what runs for long, or call reset_mock() now and then.",
     "unittest.mock._CallList", false},
    {"event-loop-timers", "asyncio.base_events.BaseEventLoop", NULL, "._scheduled",
     "timers of the event loop that are still to come",
     "Cancel what call_later() and wait_for() started when it is not needed any more; cancelled "
     "timers too stay until their time has come.",
     NULL, false},
    {"event-loop-callbacks", "asyncio.base_events.BaseEventLoop", NULL, "._ready",
     "callbacks that the event loop has not come to yet",
     "Something blocks the event loop, or schedules faster than it can run: look at its thread's "
     "stack.",
     NULL, false},
    {"queue", NULL, "concurrent.futures.thread._WorkItem", NULL,
     "work that was submitted to a thread pool faster than it is done",
     "Let who submits wait: hold back with a semaphore, or submit the next piece when one is done; "
     "the pool's queue has no bound.",
     NULL, false},
    {"metric-labels", "prometheus_client.metrics.MetricWrapperBase", NULL, "._metrics",
     "the children of a metric, one for each set of label values",
     "Take labels with few values only: no ids, no paths, no user names.", NULL, false},
    {"warnings-registry", NULL, NULL, "__warningregistry__",
     "warnings that were given already, by their texts",
     "A text that differs each time (an id, a time in it) is remembered each time: keep the text "
     "constant, or filter the warning.",
     NULL, false},
    {"finalize-registry", NULL, NULL, "weakref.finalize._registry",
     "finalizers (weakref.finalize) of objects that still live, with their arguments",
     "Look at who keeps the objects that they watch; a finalizer's own arguments must not refer to "
     "these.",
     NULL, false},
    {"atexit-callbacks", NULL, NULL, "<interpreter>.atexit",
     "the callbacks that were registered with atexit",
     "Register one callback for the process, not one for each object; call atexit.unregister() "
     "when "
     "an object is done, or use weakref.finalize.",
     NULL, false},
    {"interned-strings", NULL, NULL, "<interpreter>.interned", "the table of interned strings",
     "Do not call sys.intern() on data; strings that serve as attribute names (setattr, __dict__) "
     "are interned too.",
     NULL, true},
    {"line-cache", NULL, NULL, "linecache.cache",
     "source lines that were read for tracebacks (a cache of the standard library)",
     "linecache.clearcache() empties it; it grows only by files whose lines were asked for.", NULL,
     true},
    {"asyncio-waiters", NULL, "_asyncio.Future", "._waiters",
     "the futures of tasks that wait for an asyncio lock, event or semaphore",
     "Look at the tasks that wait (necropy tasks), and at who has the lock.", NULL, true},
    {"regex-cache", NULL, NULL, "re._cache", "compiled regular expressions (at most 512)",
     "re.purge() empties it.", NULL, true},
    {"import-cache", NULL, NULL, "sys.path_importer_cache", "what the import system found on disk",
     "It grows with the entries of sys.path: look at what adds to that.", NULL, true},
};

/* Is the node an instance of the class, or a class that derives from it? */
static bool is_owner(const struct fi_analysis *analysis, uint32_t node, const char *name)
{
    const char *const names[] = {name, NULL};
    if (fi_is_a(analysis, node, names))
        return true;
    const struct py_type *meta = py_type_at(analysis->objects, gr_type(analysis->graph, node));
    uint32_t own = meta->flags & PY_TPFLAGS_TYPE
                       ? py_type_index(analysis->objects, gr_address(analysis->graph, node))
                       : PY_NO_TYPE;
    for (int depth = 0; depth < 64 && own != PY_NO_TYPE; depth++) {
        const struct py_type *type = py_type_at(analysis->objects, own);
        if (!strcmp(type->name, name))
            return true;
        own = type->base_index;
    }
    return false;
}

static bool is_item(const struct fi_analysis *analysis, uint32_t type, const char *name)
{
    for (int depth = 0; depth < 64 && type != PY_NO_TYPE; depth++) {
        if (!strcmp(py_type_at(analysis->objects, type)->name, name))
            return true;
        type = py_type_at(analysis->objects, type)->base_index;
    }
    return false;
}

static bool matches(const struct fi_context *context, const struct fi_suspect *suspect,
                    const struct row *row)
{
    const struct fi_analysis *analysis = context->analysis;
    if (row->path && !strstr(suspect->path, row->path))
        return false;
    if (row->item && !is_item(analysis, suspect->held.type, row->item))
        return false;
    if (!row->owner)
        return true;
    for (uint32_t i = 0; i < suspect->way_count && i < STEPS; i++)
        if (is_owner(analysis, suspect->way[i], row->owner))
            return true;
    return false;
}

/* The longest list of a class: its length, and the type of its elements. */
static uint64_t longest(const struct fi_context *context, const char *name, const char **ret_type)
{
    const struct fi_analysis *analysis = context->analysis;
    const struct gr_graph *graph = analysis->graph;
    struct py_reader reader = py_reader(analysis->py);
    uint64_t best = 0;
    uint32_t types = py_type_count(analysis->objects), item = AL_NONE, count = 0;
    DF_CLEANUP_FREE uint8_t *wanted = df_xcalloc(types, 1);
    DF_CLEANUP_FREE uint32_t *nodes = NULL;
    for (uint32_t i = types; i-- > 0;)
        if (!strcmp(py_type_at(analysis->objects, i)->name, name)) {
            wanted[i] = 1;
            break;
        }
    df_err_free(fi_nodes_of(context, wanted, &nodes, &count));
    for (uint32_t i = 0; i < count && nodes; i++) {
        uint32_t node = nodes[i];
        int64_t length = py_ob_size(&reader, gr_address(graph, node));
        if (length > 0 && (uint64_t)length <= graph->edge_count && (uint64_t)length > best) {
            best = (uint64_t)length;
            item = node;
        }
    }
    for (uint32_t e = item == AL_NONE ? 0 : graph->start[item];
         item != AL_NONE && e < graph->start[item + 1]; e++)
        if (strcmp(fi_type_name(analysis, graph->target[e]), "type") != 0)
            *ret_type = fi_type_name(analysis, graph->target[e]);
    return best;
}

static void accuse(struct fi_context *context, const struct row *row,
                   const struct fi_suspect *suspect)
{
    struct fi_rule rule = {.name = row->rule};
    struct fi_charge charge = {.what = row->what, .advice = row->advice, .bounded = row->bounded};
    if (row->longest)
        charge.count = longest(context, row->longest, &charge.type);
    charge.type = fi_pool_text(context->pool, charge.type);
    fi_accuse(context, &rule, suspect, &charge);
}

struct df_err *fi_ask_frameworks(struct fi_context *context, const struct fi_rule *rule)
{
    (void)rule;
    for (uint32_t i = 0; i < context->suspect_count; i++) {
        const struct fi_suspect *suspect = &context->suspects[i];
        for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
            if (fi_is_explained(context, suspect) || !matches(context, suspect, &rows[k]))
                continue;
            if (!rows[k].bounded || suspect->semantic >= context->verdict->heap_bytes / MUCH)
                accuse(context, &rows[k], suspect);
            else
                fi_claim(context, suspect->node);
            break;
        }
    }
    return NULL;
}
