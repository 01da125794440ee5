/* SPDX-License-Identifier: MIT
 * walk_type.c: type objects and modules.
 *
 * type_traverse (Objects/typeobject.c) visits, of heap types only, dict, cache, mro, bases, base
 * and (3.9+) module. A type owns more than that: its names, its slots' names, the weak references
 * to its subclasses, the keys that its instances share. Static types are not the collector's
 * business; all of theirs is owned.
 */
#include "analyzer/objects/internal.h"

void py_own_type_parts(struct py_objects *objects, uint64_t object, struct py_refs *refs)
{
    struct py_reader *reader = &objects->reader;
    uint64_t subclasses = py_type_subclasses(objects->py, object);
    if (PY_PTR(reader, object, type, tp_flags) & PY_TPFLAGS_HEAPTYPE) {
        py_push_field(refs, PY_PTR(reader, object, heaptype, ht_name), PY_REF_OWNED, "__name__");
        py_push_field(refs, PY_PTR(reader, object, heaptype, ht_qualname), PY_REF_OWNED,
                      "__qualname__");
        py_push_field(refs, PY_PTR(reader, object, heaptype, ht_slots), PY_REF_OWNED, "__slots__");
        py_own_keys(objects, py_shared_keys(objects, object), refs);
    }
    if (subclasses && py_object_type(objects, subclasses) != PY_NO_TYPE)
        py_push_field(refs, subclasses, PY_REF_OWNED, "__subclasses__()");
}

enum py_status py_walk_type(struct py_objects *objects, const struct py_type *type, uint64_t object,
                            struct py_refs *refs)
{
    (void)type;
    struct py_reader *reader = &objects->reader;
    bool heap = PY_PTR(reader, object, type, tp_flags) & PY_TPFLAGS_HEAPTYPE;
    enum py_ref_kind kind = heap ? PY_REF_REFERENT : PY_REF_OWNED;
    py_push_field(refs,
                  heap ? PY_PTR(reader, object, type, tp_dict) : py_type_dict(objects->py, object),
                  kind, "__dict__");
    py_push_field(refs, PY_PTR(reader, object, type, tp_cache), kind, "tp_cache");
    py_push_field(refs, PY_PTR(reader, object, type, tp_mro), kind, "__mro__");
    py_push_field(refs, PY_PTR(reader, object, type, tp_bases), kind, "__bases__");
    py_push_field(refs, PY_PTR(reader, object, type, tp_base), kind, "__base__");
    if (heap)
        py_push_field(refs, PY_PTR(reader, object, heaptype, ht_module), kind, "ht_module");
    py_own_type_parts(objects, object, refs);
    return py_reader_status(objects);
}

/* Whether the module's own m_traverse runs: where there is one and the state that it needs exists.
 * The module has a copy of both since 3.15. */
static bool has_traverse(struct py_reader *reader, uint64_t object)
{
    int64_t size;
    uint64_t traverse = 0, definition = PY_PTR(reader, object, module, md_def);
    if (PY_HAS(reader->layout, module, md_state_traverse)) {
        traverse = PY_PTR(reader, object, module, md_state_traverse);
        size = (int64_t)PY_PTR(reader, object, module, md_state_size);
    } else if (definition) {
        traverse = PY_PTR(reader, definition, moduledef, m_traverse);
        size = (int64_t)PY_PTR(reader, definition, moduledef, m_size);
    }
    return traverse && (size <= 0 || PY_PTR(reader, object, module, md_state));
}

void py_own_module_name(struct py_objects *objects, uint64_t module, struct py_refs *refs)
{
    py_push_field(refs, PY_PTR(&objects->reader, module, module, md_name), PY_REF_OWNED,
                  "__name__");
}

/* module_traverse (Objects/moduleobject.c): m_traverse, which is code of the module's own:
 * emulated; then md_dict. */
enum py_status py_walk_module(struct py_objects *objects, const struct py_type *type,
                              uint64_t object, struct py_refs *refs)
{
    (void)type;
    struct py_reader *reader = &objects->reader;
    if (has_traverse(reader, object))
        return reader->fault = false, PY_DEFERRED;
    py_push_field(refs, PY_PTR(reader, object, module, md_dict), PY_REF_REFERENT, "__dict__");
    py_own_module_name(objects, object, refs);
    return py_reader_status(objects);
}
