/* SPDX-License-Identifier: MIT
 * facts.h: what some containers of the standard library know of themselves, in C structures that
 * no reference leads to.
 */
#ifndef PY_FACTS_H
#define PY_FACTS_H

#include "analyzer/objects/object.h"

struct py_lru {      /* functools.lru_cache: Modules/_functoolsmodule.c, lru_cache_object */
    int64_t maxsize; /* -1: none */
    uint64_t hits, misses, entries;
};
/* False when it is none, or cannot be read. */
bool py_lru_facts(struct py_objects *objects, uint64_t object, struct py_lru *ret);

struct py_deque { /* Modules/_collectionsmodule.c, dequeobject */
    uint64_t length;
    int64_t maxlen; /* -1: none; -2: not known */
};
bool py_deque_facts(struct py_objects *objects, uint64_t object, struct py_deque *ret);

/* The name of the i-th of `count` variables that a function's closure holds (code: its code
 * object), malloc'ed; NULL when unreadable. */
char *py_closure_name(const struct py *py, uint64_t code, uint32_t i, uint32_t count);

#endif
