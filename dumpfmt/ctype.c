/* SPDX-License-Identifier: MIT
 * ctype.c: opening a module's C types, and walking member paths in them.
 */
#include "dumpfmt/ctype.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/ctype_cache.h"
#include "dumpfmt/ctype_selves.h"
#include "dumpfmt/ctype_table.h"
#include "dumpfmt/dwarf.h"

#define MAX_ANONYMOUS 32   /* anonymous structs within one another */
#define MAX_VISITS 1000000 /* members looked at for one name: a hostile cache repeats its types */

struct df_ctypes {
    struct df_ct_table table;
    struct df_dwarf *dwarf; /* opened when a function is asked for */
    bool dwarf_failed;      /* and could not be */
    bool cached, incomplete;
    char *file;
    struct df_ct_selves selves;
    bool selves_loaded;
    char *cache_directory, *build_id; /* NULL: no cache */
    uint64_t source;
};

/* The debug information is closed again: a process has many modules, and few functions are asked
 * for. */
static struct df_err *read_dwarf(struct df_ctypes *types)
{
    struct df_dwarf *dwarf;
    DF_TRY(df_dwarf_open(types->file, &dwarf));
    struct df_ct_build build;
    df_ct_build_init(&build);
    df_dwarf_read(dwarf, &build);
    types->incomplete = df_dwarf_incomplete(dwarf);
    df_dwarf_close(dwarf);
    struct df_err *err = NULL;
    if (build.types.count == 0 && build.variables.count == 0) /* assembly only, or elsewhere */
        err = df_err_new(DF_ERR_MISSING, "no C types in its debug information%s",
                         types->incomplete ? "; the files that it refers to (.dwo, .dwp, or what "
                                             "dwz made) were not found"
                                           : "");
    else
        err = df_ct_build_finish(&build, &types->table);
    df_ct_build_deinit(&build);
    return df_err_prefix(err, "%s", types->file);
}

struct df_err *df_ctypes_open(const char *file, const char *build_id, const char *cache_directory,
                              struct df_ctypes **ret)
{
    struct stat status;
    if (stat(file, &status))
        return df_err_new(DF_ERR_IO, "%s: %s", file, strerror(errno));
    struct df_ctypes *types = df_xcalloc(1, sizeof(*types));
    types->file = df_xstrdup(file);
    df_ct_selves_init(&types->selves);
    uint64_t source = (uint64_t)status.st_size;
    bool cacheable = build_id && cache_directory;
    if (cacheable && df_ct_cache_load(cache_directory, build_id, source, &types->table)) {
        types->cached = true;
    } else {
        struct df_err *err = read_dwarf(types);
        if (err) {
            df_ctypes_close(types);
            return err;
        }
        if (cacheable && !types->incomplete) /* the rest may be installed yet */
            df_ct_cache_store(cache_directory, build_id, source, &types->table);
    }
    if (cacheable && !types->incomplete) {
        types->cache_directory = df_xstrdup(cache_directory);
        types->build_id = df_xstrdup(build_id);
        types->source = source;
    }
    *ret = types;
    return NULL;
}

void df_ctypes_close(struct df_ctypes *types)
{
    if (!types)
        return;
    if (types->cache_directory)
        df_ct_selves_store(&types->selves, types->cache_directory, types->build_id, types->source);
    df_ct_selves_deinit(&types->selves);
    free(types->cache_directory);
    free(types->build_id);
    df_dwarf_close(types->dwarf);
    df_ct_table_deinit(&types->table);
    free(types->file);
    free(types);
}

bool df_ctypes_incomplete(const struct df_ctypes *types)
{
    return types->incomplete;
}

bool df_ctypes_cached(const struct df_ctypes *types)
{
    return types->cached;
}

const struct df_ctype *df_ctypes_find(const struct df_ctypes *types, const char *name)
{
    return df_ct_find(&types->table, name);
}

uint64_t df_ctype_size(const struct df_ctype *type)
{
    return type->size;
}

uint32_t df_ctype_member_count(const struct df_ctype *type)
{
    return type->count;
}

static const char *string_or_null(const struct df_ctypes *types, uint32_t string)
{
    return string ? types->table.strings + string : NULL;
}

static void fill_field(const struct df_ctypes *types, const struct df_ct_member *member,
                       struct df_field *ret)
{
    *ret = (struct df_field){
        .offset = member->offset,
        .size = member->size,
        .bit_offset = member->bit_offset,
        .bit_size = member->bit_size,
        .count = member->count,
        .element = member->element,
        .kind = (enum df_kind)member->kind,
        .element_kind = (enum df_kind)member->element_kind,
        .type = string_or_null(types, member->type),
    };
}

void df_ctype_member(const struct df_ctypes *types, const struct df_ctype *type, uint32_t i,
                     struct df_member *ret)
{
    const struct df_ct_member *member = &types->table.members[type->first + i];
    ret->name = string_or_null(types, member->name);
    fill_field(types, member, &ret->field);
}

static bool is_struct(enum df_kind kind)
{
    return kind == DF_KIND_STRUCT || kind == DF_KIND_UNION;
}

/* The type of a field that is a struct or union; NULL when it is none, or is larger than its field
 * (which only a forged cache says). */
static const struct df_ctype *field_type(const struct df_ctypes *types, enum df_kind kind,
                                         uint64_t size, const char *name)
{
    const struct df_ctype *type = is_struct(kind) && name ? df_ctypes_find(types, name) : NULL;
    return type && type->size <= size ? type : NULL;
}

/* A member by name, looked for in anonymous structs and unions too; depth first, with a stack of
 * its own. */
static bool find_member(const struct df_ctypes *types, const struct df_ctype *type,
                        const char *name, size_t length, struct df_field *ret)
{
    struct {
        const struct df_ctype *type;
        uint64_t base;
        uint32_t next;
    } stack[MAX_ANONYMOUS] = {{type, 0, 0}};
    int depth = 1;
    for (int visits = 0; depth && visits < MAX_VISITS; visits++) {
        const struct df_ctype *here = stack[depth - 1].type;
        uint64_t base = stack[depth - 1].base;
        if (stack[depth - 1].next == here->count) {
            depth--;
            continue;
        }
        const struct df_ct_member *member =
            &types->table.members[here->first + stack[depth - 1].next++];
        const char *text = types->table.strings + member->name;
        if (member->name && strncmp(text, name, length) == 0 && text[length] == 0) {
            fill_field(types, member, ret);
            ret->offset += base;
            return true;
        }
        if (member->name || depth == MAX_ANONYMOUS)
            continue;
        const struct df_ctype *inner = field_type(types, (enum df_kind)member->kind, member->size,
                                                  string_or_null(types, member->type));
        if (inner) {
            stack[depth].type = inner;
            stack[depth].base = base + member->offset;
            stack[depth++].next = 0;
        }
    }
    return false;
}

/* Reads "[12]" at *path and steps into that element. An array of 0 or 1 elements at the end of a
 * struct is C's way to say "any number". */
static bool step_into_array(const char **path, struct df_field *field)
{
    char *end;
    if ((*path)[1] < '0' || (*path)[1] > '9')
        return false;
    errno = 0;
    unsigned long long index = strtoull(*path + 1, &end, 10);
    if (errno || *end != ']' || field->kind != DF_KIND_ARRAY)
        return false;
    uint64_t distance;
    if ((field->count > 1 && index >= field->count) ||
        __builtin_mul_overflow(index, field->element, &distance) ||
        __builtin_add_overflow(field->offset, distance, &field->offset))
        return false;
    field->kind = field->element_kind;
    field->size = field->element;
    field->count = 1;
    *path = end + 1;
    return true;
}

bool df_ctypes_field(const struct df_ctypes *types, const char *type, const char *path,
                     struct df_field *ret)
{
    const struct df_ctype *here = df_ctypes_find(types, type);
    struct df_field field = {0};
    for (;;) {
        size_t length = strcspn(path, ".[");
        uint64_t base = field.offset;
        if (!here || length == 0 || !find_member(types, here, path, length, &field))
            return false;
        if (__builtin_add_overflow(field.offset, base, &field.offset))
            return false;
        path += length;
        while (*path == '[')
            if (!step_into_array(&path, &field))
                return false;
        if (*path == 0)
            break;
        if (*path++ != '.')
            return false;
        here = field_type(types, field.kind, field.size, field.type);
    }
    *ret = field;
    return true;
}

bool df_ctypes_enumerator(const struct df_ctypes *types, const char *name, int64_t *ret)
{
    const struct df_ct_enumerator *row = df_ct_find_enumerator(&types->table, name);
    if (row)
        *ret = row->value;
    return row;
}

bool df_ctypes_variable(const struct df_ctypes *types, const char *name, uint64_t *ret_address,
                        uint64_t *ret_size)
{
    const struct df_ct_variable *row = df_ct_find_variable(&types->table, name);
    if (!row)
        return false;
    *ret_address = row->address;
    *ret_size = row->size;
    return true;
}

/* The table's own string for a type of that name and size, or of its "@size" variant. */
static const char *name_of_size(const struct df_ctypes *types, const char *name, uint64_t size)
{
    const struct df_ctype *type = df_ctypes_find(types, name);
    if (!type || type->size != size) {
        DF_CLEANUP_FREE char *variant = df_xasprintf("%s@%llu", name, (unsigned long long)size);
        type = df_ctypes_find(types, variant);
    }
    return type && type->size == size ? types->table.strings + type->name : NULL;
}

static struct df_dwarf *open_dwarf(struct df_ctypes *types)
{
    if (!types->dwarf && !types->dwarf_failed) {
        struct df_err *err = df_dwarf_open(types->file, &types->dwarf);
        types->dwarf_failed = err;
        df_err_free(err);
    }
    return types->dwarf;
}

const char *df_ctypes_self_struct(struct df_ctypes *types, uint64_t function, uint64_t size)
{
    const char *known = NULL;
    if (types->cache_directory && !types->selves_loaded) {
        df_ct_selves_load(&types->selves, types->cache_directory, types->build_id, types->source);
        types->selves_loaded = true;
    }
    if (df_ct_selves_get(&types->selves, function, size, &known))
        return known ? name_of_size(types, known, size) : NULL;
    if (!open_dwarf(types))
        return NULL;
    DF_CLEANUP_FREE char *name = df_dwarf_self_struct(types->dwarf, function, size);
    df_ct_selves_add(&types->selves, function, size, name);
    return name ? name_of_size(types, name, size) : NULL;
}

char *df_cache_directory(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && cache[0] == '/') /* the XDG specification: ignore relative ones */
        return df_xasprintf("%s/necropy", cache);
    return home && home[0] ? df_xasprintf("%s/.cache/necropy", home) : NULL;
}
