/* SPDX-License-Identifier: MIT
 * walk_container.c: tuples, lists and sets.
 *
 * tuple_traverse, list_traverse (Objects/tupleobject.c, listobject.c) visit every slot that is not
 * NULL; set_traverse (Objects/setobject.c) every key that is neither NULL nor the dummy of a
 * removed one, which is told by its hash, -1, that no real entry has.
 */
#include "analyzer/objects/internal.h"

/* Pushes `count` consecutive pointers; what is not contiguous in the dump is read one by one. */
static enum py_status push_items(struct py_objects *objects, uint64_t items, uint64_t count,
                                 struct py_refs *refs)
{
    const uint64_t *words = count ? df_ptr(objects->reader.space, items, count * 8) : NULL;
    if (words) {
        for (uint64_t i = 0; i < count; i++) {
            uint64_t word;
            memcpy(&word, words + i, 8);
            py_push(refs, word, PY_REF_REFERENT, PY_LABEL_ITEM, i);
        }
        return PY_OK;
    }
    bool fault = false;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t word;
        if (df_u64(objects->reader.space, items + i * 8, &word)) {
            py_push(refs, word, PY_REF_REFERENT, PY_LABEL_ITEM, i);
            continue;
        }
        fault = true;
        /* Nothing of the rest of this page can be read either. */
        uint64_t next_page = ((items + i * 8) | 4095) + 1;
        i = (next_page - items + 7) / 8 - 1;
    }
    return fault ? PY_FAULT : PY_OK;
}

/* A count is believed as far as the address space can hold the items. */
static bool plausible_count(struct py_objects *objects, uint64_t items, uint64_t count)
{
    if (!count)
        return true;
    if (count > PY_MAX_TUPLE)
        return false;
    const struct df_range *range = df_aspace_range(objects->reader.space, items);
    if (!range)
        return false;
    const struct df_range *last = df_aspace_range(objects->reader.space, items + count * 8 - 1);
    return last != NULL;
}

enum py_status py_walk_tuple(struct py_objects *objects, const struct py_type *type,
                             uint64_t object, struct py_refs *refs)
{
    (void)type;
    int64_t count = py_ob_size(&objects->reader, object);
    uint64_t items = PY_AT(objects->reader.layout, object, tuple, ob_item);
    if (count < 0 || !plausible_count(objects, items, (uint64_t)count))
        return objects->reader.fault = false, PY_IMPLAUSIBLE;
    enum py_status status = push_items(objects, items, (uint64_t)count, refs);
    return py_reader_status(objects) == PY_OK ? status : PY_FAULT;
}

enum py_status py_walk_list(struct py_objects *objects, const struct py_type *type, uint64_t object,
                            struct py_refs *refs)
{
    (void)type;
    int64_t count = py_ob_size(&objects->reader, object);
    uint64_t items = PY_PTR(&objects->reader, object, list, ob_item);
    if (objects->reader.fault)
        return objects->reader.fault = false, PY_FAULT;
    if (count < 0 || !plausible_count(objects, items, (uint64_t)count))
        return PY_IMPLAUSIBLE;
    return push_items(objects, items, (uint64_t)count, refs);
}

enum py_status py_walk_set(struct py_objects *objects, const struct py_type *type, uint64_t object,
                           struct py_refs *refs)
{
    (void)type;
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    uint64_t mask = PY_PTR(reader, object, set, mask);
    uint64_t table = PY_PTR(reader, object, set, table);
    uint32_t entry = PY_SIZEOF(layout, setentry);
    uint32_t key = PY_OFF(layout, setentry, key), hash = PY_OFF(layout, setentry, hash);
    if (reader->fault)
        return reader->fault = false, PY_FAULT;
    if ((mask & (mask + 1)) || mask > PY_MAX_TUPLE / 2 ||
        !plausible_count(objects, table, (mask + 1) * (entry / 8)))
        return PY_IMPLAUSIBLE;
    for (uint64_t i = 0, at = table; i <= mask; i++, at += entry) {
        uint64_t target, code;
        if (!df_u64(reader->space, at + key, &target) || !df_u64(reader->space, at + hash, &code)) {
            if (!df_aspace_range(reader->space, at) || !df_contiguous(reader->space, at))
                return PY_FAULT;
            continue;
        }
        if (target && code != UINT64_MAX)
            py_push(refs, target, PY_REF_REFERENT, PY_LABEL_MEMBER, i);
    }
    return PY_OK;
}
