/* SPDX-License-Identifier: MIT
 * emulator.h: runs code of the dead process, over a private copy of its memory, in an emulated CPU.
 *
 * Nothing of it runs on the host, whatever the code does: instructions are bounded for each call,
 * system calls end the call, writes go to private pages that are thrown away (df_emulator_reset),
 * memory that the dump lacks faults. libc's str* and mem* functions, which the dead machine's CPU
 * may have bound to instructions that the emulator does not know, are answered natively. The
 * thread register is that of a thread of the dead process, so that thread-local reads work.
 *
 * The engine runs in a child process, made by fork(2) at creation: what crashes it fails one call.
 * (The child shares the parent's memory copy-on-write: create it before, and destroy it soon after,
 * the tool's own memory changes a lot.)
 *
 * Made for calling one small function on very many arguments: a batch is one run of the emulator
 * over an array, with a driver loop and a recording callback in emulated machine code.
 *
 * Needs Unicorn (-DNECROPY_EMULATOR=ON, the default where it is found); without it,
 * df_emulator_create fails with DF_ERR_UNSUPPORTED.
 */
#ifndef DF_EMULATOR_H
#define DF_EMULATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "dumpfmt/base/err.h"
#include "dumpfmt/dump.h"

struct df_emulator;

enum df_call_status {
    DF_CALL_OK = 0,
    DF_CALL_NONZERO,     /* a visitor: returned something else than 0 (result says what) */
    DF_CALL_FAULT,       /* touched memory that is not there */
    DF_CALL_INSTRUCTION, /* an instruction that the emulator does not know */
    DF_CALL_SYSCALL,     /* wanted the kernel */
    DF_CALL_BUDGET,      /* too many instructions */
    DF_CALL_VISITS,      /* visited more than the caller's limit */
    DF_CALL_STATUS_COUNT
};

/* tls: thread pointer to run with (struct df_lwp's); 0 takes the first thread's. Several emulators
 * may run in several threads, but creation loads symbols (see df_modules_load_symbols). `dump` must
 * outlive the emulator. */
struct df_err *df_emulator_create(const struct df_dump *dump, uint64_t tls,
                                  struct df_emulator **ret);
void df_emulator_destroy(struct df_emulator *emulator); /* NULL is allowed */

struct df_visits {             /* one call of function(object, visit, argument) */
    uint64_t function, object; /* in */
    uint32_t first, count;     /* out: its run in the batch's targets */
    uint8_t status;            /* out: enum df_call_status */
    int64_t result;            /* out */
};

struct df_targets { /* growing array of visited addresses, in the order of the visits */
    uint64_t *items;
    size_t count, capacity;
};

/* For each call: runs function(object, visit, 0) where visit records its first argument and
 * returns 0. Targets are appended to `targets`; a call that did not return has none. The result is
 * the low 32 bits, signed. Each call may fail by itself; the batch goes on. Writes of one call
 * are seen by the next ones until the next reset, or may be lost before. An error is the
 * emulator's own failure: calls that were not made have no results. */
struct df_err *df_emulator_visit(struct df_emulator *emulator, struct df_visits *calls,
                                 size_t call_count, struct df_targets *targets);

/* One call with up to 6 integer arguments; its result. Writes stay in the private copy and can be
 * read with df_emulator_read until the next reset. */
enum df_call_status df_emulator_call(struct df_emulator *emulator, uint64_t function,
                                     const uint64_t *arguments, uint32_t argument_count,
                                     uint64_t *ret);
bool df_emulator_read(struct df_emulator *emulator, uint64_t address, void *buffer, uint64_t size);
struct df_read { /* by emulated code */
    uint64_t address;
    uint32_t size; /* bytes */
};
/* While tracing is on, calls are slow and what they read is remembered, but for their own stack. To
 * be turned on for few calls: turning it on and off starts the engine anew. */
void df_emulator_trace(struct df_emulator *emulator, bool on);
/* What the last call read; false: too much to be kept. Valid until the next call. */
bool df_emulator_reads(const struct df_emulator *emulator, const struct df_read **ret,
                       size_t *ret_count);
/* Throws all writes away: memory is the dump's again. */
void df_emulator_reset(struct df_emulator *emulator);

/* Bounds of one call: basic blocks run (some 40 ns each; every visit allows for 64 more) and
 * visits; 0 is the default (2^20, 2^24). A function that has run into them 16 times is not called
 * again. */
void df_emulator_limit(struct df_emulator *emulator, uint64_t blocks, uint64_t visits);

/* From now on, and after every reset, the private copy has this word at address, whatever the dump
 * has. For few words, set before the first call. */
void df_emulator_set_word(struct df_emulator *emulator, uint64_t address, uint64_t word);

/* A word for a status ("unreadable memory", "unknown instruction", ...). */
const char *df_call_status_text(enum df_call_status status);

#endif
