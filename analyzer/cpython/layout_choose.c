/* SPDX-License-Identifier: MIT
 * layout_choose.c: which source a layout comes from.
 *
 * The debug information of the exact build, where it is. Otherwise the row of the table for the
 * version and the flags of the build, or that of the minor version which fits best; over it the
 * interpreter's own list of offsets (3.13+); what does not fit the dump then is probed. A debug
 * build tells itself by a function that it exports; without symbols each kind is tried, and what
 * fits best wins.
 */
#include <stdlib.h>
#include <string.h>

#include "analyzer/cpython/known.h"
#include "analyzer/cpython/layout_internal.h"
#include "analyzer/cpython/python_internal.h"
#include "dumpfmt/base/mem.h"

struct build {           /* what is known of the dead build before its layout is */
    uint32_t version;    /* PY_VERSION_HEX; 0: unknown */
    bool has_offsets;    /* the runtime begins with debug offsets */
    bool free_threaded;  /* when it has */
    bool probably_debug; /* by the names of files, or by what it exports */
    bool has_symbols;    /* then it is sure */
};

const char *py_machine_name(const struct df_core *core)
{
    return core->machine == DF_AARCH64 ? "aarch64" : "x86_64";
}

/* "python3.11d", "libpython3.11d.so.1.0" */
static bool is_debug_name(const char *name)
{
    const char *at = strstr(name, "python3.");
    if (!at)
        return false;
    at += strlen("python3.");
    at += strspn(at, "0123456789");
    at += *at == 't';
    return *at == 'd';
}

static struct build find_build(const struct py *py)
{
    struct build build = {.probably_debug = is_debug_name(py->module->name),
                          .has_symbols = df_module_symbol(py->module, "Py_IsInitialized")};
    uint32_t version;
    if (build.has_symbols) /* of Py_REF_DEBUG (Include/object.h), 3.8 to 3.15 */
        build.probably_debug = df_module_symbol(py->module, "_Py_NegativeRefcount");
    build.has_offsets = py->runtime && py_debug_offsets(py->dump->space, py->runtime, &version,
                                                        &build.free_threaded);
    build.version = build.has_offsets ? version : py_find_version(py->dump, py->module);
    if (!(build.version & 0xffff)) { /* a library's name has the minor version only */
        uint32_t text = py_find_version_text(py->dump, NULL);
        build.version = text ? text : build.version;
    }
    return build;
}

static const char *interpreter_path(const struct py *py)
{
    return *py->module->path ? py->module->path : "the interpreter";
}

static unsigned bits(unsigned holds)
{
    return (unsigned)__builtin_popcount(holds);
}

struct size_count {
    const struct py_layout *layout;
    unsigned wrong;
};

/* Sizes that the row and the interpreter's own list disagree about. */
static void count_sizes(void *context, const struct py_debug_offset *offset)
{
    struct size_count *count = context;
    if (offset->is_size && offset->value != count->layout->struct_size[offset->structure])
        count->wrong++;
}

/* How well a row fits: the more holds the better, then the fewer sizes differ. */
static unsigned fitness(struct py *py, const struct py_layout *table)
{
    struct size_count count = {table, 0};
    py_debug_offsets_each(py->dump->space, table, py->runtime, count_sizes, &count);
    return bits(py_layout_holds(py)) * 64 + 63 - (count.wrong > 63 ? 63 : count.wrong);
}

/* Tries a row: sets the layout, and the runtime where it is not known. */
static unsigned try_row(struct py *py, const struct py_known_layout *row, uint32_t version,
                        uint64_t runtime)
{
    struct py_layout table;
    py_layout_from_known(row, version, &table);
    py_layout_deinit(&py->layout);
    py->layout = table;
    py->runtime = runtime ? runtime : py_search_runtime(py);
    if (!py->runtime)
        return 0;
    py_debug_offsets_apply(py->dump->space, py->runtime, &py->layout);
    return fitness(py, &table);
}

static bool may_be(const struct build *build, unsigned flags)
{
    bool threaded = flags & PY_BUILD_THREADED;
    return build->has_offsets ? threaded == build->free_threaded : !threaded;
}

/* What is known of a build for sure outweighs how well a row of another kind fits; what is guessed
 * decides between two that fit alike. */
static unsigned rank(const struct build *build, unsigned flags, unsigned fit)
{
    bool same = !(flags & PY_BUILD_DEBUG) == !build->probably_debug;
    return fit ? (build->has_symbols && same ? 1u << 16 : 0) + fit * 2 + same : 0;
}

static uint32_t distance(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

/* Whether a row may be tried: where the exact version has one, its neighbours' are not. */
static bool may_serve(const struct build *build, const char *machine,
                      const struct py_known_layout *row)
{
    struct py_known_layout nearest;
    return row->version >> 16 == build->version >> 16 && !strcmp(row->machine, machine) &&
           may_be(build, row->build) &&
           py_known_find(build->version, machine, row->build, &nearest) &&
           (nearest.version != build->version || row->version == build->version);
}

/* The row that fits best, of those the nearest; false when this minor version has none. A minor
 * version changes within itself too: 3.14.5 went back to another collector. */
static bool choose_row(struct py *py, const struct build *build, uint64_t runtime,
                       struct py_known_layout *ret)
{
    const char *machine = py_machine_name(py->dump->core);
    unsigned best = 0;
    bool found = false;
    for (uint32_t i = 0; i < py_known_count(); i++) {
        struct py_known_layout row;
        py_known_at(i, &row);
        if (!may_serve(build, machine, &row))
            continue;
        unsigned ranked = rank(build, row.build, try_row(py, &row, build->version, runtime));
        if (!found || ranked > best ||
            (ranked == best &&
             distance(row.version, build->version) < distance(ret->version, build->version))) {
            best = ranked;
            *ret = row;
        }
        found = true;
    }
    return found;
}

static char *version_name(uint32_t version)
{
    return df_xasprintf("%u.%u.%u", version >> 24, version >> 16 & 255, version >> 8 & 255);
}

static void describe(struct py *py, const struct py_known_layout *row, unsigned holds)
{
    DF_CLEANUP_FREE char *exact = version_name(py->layout.version);
    DF_CLEANUP_FREE char *near = version_name(row->version);
    char *note = row->version == py->layout.version
                     ? df_xasprintf("known layout of %s (%s)", near, py_build_name(row->build))
                     : df_xasprintf("nearest known layout: %s (%s) for %s", near,
                                    py_build_name(row->build), exact);
    for (unsigned bit = 1; bit < PY_HOLDS_ALL; bit <<= 1)
        if (!(holds & bit)) {
            char *longer = df_xasprintf("%s; not found: %s", note, py_holds_name(bit));
            free(note);
            note = longer;
        }
    free(py->layout_note);
    py->layout_note = note;
}

static struct df_err *does_not_fit(const struct py *py, const struct py_known_layout *row,
                                   unsigned holds)
{
    unsigned bit = 1;
    while (holds & bit)
        bit <<= 1;
    DF_CLEANUP_FREE char *version = version_name(py->layout.version);
    DF_CLEANUP_FREE char *near = version_name(row->version);
    return df_err_new(
        DF_ERR_UNSUPPORTED,
        "no debug information for %s, and the layout known of CPython %s (%s) does not fit this "
        "%s: %s not found: install its debug package, or give --debug-dir",
        interpreter_path(py), near, py_build_name(row->build), version,
        bit == PY_HOLDS_INTERPRETERS ? "the interpreter's state" : py_holds_name(bit));
}

static uint32_t hexversion(const struct py *py)
{
    struct py_reader reader = py_reader(py);
    int64_t number;
    uint64_t sysdict = PY_PTR(&reader, py_probe_interpreter(py), interp, sysdict);
    if (!py_int(&reader, py_dict_get(&reader, sysdict, "hexversion"), &number) || number >> 24 != 3)
        return 0;
    return (uint32_t)number;
}

static struct df_err *from_table(struct py *py, const struct build *build)
{
    struct py_known_layout row;
    uint64_t runtime = py->runtime;
    DF_CLEANUP_FREE char *version = version_name(build->version);
    if (!choose_row(py, build, runtime, &row))
        return df_err_new(DF_ERR_UNSUPPORTED,
                          "no debug information for %s, and no known layout of CPython %s on %s: "
                          "install its debug package, or give --debug-dir",
                          interpreter_path(py), version, py_machine_name(py->dump->core));
    struct py_layout table;
    try_row(py, &row, build->version, runtime);
    py_layout_from_known(&row, build->version, &table);
    unsigned holds = py->runtime ? py_layout_probe(py, &table) : 0;
    py_layout_deinit(&table);
    if ((holds & PY_HOLDS_ENOUGH) != PY_HOLDS_ENOUGH)
        return does_not_fit(py, &row, holds);
    describe(py, &row, holds);
    py->layout_source = py_debug_offsets(py->dump->space, py->runtime, &(uint32_t){0}, &(bool){0})
                            ? "debug-offsets, table"
                            : "table";
    return py_layout_check_necessary(&py->layout, "the table of known layouts");
}

/* The version is known for sure once `sys` can be read: a shape may hang on it. */
static struct df_err *without_debug_information(struct py *py)
{
    struct build build = find_build(py);
    uint64_t runtime = py->runtime;
    if (!build.version)
        return df_err_new(DF_ERR_UNSUPPORTED,
                          "no debug information for %s, and its version cannot be told: install "
                          "its debug package, or give --sysroot or --debug-dir",
                          interpreter_path(py));
    DF_TRY(from_table(py, &build));
    uint32_t exact = hexversion(py);
    if (!exact || exact == build.version)
        return NULL;
    build.version = exact;
    py->runtime = runtime;
    return from_table(py, &build);
}

/* Structures of extension modules that have no debug information of their own. */
static void add_extensions(struct py *py)
{
    struct py_layout *layout = &py->layout, table;
    struct py_known_layout row;
    if (!py_known_find(layout->version, py_machine_name(py->dump->core), py_layout_build(layout),
                       &row) ||
        row.version != layout->version)
        return;
    py_layout_from_known(&row, layout->version, &table);
    for (enum py_field field = 0; field < PY_FIELDS; field++) {
        enum py_struct structure = py_field_struct(field);
        if (!*py_struct_module(structure) || layout->struct_source[structure] == PY_SOURCE_DWARF ||
            table.offset[field] == PY_ABSENT)
            continue;
        layout->struct_size[structure] = table.struct_size[structure];
        layout->struct_source[structure] = PY_SOURCE_TABLE;
        layout->offset[field] = table.offset[field];
        layout->size[field] = table.size[field];
        layout->bit_offset[field] = table.bit_offset[field];
        layout->bit_size[field] = table.bit_size[field];
        layout->source[field] = PY_SOURCE_TABLE;
    }
    py_layout_deinit(&table);
}

struct df_err *py_choose_layout(struct py *py, const struct py_options *options)
{
    struct df_err *err = NULL;
    if (!options->no_debug_info && py->runtime && py->module->debug_file) {
        err = py_layout_from_dwarf(py->dump, py->module, options->cache_directory, &py->layout,
                                   &py->types);
        if (!err) {
            py->layout_source = py_source_name(PY_SOURCE_DWARF);
            add_extensions(py);
            return NULL;
        }
    }
    DF_CLEANUP_FREE char *why = err ? df_xstrdup(df_err_text(err)) : NULL;
    df_err_free(err);
    DF_TRY(without_debug_information(py));
    if (why) {
        char *note = df_xasprintf("%s (%s)", py->layout_note, why);
        free(py->layout_note);
        py->layout_note = note;
    }
    return NULL;
}

/* Up to 3.10 a dict's look-up function tells whether its keys are all strings; lookdict, for the
 * others, is what a dict with another key has. */
static bool has_other_key(void *context, uint64_t object)
{
    struct py *py = context;
    struct py_reader reader = py_reader(py);
    struct py_dict_cursor cursor;
    uint64_t key, value;
    if (py_type_of(&reader, object) != py->dict_type || !py_dict_begin(&reader, object, &cursor))
        return true;
    if (!py_dict_next(&reader, &cursor, &key, &value) || reader.fault ||
        (py_flags_of(&reader, key) & PY_TPFLAGS_UNICODE) || reader.fault)
        return true;
    py->layout.general_lookup = PY_PTR(&reader, cursor.keys, dictkeys, dk_lookup);
    return false;
}

void py_find_general_lookup(struct py *py)
{
    if (py->layout.keys_shape != PY_KEYS_SIZE || py->layout.general_lookup || !py->dict_type)
        return;
    const struct df_symbol *symbol = py_local_symbol(py->module, "lookdict");
    if (symbol)
        py->layout.general_lookup = symbol->address;
    for (int i = 2; i >= 0 && !py->layout.general_lookup; i--)
        py_gc_list(py, py->interpreters[0].gc.generations[i].head, has_other_key, py);
}
