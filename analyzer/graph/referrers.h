/* SPDX-License-Identifier: MIT
 * referrers.h: who refers to a node: the edges that keep alive, seen from their targets.
 *
 * How many they are is a column (column.h); who they are, rows of differences in bytes (seven bits
 * each, the eighth: more follow): of rows of at least GR_LONG_ROW, the row's length in bytes, so
 * that it can be passed over; the first referrer less the node, with the sign in the lowest bit;
 * each further one less the one before. Objects that refer to each other lie near each other, so
 * that most differences take one or two bytes where a number takes four. Every 16th row's place is
 * kept. (Boldi and Vigna, "The WebGraph Framework I", WWW 2004, from which this takes the simplest
 * part.)
 *
 * The counts are enough for reference counts, roots and the trunk; the rows, which only questions
 * ask for, are made when the memory of the analysis is free again.
 */
#ifndef GR_REFERRERS_H
#define GR_REFERRERS_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/algo/csr.h"
#include "analyzer/graph/column.h"

#define GR_LONG_ROW 8
#define GR_ROWS 16 /* in a group */

struct gr_reverse {
    struct gr_column counts; /* referrers, with multiplicity, per node */
    uint8_t *bytes;          /* NULL until the rows are made */
    uint64_t size;
    uint64_t *group; /* of every GR_ROWS nodes: where their rows begin */
    uint32_t count;  /* nodes */
};

/* First the counts alone. */
struct df_err *gr_reverse_count(const struct al_csr *graph, struct gr_reverse *ret);
/* Then the rows. jobs: threads that may be used; scratch: 4 bytes for each edge and each node of
 * the part, an eighth of all, that each thread has in work. */
struct df_err *gr_reverse_fill(const struct al_csr *graph, uint32_t jobs,
                               struct gr_reverse *reverse);
void gr_reverse_deinit(struct gr_reverse *reverse);

/* The referrers of a node in ascending order, with multiplicity: `left` of them are to come. */
struct gr_referrers {
    const uint8_t *at;
    uint32_t left, last;
    bool begun;
};
struct gr_referrers gr_reverse_row(const struct gr_reverse *reverse, uint32_t node);

static inline uint64_t gr_get_varint(const uint8_t **at)
{
    uint64_t value = **at & 127;

    for (unsigned shift = 7; *(*at)++ & 128; shift += 7)
        value |= (uint64_t)(**at & 127) << shift;
    return value;
}

static inline bool gr_next_referrer(struct gr_referrers *referrers, uint32_t *ret)
{
    uint64_t difference;

    if (!referrers->left)
        return false;
    referrers->left--;
    difference = gr_get_varint(&referrers->at);
    if (referrers->begun)
        referrers->last += (uint32_t)difference;
    else
        referrers->last += (uint32_t)(difference >> 1) ^ -(uint32_t)(difference & 1);
    referrers->begun = true;
    *ret = referrers->last;
    return true;
}

#endif
