/* SPDX-License-Identifier: MIT
 * walk_container.c: tuples, lists and sets.
 *
 * tuple_traverse, list_traverse (Objects/tupleobject.c, listobject.c) visit every slot that is not
 * NULL; set_traverse (Objects/setobject.c) every key that is neither NULL nor the dummy of a
 * removed one, which is told by its hash, -1, that no real entry has.
 */
#include "analyzer/objects/internal.h"

#define MAX_STRUCTSEQ 4096 /* fields */
#define MANY 256           /* items of which a sample is looked at first */
#define SAMPLE 64
#define MAX_STRANGE (SAMPLE / 4) /* of a sample that are no addresses */
#define LEAST_ADDRESS 65536      /* Linux maps nothing below (vm.mmap_min_addr) */

/* Is what lies there an array of objects, as far as a sample tells? A count that is damaged makes
 * an array run through what lies behind it: numbers, hashes and texts. Many such arrays lie over
 * each other, and would cost their number times the heap. */
static bool looks_like_items(struct py_objects *objects, uint64_t items, uint64_t count)
{
    unsigned strange = 0;
    for (uint64_t i = 0; count > MANY && i < SAMPLE; i++) {
        uint64_t word;
        if (df_u64(objects->reader.space, items + i * count / SAMPLE * 8, &word) && word)
            strange += (word & 7) || word < LEAST_ADDRESS || word >> DF_ADDRESS_BITS;
    }
    return strange <= MAX_STRANGE;
}

/* Pushes `count` consecutive pointers; what is not contiguous in the dump is read one by one. */
static enum py_status push_items(struct py_objects *objects, uint64_t items, uint64_t count,
                                 struct py_refs *refs)
{
    if (!looks_like_items(objects, items, count))
        return PY_IMPLAUSIBLE;
    const uint64_t *words = count ? df_ptr(objects->reader.space, items, count * 8) : NULL;
    if (words) {
        for (uint64_t i = 0; i < count; i++) {
            uint64_t word;
            memcpy(&word, words + i, 8);
            py_push_item(refs, word, PY_REF_REFERENT, PY_LABEL_ITEM, i);
        }
        return PY_OK;
    }
    bool fault = false;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t word;
        if (df_u64(objects->reader.space, items + i * 8, &word)) {
            py_push_item(refs, word, PY_REF_REFERENT, PY_LABEL_ITEM, i);
            continue;
        }
        fault = true;
        /* Nothing of the rest of this range can be read either. */
        const struct df_range *range = df_aspace_range(objects->reader.space, items + i * 8);
        if (range && !range->host)
            i = (range->end - items + 7) / 8 - 1;
    }
    return fault ? PY_FAULT : PY_OK;
}

bool py_plausible_words(const struct py_objects *objects, uint64_t address, uint64_t count)
{
    if (!count)
        return true;
    if (count > PY_MAX_TUPLE)
        return false;
    for (uint64_t at = address, end = address + count * 8; at < end;) {
        const struct df_range *range = df_aspace_range(objects->reader.space, at);
        if (!range)
            return false;
        at = range->end;
    }
    return true;
}

enum py_status py_walk_tuple(struct py_objects *objects, const struct py_type *type,
                             uint64_t object, struct py_refs *refs)
{
    (void)type;
    int64_t count = py_ob_size(&objects->reader, object);
    uint64_t items = PY_AT(objects->reader.layout, object, tuple, ob_item);
    if (count < 0 || !py_plausible_words(objects, items, (uint64_t)count))
        return objects->reader.fault = false, PY_IMPLAUSIBLE;
    enum py_status status = push_items(objects, items, (uint64_t)count, refs);
    return py_reader_status(objects) == PY_OK ? status : PY_FAULT;
}

/* By hand because structseq_traverse (Objects/structseq.c) looks n_fields up in its type's dict,
 * which needs a thread state: it cannot be emulated where no thread had the GIL. */
uint64_t py_structseq_fields(struct py_objects *objects, const struct py_type *type)
{
    struct py_reader *reader = &objects->reader;
    int64_t fields;
    if (!(type->flags & PY_TPFLAGS_TUPLE))
        return 0;
    uint64_t dict = py_type_dict(objects->py, type->address);
    if (!py_dict_get(reader, dict, "n_sequence_fields") ||
        !py_int(reader, py_dict_get(reader, dict, "n_fields"), &fields))
        return 0;
    return fields > 0 && fields <= MAX_STRUCTSEQ ? (uint64_t)fields : 0;
}

enum py_status py_walk_structseq(struct py_objects *objects, const struct py_type *type,
                                 uint64_t object, struct py_refs *refs)
{
    uint64_t fields = (uintptr_t)type->data;
    uint64_t items = PY_AT(objects->reader.layout, object, tuple, ob_item);
    /* Traverses visit the types of their instances since bpo-40217, which is as old as ht_module.
     */
    if ((type->flags & PY_TPFLAGS_HEAPTYPE) && PY_HAS(objects->reader.layout, heaptype, ht_module))
        py_push(refs, type->address, PY_REF_REFERENT, PY_LABEL_TYPE, 0);
    return py_plausible_words(objects, items, fields) ? push_items(objects, items, fields, refs)
                                                      : PY_IMPLAUSIBLE;
}

enum py_status py_walk_list(struct py_objects *objects, const struct py_type *type, uint64_t object,
                            struct py_refs *refs)
{
    (void)type;
    int64_t count = py_ob_size(&objects->reader, object);
    int64_t allocated = (int64_t)PY_PTR(&objects->reader, object, list, allocated);
    uint64_t items = PY_PTR(&objects->reader, object, list, ob_item);
    if (objects->reader.fault)
        return objects->reader.fault = false, PY_FAULT;
    /* Sorting sets allocated to -1 and takes the items away (list_sort_impl). */
    bool room =
        !PY_HAS(objects->reader.layout, list, allocated) || allocated < 0 || count <= allocated;
    if (count < 0 || !room || !py_plausible_words(objects, items, (uint64_t)count))
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
        !py_plausible_words(objects, table, (mask + 1) * (entry / 8)))
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
