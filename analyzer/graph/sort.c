/* SPDX-License-Identifier: MIT
 * sort.c: sorts by digits from the lowest (radix), skipping digits that are equal in all keys: heap
 * addresses share most of their high bits. It is stable, so the result depends on nothing but the
 * input.
 */
#include "analyzer/graph/sort.h"

#include "dumpfmt/base/mem.h"

#define DIGIT_BITS 11
#define DIGITS (1u << DIGIT_BITS)

struct keyed {
    uint64_t key;
    uint32_t place;
};

static void sort_digit(const struct keyed *from, struct keyed *to, uint32_t count, unsigned shift)
{
    uint32_t next[DIGITS] = {0};
    uint32_t sum = 0;

    for (uint32_t i = 0; i < count; i++)
        next[from[i].key >> shift & (DIGITS - 1)]++;
    for (uint32_t digit = 0; digit < DIGITS; digit++) {
        uint32_t here = next[digit];

        next[digit] = sum;
        sum += here;
    }
    for (uint32_t i = 0; i < count; i++)
        to[next[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
}

struct df_err *gr_sort(const uint64_t *keys, uint32_t count, uint32_t *order)
{
    DF_CLEANUP_FREE struct keyed *left = NULL;
    DF_CLEANUP_FREE struct keyed *right = NULL;
    struct keyed *from, *to;
    uint64_t differ = 0;

    DF_TRY(df_array(count, sizeof(*left), &left));
    DF_TRY(df_array(count, sizeof(*right), &right));
    from = left;
    to = right;
    for (uint32_t i = 0; i < count; i++) {
        from[i] = (struct keyed){.key = keys[i], .place = i};
        differ |= keys[i] ^ keys[0];
    }
    for (unsigned shift = 0; shift < 64; shift += DIGIT_BITS) {
        if (!(differ >> shift & (DIGITS - 1)))
            continue;
        sort_digit(from, to, count, shift);
        struct keyed *swap = from;

        from = to;
        to = swap;
    }
    for (uint32_t i = 0; i < count; i++)
        order[i] = from[i].place;
    return NULL;
}
