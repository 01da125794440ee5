/* SPDX-License-Identifier: MIT
 * places.c: see places.h. Every range begins with a block of its own.
 */
#include "analyzer/graph/places.h"

#include <stdlib.h>

#include "dumpfmt/base/mem.h"

#define BLOCK UINT64_C(512) /* places */

static uint64_t places_of(uint64_t start, uint64_t end)
{
    return (end - 1) / 8 - start / 8 + 1;
}

static void map_blocks(struct gr_places *places)
{
    for (uint32_t i = 0; i < places->range_count; i++) {
        const struct gr_place_range *range = &places->ranges[i];
        uint64_t block = range->first / BLOCK;
        uint64_t end = block + (places_of(range->start, range->end) + BLOCK - 1) / BLOCK;

        while (block < end)
            places->range[block++] = i;
    }
}

struct df_err *gr_places_init(struct gr_places *places, const struct df_aspace *space)
{
    uint64_t next = 0;

    *places = (struct gr_places){.space = space};
    DF_TRY(df_array(space->count, sizeof(*places->first), &places->first));
    DF_TRY(df_array(space->count, sizeof(*places->ranges), &places->ranges));
    for (size_t i = 0; i < space->count; i++) {
        uint64_t start = space->ranges[i].start, end = space->ranges[i].end;

        places->first[i] = space->ranges[i].host ? next : GR_NO_PLACE;
        if (!space->ranges[i].host)
            continue;
        places->ranges[places->range_count++] = (struct gr_place_range){start, end, next};
        next += (places_of(start, end) + BLOCK - 1) & ~(BLOCK - 1);
    }
    places->words = next / 64;
    DF_TRY(df_array(places->words, sizeof(*places->bits), &places->bits));
    DF_TRY(df_array(places->words / 8, sizeof(*places->range), &places->range));
    map_blocks(places);
    return NULL;
}

uint64_t gr_place_search(const struct gr_places *places, uint64_t address)
{
    uint32_t low = 0, high = places->range_count;

    if (address & 7)
        return GR_NO_PLACE;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (places->ranges[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == places->range_count || address < places->ranges[low].start)
        return GR_NO_PLACE;
    return places->ranges[low].first + (address / 8 - places->ranges[low].start / 8);
}

uint64_t gr_place_elsewhere(const struct gr_places *places, struct gr_near_range *near,
                            uint64_t address)
{
    uint64_t place = gr_place(places, address);
    const struct gr_place_range *range;

    if (place == GR_NO_PLACE)
        return place;
    range = &places->ranges[places->range[place / BLOCK]];
    *near = (struct gr_near_range){.start = range->start,
                                   .size = range->end - range->start,
                                   .base = range->first - range->start / 8};
    if (places->space && !places->space->backing)
        near->bytes = df_ptr(places->space, near->start, near->size);
    return place;
}

void gr_places_deinit(struct gr_places *places)
{
    free(places->first);
    free(places->ranges);
    free(places->bits);
    free(places->range);
    free(places->ranks);
    free(places->filled);
    free(places->hint);
    *places = (struct gr_places){0};
}

struct df_err *gr_places_bits(const struct gr_places *places, uint64_t **ret)
{
    return df_array(places->words, sizeof(**ret), ret);
}

static bool is_empty(const uint64_t *bits)
{
    return !(bits[0] | bits[1] | bits[2] | bits[3] | bits[4] | bits[5] | bits[6] | bits[7]);
}

static struct gr_rank rank_of(const uint64_t *bits, uint64_t before, uint64_t *ret_count)
{
    struct gr_rank rank = {.before = before};
    uint64_t sum = gr_count_bits(bits[0]);

    for (unsigned word = 1; word < 8; word++) {
        rank.within |= sum << 9 * (word - 1);
        sum += gr_count_bits(bits[word]);
    }
    *ret_count = before + sum;
    return rank;
}

/* Which of the filled blocks every 64th member is in, and the last one. There may be much of the
 * dump between two of them. */
static struct df_err *keep_hints(struct gr_places *places)
{
    uint64_t next = 0, used = 0;

    DF_TRY(df_array(places->count / 64 + 2, sizeof(*places->hint), &places->hint));
    DF_TRY(df_array(places->filled_count, sizeof(*places->filled), &places->filled));
    for (uint64_t block = 0; block < places->words / 8; block++) {
        const uint64_t *bits = places->bits + block * 8;
        uint64_t end;

        if (is_empty(bits))
            continue;
        rank_of(bits, places->ranks[block].before, &end);
        for (; next < end; next += 64)
            places->hint[next / 64] = (uint32_t)used;
        places->filled[used++] = (uint32_t)block;
    }
    places->hint[(next + 63) / 64] = (uint32_t)(used ? used - 1 : 0);
    return NULL;
}

struct df_err *gr_places_rank_all(struct gr_places *places, uint64_t *ret_count)
{
    uint64_t count = 0;

    DF_TRY(df_array(places->words / 8, sizeof(*places->ranks), &places->ranks));
    for (uint64_t block = 0; block < places->words / 8; block++) {
        const uint64_t *bits = places->bits + block * 8;

        if (is_empty(bits)) /* nobody asks, and no memory is touched */
            continue;
        places->ranks[block] = rank_of(bits, count, &count);
        places->filled_count++;
    }
    *ret_count = places->count = count;
    return keep_hints(places);
}

static uint64_t before(const struct gr_places *places, uint64_t filled)
{
    return places->ranks[places->filled[filled]].before;
}

static uint64_t select_in_block(const struct gr_places *places, uint64_t block, uint64_t rank)
{
    const struct gr_rank *ranks = &places->ranks[block];
    unsigned word = 0;
    uint64_t bits;

    rank -= ranks->before;
    while (word < 7 && (ranks->within >> 9 * word & 511) <= rank)
        word++;
    if (word)
        rank -= ranks->within >> 9 * (word - 1) & 511;
    for (bits = places->bits[block * 8 + word]; rank; rank--)
        bits &= bits - 1;
    return block * BLOCK + word * 64 + (uint64_t)__builtin_ctzll(bits);
}

uint64_t gr_places_select(const struct gr_places *places, uint64_t rank)
{
    uint32_t at = places->hint[rank / 64], last = places->hint[rank / 64 + 1];

    while (at < last && before(places, at + 1) <= rank) /* at most 64 steps, mostly one or two */
        at++;
    return gr_place_address(places, select_in_block(places, places->filled[at], rank));
}

uint64_t gr_places_up_to(const struct gr_places *places, uint64_t address)
{
    uint64_t low = 0, high = places->count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (gr_places_select(places, middle) <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void enter_range(struct gr_place_cursor *cursor, uint32_t number)
{
    const struct gr_places *places = cursor->places;
    const struct gr_place_range *range = &places->ranges[number];

    cursor->range = number;
    cursor->left = 0;
    if (number == places->range_count)
        return;
    cursor->word = range->first / 64;
    cursor->end = cursor->word + (places_of(range->start, range->end) + 63) / 64;
    cursor->left = places->bits[cursor->word];
    cursor->base = (range->start / 8 - range->first) * 8;
}

void gr_places_begin(const struct gr_places *places, struct gr_place_cursor *ret)
{
    *ret = (struct gr_place_cursor){.places = places};
    enter_range(ret, 0);
}

void gr_places_begin_at(const struct gr_places *places, uint64_t place, struct gr_place_cursor *ret)
{
    *ret = (struct gr_place_cursor){.places = places};
    enter_range(ret, places->range[place / BLOCK]);
    ret->word = place / 64;
    ret->left = places->bits[ret->word] & ~UINT64_C(0) << place % 64;
}

static void next_word(struct gr_place_cursor *cursor)
{
    if (++cursor->word < cursor->end)
        cursor->left = cursor->places->bits[cursor->word];
    else
        enter_range(cursor, cursor->range + 1);
}

bool gr_places_next_word(struct gr_place_cursor *cursor)
{
    do {
        if (cursor->range == cursor->places->range_count)
            return false;
        next_word(cursor);
    } while (!cursor->left);
    return true;
}

uint64_t gr_places_pass(struct gr_place_cursor *cursor, uint64_t least)
{
    uint64_t passed = 0;

    while (passed < least && cursor->range < cursor->places->range_count) {
        passed += gr_count_bits(cursor->left);
        next_word(cursor);
    }
    return passed;
}
