/* SPDX-License-Identifier: MIT
 * spool.h: bytes that come one after another become a mapped, unlinked, sparse file.
 *
 * Blocks of zeros are not written, so that a process's untouched memory costs no disk. A core is
 * private: nobody else can open the file, and it is gone with its last descriptor, also when the
 * program is killed. Private to container.c.
 */
#ifndef DF_SPOOL_H
#define DF_SPOOL_H

#include <stdint.h>

#include "dumpfmt/base/err.h"
#include "dumpfmt/base/io.h"

struct df_spool {
    const char *name; /* of what is spooled, for a person */
    char *directory;
    int fd;
    uint64_t size, limit;
    uint64_t written, room; /* bytes on the disk: so far, and that it may take */
    uint8_t *pending;
    uint64_t pending_size;
};

/* directory: NULL is $TMPDIR, else /var/tmp, else /tmp. `name` must outlive the spool. */
struct df_err *df_spool_open(struct df_spool *spool, const char *name, const char *directory,
                             uint64_t limit);
struct df_err *df_spool_write(struct df_spool *spool, const void *bytes, uint64_t size);
/* Hands the file over, mapped, under the name. */
struct df_err *df_spool_finish(struct df_spool *spool, struct df_file **ret);
/* Frees what there is, also after finish. */
void df_spool_abandon(struct df_spool *spool);

#endif
