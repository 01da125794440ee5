/* SPDX-License-Identifier: MIT
 * threads.h: one piece of work done by several threads at once.
 *
 * The caller is one of them and goes on when all are done; so that with one thread none is started,
 * and nobody keeps threads in between.
 */
#ifndef DF_BASE_THREADS_H
#define DF_BASE_THREADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define DF_MAX_THREADS 64

/* Calls run(context, i) once for each i below `jobs`, each on a thread of its own, 0 on the
 * caller's. Of those beyond DF_MAX_THREADS, and where the system gives no thread, the caller does
 * the work when its own is done: a run must not wait for one of a higher number. */
void df_threads_run(uint32_t jobs, void (*run)(void *context, uint32_t i), void *context);
/* Calls run(context, i) once for each i below `count`, on up to `jobs` threads: in this order with
 * one, else each as soon as a thread is free. */
void df_threads_share(uint32_t jobs, uint32_t count, void (*run)(void *context, uint32_t i),
                      void *context);

/* Work beside the caller's own: of a thread that is there for it, when there may be more than one;
 * else, and where the system gives none, it is done at the end. Every begin needs its end. */
struct df_beside {
    void (*run)(void *context);
    void *context;
    pthread_t thread;
    bool started;
};
void df_beside_begin(struct df_beside *beside, uint32_t jobs, void (*run)(void *context),
                     void *context);
void df_beside_end(struct df_beside *beside);

#endif
