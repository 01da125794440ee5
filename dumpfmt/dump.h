/* SPDX-License-Identifier: MIT
 * dump.h: the folder's front door: a core, its address space and its modules, opened together.
 *
 * Nothing here has heard of Python; any runtime's dump can be read with it.
 */
#ifndef DF_DUMP_H
#define DF_DUMP_H

#include "dumpfmt/aspace.h"
#include "dumpfmt/core.h"
#include "dumpfmt/module.h"
#include "dumpfmt/necro.h"

struct df_snapshot; /* snapshot.h */

struct df_dump {
    struct df_core *core;
    struct df_aspace *space;
    struct df_modules *modules;
    /* When it was not opened from a core but from a snapshot of one: where layers above find what
     * they have saved. NULL for a core. There are no files then. */
    struct df_necro *necro;
    struct df_snapshot *snapshot;
};

/* Opens a core, or a snapshot. search: NULL looks at the files' own paths only; a snapshot needs no
 * files. */
struct df_err *df_dump_open(const char *path, const struct df_search *search, struct df_dump **ret);
void df_dump_close(struct df_dump *dump); /* NULL is allowed */

#endif
