/* SPDX-License-Identifier: MIT
 * link_map.h: the dynamic linker's list of loaded files, for cores without NT_FILE. Private to
 * module.c.
 *
 * The kernel leaves NT_FILE out when it would be larger than 4 MiB, which is where PN_XNUM begins
 * (fs/binfmt_elf.c, fill_files_note); gdb writes all notes at the end of the file, where truncation
 * takes them first; qemu-user writes none at all, and no page of a file that is mapped unchanged,
 * so that the program's headers must come from its file.
 */
#ifndef DF_LINK_MAP_H
#define DF_LINK_MAP_H

#include "dumpfmt/core.h"
#include "dumpfmt/module.h"

struct df_loaded {
    uint64_t base;    /* where the ELF header should be */
    const char *path; /* in the core's memory; may be "" for the main program */
    bool program;     /* is the main program, and not a library */
    uint64_t dynamic; /* where its PT_DYNAMIC is, from base on; 0 when unknown */
};

struct df_loaded_list {
    struct df_loaded *items;
    size_t count, capacity;
};

/* Appends the main program and the files of the list, in its order. Damage ends the list. */
void df_link_map(const struct df_core *core, const struct df_search *search,
                 struct df_loaded_list *list);

#endif
