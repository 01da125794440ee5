/* SPDX-License-Identifier: MIT
 * corebuild.h: writes synthetic ELF core files for tests, sane ones and damaged ones.
 *
 * Segments and notes are written exactly as given and in the order given: unsorted, overlapping,
 * shorter in the file than in memory. What the header then claims can be bent by the fields of
 * `struct cb_core` before cb_write.
 */
#ifndef TESTS_COREBUILD_H
#define TESTS_COREBUILD_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

struct cb_segment {
    uint64_t address, memory_size, file_size;
    uint32_t flags;
    const void *bytes; /* file_size of them, not owned; NULL writes zeros */
};

struct cb_bytes {
    uint8_t *data;
    size_t size, capacity;
};

struct cb_core {
    Elf64_Ehdr header; /* e_phnum, e_phoff, e_shoff and e_shnum are set by cb_write unless bent */
    struct cb_segment *segments;
    size_t segment_count, segment_capacity;
    struct cb_bytes notes;
    struct cb_bytes image; /* the file, after cb_write */
    int force_xnum;        /* write the count as PN_XNUM even when it is small */
    uint64_t file_limit;   /* cut the file here; 0: whole */
};

/* machine: EM_X86_64 or EM_AARCH64. */
void cb_init(struct cb_core *core, uint16_t machine);
void cb_deinit(struct cb_core *core);

void cb_segment(struct cb_core *core, uint64_t address, const void *bytes, uint64_t file_size,
                uint64_t memory_size, uint32_t flags);
void cb_note(struct cb_core *core, const char *name, uint32_t type, const void *bytes,
             uint32_t size);
/* Notes with their usual contents. registers: elf_gregset_t of the machine, as many as it has (27
 * or 34); NULL writes zeros. */
void cb_prstatus(struct cb_core *core, int32_t tid, int16_t signal, const uint64_t *registers);
void cb_psinfo(struct cb_core *core, int32_t pid, const char *program, const char *arguments);
void cb_auxv(struct cb_core *core, const uint64_t (*pairs)[2], size_t count);
void cb_siginfo(struct cb_core *core, int32_t signal, int32_t code, uint64_t address);

struct cb_mapping {
    uint64_t start, end, page_offset; /* offset in pages of 4096 bytes */
    const char *path;
};
void cb_files(struct cb_core *core, const struct cb_mapping *rows, size_t count);

/* Lays the file out in core->image. */
void cb_layout(struct cb_core *core);
/* Lays out (when that was not done yet) and writes to a new temporary file; its name, malloc'ed:
 * the caller unlinks. */
char *cb_write(struct cb_core *core);
/* Any bytes in a new temporary file. */
char *cb_write_bytes(const void *bytes, size_t size);
/* Unlinks and frees. */
void cb_remove(char *path);

/* A small shared library (ET_DYN, x86-64 or aarch64) with a build-id note, one read-only LOAD at 0
 * with all the headers, a text LOAD at 0x1000, a writable LOAD at 0x2000, and the symbols
 * `cb_function` (text + 0x10, 16 bytes), `cb_object` (data + 8, 8 bytes) and `cb_local` (local).
 * Without CB_SYMBOLS there is no .symtab: a stripped file. Returned bytes are malloc'ed. */
enum cb_parts {
    CB_SYMBOLS = 1,
    CB_DEBUG_INFO = 2, /* an empty .debug_info */
    CB_DEBUG_LINK = 4, /* .gnu_debuglink "libx.debug", CRC 0 */
};
struct cb_bytes cb_library(uint16_t machine, const uint8_t build_id[20], int parts);

#endif
