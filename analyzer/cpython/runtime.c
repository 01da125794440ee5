/* SPDX-License-Identifier: MIT
 * runtime.c: finds the interpreter in a dump and opens it.
 *
 * The anchor is the variable _PyRuntime (runtime_find.c). It hangs all interpreters on a list,
 * newest first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/cpython/layout_internal.h"
#include "analyzer/cpython/python_internal.h"
#include "dumpfmt/base/mem.h"

#define MAX_NAMED 6 /* modules that an error names */

static bool names_python(const struct df_module *module)
{
    return strstr(module->name, "python") != NULL;
}

/* A module without a file that may well be the one: a library or executable named so, or else the
 * main program, whatever its name. */
static const struct df_module *missing_candidate(const struct df_modules *modules)
{
    const struct df_module *ret = NULL;
    for (uint32_t i = 0; i < modules->count; i++) {
        const struct df_module *module = &modules->items[i];
        bool gone = module->state == DF_MODULE_MISSING || module->state == DF_MODULE_MISMATCH;
        if (gone && names_python(module))
            return module;
        if (gone && module == modules->executable)
            ret = module;
    }
    return ret;
}

static struct df_err *no_python(struct df_modules *modules)
{
    const struct df_module *gone = missing_candidate(modules);
    if (gone && !*gone->path)
        return df_err_new(DF_ERR_MISSING, "cannot look for CPython in this core: it does not name "
                                          "its executable; give --executable");
    if (gone)
        return df_err_new(
            DF_ERR_MISSING, "cannot look for CPython in this core: the %s %s %s: give %s",
            gone == modules->executable ? "executable" : "library", gone->path,
            gone->state == DF_MODULE_MISSING ? "was not found"
                                             : "is of another build than the one in the core",
            gone == modules->executable ? "--executable or --sysroot" : "--sysroot or --debug-dir");
    struct df_module *old;
    if (df_modules_symbol(modules, "PyThreadState_Get", &old))
        return df_err_new(DF_ERR_UNSUPPORTED,
                          "%s is CPython 3.6 or older, which is not supported: it keeps its state "
                          "in no _PyRuntime, as 3.7 and later do",
                          old->path);
    char *list = df_xstrdup("");
    uint32_t named = 0, files = 0;
    for (uint32_t i = 0; i < modules->count; i++) {
        if (modules->items[i].state == DF_MODULE_NOT_ELF || files++ >= MAX_NAMED)
            continue;
        char *longer = df_xasprintf("%s%s%s", list, named++ ? ", " : "", modules->items[i].name);
        free(list);
        list = longer;
    }
    struct df_err *err = df_err_new(
        DF_ERR_INPUT, "no CPython in this core: no module defines _PyRuntime (looked at: %s%s)",
        named ? list : "none", files > MAX_NAMED ? ", ..." : "");
    free(list);
    return err;
}

static struct df_err *check_runtime(const struct py *py)
{
    uint64_t word;
    if (py->runtime && !df_u64(py->dump->space, py->runtime, &word))
        return df_err_new(DF_ERR_INPUT,
                          "the core does not have the interpreter's state (_PyRuntime at 0x%llx in "
                          "%s): it is truncated, or was written without writable memory",
                          (unsigned long long)py->runtime, py->module->path);
    return NULL;
}

static uint64_t symbol_address(const struct py *py, const char *name)
{
    const struct df_symbol *symbol = df_module_symbol(py->module, name);
    return symbol ? symbol->address : 0;
}

static void read_interpreter(const struct py *py, struct py_interpreter *interpreter)
{
    struct py_reader reader = py_reader(py);
    uint64_t address = interpreter->address;
    interpreter->id = (int64_t)PY_GET(&reader, address, interp, id);
    interpreter->modules = PY_PTR(&reader, address, interp, modules);
    interpreter->sysdict = PY_PTR(&reader, address, interp, sysdict);
    interpreter->builtins = PY_PTR(&reader, address, interp, builtins);
}

/* The main interpreter, then by age. */
static int by_id(const void *left, const void *right)
{
    const struct py_interpreter *a = left, *b = right;
    return a->id < b->id ? -1 : a->id > b->id;
}

struct df_err *py_read_interpreters(struct py *py)
{
    struct py_reader reader = py_reader(py);
    struct {
        struct py_interpreter *items;
        size_t count, capacity;
    } list = {0};
    struct py_cycle cycle = {0};
    uint64_t main = PY_PTR(&reader, py->runtime, runtime, interpreters_main);
    uint64_t at = PY_PTR(&reader, py->runtime, runtime, interpreters_head);
    while (at && list.count < PY_MAX_INTERPRETERS && !py_cycle_closed(&cycle, at)) {
        struct py_interpreter interpreter = {.address = at};
        reader.fault = false;
        read_interpreter(py, &interpreter);
        at = PY_PTR(&reader, at, interp, next);
        if (reader.fault)
            break;
        DF_PUSH(&list, interpreter);
    }
    if (!list.count)
        return df_err_new(DF_ERR_INPUT,
                          "the interpreter in %s had none of its state in the core: it had not "
                          "started, had ended, or the core lacks its memory",
                          py->module->path);
    qsort(list.items, list.count, sizeof(*list.items), by_id);
    for (size_t i = 1; i < list.count; i++)
        if (list.items[i].address == main) {
            struct py_interpreter first = list.items[i];
            memmove(list.items + 1, list.items, i * sizeof(*list.items));
            list.items[0] = first;
        }
    py->interpreters = list.items;
    py->interpreter_count = (uint32_t)list.count;
    for (uint32_t i = 0; i < py->interpreter_count; i++)
        py_read_gc(py, &py->interpreters[i], i == 0);
    return NULL;
}

/* sys.version's first word ("3.13.5+"), else what the number says. */
static void read_version(struct py *py)
{
    struct py_reader reader = py_reader(py);
    uint64_t sysdict = py->interpreters[0].sysdict;
    int64_t number;
    if (py_int(&reader, py_dict_get(&reader, sysdict, "hexversion"), &number) && number >> 24 == 3)
        py->layout.version = (uint32_t)number;
    py_layout_texts(&py->layout);
    char *text = py_str(&reader, py_dict_get(&reader, sysdict, "version"), 32, NULL);
    if (text && *text >= '0' && *text <= '9') {
        text[strspn(text, ".+~-_0123456789abcdefghijklmnopqrstuvwxyz")] = 0;
        py->version_text = text;
        return;
    }
    free(text);
    uint32_t version = py->layout.version, level = version >> 4 & 15, serial = version & 15;
    char suffix[16] = "";
    if (version && level != 15)
        snprintf(suffix, sizeof(suffix), "%s%u",
                 level == 10   ? "a"
                 : level == 11 ? "b"
                               : "rc",
                 serial);
    py->version_text = version ? df_xasprintf("%u.%u.%u%s", version >> 24, version >> 16 & 255,
                                              version >> 8 & 255, suffix)
                               : df_xstrdup("");
}

static uint64_t module_global(const struct py *py, const char *module, const char *name)
{
    struct py_reader reader = py_reader(py);
    uint64_t object = py_dict_get(&reader, py->interpreters[0].modules, module);
    uint64_t dict = object ? PY_PTR(&reader, object, module, md_dict) : 0;
    uint64_t type = dict ? py_dict_get(&reader, dict, name) : 0;
    return !reader.fault && type && (py_flags_of(&reader, type) & PY_TPFLAGS_TYPE) ? type : 0;
}

/* Where their symbols are gone: by objects that are known to be of them. */
static void find_types(struct py *py)
{
    struct py_reader reader = py_reader(py);
    if (!py->dict_type)
        py->dict_type = py_type_of(&reader, py->interpreters[0].builtins);
    if (!py->type_type)
        py->type_type = py_type_of(&reader, py->dict_type);
    if (!py->code_type)
        py->code_type = module_global(py, "types", "CodeType");
    if (!py->cell_type)
        py->cell_type = module_global(py, "types", "CellType");
}

/* What files have helped to find, and what only they have. */
static struct df_err *find_python(struct py *py, const struct py_options *options)
{
    bool found = py_find_runtime(py);
    if (!py->module)
        return no_python(py->dump->modules);
    DF_TRY(check_runtime(py));
    struct df_err *err = py_choose_layout(py, options);
    if (err && !found && !py->runtime) {
        df_err_free(err);
        return no_python(py->dump->modules);
    }
    DF_TRY(err);
    py->type_type = symbol_address(py, "PyType_Type");
    py->code_type = symbol_address(py, "PyCode_Type");
    py->dict_type = symbol_address(py, "PyDict_Type");
    py->cell_type = symbol_address(py, "PyCell_Type");
    DF_TRY(py_read_interpreters(py));
    read_version(py);
    find_types(py);
    py_find_general_lookup(py);
    return NULL;
}

static struct df_err *restore_python(struct py *py)
{
    DF_TRY(py_snapshot_restore(py));
    DF_TRY(check_runtime(py));
    return py_read_interpreters(py);
}

static struct df_err *open_python(struct py *py, const struct py_options *options)
{
    DF_TRY(py->dump->necro ? restore_python(py) : find_python(py, options));
    py_read_static_types(py);
    py_read_threads(py);
    py_read_counts(py);
    return NULL;
}

struct df_err *py_open(struct df_dump *dump, const struct py_options *options, struct py **ret)
{
    struct py *py = df_xcalloc(1, sizeof(*py));
    struct py_options defaults = {0};
    py->dump = dump;
    py->no_debug_info = options && options->no_debug_info;
    if (options && options->cache_directory)
        py->cache_directory = df_xstrdup(options->cache_directory);
    df_map_init(&py->static_types);
    df_map_init(&py->counts.objects);
    struct df_err *err = open_python(py, options ? options : &defaults);
    if (err)
        py_close(py);
    else
        *ret = py;
    return err;
}

void py_close(struct py *py)
{
    if (!py)
        return;
    for (uint32_t i = 0; i < py->thread_count; i++)
        free(py->threads[i].frames);
    free(py->threads);
    free(py->interpreters);
    free(py->version_text);
    free(py->layout_note);
    free(py->cache_directory);
    df_ctypes_close(py->types);
    df_map_deinit(&py->static_types);
    df_map_deinit(&py->counts.objects);
    free(py->counts.items);
    py_layout_deinit(&py->layout);
    free(py);
}

bool py_plausible_object(const struct py *py, uint64_t object)
{
    struct py_reader reader = py_reader(py);
    if (!object || (object & 7))
        return false;
    uint64_t type = py_type_of(&reader, object);
    return type && !(type & 7) && (py_flags_of(&reader, type) & PY_TPFLAGS_TYPE) && !reader.fault;
}
