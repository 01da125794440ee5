/* SPDX-License-Identifier: MIT
 * spool.c: see spool.h.
 */
#include "dumpfmt/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "dumpfmt/base/mem.h"

#define BLOCK 4096
#define PENDING (256 * BLOCK)
#define SPARE (UINT64_C(16) << 20) /* bytes of the disk that are left to others */

static int open_unlinked(const char *directory)
{
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    DF_CLEANUP_FREE char *path = df_xasprintf("%s/necropy-XXXXXX", directory);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static const char *default_directory(void)
{
    const char *wanted = getenv("TMPDIR");
    if (wanted && wanted[0])
        return wanted;
    return access("/var/tmp", W_OK) ? "/tmp" : "/var/tmp"; /* /tmp may be memory */
}

struct df_err *df_spool_open(struct df_spool *spool, const char *name, const char *directory,
                             uint64_t limit)
{
    *spool = (struct df_spool){.name = name, .limit = limit, .room = UINT64_MAX};
    spool->directory = df_xstrdup(directory ? directory : default_directory());
    spool->pending = df_xmalloc(PENDING);
    spool->fd = open_unlinked(spool->directory);
    if (spool->fd < 0) {
        struct df_err *err =
            df_err_new(DF_ERR_IO, "%s: no temporary file for it can be made in %s (%s); set TMPDIR",
                       name, spool->directory, strerror(errno));
        df_spool_abandon(spool);
        return err;
    }
    struct statvfs disk;
    if (!fstatvfs(spool->fd, &disk) && disk.f_blocks) {
        uint64_t room;
        if (__builtin_mul_overflow((uint64_t)disk.f_bavail, (uint64_t)disk.f_frsize, &room))
            room = UINT64_MAX;
        spool->room = room > SPARE ? room - SPARE : 0;
    }
    return NULL;
}

static struct df_err *no_room(const struct df_spool *spool)
{
    return df_err_new(DF_ERR_IO,
                      "%s: does not fit, unpacked, into the free space of %s (%llu MiB were "
                      "written); set TMPDIR to a directory with more",
                      spool->name, spool->directory, (unsigned long long)(spool->written >> 20));
}

static struct df_err *write_run(struct df_spool *spool, const uint8_t *bytes, uint64_t size,
                                uint64_t offset)
{
    if (size > spool->room - spool->written)
        return no_room(spool);
    spool->written += size;
    while (size) {
        ssize_t done = pwrite(spool->fd, bytes, size, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && (errno == ENOSPC || errno == EDQUOT))
            return no_room(spool);
        if (done <= 0)
            return df_err_new(DF_ERR_IO, "%s: its temporary file in %s cannot be written: %s",
                              spool->name, spool->directory, strerror(errno));
        bytes += done;
        size -= (uint64_t)done;
        offset += (uint64_t)done;
    }
    return NULL;
}

static bool is_zero(const uint8_t *bytes, uint64_t size)
{
    return !bytes[0] && !memcmp(bytes, bytes + 1, size - 1);
}

/* Writes the runs of blocks that are not zero. */
static struct df_err *flush(struct df_spool *spool)
{
    uint64_t base = spool->size - spool->pending_size, run = 0, at = 0;
    while (at < spool->pending_size) {
        uint64_t left = spool->pending_size - at, size = left < BLOCK ? left : BLOCK;
        if (is_zero(spool->pending + at, size)) {
            if (at > run)
                DF_TRY(write_run(spool, spool->pending + run, at - run, base + run));
            run = at + size;
        }
        at += size;
    }
    if (at > run)
        DF_TRY(write_run(spool, spool->pending + run, at - run, base + run));
    spool->pending_size = 0;
    return NULL;
}

struct df_err *df_spool_write(struct df_spool *spool, const void *bytes, uint64_t size)
{
    const uint8_t *from = bytes;
    if (size > spool->limit - spool->size)
        return df_err_new(DF_ERR_IO,
                          "%s: is larger, unpacked, than the limit of %llu bytes; raise the limit, "
                          "if you trust the file",
                          spool->name, (unsigned long long)spool->limit);
    while (size) {
        uint64_t part = PENDING - spool->pending_size;
        if (part > size)
            part = size;
        memcpy(spool->pending + spool->pending_size, from, part);
        spool->pending_size += part;
        spool->size += part;
        from += part;
        size -= part;
        if (spool->pending_size == PENDING)
            DF_TRY(flush(spool));
    }
    return NULL;
}

struct df_err *df_spool_finish(struct df_spool *spool, struct df_file **ret)
{
    DF_TRY(flush(spool));
    if (ftruncate(spool->fd, (off_t)spool->size)) /* the last blocks may be a hole */
        return df_err_new(DF_ERR_IO, "%s: its temporary file in %s cannot be made that large: %s",
                          spool->name, spool->directory, strerror(errno));
    int fd = spool->fd;
    spool->fd = -1;
    return df_file_map(fd, spool->name, ret);
}

void df_spool_abandon(struct df_spool *spool)
{
    if (spool->fd >= 0)
        close(spool->fd);
    spool->fd = -1;
    free(spool->pending);
    free(spool->directory);
    spool->pending = NULL;
    spool->directory = NULL;
}
