/* SPDX-License-Identifier: MIT
 * test_runs.c: the members of a set, divided among threads: each is had once, and turns come in
 * order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/graph/runs.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

#define RANGE (1u << 20)
#define MEMBERS 100000

static uint8_t bytes[RANGE];

struct work {
    struct gr_runs runs;
    uint64_t *seen;    /* per member: its address, as often as it was had */
    uint32_t taken;    /* in turns */
    uint32_t stop;     /* after so many members; 0: never */
    bool out_of_order; /* cmocka's assertions are for the first thread */
};

static void take_runs(void *context, uint32_t i)
{
    struct work *work = context;
    struct gr_run run;
    (void)i;
    while (gr_runs_take(&work->runs, &run)) {
        uint64_t address, place;
        for (uint32_t v = run.first; v < run.end; v++)
            if (gr_places_next(&run.cursor, &address, &place))
                work->seen[v] += address;
        gr_runs_begin_turn(&work->runs, &run);
        work->out_of_order |= work->taken != run.first;
        work->taken = run.end;
        work->runs.stopped = work->stop && work->taken >= work->stop;
        gr_runs_end_turn(&work->runs, &run);
    }
}

static struct df_aspace *make_space(void)
{
    struct df_aspace *space = df_aspace_create();
    for (uint64_t i = 0; i < 4; i++)
        df_aspace_add(space, 0x100000 + i * 0x1000000, RANGE, bytes, DF_FROM_CORE, 0);
    assert_null(df_aspace_seal(space));
    return space;
}

/* Most are in one range. */
static uint64_t make_places(struct gr_places *places, const struct df_aspace *space)
{
    uint64_t count;
    srand(1);
    assert_null(gr_places_init(places, space));
    for (int i = 0; i < MEMBERS; i++) {
        uint64_t range = rand() % 4 ? 2 : (uint64_t)rand() % 4;
        uint64_t address = 0x100000 + range * 0x1000000 + (uint64_t)rand() % (RANGE / 8) * 8;
        gr_set_bit(places->bits, gr_place(places, address));
    }
    assert_null(gr_places_rank_all(places, &count));
    return count;
}

static void check(const struct gr_places *places, uint64_t count, uint32_t jobs, uint32_t stop)
{
    DF_CLEANUP_FREE uint64_t *seen = df_xcalloc(count, sizeof(*seen));
    struct work work = {.seen = seen, .stop = stop};
    gr_runs_init(&work.runs, places);
    df_threads_run(jobs, take_runs, &work);
    gr_runs_deinit(&work.runs);
    assert_false(work.out_of_order);
    if (stop)
        assert_in_range(work.taken, stop, count - 1);
    else
        assert_int_equal(work.taken, count);
    for (uint32_t v = 0; v < work.taken; v++)
        assert_int_equal(seen[v], gr_places_select(places, v));
}

static void each_member_is_had_once(void **state)
{
    static const uint32_t jobs[] = {1, 2, 4};
    struct df_aspace *space = make_space();
    struct gr_places places;
    uint64_t count = make_places(&places, space);
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        check(&places, count, jobs[i], 0);
        check(&places, count, jobs[i], 10000);
    }
    gr_places_deinit(&places);
    df_aspace_destroy(space);
}

static void a_cursor_begins_anywhere(void **state)
{
    struct df_aspace *space = make_space();
    struct gr_places places;
    uint64_t count = make_places(&places, space), address, place;
    (void)state;
    for (uint64_t v = 0; v < count; v += 1 + v / 100) {
        struct gr_place_cursor cursor;
        gr_places_begin_at(&places, gr_place(&places, gr_places_select(&places, v)), &cursor);
        for (uint64_t i = v; i < count && i < v + 3; i++) {
            assert_true(gr_places_next(&cursor, &address, &place));
            assert_int_equal(address, gr_places_select(&places, i));
        }
    }
    gr_places_deinit(&places);
    df_aspace_destroy(space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_member_is_had_once),
                                       cmocka_unit_test(a_cursor_begins_anywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
