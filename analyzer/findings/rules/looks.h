/* SPDX-License-Identifier: MIT
 * looks.h: the long part of some questions, done by another thread beside all else that is done for
 * a verdict, or by the one that would have to wait for that; with one thread, when it is asked for.
 *
 * Most of it asks for no dominators: it is begun while the analysis is made. Such a look reads the
 * graph, what the analysis has when it is begun, and the dump's bytes by a reader of its own. Of
 * py_objects it has the types that there were: all else of it is for whoever makes the verdict.
 */
#ifndef FI_LOOKS_H
#define FI_LOOKS_H

#include "analyzer/findings/parts.h"

struct fi_look {
    const struct fi_analysis *analysis;
    const struct py_type **types; /* by number; of all nodes */
    const uint32_t *named;        /* as the context's; NULL before fi_looks_go_on */
    const struct fi_census *census;
    uint32_t type_count;
    struct py_reader reader;
};

struct fi_duplicates;     /* duplicate_values.c */
struct fi_room;           /* sparse_containers.c */
struct fi_instance_dicts; /* instance_dicts.c */

/* The analysis must have all that does not follow from dominators, but for who refers to whom. */
struct fi_looks *fi_looks_begin(const struct fi_analysis *analysis);
/* The analysis is complete; `named` must outlive the looks. */
void fi_looks_go_on(struct fi_looks *looks, const uint32_t *named);
void fi_looks_end(struct fi_looks *looks); /* NULL is allowed */
/* Wait until it is done; NULL with an error otherwise. The looks own what is returned. */
struct df_err *fi_looks_census(struct fi_looks *looks, struct fi_census **ret);
struct df_err *fi_looked_for_duplicates(struct fi_looks *looks, struct fi_duplicates **ret);
struct df_err *fi_looked_for_room(struct fi_looks *looks, struct fi_room **ret);
struct df_err *fi_looked_at_instance_dicts(struct fi_looks *looks, struct fi_instance_dicts **ret);

/* The looks themselves. */
struct df_err *fi_look_for_duplicates(const struct fi_look *look, struct fi_duplicates **ret);
void fi_duplicates_free(struct fi_duplicates *duplicates); /* NULL is allowed */
struct df_err *fi_look_for_room(const struct fi_look *look, struct fi_room **ret);
void fi_room_free(struct fi_room *room); /* NULL is allowed */
struct df_err *fi_look_at_instance_dicts(const struct fi_look *look,
                                         struct fi_instance_dicts **ret);
void fi_instance_dicts_free(struct fi_instance_dicts *dicts); /* NULL is allowed */

#endif
