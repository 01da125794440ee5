/* SPDX-License-Identifier: MIT
 * emulator_engine.c: calls functions of the dead process in a Unicorn engine, one by one or in
 * batches.
 *
 * A batch is one run of the engine. Its loop is a few instructions of machine code (the driver,
 * emulator_machine.c) that call what the mailbox says; what the loop cannot be trusted with is done
 * here, in a hook on every basic block: the driver's first block ends a call and begins the next,
 * the visitor's block records its first argument, every block costs fuel. Unicorn spends some 40 ns
 * on a block anyway and the hook adds 4 (its own instruction counter adds 10). So emulated code can
 * neither forge nor lose more than its own call's visits: all state is the host's.
 *
 * When a call fails, the engine has stopped: its visits are dropped, and the engine is started anew
 * on the next call with the registers of a fresh CPU. A function that keeps running out of
 * fuel is given up, or a million objects of one bad type would take hours.
 */
#ifdef NECROPY_HAVE_UNICORN

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/emulator_internal.h"

#define FUEL_PER_VISIT 64
#define MAX_EXHAUSTED 16 /* then a function is given up */
/* Failures of this kind, of any functions: then each gets little fuel. */
#define MANY_EXHAUSTED 64
#define RENEW_CHUNKS 400 /* see emulator_memory.c on the price of regions */
#define BEAT_MASK 0xffffu

static struct df_err *engine_error(uc_err code)
{
    return df_err_new(DF_ERR_UNSUPPORTED, "cannot run the emulator: %s", uc_strerror(code));
}

void df_emu_stop(struct df_engine *engine, enum df_call_status status)
{
    if (!engine->stopped) {
        engine->stopped = true;
        engine->stop_status = (uint8_t)status;
    }
    uc_emu_stop(engine->uc);
}

/* Makes the memory of a faulting access available. False when it is not there. */
static bool serve(struct df_engine *engine, uc_mem_type type, uint64_t address, uint32_t size,
                  int64_t value)
{
    struct df_emu_chunk *chunk = df_emu_touch(engine, address);
    if (!chunk)
        return false;
    if (chunk->end - address < size) { /* an access across two chunks */
        chunk = df_emu_touch(engine, chunk->end);
        chunk = chunk ? df_emu_touch(engine, address) : NULL;
        if (!chunk)
            return false;
        size = (uint32_t)(chunk->end - address);
    }
    if (type == UC_MEM_READ_UNMAPPED || type == UC_MEM_FETCH_UNMAPPED)
        return true;
    if ((type != UC_MEM_WRITE_UNMAPPED && type != UC_MEM_WRITE_PROT) ||
        !df_emu_dirty(engine, chunk))
        return false;
    /* Unicorn 2.0 discards this store where the page was in its TLB as read-only before the
     * hook (cputlb.c, store_helper: tlb_addr). Storing twice does no harm. */
    if (!(chunk->flags & PF_X))
        memcpy(chunk->host + (address - chunk->start), &value,
               size < sizeof(value) ? size : sizeof(value));
    return true;
}

static bool on_memory(uc_engine *uc, uc_mem_type type, uint64_t address, int size, int64_t value,
                      void *context)
{
    (void)uc;
    struct df_engine *engine = context;
    if (serve(engine, type, address, size > 0 ? (uint32_t)size : 1, value))
        return true;
    /* A failed store does not stop the engine at once; no block may be taken for progress. */
    if (!engine->stopped) {
        engine->stopped = true;
        engine->stop_status = DF_CALL_FAULT;
    }
    return false;
}

static void on_read(uc_engine *uc, uc_mem_type type, uint64_t address, int size, int64_t value,
                    void *context)
{
    (void)uc, (void)type, (void)value;
    struct df_engine *engine = context;
    struct df_emu_shared *shared = engine->shared;
    if (address - engine->scratch < EMU_SCRATCH_SIZE || size <= 0)
        return;
    if (shared->read_count < EMU_READS)
        shared->reads[shared->read_count] =
            (struct df_read){.address = address, .size = (uint32_t)size};
    shared->read_count++;
}

static void on_syscall(uc_engine *uc, void *context)
{
    (void)uc;
    df_emu_stop(context, DF_CALL_SYSCALL);
}

static void on_interrupt(uc_engine *uc, uint32_t number, void *context)
{
    (void)uc;
    struct df_engine *engine = context;
    enum df_call_status status = engine->machine->interrupt(number);
    /* The engine takes no such exceptions while memory is flat: code has tampered with the CPU's
     * control registers, and what the engine caches about memory may be wrong. */
    if (status == DF_CALL_FAULT)
        engine->renew = true;
    df_emu_stop(engine, status);
}

static bool given_up(const struct df_engine *engine, uint64_t function)
{
    uint32_t times = function ? df_map_get(&engine->exhausted, function) : DF_MAP_NONE;
    return times != DF_MAP_NONE && times >= MAX_EXHAUSTED;
}

/* A damaged dump may have very many functions that never return. */
static uint64_t fuel_of_call(const struct df_engine *engine)
{
    uint64_t budget = engine->shared->budget;
    return engine->exhausted_calls < MANY_EXHAUSTED ? budget : budget / MANY_EXHAUSTED + 1;
}

static void note_exhausted(struct df_engine *engine, uint64_t function)
{
    engine->exhausted_calls++;
    uint32_t times = function ? df_map_get(&engine->exhausted, function) : DF_MAP_NONE;
    if (function)
        df_map_set(&engine->exhausted, function, times == DF_MAP_NONE ? 1 : times + 1);
}

static void close_call(struct df_engine *engine, enum df_call_status status)
{
    struct df_emu_shared *shared = engine->shared;
    struct df_visits *call = &shared->calls[shared->index];
    if (status != DF_CALL_OK && status != DF_CALL_NONZERO)
        shared->target_count = call->first;
    if (status == DF_CALL_BUDGET || status == DF_CALL_VISITS)
        note_exhausted(engine, call->function);
    call->count = (uint32_t)(shared->target_count - call->first);
    call->status = (uint8_t)status;
    shared->running = false;
    shared->index++;
}

/* Begins the next call that is worth it; stops the engine when there is none. */
static void open_call(struct df_engine *engine)
{
    struct df_emu_shared *shared = engine->shared;
    struct df_visits *call = NULL;
    for (; shared->index < shared->call_count; shared->index++) {
        call = &shared->calls[shared->index];
        call->first = (uint32_t)shared->target_count;
        call->count = 0;
        call->result = 0;
        if (!given_up(engine, call->function))
            break;
        call->status = DF_CALL_BUDGET;
    }
    if (engine->chunk_count > RENEW_CHUNKS)
        engine->renew = true;
    /* A call may need this much room. Without it the parent takes what there is and asks again. */
    bool full = EMU_TARGETS - shared->target_count < shared->visit_limit;
    if (shared->index == shared->call_count || engine->renew || full) {
        uc_emu_stop(engine->uc);
        return;
    }
    shared->read_count = 0;
    engine->mailbox[0] = call->function;
    engine->mailbox[1] = call->object;
    engine->fuel = fuel_of_call(engine);
    shared->running = true;
}

/* The driver is at its beginning: a call has returned, or none has been made yet. */
static void on_next(struct df_engine *engine)
{
    struct df_emu_shared *shared = engine->shared;
    shared->beat++;
    if (shared->running) {
        uint64_t result = 0;
        uc_reg_read(engine->uc, engine->machine->result, &result);
        int32_t value = (int32_t)(uint32_t)result; /* a visitor's result is an int */
        shared->calls[shared->index].result = value;
        close_call(engine, value ? DF_CALL_NONZERO : DF_CALL_OK);
    }
    open_call(engine);
}

static void on_visit(struct df_engine *engine)
{
    struct df_emu_shared *shared = engine->shared;
    uint64_t target = 0;
    uc_reg_read(engine->uc, engine->machine->arguments[0], &target);
    if (shared->target_count - shared->calls[shared->index].first >= shared->visit_limit) {
        df_emu_stop(engine, DF_CALL_VISITS);
        return;
    }
    engine->fuel += FUEL_PER_VISIT;
    shared->targets[shared->target_count++] = target;
}

static void on_block(uc_engine *uc, uint64_t address, uint32_t size, void *context)
{
    (void)uc, (void)size;
    struct df_engine *engine = context;
    if (engine->stopped)
        return;
    if (engine->batch && address == engine->next_address) {
        on_next(engine);
        return;
    }
    if (!engine->fuel) {
        df_emu_stop(engine, DF_CALL_BUDGET);
        return;
    }
    if (!(--engine->fuel & BEAT_MASK))
        engine->shared->beat++;
    if (address == engine->visit_address && engine->batch && engine->shared->running)
        on_visit(engine);
}

static uc_err add_hooks(struct df_engine *engine)
{
    uc_hook hook;
    uc_engine *uc = engine->uc;
    uc_err code =
        uc_hook_add(uc, &hook, UC_HOOK_BLOCK, __extension__(void *) on_block, engine, 1, 0);
    if (!code)
        code = uc_hook_add(uc, &hook, UC_HOOK_MEM_INVALID, __extension__(void *) on_memory, engine,
                           1, 0);
    if (!code)
        code =
            uc_hook_add(uc, &hook, UC_HOOK_INTR, __extension__(void *) on_interrupt, engine, 1, 0);
    if (!code && engine->tracing)
        code =
            uc_hook_add(uc, &hook, UC_HOOK_MEM_READ, __extension__(void *) on_read, engine, 1, 0);
    if (!code && engine->machine->arch == UC_ARCH_X86)
        code = uc_hook_add(uc, &hook, UC_HOOK_INSN, __extension__(void *) on_syscall, engine, 1, 0,
                           UC_X86_INS_SYSCALL);
    if (!code && engine->machine->arch == UC_ARCH_X86)
        code = uc_hook_add(uc, &hook, UC_HOOK_INSN, __extension__(void *) on_syscall, engine, 1, 0,
                           UC_X86_INS_SYSENTER);
    return code;
}

static void close_engine(struct df_engine *engine)
{
    if (engine->clean)
        uc_context_free(engine->clean);
    if (engine->uc)
        uc_close(engine->uc);
    engine->clean = NULL;
    engine->uc = NULL;
    for (uint32_t i = 0; i < engine->native_count; i++)
        engine->natives[i].hooked = false;
}

/* A fresh engine, with the chunks that there are, or with nothing but the scratch memory. */
static struct df_err *open_engine(struct df_engine *engine)
{
    const struct df_emu_machine *machine = engine->machine;
    uc_err code = uc_open(machine->arch, machine->mode, &engine->uc);
    if (code) {
        engine->uc = NULL;
        return engine_error(code);
    }
    code = uc_ctl_set_cpu_model(engine->uc, machine->cpu_model);
    if (!code)
        code = add_hooks(engine);
    if (code)
        return engine_error(code);
    DF_TRY(engine->chunk_count ? df_emu_memory_remap(engine) : df_emu_memory_scratch(engine));
    DF_TRY(df_emu_native_hook(engine));
    machine->prepare(engine->uc);
    code = uc_reg_write(engine->uc, machine->tls, &engine->tls);
    if (!code)
        code = uc_context_alloc(engine->uc, &engine->clean);
    if (!code)
        code = uc_context_save(engine->uc, engine->clean);
    return code ? engine_error(code) : NULL;
}

static struct df_err *renew_engine(struct df_engine *engine)
{
    close_engine(engine);
    df_emu_memory_drop(engine);
    struct df_err *err = open_engine(engine);
    engine->renew = err != NULL;
    return err;
}

/* Runs from pc until the driver stops it, a single call returns, or something goes wrong. */
static uc_err run(struct df_engine *engine, uint64_t pc)
{
    engine->stopped = false;
    return uc_emu_start(engine->uc, pc, engine->scratch + EMU_CODE + EMU_CODE_DONE, 0, 0);
}

static enum df_call_status failure(const struct df_engine *engine, uc_err code)
{
    if (engine->stopped)
        return (enum df_call_status)engine->stop_status;
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
static bool learn(struct df_engine *engine)
{
    uint64_t pc = 0;
    uc_reg_read(engine->uc, engine->machine->pc, &pc);
    if (engine->renew || !df_emu_native_learn(engine, pc))
        return false;
    /* A new engine over the same memory: Unicorn 2.0's ways to forget translated code do not work
     * (TB_REMOVE_CACHE), or write zeros over its whole buffer of 1 GiB (TB_FLUSH). */
    close_engine(engine);
    struct df_err *err = open_engine(engine);
    engine->renew = err != NULL;
    df_err_free(err);
    return true;
}

/* The engine has stopped in the middle of a call. */
static void fail_call(struct df_engine *engine, uc_err code)
{
    struct df_emu_shared *shared = engine->shared;
    enum df_call_status status = failure(engine, code);
    if (status == DF_CALL_INSTRUCTION && learn(engine)) {
        shared->target_count = shared->calls[shared->index].first;
        shared->running = false; /* once more */
        return;
    }
    close_call(engine, status);
}

static struct df_err *serve_visit(struct df_engine *engine)
{
    struct df_emu_shared *shared = engine->shared;
    uint64_t stalled = UINT64_MAX;
    shared->index = 0;
    shared->target_count = 0;
    shared->running = false;
    while (shared->index < shared->call_count &&
           EMU_TARGETS - shared->target_count >= shared->visit_limit) {
        if (engine->renew || !engine->uc)
            DF_TRY(renew_engine(engine));
        uc_context_restore(engine->uc, engine->clean);
        engine->batch = true;
        uc_err code = run(engine, engine->next_address);
        engine->batch = false;
        if (shared->running)
            fail_call(engine, code);
        else if (code && stalled == shared->index)
            return engine_error(code); /* twice at the same place, with no call to blame */
        else if (code)
            stalled = shared->index;
    }
    return NULL;
}

static uc_err run_call(struct df_engine *engine)
{
    const struct df_emu_machine *machine = engine->machine;
    const struct df_emu_shared *shared = engine->shared;
    uc_context_restore(engine->uc, engine->clean);
    machine->set_return(engine, engine->scratch + EMU_CODE + EMU_CODE_DONE);
    for (uint32_t i = 0; i < shared->argument_count; i++)
        uc_reg_write(engine->uc, machine->arguments[i], &shared->arguments[i]);
    engine->fuel = fuel_of_call(engine);
    engine->shared->read_count = 0;
    return run(engine, shared->function);
}

static struct df_err *serve_call(struct df_engine *engine)
{
    struct df_emu_shared *shared = engine->shared;
    if (given_up(engine, shared->function)) {
        shared->status = DF_CALL_BUDGET;
        return NULL;
    }
    if (engine->renew || !engine->uc)
        DF_TRY(renew_engine(engine));
    for (;;) {
        uc_err code = run_call(engine);
        uint64_t pc = 0;
        uc_reg_read(engine->uc, engine->machine->pc, &pc);
        if (!code && !engine->stopped && pc == engine->scratch + EMU_CODE + EMU_CODE_DONE)
            break;
        shared->status = (uint8_t)failure(engine, code);
        if (shared->status == DF_CALL_BUDGET)
            note_exhausted(engine, shared->function);
        if (shared->status != DF_CALL_INSTRUCTION || !learn(engine))
            return NULL;
    }
    uc_reg_read(engine->uc, engine->machine->result, &shared->result);
    shared->status = DF_CALL_OK;
    return NULL;
}

static bool serve_read(struct df_engine *engine)
{
    struct df_emu_shared *shared = engine->shared;
    for (uint64_t done = 0, left; done < shared->size; done += left) {
        const uint8_t *bytes = df_emu_span(engine, shared->address + done, false, &left);
        if (!bytes) /* a page of which only a part is there */
            return df_read(engine->dump->space, shared->address, shared->bytes, shared->size);
        left = left < shared->size - done ? left : shared->size - done;
        memcpy(shared->bytes + done, bytes, left);
    }
    return true;
}

static void serve_reset(struct df_engine *engine)
{
    bool code = false;
    df_emu_memory_restore(engine, &code);
    if (code || engine->chunk_count > RENEW_CHUNKS)
        engine->renew = true;
}

void df_engine_serve(struct df_engine *engine, enum df_emu_request request)
{
    struct df_emu_shared *shared = engine->shared;
    struct df_err *err = NULL;
    shared->ok = true;
    /* Code that was translated without the hook would not call it. */
    bool runs = request == EMU_VISIT || request == EMU_CALL;
    if (runs && shared->trace != engine->tracing) {
        engine->tracing = shared->trace;
        engine->renew = true;
    }
    if (request == EMU_OPEN)
        err = open_engine(engine);
    else if (request == EMU_VISIT)
        err = serve_visit(engine);
    else if (request == EMU_CALL)
        err = serve_call(engine);
    else if (request == EMU_READ)
        shared->ok = serve_read(engine);
    else
        serve_reset(engine);
    if (err) {
        shared->ok = false;
        snprintf(shared->error, sizeof(shared->error), "%s", df_err_text(err));
        df_err_free(err);
    }
}

static uint64_t first_tls(const struct df_core *core)
{
    for (uint32_t i = 0; i < core->lwp_count; i++)
        if (core->lwps[i].tls)
            return core->lwps[i].tls;
    return 0;
}

struct df_err *df_engine_create(const struct df_dump *dump, uint64_t tls,
                                struct df_emu_shared *shared, struct df_engine **ret)
{
    struct df_engine *engine = df_xcalloc(1, sizeof(*engine));
    engine->dump = dump;
    engine->machine = df_emu_machine(dump->core->machine);
    engine->tls = tls ? tls : first_tls(dump->core);
    engine->shared = shared;
    df_map_init(&engine->exhausted);
    struct df_err *err = df_emu_memory_init(engine);
    if (err) {
        df_engine_destroy(engine);
        return err;
    }
    engine->next_address = engine->scratch + EMU_CODE + EMU_CODE_NEXT;
    engine->visit_address = engine->scratch + EMU_CODE + EMU_CODE_VISIT;
    df_emu_native_init(engine);
    *ret = engine;
    return NULL;
}

void df_engine_destroy(struct df_engine *engine)
{
    if (!engine)
        return;
    close_engine(engine);
    df_emu_memory_deinit(engine);
    df_map_deinit(&engine->exhausted);
    free(engine);
}

#else
typedef int df_emulator_engine_unused;
#endif
