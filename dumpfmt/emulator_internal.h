/* SPDX-License-Identifier: MIT
 * emulator_internal.h: what the emulator's files share; nobody else includes it.
 *
 * emulator.c           the interface: a child process that the engine runs in
 * emulator_engine.c    the engine: driver, batches, calls
 * emulator_memory.c    the private copy of the dead process's memory, made on first touch
 * emulator_native.c    libc's str* and mem*, answered by the host; patches of lazily bound calls
 * emulator_machine.c   what differs between x86-64 and aarch64
 */
#ifndef DF_EMULATOR_INTERNAL_H
#define DF_EMULATOR_INTERNAL_H

#include <unicorn/unicorn.h>

#include "dumpfmt/base/map.h"
#include "dumpfmt/emulator.h"

#define EMU_PAGE UINT64_C(4096)
#define EMU_MAX_NATIVES 256

/* Scratch memory, placed in a gap of the dead address space: offsets from its base. The code and
 * the mailbox cannot be written by emulated code, so nothing that we rely on can be damaged. */
#define EMU_CODE 0x0u
#define EMU_MAILBOX 0x1000u /* function, object: what the driver calls next */
#define EMU_STACK 0x20000u  /* guard below and above */
#define EMU_STACK_SIZE 0x100000u
#define EMU_SCRATCH_SIZE 0x200000u

/* Offsets in the code page. */
#define EMU_CODE_NEXT 0x0u   /* the driver: calls the mailbox's function, again and again */
#define EMU_CODE_VISIT 0x80u /* the visitor: returns 0 */
#define EMU_CODE_DONE 0x100u /* return address of a single call; emulation ends here */
#define EMU_CODE_STUBS 0x200u
#define EMU_STUB_SIZE 16u

struct df_emu_run { /* whole pages, all present, one protection */
    uint64_t start, end;
    uint8_t flags; /* PF_* */
};

struct df_emu_chunk { /* a part of a run that has been given to the engine */
    uint64_t start, end;
    uint8_t *host; /* private and writable for us */
    uint8_t flags; /* PF_* */
    bool dirty;    /* written to: mapped writable in the engine, which it is not before */
};

struct df_emu_patch { /* bytes that differ from the dump's, by decision */
    uint64_t address, value;
    uint32_t size; /* bytes, at most 8 */
};

struct df_emu_native {
    struct df_engine *engine;
    uint64_t address;
    uint32_t kind; /* index in emulator_native.c's table */
    bool hooked;
};

struct df_emu_machine {
    uc_arch arch;
    uc_mode mode;
    int cpu_model;
    int pc, sp, result, tls;
    int arguments[6];
    uint32_t return_code; /* the instruction that returns to the caller */
    uint32_t return_size;
    void (*write_code)(uint8_t *code, uint64_t scratch);
    /* Registers that must be set before user code runs (enable SIMD, ...). */
    void (*prepare)(uc_engine *uc);
    /* Makes a call return to EMU_CODE_DONE. */
    void (*set_return)(struct df_engine *engine, uint64_t address);
    enum df_call_status (*interrupt)(uint32_t number);
};

struct df_engine {
    const struct df_dump *dump;
    const struct df_emu_machine *machine;
    uint64_t tls;
    uc_engine *uc;
    uc_context *clean; /* registers before any code has run */

    struct df_emu_run *runs; /* sorted */
    size_t run_count, run_capacity;
    struct df_emu_chunk *chunks; /* sorted */
    size_t chunk_count, chunk_capacity;
    struct df_emu_patch *patches; /* sorted */
    size_t patch_count, patch_capacity;
    struct df_emu_native natives[EMU_MAX_NATIVES];
    uint32_t native_count;
    uint64_t window;  /* a chunk does not cross a multiple of this */
    uint64_t scratch; /* base address */
    uint64_t *mailbox;

    uint64_t next_address, visit_address;
    uint64_t fuel;           /* basic blocks left to the running call */
    struct df_map exhausted; /* function -> how often it ran out of fuel */
    uint64_t exhausted_calls; /* of all functions */

    struct df_emu_shared *shared; /* the request that is served, and its answer */
    bool batch;                   /* a batch is running, not a single call */
    bool tracing;                 /* the engine has a hook on reads */
    bool stopped;                 /* a hook ended the call, for `stop_status` */
    bool renew;                   /* the engine must be made anew before it goes on */
    uint8_t stop_status;
};

/* What parent and child exchange, in memory that both have mapped. The parent trusts nothing in it.
 */
enum df_emu_request { EMU_OPEN, EMU_VISIT, EMU_CALL, EMU_READ, EMU_RESET };

#define EMU_SLICE 16384u                /* calls of one request */
#define EMU_TARGETS (UINT64_C(1) << 25) /* visits of one request */
#define EMU_MAX_VISITS (UINT64_C(1) << 24)
#define EMU_BYTES 65536u
#define EMU_READS 4096u

struct df_emu_shared {
    /* in */
    uint64_t budget, visit_limit;
    uint64_t call_count; /* VISIT: calls[] */
    uint64_t function;   /* CALL */
    uint64_t arguments[6];
    uint32_t argument_count;
    uint64_t address, size; /* READ: at most EMU_BYTES */
    bool trace;             /* VISIT, CALL: remember the reads of the last call */
    /* out */
    volatile uint64_t beat;  /* changes while code runs */
    volatile uint64_t index; /* VISIT: calls before it are done */
    volatile bool running;   /* VISIT: calls[index] has begun */
    uint64_t target_count;
    uint64_t result; /* CALL */
    uint8_t status;
    bool ok;         /* READ, OPEN */
    char error[256]; /* when not ok */
    uint64_t read_count; /* more than EMU_READS: the rest was not kept */
    struct df_read reads[EMU_READS];
    struct df_visits calls[EMU_SLICE];
    uint8_t bytes[EMU_BYTES];
    uint64_t targets[EMU_TARGETS] __attribute__((aligned(4096)));
};

/* emulator_engine.c */
struct df_err *df_engine_create(const struct df_dump *dump, uint64_t tls,
                                struct df_emu_shared *shared, struct df_engine **ret);
void df_engine_destroy(struct df_engine *engine); /* NULL is allowed */
/* Serves one request; in the child. */
void df_engine_serve(struct df_engine *engine, enum df_emu_request request);
/* Ends the running call; for hooks. */
void df_emu_stop(struct df_engine *engine, enum df_call_status status);

/* emulator_machine.c */
const struct df_emu_machine *df_emu_machine(enum df_machine machine);

/* emulator_memory.c */
struct df_err *df_emu_memory_init(struct df_engine *engine);
void df_emu_memory_deinit(struct df_engine *engine);
/* Gives the scratch memory to a fresh engine. */
struct df_err *df_emu_memory_scratch(struct df_engine *engine);
/* Gives all chunks to a fresh engine. */
struct df_err *df_emu_memory_remap(struct df_engine *engine);
/* Forgets all chunks (the engine that had them is gone). */
void df_emu_memory_drop(struct df_engine *engine);
/* Undoes all writes; *ret_code says whether code was among them. */
void df_emu_memory_restore(struct df_engine *engine, bool *ret_code);
/* The chunk that holds address; mapped now if it was not. NULL: no such memory. */
struct df_emu_chunk *df_emu_touch(struct df_engine *engine, uint64_t address);
/* Lets emulated code write to a chunk; false when the dead process could not either. */
bool df_emu_dirty(struct df_engine *engine, struct df_emu_chunk *chunk);
/* Host bytes at address and how many are contiguous; NULL when there are none (or not writable). */
uint8_t *df_emu_span(struct df_engine *engine, uint64_t address, bool write, uint64_t *ret);
/* Registers a patch; applied at once where the memory is mapped already. */
void df_emu_patch(struct df_engine *engine, uint64_t address, uint64_t value, uint32_t size);

/* emulator_native.c */
/* Finds libc functions and unresolved calls in the modules' relocations. */
void df_emu_native_init(struct df_engine *engine);
/* Hooks the functions found so far into the engine. */
struct df_err *df_emu_native_hook(struct df_engine *engine);
/* An unknown instruction at pc: true when it is in a function that can be answered natively, which
 * it will be from now on. */
bool df_emu_native_learn(struct df_engine *engine, uint64_t pc);

#endif
