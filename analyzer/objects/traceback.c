/* SPDX-License-Identifier: MIT
 * traceback.c: see traceback.h.
 */
#include "analyzer/objects/traceback.h"

#include "analyzer/objects/internal.h"

bool py_is_exception(const struct py_type *type)
{
    return (type->flags & PY_TPFLAGS_BASE_EXC) && !(type->flags & PY_TPFLAGS_TYPE);
}

/* An object that a field refers to, None and damage left out. */
static uint64_t field(struct py_objects *objects, uint64_t object, enum py_field which)
{
    uint32_t offset = objects->reader.layout->offset[which];
    uint64_t found = offset == PY_ABSENT ? 0 : py_word(&objects->reader, object + offset);
    uint32_t type = found ? py_object_type(objects, found) : PY_NO_TYPE;
    objects->reader.fault = false;
    return type == PY_NO_TYPE || !strcmp(objects->types[type]->name, "NoneType") ? 0 : found;
}

uint64_t py_exception_traceback(struct py_objects *objects, uint64_t exception)
{
    return field(objects, exception, PY_F_exception_traceback);
}

uint64_t py_exception_context(struct py_objects *objects, uint64_t exception)
{
    return field(objects, exception, PY_F_exception_context);
}

uint64_t py_exception_cause(struct py_objects *objects, uint64_t exception)
{
    return field(objects, exception, PY_F_exception_cause);
}

bool py_frame_of_object(struct py_objects *objects, uint64_t object, struct py_frame *ret)
{
    struct py_reader *reader = &objects->reader;
    uint64_t at = reader->layout->frame_shape == PY_FRAME_OBJECTS
                      ? object
                      : PY_PTR(reader, object, frameobject, f_frame);
    reader->fault = false;
    return at && py_frame_read(objects->py, at, ret);
}

bool py_traceback_read(struct py_objects *objects, uint64_t traceback, struct py_traceback *ret)
{
    struct py_reader *reader = &objects->reader;
    uint32_t type = py_object_type(objects, traceback);
    *ret = (struct py_traceback){0};
    if (type == PY_NO_TYPE || strcmp(objects->types[type]->name, "traceback") != 0)
        return false;
    ret->next = field(objects, traceback, PY_F_traceback_tb_next);
    ret->frame_object = field(objects, traceback, PY_F_traceback_tb_frame);
    if (!ret->frame_object || !py_frame_of_object(objects, ret->frame_object, &ret->frame))
        ret->frame = (struct py_frame){0};
    int32_t line = (int32_t)PY_GET(reader, traceback, traceback, tb_lineno);
    if (line <= 0 && ret->frame.code) /* 3.11+: worked out when somebody asks */
        line = py_code_line(objects->py, ret->frame.code,
                            (int32_t)PY_GET(reader, traceback, traceback, tb_lasti));
    ret->line = line > 0 ? line : 0;
    reader->fault = false;
    return true;
}

static uint64_t object_or_0(struct py_objects *objects, uint64_t object)
{
    uint32_t type = object ? py_object_type(objects, object) : PY_NO_TYPE;
    return type == PY_NO_TYPE || !strcmp(objects->types[type]->name, "NoneType") ? 0 : object;
}

/* Every generator that runs has an item of its own in front of its caller's. */
uint32_t py_thread_exceptions(struct py_objects *objects, const struct py_thread *thread,
                              uint64_t *ret_raised, uint64_t *ret_handled, uint32_t limit)
{
    struct py_reader *reader = &objects->reader;
    struct py_cycle cycle = {0};
    uint32_t count = 0;
    reader->fault = false;
    *ret_raised = object_or_0(objects, PY_PTR(reader, thread->address, thread, current_exception));
    if (!*ret_raised)
        *ret_raised = object_or_0(objects, PY_PTR(reader, thread->address, thread, curexc_type));
    uint64_t item = PY_PTR(reader, thread->address, thread, exc_info);
    while (item && count < limit && !reader->fault && !py_cycle_closed(&cycle, item)) {
        uint64_t value = object_or_0(objects, PY_PTR(reader, item, errstack, exc_value));
        if (value && (!count || ret_handled[count - 1] != value))
            ret_handled[count++] = value;
        item = PY_PTR(reader, item, errstack, previous_item);
    }
    reader->fault = false;
    return count;
}
