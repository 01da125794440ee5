/* SPDX-License-Identifier: MIT
 * test_places.c: sets of addresses against a plain array: members, ranks, order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/graph/places.h"
#include "dumpfmt/base/mem.h"

#define RANGES 5
#define MEMBERS 3000

static uint8_t bytes[1 << 20];

/* Sizes and starts that are no multiples of anything; one range has no bytes. */
static const struct {
    uint64_t start, size;
    bool absent;
} shape[RANGES] = {{0x10000, 0x3000, false},
                   {0x13000, 0x1ffd, false}, /* right behind, and ends within 8 bytes */
                   {0x20004, 0x40000, false},
                   {0x70000, 0x1000000, true},
                   {UINT64_C(0x7f0000000000), 0x20008, false}};

static struct df_aspace *make_space(void)
{
    struct df_aspace *space = df_aspace_create();
    for (int i = 0; i < RANGES; i++)
        df_aspace_add(space, shape[i].start, shape[i].size, shape[i].absent ? NULL : bytes,
                      shape[i].absent ? DF_ABSENT : DF_FROM_CORE, 0);
    assert_null(df_aspace_seal(space));
    return space;
}

static uint64_t random_address(void)
{
    int i = rand() % RANGES;
    return (shape[i].start + (uint64_t)rand() % shape[i].size) & ~UINT64_C(7);
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Adds random addresses; *ret: those that are there, ascending. */
static size_t fill(struct gr_places *places, uint64_t *ret)
{
    size_t count = 0, kept = 0;
    for (int i = 0; i < MEMBERS; i++) {
        uint64_t address = random_address(), place = gr_place(places, address);
        assert_int_equal(place == GR_NO_PLACE, !df_contiguous(places->space, address));
        if (place == GR_NO_PLACE)
            continue;
        gr_set_bit(places->bits, place);
        ret[count++] = address;
    }
    qsort(ret, count, sizeof(*ret), compare);
    for (size_t i = 0; i < count; i++)
        if (!kept || ret[kept - 1] != ret[i])
            ret[kept++] = ret[i];
    return kept;
}

static void test_random(void **state)
{
    (void)state;
    struct df_aspace *space = make_space();
    srand(1);
    for (int round = 0; round < 20; round++) {
        struct gr_places places;
        uint64_t members[MEMBERS], counted, address, place;
        struct gr_place_cursor cursor;
        assert_null(gr_places_init(&places, space));
        size_t count = fill(&places, members), at = 0;
        assert_null(gr_places_rank_all(&places, &counted));
        assert_int_equal(counted, count);
        gr_places_begin(&places, &cursor);
        while (gr_places_next(&cursor, &address, &place)) {
            assert_true(at < count && address == members[at]);
            assert_true(place == gr_place(&places, address));
            assert_int_equal(gr_rank(&places, address), at++);
        }
        assert_int_equal(at, count);
        for (at = 0; at < count; at++) {
            assert_true(gr_places_select(&places, at) == members[at]);
            assert_true(gr_place_search(&places, members[at]) == gr_place(&places, members[at]));
            assert_int_equal(gr_places_up_to(&places, members[at]), at + 1);
            assert_int_equal(gr_places_up_to(&places, members[at] - 1), at);
        }
        for (int i = 0; i < MEMBERS; i++) {
            address = random_address();
            bool member = bsearch(&address, members, count, sizeof(*members), compare) != NULL;
            assert_int_equal(gr_places_has(&places, address), member);
            assert_int_equal(gr_rank(&places, address) != GR_NO_RANK, member);
            assert_int_equal(gr_rank(&places, address + 4), GR_NO_RANK);
        }
        gr_places_deinit(&places);
    }
    df_aspace_destroy(space);
}

static void test_empty(void **state)
{
    (void)state;
    struct df_aspace *space = df_aspace_create();
    struct gr_places places;
    struct gr_place_cursor cursor;
    uint64_t count, address, place;
    assert_null(df_aspace_seal(space));
    assert_null(gr_places_init(&places, space));
    assert_null(gr_places_rank_all(&places, &count));
    assert_int_equal(count, 0);
    gr_places_begin(&places, &cursor);
    assert_false(gr_places_next(&cursor, &address, &place));
    assert_int_equal(gr_rank(&places, 0), GR_NO_RANK);
    gr_places_deinit(&places);
    df_aspace_destroy(space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_empty)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
