/* SPDX-License-Identifier: MIT
 * test_threads.c: work that is divided among threads is all done, and done once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dumpfmt/base/threads.h"

#define MOST 200

struct work {
    atomic_uint done[MOST];
    pthread_t first; /* who did the first share */
};

static void work_on(void *context, uint32_t i)
{
    struct work *work = context;
    if (!i)
        work->first = pthread_self();
    if (i < MOST)
        atomic_fetch_add(&work->done[i], 1);
}

static void check_done(struct work *work, uint32_t count)
{
    for (uint32_t i = 0; i < MOST; i++)
        assert_int_equal(atomic_exchange(&work->done[i], 0), i < count);
}

static void each_runs_once(void **state)
{
    struct work work = {0};
    (void)state;
    for (uint32_t jobs = 0; jobs <= MOST; jobs += jobs < 10 ? 1 : 19) {
        df_threads_run(jobs, work_on, &work);
        check_done(&work, jobs);
        if (jobs)
            assert_true(pthread_equal(work.first, pthread_self()));
    }
}

static void each_share_is_taken_once(void **state)
{
    static const uint32_t jobs[] = {1, 2, 8, 1000};
    struct work work = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(jobs) / sizeof(*jobs); i++)
        for (uint32_t count = 0; count <= MOST; count += 50) {
            df_threads_share(jobs[i], count, work_on, &work);
            check_done(&work, count);
        }
}

static void work_beside(void *context)
{
    *(pthread_t *)context = pthread_self();
}

static void beside_is_done_by_the_end(void **state)
{
    (void)state;
    for (uint32_t jobs = 0; jobs < 4; jobs++) {
        struct df_beside beside;
        pthread_t who = 0;
        df_beside_begin(&beside, jobs, work_beside, &who);
        df_beside_end(&beside);
        assert_true(who != 0);
        assert_int_equal(pthread_equal(who, pthread_self()) != 0, jobs < 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_runs_once),
        cmocka_unit_test(each_share_is_taken_once),
        cmocka_unit_test(beside_is_done_by_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
