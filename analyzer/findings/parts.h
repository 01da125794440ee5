/* SPDX-License-Identifier: MIT
 * parts.h: the sections of a verdict, one function each, one file each; private to this folder.
 *
 * Each fills its section of context->verdict from the analysis; all memory is the pool's.
 */
#ifndef FI_PARTS_H
#define FI_PARTS_H

#include "analyzer/findings/census.h"
#include "analyzer/findings/phrase.h"
#include "analyzer/findings/pool.h"
#include "analyzer/findings/verdict.h"
#include "dumpfmt/base/map.h"

/* A task of asyncio: its node, and the row of its group in the verdict (UINT32_MAX: not listed). */
struct fi_task_row {
    uint32_t node, group;
};

struct fi_context {
    struct fi_analysis *analysis;
    struct fi_verdict *verdict;
    struct fi_pool *pool;
    uint32_t limit; /* rows of long lists; 0: all */
    const char *core_path;
    /* Classes made twice (by a factory, by a reload) have one name and are one type to a person.
     * Per type: the first type of the same name, and its place in the order of names. */
    uint32_t *named, *rank;
    bool merged;               /* some types share a name */
    struct fi_census *census;  /* NULL: none was made */
    struct fi_task_row *tasks; /* fi_fill_tasks's, for the rules */
    uint32_t task_count;
    struct df_map claims;        /* nodes that a rule has explained (rules.h), each plus 1 */
    struct fi_suspect *suspects; /* biggest first (suspects.h) */
    uint32_t suspect_count;
    struct fi_looks *looks; /* of rules, begun beside all this (looks.h) */
};

void fi_name_types(struct fi_context *context); /* fills named, rank, merged */

void fi_fill_process(struct fi_context *context); /* core and python */
void fi_fill_coverage(struct fi_context *context);
struct df_err *fi_fill_memory(struct fi_context *context);
struct df_err *fi_fill_types(struct fi_context *context);
struct df_err *fi_fill_holders(struct fi_context *context);
struct df_err *fi_fill_cycles(struct fi_context *context);
struct df_err *fi_fill_garbage(struct fi_context *context);
void fi_fill_threads(struct fi_context *context);
void fi_fill_exceptions(struct fi_context *context, const struct py_thread *from,
                        struct fi_thread *thread); /* raised.c */
/* At most `limit` of each thread; after fi_fill_threads. */
void fi_fill_native_frames(struct fi_context *context, uint32_t limit); /* native.c */
struct df_err *fi_fill_tasks(struct fi_context *context);

/* Nodes where memory accumulates, distinct and biggest first; see holders.c. Malloc'ed. */
struct df_err *fi_accumulation_points(const struct fi_analysis *analysis, uint32_t limit,
                                      uint32_t **ret, uint32_t *ret_count);
/* A holder as a value: path, type, sizes, and a text like "a dict of 30 000 `shop.Row`". */
struct fi_holder fi_holder_make(struct fi_context *context, uint32_t node);
/* A type of one of these names (the last is NULL), or derived from one. */
bool fi_type_is_a(const struct fi_analysis *analysis, const struct py_type *type,
                  const char *const *names);
/* Holds names, not things: a module, a class, or one of their dicts. */
bool fi_is_namespace(const struct fi_analysis *analysis, uint32_t node);
/* The owner knows the dict as its __dict__. */
bool fi_is_dict_of(const struct fi_analysis *analysis, uint32_t owner, uint32_t dict);
/* Nothing alive holds it. */
bool fi_is_garbage(const struct fi_analysis *analysis, uint32_t node);

/* What a node holds, in one line: the type that most of its weight is made of. */
struct fi_holding {
    uint32_t type; /* number; PY_NO_TYPE when the node holds nothing to speak of */
    uint64_t count, shallow, retained;
    bool items; /* they are the node's own elements (not found deeper below it) */
};
/* A container's elements: keys, types and the like left out. */
struct fi_holding fi_items(const struct fi_analysis *analysis, uint32_t node);
/* Looks through bound methods, tuples and other glue, for classes that Python code defined, and
 * through a few containers that hold many alike: *ret_inner is their number, 0 when not. */
struct df_err *fi_held(const struct fi_analysis *analysis, uint32_t node, struct fi_holding *ret,
                       uint64_t *ret_inner);
/* "a dict of 30 000 `Row`", "an empty list", "a `shop.Cache`", "a module". */
const char *fi_describe(struct fi_context *context, uint32_t node);

/* Is a node one of those that are asked for? NULL: all are. */
typedef bool (*fi_belongs)(const struct fi_analysis *analysis, uint32_t node);
/* Adds to `retained` (per type, by named number; 0 before) what those of the nodes retain that
 * belong and are below no other one of the same name; nodes: all that belong, of the types that are
 * asked for. */
struct df_err *fi_named_retained(const struct fi_context *context, const uint32_t *nodes,
                                 uint32_t count, fi_belongs belongs, uint64_t *retained);

/* Counts by type (one element per type, those of context->named used) as rows, biggest first; types
 * without objects are left out. */
uint32_t fi_type_rows(struct fi_context *context, const uint64_t *count, const uint64_t *shallow,
                      const uint64_t *retained, struct fi_type_row **ret);

static inline const char *fi_type_name(const struct fi_analysis *analysis, uint32_t node)
{
    return py_type_at(analysis->objects, gr_type(analysis->graph, node))->name;
}

#endif
