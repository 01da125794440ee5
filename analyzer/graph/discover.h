/* SPDX-License-Identifier: MIT
 * discover.h: finds every object that can be reached from given addresses. Private to this folder.
 *
 * What is known of an object here is that it is one: a bit at its place (places.h). Its number, its
 * size and its references come later, when all are known (number.h): an object is walked twice, and
 * nothing about it is kept in between, but for what emulation found.
 */
#ifndef GR_DISCOVER_H
#define GR_DISCOVER_H

#include "analyzer/graph/graph.h"
#include "analyzer/graph/places.h"
#include "dumpfmt/base/map.h"
#include "dumpfmt/base/progress.h"

struct gr_deferred {
    struct py_batch_item *items;
    size_t count, capacity;
};

struct gr_address_list {
    uint64_t *items;
    size_t count, capacity;
};

struct gr_kept { /* an object whose references were found by emulation: a run of kept references */
    uint64_t object;
    uint32_t first, count;
};

struct gr_kept_ref {
    uint64_t target;
    uint8_t kind; /* enum py_ref_kind */
    bool uncounted;
};

struct gr_discovery {
    struct py *py;
    struct py_objects *objects;
    struct py_reader reader;
    const struct df_progress *progress;
    uint32_t jobs;       /* threads that may work at once */
    uint64_t long_list;  /* objects that are read of a list before it is read from its end too */
    size_t least_shared; /* objects to be walked that are too few for more than one thread */

    struct gr_places places; /* objects */
    uint64_t *listed;        /* bits of those that are in a collector's list */
    uint64_t *frozen;        /* of those in a permanent generation */
    struct df_map sources; /* enum gr_source of all that are neither listed nor GR_FROM_REFERENT */
    size_t weak_sources;   /* of those: weaker than that */
    uint32_t count;
    bool logging; /* what is new goes to `fresh` too */
    struct gr_address_list fresh;

    struct gr_address_list found; /* objects that may have references, in order of discovery */
    struct gr_address_list work;  /* those found before these */
    size_t next;                  /* of work: the first that no thread has yet */
    uint64_t walked;
    struct gr_crew *crew; /* crew.c's: who walks */
    struct gr_near_range near[GR_NEAR_RANGES];
    _Atomic bool strengthening; /* there are weak sources, or were */
    struct py_refs refs;
    struct gr_deferred deferred;
    struct {
        struct gr_kept *items;
        size_t count, capacity;
    } kept;
    struct {
        struct gr_kept_ref *items;
        size_t count, capacity;
    } kept_refs;
    struct gr_address_list native;    /* targets of native references: roots */
    struct gr_address_list uncounted; /* objects with references that their counts do not have */
    uint64_t edge_count;              /* references that keep alive, found so far */

    uint64_t *interned; /* per interpreter: its dict of interned strings, 0 when unknown */
    bool lists_damaged; /* not all that the collector knows was found by its lists */
    bool too_many;      /* a limit of 32-bit numbers was exceeded */
};

enum gr_discovered { GR_NO_OBJECT, GR_KNOWN_OBJECT, GR_NEW_OBJECT };

struct df_err *gr_discovery_init(struct gr_discovery *discovery, struct py_objects *objects,
                                 struct py *py, const struct df_progress *progress, uint32_t jobs);
void gr_discovery_deinit(struct gr_discovery *discovery);
/* Gives back what only discovering needs. */
void gr_discovery_release(struct gr_discovery *discovery);

/* Bits of `places` as those see them who are not the thread that sets them: what was set may not be
 * set yet. What led to it being set is seen by who sees it. */
static inline bool gr_bit_beside(const struct gr_places *places, uint64_t place)
{
    return __atomic_load_n(&places->bits[place / 64], __ATOMIC_ACQUIRE) >> (place % 64) & 1;
}

static inline void gr_set_bit_beside(struct gr_places *places, uint64_t place)
{
    uint64_t *word = &places->bits[place / 64];

    __atomic_store_n(word, *word | UINT64_C(1) << (place % 64), __ATOMIC_RELEASE);
}

/* Enters an object when it is new. A stronger source replaces a weaker one. */
enum gr_discovered gr_discover(struct gr_discovery *discovery, uint64_t address,
                               enum gr_source source);
static inline bool gr_is_discovered(const struct gr_discovery *discovery, uint64_t address)
{
    return gr_places_has(&discovery->places, address);
}
/* One more reference to an object, which its count does not have. */
void gr_discover_reference(struct gr_discovery *discovery, uint64_t object);
/* The same where its place is known; and of an object that has no bit there, and a type that is
 * settled, whether py_type_has_no_references says so. */
enum gr_discovered gr_discover_at(struct gr_discovery *discovery, uint64_t address, uint64_t place,
                                  enum gr_source source);
void gr_enter(struct gr_discovery *discovery, uint64_t address, uint64_t place, bool is_leaf,
              enum gr_source source);
/* Of an object that has a bit. */
void gr_strengthen(struct gr_discovery *discovery, uint64_t address, uint64_t place,
                   enum gr_source source);
/* Walks an object in its turn, or puts it by for emulation; what its references lead to is
 * discovered. */
void gr_walk_in_turn(struct gr_discovery *discovery, uint64_t object);
/* Walks what was put by. */
void gr_walk_deferred(struct gr_discovery *discovery);
/* All objects that the collectors of all interpreters know; to be called first. */
void gr_discover_gc_lists(struct gr_discovery *discovery);
/* Walks until no object is left that was not. */
struct df_err *gr_discover_all(struct gr_discovery *discovery);
/* How an object that is at a place was found. */
enum gr_source gr_discovered_by(const struct gr_discovery *discovery, uint64_t address,
                                uint64_t place);
/* How many objects have a source that is neither GR_FROM_GC_LIST nor GR_FROM_REFERENT. */
uint32_t gr_discovered_from(const struct gr_discovery *discovery, enum gr_source source);
/* Whether what an object refers to is not counted: a dict of interned strings. */
bool gr_holds_weakly(const struct gr_discovery *discovery, uint64_t object);
/* Facts, not faults: what could not be read is counted, and an example kept. */
void gr_note_status(struct py_objects *objects, uint64_t object, enum py_status status);

#endif
