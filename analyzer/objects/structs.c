/* SPDX-License-Identifier: MIT
 * structs.c: the C structure behind a type, from the debug information of the module that defines
 * it: names for offsets, and pointers to objects for types whose code cannot be run.
 *
 * The structure is what `self` points to in tp_traverse or tp_dealloc, and is believed only when
 * its size is tp_basicsize.
 */
#include "analyzer/objects/structs.h"

#define MAX_DEBUG_MODULES 512
#define MAX_NESTING 8 /* structs within one another before the object header */
#define MAX_NESTED 64 /* structs within the struct of a type */
#define MAX_OWNED 256 /* references of one object to others */

void py_debug_close(struct py_debug *debug)
{
    if (!debug)
        return;
    for (size_t i = 0; i < debug->count; i++)
        if (debug->items[i].owned)
            df_ctypes_close(debug->items[i].types);
    free(debug->items);
    for (size_t i = 0; i < debug->structs.count; i++)
        free(debug->structs.items[i].owned.items);
    free(debug->structs.items);
    df_map_deinit(&debug->by_type);
    free(debug);
}

static struct py_debug *open_debug(struct py_objects *objects)
{
    if (!objects->debug) {
        objects->debug = df_xcalloc(1, sizeof(*objects->debug));
        df_map_init(&objects->debug->by_type);
    }
    return objects->debug;
}

static struct df_ctypes *module_types(struct py_objects *objects, const struct df_module *module)
{
    struct py_debug *debug = open_debug(objects);
    for (size_t i = 0; i < debug->count; i++)
        if (debug->items[i].module == module)
            return debug->items[i].types;
    const struct py *py = objects->py;
    struct df_ctypes *types = module == py->module ? py->types : NULL;
    bool owned = !types;
    if (owned && module->debug_file && !py->no_debug_info && debug->count < MAX_DEBUG_MODULES)
        df_err_free(py_open_types(module, py->cache_directory, &types));
    DF_PUSH(debug, (struct debug_module){.module = module, .types = types, .owned = owned});
    return types;
}

/* NULL when it was not asked yet. */
static struct type_struct *known_struct(struct py_debug *debug, const struct py_type *type)
{
    uint32_t row = debug ? df_map_get(&debug->by_type, type->address) : DF_MAP_NONE;
    return row == DF_MAP_NONE ? NULL : &debug->structs.items[row];
}

struct type_struct *py_find_struct(struct py_objects *objects, const struct py_type *type)
{
    struct py_debug *debug = open_debug(objects);
    struct type_struct *known = known_struct(debug, type);
    if (known)
        return known;
    struct type_struct found = {.type = type->address};
    if (objects->py->dump->necro)
        py_saved_struct(objects, type, &found);
    const uint64_t functions[] = {type->traverse, type->dealloc};
    for (size_t i = 0; i < 2 && !found.structure; i++) {
        const struct df_module *module =
            functions[i] ? df_module_at(objects->py->dump->modules, functions[i]) : NULL;
        struct df_ctypes *types = module ? module_types(objects, module) : NULL;
        const char *name = types ? df_ctypes_self_struct(types, functions[i] - module->bias,
                                                         (uint64_t)type->basic_size)
                                 : NULL;
        const struct df_ctype *structure = name ? df_ctypes_find(types, name) : NULL;
        if (structure && df_ctype_size(structure) == (uint64_t)type->basic_size) {
            found.structure = structure;
            found.types = types;
        }
    }
    df_map_set(&debug->by_type, type->address, (uint32_t)debug->structs.count);
    DF_PUSH(&debug->structs, found);
    return &debug->structs.items[debug->structs.count - 1];
}

const char *py_struct_member(struct py_objects *objects, const struct py_type *type,
                             uint64_t offset)
{
    const struct type_struct *found = py_find_struct(objects, type);
    if (found->rows)
        return py_saved_member(found, offset);
    if (!found->structure)
        return NULL;
    const struct df_ctype *at = found->structure;
    for (int depth = 0; at && depth < 8; depth++) {
        const struct df_ctype *inner = NULL;
        uint64_t inner_offset = 0;
        uint32_t count = df_ctype_member_count(at);
        for (uint32_t i = 0; i < count; i++) {
            struct df_member member;
            df_ctype_member(found->types, at, i, &member);
            bool inside =
                offset >= member.field.offset && offset < member.field.offset + member.field.size;
            if (inside && member.field.kind == DF_KIND_POINTER && member.field.offset == offset)
                return member.name;
            if (inside && member.field.kind == DF_KIND_STRUCT && member.field.type) {
                inner = df_ctypes_find(found->types, member.field.type);
                inner_offset = member.field.offset;
            }
        }
        at = inner;
        offset -= inner_offset;
    }
    return NULL;
}

/* Pointers to something whose name says that it is an object. */
static bool is_object_pointer(const struct df_field *field)
{
    if (field->kind != DF_KIND_POINTER || !field->type)
        return false;
    const char *name = strncmp(field->type, "struct ", 7) == 0 ? field->type + 7 : field->type;
    size_t length = strlen(name);
    return strcmp(name, "_object") == 0 || strcmp(name, "PyObject") == 0 ||
           strcmp(name, "_typeobject") == 0 ||
           (strncmp(name, "Py", 2) == 0 && length > 6 && strcmp(name + length - 6, "Object") == 0);
}

void py_struct_pointers(const struct type_struct *found, py_struct_visitor visit, void *context)
{
    if (found->rows)
        py_saved_pointers(found, visit, context);
    uint32_t count = found->structure ? df_ctype_member_count(found->structure) : 0;
    for (uint32_t i = 0; i < count; i++) {
        struct df_member member;
        df_ctype_member(found->types, found->structure, i, &member);
        if (is_object_pointer(&member.field))
            visit(context, member.field.offset, member.name, false);
    }
}

struct push {
    struct py_objects *objects;
    uint64_t object;
    struct py_refs *refs;
};

static void push_pointer(void *context, uint64_t offset, const char *name, bool nested)
{
    struct push *push = context;
    uint64_t target = py_word(&push->objects->reader, push->object + offset);
    (void)nested;
    if (target && py_object_type(push->objects, target) != PY_NO_TYPE)
        py_push_field(push->refs, target, PY_REF_REFERENT, name);
}

bool py_struct_push(struct py_objects *objects, const struct py_type *type, uint64_t object,
                    struct py_refs *refs)
{
    const struct type_struct *found = py_find_struct(objects, type);
    struct push push = {objects, object, refs};
    size_t before = refs->count;
    py_struct_pointers(found, push_pointer, &push);
    return refs->count > before;
}

/* Whether a struct begins with an object header, through any nesting. */
static bool begins_with_header(const struct df_ctypes *types, const char *name)
{
    for (int depth = 0; name && depth < MAX_NESTING; depth++) {
        const struct df_ctype *type = df_ctypes_find(types, name);
        struct df_member first;
        if (strcmp(name, "PyObject") == 0 || strcmp(name, "struct _object") == 0)
            return true;
        if (!type || !df_ctype_member_count(type))
            return false;
        df_ctype_member(types, type, 0, &first);
        if (first.field.offset || first.field.kind != DF_KIND_STRUCT)
            return false;
        name = first.field.type;
    }
    return false;
}

struct nested {
    const struct df_ctype *structure;
    uint64_t offset;
};

/* Heads of lists of weak references are pointers to objects, and not counted. */
static bool is_borrowed(const struct py_type *type, uint64_t offset, const char *name)
{
    return (int64_t)offset == type->weaklist_offset || !name || strstr(name, "weakref") ||
           py_is_borrowed_member(type, name);
}

struct finding {
    struct type_struct *found;
    const struct py_type *type;
};

static void add_owned(void *context, uint64_t offset, const char *name, bool nested)
{
    struct finding *finding = context;
    struct type_struct *found = finding->found;
    if (found->owned.count < MAX_OWNED && !is_borrowed(finding->type, offset, name))
        DF_PUSH(&found->owned,
                (struct owned_field){.offset = (uint32_t)offset, .nested = nested, .name = name});
}

static void visit_objects(const struct type_struct *found, const struct df_member *member,
                          uint64_t offset, bool nested, py_struct_visitor visit, void *context)
{
    const struct df_field *field = &member->field;
    uint64_t size = df_ctype_size(found->structure); /* the type's tp_basicsize */
    bool pointer = field->element_kind == DF_KIND_POINTER &&
                   (field->kind == DF_KIND_POINTER || field->kind == DF_KIND_ARRAY);
    if (!pointer || !begins_with_header(found->types, field->type))
        return;
    for (uint64_t i = 0; i < field->count && i < MAX_OWNED; i++)
        if (offset + i * 8 + 8 <= size)
            visit(context, offset + i * 8, member->name, nested);
}

void py_struct_objects(const struct type_struct *found, uint64_t header, py_struct_visitor visit,
                       void *context)
{
    struct nested work[MAX_NESTED] = {{found->structure, 0}};
    if (found->rows)
        py_saved_objects(found, visit, context);
    for (size_t next = 0, count = 1; next < count && found->structure; next++) {
        uint32_t members = df_ctype_member_count(work[next].structure);
        for (uint32_t i = 0; i < members; i++) {
            struct df_member member;
            df_ctype_member(found->types, work[next].structure, i, &member);
            uint64_t offset = work[next].offset + member.field.offset;
            const struct df_ctype *inner = member.field.kind == DF_KIND_STRUCT && member.field.type
                                               ? df_ctypes_find(found->types, member.field.type)
                                               : NULL;
            if (inner && count < MAX_NESTED)
                work[count++] = (struct nested){inner, offset};
            else if (offset >= header)
                visit_objects(found, &member, offset, next > 0, visit, context);
        }
    }
}

static void find_owned(struct py_objects *objects, struct type_struct *found,
                       const struct py_type *type)
{
    struct finding finding = {found, type};
    found->owned_known = true;
    py_struct_objects(found, PY_SIZEOF(objects->reader.layout, object), add_owned, &finding);
}

/* A struct within the struct may have a copy of a pointer of the outer one's (formatteriterator in
 * Objects/stringlib/unicode_format.h), which does not count. */
static bool is_copy(const struct py_refs *refs, size_t first, size_t end, uint64_t target)
{
    for (size_t i = first; i < end; i++)
        if (refs->items[i].target == target)
            return true;
    return false;
}

static const struct type_struct *owning_struct(struct py_objects *objects,
                                               const struct py_type *type)
{
    struct type_struct *found =
        objects->is_worker ? known_struct(objects->debug, type) : py_find_struct(objects, type);
    if (found && !found->owned_known && !objects->is_worker)
        find_owned(objects, found, type);
    return found;
}

bool py_struct_owns(struct py_objects *objects, const struct py_type *type)
{
    const struct type_struct *found = owning_struct(objects, type);
    return found && found->owned.count;
}

bool py_struct_own(struct py_objects *objects, const struct py_type *type, uint64_t object,
                   struct py_refs *refs)
{
    size_t first = refs->count, outer = first;
    const struct type_struct *found = owning_struct(objects, type);
    if (!found)
        return false;
    for (size_t i = 0; i < found->owned.count; i++) {
        const struct owned_field *field = &found->owned.items[i];
        uint64_t target = py_word(&objects->reader, object + field->offset);
        if (!target || py_object_type(objects, target) == PY_NO_TYPE ||
            (field->nested && is_copy(refs, first, outer, target)))
            continue;
        py_push_field(refs, target, PY_REF_OWNED, field->name);
        if (!field->nested)
            outer = refs->count;
    }
    return found->owned.count;
}
