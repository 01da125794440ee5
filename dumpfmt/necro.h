/* SPDX-License-Identifier: MIT
 * necro.h: a file of sections (FILE.necro): what a snapshot of a dump is kept in.
 *
 * A header, sections, and at the end the table of them. A section is an array of elements of one
 * size, found by its tag ("graph.start"). Plain sections are mapped and used in place; packed ones
 * are compressed in blocks and unpacked at their first use. Everything has a checksum (XXH3-64):
 * header and table are checked when the file is opened, a section when it is first asked for, or
 * (df_necro_check_late) each part of it when it is first read, so that a question which needs
 * little pays for little. Nothing is used before it was checked.
 *
 * Written under another name, in one go, and renamed when complete: nobody ever sees half a file,
 * and a write that fails leaves nothing. README.md specifies the format byte by byte. What is in
 * the sections is their writers' business; this layer knows none of them.
 */
#ifndef DF_NECRO_H
#define DF_NECRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dumpfmt/base/err.h"
#include "dumpfmt/base/io.h"

#define DF_NECRO_FORMAT 2 /* of the file: readers refuse every other one */
#define DF_NECRO_TAG 16   /* bytes of a tag with its NUL: letters, digits, '.', '-', '_' */

enum df_necro_flag {
    DF_NECRO_PACKED = 1, /* compressed (zstd), in blocks; unpacked whole at the first use */
    DF_NECRO_PARTS = 2,  /* its parts have checksums of their own, which its reader checks: the
                            section has none, and is given as it is */
};

/* ---- reading ---- */

struct df_necro;

/* Whether a file that begins with these bytes is one, whatever its version or damage. */
bool df_necro_is(const uint8_t *bytes, size_t size);
/* Checks header and table of a mapped file, which must outlive `*ret`. A file that is not as it was
 * written is refused with "PATH: this snapshot is damaged: ..."; so is one of another version. */
struct df_err *df_necro_open(const struct df_file *file, struct df_necro **ret);
void df_necro_close(struct df_necro *necro); /* NULL is allowed */

/* From now on, large plain sections are checked part by part, each when it is first read. Nobody
 * who reads them can be told then: `give_up` is called, in whatever thread it is and amidst of
 * whatever this one does with the section, when df_necro_damage has a sentence; it must end the
 * process. What system calls are to read must have been read before. */
void df_necro_check_late(struct df_necro *necro, void (*give_up)(void));

bool df_necro_has(const struct df_necro *necro, const char *tag);
/* The elements of a section, `element` bytes each, valid until df_necro_close. Checks (and unpacks)
 * at the first call for it; threads may call at once. Plain sections are aligned to 4096 bytes,
 * packed ones to 16. Never NULL on success, also when *ret_count is 0. Errors: there is no such
 * section (DF_ERR_MISSING); its elements have another size, or it is damaged (DF_ERR_INPUT). */
struct df_err *df_necro_section(struct df_necro *necro, const char *tag, size_t element, void *ret,
                                uint64_t *ret_count);
/* The same for a section that may be missing: NULL and 0 then. */
struct df_err *df_necro_optional(struct df_necro *necro, const char *tag, size_t element, void *ret,
                                 uint64_t *ret_count);
/* What was found damaged first, a sentence as of an error; NULL when nothing was, so far. For
 * readers that cannot fail, which go on without; children of this process share it. */
const char *df_necro_damage(const struct df_necro *necro);
/* Says what is damaged, a clause: remembers it, and gives the error, to be passed up or freed. */
struct df_err *df_necro_damaged(struct df_necro *necro, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct df_err *df_necro_senseless(struct df_necro *necro, const char *tag);

/* ---- writing ---- */

struct df_necro_writer;

/* `path` must name a file, not "-": its header is written last. At most `jobs` threads compress. */
struct df_err *df_necro_create(const char *path, uint32_t jobs, struct df_necro_writer **ret);
/* A whole section. Tags are unique; data may be NULL when count is 0. */
struct df_err *df_necro_add(struct df_necro_writer *writer, const char *tag, uint32_t flags,
                            const void *data, size_t element, uint64_t count);
/* A section in pieces: begin, any number of writes, end. One section at a time. */
struct df_err *df_necro_begin(struct df_necro_writer *writer, const char *tag, uint32_t flags,
                              size_t element);
struct df_err *df_necro_write(struct df_necro_writer *writer, const void *data, uint64_t count);
struct df_err *df_necro_end(struct df_necro_writer *writer);
/* Bytes of the file so far; of the section that is being written, so far. */
uint64_t df_necro_size(const struct df_necro_writer *writer);
uint64_t df_necro_section_size(const struct df_necro_writer *writer);
uint32_t df_necro_jobs(const struct df_necro_writer *writer);
/* Writes table and header, sees to it that all is on the disk, renames. Consumes `writer` whatever
 * happens; on failure nothing is left behind. */
struct df_err *df_necro_commit(struct df_necro_writer *writer);
void df_necro_abandon(struct df_necro_writer *writer); /* NULL is allowed */

#endif
