/* SPDX-License-Identifier: MIT
 * runs.c: see runs.h.
 */
#include "analyzer/graph/runs.h"

#define RUN_MEMBERS 8192

void gr_runs_init(struct gr_runs *runs, const struct gr_places *places)
{
    *runs = (struct gr_runs){0};
    pthread_mutex_init(&runs->lock, NULL);
    pthread_cond_init(&runs->turned, NULL);
    gr_places_begin(places, &runs->next.cursor);
}

void gr_runs_deinit(struct gr_runs *runs)
{
    pthread_cond_destroy(&runs->turned);
    pthread_mutex_destroy(&runs->lock);
}

bool gr_runs_take(struct gr_runs *runs, struct gr_run *ret)
{
    pthread_mutex_lock(&runs->lock);
    *ret = runs->next;
    if (!runs->stopped)
        runs->next.first += (uint32_t)gr_places_pass(&runs->next.cursor, RUN_MEMBERS);
    ret->end = runs->next.first;
    pthread_mutex_unlock(&runs->lock);
    return ret->first < ret->end;
}

void gr_runs_begin_turn(struct gr_runs *runs, const struct gr_run *run)
{
    pthread_mutex_lock(&runs->lock);
    while (runs->done != run->first)
        pthread_cond_wait(&runs->turned, &runs->lock);
}

void gr_runs_end_turn(struct gr_runs *runs, const struct gr_run *run)
{
    runs->done = run->end;
    pthread_cond_broadcast(&runs->turned);
    pthread_mutex_unlock(&runs->lock);
}
