/* SPDX-License-Identifier: MIT
 * container.h: what a core comes wrapped in: compressed (zstd, lz4, xz, gzip, bzip2, also one in
 * another), in an apport report (Ubuntu's .crash), or in a pipe.
 *
 * The wrapping is told by content, never by name. What is in it is streamed to an unlinked file,
 * with holes where pages are zero, and mapped from there. A plain file is mapped where it is. An
 * input that ends too early, or is damaged from some byte on, gives what came before.
 */
#ifndef DF_CONTAINER_H
#define DF_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "dumpfmt/base/err.h"
#include "dumpfmt/base/io.h"
#include "dumpfmt/base/progress.h"

#define DF_CONTAINER_LIMIT (UINT64_C(1) << 40) /* bytes of an unwrapped core, by default */

struct df_container_options {           /* all may be 0 or NULL */
    uint64_t size_limit;                /* of the unwrapped core; 0: DF_CONTAINER_LIMIT */
    const char *temporary_directory;    /* NULL: $TMPDIR, else /var/tmp, else /tmp */
    const struct df_progress *progress; /* "decompressing the core", in bytes of the input */
};

struct df_container {    /* how it was */
    const char *format;  /* "zstd", "apport report"...; "pipe"; NULL: a plain file */
    bool cut;            /* it ends before its end, or is damaged; what came before is there */
    char *trouble;       /* why, in the words of the decompressor; NULL */
    uint64_t input_size; /* bytes that were read from it; 0 for a plain file */
};

/* Opens `path`; "-" is standard input. The file's path is the one given ("standard input" for "-").
 * DF_ERR_IO, with what to do about it, when it grows beyond the limit or the disk's free space. */
struct df_err *df_container_open(const char *path, const struct df_container_options *options,
                                 struct df_file **ret, struct df_container *ret_how);
void df_container_deinit(struct df_container *how);

#endif
