/* SPDX-License-Identifier: MIT
 * graphmade.h: graphs of objects written by hand: nodes with a type, a count and flags, edges in
 * order.
 */
#ifndef TESTS_SUPPORT_GRAPHMADE_H
#define TESTS_SUPPORT_GRAPHMADE_H

#include "analyzer/graph/graph.h"

struct graphmade_node {
    uint32_t type;
    int64_t references;
    uint8_t flags;
};

struct graphmade_edge {
    uint32_t from, to;
    uint8_t kind; /* enum py_ref_kind; PY_REF_WEAK stands apart */
};

/* Node i lies at 0x1000 + 0x100 i and has 10 + i bytes. No roots; see graphmade_roots. */
struct gr_graph *graphmade(uint32_t count, const struct graphmade_node *nodes,
                           const struct graphmade_edge *edges, size_t edge_count);

struct graphmade_root {
    uint32_t node;
    uint8_t kind;
    const char *path;
};
/* Installs these roots, and those of all that they do not reach. Types are named "T0", "T1".. */
void graphmade_roots(struct gr_graph *graph, const struct graphmade_root *roots, size_t count);

#endif
