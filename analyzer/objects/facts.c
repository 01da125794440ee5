/* SPDX-License-Identifier: MIT
 * facts.c: reads them.
 */
#include "analyzer/objects/facts.h"

#include <stdlib.h>

#include "analyzer/objects/internal.h"

#define PLAUSIBLE (INT64_C(1) << 48) /* of counts */

static bool is_type(struct py_objects *objects, uint64_t object, const char *name)
{
    uint32_t type = py_object_type(objects, object);
    return type != PY_NO_TYPE && !strcmp(py_type_at(objects, type)->name, name);
}

bool py_lru_facts(struct py_objects *objects, uint64_t object, struct py_lru *ret)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    if (!PY_HAS(layout, lru, maxsize) || !PY_HAS(layout, lru, cache) ||
        !is_type(objects, object, "functools._lru_cache_wrapper"))
        return false;
    uint64_t cache = PY_PTR(reader, object, lru, cache);
    *ret = (struct py_lru){
        .maxsize = (int64_t)PY_PTR(reader, object, lru, maxsize),
        .hits = PY_PTR(reader, object, lru, hits),
        .misses = PY_PTR(reader, object, lru, misses),
        .entries = cache ? PY_PTR(reader, cache, dict, ma_used) : 0,
    };
    bool good = !reader->fault && ret->maxsize >= -1 && ret->maxsize <= INT64_MAX / 2 &&
                ret->hits < PLAUSIBLE && ret->misses < PLAUSIBLE && ret->entries < PLAUSIBLE;
    reader->fault = false;
    return good;
}

bool py_deque_facts(struct py_objects *objects, uint64_t object, struct py_deque *ret)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    uint32_t type = py_object_type(objects, object);
    for (int depth = 0; depth < 64 && type != PY_NO_TYPE; depth++) {
        if (!strcmp(py_type_at(objects, type)->name, "collections.deque"))
            break;
        type = py_type_at(objects, type)->base_index;
    }
    if (type == PY_NO_TYPE || strcmp(py_type_at(objects, type)->name, "collections.deque"))
        return false;
    int64_t length = py_ob_size(reader, object);
    *ret = (struct py_deque){.length = length < 0 ? 0 : (uint64_t)length, .maxlen = -2};
    if (PY_HAS(layout, deque, maxlen))
        ret->maxlen = (int64_t)PY_PTR(reader, object, deque, maxlen);
    bool good = !reader->fault && length >= 0 && length < PLAUSIBLE && ret->maxlen >= -2;
    reader->fault = false;
    return good;
}

/* Free variables stand last among the slots of a code object's frames (localsplusnames; up to 3.10
 * co_varnames, co_cellvars, co_freevars). */
char *py_closure_name(const struct py *py, uint64_t code, uint32_t i, uint32_t count)
{
    uint32_t low = 0, high = PY_MAX_LOCALS; /* the number of slots: names end there */
    if (i >= count)
        return NULL;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        bool cell;
        DF_CLEANUP_FREE char *name = py_local_name(py, code, middle, &cell);
        if (name)
            low = middle + 1;
        else
            high = middle;
    }
    bool cell;
    return low >= count ? py_local_name(py, code, low - count + i, &cell) : NULL;
}
