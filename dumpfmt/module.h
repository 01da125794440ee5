/* SPDX-License-Identifier: MIT
 * module.h: the ELF files that the dead process had mapped, their symbols and debug files.
 *
 * Modules come from NT_FILE (and, for an executable that is not in it, from the auxiliary vector).
 * The build-id in the core's own memory, where the first page was dumped, decides which file of
 * the host is the right one: a file with another build-id is never used, and the module says so.
 * Files are looked for at their own path under the sysroot, at the given executable, then as
 * .build-id/xx/yyyy under the debug directories. Debug files (`.debug`): by build-id and by
 * .gnu_debuglink under the debug directories, the sysroot's and the system's usr/lib/debug. What is
 * not on the host is asked of debuginfod servers, where DEBUGINFOD_URLS names some.
 */
#ifndef DF_MODULE_H
#define DF_MODULE_H

#include <stdbool.h>
#include <stdint.h>

#include "dumpfmt/aspace.h"
#include "dumpfmt/core.h"

#define DF_BUILD_ID_MAX 64

struct df_build_id {
    uint8_t bytes[DF_BUILD_ID_MAX];
    uint32_t size; /* 0 when there is none */
};

enum df_module_state {
    DF_MODULE_MATCHED,    /* a host file with the same build-id */
    DF_MODULE_UNVERIFIED, /* a host file, but no build-id to compare on one of the sides */
    DF_MODULE_MISMATCH,   /* a file was found, but it is of another build: not used */
    DF_MODULE_MISSING,    /* no file was found */
    DF_MODULE_NOT_ELF,    /* a mapping of something else (locale archives, data) */
};

enum df_symbol_type {
    DF_SYMBOL_OBJECT,
    DF_SYMBOL_FUNCTION,
    DF_SYMBOL_IFUNC,
    DF_SYMBOL_TLS,
    DF_SYMBOL_OTHER
};

struct df_symbol {
    const char *name;
    uint64_t address; /* in the dead process; for TLS: offset in the module's TLS block */
    uint64_t size;
    uint8_t type; /* enum df_symbol_type */
    bool global;
};

struct df_elf;        /* an opened ELF file: elf_file.h */
struct df_name_index; /* names of symbols: symbols.c */
struct df_row;        /* a mapping and its module: module_internal.h */
struct df_stored_module;

struct df_load {         /* a PT_LOAD segment of a module, whole pages, in the process */
    uint64_t start, end; /* with .bss */
    uint32_t flags;      /* PF_R | PF_W | PF_X, as the file has them (RELRO: writable) */
};

struct df_module {
    const char *path;      /* in the dead process, as NT_FILE has it */
    const char *name;      /* last component of path, without " (deleted)" */
    uint64_t start, end;   /* lowest and highest mapped address, with .bss */
    struct df_load *loads; /* from the file or the core's copy of its headers; sorted */
    uint32_t load_count;
    uint64_t bias;               /* address in the process - address in the ELF file */
    struct df_build_id build_id; /* as the core's memory says; else the file's */
    enum df_module_state state;
    char *file;       /* host path of the ELF file; NULL when there is none */
    char *debug_file; /* host path of the file with .debug_info (may equal file); NULL */
    struct df_elf *elf, *debug_elf;
    struct df_symbol *symbols; /* .symtab of file or debug file, and .dynsym; sorted by address */
    uint32_t symbol_count;
    struct df_name_index *name_index; /* symbols.c's */
    bool symbols_loaded;
    struct df_stored_module *stored; /* of a snapshot: no file is needed; NULL */
};

struct df_search {          /* where files of the dead machine may be; all may be NULL / 0 */
    const char *sysroot;    /* "" or NULL: "/" */
    const char *executable; /* host path of the main executable */
    const char *const *debug_directories;
    uint32_t debug_directory_count;
    const struct df_container_options *container; /* for the core itself: limits, progress */
};

struct df_modules {
    struct df_module *items; /* sorted by start; items[i].end <= items[i + 1].start need not hold */
    uint32_t count;
    struct df_module *executable; /* the main program; NULL when it cannot be told */
    struct df_row *rows;          /* sorted by start */
    uint32_t row_count;
    enum df_machine machine;
};

/* Finds modules, opens their files, and adds to `space` the bytes that the core lacks: the caller
 * has added the core's own bytes before, and seals afterwards. */
struct df_err *df_modules_open(const struct df_core *core, struct df_aspace *space,
                               const struct df_search *search, struct df_modules **ret);
void df_modules_close(struct df_modules *modules); /* NULL is allowed */

/* The module whose mappings hold address, or NULL. */
struct df_module *df_module_at(const struct df_modules *modules, uint64_t address);
/* A symbol of one module by name (globals first), or NULL. Loads symbols on first use (not
 * thread-safe; df_modules_load_symbols does all beforehand). */
const struct df_symbol *df_module_symbol(struct df_module *module, const char *name);
/* The symbol at or before address, with its size reaching it (or the nearest before, when size is
 * 0), or NULL. */
const struct df_symbol *df_module_symbol_at(struct df_module *module, uint64_t address);
/* The first module that defines the symbol, or NULL. */
const struct df_symbol *df_modules_symbol(struct df_modules *modules, const char *name,
                                          struct df_module **ret_module);
void df_modules_load_symbols(struct df_modules *modules);

/* Address (in the process) and size of a section by name; false when the file has none. */
bool df_module_section(const struct df_module *module, const char *name, uint64_t *ret_address,
                       uint64_t *ret_size);

/* Calls visit for each dynamic relocation that fills a word with a function's address
 * (JUMP_SLOT, GLOB_DAT): slot is an address in the process, name the symbol's. Used to find which
 * variant of an IFUNC the dead process had chosen, and lazily bound slots. */
void df_module_relocations(const struct df_module *module,
                           void (*visit)(void *context, uint64_t slot, const char *name,
                                         bool jump_slot),
                           void *context);

/* Address of the module's thread-local block in the thread with this thread pointer. The main
 * program's follows from its size; a shared library's from words that the dynamic linker filled in,
 * where its code has such. False when it cannot be told. */
bool df_module_tls_block(const struct df_aspace *space, const struct df_modules *modules,
                         const struct df_module *module, uint64_t tls, uint64_t *ret);

#endif
