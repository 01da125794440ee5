/* SPDX-License-Identifier: MIT
 * emulator.c: calls functions of the dead process in a Unicorn engine, one by one or in batches.
 *
 * A batch is one run of the engine. Its loop is a few instructions of machine code (the driver,
 * emulator_machine.c) that call what the mailbox says; what the loop cannot be trusted with is done
 * here, in a hook on every basic block: the driver's first block ends a call and begins the next,
 * the visitor's block records its first argument, every block costs fuel. Unicorn spends some 40 ns
 * on a block anyway and the hook adds 4; its own instruction counter adds 10. So that hostile code
 * can neither forge nor lose more than its own call's visits, all state is the host's.
 *
 * When a call fails, the engine has stopped: its visits are dropped, and the engine is started anew
 * on the next call with the registers of a fresh CPU. A function that keeps running out of
 * fuel is given up, or a million objects of one bad type would take hours.
 */
#include "dumpfmt/emulator.h"

static const char *const status_texts[DF_CALL_STATUS_COUNT] = {
    [DF_CALL_OK] = "ok",
    [DF_CALL_NONZERO] = "nonzero result",
    [DF_CALL_FAULT] = "unreadable memory",
    [DF_CALL_INSTRUCTION] = "unknown instruction",
    [DF_CALL_SYSCALL] = "system call",
    [DF_CALL_BUDGET] = "too many instructions",
    [DF_CALL_VISITS] = "too many references",
};

const char *df_call_status_text(enum df_call_status status)
{
    return (unsigned)status < DF_CALL_STATUS_COUNT ? status_texts[status] : "unknown status";
}

#ifdef NECROPY_HAVE_UNICORN

#include <elf.h>
#include <string.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/emulator_internal.h"

#define DEFAULT_BUDGET (UINT64_C(1) << 20) /* blocks of a call, some 50 ms */
#define FUEL_PER_VISIT 64
#define DEFAULT_VISITS (UINT64_C(1) << 24)
#define MAX_EXHAUSTED 16 /* then a function is given up */
#define RENEW_CHUNKS 600 /* see emulator_memory.c on the price of regions */

static struct df_err *engine_error(uc_err code)
{
    return df_err_new(DF_ERR_UNSUPPORTED, "cannot run the emulator: %s", uc_strerror(code));
}

void df_emu_stop(struct df_emulator *emulator, enum df_call_status status)
{
    if (!emulator->stopped) {
        emulator->stopped = true;
        emulator->stop_status = (uint8_t)status;
    }
    uc_emu_stop(emulator->engine);
}

/* Makes the memory of a faulting access available. False when it is not there. */
static bool serve(struct df_emulator *emulator, uc_mem_type type, uint64_t address, uint32_t size,
                  int64_t value)
{
    struct df_emu_chunk *chunk = df_emu_touch(emulator, address);
    if (!chunk)
        return false;
    if (chunk->end - address < size) { /* an access across two chunks */
        chunk = df_emu_touch(emulator, chunk->end);
        chunk = chunk ? df_emu_touch(emulator, address) : NULL;
        if (!chunk)
            return false;
        size = (uint32_t)(chunk->end - address);
    }
    if (type == UC_MEM_READ_UNMAPPED || type == UC_MEM_FETCH_UNMAPPED)
        return true;
    if ((type != UC_MEM_WRITE_UNMAPPED && type != UC_MEM_WRITE_PROT) ||
        !df_emu_dirty(emulator, chunk))
        return false;
    /* Unicorn 2.0 discards this store where the page was in its TLB as read-only before the
     * hook (cputlb.c, store_helper: tlb_addr). Storing twice does no harm. */
    if (!(chunk->flags & PF_X))
        memcpy(chunk->host + (address - chunk->start), &value,
               size < sizeof(value) ? size : sizeof(value));
    return true;
}

static bool on_memory(uc_engine *engine, uc_mem_type type, uint64_t address, int size,
                      int64_t value, void *context)
{
    (void)engine;
    struct df_emulator *emulator = context;
    if (serve(emulator, type, address, size > 0 ? (uint32_t)size : 1, value))
        return true;
    /* A failed store does not stop the engine at once; no block may be taken for progress. */
    if (!emulator->stopped) {
        emulator->stopped = true;
        emulator->stop_status = DF_CALL_FAULT;
    }
    return false;
}

static void on_syscall(uc_engine *engine, void *context)
{
    (void)engine;
    df_emu_stop(context, DF_CALL_SYSCALL);
}

static void on_interrupt(uc_engine *engine, uint32_t number, void *context)
{
    (void)engine;
    struct df_emulator *emulator = context;
    enum df_call_status status = emulator->machine->interrupt(number);
    /* The engine takes no such exceptions while memory is flat: code has tampered with the CPU's
     * control registers, and what the engine caches about memory may be wrong. */
    if (status == DF_CALL_FAULT)
        emulator->renew = true;
    df_emu_stop(emulator, status);
}

static bool given_up(const struct df_emulator *emulator, uint64_t function)
{
    uint32_t times = function ? df_map_get(&emulator->exhausted, function) : DF_MAP_NONE;
    return times != DF_MAP_NONE && times >= MAX_EXHAUSTED;
}

static void note_exhausted(struct df_emulator *emulator, uint64_t function)
{
    uint32_t times = function ? df_map_get(&emulator->exhausted, function) : DF_MAP_NONE;
    if (function)
        df_map_set(&emulator->exhausted, function, times == DF_MAP_NONE ? 1 : times + 1);
}

static void close_call(struct df_emulator *emulator, enum df_call_status status)
{
    struct df_visits *call = &emulator->calls[emulator->index++];
    struct df_targets *targets = emulator->targets;
    bool returned = status == DF_CALL_OK || status == DF_CALL_NONZERO;
    if (!returned)
        targets->count = call->first;
    if (status == DF_CALL_BUDGET || status == DF_CALL_VISITS)
        note_exhausted(emulator, call->function);
    call->count = (uint32_t)(targets->count - call->first);
    call->status = (uint8_t)status;
    emulator->running = false;
}

/* Begins the next call that is worth it; stops the engine when there is none. */
static void open_call(struct df_emulator *emulator)
{
    struct df_visits *call = NULL;
    for (; emulator->index < emulator->call_count; emulator->index++) {
        call = &emulator->calls[emulator->index];
        call->first = (uint32_t)emulator->targets->count;
        call->count = 0;
        call->result = 0;
        call->status = DF_CALL_VISITS;
        if (emulator->targets->count >= UINT32_MAX - emulator->visit_limit)
            continue; /* `first` could not say where */
        if (!given_up(emulator, call->function))
            break;
        call->status = DF_CALL_BUDGET;
    }
    if (emulator->chunk_count > RENEW_CHUNKS)
        emulator->renew = true;
    if (emulator->index == emulator->call_count || emulator->renew) {
        uc_emu_stop(emulator->engine);
        return;
    }
    emulator->mailbox[0] = call->function;
    emulator->mailbox[1] = call->object;
    emulator->fuel = emulator->budget;
    emulator->running = true;
}

/* The driver is at its beginning: a call has returned, or none has been made yet. */
static void on_next(struct df_emulator *emulator)
{
    if (emulator->running) {
        uint64_t result = 0;
        uc_reg_read(emulator->engine, emulator->machine->result, &result);
        int32_t value = (int32_t)(uint32_t)result; /* a visitor's result is an int */
        emulator->calls[emulator->index].result = value;
        close_call(emulator, value ? DF_CALL_NONZERO : DF_CALL_OK);
    }
    open_call(emulator);
}

static void on_visit(struct df_emulator *emulator)
{
    struct df_targets *targets = emulator->targets;
    uint64_t target = 0;
    uc_reg_read(emulator->engine, emulator->machine->arguments[0], &target);
    if (targets->count - emulator->calls[emulator->index].first >= emulator->visit_limit) {
        df_emu_stop(emulator, DF_CALL_VISITS);
        return;
    }
    emulator->fuel += FUEL_PER_VISIT;
    DF_PUSH(targets, target);
}

static void on_block(uc_engine *engine, uint64_t address, uint32_t size, void *context)
{
    (void)engine, (void)size;
    struct df_emulator *emulator = context;
    if (emulator->stopped)
        return;
    if (emulator->calls && address == emulator->next_address) {
        on_next(emulator);
        return;
    }
    if (!emulator->fuel) {
        df_emu_stop(emulator, DF_CALL_BUDGET);
        return;
    }
    emulator->fuel--;
    if (address == emulator->visit_address && emulator->calls && emulator->running)
        on_visit(emulator);
}

static uc_err add_hooks(struct df_emulator *emulator)
{
    uc_hook hook;
    uc_engine *engine = emulator->engine;
    uc_err code =
        uc_hook_add(engine, &hook, UC_HOOK_BLOCK, __extension__(void *) on_block, emulator, 1, 0);
    if (!code)
        code = uc_hook_add(engine, &hook, UC_HOOK_MEM_INVALID, __extension__(void *) on_memory,
                           emulator, 1, 0);
    if (!code)
        code = uc_hook_add(engine, &hook, UC_HOOK_INTR, __extension__(void *) on_interrupt,
                           emulator, 1, 0);
    if (!code && emulator->machine->arch == UC_ARCH_X86)
        code = uc_hook_add(engine, &hook, UC_HOOK_INSN, __extension__(void *) on_syscall, emulator,
                           1, 0, UC_X86_INS_SYSCALL);
    if (!code && emulator->machine->arch == UC_ARCH_X86)
        code = uc_hook_add(engine, &hook, UC_HOOK_INSN, __extension__(void *) on_syscall, emulator,
                           1, 0, UC_X86_INS_SYSENTER);
    return code;
}

static void close_engine(struct df_emulator *emulator)
{
    if (emulator->clean)
        uc_context_free(emulator->clean);
    if (emulator->engine)
        uc_close(emulator->engine);
    emulator->clean = NULL;
    emulator->engine = NULL;
    for (uint32_t i = 0; i < emulator->native_count; i++)
        emulator->natives[i].hooked = false;
    df_emu_memory_drop(emulator);
}

/* A fresh engine with nothing mapped but the scratch memory. */
static struct df_err *open_engine(struct df_emulator *emulator)
{
    const struct df_emu_machine *machine = emulator->machine;
    uc_err code = uc_open(machine->arch, machine->mode, &emulator->engine);
    if (code) {
        emulator->engine = NULL;
        return engine_error(code);
    }
    code = uc_ctl_set_cpu_model(emulator->engine, machine->cpu_model);
    if (!code)
        code = add_hooks(emulator);
    if (code)
        return engine_error(code);
    DF_TRY(df_emu_memory_scratch(emulator));
    DF_TRY(df_emu_native_hook(emulator));
    machine->prepare(emulator->engine);
    code = uc_reg_write(emulator->engine, machine->tls, &emulator->tls);
    if (!code)
        code = uc_context_alloc(emulator->engine, &emulator->clean);
    if (!code)
        code = uc_context_save(emulator->engine, emulator->clean);
    return code ? engine_error(code) : NULL;
}

static struct df_err *renew_engine(struct df_emulator *emulator)
{
    close_engine(emulator);
    struct df_err *err = open_engine(emulator);
    emulator->renew = err != NULL;
    return err;
}

/* Runs from pc until the driver stops it, a single call returns, or something goes wrong. */
static uc_err run(struct df_emulator *emulator, uint64_t pc)
{
    emulator->stopped = false;
    return uc_emu_start(emulator->engine, pc, emulator->scratch + EMU_CODE + EMU_CODE_DONE, 0, 0);
}

static enum df_call_status failure(const struct df_emulator *emulator, uc_err code)
{
    if (emulator->stopped)
        return (enum df_call_status)emulator->stop_status;
    switch (code) {
    case UC_ERR_READ_UNMAPPED:
    case UC_ERR_WRITE_UNMAPPED:
    case UC_ERR_FETCH_UNMAPPED:
    case UC_ERR_READ_PROT:
    case UC_ERR_WRITE_PROT:
    case UC_ERR_FETCH_PROT:
    case UC_ERR_READ_UNALIGNED:
    case UC_ERR_WRITE_UNALIGNED:
    case UC_ERR_FETCH_UNALIGNED:
        return DF_CALL_FAULT;
    default:
        return DF_CALL_INSTRUCTION; /* also hlt, with no error at all */
    }
}

/* After an unknown instruction: whether its function is answered natively from now on. */
static bool learn(struct df_emulator *emulator)
{
    uint64_t pc = 0;
    uc_reg_read(emulator->engine, emulator->machine->pc, &pc);
    if (!df_emu_native_learn(emulator, pc))
        return false;
    uc_ctl_flush_tlb(emulator->engine); /* translated code, in spite of the name */
    df_err_free(df_emu_native_hook(emulator));
    return true;
}

struct df_err *df_emulator_visit(struct df_emulator *emulator, struct df_visits *calls,
                                 size_t call_count, struct df_targets *targets)
{
    struct df_err *err = NULL;
    size_t stalled = SIZE_MAX;
    emulator->calls = calls;
    emulator->call_count = call_count;
    emulator->targets = targets;
    emulator->index = 0;
    emulator->running = false;
    while (!err && emulator->index < call_count) {
        if (emulator->renew || !emulator->engine)
            err = renew_engine(emulator);
        if (err)
            break;
        uc_context_restore(emulator->engine, emulator->clean);
        uc_err code = run(emulator, emulator->next_address);
        if (emulator->running) {
            enum df_call_status status = failure(emulator, code);
            if (status == DF_CALL_INSTRUCTION && learn(emulator)) {
                targets->count = calls[emulator->index].first;
                emulator->running = false;
            } else {
                close_call(emulator, status);
            }
        } else if (code && stalled == emulator->index) {
            err = engine_error(code); /* twice at the same place, with no call to blame */
        } else if (code) {
            stalled = emulator->index;
        }
    }
    emulator->calls = NULL;
    emulator->targets = NULL;
    return err;
}

static uc_err run_call(struct df_emulator *emulator, uint64_t function, const uint64_t *arguments,
                       uint32_t argument_count)
{
    const struct df_emu_machine *machine = emulator->machine;
    uc_context_restore(emulator->engine, emulator->clean);
    machine->set_return(emulator, emulator->scratch + EMU_CODE + EMU_CODE_DONE);
    for (uint32_t i = 0; i < argument_count; i++)
        uc_reg_write(emulator->engine, machine->arguments[i], &arguments[i]);
    emulator->fuel = emulator->budget;
    return run(emulator, function);
}

enum df_call_status df_emulator_call(struct df_emulator *emulator, uint64_t function,
                                     const uint64_t *arguments, uint32_t argument_count,
                                     uint64_t *ret)
{
    const uint64_t done = emulator->scratch + EMU_CODE + EMU_CODE_DONE;
    if (argument_count > 6)
        return DF_CALL_INSTRUCTION;
    if (emulator->renew || !emulator->engine) {
        struct df_err *err = renew_engine(emulator);
        if (err) {
            df_err_free(err);
            return DF_CALL_FAULT;
        }
    }
    for (;;) {
        uc_err code = run_call(emulator, function, arguments, argument_count);
        uint64_t pc = 0;
        uc_reg_read(emulator->engine, emulator->machine->pc, &pc);
        if (!code && !emulator->stopped && pc == done)
            break;
        enum df_call_status status = failure(emulator, code);
        if (status != DF_CALL_INSTRUCTION || !learn(emulator))
            return status;
    }
    uc_reg_read(emulator->engine, emulator->machine->result, ret);
    return DF_CALL_OK;
}

bool df_emulator_read(struct df_emulator *emulator, uint64_t address, void *buffer, uint64_t size)
{
    if (!emulator->engine)
        return df_read(emulator->dump->space, address, buffer, size);
    for (uint64_t done = 0, left; done < size; done += left) {
        const uint8_t *bytes = df_emu_span(emulator, address + done, false, &left);
        if (!bytes)
            return df_read(emulator->dump->space, address, buffer, size);
        left = left < size - done ? left : size - done;
        memcpy((uint8_t *)buffer + done, bytes, left);
    }
    return true;
}

void df_emulator_reset(struct df_emulator *emulator)
{
    bool code = false;
    if (emulator->chunk_count > RENEW_CHUNKS)
        emulator->renew = true;
    df_emu_memory_restore(emulator, &code);
    if (code && emulator->engine)
        uc_ctl_flush_tlb(emulator->engine);
}

static uint64_t first_tls(const struct df_core *core)
{
    for (uint32_t i = 0; i < core->lwp_count; i++)
        if (core->lwps[i].tls)
            return core->lwps[i].tls;
    return 0;
}

struct df_err *df_emulator_create(const struct df_dump *dump, uint64_t tls,
                                  struct df_emulator **ret)
{
    struct df_emulator *emulator = df_xcalloc(1, sizeof(*emulator));
    emulator->dump = dump;
    emulator->machine = df_emu_machine(dump->core->machine);
    emulator->tls = tls ? tls : first_tls(dump->core);
    emulator->budget = DEFAULT_BUDGET;
    emulator->visit_limit = DEFAULT_VISITS;
    df_map_init(&emulator->exhausted);
    struct df_err *err = df_emu_memory_init(emulator);
    if (!err) {
        emulator->next_address = emulator->scratch + EMU_CODE + EMU_CODE_NEXT;
        emulator->visit_address = emulator->scratch + EMU_CODE + EMU_CODE_VISIT;
        df_emu_native_init(emulator);
        err = open_engine(emulator);
    }
    if (err) {
        df_emulator_destroy(emulator);
        return err;
    }
    *ret = emulator;
    return NULL;
}

void df_emulator_destroy(struct df_emulator *emulator)
{
    if (!emulator)
        return;
    close_engine(emulator);
    df_emu_memory_deinit(emulator);
    df_map_deinit(&emulator->exhausted);
    free(emulator);
}

void df_emulator_limit(struct df_emulator *emulator, uint64_t blocks, uint64_t visits)
{
    emulator->budget = blocks ? blocks : DEFAULT_BUDGET;
    emulator->visit_limit = visits && visits < UINT32_MAX ? visits : DEFAULT_VISITS;
}

#else

#define WITHOUT "this necropy was built without Unicorn, so code of the dead process cannot be run"

struct df_err *df_emulator_create(const struct df_dump *dump, uint64_t tls,
                                  struct df_emulator **ret)
{
    (void)dump, (void)tls, (void)ret;
    return df_err_new(DF_ERR_UNSUPPORTED, WITHOUT);
}

void df_emulator_destroy(struct df_emulator *emulator)
{
    (void)emulator;
}

struct df_err *df_emulator_visit(struct df_emulator *emulator, struct df_visits *calls,
                                 size_t call_count, struct df_targets *targets)
{
    (void)emulator, (void)calls, (void)call_count, (void)targets;
    return df_err_new(DF_ERR_UNSUPPORTED, WITHOUT);
}

enum df_call_status df_emulator_call(struct df_emulator *emulator, uint64_t function,
                                     const uint64_t *arguments, uint32_t argument_count,
                                     uint64_t *ret)
{
    (void)emulator, (void)function, (void)arguments, (void)argument_count, (void)ret;
    return DF_CALL_INSTRUCTION;
}

bool df_emulator_read(struct df_emulator *emulator, uint64_t address, void *buffer, uint64_t size)
{
    (void)emulator, (void)address, (void)buffer, (void)size;
    return false;
}

void df_emulator_reset(struct df_emulator *emulator)
{
    (void)emulator;
}

void df_emulator_limit(struct df_emulator *emulator, uint64_t blocks, uint64_t visits)
{
    (void)emulator, (void)blocks, (void)visits;
}

#endif
