/* SPDX-License-Identifier: MIT
 * accuse.h: from a suspect to a finding: the sentence, the evidence, how grave it is.
 *
 * Private to this folder. Rules say what is special about their cause; what all have in common
 * (counts, bytes, share, what the held objects look like, who else knows them) is said here.
 */
#ifndef FI_ACCUSE_H
#define FI_ACCUSE_H

#include "analyzer/findings/rules/rules.h"
#include "analyzer/findings/rules/suspects.h"

struct fi_charge {
    const char *what; /* the holder behind its path: "a list, a global of module `shop`" */
    const char *advice;
    uint64_t count;   /* what is held; 0: as the suspect says */
    const char *type; /* likewise, NULL */
    bool bounded;     /* it cannot grow for ever: worth knowing, no more */
};

/* Adds the finding and claims the suspect; evidence may be added behind it. */
struct fi_finding *fi_accuse(struct fi_context *context, const struct fi_rule *rule,
                             const struct fi_suspect *suspect, const struct fi_charge *charge);
/* Has a rule before spoken for it? */
bool fi_is_explained(const struct fi_context *context, const struct fi_suspect *suspect);
/* How grave: many alike that are much of the heap are a leak; few may be what the process is for.
 */
enum fi_severity fi_gravity(const struct fi_context *context, uint64_t bytes, uint64_t count);
/* Too small a part of the heap to be told when it is as it should be. */
bool fi_is_small(const struct fi_context *context, const struct fi_suspect *suspect);
/* "a list", "40 `list` in a `collections.defaultdict`". */
const char *fi_container_phrase(struct fi_context *context, const struct fi_suspect *suspect);
/* Where the container stands: "a global of module `shop.audit`"; NULL when there is no word. */
const char *fi_place_phrase(struct fi_context *context, const struct fi_suspect *suspect);
/* The name of the variable when a function's closure holds the suspect itself; NULL. */
const char *fi_closure_variable(struct fi_context *context, const struct fi_suspect *suspect);

/* look.c: lines of evidence on what the held objects look like. */
void fi_look(struct fi_context *context, struct fi_finding *finding,
             const struct fi_suspect *suspect);

#endif
