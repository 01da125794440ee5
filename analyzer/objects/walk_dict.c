/* SPDX-License-Identifier: MIT
 * walk_dict.c: dicts in all their forms, and OrderedDict.
 *
 * dict_traverse (Objects/dictobject.c): a split table visits its values; a table whose keys are all
 * strings visits values only; any other visits key and value of entries that have a value. Keys of
 * a string table are owned without being visited: by the table, once, so for split tables they
 * belong to the type that caches the shared keys (walk_type.c).
 *
 *   keys object, 3.11+          entries (unicode: 16 bytes, general: 24 bytes)
 *   +-------------------+-------------------------+------------------------------+
 *   | head, 32 bytes    | 1 << log2_index_bytes   | nentries used of 2/3 of size |
 *   +-------------------+-------------------------+------------------------------+
 */
#include "analyzer/objects/internal.h"

#define MAX_DICT_LOG2 40

/* Up to 3.10 the look-up function tells string tables: lookdict serves any key. Without its symbol
 * a table is general when it has a key that is no str. */
static bool has_string_keys(struct py_objects *objects, const struct py_table *table)
{
    struct py_reader *reader = &objects->reader;
    if (reader->layout->general_lookup)
        return PY_PTR(reader, table->keys, dictkeys, dk_lookup) != reader->layout->general_lookup;
    for (uint64_t i = 0; i < table->count && !reader->fault; i++) {
        uint64_t key = py_word(reader, table->entries + i * table->entry_size + table->key_at);
        if (key && !(py_flags_of(reader, key) & PY_TPFLAGS_UNICODE))
            return false;
    }
    return true;
}

static bool read_table_anew(struct py_objects *objects, uint64_t keys, struct py_table *ret)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    uint64_t indices = PY_AT(layout, keys, dictkeys, dk_indices), index_bytes, size;
    ret->keys = keys;
    ret->count = PY_PTR(reader, keys, dictkeys, dk_nentries);
    if (layout->keys_shape == PY_KEYS_LOG2) {
        uint64_t log2_size = PY_GET(reader, keys, dictkeys, dk_log2_size);
        uint64_t log2_index = PY_GET(reader, keys, dictkeys, dk_log2_index_bytes);
        uint64_t kind = PY_GET(reader, keys, dictkeys, dk_kind);
        if (log2_size > MAX_DICT_LOG2 || log2_index < log2_size || log2_index > log2_size + 3 ||
            kind > 2)
            return false;
        size = UINT64_C(1) << log2_size;
        index_bytes = UINT64_C(1) << log2_index;
        ret->string_keys = kind != 0;
        ret->split_kind = kind == 2;
        ret->entry_size = ret->string_keys ? 16 : 24;
        ret->key_at = ret->string_keys ? 0 : 8;
        ret->value_at = ret->string_keys ? 8 : 16;
    } else {
        size = PY_PTR(reader, keys, dictkeys, dk_size);
        if (!size || (size & (size - 1)) || size >> MAX_DICT_LOG2)
            return false;
        index_bytes = size * (size <= 0xff ? 1 : size <= 0xffff ? 2 : size <= 0xffffffff ? 4 : 8);
        ret->split_kind = false;
        ret->entry_size = 24;
        ret->key_at = 8;
        ret->value_at = 16;
    }
    ret->entries = indices + index_bytes;
    ret->size = size;
    if (reader->fault || ret->count > size ||
        !py_plausible_words(objects, ret->entries, ret->count * (ret->entry_size / 8)))
        return false;
    if (layout->keys_shape == PY_KEYS_SIZE) {
        ret->string_keys = has_string_keys(objects, ret);
        reader->fault = false;
    }
    return true;
}

/* Who asks for a dict's size is going to ask for its references too: the last table is kept. */
static bool read_table(struct py_objects *objects, uint64_t keys, struct py_table *ret)
{
    struct py_table *last = &objects->last_table;
    if (keys && last->keys == keys && !objects->reader.fault)
        return *ret = *last, true;
    if (!read_table_anew(objects, keys, ret))
        return false;
    if (!objects->reader.fault)
        *last = *ret;
    return true;
}

/* A table that instances share is asked for once an instance, for their number, and once an
 * attribute, for its name. NULL when it is implausible. */
static const struct py_table *shared_table(struct py_objects *objects, uint64_t keys)
{
    struct py_table *table = &objects->tables[keys / 16 % PY_SHARED_TABLES];
    if (!keys || objects->reader.fault)
        return NULL;
    if (table->keys != keys) {
        if (!read_table(objects, keys, table) || objects->reader.fault)
            table->keys = 0;
        objects->reader.fault = false;
    }
    return table->keys ? table : NULL;
}

uint64_t py_keys_entries(struct py_objects *objects, uint64_t keys)
{
    const struct py_table *table = shared_table(objects, keys);
    return table ? table->count : 0;
}

uint64_t py_shared_key(struct py_objects *objects, uint64_t keys, uint64_t i)
{
    const struct py_table *table = shared_table(objects, keys);
    uint64_t key = 0;
    if (table && i < table->count)
        df_u64(objects->reader.space, table->entries + i * table->entry_size + table->key_at, &key);
    return key;
}

uint64_t py_shared_keys(struct py_objects *objects, uint64_t object)
{
    struct py_reader *reader = &objects->reader;
    uint64_t type_flags = py_flags_of(reader, object), keys = 0;
    bool fault = reader->fault;
    if ((type_flags & PY_TPFLAGS_TYPE) &&
        (PY_PTR(reader, object, type, tp_flags) & PY_TPFLAGS_HEAPTYPE))
        keys = PY_PTR(reader, object, heaptype, ht_cached_keys);
    else if ((type_flags & PY_TPFLAGS_DICT) && PY_PTR(reader, object, dict, ma_values))
        keys = PY_PTR(reader, object, dict, ma_keys);
    reader->fault = fault;
    return keys;
}

void py_own_keys(struct py_objects *objects, uint64_t keys, struct py_refs *refs)
{
    uint64_t count = py_keys_entries(objects, keys);
    for (uint64_t i = 0; i < count && i < PY_MAX_SHARED_KEYS; i++) {
        uint64_t key = py_shared_key(objects, keys, i);
        if (key)
            py_push(refs, key, PY_REF_OWNED, PY_LABEL_KEY, 0);
    }
}

uint64_t py_keys_size(struct py_objects *objects, uint64_t keys)
{
    struct py_table table;
    if (!keys || !read_table(objects, keys, &table))
        return 0;
    uint64_t usable = (table.size << 1) / 3; /* USABLE_FRACTION */
    return (table.entries - keys) + usable * table.entry_size;
}

static enum py_status walk_split(struct py_objects *objects, const struct py_table *table,
                                 uint64_t values, struct py_refs *refs)
{
    struct py_reader *reader = &objects->reader;
    /* Values that lie in an instance (3.13+) are the instance's to visit, until GH-130327 made them
     * the dict's. */
    if (PY_HAS(reader->layout, dictvalues, embedded) &&
        reader->layout->managed_visit == PY_VISIT_VALUES &&
        PY_GET(reader, values, dictvalues, embedded))
        return py_reader_status(objects);
    if (PY_HAS(reader->layout, dictvalues, values))
        values = PY_AT(reader->layout, values, dictvalues, values);
    if (table->count > PY_MAX_SHARED_KEYS)
        return reader->fault = false, PY_IMPLAUSIBLE;
    for (uint64_t i = 0; i < table->count; i++) {
        uint64_t value = py_word(reader, values + i * 8);
        if (reader->fault)
            return reader->fault = false, PY_FAULT;
        if (value)
            py_push(refs, value, PY_REF_REFERENT, PY_LABEL_VALUE,
                    py_word(reader, table->entries + i * table->entry_size + table->key_at));
    }
    return py_reader_status(objects);
}

static void push_entry(const struct py_table *table, uint64_t key, uint64_t value,
                       struct py_refs *refs)
{
    if (table->string_keys) {
        py_push_item(refs, value, PY_REF_REFERENT, PY_LABEL_VALUE, key);
        py_push_item(refs, key, PY_REF_OWNED, PY_LABEL_KEY, 0);
    } else if (value) {
        py_push_item(refs, value, PY_REF_REFERENT, PY_LABEL_VALUE, key);
        py_push_item(refs, key, PY_REF_REFERENT, PY_LABEL_KEY, 0);
    } else {
        py_push_item(refs, key, PY_REF_OWNED, PY_LABEL_KEY, 0);
    }
}

static enum py_status walk_combined(struct py_objects *objects, const struct py_table *table,
                                    struct py_refs *refs)
{
    const uint8_t *bytes =
        df_ptr(objects->reader.space, table->entries, table->count * table->entry_size);
    enum py_status status = PY_OK;
    for (uint64_t i = 0; i < table->count; i++) {
        uint64_t key, value;
        if (bytes) {
            memcpy(&key, bytes + i * table->entry_size + table->key_at, 8);
            memcpy(&value, bytes + i * table->entry_size + table->value_at, 8);
        } else {
            uint64_t entry = table->entries + i * table->entry_size;
            if (!df_u64(objects->reader.space, entry + table->key_at, &key) ||
                !df_u64(objects->reader.space, entry + table->value_at, &value)) {
                status = PY_FAULT;
                if (!df_aspace_range(objects->reader.space, entry))
                    break;
                continue;
            }
        }
        push_entry(table, key, value, refs);
    }
    return status;
}

enum py_status py_walk_dict(struct py_objects *objects, const struct py_type *type, uint64_t object,
                            struct py_refs *refs)
{
    (void)type;
    struct py_reader *reader = &objects->reader;
    uint64_t keys = PY_PTR(reader, object, dict, ma_keys);
    uint64_t values = PY_PTR(reader, object, dict, ma_values);
    struct py_table table;
    if (reader->fault)
        return reader->fault = false, PY_FAULT;
    if (!keys) /* being built or torn down */
        return PY_OK;
    if (!read_table(objects, keys, &table)) {
        bool fault = reader->fault;
        reader->fault = false;
        return fault ? PY_FAULT : PY_IMPLAUSIBLE;
    }
    return values ? walk_split(objects, &table, values, refs)
                  : walk_combined(objects, &table, refs);
}

void py_own_dict_keys(struct py_objects *objects, uint64_t dict, struct py_refs *refs)
{
    size_t kept = refs->count;
    py_walk_dict(objects, NULL, dict, refs);
    for (size_t i = kept; i < refs->count; i++)
        if (refs->items[i].kind == PY_REF_OWNED)
            refs->items[kept++] = refs->items[i];
    refs->count = kept;
}

/* odict_traverse (Objects/odictobject.c): od_inst_dict, the key of every node, then dict_traverse.
 */
enum py_status py_walk_odict(struct py_objects *objects, const struct py_type *type,
                             uint64_t object, struct py_refs *refs)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    py_push_field(refs, PY_PTR(reader, object, odict, od_inst_dict), PY_REF_REFERENT, "__dict__");
    uint64_t node = PY_PTR(reader, object, odict, od_first);
    uint64_t limit = PY_PTR(reader, object, dict, ma_used);
    struct py_cycle cycle = {0};
    bool closed = false;
    for (uint64_t i = 0; node && i < limit && !reader->fault; i++) {
        closed = py_cycle_closed(&cycle, node);
        if (closed)
            break;
        py_push(refs, py_word(reader, PY_AT(layout, node, odictnode, key)), PY_REF_REFERENT,
                PY_LABEL_KEY, 0);
        node = py_word(reader, PY_AT(layout, node, odictnode, next));
    }
    enum py_status nodes = py_reader_status(objects);
    if (closed)
        nodes = PY_IMPLAUSIBLE;
    enum py_status table = py_walk_dict(objects, type, object, refs);
    return nodes != PY_OK ? nodes : table;
}

/* defdict_traverse (Modules/_collectionsmodule.c): its type when that is on the heap (3.12+), the
 * factory, then dict_traverse. */
enum py_status py_walk_defaultdict(struct py_objects *objects, const struct py_type *type,
                                   uint64_t object, struct py_refs *refs)
{
    struct py_reader *reader = &objects->reader;
    if (type->flags & PY_TPFLAGS_HEAPTYPE)
        py_push(refs, py_type_of(reader, object), PY_REF_REFERENT, PY_LABEL_TYPE, 0);
    py_push_field(refs, PY_PTR(reader, object, defaultdict, default_factory), PY_REF_REFERENT,
                  "default_factory");
    return py_walk_dict(objects, type, object, refs);
}
