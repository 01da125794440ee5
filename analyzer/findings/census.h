/* SPDX-License-Identifier: MIT
 * census.h: how many objects each type has, and where the objects of rare types are.
 *
 * Most rules ask for objects of a few types of which there are few: they get them without looking
 * at every object again. Types are taken in, rarest first, until their objects are an eighth of all
 * (half a byte an object); whoever wants others passes over all objects.
 */
#ifndef FI_CENSUS_H
#define FI_CENSUS_H

#include <stdint.h>

#include "dumpfmt/base/err.h"

struct fi_context;
struct gr_graph;

struct fi_type_count {
    uint64_t count, shallow; /* objects, bytes */
};

struct fi_census {
    uint32_t types;             /* that there are among the nodes' */
    struct fi_type_count *sums; /* per type */
    uint32_t *start;            /* per type, and one more: its nodes' places in `listed` */
    uint32_t *listed;           /* ascending for each type; none of types with many */
};

/* type_count: all types of nodes are below it. */
struct df_err *fi_census_make(const struct gr_graph *graph, uint32_t type_count,
                              struct fi_census **ret);
void fi_census_free(struct fi_census *census); /* NULL is allowed */

/* The nodes of the types that are wanted (not 0; one byte for each type that there is by now),
 * ascending, malloc'ed. A context without a census is served too, slowly. */
struct df_err *fi_nodes_of(const struct fi_context *context, const uint8_t *wanted, uint32_t **ret,
                           uint32_t *ret_count);

#endif
