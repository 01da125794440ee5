/* SPDX-License-Identifier: MIT
 * losses.c: references that CPython itself takes and never gives back.
 *
 * Each is a mistake of one version's source, made once in a process, and so a true surplus that is
 * nobody's fault: it is told by its name instead of as somebody's leak. A row says where the object
 * is found, in which versions the mistake is, and where it stands in the source.
 */
#include <string.h>

#include "analyzer/cpython/layout_internal.h"
#include "analyzer/cpython/python_internal.h"

#define MAX_FILTERS 10000
#define FILTER_LENGTH 5

static const struct loss {
    const char *module;     /* in sys.modules; NULL: a static variable of the interpreter's */
    const char *names[2];   /* in its dict, then in that object's; or of the variable */
    uint32_t since, before; /* PY_VERSION_HEX */
    enum {
        AS_FOUND,
        UNLISTED, /* a module that sys.modules has another one of */
        MAIN,     /* the str "__main__" in a list of tuples */
    } how;
    const char *what;
} losses[] = {
    /* pycore_init_builtins, Python/pylifecycle.c: bimod is never released. */
    {"builtins",
     {NULL},
     0,
     0x03090000,
     AS_FOUND,
     "the module builtins, made by pycore_init_builtins"},
    /* pyinit_config: sysmod, which _PySys_Create() has made, likewise. */
    {"sys", {NULL}, 0, 0x03090000, AS_FOUND, "the module sys, made by _PySys_Create"},
    /* create_filter, Python/_warnings.c: modname_obj is a new string, PyTuple_Pack() takes its own
     * reference. */
    {"_warnings", {"filters"}, 0, 0x03090000, MAIN, "\"__main__\" of the first warning filters"},
    /* pycore_init_import_warnings: the result of _PyWarnings_Init() is only compared with NULL. */
    {"_warnings", {NULL}, 0, 0x03090000, UNLISTED, "the first _warnings, made by _PyWarnings_Init"},
    /* multiprocessing_exec, Modules/_multiprocessing/multiprocessing.c: py_sem_value_max. */
    {"_multiprocessing",
     {"SemLock", "SEM_VALUE_MAX"},
     0,
     0x030a0000,
     AS_FOUND,
     "_multiprocessing.SemLock.SEM_VALUE_MAX, made when the module is imported"},
    /* PyInit__decimal: Py_INCREF() stayed when PyModule_AddObject() became ..Ref() (3.11.5). */
    {"_decimal",
     {"ExtendedContext"},
     0x030b0500,
     0x030c0000,
     AS_FOUND,
     "_decimal.ExtendedContext, made when the module is imported"},
    /* is_internal_frame, Python/_warnings.c: new strings are referenced once more. */
    {NULL, {"importlib_string"}, 0, 0x030b0000, AS_FOUND, "importlib_string of is_internal_frame"},
    {NULL, {"bootstrap_string"}, 0, 0x030b0000, AS_FOUND, "bootstrap_string of is_internal_frame"},
};

static uint64_t attribute(const struct py *py, uint64_t object, const char *name)
{
    struct py_reader reader = py_reader(py);
    uint64_t type = py_type_of(&reader, object), dict;

    if (PY_PTR(&reader, type, type, tp_flags) & PY_TPFLAGS_TYPE)
        dict = py_type_dict(py, object);
    else
        dict = PY_PTR(&reader, object, module, md_dict);
    return dict && !reader.fault ? py_dict_get(&reader, dict, name) : 0;
}

struct twin { /* of a module */
    const struct py *py;
    uint64_t module, definition, found;
};

static bool look_at(void *context, uint64_t object)
{
    struct twin *twin = context;
    struct py_reader reader = py_reader(twin->py);

    if (object != twin->module &&
        py_type_of(&reader, object) == py_type_of(&reader, twin->module) &&
        PY_PTR(&reader, object, module, md_def) == twin->definition && !reader.fault)
        twin->found = object;
    return !twin->found;
}

/* A module of the same definition as one in sys.modules. */
static uint64_t find_twin(const struct py *py, uint64_t module)
{
    struct py_reader reader = py_reader(py);
    struct twin twin = {
        .py = py, .module = module, .definition = PY_PTR(&reader, module, module, md_def)};

    if (twin.definition)
        py_gc_objects(py, look_at, &twin);
    return twin.found;
}

static uint64_t find_main(const struct py *py, uint64_t list)
{
    struct py_reader reader = py_reader(py);
    uint64_t filters = PY_PTR(&reader, list, list, ob_item), items, length;
    int64_t count = py_ob_size(&reader, list);

    for (int64_t i = 0; i < count && i < MAX_FILTERS && !reader.fault; i++) {
        if (!py_tuple(&reader, py_word(&reader, filters + (uint64_t)i * 8), &items, &length))
            return 0;
        for (uint64_t k = 0; k < length && k < FILTER_LENGTH; k++)
            if (py_str_equals(&reader, py_word(&reader, items + k * 8), "__main__"))
                return py_word(&reader, items + k * 8);
    }
    return 0;
}

static uint64_t find(const struct py *py, const struct loss *loss)
{
    struct py_reader reader = py_reader(py);
    const struct df_symbol *symbol;
    uint64_t object;

    if (!loss->module) {
        symbol = py_local_symbol(py->module, loss->names[0]);
        return symbol ? py_word(&reader, symbol->address) : 0;
    }
    object = py_dict_get(&reader, py->interpreters[0].modules, loss->module);
    for (int i = 0; i < 2 && object && loss->names[i]; i++)
        object = attribute(py, object, loss->names[i]);
    if (object && loss->how == MAIN)
        return find_main(py, object);
    return object && loss->how == UNLISTED ? find_twin(py, object) : object;
}

void py_losses(const struct py *py, void (*visit)(void *context, uint64_t object, uint32_t number),
               void *context)
{
    uint32_t version = py->layout.version;

    for (uint32_t i = 0; i < sizeof(losses) / sizeof(*losses); i++) {
        if (version < losses[i].since || version >= losses[i].before || !version)
            continue;
        uint64_t object = find(py, &losses[i]);
        if (object && py_plausible_object(py, object))
            visit(context, object, i);
    }
}

const char *py_loss_text(uint32_t number)
{
    return number < sizeof(losses) / sizeof(*losses) ? losses[number].what : "";
}
