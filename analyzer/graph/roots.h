/* SPDX-License-Identifier: MIT
 * roots.h: why things are alive: what the process itself says (seeds.c), and what must be said of
 * objects that nothing of that reaches (natives.c, unreached.c). Private to this folder.
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

/* The path of a place on a value stack (a GR_NATIVE_FRAME). */
const char *gr_stack_path(struct gr_texts *texts, struct py_objects *objects, const struct py *py,
                          const struct gr_native *word);

struct gr_root_list {
    struct gr_root *items;
    size_t count, capacity;
};

/* 64 nodes: which are reached, which have references. One is asked where the other is. */
struct gr_reach_word {
    uint64_t seen, inner;
};

/* What of a graph is reached so far; grows root by root. */
struct gr_reach {
    const struct gr_graph *graph;
    struct gr_reach_word *words;
    uint32_t *queue; /* scratch: nodes with references whose targets are to be entered */
    uint32_t count;  /* reached nodes */
};

struct df_err *gr_reach_init(struct gr_reach *reach, const struct gr_graph *graph);
void gr_reach_deinit(struct gr_reach *reach);
void gr_reach_from(struct gr_reach *reach, uint32_t node);
/* The first node from `node` on that is not reached; the graph's count when there is none. */
uint32_t gr_next_unreached(const struct gr_reach *reach, uint32_t node);

static inline bool gr_reached(const struct gr_reach *reach, uint32_t node)
{
    return reach->words[node / 64].seen >> (node % 64) & 1;
}

/* Roots of kind native, of objects with more references than were found and a native word that may
 * be one of them. Early: globals of C code, which hold what they hold whoever else does. Late: for
 * what nothing else reaches, any word: a stack's, a register's, a heap block's, the interpreter's
 * own data; a word on a value stack makes a root of kind frame. */
void gr_roots_of_natives(struct gr_reach *reach, struct gr_root_list *roots, struct gr_texts *texts,
                         struct py_objects *objects, const struct py *py, bool late);

/* Finds roots for all nodes that `reach` has not seen, and extends it to all nodes: surplus of the
 * reference count, heads of garbage, the rest. type_name gives a type's name for the path. */
struct df_err *gr_roots_of_unreached(struct gr_reach *reach, struct gr_root_list *roots,
                                     struct gr_texts *texts,
                                     const char *(*type_name)(void *context, uint32_t type),
                                     void *context);

/* Puts the roots into the graph and derives the arrays by node. Consumes the list. */
struct df_err *gr_roots_install(struct gr_graph *graph, struct gr_root_list *roots);

#endif
