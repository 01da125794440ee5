/* SPDX-License-Identifier: MIT
 * snapshot.h: a dump in a FILE.necro: what df_dump_open makes of a core and the files of its
 * machine, so that no one of them is needed again.
 *
 * In it: the core's segments, mappings, threads and notes; the modules with their symbols; native
 * frames; memory, and of files what was mapped of them, so that code can be emulated. Not in it:
 * the files themselves: there is no debug information.
 *
 * Sections: "identity" (which dump it is), "core.*", "module.*", "mem.*"; README.md specifies them.
 * Layers above add theirs.
 */
#ifndef DF_SNAPSHOT_H
#define DF_SNAPSHOT_H

#include "dumpfmt/dump.h"
#include "dumpfmt/facts.h"
#include "dumpfmt/necro.h"
#include "dumpfmt/necro_memory.h"

struct df_snapshot_options {
    const struct df_memory_filter *filter; /* NULL: df_snapshot_wants */
    bool redacted;                         /* no text of the dead process is in it: what of memory
                                              is kept, the filter must see to */
    uint64_t objects;                      /* how many things were found in it; 0: nobody looked */
};

/* Writes all of that but what belongs to layers above. `dump` may be of a snapshot itself. */
struct df_err *df_snapshot_save(const struct df_dump *dump,
                                const struct df_snapshot_options *options,
                                struct df_necro_writer *writer);
/* The rule for memory: all of the core's, and what files have, but for parts of files that are huge
 * (of machine learning's libraries: hundreds of megabytes of code). context: not used. */
bool df_snapshot_wants(void *context, const struct df_range *range);

/* Which dump a snapshot is of. */
struct df_identity {
    const char *core;       /* file name, without its folder */
    uint64_t core_size;     /* bytes */
    int64_t core_time;      /* when it was last written, in seconds since 1970; 0 unknown */
    const char *executable; /* path in the dead process; NULL unknown */
    const char *build_id;   /* of the executable, hexadecimal; NULL unknown */
    int32_t pid;
    const char *writer; /* version of this program that wrote it */
    bool redacted;
    uint64_t objects;
};
/* Valid as long as the dump; false when it is no snapshot. */
bool df_snapshot_identity(const struct df_dump *dump, struct df_identity *ret);

#endif
