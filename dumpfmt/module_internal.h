/* SPDX-License-Identifier: MIT
 * module_internal.h: what the makers of modules share: module.c from files, snapshot_modules.c from
 * a snapshot, symbols.c.
 */
#ifndef DF_MODULE_INTERNAL_H
#define DF_MODULE_INTERNAL_H

#include "dumpfmt/module.h"

#define DF_NO_MODULE UINT32_MAX

struct df_row {
    uint64_t start, end, file_offset;
    const char *path;
    uint32_t module; /* index; DF_NO_MODULE */
};

/* How a thread's thread-local block of a module is found, without the thread: at an offset from its
 * thread pointer, or by the module's number in its vector of blocks. */
struct df_tls_place {
    bool has_offset, has_number;
    int64_t offset;
    uint64_t number;
};

/* What a snapshot has of a module's file. */
struct df_stored_module {
    struct df_necro *necro;
    uint64_t first_symbol, symbol_count, first_slot, slot_count;
    uint64_t plt, plt_size; /* its section .plt; size 0: none */
    struct df_tls_place tls;
};

struct df_tls_place df_module_tls_place(const struct df_aspace *space,
                                        const struct df_modules *modules,
                                        const struct df_module *module);

#endif
