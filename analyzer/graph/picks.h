/* SPDX-License-Identifier: MIT
 * picks.h: the nodes of some types with their addresses, a batch at a time.
 *
 * Who wants few types of many looks at the column of types, which is read ahead by the machine, and
 * never at the rest; and as a batch is known before any of it is read, its bytes can be asked for
 * in advance. Private to this folder.
 */
#ifndef GR_PICKS_H
#define GR_PICKS_H

#include "analyzer/graph/graph.h"

#define GR_PICKS 128

struct gr_pick {
    uint64_t address;
    uint32_t node, type;
};

struct gr_picks {
    const struct gr_graph *graph;
    const uint8_t *wanted;  /* per type; what changes in it counts from the next batch on */
    const uint16_t *narrow; /* the types, when all have 16 bits; else NULL */
    struct gr_place_cursor place;
    uint32_t next, end;                 /* nodes */
    uint32_t count;                     /* of the batch */
    struct gr_pick items[GR_PICKS + 1]; /* the last one: scratch */
};

/* Of nodes [first, end), as far as there are any. */
void gr_picks_begin(struct gr_picks *picks, const struct gr_graph *graph, const uint8_t *wanted,
                    uint64_t first, uint64_t end);
/* The next batch, by ascending nodes; false when there is none. */
bool gr_picks_next(struct gr_picks *picks);
/* The bytes of an object that will be read when the batch is known, or NULL; asked for already. */
static inline const uint8_t *gr_fetch(const struct df_aspace *space, uint64_t address,
                                      uint64_t size)
{
    const uint8_t *bytes = df_ptr(space, address, size);

    if (bytes) {
        __builtin_prefetch(bytes);
        __builtin_prefetch(bytes + size - 1);
    }
    return bytes;
}

#endif
