/* SPDX-License-Identifier: MIT
 * necro_format.h: the bytes of a FILE.necro, as README.md specifies them; and the blocks of packed
 * data. Private to necro*.c.
 */
#ifndef DF_NECRO_FORMAT_H
#define DF_NECRO_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dumpfmt/base/err.h"
#include "dumpfmt/necro.h"

/* As PNG's: the first byte is no text, and a transfer that meddles with line ends is noticed. */
#define NECRO_MAGIC "\x89NECRO\r\n"
#define NECRO_ORDER UINT32_C(0x04030201) /* so read: the byte order is little-endian */
#define NECRO_ALIGNMENT UINT64_C(4096)
#define NECRO_MAX_SECTIONS 4096

struct necro_header {
    char magic[8];
    uint32_t order, format;
    uint64_t file_size;
    uint64_t table_offset;
    uint32_t section_count;
    uint32_t header_size;
    uint64_t table_checksum;
    uint64_t reserved[9]; /* 0 */
    uint64_t checksum;    /* of all before it */
};
_Static_assert(sizeof(struct necro_header) == 128, "as specified");

struct necro_entry { /* of the table */
    char tag[DF_NECRO_TAG];
    uint64_t offset;
    uint64_t stored; /* bytes in the file */
    uint64_t count;
    uint32_t element;  /* bytes */
    uint32_t flags;    /* enum df_necro_flag */
    uint64_t checksum; /* packed: of the stored bytes; plain: of the checksums of its parts; 0 with
                          DF_NECRO_PARTS */
    uint64_t reserved; /* 0 */
};
_Static_assert(sizeof(struct necro_entry) == 64, "as specified");

/* ---- parts: pieces of a plain section that have checksums of their own, which stand behind it */

#define NECRO_PART UINT64_C(65536)

static inline uint64_t necro_parts(uint64_t size)
{
    return size / NECRO_PART + (size % NECRO_PART != 0);
}
/* Where the checksums of a section of so many bytes are, from its beginning; and where they end. */
static inline uint64_t necro_sums(uint64_t size)
{
    return (size + 7) & ~UINT64_C(7);
}
static inline uint64_t necro_plain(uint64_t size)
{
    return necro_sums(size) + necro_parts(size) * 8;
}

/* ---- blocks: pieces of data that are compressed one by one (necro_block.c) ---- */

#define NECRO_BLOCK                                                               \
    (UINT32_C(1) << 20) /* of a packed section, unpacked; its last one is shorter \
                         */

struct necro_block {
    const uint8_t *bytes; /* what is to be compressed, until the result is taken */
    uint32_t size;        /* at most NECRO_BLOCK */
    uint8_t *packed;      /* malloc'ed; NULL: stored as it is, since compression gains nothing */
    uint32_t packed_size;
    uint64_t checksum; /* of what is stored */
    bool zero;         /* all bytes are 0: nothing is stored */
};

/* What is stored of a block. */
static inline const uint8_t *necro_stored(const struct necro_block *block)
{
    return block->packed ? block->packed : block->bytes;
}
static inline uint32_t necro_stored_size(const struct necro_block *block)
{
    return block->zero ? 0 : block->packed ? block->packed_size : block->size;
}

/* Compresses the blocks with at most `jobs` threads. The same bytes give the same result, whatever
 * jobs is. `change` (may be NULL) gets a copy of the i-th block's bytes first, in any thread, and
 * changes it as it likes. */
struct df_err *necro_pack(struct necro_block *blocks, size_t count, uint32_t jobs,
                          void (*change)(void *context, size_t i, uint8_t *bytes, uint32_t size),
                          void *context);
/* Frees the results. */
void necro_release(struct necro_block *blocks, size_t count);

/* Unpacks into exactly `size` bytes at ret, which are all 0 before; false when it is none that
 * necro_pack made. */
struct necro_unpacker;
struct necro_unpacker *necro_unpacker_create(void);
void necro_unpacker_destroy(struct necro_unpacker *unpacker); /* NULL is allowed */
bool necro_unpack(struct necro_unpacker *unpacker, const uint8_t *stored, uint32_t stored_size,
                  uint8_t *ret, uint32_t size);

uint64_t necro_checksum(const void *bytes, size_t size);

#endif
