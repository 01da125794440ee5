/* SPDX-License-Identifier: MIT
 * buffers.c: memory that belongs to an object and is no object: items, tables, texts.
 *
 * One rule for each family, in the forms that the layout says. An address may be that of a byte
 * within the block (attribute values have a prefix in front of them, 3.11 to 3.12): who asks looks
 * for the block around it.
 */
#include "analyzer/objects/learned.h"

#define MAX_DEQUE_FREE 64

enum { /* rules, or'ed */
       RULE_KNOWN = 1,
       RULE_LIST = 2,
       RULE_DICT = 4,
       RULE_ODICT = 8,
       RULE_SET = 16,
       RULE_STR = 32,
       RULE_BYTEARRAY = 64,
       RULE_DEQUE = 128,
       RULE_TYPE = 256,
       RULE_CODE = 512,
       RULE_VALUES = 1024,
       RULE_NUMPY = 2048
};

struct visit {
    struct py_objects *objects;
    py_buffer_visitor visitor;
    void *context;
    bool sizes; /* are asked for, also where they cost a look at the memory itself */
};

static void emit(const struct visit *visit, uint64_t address, uint64_t size,
                 enum py_buffer_kind kind)
{
    if (address && size <= PY_MAX_SIZE)
        visit->visitor(visit->context, address, size, kind);
}

static uint16_t rule_of_name(const char *name)
{
    static const struct {
        const char *name;
        uint16_t rule;
    } rules[] = {{"set", RULE_SET},
                 {"frozenset", RULE_SET},
                 {"bytearray", RULE_BYTEARRAY},
                 {"frozendict", RULE_DICT},
                 {"collections.deque", RULE_DEQUE},
                 {"collections.OrderedDict", RULE_ODICT},
                 {"code", RULE_CODE},
                 {"numpy.ndarray", RULE_NUMPY}};
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
        if (strcmp(rules[i].name, name) == 0)
            return rules[i].rule;
    return 0;
}

uint16_t py_buffer_rules(struct py_objects *objects, const struct py_type *type)
{
    const struct py_layout *layout = objects->reader.layout;
    uint16_t rules = RULE_KNOWN;
    rules |= type->flags & PY_TPFLAGS_LIST ? RULE_LIST : 0;
    rules |= type->flags & PY_TPFLAGS_DICT ? RULE_DICT : 0;
    rules |= type->flags & PY_TPFLAGS_UNICODE ? RULE_STR : 0;
    rules |= type->flags & PY_TPFLAGS_TYPE ? RULE_TYPE : 0;
    if (type->flags & PY_TPFLAGS_MANAGED_DICT &&
        (layout->attr_shape == PY_ATTR_SPLIT || layout->attr_shape == PY_ATTR_TAGGED))
        rules |= RULE_VALUES;
    const struct py_type *base = type;
    for (int i = 0; i < PY_MAX_MRO; i++) {
        rules |= rule_of_name(base->name);
        if (base->base_index == PY_NO_TYPE)
            break;
        base = objects->types[base->base_index];
    }
    return rules;
}

static void keys_buffer(const struct visit *visit, uint64_t keys)
{
    if (keys)
        emit(visit, keys, visit->sizes ? py_keys_size(visit->objects, keys) : 0, PY_BUFFER_TABLE);
}

static void dict_buffers(const struct visit *visit, uint64_t object)
{
    struct py_reader *reader = &visit->objects->reader;
    keys_buffer(visit, PY_PTR(reader, object, dict, ma_keys));
    emit(visit, PY_PTR(reader, object, dict, ma_values), 0, PY_BUFFER_VALUES);
}

/* od_fast_nodes, and the nodes themselves (Objects/odictobject.c). */
static void odict_buffers(const struct visit *visit, uint64_t object)
{
    struct py_reader *reader = &visit->objects->reader;
    const struct py_layout *layout = reader->layout;
    if (!PY_HAS(layout, odictnode, next))
        return;
    emit(visit, PY_PTR(reader, object, odict, od_fast_nodes),
         PY_PTR(reader, object, odict, od_fast_nodes_size) * 8, PY_BUFFER_TABLE);
    uint64_t node = PY_PTR(reader, object, odict, od_first);
    uint64_t limit = PY_PTR(reader, object, dict, ma_used);
    struct py_cycle cycle = {0};
    for (uint64_t i = 0; node && i < limit && !reader->fault && !py_cycle_closed(&cycle, node);
         i++) {
        emit(visit, node, PY_SIZEOF(layout, odictnode), PY_BUFFER_NODE);
        node = PY_PTR(reader, node, odictnode, next);
    }
}

static void set_buffers(const struct visit *visit, uint64_t object)
{
    struct py_reader *reader = &visit->objects->reader;
    uint64_t table = PY_PTR(reader, object, set, table), mask = PY_PTR(reader, object, set, mask);
    if (table != PY_AT(reader->layout, object, set, smalltable) && mask <= PY_MAX_TUPLE)
        emit(visit, table, (mask + 1) * PY_SIZEOF(reader->layout, setentry), PY_BUFFER_TABLE);
}

static void str_buffers(const struct visit *visit, uint64_t object)
{
    struct py_reader *reader = &visit->objects->reader;
    const struct py_layout *layout = reader->layout;
    bool compact = PY_GET(reader, object, ascii, compact),
         ascii = PY_GET(reader, object, ascii, ascii);
    uint64_t data = 0;
    if (!compact) {
        data = PY_PTR(reader, object, unicode, data);
        uint64_t length = PY_PTR(reader, object, ascii, length);
        emit(visit, data, (length + 1) * PY_GET(reader, object, ascii, kind), PY_BUFFER_TEXT);
    }
    if (PY_HAS(layout, ascii, wstr)) {
        uint64_t wstr = PY_PTR(reader, object, ascii, wstr);
        if (wstr != data && wstr - object >= PY_SIZEOF(layout, unicode))
            emit(visit, wstr, 0, PY_BUFFER_TEXT);
    }
    if (!(compact && ascii)) {
        uint64_t utf8 = PY_PTR(reader, object, compact, utf8);
        if (utf8 != data)
            emit(visit, utf8, PY_PTR(reader, object, compact, utf8_length) + 1, PY_BUFFER_TEXT);
    }
}

/* All blocks from the left one on, and those that it keeps for reuse. */
static void deque_buffers(const struct visit *visit, uint64_t object)
{
    struct py_reader *reader = &visit->objects->reader;
    const struct py_layout *layout = reader->layout;
    if (!PY_HAS(layout, dequeblock, rightlink))
        return;
    uint64_t size = PY_SIZEOF(layout, dequeblock), last = PY_PTR(reader, object, deque, rightblock);
    struct py_cycle cycle = {0};
    for (uint64_t block = PY_PTR(reader, object, deque, leftblock);
         block && !reader->fault && !py_cycle_closed(&cycle, block);
         block = block == last ? 0 : PY_PTR(reader, block, dequeblock, rightlink))
        emit(visit, block, size, PY_BUFFER_NODE);
    if (!PY_HAS(layout, deque, freeblocks))
        return;
    uint64_t count = PY_GET(reader, object, deque, numfreeblocks);
    for (uint64_t i = 0; i < count && i < MAX_DEQUE_FREE; i++)
        emit(visit, py_word(reader, PY_AT(layout, object, deque, freeblocks) + i * 8), size,
             PY_BUFFER_NODE);
}

/* Values of managed attributes: 3.11 and 3.12 have them outside the object. */
static void values_buffer(const struct visit *visit, uint64_t object)
{
    struct py_reader *reader = &visit->objects->reader;
    if (reader->layout->attr_shape == PY_ATTR_SPLIT) {
        emit(visit, py_word(reader, object - 32), 0, PY_BUFFER_VALUES);
        return;
    }
    uint64_t word = py_word(reader, object - 24);
    if (word & 1)
        emit(visit, word + 1, 0, PY_BUFFER_VALUES);
}

static void list_buffer(const struct visit *visit, uint64_t object)
{
    struct py_reader *reader = &visit->objects->reader;
    uint64_t allocated = PY_PTR(reader, object, list, allocated);
    emit(visit, PY_PTR(reader, object, list, ob_item),
         allocated <= PY_MAX_TUPLE ? allocated * 8 : 0, PY_BUFFER_ITEMS);
}

static void visit_buffers(const struct visit *visit, const struct py_type *type, uint64_t object)
{
    struct py_objects *objects = visit->objects;
    struct py_reader *reader = &objects->reader;
    uint16_t rules = type->buffer_rules;
    uint64_t address, size;
    if (py_learned_array(objects, type, object, &address, &size))
        emit(visit, address, size, PY_BUFFER_ITEMS);
    if (rules == RULE_KNOWN)
        return;
    if (rules & RULE_LIST)
        list_buffer(visit, object);
    if (rules & RULE_DICT)
        dict_buffers(visit, object);
    if (rules & RULE_ODICT)
        odict_buffers(visit, object);
    if (rules & RULE_SET)
        set_buffers(visit, object);
    if (rules & RULE_STR)
        str_buffers(visit, object);
    if (rules & RULE_BYTEARRAY)
        emit(visit, PY_PTR(reader, object, bytearray, ob_bytes),
             PY_PTR(reader, object, bytearray, ob_alloc), PY_BUFFER_TEXT);
    if (rules & RULE_DEQUE)
        deque_buffers(visit, object);
    if (rules & RULE_TYPE && PY_PTR(reader, object, type, tp_flags) & PY_TPFLAGS_HEAPTYPE)
        keys_buffer(visit, PY_PTR(reader, object, heaptype, ht_cached_keys));
    if (rules & RULE_CODE)
        emit(visit, PY_PTR(reader, object, code, co_extra), 0, PY_BUFFER_TABLE);
    if (rules & RULE_VALUES)
        values_buffer(visit, object);
    if (rules & RULE_NUMPY && py_numpy_data(objects, object, &address, &size))
        emit(visit, address, size, PY_BUFFER_ITEMS);
    reader->fault = false;
}

void py_buffers(struct py_objects *objects, uint64_t object, uint32_t type_index,
                py_buffer_visitor visitor, void *context)
{
    const struct visit visit = {objects, visitor, context, true};
    visit_buffers(&visit, objects->types[type_index], object);
}

void py_buffer_places(struct py_objects *objects, uint64_t object, uint32_t type_index,
                      py_buffer_visitor visitor, void *context)
{
    const struct visit visit = {objects, visitor, context, false};
    visit_buffers(&visit, objects->types[type_index], object);
}

bool py_has_buffers(const struct py_objects *objects, uint32_t type_index)
{
    const struct py_type *type = objects->types[type_index];
    return type->buffer_rules != RULE_KNOWN || py_type_is_learned(type);
}

bool py_presize(struct py_objects *objects, uint64_t object, uint32_t type_index, uint64_t *ret)
{
    const struct py_type *type = objects->types[type_index];
    const struct py_layout *layout = objects->reader.layout;
    uint64_t managed =
        PY_TPFLAGS_MANAGED_DICT | (layout->managed_weakref ? PY_TPFLAGS_MANAGED_WEAKREF : 0);
    bool gc = py_has_gc_head(objects, object, type);
    *ret = (gc ? layout->gc_head_size : 0) +
           (type->flags & managed ? layout->presize_dict_words * UINT64_C(8) : 0);
    bool good = !objects->reader.fault;
    objects->reader.fault = false;
    return good;
}
