/* SPDX-License-Identifier: MIT
 * looks.c: see looks.h.
 *
 * Looks are taken in their order by whoever is free: the thread that is there for them, and the one
 * that waits for one of them. Which of the two does one makes no difference to what it finds.
 */
#include "analyzer/findings/rules/looks.h"

#include <pthread.h>
#include <stdlib.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

enum task { CENSUS, ROOM, DUPLICATES, DICTS, TASKS };
enum state { OPEN, TAKEN, DONE };

struct fi_looks {
    struct fi_look look;
    struct fi_census *census;
    struct fi_room *room;
    struct fi_duplicates *duplicates;
    struct fi_instance_dicts *dicts;
    struct df_err *errors[TASKS];
    struct df_beside beside;
    pthread_mutex_t lock; /* of what follows, and look.named */
    pthread_cond_t changed;
    enum state states[TASKS];
    bool ended;
};

static struct df_err *take_census(struct fi_looks *looks)
{
    struct fi_look *look = &looks->look;
    DF_TRY(fi_census_make(look->analysis->graph, look->type_count, &looks->census));
    look->census = looks->census;
    return NULL;
}

static void run(struct fi_looks *looks, enum task task)
{
    struct df_err *err = NULL;
    if (task == CENSUS)
        err = take_census(looks);
    else if (!looks->census)
        return; /* who asked for that has it */
    else if (task == ROOM)
        err = fi_look_for_room(&looks->look, &looks->room);
    else if (task == DUPLICATES)
        err = fi_look_for_duplicates(&looks->look, &looks->duplicates);
    else
        err = fi_look_at_instance_dicts(&looks->look, &looks->dicts);
    looks->errors[task] = err;
}

/* The first that nobody has taken and that can be done now; TASKS: there is none. */
static enum task next_task(const struct fi_looks *looks)
{
    enum task task = CENSUS;
    while (task < TASKS && looks->states[task] != OPEN)
        task++;
    if (task == CENSUS)
        return task;
    if (looks->states[CENSUS] != DONE || (task == DICTS && !looks->look.named))
        return TASKS;
    return task;
}

/* Takes one, or waits until something has changed. With the lock held. */
static void take_or_wait(struct fi_looks *looks)
{
    enum task task = next_task(looks);
    if (task == TASKS) {
        pthread_cond_wait(&looks->changed, &looks->lock);
        return;
    }
    looks->states[task] = TAKEN;
    pthread_mutex_unlock(&looks->lock);
    run(looks, task);
    pthread_mutex_lock(&looks->lock);
    looks->states[task] = DONE;
    pthread_cond_broadcast(&looks->changed);
}

static void look_beside(void *context)
{
    struct fi_looks *looks = context;
    pthread_mutex_lock(&looks->lock);
    while (!looks->ended && looks->states[DICTS] == OPEN)
        take_or_wait(looks);
    pthread_mutex_unlock(&looks->lock);
}

struct fi_looks *fi_looks_begin(const struct fi_analysis *analysis)
{
    struct fi_looks *looks = df_xcalloc(1, sizeof(*looks));
    uint32_t types = py_type_count(analysis->objects);
    looks->look = (struct fi_look){.analysis = analysis,
                                   .types = df_xcalloc(types, sizeof(*looks->look.types)),
                                   .type_count = types,
                                   .reader = py_reader(analysis->py)};
    for (uint32_t i = 0; i < types; i++)
        looks->look.types[i] = py_type_at(analysis->objects, i);
    pthread_mutex_init(&looks->lock, NULL);
    pthread_cond_init(&looks->changed, NULL);
    df_beside_begin(&looks->beside, analysis->jobs, look_beside, looks);
    return looks;
}

void fi_looks_go_on(struct fi_looks *looks, const uint32_t *named)
{
    pthread_mutex_lock(&looks->lock);
    looks->look.named = named;
    pthread_cond_broadcast(&looks->changed);
    pthread_mutex_unlock(&looks->lock);
}

/* Who has to wait makes itself useful. */
static struct df_err *await(struct fi_looks *looks, enum task task)
{
    pthread_mutex_lock(&looks->lock);
    while (looks->states[task] != DONE)
        take_or_wait(looks);
    pthread_mutex_unlock(&looks->lock);
    return DF_TAKE(looks->errors[task]);
}

struct df_err *fi_looks_census(struct fi_looks *looks, struct fi_census **ret)
{
    DF_TRY(await(looks, CENSUS));
    *ret = looks->census;
    return NULL;
}

struct df_err *fi_looked_for_duplicates(struct fi_looks *looks, struct fi_duplicates **ret)
{
    DF_TRY(await(looks, DUPLICATES));
    *ret = looks->duplicates;
    return NULL;
}

struct df_err *fi_looked_for_room(struct fi_looks *looks, struct fi_room **ret)
{
    DF_TRY(await(looks, ROOM));
    *ret = looks->room;
    return NULL;
}

struct df_err *fi_looked_at_instance_dicts(struct fi_looks *looks, struct fi_instance_dicts **ret)
{
    DF_TRY(await(looks, DICTS));
    *ret = looks->dicts;
    return NULL;
}

void fi_looks_end(struct fi_looks *looks)
{
    if (!looks)
        return;
    pthread_mutex_lock(&looks->lock);
    looks->ended = true;
    pthread_cond_broadcast(&looks->changed);
    pthread_mutex_unlock(&looks->lock);
    df_beside_end(&looks->beside);
    for (int task = 0; task < TASKS; task++)
        df_err_free(looks->errors[task]);
    fi_duplicates_free(looks->duplicates);
    fi_room_free(looks->room);
    fi_instance_dicts_free(looks->dicts);
    fi_census_free(looks->census);
    pthread_mutex_destroy(&looks->lock);
    pthread_cond_destroy(&looks->changed);
    free(looks->look.types);
    free(looks);
}
