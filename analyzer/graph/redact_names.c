/* SPDX-License-Identifier: MIT
 * redact_names.c: which texts are the program's own: names that stand in its source code, files of
 * code, and bytecode with its tables.
 *
 * Told by who refers to them: a str that is an attribute's name somewhere and data elsewhere is one
 * object only where it is interned, and is a name then.
 */
#include <stdlib.h>
#include <string.h>

#include "analyzer/graph/redact_internal.h"
#include "dumpfmt/base/mem.h"

#define MAX_KEYS 1000000 /* of one dict of a type or module */
#define MAX_NAME 200     /* characters of a key that is a name */

struct finding {
    struct gr_redaction *redaction;
    struct py_reader reader;
};

static void keep(struct finding *finding, uint64_t object)
{
    uint32_t node = object ? gr_node(finding->redaction->graph, object) : UINT32_MAX;

    if (node != UINT32_MAX)
        finding->redaction->names[node / 64] |= UINT64_C(1) << (node % 64);
}

static void keep_all(struct finding *finding, uint64_t tuple)
{
    uint64_t items, count;

    if (!tuple || !py_tuple(&finding->reader, tuple, &items, &count))
        return;
    for (uint64_t i = 0; i < count && i < MAX_KEYS; i++)
        keep(finding, py_word(&finding->reader, items + i * 8));
}

/* Letters, digits and what the compiler itself puts into names. */
static bool is_name(struct finding *finding, uint64_t object)
{
    uint64_t size;
    const uint8_t *bytes = NULL;

    if (py_flags_of(&finding->reader, object) & PY_TPFLAGS_UNICODE)
        bytes = py_str_bytes(&finding->reader, object, MAX_NAME, &size);
    if (!bytes || !size || (bytes[0] >= '0' && bytes[0] <= '9'))
        return false;
    for (uint64_t i = 0; i < size; i++) {
        bool letter = (bytes[i] | 32) >= 'a' && (bytes[i] | 32) <= 'z';

        if (!letter && !(bytes[i] >= '0' && bytes[i] <= '9') && bytes[i] != '_' && bytes[i] != '.')
            return false;
    }
    return true;
}

/* Values that are names themselves: of a module's or type's dict. */
static bool names_itself(struct finding *finding, uint64_t key)
{
    static const char *const keys[] = {"__name__", "__qualname__", "__module__", "__package__",
                                       "__file__"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        if (py_str_equals(&finding->reader, key, keys[i]))
            return true;
    return false;
}

static void keep_keys(struct finding *finding, uint64_t dict)
{
    struct py_dict_cursor cursor;
    uint64_t key, value;

    if (!dict || !py_dict_begin(&finding->reader, dict, &cursor))
        return;
    while (py_dict_next(&finding->reader, &cursor, &key, &value)) {
        if (!is_name(finding, key))
            continue;
        keep(finding, key);
        if (names_itself(finding, key) &&
            (py_flags_of(&finding->reader, value) & PY_TPFLAGS_UNICODE))
            keep(finding, value);
    }
}

#define KEEP(structure, field) keep(finding, PY_PTR(reader, object, structure, field))
#define KEEP_ALL(structure, field) keep_all(finding, PY_PTR(reader, object, structure, field))

static void code_names(struct finding *finding, uint64_t object)
{
    struct py_reader *reader = &finding->reader;

    KEEP(code, co_filename);
    KEEP(code, co_name);
    KEEP(code, co_qualname);
    KEEP(code, co_linetable);
    KEEP(code, co_lnotab);
    KEEP(code, co_exceptiontable);
    KEEP(code, co_localspluskinds);
    KEEP(code, co_code);
    KEEP_ALL(code, co_names);
    KEEP_ALL(code, co_varnames);
    KEEP_ALL(code, co_freevars);
    KEEP_ALL(code, co_cellvars);
    KEEP_ALL(code, co_localsplusnames);
}

static void function_names(struct finding *finding, uint64_t object)
{
    struct py_reader *reader = &finding->reader;

    KEEP(function, func_name);
    KEEP(function, func_qualname);
    KEEP(function, func_module);
}

static void module_names(struct finding *finding, uint64_t object)
{
    struct py_reader *reader = &finding->reader;

    KEEP(module, md_name);
    keep_keys(finding, PY_PTR(reader, object, module, md_dict));
}

static void generator_names(struct finding *finding, uint64_t object)
{
    struct py_reader *reader = &finding->reader;

    KEEP(gen, gi_name);
    KEEP(gen, gi_qualname);
}

static void descriptor_names(struct finding *finding, uint64_t object)
{
    struct py_reader *reader = &finding->reader;

    KEEP(descr, d_name);
    KEEP(descr, d_qualname);
}

static void type_names(struct finding *finding, uint64_t object)
{
    struct py_reader *reader = &finding->reader;

    if (PY_PTR(reader, object, type, tp_flags) & PY_TPFLAGS_HEAPTYPE) {
        KEEP(heaptype, ht_name);
        KEEP(heaptype, ht_qualname);
    }
    keep_keys(finding, py_type_dict(finding->redaction->py, object));
}

static const struct {
    const char *type;
    void (*find)(struct finding *finding, uint64_t object);
} finders[] = {
    {"code", code_names},
    {"function", function_names},
    {"module", module_names},
    {"generator", generator_names},
    {"coroutine", generator_names},
    {"async_generator", generator_names},
    {"method_descriptor", descriptor_names},
    {"classmethod_descriptor", descriptor_names},
    {"getset_descriptor", descriptor_names},
    {"member_descriptor", descriptor_names},
    {"wrapper_descriptor", descriptor_names},
};

/* By a type's name: what its objects have names in; -1 nothing. */
static int finder_of(const struct gr_redaction *redaction, const struct py_type *type)
{
    for (;;) {
        for (size_t i = 0; i < sizeof(finders) / sizeof(*finders); i++)
            if (!type->python_class && !strcmp(type->name, finders[i].type))
                return (int)i;
        if (type->base_index == PY_NO_TYPE)
            return -1;
        type = py_type_at(redaction->objects, type->base_index);
    }
}

void gr_redact_find_names(struct gr_redaction *redaction)
{
    struct finding finding = {redaction, py_reader(redaction->py)};
    struct gr_node_cursor cursor = gr_nodes(redaction->graph);
    uint32_t count = (uint32_t)py_type_count(redaction->objects), node;
    int *finder = df_xcalloc((size_t)count + 1, sizeof(*finder));
    uint64_t address;

    for (uint32_t i = 0; i < count; i++)
        finder[i] = finder_of(redaction, py_type_at(redaction->objects, i));
    while (gr_next_node(&cursor, &node, &address)) {
        uint32_t type = gr_type(redaction->graph, node);

        if (redaction->types[type].body == GR_BODY_TYPE)
            type_names(&finding, address);
        else if (finder[type] >= 0)
            finders[finder[type]].find(&finding, address);
    }
    for (uint32_t i = 0; i < redaction->py->interpreter_count; i++)
        keep_keys(&finding, redaction->py->interpreters[i].modules);
    free(finder);
}
