/* SPDX-License-Identifier: MIT
 * pool.c: a list of blocks. Small pieces share a block; a large one has its own.
 */
#include "analyzer/findings/pool.h"

#include <stdio.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define BLOCK_BYTES 65536
#define ALIGNMENT 16

struct block {
    struct block *next;
    size_t used, size;
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

struct fi_pool {
    struct block *blocks; /* the one that small pieces come from first */
};

struct fi_pool *fi_pool_create(void)
{
    return df_xcalloc(1, sizeof(struct fi_pool));
}

void fi_pool_destroy(struct fi_pool *pool)
{
    if (!pool)
        return;
    while (pool->blocks) {
        struct block *next = pool->blocks->next;
        free(pool->blocks);
        pool->blocks = next;
    }
    free(pool);
}

static struct block *new_block(size_t size)
{
    struct block *block = df_xcalloc(1, sizeof(*block) + size);
    block->size = size;
    return block;
}

static void *take(struct fi_pool *pool, size_t size)
{
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct block *first = pool->blocks;
    if (first && first->size - first->used >= size) {
        void *piece = first->bytes + first->used;
        first->used += size;
        return piece;
    }
    struct block *block = new_block(size > BLOCK_BYTES / 4 ? size : BLOCK_BYTES);
    block->used = size;
    if (first && size > BLOCK_BYTES / 4) { /* keep the block that still has room in front */
        block->next = first->next;
        first->next = block;
    } else {
        block->next = first;
        pool->blocks = block;
    }
    return block->bytes;
}

void *fi_pool_array(struct fi_pool *pool, size_t count, size_t element)
{
    size_t size;
    if (__builtin_mul_overflow(count ? count : 1, element, &size) || size > SIZE_MAX / 2)
        return df_xcalloc(SIZE_MAX, 2); /* calls the handler */
    return take(pool, size);
}

char *fi_pool_text(struct fi_pool *pool, const char *text)
{
    if (!text)
        return NULL;
    size_t size = strlen(text) + 1;
    return memcpy(take(pool, size), text, size);
}

char *fi_pool_take(struct fi_pool *pool, char *text)
{
    char *copy = fi_pool_text(pool, text);
    free(text);
    return copy;
}

char *fi_pool_format(struct fi_pool *pool, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    return fi_pool_take(pool, length < 0 ? df_xstrdup("") : text);
}
