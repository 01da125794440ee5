/* SPDX-License-Identifier: MIT
 * walk_frame.c: code, frames, generators, coroutines and asynchronous generators.
 *
 * Facts: frame_traverse (Objects/frameobject.c), gen_traverse and async_gen_traverse
 * (Objects/genobject.c), _PyFrame_Traverse (Python/frame.c) of each version. A frame that runs
 * keeps no valid stack top (up to 3.13): its locals are then visited by nobody; the thread that
 * runs it makes them roots.
 */
#include "analyzer/objects/internal.h"

/* The reference that a word of a frame is; some are visited and not counted (py_slot_object). */
static void push_word(struct py_objects *objects, uint64_t word, struct py_refs *refs,
                      enum py_label label, uint64_t argument)
{
    bool counted = true;
    uint64_t target = word ? py_slot_object(objects->py, word, &counted) : 0;
    py_push(refs, target, PY_REF_REFERENT, label, argument);
    if (target)
        refs->items[refs->count - 1].uncounted = !counted;
}

/* Localsplus and value stack of an interpreter frame up to its top. */
static void walk_slots(struct py_objects *objects, uint64_t frame, struct py_refs *refs)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    uint64_t slots = PY_AT(layout, frame, iframe, localsplus);
    int64_t count;
    if (layout->frame_shape == PY_FRAME_STACKREFS) {
        uint64_t top = PY_PTR(reader, frame, iframe, stackpointer);
        count = top > slots ? (int64_t)((top - slots) / 8) : 0;
    } else {
        count = (int32_t)py_half(reader, PY_AT(layout, frame, iframe, stacktop));
    }
    if (count > PY_MAX_LOCALS)
        return;
    for (int64_t i = 0; i < count && !reader->fault; i++) {
        uint64_t word = py_word(reader, slots + (uint64_t)i * 8);
        push_word(objects, word, refs, PY_LABEL_LOCAL, (uint64_t)i);
    }
}

static void walk_interpreter_frame(struct py_objects *objects, uint64_t frame, struct py_refs *refs)
{
    struct py_reader *reader = &objects->reader;
    uint64_t code = PY_PTR(reader, frame, iframe, executable);
    uint64_t function = PY_PTR(reader, frame, iframe, funcobj);
    py_push_field(refs, PY_PTR(reader, frame, iframe, frame_obj), PY_REF_REFERENT, "frame");
    py_push_field(refs, PY_PTR(reader, frame, iframe, f_locals), PY_REF_REFERENT, "f_locals");
    push_word(objects, function, refs, PY_LABEL_FIELD, (uint64_t)(uintptr_t) "f_func");
    push_word(objects, code, refs, PY_LABEL_FIELD, (uint64_t)(uintptr_t) "f_code");
    walk_slots(objects, frame, refs);
}

/* Frame objects that are the frame (up to 3.10): slots, then the stack where its top is known. */
static void walk_plain_frame(struct py_objects *objects, uint64_t object, struct py_refs *refs)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    py_push_field(refs, PY_PTR(reader, object, frameobject, f_code), PY_REF_REFERENT, "f_code");
    py_push_field(refs, PY_PTR(reader, object, frameobject, f_builtins), PY_REF_REFERENT,
                  "f_builtins");
    py_push_field(refs, PY_PTR(reader, object, frameobject, f_globals), PY_REF_REFERENT,
                  "f_globals");
    py_push_field(refs, PY_PTR(reader, object, frameobject, f_locals), PY_REF_REFERENT, "f_locals");
    uint64_t slots = PY_AT(layout, object, frameobject, f_localsplus);
    uint64_t stack = PY_PTR(reader, object, frameobject, f_valuestack), end = stack;
    if (PY_HAS(layout, frameobject, f_stackdepth)) {
        int32_t depth = (int32_t)py_half(reader, PY_AT(layout, object, frameobject, f_stackdepth));
        end = depth > 0 ? stack + (uint64_t)depth * 8 : stack;
    } else {
        uint64_t top = PY_PTR(reader, object, frameobject, f_stacktop);
        end = top > stack ? top : stack;
    }
    uint64_t count = end > slots ? (end - slots) / 8 : 0;
    for (uint64_t i = 0; i < count && count <= PY_MAX_LOCALS && !reader->fault; i++)
        py_push(refs, py_word(reader, slots + i * 8), PY_REF_REFERENT, PY_LABEL_LOCAL, i);
}

enum py_status py_walk_frame(struct py_objects *objects, const struct py_type *type,
                             uint64_t object, struct py_refs *refs)
{
    (void)type;
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    py_push_field(refs, PY_PTR(reader, object, frameobject, f_back), PY_REF_REFERENT, "f_back");
    py_push_field(refs, PY_PTR(reader, object, frameobject, f_trace), PY_REF_REFERENT, "f_trace");
    if (layout->frame_shape == PY_FRAME_OBJECTS) {
        walk_plain_frame(objects, object, refs);
        return py_reader_status(objects);
    }
    py_push_field(refs, PY_PTR(reader, object, frameobject, f_extra_locals), PY_REF_REFERENT,
                  "f_extra_locals");
    py_push_field(refs, PY_PTR(reader, object, frameobject, f_locals_cache), PY_REF_REFERENT,
                  "f_locals_cache");
    py_push_field(refs, PY_PTR(reader, object, frameobject, f_overwritten_fast_locals),
                  PY_REF_REFERENT, "f_overwritten_fast_locals");
    uint64_t frame = PY_PTR(reader, object, frameobject, f_frame);
    if (frame && PY_GET(reader, frame, iframe, owner) == layout->owner_frame_object)
        walk_interpreter_frame(objects, frame, refs);
    return py_reader_status(objects);
}

static void walk_generator_frame(struct py_objects *objects, uint64_t object, struct py_refs *refs)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    if (layout->frame_shape == PY_FRAME_OBJECTS) {
        py_push_field(refs, PY_PTR(reader, object, gen, gi_frame), PY_REF_REFERENT, "gi_frame");
        return;
    }
    uint64_t frame = PY_AT(layout, object, gen, gi_iframe);
    if ((int8_t)PY_GET(reader, object, gen, gi_frame_state) < layout->frame_state_cleared) {
        walk_interpreter_frame(objects, frame, refs);
    } else if (!layout->generator_visits_code) {
        uint64_t code = PY_PTR(reader, frame, iframe, executable);
        if (layout->frame_shape == PY_FRAME_STACKREFS)
            push_word(objects, code, refs, PY_LABEL_FIELD, (uint64_t)(uintptr_t) "gi_code");
        else
            py_push_field(refs, code, PY_REF_OWNED, "gi_code");
    }
}

/* type->data: NULL for generators, "coroutine" or "async_generator" for their cousins. */
enum py_status py_walk_generator(struct py_objects *objects, const struct py_type *type,
                                 uint64_t object, struct py_refs *refs)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    const char *cousin = type->data;
    if (cousin && cousin[0] == 'a')
        py_push_field(refs, PY_PTR(reader, object, asyncgen, ag_finalizer), PY_REF_REFERENT,
                      "ag_finalizer");
    if (layout->generator_visits_code)
        py_push_field(refs, PY_PTR(reader, object, gen, gi_code), PY_REF_REFERENT, "gi_code");
    py_push_field(refs, PY_PTR(reader, object, gen, gi_name), PY_REF_REFERENT, "__name__");
    py_push_field(refs, PY_PTR(reader, object, gen, gi_qualname), PY_REF_REFERENT, "__qualname__");
    walk_generator_frame(objects, object, refs);
    uint64_t state = PY_AT(layout, object, gen, gi_exc_state);
    py_push_field(refs, PY_PTR(reader, state, errstack, exc_type), PY_REF_REFERENT, "exc_type");
    py_push_field(refs, PY_PTR(reader, state, errstack, exc_value), PY_REF_REFERENT, "exc_value");
    py_push_field(refs, PY_PTR(reader, state, errstack, exc_traceback), PY_REF_REFERENT,
                  "exc_traceback");
    if (cousin && cousin[0] == 'c')
        py_push_field(refs, PY_PTR(reader, object, coro, cr_origin), PY_REF_OWNED, "cr_origin");
    return py_reader_status(objects);
}

/* A code object is not the collector's business (but in free-threaded builds, where code_traverse
 * visits co_consts); all that it holds is owned. */
enum py_status py_walk_code(struct py_objects *objects, const struct py_type *type, uint64_t object,
                            struct py_refs *refs)
{
    static const struct {
        enum py_field field;
        const char *label;
    } fields[] = {
        {PY_F_code_co_code, "co_code"},
        {PY_F_code_co_names, "co_names"},
        {PY_F_code_co_varnames, "co_varnames"},
        {PY_F_code_co_freevars, "co_freevars"},
        {PY_F_code_co_cellvars, "co_cellvars"},
        {PY_F_code_co_localsplusnames, "co_localsplusnames"},
        {PY_F_code_co_localspluskinds, "co_localspluskinds"},
        {PY_F_code_co_exceptiontable, "co_exceptiontable"},
        {PY_F_code_co_filename, "co_filename"},
        {PY_F_code_co_name, "co_name"},
        {PY_F_code_co_qualname, "co_qualname"},
        {PY_F_code_co_linetable, "co_linetable"},
        {PY_F_code_co_lnotab, "co_lnotab"},
        {PY_F_code_co_code_cached, "_co_code"},
    };
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    py_push_field(refs, PY_PTR(reader, object, code, co_consts),
                  type->flags & PY_TPFLAGS_HAVE_GC ? PY_REF_REFERENT : PY_REF_OWNED, "co_consts");
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
        if (layout->offset[fields[i].field] != PY_ABSENT)
            py_push_field(refs, py_word(reader, object + layout->offset[fields[i].field]),
                          PY_REF_OWNED, fields[i].label);
    uint64_t cached = PY_PTR(reader, object, code, co_cached);
    if (cached && PY_HAS(layout, cocached, code)) {
        py_push_field(refs, PY_PTR(reader, cached, cocached, code), PY_REF_OWNED, "co_code");
        py_push_field(refs, PY_PTR(reader, cached, cocached, varnames), PY_REF_OWNED,
                      "co_varnames");
        py_push_field(refs, PY_PTR(reader, cached, cocached, cellvars), PY_REF_OWNED,
                      "co_cellvars");
        py_push_field(refs, PY_PTR(reader, cached, cocached, freevars), PY_REF_OWNED,
                      "co_freevars");
    }
    return py_reader_status(objects);
}
