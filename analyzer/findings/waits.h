/* SPDX-License-Identifier: MIT
 * waits.h: what a thread waits for. Private to this folder.
 */
#ifndef FI_WAITS_H
#define FI_WAITS_H

#include "analyzer/findings/parts.h"

/* The threads of the core, to be found by those of Python. */
struct fi_lwps {
    const struct df_core *core;
    struct df_lwp_order by_tid, by_tls;
};

struct fi_waits {
    struct fi_context *context;
    struct fi_lwps lwps;
    struct df_map locks; /* address that a thread sleeps on -> node of the lock */
    bool locks_known;
    struct df_map descriptors; /* descriptor + 1 -> node of what has it open */
    bool descriptors_known;
    struct df_map named; /* node + 1 -> what it is called, of names */
    struct {
        const char **items;
        size_t count, capacity;
    } names;
};

void fi_waits_init(struct fi_waits *waits, struct fi_context *context);
void fi_waits_deinit(struct fi_waits *waits);
/* Fills thread->waits; its frames and name are there already. */
void fi_fill_wait(struct fi_waits *waits, const struct py_thread *from, struct fi_thread *thread);
void fi_lwps_init(struct fi_lwps *lwps, const struct df_core *core);
void fi_lwps_deinit(struct fi_lwps *lwps);
/* The thread of the core that a Python thread is; NULL when it is not there. */
const struct df_lwp *fi_lwp_of(const struct fi_lwps *lwps, const struct py_thread *thread);

#endif
