/* SPDX-License-Identifier: MIT
 * necro_block.c: compressing blocks, on several threads, and unpacking them.
 *
 * Each block is one zstd frame, made from nothing but its own bytes, so that the result does not
 * depend on how many threads there are, and each can be unpacked alone. A block that compression
 * does not make smaller is stored as it is: its stored size is its size.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/necro_format.h"

#define LEVEL                                                                               \
    3 /* of zstd: on memory, 1 gives 2 % more at 1.2 times the speed, 9 gives 4 % less at a \
         seventh */
#define MAX_THREADS 64

uint64_t necro_checksum(const void *bytes, size_t size)
{
    return XXH3_64bits(bytes, size);
}

struct work {
    struct necro_block *blocks;
    size_t count;
    void (*change)(void *context, size_t i, uint8_t *bytes, uint32_t size);
    void *context;
    _Atomic size_t next;
    _Atomic bool failed;
};

struct worker { /* what a thread needs */
    ZSTD_CCtx *context;
    uint8_t *changed, *result;
};

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return !size || (!bytes[0] && !memcmp(bytes, bytes + 1, size - 1));
}

static bool keep(struct necro_block *block, const uint8_t *bytes, size_t size)
{
    block->packed = malloc(size);
    if (!block->packed)
        return false;
    memcpy(block->packed, bytes, size);
    block->packed_size = (uint32_t)size;
    return true;
}

static bool pack_block(const struct work *work, struct worker *worker, size_t i)
{
    struct necro_block *block = &work->blocks[i];
    const uint8_t *bytes = block->bytes;
    if (work->change) {
        memcpy(worker->changed, bytes, block->size);
        work->change(work->context, i, worker->changed, block->size);
        bytes = worker->changed;
    }
    block->zero = is_zero(bytes, block->size);
    if (block->zero)
        return true;
    size_t size = ZSTD_compressCCtx(worker->context, worker->result,
                                    ZSTD_compressBound(block->size), bytes, block->size, LEVEL);
    if (ZSTD_isError(size))
        return false;
    if (size < block->size ? !keep(block, worker->result, size)
                           : bytes != block->bytes && !keep(block, bytes, block->size))
        return false;
    block->checksum = necro_checksum(necro_stored(block), necro_stored_size(block));
    return true;
}

static void *pack_some(void *argument)
{
    struct work *work = argument;
    struct worker worker = {ZSTD_createCCtx(), malloc(NECRO_BLOCK),
                            malloc(ZSTD_compressBound(NECRO_BLOCK))};
    bool good = worker.context && worker.changed && worker.result;
    while (good && !atomic_load_explicit(&work->failed, memory_order_relaxed)) {
        size_t at = atomic_fetch_add_explicit(&work->next, 1, memory_order_relaxed);
        if (at >= work->count)
            break;
        good = pack_block(work, &worker, at);
    }
    if (!good)
        atomic_store(&work->failed, true);
    free(worker.result);
    free(worker.changed);
    ZSTD_freeCCtx(worker.context);
    return NULL;
}

struct df_err *necro_pack(struct necro_block *blocks, size_t count, uint32_t jobs,
                          void (*change)(void *context, size_t i, uint8_t *bytes, uint32_t size),
                          void *context)
{
    struct work work = {.blocks = blocks, .count = count, .change = change, .context = context};
    pthread_t threads[MAX_THREADS];
    uint32_t started = 0;
    while (started + 1 < jobs && started + 1 < count && started < MAX_THREADS &&
           !pthread_create(&threads[started], NULL, pack_some, &work))
        started++;
    pack_some(&work);
    for (uint32_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return work.failed ? df_err_nomem() : NULL;
}

void necro_release(struct necro_block *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(blocks[i].packed);
        blocks[i].packed = NULL;
    }
}

struct necro_unpacker *necro_unpacker_create(void)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    return (struct necro_unpacker *)context;
}

void necro_unpacker_destroy(struct necro_unpacker *unpacker)
{
    ZSTD_freeDCtx((ZSTD_DCtx *)unpacker);
}

bool necro_unpack(struct necro_unpacker *unpacker, const uint8_t *stored, uint32_t stored_size,
                  uint8_t *ret, uint32_t size)
{
    if (!stored_size)
        return true; /* `ret` is zero already */
    if (stored_size == size) {
        memcpy(ret, stored, size);
        return true;
    }
    if (!unpacker || stored_size > size)
        return false;
    return ZSTD_decompressDCtx((ZSTD_DCtx *)unpacker, ret, size, stored, stored_size) == size;
}
