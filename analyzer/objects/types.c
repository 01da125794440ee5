/* SPDX-License-Identifier: MIT
 * types.c: type objects: what looks like one, its name, and who walks and measures its instances.
 *
 * A type is resolved once, after its bases (iteratively: a base chain is foreign data). Walkers are
 * found by identity of tp_traverse: a row of known.c names a type, and whatever inherits that
 * type's traverse is walked the same way, because it is the same code.
 */
#include "analyzer/objects/internal.h"

#include <elf.h>
#include <stdio.h>

/* The name of a static type is in its module, whose file may not be at hand; that of a class in a
 * str, which may be in memory that was cut off. */
static bool is_absent_name(struct py_objects *objects, uint64_t address)
{
    const struct df_range *range = df_aspace_range(objects->reader.space, address);
    return (range && range->origin == DF_ABSENT) ||
           df_module_at(objects->py->dump->modules, address);
}

/* Programs may call their classes as they like, with control characters too. */
static bool plausible_name(struct py_objects *objects, uint64_t address, bool class)
{
    uint64_t available = df_contiguous(objects->reader.space, address);
    size_t max = available < 1024 ? (size_t)available : 1024;
    const char *text = available ? df_ptr(objects->reader.space, address, max) : NULL;
    if (!text)
        return is_absent_name(objects, address);
    size_t length = strnlen(text, max);
    if (!length || length == max)
        return false;
    for (size_t i = 0; i < length && !class; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}

/* Static types of which nobody ever asked anything may not be ready, and yet have objects (up to
 * 3.11: line_iterator, async_generator_athrow; functools._lru_list_elem in 3.8); some have no
 * metatype until then. To be believed they must be a variable of a module and be destroyed by code.
 */
static bool plausible_unready(struct py_objects *objects, uint64_t address, uint64_t flags)
{
    struct py_reader *reader = &objects->reader;
    const struct df_modules *modules = objects->py->dump->modules;
    if (flags & (PY_TPFLAGS_HEAPTYPE | PY_TPFLAGS_READY))
        return false;
    uint64_t dealloc = PY_PTR(reader, address, type, tp_dealloc);
    const struct df_range *code = dealloc ? df_aspace_range(reader->space, dealloc) : NULL;
    return df_module_at(modules, address) && code && (code->flags & PF_X) &&
           df_module_at(modules, PY_PTR(reader, address, type, tp_name));
}

/* Every field that a type cannot do without has a sane value. */
static bool plausible_type(struct py_objects *objects, uint64_t address)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    bool fault = reader->fault;
    reader->fault = false;
    uint64_t meta = py_type_of(reader, address);
    uint64_t meta_flags = meta ? PY_PTR(reader, meta, type, tp_flags) : 0;
    uint64_t flags = PY_PTR(reader, address, type, tp_flags);
    int64_t basic = (int64_t)PY_PTR(reader, address, type, tp_basicsize);
    int64_t item = (int64_t)PY_PTR(reader, address, type, tp_itemsize);
    bool ready = (meta_flags & PY_TPFLAGS_TYPE) && (flags & PY_TPFLAGS_READY);
    bool good = !reader->fault && (meta & 7) == 0 &&
                (ready || plausible_unready(objects, address, flags)) &&
                basic >= (int64_t)PY_SIZEOF(layout, object) && basic <= (1 << 24) && item >= 0 &&
                item <= (1 << 20) &&
                plausible_name(objects, PY_PTR(reader, address, type, tp_name),
                               flags & PY_TPFLAGS_HEAPTYPE);
    reader->fault = fault;
    return good;
}

static char *type_name(struct py_objects *objects, uint64_t address, uint64_t flags)
{
    struct py_reader *reader = &objects->reader;
    DF_CLEANUP_FREE char *raw =
        df_cstring(reader->space, PY_PTR(reader, address, type, tp_name), 1024);
    if (flags & PY_TPFLAGS_HEAPTYPE) {
        DF_CLEANUP_FREE char *qualname =
            py_str(reader, PY_PTR(reader, address, heaptype, ht_qualname), PY_MAX_NAME, NULL);
        uint64_t dict = py_type_dict(objects->py, address);
        uint64_t module_object = dict ? py_dict_get(reader, dict, "__module__") : 0;
        DF_CLEANUP_FREE char *module =
            module_object ? py_str(reader, module_object, PY_MAX_NAME, NULL) : NULL;
        if (qualname && module)
            return strcmp(module, "builtins") == 0 ? DF_TAKE(qualname)
                                                   : df_xasprintf("%s.%s", module, qualname);
        if (qualname)
            return DF_TAKE(qualname);
    }
    if (!raw) {
        const char *known = py_static_name(objects, address);
        return known ? df_xstrdup(known)
                     : df_xasprintf("<type at 0x%llx>", (unsigned long long)address);
    }
    return df_xstrdup(strncmp(raw, "builtins.", 9) == 0 ? raw + 9 : raw);
}

/* The symbol names it; without symbols, the commonest tp_traverse among heap types is it: classes
 * outnumber all else. Types are those among the first collected objects, and the types of these:
 * what is frozen or immortal (3.13t: most types, once there are threads) may be on no list. */
#define MAX_VOTES 20000
#define MAX_ASKED 1000000

struct vote {
    struct py_objects *objects;
    struct df_map types, counts;
    uint64_t best;
    uint32_t best_count, seen, asked;
};

static void vote_of_type(struct vote *vote, uint64_t type)
{
    struct py_reader *reader = &vote->objects->reader;
    bool added;
    if (!(PY_PTR(reader, type, type, tp_flags) & PY_TPFLAGS_HEAPTYPE))
        return;
    df_map_add(&vote->types, type, 0, &added);
    uint64_t traverse = added ? PY_PTR(reader, type, type, tp_traverse) : 0;
    vote->seen += added;
    if (!traverse)
        return;
    uint32_t count = df_map_get(&vote->counts, traverse);
    count = count == DF_MAP_NONE ? 1 : count + 1;
    df_map_set(&vote->counts, traverse, count);
    if (count > vote->best_count) {
        vote->best_count = count;
        vote->best = traverse;
    }
}

static bool vote_for_traverse(void *context, uint64_t object)
{
    struct vote *vote = context;
    struct py_reader *reader = &vote->objects->reader;
    reader->fault = false; /* one that is not there says nothing of the others */
    uint64_t type = py_type_of(reader, object);
    if (type)
        vote_of_type(vote, type);
    if (type && (PY_PTR(reader, type, type, tp_flags) & PY_TPFLAGS_TYPE))
        vote_of_type(vote, object);
    return vote->seen < MAX_VOTES && ++vote->asked < MAX_ASKED;
}

static void find_subtype_traverse(struct py_objects *objects)
{
    objects->subtype_traverse_known = true;
    const struct df_symbol *symbol = df_module_symbol(objects->py->module, "subtype_traverse");
    if (symbol) {
        objects->subtype_traverse = symbol->address;
        return;
    }
    struct vote vote = {.objects = objects};
    df_map_init(&vote.counts);
    df_map_init(&vote.types);
    py_gc_objects(objects->py, vote_for_traverse, &vote);
    df_map_deinit(&vote.types);
    df_map_deinit(&vote.counts);
    objects->reader.fault = false;
    objects->subtype_traverse = vote.best;
}

/* tp_finalize of the nearest base that is no Python class: what differs from it is __del__. */
static bool defines_del(struct py_objects *objects, const struct py_type *type)
{
    if (!type->python_class || !type->finalize)
        return false;
    uint32_t base = type->base_index;
    while (base != PY_NO_TYPE && objects->types[base]->python_class)
        base = objects->types[base]->base_index;
    return base == PY_NO_TYPE || objects->types[base]->finalize != type->finalize;
}

/* Has room for references, and is nothing that is known to have none. */
static bool may_own(const struct py_type *type)
{
    return type->basic_size > 24 &&
           !(type->flags & (PY_TPFLAGS_LONG | PY_TPFLAGS_BYTES | PY_TPFLAGS_UNICODE));
}

/* Nobody visits its references: what it owns is its type's (of heap types, 3.8+, bpo-35810) and
 * what the nearest base with a row owns. */
static void choose_owner(struct py_objects *objects, struct py_type *type)
{
    const struct py_type *base = type;
    const struct py_known *owner = py_known_owner(objects->reader.layout, base);
    while (!owner && base->base_index != PY_NO_TYPE) {
        base = objects->types[base->base_index];
        owner = py_known_owner(objects->reader.layout, base);
    }
    type->walk_kind = PY_WALK_NONE;
    type->data = owner;
    if (owner)
        type->walk_kind = PY_WALK_HAND;
    if (owner || may_own(type))
        type->walk = py_walk_unvisited;
}

/* The base of a Python class that owns references and has no tp_traverse: subclasses of arrays. */
static uint32_t find_owner(struct py_objects *objects, const struct py_type *type)
{
    for (uint32_t i = type->base_index; i != PY_NO_TYPE; i = objects->types[i]->base_index)
        if (!objects->types[i]->python_class)
            return objects->types[i]->walk == py_walk_unvisited && objects->types[i]->data
                       ? i
                       : PY_NO_TYPE;
    return PY_NO_TYPE;
}

static void choose_walker(struct py_objects *objects, struct py_type *type)
{
    const struct py_layout *layout = objects->reader.layout;
    if (!(type->flags & PY_TPFLAGS_HAVE_GC) || !type->traverse) {
        choose_owner(objects, type);
        return;
    }
    if (type->python_class) {
        const struct py_type *base = py_instance_base(objects, type);
        type->walk = py_walk_instance;
        type->owner_index = base ? PY_NO_TYPE : find_owner(objects, type);
        /* A base may have a tp_traverse and yet no HAVE_GC (_ctypes up to 3.12): it runs all the
         * same. */
        type->deferred =
            base && base->traverse && (base->deferred || !(base->flags & PY_TPFLAGS_HAVE_GC));
        type->walk_kind = type->deferred ? PY_WALK_EMULATED : PY_WALK_HAND;
        return;
    }
    const struct py_known *known = py_known_type(layout, type);
    if (known) {
        type->walk = known->walk;
        type->data = known->data;
        type->walk_kind = PY_WALK_HAND;
        bool added;
        df_map_add(&objects->traverse_map, type->traverse, (uint32_t)objects->type_count, &added);
        return;
    }
    uint32_t same = df_map_get(&objects->traverse_map, type->traverse);
    if (same != DF_MAP_NONE) {
        type->walk = objects->types[same]->walk;
        type->data = objects->types[same]->data;
        type->walk_kind = PY_WALK_HAND;
        return;
    }
    uint64_t fields = py_structseq_fields(objects, type);
    if (fields) {
        type->walk = py_walk_structseq;
        type->data = (const void *)(uintptr_t)fields; /* struct sequences have no subclasses */
        type->walk_kind = PY_WALK_HAND;
        return;
    }
    type->walk_kind = PY_WALK_EMULATED;
    type->deferred = true;
}

static uint32_t resolve(struct py_objects *objects, uint64_t address, uint32_t base_index)
{
    struct py_reader *reader = &objects->reader;
    struct py_type *type = df_xcalloc(1, sizeof(*type));
    type->address = address;
    type->flags = PY_PTR(reader, address, type, tp_flags);
    type->basic_size = (int64_t)PY_PTR(reader, address, type, tp_basicsize);
    type->item_size = (int64_t)PY_PTR(reader, address, type, tp_itemsize);
    type->dict_offset = (int64_t)PY_PTR(reader, address, type, tp_dictoffset);
    type->weaklist_offset = (int64_t)PY_PTR(reader, address, type, tp_weaklistoffset);
    type->traverse = PY_PTR(reader, address, type, tp_traverse);
    type->dealloc = PY_PTR(reader, address, type, tp_dealloc);
    type->base = PY_PTR(reader, address, type, tp_base);
    type->finalize = PY_PTR(reader, address, type, tp_finalize);
    type->del = PY_PTR(reader, address, type, tp_del);
    type->base_index = base_index;
    type->owner_index = PY_NO_TYPE;
    if (!(type->flags & PY_TPFLAGS_TYPE) && (type->flags & PY_TPFLAGS_HAVE_GC) &&
        PY_HAS(reader->layout, type, tp_is_gc))
        type->asks_gc = PY_PTR(reader, address, type, tp_is_gc);
    type->name = type_name(objects, address, type->flags);
    type->plausible = true;
    type->python_class = (type->flags & PY_TPFLAGS_HEAPTYPE) && type->traverse &&
                         type->traverse == objects->subtype_traverse;
    type->may_have_slots = type->python_class && py_may_have_slots(objects, type);
    type->has_del = defines_del(objects, type);
    const struct py_type *base = type->python_class ? py_instance_base(objects, type) : NULL;
    type->object_traverse = base ? base->traverse : type->python_class ? 0 : type->traverse;
    choose_walker(objects, type);
    type->buffer_rules = py_buffer_rules(objects, type);
    reader->fault = false;

    uint32_t index = (uint32_t)objects->type_count;
    objects->types = df_grow(objects->types, objects->type_count, &objects->type_capacity,
                             sizeof(*objects->types));
    objects->types[objects->type_count++] = type;
    df_map_set(&objects->type_map, address, index);
    type->index = index;
    return index;
}

static uint32_t remember_bad(struct py_objects *objects, uint64_t address)
{
    if (objects->bad_types < PY_MAX_BAD_TYPES) {
        df_map_set(&objects->type_map, address, PY_BAD_TYPE);
        objects->bad_types++;
    }
    return PY_NO_TYPE;
}

/* Types from `address` up its bases to the first known one are resolved from the top down. */
static uint32_t resolve_chain(struct py_objects *objects, uint64_t address)
{
    uint64_t chain[64];
    uint32_t depth = 0, above = PY_NO_TYPE;
    for (uint64_t current = address; current;) {
        uint32_t known = df_map_get(&objects->type_map, current);
        if (known != DF_MAP_NONE) {
            above = known == PY_BAD_TYPE ? PY_NO_TYPE : known;
            break;
        }
        /* A chain deeper than this is resolved from here: its upper part counts as no base. */
        if (depth == sizeof(chain) / sizeof(*chain) || (current & 7) ||
            !plausible_type(objects, current))
            break;
        bool cyclic = false;
        for (uint32_t i = 0; i < depth; i++)
            cyclic |= chain[i] == current;
        if (cyclic)
            break;
        chain[depth++] = current;
        current = PY_PTR(&objects->reader, current, type, tp_base);
    }
    if (!depth)
        return remember_bad(objects, address);
    while (depth--) {
        uint32_t known = df_map_get(&objects->type_map, chain[depth]);
        above = known != DF_MAP_NONE && known != PY_BAD_TYPE
                    ? known
                    : resolve(objects, chain[depth], above);
    }
    return above;
}

uint32_t py_type_index(struct py_objects *objects, uint64_t type)
{
    if (!type || (type & 7))
        return PY_NO_TYPE;
    if (type == objects->last_type)
        return objects->last_index;
    uint32_t known = df_map_get(&objects->type_map, type);
    if (known != DF_MAP_NONE && known != PY_BAD_TYPE) {
        objects->last_type = type;
        return objects->last_index = known;
    }
    if (known == PY_BAD_TYPE || objects->is_worker)
        return PY_NO_TYPE;
    if (!objects->subtype_traverse_known)
        find_subtype_traverse(objects);
    return resolve_chain(objects, type);
}

const struct py_type *py_type_at(const struct py_objects *objects, uint32_t index)
{
    return objects->types[index];
}

uint32_t py_type_count(const struct py_objects *objects)
{
    return (uint32_t)objects->type_count;
}

/* The word that says an object's type; 0 when it cannot be read. */
static inline uint64_t type_word(struct py_reader *reader, uint64_t object)
{
    const void *bytes = object && !(object & 7)
                            ? py_ptr(reader, PY_AT(reader->layout, object, object, ob_type), 8)
                            : NULL;
    uint64_t type = 0;
    if (bytes)
        memcpy(&type, bytes, 8);
    return type;
}

uint32_t py_object_type(struct py_objects *objects, uint64_t object)
{
    return py_type_index(objects, type_word(&objects->reader, object));
}

uint32_t py_scout_type(struct py_objects *scout, uint64_t object)
{
    uint64_t type = type_word(&scout->reader, object);
    if (!type || (type & 7))
        return PY_NO_TYPE;
    uint32_t known = df_map_get(&scout->type_map, type);
    return known == DF_MAP_NONE ? PY_UNMET_TYPE : known;
}

bool py_is_object(struct py_objects *objects, uint64_t object)
{
    uint32_t index = py_object_type(objects, object);
    if (index == PY_NO_TYPE)
        return false;
    const struct py_type *type = objects->types[index];
    if (!df_contiguous(objects->reader.space, object + (uint64_t)type->basic_size - 1))
        return false;
    bool fault = objects->reader.fault;
    int64_t count = py_refcount(&objects->reader, object);
    objects->reader.fault = fault;
    return count > 0;
}

bool py_has_gc_head(struct py_objects *objects, uint64_t object, const struct py_type *type)
{
    if (!(type->flags & PY_TPFLAGS_HAVE_GC))
        return false;
    /* The one tp_is_gc of the core: type_is_gc, true for heap types only (Objects/typeobject.c). */
    if (type->flags & PY_TPFLAGS_TYPE)
        return PY_PTR(&objects->reader, object, type, tp_flags) & PY_TPFLAGS_HEAPTYPE;
    return true;
}

/* A tp_is_gc of an extension's: greenlets that are suspended say no (greenlet's green_is_gc). What
 * cannot be asked is taken for what its type says. A worker knows what was asked when the object
 * was walked. */
static bool ask_is_gc(struct py_objects *objects, const struct py_type *type, uint64_t object)
{
    uint32_t known = df_map_get(&objects->gc_map, object);
    if (known != DF_MAP_NONE || objects->is_worker)
        return known != 0;
    struct df_emulator *emulator = py_emulator(objects);
    uint64_t result = 1;
    if (emulator && df_emulator_call(emulator, type->asks_gc, &object, 1, &result) != DF_CALL_OK)
        result = 1;
    bool said = (uint32_t)result != 0;
    df_map_set(&objects->gc_map, object, said);
    return said;
}

bool py_is_gc(struct py_objects *objects, uint64_t object, uint32_t type_index)
{
    const struct py_type *type = objects->types[type_index];
    if (!py_has_gc_head(objects, object, type))
        return false;
    return !type->asks_gc || ask_is_gc(objects, type, object);
}
