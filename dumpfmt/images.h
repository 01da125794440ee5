/* SPDX-License-Identifier: MIT
 * images.h: ELF files found by their headers in the core's memory, for cores that have neither
 * NT_FILE nor a whole list of the dynamic linker. Private to module.c.
 *
 * What is in memory gives the build-id and, when .dynamic and .dynstr were dumped, the soname; the
 * file is then looked for in the usual places under that name, and taken by its build-id.
 */
#ifndef DF_IMAGES_H
#define DF_IMAGES_H

#include "dumpfmt/link_map.h"

/* Appends what begins at the start of a segment, is an executable or library, and is not in the
 * list. `path` is the soname, without a directory, or "". */
void df_find_images(const struct df_core *core, struct df_loaded_list *list);

#endif
