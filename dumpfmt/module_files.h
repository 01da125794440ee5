/* SPDX-License-Identifier: MIT
 * module_files.h: finds a module's file and its debug file on the host. Private to module.c.
 */
#ifndef DF_MODULE_FILES_H
#define DF_MODULE_FILES_H

#include "dumpfmt/elf_file.h"
#include "dumpfmt/module.h"

struct df_wanted {              /* what the core knows of the file */
    const struct df_elf *image; /* its first bytes in the core; NULL when they are not there */
    bool is_executable;         /* the main program */
    bool has_place;             /* its path may be looked at */
    bool looks_native;          /* mapped as code is */
    uint64_t entry;             /* AT_ENTRY, of the main program; 0: not known */
    uint64_t dynamic;           /* the file's address of PT_DYNAMIC; 0: not known */
};

/* Sets file, elf, state; and build_id, when the core has none. */
void df_find_file(struct df_module *module, const struct df_search *search, enum df_machine machine,
                  const struct df_wanted *wanted);
/* The main program's file by its path in the dead process, or NULL: for who needs its headers
 * before there are modules. */
struct df_elf *df_open_program(const struct df_core *core, const struct df_search *search,
                               const char *path);
/* Sets debug_file and, where that is another file, debug_elf. After df_find_file. */
void df_find_debug_file(struct df_module *module, const struct df_search *search,
                        enum df_machine machine);

#endif
