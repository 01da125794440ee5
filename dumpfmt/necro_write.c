/* SPDX-License-Identifier: MIT
 * necro_write.c: writing a file of sections, front to back; only the header comes last.
 *
 * Packed sections are collected until there are enough blocks for all threads, compressed together,
 * and written in order: the file does not depend on the number of threads.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "dumpfmt/base/io.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/necro.h"
#include "dumpfmt/necro_format.h"

#define BLOCKS_A_THREAD 4 /* that are collected before they are compressed */

struct df_necro_writer {
    struct df_output *output;
    uint32_t jobs;
    uint64_t at; /* bytes written */
    struct {
        struct necro_entry *items;
        size_t count, capacity;
    } table;
    struct necro_entry *entry; /* the section that is open; NULL */
    XXH3_state_t *checksum;    /* packed: of it, so far; plain: of the part that is not full */
    uint64_t part;             /* plain: bytes of that part */
    struct {
        uint64_t *items;
        size_t count, capacity;
    } sums;            /* plain: of the parts that are full */
    uint8_t *pending;  /* packed: bytes that are not compressed yet */
    size_t held, room; /* of them */
    struct {
        uint32_t *items;
        size_t count, capacity;
    } sizes; /* packed: of the blocks, as stored */
};

static struct df_err *put(struct df_necro_writer *writer, const void *bytes, uint64_t size)
{
    if (size && fwrite(bytes, 1, size, writer->output->stream) != size)
        return df_err_new(DF_ERR_IO, "%s: cannot be written: %s", writer->output->path,
                          strerror(errno));
    writer->at += size;
    return NULL;
}

static struct df_err *align(struct df_necro_writer *writer)
{
    static const uint8_t zeros[NECRO_ALIGNMENT];
    return put(writer, zeros, -writer->at & (NECRO_ALIGNMENT - 1));
}

/* Bytes of the section that is open, as they are to be in the file. */
static struct df_err *put_stored(struct df_necro_writer *writer, const void *bytes, uint64_t size)
{
    writer->entry->stored += size;
    if (size && writer->entry->flags & DF_NECRO_PACKED)
        XXH3_64bits_update(writer->checksum, bytes, size);
    return put(writer, bytes, size);
}

static void end_part(struct df_necro_writer *writer)
{
    DF_PUSH(&writer->sums, XXH3_64bits_digest(writer->checksum));
    XXH3_64bits_reset(writer->checksum);
    writer->part = 0;
}

/* All of it is read before any of it is written (necro_guard.h). */
static struct df_err *write_plain(struct df_necro_writer *writer, const uint8_t *bytes,
                                  uint64_t size)
{
    for (uint64_t at = 0, some; at < size; at += some) {
        some = NECRO_PART - writer->part;
        if (some > size - at)
            some = size - at;
        XXH3_64bits_update(writer->checksum, bytes + at, some);
        writer->part += some;
        if (writer->part == NECRO_PART)
            end_part(writer);
    }
    return put_stored(writer, bytes, size);
}

static struct df_err *end_plain(struct df_necro_writer *writer)
{
    static const uint8_t zeros[8];
    uint64_t size = writer->entry->stored;
    if (writer->part)
        end_part(writer);
    DF_TRY(put_stored(writer, zeros, necro_sums(size) - size));
    writer->entry->checksum =
        necro_checksum(writer->sums.items, writer->sums.count * sizeof(*writer->sums.items));
    return put_stored(writer, writer->sums.items, writer->sums.count * sizeof(*writer->sums.items));
}

struct df_err *df_necro_create(const char *path, uint32_t jobs, struct df_necro_writer **ret)
{
    if (!strcmp(path, "-"))
        return df_err_new(DF_ERR_USAGE, "a snapshot cannot be written to standard output: name a "
                                        "file (-o FILE.necro)");
    struct df_necro_writer *writer = df_xcalloc(1, sizeof(*writer));
    static const struct necro_header later;
    struct df_err *err = df_output_open(path, &writer->output);
    writer->jobs = jobs ? jobs : 1;
    if (!err && !writer->output->temporary)
        err = df_err_new(DF_ERR_USAGE, "%s: is no regular file; a snapshot must be one", path);
    writer->checksum = XXH3_createState();
    if (!err && !writer->checksum)
        err = df_err_nomem();
    if (!err)
        err = put(writer, &later, sizeof(later));
    if (err)
        df_necro_abandon(writer);
    else
        *ret = writer;
    return err;
}

static bool is_taken(const struct df_necro_writer *writer, const char *tag)
{
    for (size_t i = 0; i < writer->table.count; i++)
        if (!strcmp(writer->table.items[i].tag, tag))
            return true;
    return false;
}

struct df_err *df_necro_begin(struct df_necro_writer *writer, const char *tag, uint32_t flags,
                              size_t element)
{
    if (writer->entry || !*tag || strlen(tag) >= DF_NECRO_TAG || !element || element > UINT32_MAX ||
        writer->table.count == NECRO_MAX_SECTIONS || is_taken(writer, tag))
        return df_err_new(DF_ERR_USAGE, "section %s cannot be begun now", tag);
    DF_TRY(align(writer));
    DF_PUSH(
        &writer->table,
        (struct necro_entry){.offset = writer->at, .element = (uint32_t)element, .flags = flags});
    writer->entry = &writer->table.items[writer->table.count - 1];
    memcpy(writer->entry->tag, tag, strlen(tag));
    XXH3_64bits_reset(writer->checksum);
    writer->sizes.count = writer->sums.count = 0;
    writer->held = writer->part = 0;
    return NULL;
}

/* Compresses and writes what is pending. */
static struct df_err *flush_blocks(struct df_necro_writer *writer)
{
    size_t count = (writer->held + NECRO_BLOCK - 1) / NECRO_BLOCK;
    DF_CLEANUP_FREE struct necro_block *blocks = df_xcalloc(count + 1, sizeof(*blocks));
    for (size_t i = 0; i < count; i++) {
        size_t left = writer->held - i * NECRO_BLOCK;
        blocks[i].bytes = writer->pending + i * NECRO_BLOCK;
        blocks[i].size = left < NECRO_BLOCK ? (uint32_t)left : NECRO_BLOCK;
    }
    struct df_err *err = necro_pack(blocks, count, writer->jobs, NULL, NULL);
    for (size_t i = 0; !err && i < count; i++) {
        DF_PUSH(&writer->sizes, necro_stored_size(&blocks[i]));
        err = put_stored(writer, necro_stored(&blocks[i]), necro_stored_size(&blocks[i]));
    }
    necro_release(blocks, count);
    writer->held = 0;
    return err;
}

static struct df_err *write_packed(struct df_necro_writer *writer, const uint8_t *bytes,
                                   uint64_t size)
{
    if (!writer->pending) {
        writer->room = (size_t)BLOCKS_A_THREAD * writer->jobs * NECRO_BLOCK;
        writer->pending = df_xmalloc(writer->room);
    }
    while (size) {
        size_t part = writer->room - writer->held;
        if (part > size)
            part = size;
        memcpy(writer->pending + writer->held, bytes, part);
        writer->held += part;
        bytes += part;
        size -= part;
        if (writer->held == writer->room)
            DF_TRY(flush_blocks(writer));
    }
    return NULL;
}

struct df_err *df_necro_write(struct df_necro_writer *writer, const void *data, uint64_t count)
{
    uint64_t size;
    if (!writer->entry || __builtin_mul_overflow(count, (uint64_t)writer->entry->element, &size))
        return df_err_new(DF_ERR_USAGE, "nothing can be written now");
    writer->entry->count += count;
    if (writer->entry->flags & DF_NECRO_PARTS)
        return put_stored(writer, data, size);
    return writer->entry->flags & DF_NECRO_PACKED ? write_packed(writer, data, size)
                                                  : write_plain(writer, data, size);
}

struct df_err *df_necro_end(struct df_necro_writer *writer)
{
    if (!writer->entry)
        return df_err_new(DF_ERR_USAGE, "no section is open");
    if (writer->entry->flags & DF_NECRO_PACKED) {
        DF_TRY(flush_blocks(writer));
        DF_TRY(put_stored(writer, writer->sizes.items, writer->sizes.count * sizeof(uint32_t)));
        writer->entry->checksum = XXH3_64bits_digest(writer->checksum);
    } else if (!(writer->entry->flags & DF_NECRO_PARTS)) {
        DF_TRY(end_plain(writer));
    }
    writer->entry = NULL;
    return NULL;
}

struct df_err *df_necro_add(struct df_necro_writer *writer, const char *tag, uint32_t flags,
                            const void *data, size_t element, uint64_t count)
{
    DF_TRY(df_necro_begin(writer, tag, flags, element));
    DF_TRY(df_necro_write(writer, data, count));
    return df_necro_end(writer);
}

uint64_t df_necro_size(const struct df_necro_writer *writer)
{
    return writer->at;
}

uint64_t df_necro_section_size(const struct df_necro_writer *writer)
{
    return writer->entry ? writer->entry->stored : 0;
}

uint32_t df_necro_jobs(const struct df_necro_writer *writer)
{
    return writer->jobs;
}

static struct df_err *finish(struct df_necro_writer *writer)
{
    struct necro_header header = {
        .order = NECRO_ORDER,
        .format = DF_NECRO_FORMAT,
        .section_count = (uint32_t)writer->table.count,
        .header_size = sizeof(header),
    };
    uint64_t size = writer->table.count * sizeof(*writer->table.items);
    FILE *stream = writer->output->stream;
    if (writer->entry)
        return df_err_new(DF_ERR_USAGE, "a section is still open");
    DF_TRY(align(writer));
    memcpy(header.magic, NECRO_MAGIC, sizeof(header.magic));
    header.table_offset = writer->at;
    header.table_checksum = necro_checksum(writer->table.items, size);
    DF_TRY(put(writer, writer->table.items, size));
    header.file_size = writer->at;
    header.checksum = necro_checksum(&header, offsetof(struct necro_header, checksum));
    errno = 0;
    if (fseek(stream, 0, SEEK_SET) || fwrite(&header, sizeof(header), 1, stream) != 1 ||
        fflush(stream) || fsync(fileno(stream)))
        return df_err_new(DF_ERR_IO, "%s: cannot be written: %s", writer->output->path,
                          strerror(errno));
    return NULL;
}

struct df_err *df_necro_commit(struct df_necro_writer *writer)
{
    struct df_err *err = finish(writer);
    if (!err)
        err = df_output_commit(DF_TAKE(writer->output));
    df_necro_abandon(writer);
    return err;
}

void df_necro_abandon(struct df_necro_writer *writer)
{
    if (!writer)
        return;
    df_output_abandon(writer->output);
    XXH3_freeState(writer->checksum);
    free(writer->table.items);
    free(writer->pending);
    free(writer->sizes.items);
    free(writer->sums.items);
    free(writer);
}
