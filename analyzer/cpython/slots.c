/* SPDX-License-Identifier: MIT
 * slots.c: which members of the runtime's, an interpreter's and a thread's structure own objects.
 *
 * Nothing is listed by hand: every member (in nested structs and arrays too) that is a pointer to a
 * struct which begins with an object header is such a slot, in whatever version. What is listed
 * are the exceptions: borrowed pointers, free lists, and structures that are visited on their own.
 * Structs that are objects themselves, embedded in the state, are not entered.
 *
 * A work list, no recursion: the shape of the debug information is foreign too.
 */
#include <stdlib.h>
#include <string.h>

#include "analyzer/cpython/layout_internal.h"
#include "dumpfmt/base/mem.h"

#define MAX_WORK 20000  /* structs that are entered, for each of the three */
#define MAX_SLOTS 20000 /* of each of the three */
#define MAX_NESTED 64   /* elements of an array within an array of structs */
#define MAX_ELEMENTS 65536
#define MAX_HEADER 8 /* structs within one another before the object header */

static const struct exclusion {
    const char *text;
    enum {
        COMPONENT, /* a whole component of the path */
        PART,      /* part of the path */
        SUFFIX
    } where;
} exclusions[] = {
    /* Freed objects, kept for reuse: their headers are stale. */
    {"freelist", PART},
    {"free_list", PART},
    {"slice_cache", COMPONENT},
    /* Objects whose deallocation was put off: reference count 0, linked through their headers. */
    {"delete_later", PART},
    {"trash", COMPONENT},
    /* Borrowed: the method cache's values ("borrowed reference or NULL", pycore_typeobject.h; the
     * names are owned), functions by version (pycore_function.h), types by version (3.14+,
     * set_version_unlocked), builtins that the specialiser compares with (pycore_pylifecycle), a
     * name while slots are updated, object.__reduce__ (3.12: object___reduce_ex___impl; later
     * _PyTypes_InitTypes: all typeobject.c and object.c), the code that was last traced (3.11,
     * initialize_trace_info), the executor that is being entered (3.14+, ceval.c takes its own),
     * constants of the bytecode (3.14+, pycore_init_builtins), atexit for its function (up to 3.9,
     * _Py_PyAtExit). */
    {"type_cache.hashtable[].value", SUFFIX},
    {"func_state", COMPONENT},
    {"callable_cache", COMPONENT},
    {"type_slots_pname", COMPONENT},
    {"objreduce", COMPONENT},
    {"type_version_cache", COMPONENT},
    {"trace_info", COMPONENT},
    {"common_consts", COMPONENT},
    {"pyexitmodule", COMPONENT},
    {"current_executor", COMPONENT},
    /* Heads of lists that do not count: weak references, executors. */
    {"tp_weaklist", COMPONENT},
    {"executor_list_head", COMPONENT},
    /* The static type that a row of the table is about. py_static_types has them. */
    {"builtins[].type", SUFFIX},
    {"initialized[].type", SUFFIX},
    {"types[].type", SUFFIX},
    /* The table of interned strings does not count what it holds (unicodeobject.c): as a root it
     * would keep every dead interned string alive. */
    {"interned_strings", COMPONENT},
    {"interned", COMPONENT},
    /* A constant of the parser: a union that would be read in all its forms. */
    {"dummy_name", COMPONENT},
    /* Structures of their own, visited by themselves. */
    {"_main_interpreter", COMPONENT},
    {"_initial_thread", COMPONENT},
    {"base_frame", COMPONENT},
    {"entry_frame", COMPONENT},
    {"frame", COMPONENT}, /* of a thread, up to 3.10: its frames are visited one by one */
    /* Objects stored inside, not pointers to them; and the allocator. Only to save the time. */
    {"static_objects", COMPONENT},
    {"global_objects", COMPONENT},
    {"obmalloc", COMPONENT},
};

/* Whether text occurs in path as a component, between dots and brackets. */
static bool has_component(const char *path, const char *text)
{
    size_t length = strlen(text);
    for (const char *at = path; (at = strstr(at, text)); at += length) {
        bool starts = at == path || at[-1] == '.';
        bool ends = !at[length] || at[length] == '.' || at[length] == '[';
        if (starts && ends)
            return true;
    }
    return false;
}

static bool excluded(const char *path)
{
    for (size_t i = 0; i < sizeof(exclusions) / sizeof(*exclusions); i++) {
        const char *text = exclusions[i].text;
        size_t length = strlen(text), whole = strlen(path);
        switch (exclusions[i].where) {
        case COMPONENT:
            if (has_component(path, text))
                return true;
            break;
        case PART:
            if (strstr(path, text))
                return true;
            break;
        case SUFFIX:
            if (whole >= length && !strcmp(path + whole - length, text))
                return true;
            break;
        }
    }
    return false;
}

struct work { /* a struct to enter: `count` of them, `stride` bytes apart */
    const struct df_ctype *type;
    char *path; /* owned; "" for the outermost */
    uint64_t offset;
    uint32_t count, stride;
};

struct collector {
    const struct df_ctypes *types;
    const struct df_ctype *object, *var_object;
    struct {
        struct work *items;
        size_t count, capacity;
    } work;
    struct py_slots *slots;
};

/* Whether a struct begins with an object header, through any nesting. */
static bool is_object(const struct collector *collector, const char *name)
{
    const struct df_ctype *type = name ? df_ctypes_find(collector->types, name) : NULL;
    for (int depth = 0; type && depth < MAX_HEADER; depth++) {
        struct df_member first;
        if (type == collector->object || type == collector->var_object)
            return true;
        if (!df_ctype_member_count(type))
            return false;
        df_ctype_member(collector->types, type, 0, &first);
        if (first.field.offset || first.field.kind != DF_KIND_STRUCT || !first.field.type)
            return false;
        type = df_ctypes_find(collector->types, first.field.type);
    }
    return false;
}

static void add_slot(struct collector *collector, char *path, uint64_t offset, uint64_t count,
                     uint64_t stride)
{
    if (collector->slots->count >= MAX_SLOTS || offset >= PY_ABSENT || !count ||
        count > MAX_ELEMENTS || stride >= PY_ABSENT) {
        free(path);
        return;
    }
    DF_PUSH(collector->slots, (struct py_slot){.path = path,
                                               .offset = (uint32_t)offset,
                                               .count = (uint32_t)count,
                                               .stride = (uint32_t)stride});
}

static void add_work(struct collector *collector, const char *type_name, char *path,
                     uint64_t offset, uint64_t count, uint64_t stride)
{
    const struct df_ctype *type = type_name ? df_ctypes_find(collector->types, type_name) : NULL;
    if (!type || collector->work.count >= MAX_WORK || !count || count > MAX_ELEMENTS ||
        stride >= PY_ABSENT || is_object(collector, type_name)) {
        free(path);
        return;
    }
    DF_PUSH(&collector->work, (struct work){.type = type,
                                            .path = path,
                                            .offset = offset,
                                            .count = (uint32_t)count,
                                            .stride = (uint32_t)stride});
}

/* An array inside a struct that is itself an element of an array: each element on its own. */
static void add_nested(struct collector *collector, const struct work *work, const char *path,
                       const struct df_field *field, bool pointers)
{
    for (uint64_t i = 0; i < field->count && i < MAX_NESTED; i++) {
        uint64_t offset = work->offset + field->offset + i * field->element;
        char *element = df_xasprintf("%s[%u]", path, (unsigned)i);
        if (pointers)
            add_slot(collector, element, offset, work->count, work->stride);
        else
            add_work(collector, field->type, element, offset, work->count, work->stride);
    }
}

static void add_array(struct collector *collector, const struct work *work, char *path,
                      const struct df_field *field)
{
    bool pointers = field->element_kind == DF_KIND_POINTER && is_object(collector, field->type);
    bool structs = field->element_kind == DF_KIND_STRUCT || field->element_kind == DF_KIND_UNION;
    uint64_t offset = work->offset + field->offset;
    if (!pointers && !structs) {
        free(path);
    } else if (work->count > 1) {
        add_nested(collector, work, path, field, pointers);
        free(path);
    } else if (pointers) {
        add_slot(collector, path, offset, field->count, 8);
    } else {
        char *rows = df_xasprintf("%s[]", path);
        free(path);
        add_work(collector, field->type, rows, offset, field->count, field->element);
    }
}

static void add_member(struct collector *collector, const struct work *work,
                       const struct df_member *member)
{
    const struct df_field *field = &member->field;
    /* 3.13+: the public part of a thread state is the member `base` of the whole. */
    bool base = member->name && !strcmp(member->name, "base") && !field->offset && !*work->path;
    const char *name = member->name && !base ? member->name : "";
    bool plain = !*name || !*work->path;
    char *path = df_xasprintf("%s%s%s", work->path, plain ? "" : ".", name);
    if (excluded(path)) {
        free(path);
        return;
    }
    switch (field->kind) {
    case DF_KIND_POINTER:
        if (is_object(collector, field->type))
            add_slot(collector, path, work->offset + field->offset, work->count, work->stride);
        else
            free(path);
        break;
    case DF_KIND_STRUCT:
    case DF_KIND_UNION:
        add_work(collector, field->type, path, work->offset + field->offset, work->count,
                 work->stride);
        break;
    case DF_KIND_ARRAY:
        add_array(collector, work, path, field);
        break;
    default:
        free(path);
    }
}

static int by_offset(const void *left, const void *right)
{
    const struct py_slot *a = left, *b = right;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* Collects the slots of the first of these structs that exists. */
static void collect(const struct df_ctypes *types, const char *names, struct py_slots *ret)
{
    struct collector collector = {
        .types = types,
        .object = df_ctypes_find(types, "PyObject"),
        .var_object = df_ctypes_find(types, "PyVarObject"),
        .slots = ret,
    };
    char name[64];
    while (!collector.work.count && py_next_alternative(&names, name, sizeof(name)))
        add_work(&collector, name, df_xstrdup(""), 0, 1, 8);
    for (size_t i = 0; i < collector.work.count; i++) {
        struct work work = collector.work.items[i]; /* the array moves */
        for (uint32_t k = 0; k < df_ctype_member_count(work.type); k++) {
            struct df_member member;
            df_ctype_member(types, work.type, k, &member);
            add_member(&collector, &work, &member);
        }
    }
    for (size_t i = 0; i < collector.work.count; i++)
        free(collector.work.items[i].path);
    free(collector.work.items);
    if (ret->count)
        qsort(ret->items, ret->count, sizeof(*ret->items), by_offset);
}

/* Python's signal handlers: pointers in disguise (_Py_atomic_address) up to 3.12, when they had
 * just become part of the runtime. (Before: a static array, see roots.c; later: plain pointers.) */
static void add_signal_handlers(struct py_slots *slots, const struct df_ctypes *types)
{
    struct df_field array, function;
    const char *runtime = "struct pyruntimestate";
    if (!df_ctypes_field(types, runtime, "signals.handlers", &array) ||
        !df_ctypes_field(types, runtime, "signals.handlers[0].func", &function) ||
        function.kind == DF_KIND_POINTER || function.size != 8 || array.count > MAX_ELEMENTS ||
        function.offset >= PY_ABSENT || array.element >= PY_ABSENT)
        return;
    DF_PUSH(slots, (struct py_slot){.path = df_xstrdup("signals.handlers[].func"),
                                    .offset = (uint32_t)function.offset,
                                    .count = (uint32_t)array.count,
                                    .stride = (uint32_t)array.element});
}

/* The empty tuple stands in the list of tuples that are kept for reuse, and is owned (3.10:
 * tuple_get_empty, Objects/tupleobject.c; before, the list is a static variable). */
static void add_empty_tuple(struct py_slots *slots, const struct df_ctypes *types)
{
    struct df_field list;
    if (!df_ctypes_field(types, "struct _is", "tuple.free_list", &list) || list.offset >= PY_ABSENT)
        return;
    DF_PUSH(slots, (struct py_slot){.path = df_xstrdup("tuple.free_list[0]"),
                                    .offset = (uint32_t)list.offset,
                                    .count = 1,
                                    .stride = 8});
    qsort(slots->items, slots->count, sizeof(*slots->items), by_offset);
}

void py_layout_slots(struct py_layout *layout, const struct df_ctypes *types)
{
    collect(types, "struct pyruntimestate|_PyRuntimeState", &layout->runtime_slots);
    add_signal_handlers(&layout->runtime_slots, types);
    collect(types, "struct _is|PyInterpreterState", &layout->interp_slots);
    if (layout->version >> 16 == 0x030a)
        add_empty_tuple(&layout->interp_slots, types);
    /* 3.13+: the thread state that others see is the beginning of a larger one. */
    collect(types, "struct _PyThreadStateImpl|_PyThreadStateImpl|struct _ts|PyThreadState",
            &layout->thread_slots);
}
