/* SPDX-License-Identifier: MIT
 * piles.h: many objects of one kind, and who keeps them.
 *
 * Given a set of objects (open files, waiting tasks, exceptions), however deep in wrappers each of
 * them is: the keeper is the lowest node of the dominator tree below which many of them lie: the
 * dict of sessions, not each session. What no single node dominates because two containers know
 * it is given to the one that refers to most of it. Private to this folder.
 */
#ifndef FI_PILES_H
#define FI_PILES_H

#include "analyzer/findings/rules/rules.h"

struct fi_pile {
    uint32_t keeper; /* node; AL_NONE: many holders, each of few */
    bool shared;     /* others than the keeper hold them too */
    uint32_t *members;
    uint32_t count;
    uint64_t retained; /* bytes, of all members together */
};

struct fi_piles {
    struct fi_pile items[4]; /* biggest first */
    uint32_t count;
};

/* Piles of at least `least` of these nodes. Their members are malloc'ed: fi_piles_deinit. */
struct df_err *fi_piles_find(struct fi_context *context, const uint32_t *nodes, uint32_t count,
                             uint32_t least, struct fi_piles *ret);
void fi_piles_deinit(struct fi_piles *piles);

/* Fills what is the same in all findings about piles: holder (of a pile of one: itself), count and
 * bytes, type, signature ("rule:what:path"); claims the keeper. */
struct fi_finding *fi_pile_accuse(struct fi_context *context, const struct fi_rule *rule,
                                  const struct fi_pile *pile, const char *type, const char *what);
/* "`shop.jobs.worker.tasks`, a set": for sentences; NULL when there is no keeper. */
const char *fi_pile_keeper(struct fi_context *context, const struct fi_pile *pile);
/* "6.1 MB, 45 % of the heap". */
const char *fi_pile_share(struct fi_context *context, uint64_t bytes);
/* The greater of two. */
enum fi_severity fi_at_least(enum fi_severity severity, enum fi_severity least);

#endif
