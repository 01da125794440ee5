/* SPDX-License-Identifier: MIT
 * layout_dwarf.c: a layout from the debug information of the very build: the best source, right
 * also for vendors' patches and other C libraries.
 *
 * Structures of extension modules (deque, partial) are looked for in the extension's own file when
 * the dead process had loaded it, then in the interpreter's, where distributions build many in.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/cpython/layout.h"
#include "analyzer/cpython/layout_internal.h"
#include "dumpfmt/base/mem.h"

#define MAX_NAME 128      /* bytes of an alternative in pyfields.def */
#define MAX_EXTENSIONS 32 /* different modules named in pyfields.def */

struct source {
    struct df_dump *dump;                /* whose modules have the extensions; or */
    const struct py_layout_files *files; /* the debug files themselves */
    const char *cache_directory;
    struct df_ctypes *python;
    struct {
        const char *module;
        struct df_ctypes *types; /* NULL: not loaded, or without debug information */
    } extensions[MAX_EXTENSIONS];
    uint32_t extension_count;
};

/* Why the module of the interpreter cannot be used; NULL when it can. */
static struct df_err *why_no_dwarf(const struct df_module *python, const char *build_id)
{
    if (python->state == DF_MODULE_MISSING || python->state == DF_MODULE_MISMATCH)
        return df_err_new(DF_ERR_MISSING,
                          "%s was not found or is of another build: give --executable or --sysroot",
                          python->path);
    if (!python->debug_file)
        return df_err_new(DF_ERR_MISSING,
                          "no debug information for %s (build-id %s): install its debug package "
                          "(python3-dbg on Debian) or give --debug-dir",
                          python->path, *build_id ? build_id : "unknown");
    return NULL;
}

static void build_id_text(const struct df_module *module, char buffer[2 * DF_BUILD_ID_MAX + 1])
{
    for (uint32_t i = 0; i < module->build_id.size && i < DF_BUILD_ID_MAX; i++)
        snprintf(buffer + 2 * i, 3, "%02x", module->build_id.bytes[i]);
    buffer[2 *
           (module->build_id.size < DF_BUILD_ID_MAX ? module->build_id.size : DF_BUILD_ID_MAX)] = 0;
}

struct df_err *py_open_types(const struct df_module *module, const char *cache_directory,
                             struct df_ctypes **ret)
{
    char build_id[2 * DF_BUILD_ID_MAX + 1];
    build_id_text(module, build_id);
    DF_TRY(why_no_dwarf(module, build_id));
    return df_ctypes_open(module->debug_file, *build_id ? build_id : NULL, cache_directory, ret);
}

/* The loaded extension module `name`: its file is name.so or name.cpython-311-x86_64-linux-gnu.so.
 */
static const struct df_module *find_extension(const struct df_modules *modules, const char *name)
{
    size_t length = strlen(name);
    for (uint32_t i = 0; i < modules->count; i++) {
        const char *file = modules->items[i].name;
        if (!strncmp(file, name, length) &&
            (!strncmp(file + length, ".cpython-", 9) || !strcmp(file + length, ".so")))
            return &modules->items[i];
    }
    return NULL;
}

/* NULL when there are none: then as absent. */
static struct df_ctypes *open_extension(const struct source *source, const char *name)
{
    struct df_ctypes *types = NULL;
    if (source->files) {
        const char *file = source->files->extension(source->files->context, name);
        if (file)
            df_err_free(df_ctypes_open(file, NULL, NULL, &types));
        return types;
    }
    const struct df_module *module = find_extension(source->dump->modules, name);
    if (module)
        df_err_free(py_open_types(module, source->cache_directory, &types));
    return types;
}

/* The types of an extension module; NULL when there are none. Opened once. */
static struct df_ctypes *extension_types(struct source *source, const char *name)
{
    for (uint32_t i = 0; i < source->extension_count; i++)
        if (!strcmp(source->extensions[i].module, name))
            return source->extensions[i].types;
    struct df_ctypes *types = open_extension(source, name);
    if (source->extension_count < MAX_EXTENSIONS) {
        source->extensions[source->extension_count].module = name;
        source->extensions[source->extension_count++].types = types;
        return types;
    }
    df_ctypes_close(types);
    return NULL;
}

/* Finds a structure under one of its names; copies the name. */
static const struct df_ctype *find_struct(const struct df_ctypes *types, enum py_struct structure,
                                          char name[MAX_NAME])
{
    const char *cursor = py_struct_names(structure);
    while (py_next_alternative(&cursor, name, MAX_NAME)) {
        const struct df_ctype *type = df_ctypes_find(types, name);
        if (type)
            return type;
    }
    return NULL;
}

static void set_field(struct py_layout *layout, enum py_field field, const struct df_field *found)
{
    if (found->offset >= PY_ABSENT)
        return;
    uint64_t size = found->kind == DF_KIND_ARRAY ? found->element : found->size;
    layout->offset[field] = (uint32_t)found->offset;
    layout->size[field] = size < 255 ? (uint8_t)size : 255;
    layout->bit_offset[field] = (uint8_t)found->bit_offset;
    layout->bit_size[field] = (uint8_t)found->bit_size;
    layout->source[field] = PY_SOURCE_DWARF;
}

static bool find_field(const struct df_ctypes *types, const char *structure, enum py_field field,
                       struct df_field *ret)
{
    char path[MAX_NAME];
    const char *cursor = py_field_paths(field);
    while (py_next_alternative(&cursor, path, sizeof(path)))
        if (df_ctypes_field(types, structure, path, ret))
            return true;
    return false;
}

static void fill_struct(struct py_layout *layout, struct source *source, enum py_struct structure)
{
    char name[MAX_NAME];
    const char *module = py_struct_module(structure);
    const struct df_ctypes *types = *module ? extension_types(source, module) : source->python;
    const struct df_ctype *type = types ? find_struct(types, structure, name) : NULL;
    if (!type && *module) {
        types = source->python;
        type = find_struct(types, structure, name);
    }
    if (!type || df_ctype_size(type) >= PY_ABSENT)
        return;
    layout->struct_size[structure] = (uint32_t)df_ctype_size(type);
    layout->struct_source[structure] = PY_SOURCE_DWARF;
    for (enum py_field field = 0; field < PY_FIELDS; field++) {
        struct df_field found;
        if (py_field_struct(field) == structure && find_field(types, name, field, &found))
            set_field(layout, field, &found);
    }
}

/* What nothing works without. Others may be absent: their readers ask. */
static const enum py_field necessary[] = {
    PY_F_object_ob_type,
    PY_F_varobject_ob_size,
    PY_F_type_tp_name,
    PY_F_type_tp_basicsize,
    PY_F_type_tp_flags,
    PY_F_type_tp_base,
    PY_F_type_tp_traverse,
    PY_F_dict_ma_keys,
    PY_F_dict_ma_values,
    PY_F_dictkeys_dk_nentries,
    PY_F_dictkeys_dk_indices,
    PY_F_dictentry_me_key,
    PY_F_list_ob_item,
    PY_F_tuple_ob_item,
    PY_F_ascii_length,
    PY_F_ascii_kind,
    PY_F_long_ob_digit,
    PY_F_code_co_filename,
    PY_F_code_co_name,
    PY_F_code_co_firstlineno,
    PY_F_runtime_interpreters_head,
    PY_F_interp_next,
    PY_F_interp_id,
    PY_F_interp_threads_head,
    PY_F_interp_modules,
    PY_F_interp_sysdict,
    PY_F_interp_builtins,
    PY_F_thread_next,
    PY_F_thread_thread_id,
    PY_F_gcstate_enabled,
    PY_F_gcstate_generations,
    PY_F_generation_threshold,
    PY_F_generation_count,
};

struct df_err *py_layout_check_necessary(const struct py_layout *layout, const char *file)
{
    for (size_t i = 0; i < sizeof(necessary) / sizeof(*necessary); i++)
        if (layout->offset[necessary[i]] == PY_ABSENT)
            return df_err_new(DF_ERR_UNSUPPORTED,
                              "the layout from %s has no field %s (looked for %s in %s)", file,
                              py_field_name(necessary[i]), py_field_paths(necessary[i]),
                              py_struct_names(py_field_struct(necessary[i])));
    return NULL;
}

/* Elements of the arrays that hold static types' state. */
static void count_static_types(struct py_layout *layout, const struct df_ctypes *types)
{
    struct df_field found;
    if (find_field(types, "struct _is", PY_F_interp_types_builtins, &found) &&
        found.kind == DF_KIND_ARRAY && found.count < 65536)
        layout->static_type_count = (uint32_t)found.count;
    if (find_field(types, "struct _is", PY_F_interp_types_extensions, &found) &&
        found.kind == DF_KIND_ARRAY && found.count < 65536)
        layout->static_extension_count = (uint32_t)found.count;
}

static void fill(struct py_layout *layout, struct source *source)
{
    memset(layout->offset, 0xff, sizeof(layout->offset));
    memset(layout->struct_size, 0xff, sizeof(layout->struct_size));
    for (enum py_struct structure = 0; structure < PY_STRUCTS; structure++)
        fill_struct(layout, source, structure);
    count_static_types(layout, source->python);
    py_layout_shapes(layout, source->python);
    py_layout_slots(layout, source->python);
}

static void close_types(struct source *source)
{
    for (uint32_t i = 0; i < source->extension_count; i++)
        df_ctypes_close(source->extensions[i].types);
    df_ctypes_close(source->python);
}

struct df_err *py_layout_from_files(const struct py_layout_files *files, struct py_layout *ret)
{
    struct source source = {.files = files};
    struct py_layout layout = {.version = files->version};
    DF_TRY(df_ctypes_open(files->python, NULL, NULL, &source.python));
    fill(&layout, &source);
    close_types(&source);
    struct df_err *err = py_layout_check_necessary(&layout, files->python);
    if (err)
        py_layout_deinit(&layout);
    else
        *ret = layout;
    return err;
}

struct df_err *py_layout_from_dwarf(struct df_dump *dump, struct df_module *python,
                                    const char *cache_directory, struct py_layout *ret,
                                    struct df_ctypes **ret_types)
{
    struct source source = {.dump = dump, .cache_directory = cache_directory};
    struct py_layout layout = {0};
    DF_TRY(py_open_types(python, cache_directory, &source.python));
    layout.version = py_find_version(dump, python);
    fill(&layout, &source);
    *ret_types = DF_TAKE(source.python);
    close_types(&source);
    const struct df_symbol *lookup = py_local_symbol(python, "lookdict");
    layout.general_lookup = lookup ? lookup->address : 0;
    struct df_err *err = py_layout_check_necessary(&layout, python->debug_file);
    if (err)
        py_layout_deinit(&layout);
    else
        *ret = layout;
    return err;
}
