/* SPDX-License-Identifier: MIT
 * text_code.c: what runs: functions, methods, classes, modules, code, frames, generators, and the
 * wrappers around functions. As repr has them, but with file and line in place of the address.
 */
#include "analyzer/objects/text.h"

#include <inttypes.h>

/* The file and first line of a code object: "models.py:12". */
static void put_code_place(struct py_writer *w, const char *before, uint64_t code)
{
    struct py_reader *reader = w->reader;
    uint64_t file = code ? PY_PTR(reader, code, code, co_filename) : 0;
    if (!file)
        return;
    py_put(w, before);
    py_put_place(w, file, (int32_t)PY_GET(reader, code, code, co_firstlineno));
}

void py_text_function(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct py_reader *reader = w->reader;
    uint64_t name = PY_PTR(reader, object, function, func_qualname);
    (void)type;
    py_put(w, "<function ");
    py_put_name(w, name ? name : PY_PTR(reader, object, function, func_name));
    put_code_place(w, ", ", PY_PTR(reader, object, function, func_code));
    py_put(w, ">");
}

/* The name of something that can be called; false when it has none that is known here. */
static bool put_callable_name(struct py_writer *w, uint64_t object)
{
    struct py_reader *reader = w->reader;
    uint32_t index = object ? py_object_type(w->objects, object) : PY_NO_TYPE;
    const struct py_type *type = index == PY_NO_TYPE ? NULL : w->objects->types[index];
    if (type && strcmp(type->name, "function") == 0) {
        py_put_name(w, PY_PTR(reader, object, function, func_qualname));
        return true;
    }
    if (type && strcmp(type->name, "builtin_function_or_method") == 0) {
        uint64_t definition = PY_PTR(reader, object, cfunction, m_ml);
        DF_CLEANUP_FREE char *name =
            definition
                ? df_cstring(reader->space, PY_PTR(reader, definition, methoddef, ml_name), 200)
                : NULL;
        py_put_escaped(w, name ? name : "?");
        return true;
    }
    return false;
}

/* method_repr (Objects/classobject.c) */
void py_text_method(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    uint64_t function = PY_PTR(w->reader, object, method, im_func);
    (void)type;
    if (!py_enter(w, object, "<bound method ...>", "<bound method>"))
        return;
    py_put(w, "<bound method ");
    if (!put_callable_name(w, function))
        py_put_object(w, function);
    py_put(w, " of ");
    py_put_object(w, PY_PTR(w->reader, object, method, im_self));
    py_put(w, ">");
    py_leave(w);
}

/* meth_repr (Objects/methodobject.c): a function's self is its module. */
void py_text_builtin(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    uint64_t self = PY_PTR(w->reader, object, cfunction, m_self);
    uint32_t index = self ? py_object_type(w->objects, self) : PY_NO_TYPE;
    bool function = index == PY_NO_TYPE || strcmp(w->objects->types[index]->name, "module") == 0;
    (void)type;
    py_put(w, function ? "<built-in function " : "<built-in method ");
    put_callable_name(w, object);
    if (!function) {
        bool class = w->objects->types[index]->flags & PY_TPFLAGS_TYPE;
        uint32_t named = class ? py_type_index(w->objects, self) : index;
        py_put(w, class ? " of class " : " of ");
        py_put_escaped(w, named == PY_NO_TYPE ? "?" : w->objects->types[named]->name);
        py_put(w, class ? "" : " object");
    }
    py_put(w, ">");
}

/* descr_repr (Objects/descrobject.c) */
void py_text_descriptor(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    static const struct {
        const char *type, *text;
    } kinds[] = {{"method_descriptor", "method"},
                 {"classmethod_descriptor", "method"},
                 {"getset_descriptor", "attribute"},
                 {"member_descriptor", "member"},
                 {"wrapper_descriptor", "slot wrapper"}};
    uint32_t of = py_type_index(w->objects, PY_PTR(w->reader, object, descr, d_type));
    const char *kind = "descriptor";
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strcmp(kinds[i].type, type->name) == 0)
            kind = kinds[i].text;
    py_put_format(w, "<%s '", kind);
    py_put_name(w, PY_PTR(w->reader, object, descr, d_name));
    py_put(w, "' of '");
    if (of != PY_NO_TYPE && w->objects->types[of]->flags & PY_TPFLAGS_HEAPTYPE)
        py_put_class(w, w->objects->types[of]);
    else
        py_put_escaped(w, of == PY_NO_TYPE ? "?" : w->objects->types[of]->name);
    py_put(w, "' objects>");
}

void py_text_wrapper(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    uint64_t descr = PY_PTR(w->reader, object, wrapper, descr);
    uint32_t of = py_object_type(w->objects, PY_PTR(w->reader, object, wrapper, self));
    (void)type;
    py_put(w, "<method-wrapper '");
    py_put_name(w, descr ? PY_PTR(w->reader, descr, descr, d_name) : 0);
    py_put(w, "' of ");
    py_put_escaped(w, of == PY_NO_TYPE ? "?" : w->objects->types[of]->name);
    py_put(w, " object>");
}

void py_text_class(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    uint32_t index = py_type_index(w->objects, object);
    (void)type;
    py_put(w, "<class '");
    py_put_escaped(w, index == PY_NO_TYPE ? "?" : w->objects->types[index]->name);
    py_put(w, "'>");
}

/* _module_repr_from_spec (Lib/importlib/_bootstrap.py): where its spec says that it is from; one
 * that was not imported (__main__) may have a file. */
static void put_module_place(struct py_writer *w, uint64_t dict)
{
    struct py_reader *reader = w->reader;
    uint64_t spec = py_dict_get(reader, dict, "__spec__");
    uint64_t origin = spec ? py_attribute(w->objects, spec, "origin") : 0;
    uint64_t located = origin ? py_attribute(w->objects, spec, "_set_fileattr") : 0;
    int64_t is_file = 0;
    bool text = origin && (py_flags_of(reader, origin) & PY_TPFLAGS_UNICODE);
    if (text && located)
        py_int(reader, located, &is_file);
    if (text && !is_file) {
        py_put(w, " (");
        py_put_name(w, origin);
        py_put(w, ")");
        return;
    }
    uint64_t file = text ? origin : py_dict_get(reader, dict, "__file__");
    if (file && (py_flags_of(reader, file) & PY_TPFLAGS_UNICODE)) {
        py_put(w, " from ");
        py_put_object(w, file);
    }
}

void py_text_module(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    uint64_t dict = PY_PTR(w->reader, object, module, md_dict);
    uint64_t name = dict ? py_dict_get(w->reader, dict, "__name__") : 0;
    (void)type;
    py_put(w, "<module ");
    py_put_object(w, name ? name : PY_PTR(w->reader, object, module, md_name));
    if (dict && !w->brief)
        put_module_place(w, dict);
    py_put(w, ">");
}

void py_text_code(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    uint64_t name = PY_PTR(w->reader, object, code, co_qualname);
    (void)type;
    py_put(w, "<code ");
    py_put_name(w, name ? name : PY_PTR(w->reader, object, code, co_name));
    put_code_place(w, ", ", object);
    py_put(w, ">");
}

/* "f, models.py:12"; the line is the current one. */
static void put_frame(struct py_writer *w, const struct py_frame *frame)
{
    DF_CLEANUP_FREE char *name = py_code_name(w->objects->py, frame->code);
    py_put_escaped(w, name ? name : "?");
    py_put(w, ", ");
    py_put_place(w, PY_PTR(w->reader, frame->code, code, co_filename), frame->line);
}

/* Where a frame object has its frame: in itself (up to 3.10), or beside it. */
static bool read_frame(struct py_writer *w, uint64_t object, struct py_frame *ret)
{
    uint64_t at = w->reader->layout->frame_shape == PY_FRAME_OBJECTS
                      ? object
                      : PY_PTR(w->reader, object, frameobject, f_frame);
    return at && py_frame_read(w->objects->py, at, ret);
}

void py_text_frame(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct py_frame frame;
    (void)type;
    py_put(w, "<frame ");
    if (read_frame(w, object, &frame))
        put_frame(w, &frame);
    py_put(w, ">");
}

/* tb_lineno is -1 until somebody asks (3.12+); the frame's own line may be a later one. */
void py_text_traceback(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct py_reader *reader = w->reader;
    uint64_t at = PY_PTR(reader, object, traceback, tb_frame);
    int32_t line = (int32_t)PY_GET(reader, object, traceback, tb_lineno);
    struct py_frame frame;
    (void)type;
    py_put(w, "<traceback ");
    if (at && read_frame(w, at, &frame)) {
        if (line <= 0)
            line = py_code_line(w->objects->py, frame.code,
                                (int32_t)PY_GET(reader, object, traceback, tb_lasti));
        frame.line = line;
        put_frame(w, &frame);
    }
    py_put(w, ">");
}

enum state { CREATED, RUNNING, SUSPENDED, FINISHED };

/* Up to 3.10 a generator that has not finished has a frame, which has begun or not. */
static enum state generator_state(struct py_writer *w, uint64_t object,
                                  const struct py_frame *frame)
{
    const struct py_layout *layout = w->reader->layout;
    if (!PY_HAS(layout, gen, gi_frame_state))
        return !frame ? FINISHED : frame->lasti < 0 ? CREATED : SUSPENDED;
    int8_t state = (int8_t)PY_GET(w->reader, object, gen, gi_frame_state);
    if (state == layout->frame_state_created)
        return CREATED;
    if (state == layout->frame_state_executing)
        return RUNNING;
    if (state == layout->frame_state_suspended) /* asked first: 3.15 has no "completed" */
        return SUSPENDED;
    return state == layout->frame_state_cleared || state == layout->frame_state_completed
               ? FINISHED
               : SUSPENDED;
}

/* "<coroutine worker, at app.py:33>" */
void py_text_generator(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct py_reader *reader = w->reader;
    uint64_t at = PY_HAS(reader->layout, gen, gi_iframe)
                      ? PY_AT(reader->layout, object, gen, gi_iframe)
                      : PY_PTR(reader, object, gen, gi_frame);
    struct py_frame frame;
    bool has_frame = at && py_frame_read(w->objects->py, at, &frame);
    static const char *const words[] = {"not started", "running", "suspended", "finished"};
    enum state state = generator_state(w, object, has_frame ? &frame : NULL);
    py_put(w, "<");
    py_put_escaped(w, type->name);
    py_put(w, " ");
    py_put_name(w, PY_PTR(reader, object, gen, gi_qualname));
    py_put(w, ", ");
    if (!has_frame || state == CREATED || state == FINISHED) {
        py_put(w, words[state]);
        if (has_frame && state == CREATED)
            put_code_place(w, ", ", frame.code);
    } else {
        py_put(w, state == RUNNING ? "running at " : "at ");
        py_put_place(w, PY_PTR(reader, frame.code, code, co_filename), frame.line);
    }
    py_put(w, ">");
}

void py_text_property(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    (void)type;
    py_put(w, "<property ");
    if (!put_callable_name(w, PY_PTR(w->reader, object, property, prop_get)))
        py_put(w, "without a getter");
    py_put(w, ">");
}

void py_text_static(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    bool class = strcmp(type->name, "classmethod") == 0;
    if (!py_enter(w, object, "<...>", "<…>"))
        return;
    py_put(w, class ? "<classmethod(" : "<staticmethod(");
    py_put_object(w, class ? PY_PTR(w->reader, object, classmethod, callable)
                           : PY_PTR(w->reader, object, staticmethod, callable));
    py_put(w, ")>");
    py_leave(w);
}

/* partial_repr (Modules/_functoolsmodule.c) */
void py_text_partial(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct py_reader *reader = w->reader;
    uint64_t items, count = 0, key, value, index = 1;
    struct py_dict_cursor cursor;
    if (!py_enter(w, object, "functools.partial(...)", "functools.partial(…)"))
        return;
    py_put_escaped(w, type->name);
    py_put(w, "(");
    py_put_object(w, PY_PTR(reader, object, partial, fn));
    if (!py_tuple(reader, PY_PTR(reader, object, partial, args), &items, &count))
        count = 0;
    for (uint64_t i = 0; i < count && py_next(w, &index); i++)
        py_put_object(w, py_word(reader, items + i * 8));
    if (py_dict_begin(reader, PY_PTR(reader, object, partial, kw), &cursor))
        while (py_has_room(w) && py_dict_next(reader, &cursor, &key, &value)) {
            py_next(w, &index);
            py_put_name(w, key);
            py_put(w, "=");
            py_put_object(w, value);
        }
    py_put(w, py_has_room(w) ? ")" : ", …)");
    py_leave(w);
}

/* What cache_info() would say. A bound is a number (-1: none, then nothing is forgotten). */
void py_text_lru(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct py_reader *reader = w->reader;
    uint64_t cache = PY_PTR(reader, object, lru, cache);
    int64_t most = (int64_t)PY_PTR(reader, object, lru, maxsize);
    (void)type;
    py_put(w, "<lru_cache of ");
    if (!put_callable_name(w, PY_PTR(reader, object, lru, func)))
        py_put(w, "?");
    if (most < 0)
        py_put(w, ", maxsize=None");
    else
        py_put_format(w, ", maxsize=%" PRId64, most);
    py_put_format(w, ", hits=%" PRId64 ", misses=%" PRId64 ", currsize=%" PRIu64 ">",
                  (int64_t)PY_PTR(reader, object, lru, hits),
                  (int64_t)PY_PTR(reader, object, lru, misses),
                  cache ? PY_PTR(reader, cache, dict, ma_used) : 0);
}
