/* SPDX-License-Identifier: MIT
 * roots.h: why things are alive: what the process itself says (seeds.c), and what must be said of
 * objects that nothing of that reaches (unreached.c). Private to this folder.
 */
#ifndef GR_ROOTS_H
#define GR_ROOTS_H

#include "analyzer/graph/discover.h"

struct gr_seed { /* a root before objects have numbers */
    uint64_t object;
    const char *path;
    uint32_t thread, frame; /* UINT32_MAX when none */
    uint8_t kind;           /* enum gr_root_kind */
    uint8_t late;           /* 0: a root; else only when no root less late reaches it */
};

#define GR_LATEST 2

struct gr_seeds {
    struct gr_seed *items;
    size_t count, capacity;
    struct gr_texts *texts;
};

/* Appends the roots that the process shows, in order of strength. */
void gr_seeds_collect(struct gr_seeds *seeds, struct py_objects *objects, const struct py *py);

struct gr_root_list {
    struct gr_root *items;
    size_t count, capacity;
};

/* What of a graph is reached so far; grows root by root. */
struct gr_reach {
    const struct gr_graph *graph;
    uint8_t *seen;   /* per node */
    uint32_t *queue; /* every reached node, in order */
    uint32_t count;
};

struct df_err *gr_reach_init(struct gr_reach *reach, const struct gr_graph *graph);
void gr_reach_deinit(struct gr_reach *reach);
void gr_reach_from(struct gr_reach *reach, uint32_t node);

/* Finds roots for all nodes that `reach` has not seen, and extends it to all nodes: surplus of the
 * reference count, heads of garbage, the rest. type_name gives a type's name for the path. */
struct df_err *gr_roots_of_unreached(struct gr_reach *reach, struct gr_root_list *roots,
                                     struct gr_texts *texts,
                                     const char *(*type_name)(void *context, uint32_t type),
                                     void *context);

/* Puts the roots into the graph and derives the arrays by node. Consumes the list. */
struct df_err *gr_roots_install(struct gr_graph *graph, struct gr_root_list *roots);

#endif
