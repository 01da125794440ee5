/* SPDX-License-Identifier: MIT
 * traceback.h: exceptions, their tracebacks, and the frames that these keep.
 *
 * Facts: Objects/exceptions.c, Python/traceback.c of 3.8 to 3.15.
 */
#ifndef PY_TRACEBACK_H
#define PY_TRACEBACK_H

#include "analyzer/objects/object.h"

bool py_is_exception(const struct py_type *type);
/* An exception's traceback, and the exceptions that it refers to; 0 when there is none. */
uint64_t py_exception_traceback(struct py_objects *objects, uint64_t exception);
uint64_t py_exception_context(struct py_objects *objects, uint64_t exception);
uint64_t py_exception_cause(struct py_objects *objects, uint64_t exception);

/* What a thread raises (*ret_raised; 0 when nothing) and what it handles, the innermost first: how
 * many were stored, at most `limit`. Up to 3.11 what is raised may be a class whose exception is
 * not made yet. */
uint32_t py_thread_exceptions(struct py_objects *objects, const struct py_thread *thread,
                              uint64_t *ret_raised, uint64_t *ret_handled, uint32_t limit);

struct py_traceback {
    uint64_t next;         /* towards where it was raised; 0 at the end */
    uint64_t frame_object; /* 0 when unreadable */
    struct py_frame frame; /* code 0 when it is not readable any more */
    int32_t line;          /* where the exception passed; 0 when unknown */
};

/* One entry; false when it is no traceback. */
bool py_traceback_read(struct py_objects *objects, uint64_t traceback, struct py_traceback *ret);
/* The frame of a frame object; false when it has none any more. */
bool py_frame_of_object(struct py_objects *objects, uint64_t object, struct py_frame *ret);

#endif
