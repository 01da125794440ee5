/* SPDX-License-Identifier: MIT
 * container.c: a source (the file or pipe, or the base64 lines of an apport report) is drained,
 * through libarchive's decompressors where it is compressed, into a sparse unlinked file.
 *
 * Only the five formats that core files are stored in are switched on: for some others libarchive
 * would start a program. Its "raw" format makes whatever comes out one file.
 */
#include "dumpfmt/container.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dumpfmt/apport.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/spool.h"

#define PHASE "decompressing the core"
#define PIECE 65536
#define ENOUGH 16 /* bytes that tell every format */

struct source {
    int fd;
    const char *name; /* for a person */
    uint64_t total, done;
    const struct df_progress *progress;
    uint8_t *bytes; /* PIECE; what was read and not yet given away */
    size_t size;
    bool ended;
    int error;                /* errno of a failed read */
    struct df_apport *apport; /* NULL: the bytes are handed on as they are */
    uint8_t *decoded;         /* PIECE: what apport made of them */
    size_t held;              /* of them, not given away yet */
};

/* Reads until `least` bytes are there, or no more come. */
static void fill(struct source *source, size_t least)
{
    while (source->size < least && !source->ended) {
        ssize_t got = read(source->fd, source->bytes + source->size, PIECE - source->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            source->error = errno;
        if (got <= 0)
            source->ended = true;
        else
            source->size += (size_t)got;
        source->done += got > 0 ? (uint64_t)got : 0;
    }
    df_progress(source->progress, PHASE, source->done, source->total);
}

/* The next bytes; 0 at the end. They live until the next call. */
static size_t take(struct source *source, const uint8_t **ret)
{
    if (source->held) {
        size_t size = source->held;
        source->held = 0;
        *ret = source->decoded;
        return size;
    }
    for (;;) {
        fill(source, 1);
        size_t size = source->size;
        source->size = 0;
        *ret = source->bytes;
        if (!source->apport || !size)
            return size;
        size = df_apport_decode(source->apport, source->bytes, size, source->decoded);
        *ret = source->decoded;
        if (size)
            return size;
        if (df_apport_done(source->apport))
            return 0;
    }
}

static la_ssize_t feed(struct archive *archive, void *context, const void **ret)
{
    struct source *source = context;
    const uint8_t *bytes;
    size_t size = take(source, &bytes);
    if (source->error) {
        archive_set_error(archive, source->error, "%s", strerror(source->error));
        return ARCHIVE_FATAL;
    }
    *ret = bytes;
    return (la_ssize_t)size;
}

/* ---- what it is ---- */

static const char *compression_of(const uint8_t *bytes, size_t size)
{
    static const struct {
        uint8_t size, bytes[6];
        const char *name;
    } formats[] = {
        {4, {0x28, 0xb5, 0x2f, 0xfd}, "zstd"},
        {2, {0x1f, 0x8b}, "gzip"},
        {6, {0xfd, '7', 'z', 'X', 'Z', 0}, "xz"},
        {4, {0x04, 0x22, 0x4d, 0x18}, "lz4"},
        {4, {0x02, 0x21, 0x4c, 0x18}, "lz4"}, /* of before 2013, and the Linux kernel's */
        {3, {'B', 'Z', 'h'}, "bzip2"},
    };
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
        if (size >= formats[i].size && !memcmp(bytes, formats[i].bytes, formats[i].size))
            return formats[i].name;
    /* A skippable frame may come first; zstd and lz4 share its magics. */
    if (size >= 4 && (bytes[0] & 0xf0) == 0x50 && !memcmp(bytes + 1, "\x2a\x4d\x18", 3))
        return "zstd";
    return NULL;
}

/* ---- from the source to the spool ---- */

static struct df_err *copy_plain(struct source *source, struct df_spool *spool)
{
    const uint8_t *bytes;
    for (size_t size; (size = take(source, &bytes)) > 0;)
        DF_TRY(df_spool_write(spool, bytes, size));
    if (source->error)
        return df_err_new(DF_ERR_IO, "%s: %s", source->name, strerror(source->error));
    return NULL;
}

static struct archive *new_reader(struct source *source)
{
    struct archive *archive = archive_read_new();
    if (!archive)
        return NULL;
    archive_read_support_filter_gzip(archive);
    archive_read_support_filter_bzip2(archive);
    archive_read_support_filter_xz(archive);
    archive_read_support_filter_lz4(archive);
    archive_read_support_filter_zstd(archive);
    archive_read_support_format_raw(archive);
    archive_read_support_format_empty(archive);
    archive_read_set_read_callback(archive, feed);
    archive_read_set_callback_data(archive, source);
    return archive;
}

/* The whole of it, or until trouble comes: `*ret_status` is libarchive's last. */
static struct df_err *drain(struct archive *archive, struct df_spool *spool, int *ret_status)
{
    struct archive_entry *entry;
    int status = archive_read_open1(archive);
    if (status >= ARCHIVE_WARN)
        status = archive_read_next_header(archive, &entry);
    while (status >= ARCHIVE_WARN && status != ARCHIVE_EOF) {
        const void *bytes;
        size_t size;
        la_int64_t offset; /* raw has no holes: always where the last block ended */
        status = archive_read_data_block(archive, &bytes, &size, &offset);
        if (status >= ARCHIVE_WARN && status != ARCHIVE_EOF)
            DF_TRY(df_spool_write(spool, bytes, size));
    }
    *ret_status = status;
    return NULL;
}

static struct df_err *decompress(struct source *source, struct df_spool *spool,
                                 struct df_container *how)
{
    struct archive *archive = new_reader(source);
    if (!archive)
        return df_err_nomem();
    int status = ARCHIVE_OK;
    struct df_err *err = drain(archive, spool, &status);
    if (!err && status < ARCHIVE_WARN) {
        const char *why = archive_error_string(archive);
        how->cut = true;
        how->trouble = df_xstrdup(why ? why : "damaged");
        if (!spool->size)
            err = df_err_new(DF_ERR_INPUT,
                             "%s: nothing in it can be decompressed (%s); get a "
                             "whole file",
                             source->name, how->trouble);
    }
    archive_read_free(archive);
    return err;
}

static struct df_err *start_apport(struct source *source, struct df_container *how)
{
    how->format = "apport report";
    source->apport = df_apport_create();
    source->decoded = df_xmalloc(PIECE);
    /* Reads over everything in front of the core. */
    const uint8_t *bytes;
    source->held = take(source, &bytes);
    if (!source->held)
        return df_err_new(DF_ERR_INPUT,
                          "%s: is an apport report without a core in it (no field "
                          "CoreDump); give the core file",
                          source->name);
    return NULL;
}

static struct df_err *unwrap(struct source *source, const struct df_container_options *options,
                             struct df_file **ret, struct df_container *how)
{
    bool report = df_apport_is(source->bytes, source->size);
    how->format = report ? NULL : compression_of(source->bytes, source->size);
    bool compressed = report || how->format;
    if (report)
        DF_TRY(start_apport(source, how));
    else if (!how->format)
        how->format = "pipe";
    struct df_spool spool;
    DF_TRY(df_spool_open(&spool, source->name, options->temporary_directory,
                         options->size_limit ? options->size_limit : DF_CONTAINER_LIMIT));
    struct df_err *err = compressed ? decompress(source, &spool, how) : copy_plain(source, &spool);
    how->input_size = source->done;
    if (!err)
        err = df_spool_finish(&spool, ret);
    df_spool_abandon(&spool);
    return err;
}

/* ---- opening ---- */

/* Maps what is open already: a plain file on standard input. */
static struct df_err *map_input(int fd, const char *name, struct df_file **ret)
{
    struct stat status;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0 || fstat(own, &status)) {
        struct df_err *err = df_err_new(DF_ERR_IO, "%s: %s", name, strerror(errno));
        if (own >= 0)
            close(own);
        return err;
    }
    return df_file_map(own, name, ret);
}

/* Whether the input can be mapped as it is: a regular file that is not wrapped. */
static bool is_plain(int fd, const struct stat *status)
{
    uint8_t head[ENOUGH];
    if (!S_ISREG(status->st_mode) || lseek(fd, 0, SEEK_CUR) != 0)
        return false;
    ssize_t size = pread(fd, head, sizeof(head), 0);
    return size <= 0 || (!compression_of(head, (size_t)size) && !df_apport_is(head, (size_t)size));
}

static struct df_err *open_input(int fd, const char *name,
                                 const struct df_container_options *options, struct df_file **ret,
                                 struct df_container *how)
{
    struct stat status;
    if (fstat(fd, &status))
        return df_err_new(DF_ERR_IO, "%s: %s", name, strerror(errno));
    if (S_ISDIR(status.st_mode) || S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode) ||
        is_plain(fd, &status))
        return map_input(fd, name, ret); /* refuses what is no file */
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK))
        fcntl(fd, F_SETFL, flags & ~O_NONBLOCK); /* a pipe without a writer has ended, then */
    struct source source = {
        .fd = fd,
        .name = name,
        .total = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0,
        .progress = options->progress,
        .bytes = df_xmalloc(PIECE),
    };
    fill(&source, ENOUGH);
    struct df_err *err = unwrap(&source, options, ret, how);
    df_apport_destroy(source.apport);
    free(source.decoded);
    free(source.bytes);
    return err;
}

struct df_err *df_container_open(const char *path, const struct df_container_options *options,
                                 struct df_file **ret, struct df_container *ret_how)
{
    static const struct df_container_options defaults = {0};
    struct df_container how = {0};
    struct df_err *err;
    if (!options)
        options = &defaults;
    if (!strcmp(path, "-")) {
        err = open_input(STDIN_FILENO, "standard input", options, ret, &how);
    } else {
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
            return df_err_new(DF_ERR_IO, "%s: %s", path, strerror(errno));
        err = open_input(fd, path, options, ret, &how);
        close(fd);
    }
    if (err)
        df_container_deinit(&how);
    else
        *ret_how = how;
    return err;
}

void df_container_deinit(struct df_container *how)
{
    free(how->trouble);
    *how = (struct df_container){0};
}
