/* SPDX-License-Identifier: MIT
 * names.c: what static types are called when the file with their names is not at hand.
 *
 * tp_name of a static type lies in read-only data, which a core usually leaves to the file. But
 * the process itself knows most of them by name: the modules that export them. A type is called as
 * its own tp_name would: `types` and `builtins` call some of them differently, hence the aliases;
 * _collections.x is collections.x for the modules that say so.
 */
#include "analyzer/objects/internal.h"

#define MAX_MODULES 100000
#define MAX_KEY 200

struct py_names {
    struct df_map by_type; /* address -> row */
    struct {
        struct py_static_name {
            char *text;
            uint8_t rank; /* the lower the better */
        } * items;
        size_t count, capacity;
    } rows;
};

/* Types whose own name is not the one that a module knows them by. */
static const struct {
    const char *module, *key, *name;
} aliases[] = {
    {"types", "FunctionType", "function"},
    {"types", "CodeType", "code"},
    {"types", "MappingProxyType", "mappingproxy"},
    {"types", "SimpleNamespace", "types.SimpleNamespace"},
    {"types", "CellType", "cell"},
    {"types", "GeneratorType", "generator"},
    {"types", "CoroutineType", "coroutine"},
    {"types", "AsyncGeneratorType", "async_generator"},
    {"types", "MethodType", "method"},
    {"types", "BuiltinFunctionType", "builtin_function_or_method"},
    {"types", "WrapperDescriptorType", "wrapper_descriptor"},
    {"types", "MethodWrapperType", "method-wrapper"},
    {"types", "MethodDescriptorType", "method_descriptor"},
    {"types", "ClassMethodDescriptorType", "classmethod_descriptor"},
    {"types", "ModuleType", "module"},
    {"types", "TracebackType", "traceback"},
    {"types", "FrameType", "frame"},
    {"types", "GetSetDescriptorType", "getset_descriptor"},
    {"types", "MemberDescriptorType", "member_descriptor"},
    {"types", "GenericAlias", "types.GenericAlias"},
    {"types", "UnionType", "types.UnionType"},
    {"types", "EllipsisType", "ellipsis"},
    {"types", "NoneType", "NoneType"},
    {"types", "NotImplementedType", "NotImplementedType"},
    {"types", "CapsuleType", "PyCapsule"},
    {"_weakref", "ReferenceType", "weakref.ReferenceType"},
    {"_weakref", "ProxyType", "weakref.ProxyType"},
    {"_weakref", "CallableProxyType", "weakref.CallableProxyType"},
    {"_collections", "_deque_iterator", "_collections._deque_iterator"},
    {"_collections", "_deque_reverse_iterator", "_collections._deque_reverse_iterator"},
    {"_collections", "_tuplegetter", "_collections._tuplegetter"},
    {"_collections_abc", "async_generator", "async_generator"},
    {"_collections_abc", "generator", "generator"},
    {"_collections_abc", "coroutine", "coroutine"},
};

/* The same up to 3.9, when they had names without a module (told by its line tables). */
static const struct {
    const char *name, *old_name;
} renamed[] = {
    {"weakref.ReferenceType", "weakref"},
    {"weakref.ProxyType", "weakproxy"},
    {"weakref.CallableProxyType", "weakcallableproxy"},
    {"_contextvars.Context", "Context"},
    {"_contextvars.ContextVar", "ContextVar"},
    {"_contextvars.Token", "Token"},
};

/* Modules whose types call themselves by the public name. */
static const struct {
    const char *module, *name;
} public_names[] = {
    {"_collections", "collections"},
    {"_functools", "functools"},
    {"_datetime", "datetime"},
    {"_elementtree", "xml.etree.ElementTree"},
};

/* Objects of builtins whose types have no other name there. */
static const struct {
    const char *key, *name;
} samples[] = {
    {"None", "NoneType"},
    {"Ellipsis", "ellipsis"},
    {"NotImplemented", "NotImplementedType"},
    {"print", "builtin_function_or_method"},
};

static void remember(struct py_names *names, uint64_t type, char *text, uint8_t rank)
{
    uint32_t row = df_map_get(&names->by_type, type);
    if (row == DF_MAP_NONE) {
        df_map_set(&names->by_type, type, (uint32_t)names->rows.count);
        DF_PUSH(&names->rows, (struct py_static_name){text, rank});
    } else if (rank < names->rows.items[row].rank) {
        free(names->rows.items[row].text);
        names->rows.items[row] = (struct py_static_name){text, rank};
    } else {
        free(text);
    }
}

static bool is_static_type(struct py_objects *objects, uint64_t object)
{
    struct py_reader *reader = &objects->reader;
    reader->fault = false;
    return (py_flags_of(reader, object) & PY_TPFLAGS_TYPE) &&
           !(PY_PTR(reader, object, type, tp_flags) & PY_TPFLAGS_HEAPTYPE) && !reader->fault;
}

/* The type's own name, and how sure that is. */
static char *own_name(const char *module, const char *key, uint8_t *ret_rank)
{
    for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++)
        if (!strcmp(module, aliases[i].module) && !strcmp(key, aliases[i].key)) {
            *ret_rank = 0;
            return df_xstrdup(aliases[i].name);
        }
    *ret_rank = 1;
    if (!strcmp(module, "builtins"))
        return df_xstrdup(key);
    *ret_rank = 2;
    for (size_t i = 0; i < sizeof(public_names) / sizeof(*public_names); i++)
        if (!strcmp(module, public_names[i].module))
            return df_xasprintf("%s.%s", public_names[i].name, key);
    if (!strcmp(module, "_collections_abc")) /* dict_keys, list_iterator: named as they are */
        return df_xstrdup(key);
    *ret_rank = *module == '_' ? 3 : 4;
    return df_xasprintf("%s.%s", module, key);
}

static void add_module(struct py_objects *objects, struct py_names *names, const char *module,
                       uint64_t dict)
{
    struct py_reader *reader = &objects->reader;
    struct py_dict_cursor cursor;
    uint64_t key, value;
    reader->fault = false;
    if (!py_dict_begin(reader, dict, &cursor))
        return;
    while (py_dict_next(reader, &cursor, &key, &value)) {
        uint8_t rank;
        if (!is_static_type(objects, value))
            continue;
        DF_CLEANUP_FREE char *text = py_str(reader, key, MAX_KEY, NULL);
        if (!text)
            continue;
        char *name = own_name(module, text, &rank);
        for (size_t i = 0; i < sizeof(renamed) / sizeof(*renamed); i++)
            if (reader->layout->line_shape == PY_LINES_LNOTAB && !strcmp(name, renamed[i].name)) {
                free(name);
                name = df_xstrdup(renamed[i].old_name);
            }
        remember(names, value, name, rank);
    }
}

static void add_samples(struct py_objects *objects, struct py_names *names, uint64_t builtins)
{
    for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
        uint64_t object = py_dict_get(&objects->reader, builtins, samples[i].key);
        uint64_t type = object ? py_type_of(&objects->reader, object) : 0;
        if (type)
            remember(names, type, df_xstrdup(samples[i].name), 0);
    }
}

static struct py_names *collect(struct py_objects *objects)
{
    struct py_names *names = df_xcalloc(1, sizeof(*names));
    struct py_reader *reader = &objects->reader;
    struct py_dict_cursor cursor;
    uint64_t key, value;
    df_map_init(&names->by_type);
    if (!objects->py->interpreter_count)
        return names;
    const struct py_interpreter *main = &objects->py->interpreters[0];
    add_samples(objects, names, main->builtins);
    reader->fault = false;
    if (!py_dict_begin(reader, main->modules, &cursor))
        return names;
    for (int i = 0; i < MAX_MODULES && py_dict_next(reader, &cursor, &key, &value); i++) {
        DF_CLEANUP_FREE char *module = py_str(reader, key, MAX_KEY, NULL);
        uint64_t dict = module ? PY_PTR(reader, value, module, md_dict) : 0;
        if (dict && py_plausible_object(objects->py, dict))
            add_module(objects, names, module, dict);
        reader->fault = false;
    }
    return names;
}

const char *py_static_name(struct py_objects *objects, uint64_t type)
{
    bool fault = objects->reader.fault;
    if (!objects->names)
        objects->names = collect(objects);
    objects->reader.fault = fault;
    uint32_t row = df_map_get(&objects->names->by_type, type);
    return row == DF_MAP_NONE ? NULL : objects->names->rows.items[row].text;
}

void py_names_close(struct py_names *names)
{
    if (!names)
        return;
    for (size_t i = 0; i < names->rows.count; i++)
        free(names->rows.items[i].text);
    free(names->rows.items);
    df_map_deinit(&names->by_type);
    free(names);
}
