/* SPDX-License-Identifier: MIT
 * threads.c: see threads.h.
 */
#include "dumpfmt/base/threads.h"

#include <stdatomic.h>

struct job {
    void (*run)(void *context, uint32_t i);
    void *context;
    uint32_t i;
    pthread_t thread;
    bool started;
};

static void *start(void *context)
{
    const struct job *job = context;
    job->run(job->context, job->i);
    return NULL;
}

void df_threads_run(uint32_t jobs, void (*run)(void *context, uint32_t i), void *context)
{
    struct job others[DF_MAX_THREADS];
    for (uint32_t i = 1; i < jobs && i < DF_MAX_THREADS; i++) {
        others[i] = (struct job){.run = run, .context = context, .i = i};
        others[i].started = !pthread_create(&others[i].thread, NULL, start, &others[i]);
    }
    if (jobs)
        run(context, 0);
    for (uint32_t i = 1; i < jobs; i++)
        if (i >= DF_MAX_THREADS || !others[i].started)
            run(context, i);
        else
            pthread_join(others[i].thread, NULL);
}

struct share {
    void (*run)(void *context, uint32_t i);
    void *context;
    uint32_t count;
    atomic_uint next;
};

static void take_share(void *context, uint32_t thread)
{
    struct share *share = context;
    (void)thread;
    for (uint32_t i; (i = atomic_fetch_add(&share->next, 1)) < share->count;)
        share->run(share->context, i);
}

void df_threads_share(uint32_t jobs, uint32_t count, void (*run)(void *context, uint32_t i),
                      void *context)
{
    struct share share = {.run = run, .context = context, .count = count};
    df_threads_run(jobs < count ? jobs : count, take_share, &share);
}

static void *start_beside(void *context)
{
    const struct df_beside *beside = context;
    beside->run(beside->context);
    return NULL;
}

void df_beside_begin(struct df_beside *beside, uint32_t jobs, void (*run)(void *context),
                     void *context)
{
    beside->run = run;
    beside->context = context;
    beside->started = jobs > 1 && !pthread_create(&beside->thread, NULL, start_beside, beside);
}

void df_beside_end(struct df_beside *beside)
{
    if (beside->started)
        pthread_join(beside->thread, NULL);
    else
        beside->run(beside->context);
}
