/* SPDX-License-Identifier: MIT
 * emulator.c: the emulator's interface: requests to a child process that the engine runs in.
 *
 * Unicorn 2.0 ends its process on some inputs (its translator aborts on LOCK before cmp or on
 * a far jump through a register, asserts on some system registers of aarch64, and privileged
 * instructions can lead it to a segmentation fault), and it prints. Code from a core file may be
 * anything, so the engine gets a process of its own, which inherits the dump by fork(2) and shares
 * one block of memory with us. When it dies, or stands still, the call that it was in has failed
 * and a new child goes on with the next one. Nothing in the shared memory is believed without a
 * check.
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

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/emulator_internal.h"

#define DEFAULT_BUDGET (UINT64_C(1) << 20) /* blocks of a call, some 50 ms */
#define MAX_DEATHS 64                      /* of children; then nothing is run any more */
#define PATIENCE 30                        /* seconds without a beat */
#define KEEP_TARGETS (UINT64_C(1) << 20)   /* more shared memory than that is given back */

struct df_emulator {
    struct df_engine *engine; /* what a new child starts from; never opened here */
    struct df_emu_shared *shared;
    pid_t child; /* 0: none */
    int socket;
    uint32_t deaths;
    bool written; /* the child's memory may differ from the dump */
    uint64_t budget, visit_limit;
};

enum outcome { OUTCOME_DONE, OUTCOME_DIED, OUTCOME_STUCK };

/* The child: no output, no core file of its own, none of the program's signal handlers. */
static void live_alone(void)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGPIPE, SIGTRAP};
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        signal(signals[i], SIG_DFL);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2; fd++)
        if (null < 0 || dup2(null, fd) < 0)
            close(fd);
}

__attribute__((noreturn)) static void serve_requests(struct df_engine *engine, int fd)
{
    uint8_t request;
    fd = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* out of the way of live_alone */
    live_alone();
    for (;;) {
        ssize_t got = recv(fd, &request, 1, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != 1)
            _exit(0);
        df_engine_serve(engine, (enum df_emu_request)request);
        if (send(fd, &request, 1, MSG_NOSIGNAL) != 1)
            _exit(0);
    }
}

static void end_child(struct df_emulator *emulator)
{
    if (!emulator->child)
        return;
    kill(emulator->child, SIGKILL);
    while (waitpid(emulator->child, NULL, 0) < 0 && errno == EINTR)
        continue;
    close(emulator->socket);
    emulator->child = 0;
    emulator->written = false;
}

/* Waits for the answer to a request. */
static enum outcome await(struct df_emulator *emulator)
{
    uint64_t beat = emulator->shared->beat;
    for (int idle = 0; idle < PATIENCE;) {
        struct pollfd answerer = {.fd = emulator->socket, .events = POLLIN};
        int ready = poll(&answerer, 1, 1000);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready) {
            uint8_t answer;
            return ready > 0 && recv(emulator->socket, &answer, 1, 0) == 1 ? OUTCOME_DONE
                                                                           : OUTCOME_DIED;
        }
        idle = beat == emulator->shared->beat ? idle + 1 : 0;
        beat = emulator->shared->beat;
    }
    return OUTCOME_STUCK;
}

static enum outcome ask(struct df_emulator *emulator, enum df_emu_request request)
{
    uint8_t byte = (uint8_t)request;
    emulator->shared->budget = emulator->budget;
    emulator->shared->visit_limit = emulator->visit_limit;
    enum outcome outcome = OUTCOME_DIED;
    if (send(emulator->socket, &byte, 1, MSG_NOSIGNAL) == 1)
        outcome = await(emulator);
    if (outcome != OUTCOME_DONE) {
        end_child(emulator);
        emulator->deaths++;
    }
    return outcome;
}

/* The error that the child left. */
static struct df_err *child_error(const struct df_emulator *emulator)
{
    char text[sizeof(emulator->shared->error)];
    memcpy(text, emulator->shared->error, sizeof(text));
    text[sizeof(text) - 1] = '\0';
    return df_err_new(DF_ERR_UNSUPPORTED, "%s", text);
}

static struct df_err *start_child(struct df_emulator *emulator)
{
    int ends[2];
    if (emulator->child)
        return NULL;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return df_err_new(DF_ERR_UNSUPPORTED, "cannot run the emulator: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0) {
        int code = errno;
        close(ends[0]);
        close(ends[1]);
        return df_err_new(DF_ERR_UNSUPPORTED, "cannot run the emulator: %s", strerror(code));
    }
    if (!child) {
        close(ends[0]);
        serve_requests(emulator->engine, ends[1]);
    }
    close(ends[1]);
    emulator->child = child;
    emulator->socket = ends[0];
    emulator->shared->ok = false;
    if (ask(emulator, EMU_OPEN) != OUTCOME_DONE)
        return df_err_new(DF_ERR_UNSUPPORTED, "cannot run the emulator: it does not start");
    if (!emulator->shared->ok) {
        end_child(emulator);
        return child_error(emulator);
    }
    return NULL;
}

/* Appends a call's visits to the batch's; what is impossible counts as a failed call. */
static void accept_call(const struct df_emu_shared *shared, size_t i, struct df_visits *call,
                        struct df_targets *targets)
{
    const struct df_visits made = shared->calls[i];
    call->first = (uint32_t)targets->count;
    call->count = 0;
    call->status = DF_CALL_VISITS;
    call->result = made.result;
    if (made.status >= DF_CALL_STATUS_COUNT || made.count > EMU_TARGETS ||
        made.first > EMU_TARGETS - made.count || targets->count > UINT32_MAX - made.count)
        return;
    call->status = made.status;
    call->count = made.count;
    while (targets->capacity - targets->count < made.count)
        targets->items =
            df_grow(targets->items, targets->capacity, &targets->capacity, sizeof(*targets->items));
    if (made.count)
        memcpy(targets->items + targets->count, shared->targets + made.first,
               made.count * sizeof(*targets->items));
    targets->count += made.count;
}

static void fail_rest(struct df_visits *calls, size_t count, const struct df_targets *targets,
                      enum df_call_status status)
{
    for (size_t i = 0; i < count; i++) {
        calls[i].first = (uint32_t)targets->count;
        calls[i].count = 0;
        calls[i].status = (uint8_t)status;
        calls[i].result = 0;
    }
}

/* Runs some of the calls, at least one; *ret: how many. */
static struct df_err *visit_slice(struct df_emulator *emulator, struct df_visits *calls,
                                  size_t count, struct df_targets *targets, size_t *ret)
{
    struct df_emu_shared *shared = emulator->shared;
    DF_TRY(start_child(emulator));
    count = count < EMU_SLICE ? count : EMU_SLICE;
    memcpy(shared->calls, calls, count * sizeof(*calls));
    shared->call_count = count;
    shared->index = 0;
    emulator->written = true;
    enum outcome outcome = ask(emulator, EMU_VISIT);
    size_t done = shared->index < count ? shared->index : count;
    for (size_t i = 0; i < done; i++)
        accept_call(shared, i, &calls[i], targets);
    if (outcome != OUTCOME_DONE && done < count) {
        fail_rest(calls + done, 1, targets,
                  outcome == OUTCOME_STUCK ? DF_CALL_BUDGET : DF_CALL_INSTRUCTION);
        done++;
    } else if (outcome == OUTCOME_DONE && !shared->ok) {
        return child_error(emulator);
    } else if (!done) {
        return df_err_new(DF_ERR_UNSUPPORTED, "cannot run the emulator: it does nothing");
    }
    if (shared->target_count > KEEP_TARGETS)
        madvise(shared->targets, sizeof(shared->targets), MADV_REMOVE);
    *ret = done;
    return NULL;
}

struct df_err *df_emulator_visit(struct df_emulator *emulator, struct df_visits *calls,
                                 size_t call_count, struct df_targets *targets)
{
    for (size_t done = 0, now = 0; done < call_count; done += now) {
        if (emulator->deaths >= MAX_DEATHS) {
            fail_rest(calls + done, call_count - done, targets, DF_CALL_INSTRUCTION);
            break;
        }
        DF_TRY(visit_slice(emulator, calls + done, call_count - done, targets, &now));
    }
    return NULL;
}

enum df_call_status df_emulator_call(struct df_emulator *emulator, uint64_t function,
                                     const uint64_t *arguments, uint32_t argument_count,
                                     uint64_t *ret)
{
    struct df_emu_shared *shared = emulator->shared;
    if (argument_count > 6 || emulator->deaths >= MAX_DEATHS)
        return DF_CALL_INSTRUCTION;
    struct df_err *err = start_child(emulator);
    if (err) {
        df_err_free(err);
        return DF_CALL_FAULT;
    }
    shared->function = function;
    shared->argument_count = argument_count;
    for (uint32_t i = 0; i < argument_count; i++)
        shared->arguments[i] = arguments[i];
    emulator->written = true;
    enum outcome outcome = ask(emulator, EMU_CALL);
    if (outcome != OUTCOME_DONE)
        return outcome == OUTCOME_STUCK ? DF_CALL_BUDGET : DF_CALL_INSTRUCTION;
    uint8_t status = shared->status;
    if (!shared->ok || status >= DF_CALL_STATUS_COUNT)
        return DF_CALL_FAULT;
    if (status == DF_CALL_OK)
        *ret = shared->result;
    return (enum df_call_status)status;
}

bool df_emulator_read(struct df_emulator *emulator, uint64_t address, void *buffer, uint64_t size)
{
    struct df_emu_shared *shared = emulator->shared;
    if (!emulator->written)
        return df_read(emulator->engine->dump->space, address, buffer, size);
    for (uint64_t done = 0, piece; done < size; done += piece) {
        piece = size - done < EMU_BYTES ? size - done : EMU_BYTES;
        shared->address = address + done;
        shared->size = piece;
        if (ask(emulator, EMU_READ) != OUTCOME_DONE || !shared->ok)
            return false;
        memcpy((uint8_t *)buffer + done, shared->bytes, piece);
    }
    return true;
}

void df_emulator_reset(struct df_emulator *emulator)
{
    if (emulator->written)
        ask(emulator, EMU_RESET);
    emulator->written = false;
}

void df_emulator_trace(struct df_emulator *emulator, bool on)
{
    emulator->shared->trace = on;
}

bool df_emulator_reads(const struct df_emulator *emulator, const struct df_read **ret,
                       size_t *ret_count)
{
    uint64_t count = emulator->shared->read_count;
    *ret = emulator->shared->reads;
    *ret_count = count <= EMU_READS ? count : 0;
    return emulator->shared->trace && count <= EMU_READS;
}

/* The next child starts from the engine as it is here. */
void df_emulator_set_word(struct df_emulator *emulator, uint64_t address, uint64_t word)
{
    end_child(emulator);
    df_emu_patch(emulator->engine, address, word, sizeof(word));
}

struct df_err *df_emulator_create(const struct df_dump *dump, uint64_t tls,
                                  struct df_emulator **ret)
{
    void *shared = mmap(NULL, sizeof(struct df_emu_shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (shared == MAP_FAILED)
        return df_err_prefix(df_err_nomem(), "cannot run the emulator");
    struct df_emulator *emulator = df_xcalloc(1, sizeof(*emulator));
    emulator->shared = shared;
    df_emulator_limit(emulator, 0, 0);
    struct df_err *err = df_engine_create(dump, tls, emulator->shared, &emulator->engine);
    if (!err)
        err = start_child(emulator);
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
    end_child(emulator);
    df_engine_destroy(emulator->engine);
    munmap(emulator->shared, sizeof(*emulator->shared));
    free(emulator);
}

void df_emulator_limit(struct df_emulator *emulator, uint64_t blocks, uint64_t visits)
{
    emulator->budget = blocks ? blocks : DEFAULT_BUDGET;
    emulator->visit_limit = visits && visits < EMU_MAX_VISITS ? visits : EMU_MAX_VISITS;
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

void df_emulator_trace(struct df_emulator *emulator, bool on)
{
    (void)emulator, (void)on;
}

bool df_emulator_reads(const struct df_emulator *emulator, const struct df_read **ret,
                       size_t *ret_count)
{
    (void)emulator, (void)ret, (void)ret_count;
    return false;
}

void df_emulator_set_word(struct df_emulator *emulator, uint64_t address, uint64_t word)
{
    (void)emulator, (void)address, (void)word;
}

void df_emulator_limit(struct df_emulator *emulator, uint64_t blocks, uint64_t visits)
{
    (void)emulator, (void)blocks, (void)visits;
}

#endif
