/* SPDX-License-Identifier: MIT
 * stacks.h: memory of stacks whose threads are gone: glibc keeps them for the next thread.
 */
#ifndef DF_STACKS_H
#define DF_STACKS_H

#include "dumpfmt/aspace.h"
#include "dumpfmt/core.h"

/* Whether a segment ends as a stack that glibc made: with a thread's descriptor, whose first and
 * third word are its own address (tcbhead_t, sysdeps/x86_64/nptl/tls.h; the descriptor lies at the
 * top of the mapping, nptl/allocatestack.c). x86-64 only: elsewhere false. */
bool df_is_kept_stack(const struct df_core *core, const struct df_aspace *space,
                      const struct df_segment *segment);

#endif
