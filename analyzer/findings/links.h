/* SPDX-License-Identifier: MIT
 * links.h: the links of a set of objects to their neighbours, as a person sees them: an instance's
 * dict of attributes belongs to the instance. Private to this folder.
 */
#ifndef FI_LINKS_H
#define FI_LINKS_H

#include "analyzer/findings/hops.h"
#include "dumpfmt/base/map.h"

struct fi_neighbour { /* one reference between a member of the set and another object */
    uint32_t node;    /* the other object (for a dict of attributes: its owner) */
    uint32_t through; /* the node that really holds or is held: node, or its dict */
    uint32_t member;
    const char *shape;        /* valid during the call: ".items", "[*]" */
    uint32_t holder;          /* for fi_link_text */
    const struct py_ref *ref; /* likewise; valid during the call */
    bool attribute;           /* likewise */
};

struct fi_links {
    struct fi_analysis *analysis;
    const uint32_t *set_of; /* per node: the number of its set, plus 1; 0: it is in none */
    struct df_map owners;   /* address of a dict to its owner's node, or itself */
    uint32_t *stamp;        /* per node: last set for which it was visited, + 1 */
    struct py_refs refs, inner;
    void (*visit)(void *context, const struct fi_neighbour *neighbour);
    void *context;
};

struct df_err *fi_links_init(struct fi_links *links, struct fi_analysis *analysis,
                             const uint32_t *set_of);
void fi_links_deinit(struct fi_links *links);

/* Visits every reference that others (or members) have to the members of set number `set`. */
void fi_links_holders(struct fi_links *links, uint32_t set, const uint32_t *members, size_t count);
/* Visits every reference that the members have; that to an object's own class is left out. */
void fi_links_held(struct fi_links *links, const uint32_t *members, size_t count);
/* How many distinct objects outside the set refer to its members. */
uint64_t fi_links_count_holders(struct fi_links *links, uint32_t set, const uint32_t *members,
                                size_t count);
/* The label of one reference in full, "['k17']"; malloc'ed. */
char *fi_link_text(struct fi_links *links, const struct fi_neighbour *neighbour);

#endif
