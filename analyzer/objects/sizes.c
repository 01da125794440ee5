/* SPDX-License-Identifier: MIT
 * sizes.c: sys.getsizeof: what the type's __sizeof__ would say, and the words before the object.
 *
 * The rule of a type is that of the class which defines its __sizeof__, found along the mro as
 * Python finds it. Common ones are computed here (each names its C source); any other C function is
 * asked itself, by emulation. A __sizeof__ written in Python cannot be asked: the next rule along
 * the mro serves and the type says that its sizes are guesses.
 */
#include "analyzer/objects/learned.h"

#define METH_NOARGS 0x0004
#define METH_METHOD_FASTCALL_KEYWORDS (0x0200 | 0x0080 | 0x0002)
#define METH_MASK 0x03ff /* METH_STATIC and METH_CLASS included: they do not fit */

static uint64_t basic(const struct py_type *type)
{
    return (uint64_t)type->basic_size;
}

/* object___sizeof___impl, Objects/typeobject.c */
static enum py_status size_default(struct py_objects *objects, const struct py_type *type,
                                   uint64_t object, uint64_t *ret)
{
    uint64_t size = basic(type);
    if (type->item_size > 0) {
        int64_t count = py_ob_size(&objects->reader, object);
        if (type->flags & PY_TPFLAGS_LONG && objects->reader.layout->int_shape == PY_INT_LV_TAG)
            count = (int64_t)(PY_PTR(&objects->reader, object, long, lv_tag) >> 3);
        if (count < 0 && count >= -(int64_t)PY_MAX_TUPLE && (type->flags & PY_TPFLAGS_LONG))
            count = -count;
        if (count < 0 || count > (int64_t)PY_MAX_TUPLE)
            return PY_IMPLAUSIBLE;
        size += (uint64_t)count * (uint64_t)type->item_size;
    }
    *ret = size;
    return PY_OK;
}

/* int___sizeof___impl, Objects/longobject.c: zero has a digit too since 3.11 */
static enum py_status size_int(struct py_objects *objects, const struct py_type *type,
                               uint64_t object, uint64_t *ret)
{
    struct py_reader *reader = &objects->reader;
    uint64_t digits;
    if (reader->layout->int_shape == PY_INT_LV_TAG) {
        digits = PY_PTR(reader, object, long, lv_tag) >> 3;
    } else {
        int64_t size = py_ob_size(reader, object);
        digits = size < 0 ? -(uint64_t)size : (uint64_t)size;
    }
    if (digits > PY_MAX_TUPLE)
        return PY_IMPLAUSIBLE;
    (void)type;
    if (!digits && reader->layout->zero_has_digit)
        digits = 1;
    *ret = PY_OFF(reader->layout, long, ob_digit) + digits * 4;
    return PY_OK;
}

/* Bit fields of a str's state, which are in one word of most builds, and one byte in others. */
struct str_state {
    uint64_t kind, compact, ascii;
};

static uint64_t bits_of(const struct py_layout *layout, enum py_field field, uint64_t word)
{
    return word >> (layout->bit_offset[field] & 63) &
           ((UINT64_C(1) << (layout->bit_size[field] & 63)) - 1);
}

static bool is_beside(const struct py_layout *layout, enum py_field field, enum py_field other)
{
    return layout->offset[field] == layout->offset[other] && layout->size[field] == 4 &&
           layout->size[other] == 4 && layout->bit_size[field] && layout->bit_size[field] < 32;
}

static struct str_state str_state(struct py_reader *reader, uint64_t object)
{
    const struct py_layout *layout = reader->layout;
    const enum py_field kind = PY_F_ascii_kind, compact = PY_F_ascii_compact,
                        ascii = PY_F_ascii_ascii;
    if (is_beside(layout, kind, kind) && is_beside(layout, compact, kind) &&
        is_beside(layout, ascii, kind) && PY_HAS(layout, ascii, kind)) {
        uint64_t word = py_half(reader, PY_AT(layout, object, ascii, kind));
        return (struct str_state){bits_of(layout, kind, word), bits_of(layout, compact, word),
                                  bits_of(layout, ascii, word)};
    }
    return (struct str_state){PY_GET(reader, object, ascii, kind),
                              PY_GET(reader, object, ascii, compact),
                              PY_GET(reader, object, ascii, ascii)};
}

/* unicode_sizeof, Objects/unicodeobject.c */
static enum py_status size_str(struct py_objects *objects, const struct py_type *type,
                               uint64_t object, uint64_t *ret)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    (void)type;
    uint64_t length = PY_PTR(reader, object, ascii, length);
    struct str_state state = str_state(reader, object);
    uint64_t kind = state.kind;
    bool compact = state.compact, ascii = state.ascii;
    if (length > (UINT64_C(1) << 46) || kind > 4)
        return PY_IMPLAUSIBLE;
    uint64_t data = object + PY_SIZEOF(layout, ascii), size;
    if (compact && ascii) {
        size = PY_SIZEOF(layout, ascii) + length + 1;
    } else if (compact) {
        size = PY_SIZEOF(layout, compact) + (length + 1) * kind;
        data = object + PY_SIZEOF(layout, compact);
    } else {
        data = PY_PTR(reader, object, unicode, data);
        size = PY_SIZEOF(layout, unicode) + (data ? (length + 1) * kind : 0);
    }
    if (PY_HAS(layout, ascii, wstr)) {
        uint64_t wstr = PY_PTR(reader, object, ascii, wstr);
        uint64_t wide = compact && ascii ? length : PY_PTR(reader, object, compact, wstr_length);
        if (wstr && wstr != data)
            size += (wide + 1) * 4;
    }
    if (!(compact && ascii)) {
        uint64_t utf8 = PY_PTR(reader, object, compact, utf8);
        if (utf8 && utf8 != data)
            size += PY_PTR(reader, object, compact, utf8_length) + 1;
    }
    *ret = size;
    return PY_OK;
}

/* bytearray_sizeof, Objects/bytearrayobject.c */
static enum py_status size_bytearray(struct py_objects *objects, const struct py_type *type,
                                     uint64_t object, uint64_t *ret)
{
    struct py_reader *reader = &objects->reader;
    uint64_t allocated = PY_PTR(reader, object, bytearray, ob_alloc);
    /* 3.15+: they are those of a bytes object, which is counted with its head and last zero. */
    uint64_t head = PY_HAS(reader->layout, bytearray, ob_bytes_object) && allocated
                        ? PY_OFF(reader->layout, bytes, ob_sval) + 1
                        : 0;
    *ret = basic(type) + head + allocated;
    return PY_OK;
}

/* list___sizeof___impl, Objects/listobject.c */
static enum py_status size_list(struct py_objects *objects, const struct py_type *type,
                                uint64_t object, uint64_t *ret)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    uint64_t allocated = PY_PTR(reader, object, list, allocated);
    if (layout->free_threaded && PY_HAS(layout, listarray, ob_item)) { /* list_capacity */
        uint64_t items = PY_PTR(reader, object, list, ob_item);
        allocated = items ? py_word(reader, items - PY_OFF(layout, listarray, ob_item) +
                                                PY_OFF(layout, listarray, allocated))
                          : 0;
    }
    if (allocated > PY_MAX_TUPLE)
        return PY_IMPLAUSIBLE;
    *ret = basic(type) + allocated * 8;
    return PY_OK;
}

/* _PyDict_SizeOf, Objects/dictobject.c: a table that others share is not counted */
static enum py_status size_dict(struct py_objects *objects, const struct py_type *type,
                                uint64_t object, uint64_t *ret)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    uint64_t keys = PY_PTR(reader, object, dict, ma_keys), size = basic(type);
    if (!keys)
        return PY_IMPLAUSIBLE;
    if (PY_PTR(reader, object, dict, ma_values)) {
        uint64_t usable;
        if (layout->keys_shape == PY_KEYS_LOG2)
            usable = PY_PTR(reader, keys, dictkeys, dk_nentries) +
                     PY_PTR(reader, keys, dictkeys, dk_usable);
        else
            usable = (PY_PTR(reader, keys, dictkeys, dk_size) << 1) / 3;
        if (usable > PY_MAX_TUPLE)
            return PY_IMPLAUSIBLE;
        size += usable * 8;
    }
    if (PY_GET(reader, keys, dictkeys, dk_refcnt) == 1)
        size += py_keys_size(objects, keys);
    *ret = size;
    return PY_OK;
}

/* odict_sizeof, Objects/odictobject.c */
static enum py_status size_odict(struct py_objects *objects, const struct py_type *type,
                                 uint64_t object, uint64_t *ret)
{
    struct py_reader *reader = &objects->reader;
    enum py_status status = size_dict(objects, type, object, ret);
    uint64_t fast = PY_PTR(reader, object, odict, od_fast_nodes_size);
    uint64_t used = PY_PTR(reader, object, dict, ma_used);
    if (status != PY_OK || fast > PY_MAX_TUPLE || used > PY_MAX_TUPLE)
        return status != PY_OK ? status : PY_IMPLAUSIBLE;
    *ret += fast * 8;
    if (PY_PTR(reader, object, odict, od_first))
        *ret += used * PY_SIZEOF(reader->layout, odictnode);
    return PY_OK;
}

/* set_sizeof, Objects/setobject.c */
static enum py_status size_set(struct py_objects *objects, const struct py_type *type,
                               uint64_t object, uint64_t *ret)
{
    struct py_reader *reader = &objects->reader;
    uint64_t mask = PY_PTR(reader, object, set, mask);
    *ret = basic(type);
    if (mask > PY_MAX_TUPLE)
        return PY_IMPLAUSIBLE;
    if (PY_PTR(reader, object, set, table) != PY_AT(reader->layout, object, set, smalltable))
        *ret += (mask + 1) * PY_SIZEOF(reader->layout, setentry);
    return PY_OK;
}

/* type___sizeof___impl, Objects/typeobject.c */
static enum py_status size_type(struct py_objects *objects, const struct py_type *type,
                                uint64_t object, uint64_t *ret)
{
    struct py_reader *reader = &objects->reader;
    (void)type;
    *ret = PY_SIZEOF(reader->layout, type);
    if (PY_PTR(reader, object, type, tp_flags) & PY_TPFLAGS_HEAPTYPE)
        *ret = PY_SIZEOF(reader->layout, heaptype) +
               py_keys_size(objects, PY_PTR(reader, object, heaptype, ht_cached_keys));
    return PY_OK;
}

/* deque_sizeof, Modules/_collectionsmodule.c */
static enum py_status size_deque(struct py_objects *objects, const struct py_type *type,
                                 uint64_t object, uint64_t *ret)
{
    struct py_reader *reader = &objects->reader;
    uint64_t left = PY_PTR(reader, object, deque, leftindex);
    int64_t count = py_ob_size(reader, object);
    uint64_t block = PY_SIZEOF(reader->layout, dequeblock), length = (block - 16) / 8;
    if (count < 0 || count > (int64_t)PY_MAX_TUPLE || left > length)
        return PY_IMPLAUSIBLE;
    *ret = basic(type) + (left + (uint64_t)count + length - 1) / length * block;
    return PY_OK;
}

/* Slots of a code object's frame: co_nlocalsplus + co_stacksize. */
static uint64_t frame_slots(struct py_objects *objects, uint64_t code)
{
    return PY_GET(&objects->reader, code, code, co_nlocalsplus) +
           PY_GET(&objects->reader, code, code, co_stacksize);
}

static uint64_t frame_code(struct py_objects *objects, uint64_t frame)
{
    uint64_t code = PY_PTR(&objects->reader, frame, iframe, executable);
    return code && objects->reader.layout->frame_shape == PY_FRAME_STACKREFS
               ? py_slot_object(objects->py, code, NULL)
               : code;
}

/* code_sizeof, Objects/codeobject.c */
static enum py_status size_code(struct py_objects *objects, const struct py_type *type,
                                uint64_t object, uint64_t *ret)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    enum py_status status = size_default(objects, type, object, ret);
    if (!PY_HAS(layout, code, co_code_adaptive)) {
        *ret = PY_SIZEOF(layout, code);
        if (PY_PTR(reader, object, code, co_cell2arg)) {
            uint64_t items, count;
            if (py_tuple(reader, PY_PTR(reader, object, code, co_cellvars), &items, &count))
                *ret += count * 8;
        }
        if (PY_PTR(reader, object, code, co_opcache)) {
            uint64_t bytecode = PY_PTR(reader, object, code, co_code);
            uint64_t units = (uint64_t)py_ob_size(reader, bytecode) / 2;
            *ret +=
                units + PY_GET(reader, object, code, co_opcache_size) * PY_SIZEOF(layout, opcache);
        }
    }
    if (PY_HAS(layout, code, co_code_adaptive))
        *ret = (*ret + 7) & ~UINT64_C(7); /* _PyObject_VAR_SIZE */
    uint64_t extra = PY_PTR(reader, object, code, co_extra);
    if (extra) /* _PyCodeObjectExtra {ce_size; ce_extras[1]} */
        *ret += 16 + (py_word(reader, extra) - 1) * 8;
    return status;
}

/* frame_sizeof, Objects/frameobject.c */
static enum py_status size_frame(struct py_objects *objects, const struct py_type *type,
                                 uint64_t object, uint64_t *ret)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    if (layout->frame_shape == PY_FRAME_OBJECTS) {
        uint64_t code = PY_PTR(reader, object, frameobject, f_code);
        uint64_t items, cells = 0, frees = 0;
        py_tuple(reader, PY_PTR(reader, code, code, co_cellvars), &items, &cells);
        py_tuple(reader, PY_PTR(reader, code, code, co_freevars), &items, &frees);
        uint64_t slots = PY_GET(reader, code, code, co_stacksize) +
                         PY_GET(reader, code, code, co_nlocals) + cells + frees;
        *ret = PY_SIZEOF(layout, frameobject) + slots * 8 - (slots ? 8 : 0);
        (void)type;
        return PY_OK;
    }
    uint64_t code = frame_code(objects, PY_PTR(reader, object, frameobject, f_frame));
    *ret = PY_OFF(layout, frameobject, f_frame_data) + PY_OFF(layout, iframe, localsplus) +
           8 * frame_slots(objects, code);
    return PY_OK;
}

/* gen_sizeof, Objects/genobject.c */
static enum py_status size_generator(struct py_objects *objects, const struct py_type *type,
                                     uint64_t object, uint64_t *ret)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    (void)type;
    uint64_t code = PY_HAS(layout, gen, gi_code)
                        ? PY_PTR(reader, object, gen, gi_code)
                        : frame_code(objects, PY_AT(layout, object, gen, gi_iframe));
    *ret = PY_OFF(layout, gen, gi_iframe) + PY_OFF(layout, iframe, localsplus) +
           8 * frame_slots(objects, code);
    return PY_OK;
}

static bool emulated_int(struct py_objects *objects, uint64_t result, uint64_t *ret)
{
    const struct py_layout *layout = objects->reader.layout;
    bool tagged = layout->int_shape == PY_INT_LV_TAG;
    uint64_t tag;
    uint32_t digits[2] = {0, 0};
    if (!df_emulator_read(objects->emulator,
                          tagged ? PY_AT(layout, result, long, lv_tag)
                                 : PY_AT(layout, result, varobject, ob_size),
                          &tag, 8))
        return false;
    uint64_t count = tagged ? tag >> 3 : tag;
    if (count > 2 || !df_emulator_read(objects->emulator, PY_AT(layout, result, long, ob_digit),
                                       digits, count * 4))
        return false;
    *ret = digits[0] | (uint64_t)digits[1] << 30;
    return true;
}

bool py_ask_size(struct py_objects *objects, const struct py_type *type, uint64_t object,
                 uint64_t *ret)
{
    struct df_emulator *emulator = py_emulator(objects);
    /* (self, NULL), or (self, class, args, nargs, kwnames) */
    const uint64_t arguments[] = {object, type->sizeof_class, 0, 0, 0};
    /* Each call allocates an int in the private copy: begin afresh when that copy is used up. */
    for (int attempt = 0; emulator && attempt < 2; attempt++) {
        uint64_t result;
        if (df_emulator_call(emulator, type->sizeof_function, arguments, 5, &result) ==
                DF_CALL_OK &&
            result && emulated_int(objects, result, ret))
            return true;
        df_emulator_reset(emulator);
    }
    return false;
}

static enum py_status size_emulated(struct py_objects *objects, const struct py_type *type,
                                    uint64_t object, uint64_t *ret)
{
    if (objects->is_worker)
        return PY_DEFERRED;
    if (py_learned_size(objects, type, object, ret))
        return PY_OK;
    if (py_ask_size(objects, type, object, ret)) {
        py_learned_note_size(objects, type, object, *ret);
        return PY_OK;
    }
    objects->types[py_type_index(objects, type->address)]->size_is_guess = true;
    return size_default(objects, type, object, ret);
}

static const struct {
    const char *definer;
    py_sizer size;
    enum py_field needs;
} rules[] = {
    {"object", size_default, PY_F_object_ob_type},
    {"int", size_int, PY_F_long_ob_digit},
    {"str", size_str, PY_F_ascii_kind},
    {"bytearray", size_bytearray, PY_F_bytearray_ob_alloc},
    {"list", size_list, PY_F_list_allocated},
    {"dict", size_dict, PY_F_dict_ma_keys},
    {"frozendict", size_dict, PY_F_dict_ma_keys},
    {"collections.OrderedDict", size_odict, PY_F_odict_od_fast_nodes_size},
    {"set", size_set, PY_F_setentry_key},
    {"frozenset", size_set, PY_F_setentry_key},
    {"type", size_type, PY_F_type_tp_name},
    {"collections.deque", size_deque, PY_F_dequeblock_data},
    {"code", size_code, PY_F_code_co_consts},
    {"frame", size_frame, PY_F_frameobject_f_back},
    {"generator", size_generator, PY_F_gen_gi_iframe},
    {"coroutine", size_generator, PY_F_gen_gi_iframe},
    {"async_generator", size_generator, PY_F_gen_gi_iframe},
};

static py_sizer rule_of(const struct py_layout *layout, const char *definer)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
        if (strcmp(rules[i].definer, definer) == 0)
            return layout->offset[rules[i].needs] != PY_ABSENT ? rules[i].size : NULL;
    return NULL;
}

#define RUN_ITS_CODE "code run" /* no class is called so */

const char *py_sizer_name(py_sizer sizer)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
        if (rules[i].size == sizer)
            return rules[i].definer;
    return RUN_ITS_CODE;
}

py_sizer py_sizer_named(const struct py_layout *layout, const char *name)
{
    return strcmp(name, RUN_ITS_CODE) == 0 ? size_emulated : rule_of(layout, name);
}

/* __sizeof__ in the type's own dict: its object, 0 when it defines none. Remembered. */
static uint64_t own_sizeof(struct py_objects *objects, uint64_t type)
{
    uint32_t row = df_map_get(&objects->sizeof_map, type);
    if (row != DF_MAP_NONE)
        return objects->sizeofs.items[row];
    uint64_t dict = py_type_dict(objects->py, type);
    uint64_t found = dict ? py_dict_get(&objects->reader, dict, "__sizeof__") : 0;
    df_map_set(&objects->sizeof_map, type, (uint32_t)objects->sizeofs.count);
    DF_PUSH(&objects->sizeofs, found);
    return found;
}

/* The C function behind a method descriptor that can be called with no arguments; 0 when it is
 * something else. *ret_second: its second argument (NULL, or the defining class of METH_METHOD). */
static uint64_t noargs_function(struct py_objects *objects, uint64_t descriptor,
                                uint64_t *ret_second)
{
    struct py_reader *reader = &objects->reader;
    uint32_t type = py_object_type(objects, descriptor);
    if (type == PY_NO_TYPE || strcmp(objects->types[type]->name, "method_descriptor") != 0 ||
        !PY_HAS(reader->layout, methoddescr, d_method))
        return 0;
    uint64_t method = PY_PTR(reader, descriptor, methoddescr, d_method);
    uint64_t flags = method ? PY_GET(reader, method, methoddef, ml_flags) & METH_MASK : 0;
    if (flags != METH_NOARGS && flags != METH_METHOD_FASTCALL_KEYWORDS)
        return 0;
    *ret_second = flags == METH_NOARGS ? 0 : PY_PTR(reader, descriptor, descr, d_type);
    return PY_PTR(reader, method, methoddef, ml_meth);
}

static py_sizer find_sizer(struct py_objects *objects, struct py_type *type)
{
    struct py_reader *reader = &objects->reader;
    uint64_t items = 0, count = 0, chain = type->address;
    bool have_mro = py_tuple(reader, PY_PTR(reader, type->address, type, tp_mro), &items, &count);
    py_sizer found = NULL;
    for (uint64_t i = 0; !found && i < (have_mro ? count : PY_MAX_MRO) && i < PY_MAX_MRO; i++) {
        uint64_t base = have_mro ? py_word(reader, items + i * 8) : chain;
        uint64_t method = base ? own_sizeof(objects, base) : 0;
        uint32_t index = method ? py_type_index(objects, base) : PY_NO_TYPE;
        if (index != PY_NO_TYPE) {
            uint64_t second = 0, function = noargs_function(objects, method, &second);
            found = rule_of(reader->layout, objects->types[index]->name);
            if (!found && function) {
                type->sizeof_function = function;
                type->sizeof_class = second;
                found = size_emulated;
            }
            type->size_is_guess |= !found;
        }
        chain = have_mro || !base ? chain : PY_PTR(reader, base, type, tp_base);
        if (!have_mro && !chain)
            break;
    }
    reader->fault = false;
    return found ? found : size_default;
}

/* 3.13+ leaves out static types only where their type is `type` itself: not those of a metatype
 * (NumPy's dtypes), which have no header either and yet have it counted. */
static bool counts_head(struct py_objects *objects, const struct py_type *type, uint64_t object)
{
    const struct py_layout *layout = objects->reader.layout;
    if (!(type->flags & PY_TPFLAGS_HAVE_GC) || layout->presize_by_type)
        return type->flags & PY_TPFLAGS_HAVE_GC;
    if (layout->attr_shape == PY_ATTR_INLINE)
        return strcmp(type->name, "type") != 0 || py_has_gc_head(objects, object, type);
    return py_is_gc(objects, object, type->index);
}

/* _PySys_GetSizeOf, Python/sysmodule.c; _PyType_PreHeaderSize, pycore_object.h */
static uint32_t presize(const struct py_layout *layout, const struct py_type *type, bool gc)
{
    uint32_t size = gc ? layout->gc_head_size : 0;
    uint64_t managed =
        PY_TPFLAGS_MANAGED_DICT | (layout->managed_weakref ? PY_TPFLAGS_MANAGED_WEAKREF : 0);
    if (!gc && (type->flags & PY_TPFLAGS_TYPE))
        return 0;
    return type->flags & managed ? size + layout->presize_dict_words * 8 : size;
}

/* What all its objects have in common. The collector's answer is the same for all of a type that is
 * no metatype and has no tp_is_gc; counts_head then depends on nothing else. */
static void plan(struct py_objects *objects, struct py_type *type)
{
    bool gc = type->flags & PY_TPFLAGS_HAVE_GC;
    type->same_gc = !gc || !(type->asks_gc || type->flags & PY_TPFLAGS_TYPE);
    type->is_gc = gc;
    type->same_head = type->same_gc && !(type->flags & PY_TPFLAGS_TYPE);
    type->head = type->same_head ? presize(objects->reader.layout, type, gc) : 0;
    type->same_size = type->same_head && type->size == size_default && type->item_size <= 0 &&
                      type->basic_size >= 0 && basic(type) <= PY_MAX_SIZE;
}

void py_settle_sizer(struct py_objects *objects, struct py_type *type)
{
    if (!type->size)
        type->size = find_sizer(objects, type);
    plan(objects, type);
}

enum py_status py_size(struct py_objects *objects, uint64_t object, uint32_t type_index,
                       uint64_t *ret)
{
    struct py_type *type = objects->types[type_index];
    if (!type->size)
        py_settle_sizer(objects, type);
    if (type->same_size) {
        *ret = basic(type) + type->head;
        return py_reader_status(objects);
    }
    if (type->size == size_emulated && objects->source.size &&
        objects->source.size(objects->source.context, object, ret))
        return PY_OK;
    uint64_t size = basic(type);
    enum py_status status = type->size(objects, type, object, &size);
    if (size > PY_MAX_SIZE) { /* a length that lies, or a sum of lies */
        size = basic(type);
        status = status == PY_OK ? PY_IMPLAUSIBLE : status;
    }
    *ret = size + (type->same_head
                       ? type->head
                       : presize(objects->reader.layout, type, counts_head(objects, type, object)));
    enum py_status read = py_reader_status(objects);
    return status != PY_OK ? status : read;
}
