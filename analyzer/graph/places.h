/* SPDX-License-Identifier: MIT
 * places.h: a set of addresses as bits, and the rank of an address in it: the number of a node
 * without hashing, sorting or a table of pairs.
 *
 * Every 8 bytes that the dump has are a place; places ascend with their addresses. A set is a bit a
 * place: 1/64 of the dump's bytes, of which only what lies near objects is ever touched. Ranks (how
 * many members are below) are kept for every 512 bits and, in 9 bits each, for the words within
 * (rank9: Vigna, "Broadword Implementation of Rank/Select Queries", WEA 2008), so that a look-up
 * is one cache line of bits and one of ranks, both of which stay in the cache where a hash table of
 * as many objects would not. The way back, from a rank to its address, starts at the block of each
 * 64th member: nobody needs to keep addresses.
 */
#ifndef GR_PLACES_H
#define GR_PLACES_H

#include "dumpfmt/aspace.h"

#define GR_NO_PLACE UINT64_MAX
#define GR_NO_RANK UINT32_MAX

struct gr_rank { /* of 8 words of bits */
    uint64_t before;
    uint64_t within; /* of words 1 to 7, 9 bits each */
};

struct gr_place_range {
    uint64_t start, end; /* addresses */
    uint64_t first;      /* its first place */
};

struct gr_places {
    const struct df_aspace *space; /* NULL in a graph that was loaded: look-ups search `ranges` */
    uint64_t *first; /* per range of space: its first place; GR_NO_PLACE: it has no bytes */
    struct gr_place_range *ranges; /* those with bytes, ascending */
    uint32_t range_count;
    uint64_t *bits;
    uint64_t words;  /* of bits, a multiple of 8 */
    uint32_t *range; /* per block of 8 words: which of ranges it has; each begins with a block */
    struct gr_rank *ranks; /* per block; NULL until gr_places_rank_all */
    uint32_t *filled;      /* blocks that have members, ascending: filled_count of them; likewise */
    uint32_t *hint; /* which of these members 0, 64, 128, ... are in, and the last one; likewise */
    uint64_t filled_count;
    uint64_t count; /* members; likewise */
};

/* An empty set. `space` is borrowed. */
struct df_err *gr_places_init(struct gr_places *places, const struct df_aspace *space);
void gr_places_deinit(struct gr_places *places);
/* Another set over the same places: bits alone, to be freed. */
struct df_err *gr_places_bits(const struct gr_places *places, uint64_t **ret);
/* Adds up the ranks; the set must not change any more. Returns the number of members. */
struct df_err *gr_places_rank_all(struct gr_places *places, uint64_t *ret_count);

uint64_t gr_place_search(const struct gr_places *places, uint64_t address);

/* The place of an address; GR_NO_PLACE when the dump has no byte there or it is not aligned. */
static inline uint64_t gr_place(const struct gr_places *places, uint64_t address)
{
    const struct df_range *range;

    if (!places->space)
        return gr_place_search(places, address);
    range = df_aspace_range(places->space, address);
    if (!range || !range->host || (address & 7))
        return GR_NO_PLACE;
    return places->first[range - places->space->ranges] + (address / 8 - range->start / 8);
}

/* Ranges in which look-ups ended, for each of some regions of the address space the last one. All
 * zero at first. */
#define GR_NEAR_SHIFT 22
#define GR_NEAR_RANGES 64
struct gr_near_range {
    uint64_t start, size; /* addresses */
    uint64_t base;        /* what is to be added to an address / 8: a place */
    const char *bytes;    /* of start; NULL where they may have to be brought first */
};

/* gr_place of an address that is in none of them, and remembers its range. */
uint64_t gr_place_elsewhere(const struct gr_places *places, struct gr_near_range *near,
                            uint64_t address);

static inline uint64_t gr_place_near(const struct gr_places *places, struct gr_near_range *ranges,
                                     uint64_t address)
{
    struct gr_near_range *near = &ranges[address >> GR_NEAR_SHIFT & (GR_NEAR_RANGES - 1)];

    if (__builtin_expect(address - near->start < near->size && !(address & 7), 1))
        return address / 8 + near->base;
    return gr_place_elsewhere(places, near, address);
}

/* Fetches what lies at an address, if its range is at hand. Inlined at any rate: GCC (12) takes a
 * function that does no more than this for one that does nothing, and drops its calls. */
static inline __attribute__((always_inline)) void gr_fetch_near(const struct gr_near_range *ranges,
                                                                uint64_t address)
{
    const struct gr_near_range *near = &ranges[address >> GR_NEAR_SHIFT & (GR_NEAR_RANGES - 1)];

    if (address - near->start < near->size && near->bytes)
        __builtin_prefetch(near->bytes + (address - near->start));
}

static inline bool gr_bit(const uint64_t *bits, uint64_t place)
{
    return bits[place / 64] >> (place % 64) & 1;
}

static inline void gr_set_bit(uint64_t *bits, uint64_t place)
{
    bits[place / 64] |= UINT64_C(1) << (place % 64);
}

static inline bool gr_places_has(const struct gr_places *places, uint64_t address)
{
    uint64_t place = gr_place(places, address);

    return place != GR_NO_PLACE && gr_bit(places->bits, place);
}

/* Without the instruction, which not every machine of the architecture has. */
static inline uint64_t gr_count_bits(uint64_t word)
{
    word -= word >> 1 & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
    word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return word * UINT64_C(0x0101010101010101) >> 56;
}

/* Members below one. */
static inline uint64_t gr_rank_below(const struct gr_places *places, uint64_t place)
{
    uint64_t word = place / 64;
    const struct gr_rank *rank = &places->ranks[word / 8];
    uint64_t below = rank->before;

    if (word % 8)
        below += rank->within >> 9 * (word % 8 - 1) & 511;
    return below + gr_count_bits(places->bits[word] & ((UINT64_C(1) << (place % 64)) - 1));
}

/* The address of the first byte of a place. */
static inline uint64_t gr_place_address(const struct gr_places *places, uint64_t place)
{
    const struct gr_place_range *range = &places->ranges[places->range[place / 512]];

    return (range->start / 8 + (place - range->first)) * 8;
}

/* The address of the member of a rank, which must be below the count. */
uint64_t gr_places_select(const struct gr_places *places, uint64_t rank);
/* How many members have addresses of at most `address`. */
uint64_t gr_places_up_to(const struct gr_places *places, uint64_t address);

/* The number of a member, GR_NO_RANK when the address is none. */
static inline uint32_t gr_rank(const struct gr_places *places, uint64_t address)
{
    uint64_t place = gr_place(places, address);

    return place != GR_NO_PLACE && gr_bit(places->bits, place)
               ? (uint32_t)gr_rank_below(places, place)
               : GR_NO_RANK;
}

/* Members by address, from the first or from a place on. */
struct gr_place_cursor {
    const struct gr_places *places;
    uint32_t range;
    uint64_t word, end; /* of bits: the one in work, the end of the range's */
    uint64_t left;      /* bits of it that are to come */
    uint64_t base;      /* of the range: the address of place 0, were it in it; may wrap */
};
void gr_places_begin(const struct gr_places *places, struct gr_place_cursor *ret);
void gr_places_begin_at(const struct gr_places *places, uint64_t place,
                        struct gr_place_cursor *ret);
/* Goes to the next word that has members, which are in `left` then; false at the end. */
bool gr_places_next_word(struct gr_place_cursor *cursor);

/* False at the end. Members that are added behind the cursor's place are met. */
static inline bool gr_places_next(struct gr_place_cursor *cursor, uint64_t *ret_address,
                                  uint64_t *ret_place)
{
    uint64_t place;

    if (!cursor->left && !gr_places_next_word(cursor))
        return false;
    place = cursor->word * 64 + (uint64_t)__builtin_ctzll(cursor->left);
    cursor->left &= cursor->left - 1;
    *ret_address = cursor->base + place * 8;
    *ret_place = place;
    return true;
}
/* Passes over `least` members, and those that share a word with the last; how many these were:
 * fewer at the end. */
uint64_t gr_places_pass(struct gr_place_cursor *cursor, uint64_t least);

#endif
