/* SPDX-License-Identifier: MIT
 * discover.h: finds every object that can be reached from given addresses, and their references,
 * in the order of discovery. Private to this folder.
 */
#ifndef GR_DISCOVER_H
#define GR_DISCOVER_H

#include "analyzer/graph/graph.h"
#include "dumpfmt/base/map.h"
#include "dumpfmt/base/progress.h"

struct gr_found { /* one object */
    uint64_t address, size;
    int64_t references; /* what it counts, and what refers to it without being counted */
    uint32_t type;
    uint32_t first, count; /* its run in the edges */
    uint8_t flags, source;
};

struct gr_found_list {
    struct gr_found *items;
    size_t count, capacity;
};

struct gr_weak_edge {
    uint32_t source;
    uint64_t target; /* address: weak references discover nothing */
};

struct gr_deferred {
    struct py_batch_item *items;
    size_t count, capacity;
};

struct gr_discovery {
    struct py *py;
    struct py_objects *objects;
    struct py_reader reader;
    const struct df_progress *progress;

    struct df_map numbers; /* address to number */
    struct gr_found_list found;
    uint32_t *targets; /* edges that keep alive, each object's in one run */
    uint8_t *kinds;
    size_t edge_count, target_capacity, kind_capacity;
    struct {
        struct gr_weak_edge *items;
        size_t count, capacity;
    } weak;
    struct {
        uint64_t *items;
        size_t count, capacity;
    } native; /* targets of native references: roots */

    uint64_t *interned; /* per interpreter: its dict of interned strings, 0 when unknown */

    size_t next; /* the first object that was not walked yet */
    struct py_refs refs;
    struct gr_deferred deferred;
    bool lists_damaged; /* not all that the collector knows was found by its lists */
    bool too_many; /* a limit of 32-bit numbers was exceeded */
    uint64_t references_by_kind[PY_REF_KINDS];
};

void gr_discovery_init(struct gr_discovery *discovery, struct py_objects *objects, struct py *py,
                       const struct df_progress *progress);
void gr_discovery_deinit(struct gr_discovery *discovery);

/* The number of an object, entered when it is new; UINT32_MAX when it is no plausible object. A
 * stronger source replaces a weaker one, flags are added. */
uint32_t gr_discover(struct gr_discovery *discovery, uint64_t address, enum gr_source source,
                     uint8_t flags);
/* One more reference to an object, which its count does not have. */
void gr_discover_reference(struct gr_discovery *discovery, uint32_t number);
/* All objects that the collectors of all interpreters know. */
void gr_discover_gc_lists(struct gr_discovery *discovery);
/* Walks until no object is left that was not. */
struct df_err *gr_discover_all(struct gr_discovery *discovery);

#endif
