/* SPDX-License-Identifier: MIT
 * labels.c: how an object refers to another, as Python would write it behind the holder.
 */
#include "analyzer/objects/internal.h"

#include <inttypes.h>

/* The code object whose slots a frame, generator or coroutine has; 0 when unknown. */
static uint64_t code_of_slots(struct py_objects *objects, uint64_t object)
{
    struct py_reader *reader = &objects->reader;
    uint32_t type = py_object_type(objects, object);
    if (type == PY_NO_TYPE)
        return 0;
    uint64_t at;
    if (strcmp(objects->types[type]->name, "frame") == 0)
        at = reader->layout->frame_shape == PY_FRAME_OBJECTS
                 ? object
                 : PY_PTR(reader, object, frameobject, f_frame);
    else
        at = PY_HAS(reader->layout, gen, gi_iframe) ? PY_AT(reader->layout, object, gen, gi_iframe)
                                                    : 0;
    struct py_frame frame;
    return at && py_frame_read(objects->py, at, &frame) ? frame.code : 0;
}

static char *label_local(struct py_objects *objects, uint64_t object, uint64_t slot)
{
    uint64_t code = code_of_slots(objects, object);
    DF_CLEANUP_FREE char *name = code && slot < PY_MAX_LOCALS
                                     ? py_local_name(objects->py, code, (uint32_t)slot, NULL)
                                     : NULL;
    return name ? df_xasprintf(".%s", name) : df_xasprintf("[stack %" PRIu64 "]", slot);
}

/* The member of the C structure, where debug information tells; looked up only when somebody reads.
 */
static char *label_offset(struct py_objects *objects, uint64_t object, uint64_t offset)
{
    uint32_t index = py_object_type(objects, object);
    const struct py_type *type = index == PY_NO_TYPE ? NULL : objects->types[index];
    if (type && type->python_class)
        type = py_instance_base(objects, type);
    const char *member = type ? py_struct_member(objects, type, offset) : NULL;
    return member ? df_xasprintf(".%s", member) : df_xasprintf("+0x%" PRIx64, offset);
}

char *py_label_text(struct py_objects *objects, uint64_t object, const struct py_ref *ref)
{
    struct py_reader *reader = &objects->reader;
    char *text = NULL;
    DF_CLEANUP_FREE char *inner = NULL;
    switch ((enum py_label)ref->label) {
    case PY_LABEL_NONE:
        return df_xstrdup("");
    case PY_LABEL_FIELD:
        inner = df_xstrdup((const char *)(uintptr_t)ref->argument);
        return df_xasprintf(inner[0] == '(' ? "%s" : ".%s", inner);
    case PY_LABEL_ATTR:
        inner = py_str(reader, ref->argument, 200, NULL);
        reader->fault = false;
        return df_xasprintf(".%s", inner ? inner : "?");
    case PY_LABEL_SLOT:
        inner = df_cstring(reader->space, ref->argument, 200);
        return df_xasprintf(".%s", inner ? inner : "?");
    case PY_LABEL_ITEM:
        return df_xasprintf("[%" PRIu64 "]", ref->argument);
    case PY_LABEL_VALUE:
        inner = py_text(objects, ref->argument, 60);
        return df_xasprintf("[%s]", inner);
    case PY_LABEL_KEY:
        return df_xstrdup(".key");
    case PY_LABEL_MEMBER:
        return df_xstrdup(".member");
    case PY_LABEL_TYPE:
        return df_xstrdup(".__class__");
    case PY_LABEL_LOCAL:
        text = label_local(objects, object, ref->argument);
        reader->fault = false;
        return text;
    case PY_LABEL_STACK:
        return df_xasprintf("[stack %" PRIu64 "]", ref->argument);
    case PY_LABEL_OFFSET:
        return label_offset(objects, object, ref->argument);
    }
    return df_xstrdup("");
}
