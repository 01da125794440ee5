/* SPDX-License-Identifier: MIT
 * analysis.h: a graph with the answers that algorithms give for it, computed once.
 *
 * Everything that commands and findings ask: dominators and retained sizes, shortest paths, cycles,
 * the collector's verdict. Most of it is kept for the trunk alone: two objects of three are leaves,
 * of which the graph says the rest.
 */
#ifndef FI_ANALYSIS_H
#define FI_ANALYSIS_H

#include "analyzer/algo/collector.h"
#include "analyzer/algo/dominators.h"
#include "analyzer/algo/reach.h"
#include "analyzer/algo/scc.h"
#include "analyzer/findings/tree.h"
#include "analyzer/graph/build.h"

struct fi_analysis {
    struct py *py;              /* borrowed */
    struct py_objects *objects; /* borrowed */
    struct gr_graph *graph;     /* borrowed */
    uint32_t jobs;              /* threads that may be used */

    struct gr_trunk trunk;      /* the nodes that are more than leaves: rows */
    struct fi_tree tree;        /* dominators, retained sizes */
    uint32_t *parent;           /* per row: tree of short natural paths from the roots (ways.c), */
    struct gr_column distances; /* nodes, and how far they are from a root; AL_NONE: unreached */
    uint64_t *type_retained;    /* per type number, */
    uint32_t type_count;        /* of those that there were: more may be met later */

    uint32_t *cycle_start, *cycle_member; /* cyclic strongly connected components */
    uint32_t cycle_count;
    uint64_t *cycle_bytes; /* of a snapshot, per cycle: shallow sizes; else NULL */
    struct df_necro *kept; /* the snapshot, when it has cycle_member and nobody asked for it yet */
    uint8_t *verdict;      /* per node, enum al_verdict */
    uint32_t garbage, uncollectable, inconsistent, first_inconsistent;
    uint64_t garbage_bytes; /* of the garbage and of all that would be freed with it */
    uint32_t garbage_freed; /* objects, likewise */
    uint64_t total_bytes;   /* shallow sizes of all objects */
    bool is_mapped;         /* its arrays are a snapshot's */
    struct fi_looks *looks; /* begun for the verdict that is going to be made; else NULL */
    struct py_tracemalloc
        *traced; /* what tracemalloc wrote down; NULL: not asked yet (allocated.c) */
};

/* The immediate dominator: AL_ROOT under the virtual root, AL_NONE of what is not reached. */
uint32_t fi_idom(const struct fi_analysis *analysis, uint32_t node);
/* Is it the immediate dominator of a node that it refers to? */
static inline bool fi_holds_alone(const struct fi_analysis *analysis, uint32_t holder,
                                  uint32_t target)
{
    return !gr_in_trunk(&analysis->trunk, target) || fi_idom(analysis, target) == holder;
}
/* Bytes, and objects, that would be free without it. */
uint64_t fi_retained(const struct fi_analysis *analysis, uint32_t node);
uint32_t fi_retained_count(const struct fi_analysis *analysis, uint32_t node);
/* The holder on the short natural path to it, AL_ROOT, AL_NONE; and how many there are above it. */
uint32_t fi_parent(const struct fi_analysis *analysis, uint32_t node);
uint32_t fi_distance(const struct fi_analysis *analysis, uint32_t node);
enum al_verdict fi_verdict_of(const struct fi_analysis *analysis, uint32_t node);

/* What a node immediately dominates; of graph->count: what no single object does. Nodes of the
 * trunk come first, biggest first; then leaves, in the order in which it refers to them. */
struct fi_children {
    const struct fi_analysis *analysis;
    uint32_t next, end;      /* places in the tree */
    uint32_t edge, edge_end; /* references, for leaves */
};
struct fi_children fi_children(const struct fi_analysis *analysis, uint32_t node);
bool fi_next_child(struct fi_children *children, uint32_t *ret);
/* The child that retains most (of equals the one of the lowest address); AL_NONE: it has none. */
uint32_t fi_biggest_child(const struct fi_analysis *analysis, uint32_t node);

/* All nodes that are reached, dominators before what they dominate, or the other way round. */
struct fi_walk {
    const struct fi_analysis *analysis;
    uint32_t place, leaf;
    bool up;
};
struct fi_walk fi_walk_down(const struct fi_analysis *analysis);
struct fi_walk fi_walk_up(const struct fi_analysis *analysis);
bool fi_next_walked(struct fi_walk *walk, uint32_t *ret);

/* The bytes that some distinct nodes retain together: members that another one dominates are not
 * counted again. Work for them alone, not for the heap. */
struct df_err *fi_set_retained(const struct fi_analysis *analysis, const uint32_t *nodes,
                               uint32_t count, uint64_t *ret);
/* The bytes that each class of nodes retains together: of its members, those above no other one
 * count. class_of: per node, NULL: their types; members of classes >= class_count are in none.
 * retained: class_count.
 */
struct df_err *fi_class_retained(const struct fi_analysis *analysis, const uint32_t *class_of,
                                 uint32_t class_count, uint64_t *retained);

/* jobs: threads that may be used; the result is the same for any number. judged: a verdict with
 * findings is going to be made: what of it needs no dominators is looked for meanwhile. */
struct df_err *fi_analyse(struct py *py, struct py_objects *objects, struct gr_graph *graph,
                          bool judged, const struct df_progress *progress, uint32_t jobs,
                          struct fi_analysis **ret);
/* What the part that needs no process must know of each type. */
struct fi_type_fact {
    uint32_t node; /* of the type object; AL_NONE when unknown */
    bool legacy;   /* has tp_del */
    bool dict;     /* its objects are dicts */
    bool tuple;    /* its objects are tuples, and of no subclass */
    bool atomic;   /* a collection passes over those that refer to nothing that it tracks */
};
/* The facts of all types that there are, malloc'ed. */
struct df_err *fi_type_facts(struct py *py, struct py_objects *objects,
                             const struct gr_graph *graph, struct fi_type_fact **ret,
                             uint32_t *ret_count);
/* That part alone, for tests on literal arrays; facts: one for each type. */
struct df_err *fi_analyse_graph(struct gr_graph *graph, uint32_t type_count,
                                const struct fi_type_fact *facts,
                                const struct df_progress *progress, uint32_t jobs,
                                struct fi_analysis **ret);
void fi_analysis_destroy(struct fi_analysis *analysis); /* NULL is allowed */

/* The path of a node from its root as Python would write it, along the shortest path tree
 * (`dominators` false) or along the dominator tree, where hops that skip are written "…".
 * Instance and module dicts vanish in attribute access. Malloc'ed, never NULL. At most max_hops
 * hops are written out, the middle cut with "…" (0: no limit). */
char *fi_path(struct fi_analysis *analysis, uint32_t node, bool dominators, uint32_t max_hops);

#endif
