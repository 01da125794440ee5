/* SPDX-License-Identifier: MIT
 * ctype_cache.c: see ctype_cache.h.
 */
#include "dumpfmt/ctype_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dumpfmt/base/io.h"
#include "dumpfmt/base/mem.h"

/* A cache file of a build-id, malloc'ed; NULL when it is none: it becomes part of a path. */
static char *cache_path(const char *directory, const char *build_id, const char *suffix)
{
    size_t length = strlen(build_id);
    if (length < 2 || length >= DF_CT_BUILD_ID ||
        strspn(build_id, "0123456789abcdefABCDEF") != length)
        return NULL;
    return df_xasprintf("%s/%s.%s", directory, build_id, suffix);
}

/* All of a regular file in a malloc'ed block. Read, not mapped: another process may cut it short.
 */
static void *read_all(const char *path, uint64_t *ret_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    struct stat status;
    char *block = NULL;
    uint64_t done = 0, bytes = 0;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
        status.st_size <= DF_CT_MAX_IMAGE) {
        bytes = (uint64_t)status.st_size;
        block = malloc(bytes);
    }
    while (block && done < bytes) {
        ssize_t got = read(fd, block + done, bytes - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        done += (uint64_t)got;
    }
    close(fd);
    if (block && done < bytes) {
        free(block);
        block = NULL;
    }
    *ret_bytes = bytes;
    return block;
}

void *df_ct_cache_read(const char *directory, const char *build_id, const char *suffix,
                       uint64_t *ret_bytes)
{
    DF_CLEANUP_FREE char *path = cache_path(directory, build_id, suffix);
    return path ? read_all(path, ret_bytes) : NULL;
}

bool df_ct_cache_load(const char *directory, const char *build_id, uint64_t source,
                      struct df_ct_table *ret)
{
    uint64_t bytes = 0;
    void *block = df_ct_cache_read(directory, build_id, "ctypes", &bytes);
    struct df_ct_table table;
    if (!block || !df_ct_table_adopt(block, bytes, &table))
        return false;
    if (table.image->source != source || strcmp(table.image->build_id, build_id) != 0) {
        df_ct_table_deinit(&table);
        return false;
    }
    *ret = table;
    return true;
}

/* The directory and its parent: ~/.cache need not exist either. */
static void make_directory(const char *directory)
{
    DF_CLEANUP_FREE char *parent = df_xstrdup(directory);
    char *slash = strrchr(parent, '/');
    if (slash && slash != parent) {
        *slash = 0;
        mkdir(parent, 0700);
    }
    mkdir(directory, 0700);
}

static struct df_err *write_block(const char *path, const void *block, uint64_t bytes)
{
    struct df_output *output;
    DF_TRY(df_output_open(path, &output));
    fwrite(block, 1, bytes, output->stream); /* the commit checks */
    return df_output_commit(output);
}

void df_ct_cache_write(const char *directory, const char *build_id, const char *suffix,
                       const void *block, uint64_t bytes)
{
    DF_CLEANUP_FREE char *path = cache_path(directory, build_id, suffix);
    if (!path)
        return;
    make_directory(directory);
    df_err_free(write_block(path, block, bytes));
}

void df_ct_cache_store(const char *directory, const char *build_id, uint64_t source,
                       struct df_ct_table *table)
{
    if (strlen(build_id) >= sizeof(table->image->build_id))
        return;
    memcpy(table->image->build_id, build_id, strlen(build_id) + 1);
    table->image->source = source;
    df_ct_table_seal(table);
    df_ct_cache_write(directory, build_id, "ctypes", table->image, table->bytes);
}
