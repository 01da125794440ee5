/* SPDX-License-Identifier: MIT
 * closure.h: every object of a dump's collector lists, and every one that they lead to.
 *
 * The plainest possible walk, for tests that are about the objects and not about the graph.
 */
#ifndef TESTS_SUPPORT_CLOSURE_H
#define TESTS_SUPPORT_CLOSURE_H

#include "analyzer/objects/object.h"
#include "dumpfmt/base/map.h"

struct closure {
    struct py_batch_item *items; /* object and type, in the order of discovery */
    size_t count, capacity;
    size_t from_lists;    /* so many of them are of the collector's lists */
    size_t limit;         /* stop there; 0: no limit */
    const uint64_t *more; /* addresses to begin with besides the lists; NULL when none */
    size_t more_count;
    size_t references; /* of all kinds */
    size_t deferred;   /* objects that were walked by emulation */
    size_t bad[PY_STATUS_COUNT];
    struct df_map seen; /* address -> index */
};

/* Zero-initialise (or set limit alone) before. */
void closure_collect(struct closure *closure, struct py *py, struct py_objects *objects);
void closure_deinit(struct closure *closure);

#endif
