/* SPDX-License-Identifier: MIT
 * native.h: references from outside Python's heap: words that are exactly the address of an object,
 * where C code keeps such: data of mapped files, stacks and registers of threads, blocks of the
 * heap that belong to no object; and, alike in that nothing says whether they still count, the
 * places of a value stack whose top is in a register.
 *
 * Such a word is no proof: it may be borrowed, or left over from before. The ledger of reference
 * counts (ledger.h) decides what it means. So words are not stored with the graph; they are asked
 * for again, for one object, when a person wants to see them.
 */
#ifndef GR_NATIVE_H
#define GR_NATIVE_H

#include "analyzer/graph/graph.h"

/* Visits every such word that may be the address of an object in [low, high), in the order of enum
 * gr_native_place, by address. Words of the interpreter's own state that it is known to own are
 * among them (py_state_words). word->node is not set. */
typedef void (*gr_native_visitor)(void *context, uint64_t target, const struct gr_native *word);
void gr_native_scan(const struct py *py, const struct gr_sweep *sweep, uint64_t low, uint64_t high,
                    gr_native_visitor visit, void *context);

/* Those of all objects, by node. Malloc'ed. */
struct gr_native *gr_native_find_all(const struct py *py, const struct gr_graph *graph,
                                     size_t *ret_count);
/* The words that are the address of one object, but for those in other objects. Malloc'ed. */
struct gr_native *gr_native_find(const struct py *py, const struct gr_graph *graph, uint32_t node,
                                 size_t *ret_count);

/* Is the word part of an object in data (a static type)? Its walk has found it then. */
bool gr_native_in_object(const struct gr_graph *graph, const struct gr_native *word);

/* Where it is, as a person would say it, malloc'ed: "libfoo.so: cache+0x10", "stack of thread 4711
 * (poll)", "register 3 of thread 4711", "heap block 0x7f…+0x18". */
char *gr_native_name(const struct py *py, const struct gr_native *word);
/* Is it in data of a mapped file other than the interpreter's own? */
bool gr_native_is_global(const struct py *py, const struct gr_native *word);

#endif
