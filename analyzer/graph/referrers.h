/* SPDX-License-Identifier: MIT
 * referrers.h: who refers to a node: the edges that keep alive, seen from their targets.
 *
 * Rows of differences, in bytes (seven bits each, the eighth: more follow): how many referrers; of
 * rows of at least GR_LONG_ROW, the row's length in bytes, so that it can be passed over; the
 * first referrer less the node, with the sign in the lowest bit; each further one less the one
 * before. Objects that refer to each other lie near each other, so that most differences take one
 * or two bytes where a number takes four. Every 16th row's place is kept. (Boldi and Vigna, "The
 * WebGraph Framework I", WWW 2004, from which this takes the simplest part.)
 */
#ifndef GR_REFERRERS_H
#define GR_REFERRERS_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/algo/csr.h"

#define GR_LONG_ROW 8
#define GR_ROWS 16 /* in a group */

struct gr_reverse {
    uint8_t *bytes;
    uint64_t size;
    uint64_t *group; /* of every GR_ROWS nodes: where their rows begin */
    uint32_t count;  /* nodes */
};

struct df_err *gr_reverse_make(const struct al_csr *graph, struct gr_reverse *ret);
void gr_reverse_deinit(struct gr_reverse *reverse);
/* The same as two arrays, for an algorithm; the caller frees them. */
struct df_err *gr_reverse_csr(const struct gr_reverse *reverse, uint32_t **ret_start,
                              uint32_t **ret_source);

/* The referrers of a node in ascending order, with multiplicity: `left` of them are to come. */
struct gr_referrers {
    const uint8_t *at;
    uint32_t left, last;
    bool begun;
};
struct gr_referrers gr_reverse_row(const struct gr_reverse *reverse, uint32_t node);
/* How many referrers each node has, for one who asks in ascending order: *at is reverse->bytes
 * before the first. */
uint32_t gr_next_row_count(const uint8_t **at);

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
