/* SPDX-License-Identifier: MIT
 * runs.h: the members of a set of places, divided among threads: runs of ascending addresses, which
 * are taken one after the other by whoever is free. What has to be in order is done in turns: the
 * turn of a run comes when those of all runs before it are over. Private to this folder.
 */
#ifndef GR_RUNS_H
#define GR_RUNS_H

#include <pthread.h>

#include "analyzer/graph/places.h"

struct gr_run {
    struct gr_place_cursor cursor; /* at its first member */
    uint32_t first, end;           /* numbers of members */
};

struct gr_runs {
    pthread_mutex_t lock;
    pthread_cond_t turned;
    struct gr_run next; /* what no run has yet */
    uint32_t done;      /* members whose turn is over */
    bool stopped;       /* no more runs are given out; to be set in a turn */
};

void gr_runs_init(struct gr_runs *runs, const struct gr_places *places);
void gr_runs_deinit(struct gr_runs *runs);
/* The next run, some thousands of members; false when there is none. Whoever takes one must have
 * its turn, unless nobody ever has. */
bool gr_runs_take(struct gr_runs *runs, struct gr_run *ret);
/* Between the two no other run has a turn, and none is taken. */
void gr_runs_begin_turn(struct gr_runs *runs, const struct gr_run *run);
void gr_runs_end_turn(struct gr_runs *runs, const struct gr_run *run);

#endif
