/* SPDX-License-Identifier: MIT
 * necro_memory.c: saving an address space, and opening one that was saved.
 *
 * Chunks end where addresses are multiples of 64 KiB, so that the chunk of an address follows from
 * the address; the first and the last one of a range may be shorter. In the tool's memory all
 * chunks have a place from the start, one behind the other, in one reservation of addresses: bytes
 * of a range are contiguous, and pointers to them stay valid. Between two ranges one chunk stays
 * free (the writer sees to it): neighbours in the process that were two ranges stay two.
 */
#include "dumpfmt/necro_memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/necro_format.h"

#define CHUNK (UINT64_C(1) << DF_BACKING_SHIFT)
#define BATCH 64 /* chunks a thread that are compressed before they are written */
#define LOCKS 16 /* so many threads unpack at once */

struct stored_range {
    uint64_t start, end;
    uint64_t first_chunk; /* of those with bytes; else 0 */
    uint8_t origin;       /* enum df_origin */
    uint8_t flags;
    uint8_t reserved[6]; /* 0 */
};
_Static_assert(sizeof(struct stored_range) == 32, "as specified");

struct stored_chunk {
    uint64_t offset; /* in mem.bytes; 0 when nothing is stored */
    uint32_t stored; /* bytes; 0: all its bytes are 0 */
    uint32_t reserved;
    uint64_t checksum; /* of what is stored; 0 of nothing */
};
_Static_assert(sizeof(struct stored_chunk) == 24, "as specified");

static uint64_t chunks_of(uint64_t start, uint64_t end)
{
    return ((end - 1) >> DF_BACKING_SHIFT) - (start >> DF_BACKING_SHIFT) + 1;
}

/* ---- saving ---- */

struct saving {
    const struct df_aspace *space;
    const struct df_memory_filter *filter;
    struct df_necro_writer *writer;
    struct {
        struct stored_chunk *items;
        size_t count, capacity;
    } chunks;
    struct necro_block *blocks; /* of the batch */
    uint64_t *addresses;        /* of them */
    size_t held, room;
    uint64_t done, total; /* bytes */
};

static void change(void *context, size_t i, uint8_t *bytes, uint32_t size)
{
    const struct saving *saving = context;
    saving->filter->change(saving->filter->context, saving->addresses[i], bytes, size);
}

static struct df_err *write_block(struct saving *saving, const struct necro_block *block)
{
    struct stored_chunk chunk = {0};
    uint32_t stored = necro_stored_size(block);
    if (stored)
        chunk = (struct stored_chunk){.offset = df_necro_section_size(saving->writer),
                                      .stored = stored,
                                      .checksum = block->checksum};
    DF_PUSH(&saving->chunks, chunk);
    return df_necro_write(saving->writer, necro_stored(block), stored);
}

static struct df_err *flush(struct saving *saving)
{
    struct df_err *err = necro_pack(saving->blocks, saving->held, df_necro_jobs(saving->writer),
                                    saving->filter->change ? change : NULL, saving);
    for (size_t i = 0; !err && i < saving->held; i++) {
        saving->done += saving->blocks[i].size;
        err = write_block(saving, &saving->blocks[i]);
    }
    necro_release(saving->blocks, saving->held);
    saving->held = 0;
    df_progress(saving->filter->progress, "saving memory", saving->done, saving->total);
    return err;
}

static struct df_err *save_range(struct saving *saving, const struct df_range *range)
{
    for (uint64_t at = range->start, end; at < range->end; at = end) {
        end = (at | (CHUNK - 1)) + 1;
        if (end > range->end)
            end = range->end;
        const uint8_t *bytes = df_ptr(saving->space, at, end - at);
        if (!bytes)
            return df_err_new(DF_ERR_INPUT, "the memory at 0x%llx is damaged",
                              (unsigned long long)at);
        saving->addresses[saving->held] = at;
        saving->blocks[saving->held++] =
            (struct necro_block){.bytes = bytes, .size = (uint32_t)(end - at)};
        if (saving->held == saving->room)
            DF_TRY(flush(saving));
    }
    return NULL;
}

static bool is_wanted(const struct saving *saving, const struct df_range *range)
{
    const struct df_memory_filter *filter = saving->filter;
    return range->host && (!filter->wants || filter->wants(filter->context, range));
}

static struct df_err *save_bytes(struct saving *saving)
{
    const struct df_aspace *space = saving->space;
    DF_CLEANUP_FREE struct stored_range *ranges = NULL;
    uint64_t chunks = 0;
    DF_TRY(df_array(space->count, sizeof(*ranges), &ranges));
    DF_TRY(df_necro_begin(saving->writer, "mem.bytes", DF_NECRO_PARTS, 1));
    for (size_t i = 0; i < space->count; i++) {
        const struct df_range *range = &space->ranges[i];
        ranges[i] =
            (struct stored_range){.start = range->start, .end = range->end, .flags = range->flags};
        if (!is_wanted(saving, range))
            continue;
        ranges[i].origin = range->origin;
        ranges[i].first_chunk = chunks;
        chunks += chunks_of(range->start, range->end) + 1;
        DF_TRY(save_range(saving, range));
        DF_TRY(flush(saving));
        DF_PUSH(&saving->chunks, (struct stored_chunk){0});
    }
    DF_TRY(df_necro_end(saving->writer));
    DF_TRY(df_necro_add(saving->writer, "mem.chunks", DF_NECRO_PACKED, saving->chunks.items,
                        sizeof(*saving->chunks.items), saving->chunks.count));
    return df_necro_add(saving->writer, "mem.ranges", DF_NECRO_PACKED, ranges, sizeof(*ranges),
                        space->count);
}

struct df_err *df_memory_save(const struct df_aspace *space, const struct df_memory_filter *filter,
                              struct df_necro_writer *writer)
{
    static const struct df_memory_filter everything = {0};
    struct saving saving = {.space = space,
                            .filter = filter ? filter : &everything,
                            .writer = writer,
                            .room = (size_t)BATCH * df_necro_jobs(writer)};
    for (size_t i = 0; i < space->count; i++)
        if (is_wanted(&saving, &space->ranges[i]))
            saving.total += space->ranges[i].end - space->ranges[i].start;
    saving.blocks = df_xcalloc(saving.room, sizeof(*saving.blocks));
    saving.addresses = df_xcalloc(saving.room, sizeof(*saving.addresses));
    struct df_err *err = save_bytes(&saving);
    free(saving.blocks);
    free(saving.addresses);
    free(saving.chunks.items);
    return err;
}

/* ---- opening ---- */

struct df_memory {
    struct df_backing backing; /* first: bring gets it */
    struct df_necro *necro;
    struct df_aspace *space;
    const struct stored_range *ranges;
    const struct stored_chunk *chunks;
    const uint8_t *bytes;
    uint64_t range_count, chunk_count, byte_count;
    uint8_t *base;
    _Atomic int process; /* whose locks these are */
    struct {
        pthread_mutex_t mutex;
        struct necro_unpacker *unpacker;
    } locks[LOCKS];
};

/* Unreadable until it is there, where the sanitizer looks for who breaks the rule (aspace.h): else
 * the protection of each chunk would be a mapping of its own. */
#ifdef __SANITIZE_ADDRESS__
#define PROTECTION PROT_NONE
#else
#define PROTECTION (PROT_READ | PROT_WRITE)
#endif

/* The range whose chunk it is, or NULL: chunks are in the order of ranges. */
static const struct stored_range *range_of(const struct df_memory *memory, uint64_t chunk)
{
    size_t low = 0, high = memory->range_count;
    const struct stored_range *ret = NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2, at = middle;
        while (at < high && !memory->ranges[at].origin)
            at++; /* without bytes */
        if (at < high && memory->ranges[at].first_chunk <= chunk) {
            ret = &memory->ranges[at];
            low = at + 1;
        } else {
            high = middle;
        }
    }
    return ret && chunk - ret->first_chunk < chunks_of(ret->start, ret->end) ? ret : NULL;
}

static bool unpack(struct df_memory *memory, struct necro_unpacker *unpacker, uint64_t index)
{
    const struct stored_chunk *chunk = &memory->chunks[index];
    const struct stored_range *range = range_of(memory, index);
    if (!range || chunk->offset > memory->byte_count ||
        chunk->stored > memory->byte_count - chunk->offset || chunk->reserved)
        return false;
    uint64_t from = ((range->start >> DF_BACKING_SHIFT) + (index - range->first_chunk))
                    << DF_BACKING_SHIFT;
    uint64_t to = from + CHUNK < range->end ? from + CHUNK : range->end;
    uint8_t *host = memory->base + (index << DF_BACKING_SHIFT);
    if (PROTECTION == PROT_NONE && mprotect(host, CHUNK, PROT_READ | PROT_WRITE))
        return false;
    if (from < range->start) {
        host += range->start - from;
        from = range->start;
    }
    if (necro_checksum(memory->bytes + chunk->offset, chunk->stored) != chunk->checksum &&
        (chunk->stored || chunk->checksum))
        return false;
    return necro_unpack(unpacker, memory->bytes + chunk->offset, chunk->stored, host,
                        (uint32_t)(to - from));
}

static void make_locks(struct df_memory *memory)
{
    for (size_t i = 0; i < LOCKS; i++) {
        pthread_mutex_init(&memory->locks[i].mutex, NULL);
        memory->locks[i].unpacker = NULL;
    }
    atomic_store(&memory->process, getpid());
}

static bool bring(struct df_backing *backing, uint64_t chunk)
{
    struct df_memory *memory = (struct df_memory *)backing;
    _Atomic uint8_t *presence = &backing->presence[chunk];
    size_t lock = chunk % LOCKS;
    /* A child (the emulator's) has one thread, and locks that others may have held when it began.
     */
    if (atomic_load(&memory->process) != getpid())
        make_locks(memory);
    pthread_mutex_lock(&memory->locks[lock].mutex);
    int state = atomic_load_explicit(presence, memory_order_relaxed);
    if (state == DF_BYTES_AWAY) {
        if (!memory->locks[lock].unpacker)
            memory->locks[lock].unpacker = necro_unpacker_create();
        state =
            unpack(memory, memory->locks[lock].unpacker, chunk) ? DF_BYTES_THERE : DF_BYTES_DAMAGED;
        if (state == DF_BYTES_DAMAGED)
            df_err_free(
                df_necro_damaged(memory->necro, "a part of its memory is not as it was written"));
        atomic_store_explicit(presence, (uint8_t)state, memory_order_release);
    }
    pthread_mutex_unlock(&memory->locks[lock].mutex);
    return state == DF_BYTES_THERE;
}

/* Ranges are sorted and disjoint, and so are their chunks, which exist. */
static bool ranges_make_sense(const struct df_memory *memory)
{
    uint64_t last = 0, next_chunk = 0;
    for (uint64_t i = 0; i < memory->range_count; i++) {
        const struct stored_range *range = &memory->ranges[i];
        if (range->start < last || range->end <= range->start ||
            (range->end - 1) >> DF_ADDRESS_BITS || range->origin > DF_FROM_FILE)
            return false;
        last = range->end;
        if (!range->origin)
            continue;
        uint64_t chunks = chunks_of(range->start, range->end);
        if (range->first_chunk < next_chunk || range->first_chunk > memory->chunk_count ||
            chunks > memory->chunk_count - range->first_chunk)
            return false;
        next_chunk = range->first_chunk + chunks;
    }
    return true;
}

static struct df_err *reserve(struct df_memory *memory)
{
    uint64_t size = memory->chunk_count << DF_BACKING_SHIFT;
    DF_TRY(df_array(memory->chunk_count, 1, &memory->backing.presence));
    if (!size)
        return NULL;
    void *base =
        memory->chunk_count >> (DF_ADDRESS_BITS - DF_BACKING_SHIFT)
            ? MAP_FAILED
            : mmap(NULL, size, PROTECTION, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return df_err_new(DF_ERR_NOMEM, "no place for the memory that is in the snapshot");
    memory->base = base;
    memory->backing.base = base;
    return NULL;
}

static struct df_err *make_space(struct df_memory *memory)
{
    struct df_necro *necro = memory->necro;
    DF_TRY(df_necro_section(necro, "mem.ranges", sizeof(*memory->ranges), &memory->ranges,
                            &memory->range_count));
    DF_TRY(df_necro_section(necro, "mem.chunks", sizeof(*memory->chunks), &memory->chunks,
                            &memory->chunk_count));
    DF_TRY(df_necro_section(necro, "mem.bytes", 1, &memory->bytes, &memory->byte_count));
    if (!ranges_make_sense(memory))
        return df_necro_senseless(necro, "mem.ranges");
    DF_TRY(reserve(memory));
    for (uint64_t i = 0; i < memory->range_count; i++) {
        const struct stored_range *range = &memory->ranges[i];
        const uint8_t *host = range->origin
                                  ? memory->base + (range->first_chunk << DF_BACKING_SHIFT) +
                                        (range->start & (CHUNK - 1))
                                  : NULL;
        df_aspace_add(memory->space, range->start, range->end - range->start, host, range->origin,
                      range->flags);
    }
    return df_aspace_seal(memory->space);
}

struct df_err *df_memory_open(struct df_necro *necro, struct df_memory **ret)
{
    struct df_memory *memory = df_xcalloc(1, sizeof(*memory));
    memory->necro = necro;
    memory->backing.bring = bring;
    memory->space = df_aspace_create();
    memory->space->backing = &memory->backing;
    make_locks(memory);
    struct df_err *err = make_space(memory);
    if (err)
        df_memory_close(memory);
    else
        *ret = memory;
    return err;
}

struct df_aspace *df_memory_space(const struct df_memory *memory)
{
    return memory->space;
}

void df_memory_close(struct df_memory *memory)
{
    if (!memory)
        return;
    df_aspace_destroy(memory->space);
    if (memory->base)
        munmap(memory->base, memory->chunk_count << DF_BACKING_SHIFT);
    for (size_t i = 0; i < LOCKS; i++) {
        necro_unpacker_destroy(memory->locks[i].unpacker);
        pthread_mutex_destroy(&memory->locks[i].mutex);
    }
    free((void *)(uintptr_t)memory->backing.presence);
    free(memory);
}
