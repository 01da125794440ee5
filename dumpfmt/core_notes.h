/* SPDX-License-Identifier: MIT
 * core_notes.h: the notes of a core, into struct df_core. Private to core.c.
 */
#ifndef DF_CORE_NOTES_H
#define DF_CORE_NOTES_H

#include <libelf.h>

#include "dumpfmt/core.h"

/* Reads one PT_NOTE segment. Notes that are damaged, cut off or unknown are passed over. */
void df_core_read_notes(struct df_core *core, Elf *elf, uint64_t offset, uint64_t size);
/* After the last one: what follows from several notes. */
void df_core_finish_notes(struct df_core *core);

#endif
