/* SPDX-License-Identifier: MIT
 * places.c: see places.h. Every range begins with a word of its own.
 */
#include "analyzer/graph/places.h"

#include <stdlib.h>

#include "dumpfmt/base/mem.h"

static uint64_t places_of(const struct df_range *range)
{
    return (range->end - 1) / 8 - range->start / 8 + 1;
}

struct df_err *gr_places_init(struct gr_places *places, const struct df_aspace *space)
{
    uint64_t next = 0;

    *places = (struct gr_places){.space = space};
    DF_TRY(df_array(space->count, sizeof(*places->first), &places->first));
    for (size_t i = 0; i < space->count; i++) {
        places->first[i] = space->ranges[i].host ? next : GR_NO_PLACE;
        if (space->ranges[i].host)
            next += (places_of(&space->ranges[i]) + 63) & ~UINT64_C(63);
    }
    places->words = (next / 64 + 7) & ~UINT64_C(7);
    return df_array(places->words, sizeof(*places->bits), &places->bits);
}

void gr_places_deinit(struct gr_places *places)
{
    free(places->first);
    free(places->bits);
    free(places->ranks);
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

struct df_err *gr_places_rank_all(struct gr_places *places, uint64_t *ret_count)
{
    uint64_t count = 0;

    DF_TRY(df_array(places->words / 8, sizeof(*places->ranks), &places->ranks));
    for (uint64_t block = 0; block < places->words / 8; block++) {
        const uint64_t *bits = places->bits + block * 8;

        if (!is_empty(bits)) /* else nobody asks, and no memory is touched */
            places->ranks[block] = rank_of(bits, count, &count);
    }
    *ret_count = count;
    return NULL;
}

/* Goes on at the first range from `range` on that has bytes. */
static void enter_range(struct gr_place_cursor *cursor, size_t range)
{
    const struct gr_places *places = cursor->places;

    while (range < places->space->count && places->first[range] == GR_NO_PLACE)
        range++;
    cursor->range = range;
    if (range == places->space->count)
        return;
    cursor->word = places->first[range] / 64;
    cursor->end = cursor->word + (places_of(&places->space->ranges[range]) + 63) / 64;
    cursor->left = places->bits[cursor->word];
}

void gr_places_begin(const struct gr_places *places, struct gr_place_cursor *ret)
{
    *ret = (struct gr_place_cursor){.places = places};
    enter_range(ret, 0);
}

static void next_word(struct gr_place_cursor *cursor)
{
    if (++cursor->word < cursor->end)
        cursor->left = cursor->places->bits[cursor->word];
    else
        enter_range(cursor, cursor->range + 1);
}

bool gr_places_next(struct gr_place_cursor *cursor, uint64_t *ret_address, uint64_t *ret_place)
{
    const struct gr_places *places = cursor->places;

    while (cursor->range < places->space->count) {
        if (cursor->left) {
            uint64_t bit = (uint64_t)__builtin_ctzll(cursor->left);
            uint64_t place = cursor->word * 64 + bit, first = places->first[cursor->range];

            cursor->left &= cursor->left - 1;
            *ret_address = (places->space->ranges[cursor->range].start / 8 + (place - first)) * 8;
            *ret_place = place;
            return true;
        }
        next_word(cursor);
    }
    return false;
}

uint64_t gr_places_pass(struct gr_place_cursor *cursor, uint64_t least)
{
    uint64_t passed = 0;

    while (passed < least && cursor->range < cursor->places->space->count) {
        passed += gr_count_bits(cursor->left);
        next_word(cursor);
    }
    return passed;
}
