/* SPDX-License-Identifier: MIT
 * async.h: what can be suspended and what it waits for: generators, coroutines, asynchronous
 * generators; futures and tasks of asyncio, be they C's or Python's.
 *
 * Facts: Objects/genobject.c (_PyGen_yf), Modules/_asynciomodule.c, Lib/asyncio/futures.py and
 * tasks.py of 3.8 to 3.15.
 */
#ifndef PY_ASYNC_H
#define PY_ASYNC_H

#include "analyzer/objects/object.h"

enum py_run_state {
    PY_RUN_CREATED, /* its code has not begun */
    PY_RUN_SUSPENDED,
    PY_RUN_RUNNING,
    PY_RUN_FINISHED
};

struct py_coroutine {
    enum py_run_state state;
    struct py_frame frame; /* code 0 when it has none any more */
    uint64_t name;         /* its qualified name, a str; 0 when unreadable */
    uint64_t awaits;       /* the object that it waits for; 0 when it waits for nobody */
};

/* Is it a generator, a coroutine or an asynchronous generator? */
bool py_is_coroutine(const struct py_type *type);
/* False when it is none, or unreadable. */
bool py_coroutine_read(struct py_objects *objects, uint64_t object, struct py_coroutine *ret);
/* What stands between two of them is looked through: the iterator of a future, what __anext__ and
 * the like return. The object itself when it is nothing of the kind. */
uint64_t py_awaited(struct py_objects *objects, uint64_t object);

enum py_future_state { PY_FUTURE_PENDING, PY_FUTURE_CANCELLED, PY_FUTURE_FINISHED };

struct py_future {
    enum py_future_state state;
    bool task;
    uint64_t exception;   /* object; 0 when it has none */
    uint64_t coroutine;   /* of a task, 0 when it has none any more */
    uint64_t waiter;      /* of a task: the future that it waits for; 0 when for none */
    uint64_t name_object; /* of a task: a str, or (3.12+) an int until somebody asks */
};

/* Future or Task of asyncio, or a subclass; false for what derives from neither. */
bool py_is_future(const struct py_objects *objects, const struct py_type *type, bool *ret_task);
bool py_future_read(struct py_objects *objects, uint64_t object, struct py_future *ret);
/* "Task-7"; malloc'ed, NULL when it has none. */
char *py_task_name(struct py_objects *objects, const struct py_future *task);

/* Is the type of this name, or does it derive from one? */
bool py_type_derives(const struct py_objects *objects, const struct py_type *type,
                     const char *name);

#endif
