/* SPDX-License-Identifier: MIT
 * snapshot_internal.h: the parts of a snapshot, each in its file. Private to snapshot*.c and
 * dump.c.
 */
#ifndef DF_SNAPSHOT_INTERNAL_H
#define DF_SNAPSHOT_INTERNAL_H

#include "dumpfmt/snapshot.h"

/* What an opened snapshot consists of, beside the dump's own parts. */
struct df_snapshot {
    struct df_file *file;
    struct df_necro *necro;
    struct df_memory *memory;
    struct df_facts *identity, *core; /* of sections "identity" and "core.facts" */
};

/* Fills dump->snapshot, ->necro, ->core, ->space, ->modules. Takes the file over, whatever
 * happens. */
struct df_err *df_snapshot_open(struct df_file *file, struct df_dump *dump);
void df_snapshot_close(struct df_snapshot *snapshot); /* NULL is allowed */

/* redacted: without the command line; of mapped files the name of those that are modules. */
struct df_err *df_core_save(const struct df_dump *dump, bool redacted,
                            struct df_necro_writer *writer);
/* path: what the core is called from now on. `facts` must outlive it. */
struct df_err *df_core_restore(struct df_necro *necro, const struct df_facts *facts,
                               const char *path, struct df_core **ret);

struct df_err *df_frames_save(const struct df_dump *dump, struct df_necro_writer *writer);

/* What a redacted snapshot calls a mapped file: by its name without folders where it is part of the
 * program; a file of data may have any name. module: NULL is allowed. */
const char *df_told_name(const struct df_module *module);
/* redacted: as they are told. */
struct df_err *df_modules_save(const struct df_dump *dump, bool redacted,
                               struct df_necro_writer *writer);
struct df_err *df_modules_restore(struct df_necro *necro, enum df_machine machine,
                                  struct df_modules **ret);
/* A module's symbols, sorted, in an array of its own (symbols.c asks). */
struct df_err *df_symbols_restore(const struct df_stored_module *stored, struct df_symbol **ret,
                                  uint32_t *ret_count);
/* df_module_relocations of such a module. */
void df_slots_restore(const struct df_stored_module *stored,
                      void (*visit)(void *context, uint64_t slot, const char *name, bool jump_slot),
                      void *context);

#endif
