/* SPDX-License-Identifier: MIT
 * core.h: an ELF core file: its segments and its notes, as values.
 *
 * Reads ELF64 little-endian cores of x86-64 and aarch64, written by the Linux kernel
 * (fs/binfmt_elf.c) or by gdb's gcore, also with more than 65 535 segments (PN_XNUM: the count is
 * in section header 0, sh_info). libelf parses the headers; every offset and count in them is
 * checked against the file before use. What lies beyond the end of the file is data too: the
 * segment is kept, shortened, and counted as missing; so are notes.
 */
#ifndef DF_CORE_H
#define DF_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "dumpfmt/base/err.h"
#include "dumpfmt/base/io.h"
#include "dumpfmt/container.h"

enum df_machine { DF_X86_64, DF_AARCH64 };

struct df_segment {
    uint64_t address;     /* virtual address of the first byte */
    uint64_t memory_size; /* bytes in the process */
    uint64_t file_size;   /* of those, bytes present in the core file (after truncation) */
    uint64_t file_offset;
    uint64_t lost;  /* bytes that the header promises but the file does not have */
    uint32_t flags; /* PF_R | PF_W | PF_X */
};

struct df_mapping { /* a row of NT_FILE */
    uint64_t start, end;
    uint64_t file_offset; /* bytes */
    const char *path;
};

#define DF_MAX_REGISTERS 34 /* x86-64: user_regs_struct, 27; aarch64: x0..x30, sp, pc, pstate */

struct df_lwp { /* a thread, from NT_PRSTATUS */
    int32_t tid;
    int32_t signal;
    uint64_t registers[DF_MAX_REGISTERS]; /* in the order of the machine's elf_gregset_t */
    uint32_t register_count;
    uint64_t pc, sp;
    uint64_t tls; /* x86-64: fs_base; aarch64: tpidr_el0 (NT_ARM_TLS); 0 when unknown */
};

struct df_core {
    struct df_file
        *file; /* of a snapshot: its own path, the core's size, and no bytes (data NULL) */
    enum df_machine machine;
    struct df_segment *segments; /* sorted by address, not overlapping (first one wins) */
    uint32_t segment_count;
    struct df_mapping *mappings; /* sorted by start */
    uint32_t mapping_count;
    struct df_lwp *lwps; /* in the core's order: the first one took the signal */
    uint32_t lwp_count;
    uint64_t (*auxv)[2];
    uint32_t auxv_count;
    int32_t pid;             /* 0 when unknown */
    char *command;           /* prpsinfo pr_psargs (at most 80 bytes), "" when unknown */
    char *program;           /* prpsinfo pr_fname (at most 16 bytes), "" when unknown */
    int32_t signal;          /* signal that killed it, 0 when none (gcore) */
    int32_t signal_code;     /* si_code of NT_SIGINFO */
    uint64_t signal_address; /* si_addr of NT_SIGINFO, 0 when none */
    bool has_siginfo, has_mappings;
    const char *captured_by; /* "kernel", "gcore" or "unknown": a guess from the notes' shape */
    uint64_t lost_bytes;     /* what a truncated file does not have, over all segments */
    uint32_t lost_headers;   /* program headers that a truncated file does not have */
    uint64_t lost_notes;     /* bytes of notes that a truncated file does not have */
    uint32_t overlapping;    /* segments that had to be cut because another one has their bytes */
    struct df_container container; /* what it was wrapped in; .cut: that ended too early */
};

/* Opens and validates a core, also a compressed or wrapped one (container.h); "-" is standard
 * input. Errors say in one sentence what the file is instead. */
struct df_err *df_core_open(const char *path, struct df_core **ret);
/* The same; options may be NULL. */
struct df_err *df_core_open_with(const char *path, const struct df_container_options *options,
                                 struct df_core **ret);
/* The same of an input that is open; takes `file` and `how` over, whatever happens. */
struct df_err *df_core_from_file(struct df_file *file, const struct df_container *how,
                                 struct df_core **ret);
/* Whether a part of what was written once is not there: coverage is not whole. */
bool df_core_is_cut(const struct df_core *core);
void df_core_close(struct df_core *core); /* NULL is allowed */

/* `size` bytes at address straight from the core file, or NULL when they are not all in one
 * segment's bytes. For who needs memory before there is an address space. */
const uint8_t *df_core_bytes(const struct df_core *core, uint64_t address, uint64_t size);
/* The segment that holds address, or NULL. */
const struct df_segment *df_core_segment(const struct df_core *core, uint64_t address);

enum df_lwp_key { DF_LWP_TID, DF_LWP_TLS, DF_LWP_SP };

/* The threads of a core, sorted by one of their values, and by their index among equals: there may
 * be a hundred thousand, and as many questions. */
struct df_lwp_order {
    struct df_lwp_row {
        uint64_t value;
        uint32_t index; /* of core->lwps */
    } * rows;
    uint32_t count;
};

void df_lwp_order_make(struct df_lwp_order *order, const struct df_core *core, enum df_lwp_key key);
void df_lwp_order_free(struct df_lwp_order *order);
/* The first row whose value is at least this; `count` when there is none. */
uint32_t df_lwp_order_find(const struct df_lwp_order *order, uint64_t value);

/* The value of an auxiliary vector entry (AT_ENTRY, AT_PHDR, ...); false when absent. */
bool df_core_auxv(const struct df_core *core, uint64_t type, uint64_t *ret);

#endif
