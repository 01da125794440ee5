/* SPDX-License-Identifier: MIT
 * elf_file.h: an opened ELF executable, library or debug file; or the first bytes of one, found in
 * a core's memory.
 *
 * Only headers are read here. Everything handed out is checked against the image's size.
 */
#ifndef DF_ELF_FILE_H
#define DF_ELF_FILE_H

#include <gelf.h>
#include <stdbool.h>

#include "dumpfmt/module.h"

struct df_elf {
    struct df_file *file; /* NULL for an image in the core */
    const uint8_t *data;
    uint64_t size;
    Elf *elf;
    GElf_Ehdr header;
    GElf_Phdr *segments; /* all program headers */
    uint32_t segment_count;
    struct df_build_id build_id;
};

/* Opens a host file. NULL on success; an error when it is no ELF64 little-endian file of this
 * machine (DF_ERR_INPUT) or cannot be opened (DF_ERR_IO). */
struct df_err *df_elf_open(const char *path, enum df_machine machine, struct df_elf **ret);
/* The same of `size` bytes in memory that outlive the result: NULL when they do not begin with a
 * fitting ELF header. May be cut off anywhere behind it. */
struct df_elf *df_elf_from_memory(const uint8_t *data, uint64_t size, enum df_machine machine);
void df_elf_close(struct df_elf *elf); /* NULL is allowed */

/* A section by name, or NULL. */
Elf_Scn *df_elf_section(const struct df_elf *elf, const char *name, GElf_Shdr *ret);
bool df_elf_has_debug_info(const struct df_elf *elf);
/* File name and CRC of .gnu_debuglink; NULL when there is none. */
const char *df_elf_debug_link(const struct df_elf *elf, uint32_t *ret_crc);

/* What to add to this file's addresses when its `offset` is mapped at `start`; false when no
 * PT_LOAD has that offset. */
bool df_elf_bias(const struct df_elf *elf, uint64_t start, uint64_t offset, uint64_t *ret);

#endif
