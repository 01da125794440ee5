/* SPDX-License-Identifier: MIT
 * necro_guard.h: sections that are checked where they are touched. Private to necro*.c.
 *
 * A section of gigabytes of which a question needs a hundred places is not worth reading whole. It
 * is mapped so that nothing of it can be read; the first read of a part (NECRO_PART) faults, and
 * the handler of the fault checks that part, by its own checksum, and lets it be read. So nothing
 * is read before it was checked, whoever reads it. (Appel and Li, "Virtual Memory Primitives for
 * User Programs", ASPLOS 1991.)
 *
 * A fault has no way to fail: a part that is damaged ends the process (df_necro_check_late). The
 * kernel does not fault for us: what is given to a system call must have been read before.
 */
#ifndef DF_NECRO_GUARD_H
#define DF_NECRO_GUARD_H

#include "dumpfmt/base/io.h"
#include "dumpfmt/necro_format.h"

struct necro_guard;

/* The elements of a plain section, whose row and checksums are known to be right. `damaged` is
 * called for a part that is not as it was written, and must not return. NULL when it cannot be
 * mapped so: the section has to be checked whole. */
struct necro_guard *necro_guard(const struct df_file *file, const struct necro_entry *entry,
                                void (*damaged)(void *context, const char *tag), void *context,
                                const uint8_t **ret);
void necro_unguard(struct necro_guard *guard); /* NULL is allowed */

#endif
