/* SPDX-License-Identifier: MIT
 * structs.c: the C structure behind a type, from the debug information of the module that defines
 * it: names for offsets, and pointers to objects for types whose code cannot be run.
 *
 * The structure is what `self` points to in tp_traverse or tp_dealloc, and is believed only when
 * its size is tp_basicsize.
 */
#include "analyzer/objects/internal.h"

#define MAX_DEBUG_MODULES 512

struct debug_module {
    const struct df_module *module;
    struct df_ctypes *types; /* NULL when it has none */
};

struct type_struct {
    uint64_t type; /* address */
    struct df_ctypes *types;
    const struct df_ctype *structure; /* NULL when unknown */
};

struct py_debug {
    struct debug_module *items;
    size_t count, capacity;
    struct df_map by_type; /* type address -> row of structs */
    struct {
        struct type_struct *items;
        size_t count, capacity;
    } structs;
};

void py_debug_close(struct py_debug *debug)
{
    if (!debug)
        return;
    for (size_t i = 0; i < debug->count; i++)
        df_ctypes_close(debug->items[i].types);
    free(debug->items);
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
    struct df_ctypes *types = NULL;
    if (module->debug_file && !objects->py->no_debug_info && debug->count < MAX_DEBUG_MODULES)
        df_err_free(df_ctypes_open(module->debug_file, NULL, NULL, &types));
    DF_PUSH(debug, (struct debug_module){.module = module, .types = types});
    return types;
}

static const struct type_struct *find_struct(struct py_objects *objects, const struct py_type *type)
{
    struct py_debug *debug = open_debug(objects);
    uint32_t row = df_map_get(&debug->by_type, type->address);
    if (row != DF_MAP_NONE)
        return &debug->structs.items[row];
    struct type_struct found = {.type = type->address};
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
    const struct type_struct *found = find_struct(objects, type);
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

bool py_struct_push(struct py_objects *objects, const struct py_type *type, uint64_t object,
                    struct py_refs *refs)
{
    const struct type_struct *found = find_struct(objects, type);
    if (!found->structure)
        return false;
    size_t before = refs->count;
    uint32_t count = df_ctype_member_count(found->structure);
    for (uint32_t i = 0; i < count; i++) {
        struct df_member member;
        df_ctype_member(found->types, found->structure, i, &member);
        if (!is_object_pointer(&member.field))
            continue;
        uint64_t target = py_word(&objects->reader, object + member.field.offset);
        if (target && py_object_type(objects, target) != PY_NO_TYPE)
            py_push_field(refs, target, PY_REF_REFERENT, member.name);
    }
    return refs->count > before;
}
