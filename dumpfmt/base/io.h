/* SPDX-License-Identifier: MIT
 * io.h: files of the host: a read-only mapping of an input, and an output that is never left half
 * written (it is made beside its target and renamed when complete).
 */
#ifndef DF_BASE_IO_H
#define DF_BASE_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "dumpfmt/base/err.h"

struct df_file {
    char *path;
    const uint8_t *data; /* NULL when size is 0 */
    uint64_t size;       /* bytes */
    int fd;              /* kept open, read-only; -1 when its user has closed it */
};

/* Maps a regular file privately, read-only. Refuses directories and the like with a sentence. */
struct df_err *df_file_open(const char *path, struct df_file **ret);
/* The same of what is open; takes the descriptor over, whatever happens. */
struct df_err *df_file_map(int fd, const char *path, struct df_file **ret);
void df_file_close(struct df_file *file); /* NULL is allowed */

struct df_output {
    FILE *stream; /* write here */
    char *path;   /* final name; NULL for standard output */
    char *temporary;
    struct df_output *next; /* that is open too */
};

/* Opens `path` ("-" is standard output) for writing beside its final name. */
struct df_err *df_output_open(const char *path, struct df_output **ret);
/* Flushes, checks every write, renames. Consumes `output` whatever happens; on failure nothing is
 * left behind. */
struct df_err *df_output_commit(struct df_output *output);
/* Gives up: removes the temporary file. NULL is allowed. */
void df_output_abandon(struct df_output *output);
/* Removes all temporary files, for a process that ends at once, wherever it is. Outputs are opened
 * and closed by one thread. */
void df_outputs_remove(void);

#endif
