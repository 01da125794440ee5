/* SPDX-License-Identifier: MIT
 * layout_internal.h: what the files that make a layout share among themselves.
 */
#ifndef PY_LAYOUT_INTERNAL_H
#define PY_LAYOUT_INTERNAL_H

#include "analyzer/cpython/layout.h"

/* Alternatives of every field and structure, as pyfields.def has them. */
const char *py_field_paths(enum py_field field);
const char *py_struct_names(enum py_struct structure);
const char *py_struct_module(enum py_struct structure);
enum py_struct py_field_struct(enum py_field field);

/* Copies the alternative that starts at *cursor into buffer and moves *cursor to the next one.
 * False at the end. */
bool py_next_alternative(const char **cursor, char *buffer, size_t size);

/* Decides the shapes from what exists; version may be 0 (unknown). See layout.c. */
void py_layout_shapes(struct py_layout *layout, const struct df_ctypes *types);

/* What repr prints in this version; again when the version is known better. */
void py_layout_texts(struct py_layout *layout);

/* Finds the members of the runtime's structures that own objects (slots.c). */
void py_layout_slots(struct py_layout *layout, const struct df_ctypes *types);

/* Debug files of a build, instead of a dump of it: what the table of known layouts is made from. */
struct py_layout_files {
    const char *python; /* with the debug information of the interpreter */
    uint32_t version;   /* PY_VERSION_HEX */
    /* The file with that of an extension module, or NULL when it is built in or has none. */
    const char *(*extension)(void *context, const char *module);
    void *context;
};
struct df_err *py_layout_from_files(const struct py_layout_files *files, struct py_layout *ret);

/* An error that names the first field that nothing works without and that is absent (file: where
 * the layout is from). */
struct df_err *py_layout_check_necessary(const struct py_layout *layout, const char *file);

/* A layout as a section of a snapshot, by the names of its fields, and back (snapshot.c); *ret is
 * all 0 before, and deinitialised after a failure too. */
struct df_err *py_layout_save(const struct py_layout *layout, struct df_necro_writer *writer);
struct df_err *py_layout_restore(struct df_necro *necro, struct py_layout *ret);

/* Whether `_Py_DebugOffsets` is at this address (3.13+), and what it says of the build. */
bool py_debug_offsets(const struct df_aspace *space, uint64_t runtime, uint32_t *ret_version,
                      bool *ret_free_threaded);
/* One of its members. */
struct py_debug_offset {
    enum py_field field; /* which field's offset it is; of a size: PY_FIELDS */
    enum py_struct structure;
    bool is_size, good; /* good: within bounds */
    uint32_t value;
};
typedef void (*py_debug_offset_visitor)(void *context, const struct py_debug_offset *offset);
void py_debug_offsets_each(const struct df_aspace *space, const struct py_layout *layout,
                           uint64_t runtime, py_debug_offset_visitor visit, void *context);
/* Overrides the fields and sizes of a layout that it has. */
void py_debug_offsets_apply(const struct df_aspace *space, uint64_t runtime,
                            struct py_layout *layout);

/* The version in the text that Py_GetVersion and sys.version have ("3.11.2 (main, Mar 13 2023, ...)
 * [GCC 12.2.0]"), in the writable memory of the module or, without one, of the process; 0 when it
 * is not found (version.c). */
uint32_t py_find_version_text(const struct df_dump *dump, const struct df_module *module);

/* A symbol that may be local, under its own name or the one that link-time optimisation gave it. */
const struct df_symbol *py_local_symbol(struct df_module *module, const char *name);

/* PY_VERSION_HEX of the interpreter in a module, 0 when unknown (version.c). */
uint32_t py_find_version(struct df_dump *dump, struct df_module *python);

#endif
