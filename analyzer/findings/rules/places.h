/* SPDX-License-Identifier: MIT
 * places.h: where many objects are, in one line: the path that is commonest among a sample of them,
 * with what differs between alike ones left out: "__main__.book[*].city". Private to this folder.
 *
 * A path costs a walk of each of its holders, which may be huge: the sample has a budget of
 * references, and at least one path is always made.
 */
#ifndef FI_PLACES_H
#define FI_PLACES_H

#include "analyzer/findings/parts.h"

struct fi_place {
    const char *path;     /* the pool's; NULL when there are no nodes */
    uint32_t node;        /* one that is there; AL_NONE when there are no nodes */
    uint32_t same, asked; /* so many of so many sampled paths are this one */
};

struct fi_place fi_commonest_place(struct fi_context *context, const uint32_t *nodes, size_t count);
/* The holder of a node along its short path, as a finding wants it: the place's path, the type and
 * the address of what holds the sampled node. */
struct fi_holder fi_place_holder(struct fi_context *context, const struct fi_place *place);
/* A path without what differs from dump to dump: indexes and keys in brackets become "[*]", an id()
 * in a name "*", numbers of threads go. The pool's. */
char *fi_path_shape(struct fi_pool *pool, const char *path);

#endif
