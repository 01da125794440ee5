/* SPDX-License-Identifier: MIT
 * collector.h: the verdict of a reference-counting cycle collector, computed, not guessed.
 *
 * CPython's algorithm (Modules/gcmodule.c up to 3.12, Python/gc.c from 3.13: update_refs,
 * subtract_refs, move_unreachable, move_legacy_finalizers) on arrays: each candidate starts with
 * its reference count, each edge that the collector sees takes one away from its target; what
 * keeps a positive count is held from outside, and everything reachable from it lives. The rest is
 * garbage. Garbage with a legacy finalizer, and what that reaches within the garbage, cannot be
 * freed.
 */
#ifndef AL_COLLECTOR_H
#define AL_COLLECTOR_H

#include "analyzer/algo/csr.h"

enum al_verdict {
    AL_NOT_CANDIDATE = 0, /* not looked at by the collector */
    AL_ALIVE,             /* held from outside, directly or not */
    AL_GARBAGE,           /* would be freed (after its finalizers, if it has any) */
    AL_UNCOLLECTABLE,     /* garbage that a legacy finalizer keeps */
};

struct al_collector_input {
    const struct al_csr *graph;
    const uint8_t *kinds; /* per edge two bits, the first lowest: 0 when the collector's own
                             traversal sees it; NULL: all are */
    int64_t (*references)(void *context, uint32_t node); /* its reference count */
    bool (*legacy)(void *context, uint32_t node); /* has it a legacy finalizer? NULL: none has */
    void *context;
};

struct al_collector_result {
    uint8_t *verdict; /* per node, enum al_verdict. Before: AL_ALIVE of those that the collector
                         looks at, AL_NOT_CANDIDATE of all others */
    uint32_t garbage; /* nodes AL_GARBAGE */
    uint32_t uncollectable;
    uint32_t inconsistent; /* candidates whose count went below zero: wrong edges, or a process
                              that had corrupted itself; treated as 0 */
    uint32_t first_inconsistent; /* AL_NONE when none */
};

/* Memory: a byte and a bit a node, and 4 bytes a candidate. */
struct df_err *al_collector(const struct al_collector_input *input,
                            struct al_collector_result *result);

#endif
