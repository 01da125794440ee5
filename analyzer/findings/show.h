/* SPDX-License-Identifier: MIT
 * show.h: the making of a struct fi_object, part by part; private to this folder.
 */
#ifndef FI_SHOW_H
#define FI_SHOW_H

#include "analyzer/findings/pool.h"
#include "analyzer/findings/verdict.h"

struct fi_show {
    struct fi_analysis *analysis;
    struct fi_pool *pool;
    struct fi_object *object;
    uint32_t node, limit; /* limit 0: none */
    bool full;
    struct py_refs refs; /* scratch */
};

/* fields.c: fields, and the referents that are none. */
void fi_show_fields(struct fi_show *show);
/* kinds.c: facts. */
void fi_show_kind(struct fi_show *show);
/* belongs.c: dominator, what would be freed with it, cycle. */
struct df_err *fi_show_belongs(struct fi_show *show);

/* A reference; `other` is the object at the far end, holder the one that ref was found in. */
struct fi_link fi_show_link(struct fi_show *show, uint32_t holder, uint64_t other,
                            const struct py_ref *ref);
/* The text of an object: of at most `length` characters or so, unless all texts are to be in full.
 */
const char *fi_show_text(struct fi_show *show, uint64_t address, uint64_t length);

#endif
