/* SPDX-License-Identifier: MIT
 * stacks.c: stacks whose threads are gone.
 */
#include "dumpfmt/stacks.h"

#define REACH 16384 /* bytes below the top in which the descriptor lies: it is some 2 KiB large */
#define ALIGNMENT 64
#define SELF 16 /* offset of the descriptor's second pointer to itself */

bool df_is_kept_stack(const struct df_core *core, const struct df_aspace *space,
                      const struct df_segment *segment)
{
    if (core->machine != DF_X86_64 || segment->memory_size < REACH)
        return false;
    uint64_t end = segment->address + segment->memory_size, first, second;
    for (uint64_t at = end - REACH; at + SELF + 8 <= end; at += ALIGNMENT)
        if (df_u64(space, at, &first) && first == at && df_u64(space, at + SELF, &second) &&
            second == at)
            return true;
    return false;
}
