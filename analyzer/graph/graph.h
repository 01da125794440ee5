/* SPDX-License-Identifier: MIT
 * graph.h: every object and every reference as numbers.
 *
 * Nodes are objects, numbered 0..count-1 in ascending address order. Edges are stored as
 * CSR (analyzer/algo/csr.h's shape): `start` and `target` for the references that keep their
 * target alive (referent, owned, guess); the few that are not plain referents stand in a list of
 * kinds, weak references apart. From here on algorithms need no core; labels and texts are asked
 * from py_objects when a person wants to see them.
 *
 * Memory: 1/64 of the dump's bytes and a little (places: also the addresses); per node 2 (type) + 2
 * (size) + 1 (count) + 2 (flags, source and root) + 4 (start) + some 1.3 (referrers); per edge 4
 * and some 2 (referrers).
 */
#ifndef GR_GRAPH_H
#define GR_GRAPH_H

#include "analyzer/graph/column.h"
#include "analyzer/graph/places.h"
#include "analyzer/graph/referrers.h"
#include "analyzer/graph/sweep.h"
#include "analyzer/graph/texts.h"
#include "analyzer/objects/object.h"

enum gr_source { /* how we know an object */
                 GR_FROM_GC_LIST,
                 GR_FROM_REFERENT, /* reached by an exact reference */
                 GR_FROM_STATIC,
                 GR_FROM_SWEEP,
                 GR_FROM_GUESS, /* "conservative" */
                 GR_SOURCES
};

#define GR_SOURCE_BITS 3

enum { /* node flags */
       GR_TRACKED = 1,
       GR_IMMORTAL = 2,
       GR_FINALIZED = 4,
       GR_FROZEN = 8,         /* in the permanent generation */
       GR_HAS_FINALIZER = 16, /* tp_finalize of a Python __del__, or tp_del */
       GR_GC = 32,            /* the collector's kind of object */
       GR_UNCOUNTED = 64,     /* does not count what tp_traverse visits: its edges are weak */
};

enum gr_root_kind {
    GR_ROOT_NONE,
    GR_ROOT_MODULE,      /* a module in sys.modules */
    GR_ROOT_FRAME,       /* a thread's running frame: local, function, globals */
    GR_ROOT_INTERPRETER, /* runtime, interpreter or thread state */
    GR_ROOT_STATIC_TYPE,
    GR_ROOT_NATIVE,  /* a C global, a native stack (later) */
    GR_ROOT_SURPLUS, /* reachable from no root, but its reference count says that somebody holds it
                      */
    GR_ROOT_GARBAGE, /* nothing alive holds it: head of garbage that waits for the collector */
    GR_ROOT_UNKNOWN, /* reachable from nothing above, not the collector's business */
    GR_ROOT_KINDS
};

struct gr_root {
    uint32_t node;
    uint8_t kind;     /* enum gr_root_kind */
    const char *path; /* one of texts; how Python would write it: "shop.models",
                         "<thread "consumer">.consume().backlog" */
    uint32_t thread;  /* index of the thread, UINT32_MAX when none */
    uint32_t frame;   /* index of the frame in the thread (0 innermost), UINT32_MAX when none */
};

enum gr_native_place {
    GR_NATIVE_DATA,     /* data of a mapped file */
    GR_NATIVE_FRAME,    /* value stack of a running frame, beyond what is known to be valid */
    GR_NATIVE_STACK,    /* native stack or thread-local storage */
    GR_NATIVE_REGISTER, /* of a thread */
    GR_NATIVE_BLOCK,    /* block of the heap that belongs to no object */
    GR_NATIVE_MAPPING,  /* other writable memory */
    GR_NATIVE_OBJECT,   /* member of an object that its type's tp_traverse does not visit */
    GR_NATIVE_LOST,     /* no word: CPython itself forgets to give a reference back */
    GR_NATIVE_IMPORT,   /* no word: a module forgot it, once, when it was imported */
    GR_NATIVE_NONE,     /* private to ledger.c */
};

struct gr_native { /* a word outside of Python's objects that is an object's address */
    uint32_t node;
    uint8_t place;  /* enum gr_native_place */
    uint32_t index; /* of the module; of the LWP (stack, register); of the Python thread (frame);
                       the node (object); of the loss (py_loss_text); of the module, UINT32_MAX when
                       not known (import) */
    uint32_t frame;
    uint64_t address; /* of the word; number of the register */
    uint64_t block;   /* start of the heap block, of the object */
};

/* What adding up reference counts came to; see ledger.h. */
struct gr_counts {
    bool reliable;        /* all sorts of holders could be asked */
    uint64_t checked;     /* objects whose references were added up */
    uint64_t surplus;     /* have more references than were found */
    uint64_t unexplained; /* of those: no native words explain the surplus */
    uint64_t lost;        /* references that CPython itself forgets to give back */
    uint64_t imports;     /* references that modules forgot once, when they were imported */
    uint64_t deficit;     /* have fewer references than were found */
    uint32_t deficit_examples[8];
    uint32_t deficit_example_count;
};

struct gr_edge_kind {
    uint32_t edge;
    uint8_t kind; /* enum py_ref_kind */
};

struct gr_surplus { /* references that nobody was found to have; below 0: too few */
    uint32_t node;
    int32_t count;
};

struct gr_graph {
    uint32_t count;
    struct gr_places places;     /* of the nodes */
    uint64_t *addresses;         /* of graphs that are made by hand and have no places; else NULL */
    struct gr_column types;      /* py_type numbers */
    struct gr_column sizes;      /* sys.getsizeof */
    struct gr_column references; /* reference counts of those that are not immortal */
    uint8_t *flags;
    uint8_t *origins; /* enum gr_source, and above GR_SOURCE_BITS enum gr_root_kind: of the
                         strongest reason why it is a root */

    uint32_t *start, *target; /* edges that keep alive */
    uint32_t edge_count;
    uint8_t *edge_kinds; /* enum py_ref_kind, below PY_REF_WEAK: two bits each, the first lowest */
    uint32_t unusual_count;                           /* of those that are no PY_REF_REFERENT */
    uint32_t *weak_holder, *weak_start, *weak_target; /* nodes that have weak references, ascending;
                                                         and their rows: weak_holder_count + 1 */
    uint32_t weak_holder_count, weak_count;
    struct gr_reverse reverse; /* of the edges that keep alive */

    struct gr_root *roots; /* in order of strength: modules, locals of frames, state of threads,
                              static types; then what of frames and of the interpreter's state these
                              do not reach; surplus, garbage, the rest */
    uint32_t root_count;
    uint32_t *root_index; /* of nodes that are roots: first row in roots; parallel to root_nodes */
    uint32_t *root_nodes; /* distinct root nodes, in the order of roots; root_node_count of them */
    uint32_t root_node_count;
    uint32_t *root_by_node; /* places in root_nodes, by ascending node */
    struct gr_texts *texts; /* of the roots' paths */

    uint64_t references_by_kind[PY_REF_KINDS];
    uint64_t objects_by_source[GR_SOURCES];
    struct gr_surplus *surpluses; /* of nodes where it is not 0, ascending */
    uint32_t surplus_count;
    struct gr_native *natives; /* words that may explain a surplus, by node; of nodes with one */
    size_t native_count;
    struct gr_counts counts;
    struct gr_sweep *sweep; /* what every block of the heap is; NULL when it was not asked */

    bool is_mapped;          /* its arrays, but for roots, are a snapshot's */
    struct gr_native *words; /* of a snapshot: all native words that are objects' addresses, by
                                node: gr_native_find_all's */
    size_t word_count;
};

static inline uint64_t gr_address(const struct gr_graph *graph, uint32_t node)
{
    return graph->addresses ? graph->addresses[node] : gr_places_select(&graph->places, node);
}

/* All nodes with their addresses, cheaper than gr_address for each: *ret_node ascends by 1. */
struct gr_node_cursor {
    const struct gr_graph *graph;
    struct gr_place_cursor place;
    uint32_t next;
};
struct gr_node_cursor gr_nodes(const struct gr_graph *graph);
struct gr_node_cursor gr_nodes_from(const struct gr_graph *graph, uint32_t first);
bool gr_next_node(struct gr_node_cursor *cursor, uint32_t *ret_node, uint64_t *ret_address);

/* Number of its type, for py_type_at. */
static inline uint32_t gr_type(const struct gr_graph *graph, uint32_t node)
{
    return (uint32_t)gr_column_get(&graph->types, node);
}

/* sys.getsizeof. */
static inline uint64_t gr_size(const struct gr_graph *graph, uint32_t node)
{
    return gr_column_get(&graph->sizes, node);
}

/* Its reference count; INT64_MAX: immortal. */
static inline int64_t gr_references(const struct gr_graph *graph, uint32_t node)
{
    return graph->flags[node] & GR_IMMORTAL ? INT64_MAX
                                            : (int64_t)gr_column_get(&graph->references, node);
}

static inline enum gr_source gr_source_of(const struct gr_graph *graph, uint32_t node)
{
    return (enum gr_source)(graph->origins[node] & ((1 << GR_SOURCE_BITS) - 1));
}

static inline enum gr_root_kind gr_root_kind_of(const struct gr_graph *graph, uint32_t node)
{
    return (enum gr_root_kind)(graph->origins[node] >> GR_SOURCE_BITS);
}

/* Of an edge that keeps alive. */
static inline enum py_ref_kind gr_edge_kind(const struct gr_graph *graph, uint32_t edge)
{
    return (enum py_ref_kind)(graph->edge_kinds[edge / 4] >> 2 * (edge % 4) & 3);
}

/* Finds the referrers of all nodes, which gr_build has only counted, for the two questions that
 * follow; it may be done again. jobs: threads that may be used. */
struct df_err *gr_find_referrers(struct gr_graph *graph, uint32_t jobs);
/* Who keeps it alive; see referrers.h. */
static inline struct gr_referrers gr_referrers(const struct gr_graph *graph, uint32_t node)
{
    return gr_reverse_row(&graph->reverse, node);
}

#define GR_EACH_REFERRER(graph, node, referrer)                         \
    for (struct gr_referrers referrers_of_ = gr_referrers(graph, node); \
         gr_next_referrer(&referrers_of_, &(referrer));)

static inline uint32_t gr_referrer_count(const struct gr_graph *graph, uint32_t node)
{
    return (uint32_t)gr_column_get(&graph->reverse.counts, node);
}

/* The only one that refers to it, once; AL_NONE when there are none or several references. */
uint32_t gr_only_referrer(const struct gr_graph *graph, uint32_t node);
/* The targets of its weak references. */
const uint32_t *gr_weak(const struct gr_graph *graph, uint32_t node, uint32_t *ret_count);
/* References to it that nobody was found to have; 0 also where counts tell nothing. */
int32_t gr_surplus(const struct gr_graph *graph, uint32_t node);

/* The node of an address, AL_NONE (UINT32_MAX) when there is none. */
uint32_t gr_node(const struct gr_graph *graph, uint64_t address);
/* How many nodes have addresses of at most `address`. */
uint32_t gr_nodes_up_to(const struct gr_graph *graph, uint64_t address);
/* The node of the object that spans address (for interior pointers), UINT32_MAX when none. An
 * object is taken to span its size in bytes, up to the next object. */
uint32_t gr_node_containing(const struct gr_graph *graph, uint64_t address);
/* The native words of a node with a surplus: a run of natives. */
const struct gr_native *gr_natives_of(const struct gr_graph *graph, uint32_t node,
                                      size_t *ret_count);
/* The part of a node's surplus that no native word explains; 0 when there is none. */
uint32_t gr_unexplained(const struct gr_graph *graph, uint32_t node);
/* The strongest reason of a root, NULL when the node is none. */
const struct gr_root *gr_root_of(const struct gr_graph *graph, uint32_t node);
void gr_graph_destroy(struct gr_graph *graph); /* NULL is allowed */
/* Checks every invariant of the arrays; for tests and debug builds. */
bool gr_graph_is_valid(const struct gr_graph *graph, uint32_t type_count);
/* "gc-list", "referent", "static", "heap-sweep", "conservative". */
const char *gr_source_name(enum gr_source source);
/* "module", "frame", "interpreter", "static type", "native", "surplus", "garbage", "unknown". */
const char *gr_root_kind_name(enum gr_root_kind kind);

#endif
