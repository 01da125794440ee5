/* SPDX-License-Identifier: MIT
 * cuts.h: how many references must go before objects are freed, which, and the ways that share
 * none.
 */
#ifndef FI_CUTS_H
#define FI_CUTS_H

#include "analyzer/findings/verdict.h"

#define FI_MOST_CUTS 16

struct fi_pool;

struct fi_cut {              /* a reference that must go */
    const char *path;        /* what is referred to, by way of this reference: "shop.LOG[3]" */
    const char *holder_type; /* "list"; NULL: it is a root */
    const char *kind;        /* of a root: "module", "frame"; NULL */
    uint64_t holder, held;   /* addresses; holder 0: it is a root */
};

struct fi_cuts {          /* strings and arrays are the pool's that it was made with */
    uint32_t count;       /* references that must go, at least */
    bool more;            /* more than FI_MOST_CUTS: cuts is empty */
    const char *sentence; /* "2 references must go before it is freed" */
    struct fi_cut *cuts;  /* those nearest to the objects */
    uint32_t cut_count;
    struct fi_route *ways; /* that share no reference; short ones first */
    uint32_t way_count;
};

/* Modules and classes are taken as given: what must go is below them. Garbage that waits for the
 * collector, though it refers to an object, does not keep it. Needs analysis->objects. */
struct df_err *fi_cuts_make(struct fi_analysis *analysis, const uint32_t *nodes, uint32_t count,
                            struct fi_pool *pool, struct fi_cuts **ret);

/* A route along a chain of holders, the object first, its root last; of routes.c. */
struct fi_route fi_route_along(struct fi_analysis *analysis, struct fi_pool *pool,
                               const uint32_t *chain, uint32_t count);

#endif
