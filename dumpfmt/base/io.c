/* SPDX-License-Identifier: MIT
 * io.c: mapping an input, and writing an output beside its final name.
 *
 * An output whose target exists and is no regular file (/dev/null, a pipe) is written in place:
 * there is nothing to rename over. A target that is a symbolic link is followed, so that the link
 * survives.
 */
#include "dumpfmt/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dumpfmt/base/mem.h"

static const char *kind_of_file(mode_t mode)
{
    if (S_ISDIR(mode))
        return "a directory";
    if (S_ISFIFO(mode))
        return "a pipe";
    if (S_ISSOCK(mode))
        return "a socket";
    return "a device";
}

static struct df_err *map_file(struct df_file *file)
{
    struct stat status;
    if (fstat(file->fd, &status))
        return df_err_new(DF_ERR_IO, "%s: %s", file->path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return df_err_new(DF_ERR_INPUT, "%s: is %s; give a regular file", file->path,
                          kind_of_file(status.st_mode));
    file->size = (uint64_t)status.st_size;
    if (!file->size)
        return NULL;
    void *data = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, file->fd, 0);
    if (data == MAP_FAILED)
        return df_err_new(DF_ERR_IO, "%s: cannot be mapped: %s", file->path, strerror(errno));
    file->data = data;
    return NULL;
}

struct df_err *df_file_open(const char *path, struct df_file **ret)
{
    /* O_NONBLOCK: a pipe without a writer must be refused, not waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return df_err_new(DF_ERR_IO, "%s: %s", path, strerror(errno));
    return df_file_map(fd, path, ret);
}

struct df_err *df_file_map(int fd, const char *path, struct df_file **ret)
{
    struct df_file *file = df_xcalloc(1, sizeof(*file));
    file->path = df_xstrdup(path);
    file->fd = fd;
    struct df_err *err = map_file(file);
    if (err) {
        df_file_close(file);
        return err;
    }
    *ret = file;
    return NULL;
}

void df_file_close(struct df_file *file)
{
    if (!file)
        return;
    if (file->data)
        munmap((void *)(uintptr_t)file->data, file->size);
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    free(file);
}

static struct df_output *open_outputs;

void df_outputs_remove(void)
{
    for (const struct df_output *output = open_outputs; output; output = output->next)
        if (output->temporary)
            unlink(output->temporary);
}

static void free_output(struct df_output *output)
{
    struct df_output **at = &open_outputs;
    while (*at && *at != output)
        at = &(*at)->next;
    if (*at)
        *at = output->next;
    free(output->path);
    free(output->temporary);
    free(output);
}

/* A new file beside output->path, with the permissions that the umask gives (mkstemp's would be
 * private). */
static struct df_err *create_temporary(struct df_output *output)
{
    for (unsigned attempt = 0;; attempt++) {
        free(output->temporary);
        output->temporary = df_xasprintf("%s.%ld-%u.tmp", output->path, (long)getpid(), attempt);
        int fd = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            output->stream = fdopen(fd, "w");
            if (output->stream)
                return NULL;
            close(fd);
            unlink(output->temporary);
            return df_err_nomem();
        }
        if (errno != EEXIST || attempt == 100)
            return df_err_new(DF_ERR_IO, "%s: cannot be created: %s", output->path,
                              strerror(errno));
    }
}

static struct df_err *open_target(struct df_output *output, const char *path)
{
    struct stat status;
    if (stat(path, &status)) {
        output->path = df_xstrdup(path);
        return create_temporary(output);
    }
    if (S_ISDIR(status.st_mode))
        return df_err_new(DF_ERR_IO, "%s: is a directory; give a file name", path);
    char *real = S_ISREG(status.st_mode) ? realpath(path, NULL) : NULL;
    output->path = real ? real : df_xstrdup(path);
    if (S_ISREG(status.st_mode))
        return create_temporary(output);
    output->stream = fopen(path, "we");
    if (!output->stream)
        return df_err_new(DF_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    return NULL;
}

struct df_err *df_output_open(const char *path, struct df_output **ret)
{
    struct df_output *output = df_xcalloc(1, sizeof(*output));
    output->next = open_outputs;
    open_outputs = output;
    if (!strcmp(path, "-")) {
        output->stream = stdout;
        *ret = output;
        return NULL;
    }
    struct df_err *err = open_target(output, path);
    if (err)
        free_output(output);
    else
        *ret = output;
    return err;
}

struct df_err *df_output_commit(struct df_output *output)
{
    struct df_err *err = NULL;
    const char *name = output->path ? output->path : "standard output";
    bool failed = ferror(output->stream) != 0;
    errno = 0;
    failed |= fflush(output->stream) != 0;
    if (output->path)
        failed |= fclose(output->stream) != 0;
    if (failed)
        err = df_err_new(DF_ERR_IO, "%s: cannot be written: %s", name,
                         errno ? strerror(errno) : "an earlier write failed");
    else if (output->temporary && rename(output->temporary, output->path))
        err = df_err_new(DF_ERR_IO, "%s: cannot be put in place: %s", name, strerror(errno));
    if (err && output->temporary)
        unlink(output->temporary);
    free_output(output);
    return err;
}

void df_output_abandon(struct df_output *output)
{
    if (!output)
        return;
    if (output->path)
        fclose(output->stream);
    if (output->temporary)
        unlink(output->temporary);
    free_output(output);
}
