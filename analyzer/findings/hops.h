/* SPDX-License-Identifier: MIT
 * hops.h: one step of a path: how a holder refers to what it holds, in words. Private to this
 * folder.
 *
 * The graph does not keep labels, so a step walks its holder again: linear in the holder's size,
 * but for the references to other objects, which are not kept.
 */
#ifndef FI_HOPS_H
#define FI_HOPS_H

#include "analyzer/findings/analysis.h"

static inline const struct py_type *fi_type(const struct fi_analysis *analysis, uint32_t node)
{
    return py_type_at(analysis->objects, gr_type(analysis->graph, node));
}

bool fi_has_edge(const struct gr_graph *graph, uint32_t holder, uint32_t held);

/* Walks a node into refs, which is emptied first. */
void fi_walk(struct fi_analysis *analysis, uint32_t node, struct py_refs *refs);
/* The same for one who looks for the references to `held`: others may be missing. */
void fi_walk_to(struct fi_analysis *analysis, uint32_t node, uint32_t held, struct py_refs *refs);
/* Of the references in refs to `target` that keep it alive, the one with the label that says most;
 * NULL when there is none. */
const struct py_ref *fi_best_ref(const struct py_refs *refs, uint64_t target);

/* Is ref a better answer to "how does it refer to this object" than `than` (NULL: none yet)? */
bool fi_ref_is_better(const struct py_ref *ref, const struct py_ref *than);
/* How `holder` refers to `held`, malloc'ed; for AL_NONE as holder the root's path; "…" when there
 * is no direct reference. refs is scratch. */
char *fi_step_label(struct fi_analysis *analysis, uint32_t holder, uint32_t held,
                    struct py_refs *refs);

/* The path along a chain of holders, the object first, its root last, as fi_path. Malloc'ed. */
char *fi_chain_path(struct fi_analysis *analysis, const uint32_t *nodes, size_t count,
                    uint32_t max_hops);
/* The label as it stands behind the holder's path: ".name", "[3]", "['k']", never "". Malloc'ed. */
char *fi_hop_text(struct fi_analysis *analysis, uint32_t holder, const struct py_ref *ref);
/* The same with what differs between alike references left out: "[*]" for indices and keys. Static
 * or malloc'ed: free *ret_free. */
const char *fi_hop_shape(struct fi_analysis *analysis, uint32_t holder, const struct py_ref *ref,
                         char **ret_free);
/* Is it the field of this name, "__closure__"? */
bool fi_is_field(const struct py_ref *ref, const char *name);
/* Is this the reference of an object to the dict of its attributes? */
bool fi_is_attributes(const struct py_ref *ref);
/* "['name']" becomes ".name" when it can be written so; false when it cannot. */
bool fi_key_to_attribute(char *text);

#endif
