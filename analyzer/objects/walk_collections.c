/* SPDX-License-Identifier: MIT
 * walk_collections.c: collections.deque and functools.lru_cache's wrapper.
 *
 * deque_traverse (Modules/_collectionsmodule.c): the items from leftblock.data[leftindex] to
 * rightblock.data[rightindex], blocks of 64 linked to the right. lru_cache_tp_traverse
 * (Modules/_functoolsmodule.c): key and result of every link from root.next around to the root, and
 * (3.10+) the link's type; then the wrapper's own fields.
 */
#include "analyzer/objects/internal.h"

static void push_own_type(struct py_objects *objects, uint64_t object, struct py_refs *refs)
{
    py_push(refs, py_type_of(&objects->reader, object), PY_REF_REFERENT, PY_LABEL_TYPE, 0);
}

enum py_status py_walk_deque(struct py_objects *objects, const struct py_type *type,
                             uint64_t object, struct py_refs *refs)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    if (type->flags & PY_TPFLAGS_HEAPTYPE)
        push_own_type(objects, object, refs);
    uint64_t block = PY_PTR(reader, object, deque, leftblock);
    uint64_t index = PY_PTR(reader, object, deque, leftindex);
    int64_t left = py_ob_size(reader, object);
    uint64_t length = (PY_SIZEOF(layout, dequeblock) - 16) / 8;
    if (reader->fault || left < 0 || left > (int64_t)PY_MAX_TUPLE || index > length)
        return py_reader_status(objects) == PY_OK ? PY_IMPLAUSIBLE : PY_FAULT;
    struct py_cycle cycle = {0};
    for (int64_t i = 0; i < left && !reader->fault; i++) {
        if (index == length) {
            block = PY_PTR(reader, block, dequeblock, rightlink);
            index = 0;
            if (py_cycle_closed(&cycle, block))
                return reader->fault = false, PY_IMPLAUSIBLE;
        }
        uint64_t item = py_word(reader, PY_AT(layout, block, dequeblock, data) + index++ * 8);
        py_push(refs, item, PY_REF_REFERENT, PY_LABEL_ITEM, (uint64_t)i);
    }
    return py_reader_status(objects);
}

enum py_status py_walk_lru(struct py_objects *objects, const struct py_type *type, uint64_t object,
                           struct py_refs *refs)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    bool heap = type->flags & PY_TPFLAGS_HEAPTYPE;
    if (heap)
        push_own_type(objects, object, refs);
    uint64_t root = PY_AT(layout, object, lru, root), cache = PY_PTR(reader, object, lru, cache);
    uint64_t limit = cache ? PY_PTR(reader, cache, dict, ma_used) : 0;
    uint64_t link = PY_PTR(reader, root, lrulink, next);
    struct py_cycle cycle = {0};
    bool closed = false;
    for (uint64_t i = 0; link && link != root && i <= limit && !reader->fault; i++) {
        closed = py_cycle_closed(&cycle, link);
        if (closed)
            break;
        uint64_t key = PY_PTR(reader, link, lrulink, key);
        py_push_field(refs, link, PY_REF_OWNED, "root"); /* as the cache does, again */
        py_push(refs, key, PY_REF_REFERENT, PY_LABEL_KEY, 0);
        py_push(refs, PY_PTR(reader, link, lrulink, result), PY_REF_REFERENT, PY_LABEL_VALUE, key);
        if (heap)
            py_push_field(refs, py_type_of(reader, link), PY_REF_REFERENT, "lru_list_elem_type");
        link = PY_PTR(reader, link, lrulink, next);
    }
    py_push_field(refs, cache, PY_REF_REFERENT, "cache");
    py_push_field(refs, PY_PTR(reader, object, lru, func), PY_REF_REFERENT, "__wrapped__");
    py_push_field(refs, PY_PTR(reader, object, lru, kwd_mark), PY_REF_REFERENT, "kwd_mark");
    py_push_field(refs, PY_PTR(reader, object, lru, lru_list_elem_type), PY_REF_REFERENT,
                  "lru_list_elem_type");
    py_push_field(refs, PY_PTR(reader, object, lru, cache_info_type), PY_REF_REFERENT,
                  "cache_info_type");
    py_push_field(refs, PY_PTR(reader, object, lru, dict), PY_REF_REFERENT, "__dict__");
    enum py_status status = py_reader_status(objects);
    return closed ? PY_IMPLAUSIBLE : status;
}
