/* SPDX-License-Identifier: MIT
 * necro_guard.c: see necro_guard.h.
 *
 * Parts are checked through the mapping of the whole file, and only then made readable: two threads
 * that touch one part at once both check it, and neither reads before. In the handler there is
 * arithmetic and mprotect alone.
 */
#include "dumpfmt/necro_guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dumpfmt/base/mem.h"

#define MOST_PARTS 64 /* that are checked at once, for who reads one behind the other */

struct necro_guard {
    struct necro_guard *next;
    const char *tag;
    uint8_t *base;
    uint64_t size, parts;   /* bytes; parts of them */
    const uint8_t *stored;  /* the same bytes in the mapping of the file */
    const uint8_t *sums;    /* checksums of the parts */
    _Atomic uint64_t after; /* the part behind those that were checked last, */
    _Atomic uint64_t run;   /* and how many these were */
    void (*damaged)(void *context, const char *tag);
    void *context;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of those who change the list */
static struct necro_guard *_Atomic guards;
static struct sigaction before;

static struct necro_guard *guard_of(const void *address)
{
    struct necro_guard *guard = atomic_load(&guards);
    while (guard && (uintptr_t)address - (uintptr_t)guard->base >= guard->size)
        guard = guard->next;
    return guard;
}

static bool is_good(const struct necro_guard *guard, uint64_t part)
{
    uint64_t sum, start = part * NECRO_PART;
    uint64_t size = guard->size - start < NECRO_PART ? guard->size - start : NECRO_PART;
    memcpy(&sum, guard->sums + part * sizeof(sum), sizeof(sum));
    return necro_checksum(guard->stored + start, size) == sum;
}

static bool allow(struct necro_guard *guard, uint64_t first, uint64_t end)
{
    uint64_t start = first * NECRO_PART, stop = end * NECRO_PART;
    if (stop > guard->size)
        stop = guard->size;
    return !mprotect(guard->base + start, stop - start, PROT_READ);
}

/* As many as are good, from one that must be. The kernel has a limit of how many pieces with a
 * protection of their own there are: the whole section is one again. */
static void check_parts(struct necro_guard *guard, uint64_t first, uint64_t count)
{
    uint64_t end = first;
    while (end < guard->parts && end - first < count && is_good(guard, end))
        end++;
    if (end > first && allow(guard, first, end))
        return;
    for (uint64_t part = 0; end > first && part < guard->parts; part++)
        end = is_good(guard, part) ? end : first;
    if (end > first && allow(guard, 0, guard->parts))
        return;
    guard->damaged(guard->context, guard->tag);
    abort();
}

static void touch(struct necro_guard *guard, const void *address)
{
    uint64_t part = ((uintptr_t)address - (uintptr_t)guard->base) / NECRO_PART, run = 1;
    if (part == atomic_load_explicit(&guard->after, memory_order_relaxed))
        run = 2 * atomic_load_explicit(&guard->run, memory_order_relaxed);
    if (run > MOST_PARTS)
        run = MOST_PARTS;
    check_parts(guard, part, run);
    atomic_store_explicit(&guard->after, part + run, memory_order_relaxed);
    atomic_store_explicit(&guard->run, run, memory_order_relaxed);
}

/* What is none of ours is whose it was before: the instruction faults again. */
static void on_fault(int signal, siginfo_t *info, void *machine)
{
    int error = errno;
    struct necro_guard *guard = info->si_code == SEGV_ACCERR ? guard_of(info->si_addr) : NULL;
    (void)machine;
    if (guard)
        touch(guard, info->si_addr);
    else
        sigaction(signal, &before, NULL);
    errno = error;
}

/* Whoever had it since the last time has it again when it is none of ours. */
static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK}, now;
    sigemptyset(&action.sa_mask);
    if (!sigaction(SIGSEGV, NULL, &now) && (now.sa_flags & SA_SIGINFO) &&
        now.sa_sigaction == on_fault)
        return;
    sigaction(SIGSEGV, &action, &before);
}

static void enlist(struct necro_guard *guard)
{
    pthread_mutex_lock(&lock);
    install();
    guard->next = atomic_load(&guards);
    atomic_store(&guards, guard);
    pthread_mutex_unlock(&lock);
}

struct necro_guard *necro_guard(const struct df_file *file, const struct necro_entry *entry,
                                void (*damaged)(void *context, const char *tag), void *context,
                                const uint8_t **ret)
{
    uint64_t size = entry->count * entry->element;
    if (file->fd < 0 || !size || NECRO_PART % (uint64_t)sysconf(_SC_PAGESIZE) ||
        entry->offset % (uint64_t)sysconf(_SC_PAGESIZE))
        return NULL;
    void *base = mmap(NULL, size, PROT_NONE, MAP_PRIVATE, file->fd, (off_t)entry->offset);
    if (base == MAP_FAILED)
        return NULL;
    struct necro_guard *guard = df_xcalloc(1, sizeof(*guard));
    *guard = (struct necro_guard){.tag = entry->tag,
                                  .base = base,
                                  .size = size,
                                  .parts = necro_parts(size),
                                  .stored = file->data + entry->offset,
                                  .sums = file->data + entry->offset + necro_sums(size),
                                  .run = 1,
                                  .damaged = damaged,
                                  .context = context};
    atomic_store(&guard->after, UINT64_MAX);
    enlist(guard);
    *ret = base;
    return guard;
}

void necro_unguard(struct necro_guard *guard)
{
    if (!guard)
        return;
    pthread_mutex_lock(&lock);
    struct necro_guard *other = atomic_load(&guards);
    if (other == guard)
        atomic_store(&guards, guard->next);
    for (; other; other = other->next)
        if (other->next == guard)
            other->next = guard->next;
    pthread_mutex_unlock(&lock);
    munmap(guard->base, guard->size);
    free(guard);
}
