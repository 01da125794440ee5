/* SPDX-License-Identifier: MIT
 * suspects.h: what holds much, as facts: the container that a person would name, what is in it, who
 * else knows that, and where the container stands. Rules read these and say what they mean.
 *
 * Private to this folder. All is made once, before the rules are asked.
 */
#ifndef FI_SUSPECTS_H
#define FI_SUSPECTS_H

#include "analyzer/findings/parts.h"

#define FI_SUSPECT_OTHERS 3
#define FI_SUSPECT_STEPS 64 /* of the way up to its root that is looked at */

struct fi_suspect {
    uint32_t node;             /* the container; a holder of another kind when there is none */
    uint32_t above;            /* the accumulation point that it was found at: node, or its owner */
    struct fi_holding held;    /* what a person would say that it holds */
    const char *held_name;     /* of its type; NULL when it holds nothing to speak of */
    uint64_t inner;            /* containers in it that hold them: 0 when it holds them itself */
    uint64_t strict, semantic; /* bytes: free without it; free when those of `others` let go too */
    uint64_t semantic_objects;
    uint32_t others[FI_SUSPECT_OTHERS]; /* who knows the same objects, those who know most first */
    uint32_t others_known[FI_SUSPECT_OTHERS];
    uint32_t other_count;
    uint64_t own_bytes;
    bool itself; /* its own bytes are most of it */
    uint32_t
        way[FI_SUSPECT_STEPS]; /* its path upwards, way[0] is node; without dicts of attributes */
    uint32_t way_count;
    const struct gr_root *root; /* that the path begins with; NULL when there is none */
    bool library;               /* it begins in a module of the standard library */
    const char *path;
};

struct df_err *fi_find_suspects(struct fi_context *context); /* fills context->suspects */

/* Which suspects can be said to have no objects of these types, one byte each, 0: neither do they
 * refer to one themselves, nor what they dominate at most two deep. Malloc'ed. */
uint8_t *fi_suspects_with(const struct fi_context *context, const uint8_t *types);

/* Is the node's type, or one of its bases, one of these (NULL-terminated)? */
bool fi_is_a(const struct fi_analysis *analysis, uint32_t node, const char *const *names);

#endif
