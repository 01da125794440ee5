/* SPDX-License-Identifier: MIT
 * ctype.h: the C types and global variables of one module, as its debug information has them.
 *
 * Read from DWARF 4 and 5 by libdwarf (dwarf.c), or from a cache file that an earlier run wrote
 * for the same build-id (ctype_cache.c). A type is found by its name: "struct _ts", "union foo",
 * "enum bar", or a typedef's plain name ("PyListObject"). The first complete definition of a name
 * in the module wins; one of another size, in a later unit, is "struct foo@48", with its size. (Not
 * the largest: neither is right for both units, and the first does not change when a unit is added
 * behind it. dwarf.h has the details.)
 *
 * A member path is a dotted list of member names from the struct inward ("ceval.gil",
 * "state.kind"); members of anonymous structs and unions are found as C finds them. Paths do not
 * follow pointers. `[N]` steps into an array ("generations[1].head"); of one that is declared with
 * no or one element, C's way to end a struct, N is not limited.
 */
#ifndef DF_CTYPE_H
#define DF_CTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dumpfmt/base/err.h"

enum df_kind {
    DF_KIND_UNKNOWN,
    DF_KIND_BASE, /* integers, floats, bool, char */
    DF_KIND_POINTER,
    DF_KIND_STRUCT,
    DF_KIND_UNION,
    DF_KIND_ENUM,
    DF_KIND_ARRAY,
    DF_KIND_FUNCTION,
};

struct df_field {
    uint64_t offset;     /* bytes from the start of the outer struct, to the storage unit's byte */
    uint64_t size;       /* bytes of the member (of the storage unit, for a bit field) */
    uint32_t bit_offset; /* least significant bit within the storage unit; 0 for plain members */
    uint32_t bit_size;   /* 0 for plain members */
    uint64_t count;      /* array: number of elements (all dimensions), else 1 */
    uint64_t element;    /* array: bytes of an element, else size */
    enum df_kind kind;   /* what the member is, typedefs and qualifiers removed */
    enum df_kind element_kind; /* array: what an element is, else kind */
    const char *type; /* name of its struct, union or enum, or of what its pointer points to, as
                         df_ctypes_find takes it (an array's: its element's); NULL when it has
                         none. The type may be one that no unit of the module defines. */
};

struct df_member {    /* for enumeration */
    const char *name; /* NULL for an anonymous struct or union */
    struct df_field field;
};

struct df_ctypes;
struct df_ctype; /* one struct, union or enum */

/* Reads all named aggregates, enumerators and global variables from the .debug_info of `file` (a
 * host path). build_id (hexadecimal, may be NULL) keys the cache in `cache_directory` (NULL: no
 * cache); a cache that is damaged, of another version or not writable is ignored silently. */
struct df_err *df_ctypes_open(const char *file, const char *build_id, const char *cache_directory,
                              struct df_ctypes **ret);
void df_ctypes_close(struct df_ctypes *types); /* NULL is allowed */
/* Whether a part of the debug information was not found: .dwo files, or what dwz moved away. */
bool df_ctypes_incomplete(const struct df_ctypes *types);
/* Whether the cache served. */
bool df_ctypes_cached(const struct df_ctypes *types);

const struct df_ctype *df_ctypes_find(const struct df_ctypes *types, const char *name);
uint64_t df_ctype_size(const struct df_ctype *type);
uint32_t df_ctype_member_count(const struct df_ctype *type);
/* The i-th direct member. */
void df_ctype_member(const struct df_ctypes *types, const struct df_ctype *type, uint32_t i,
                     struct df_member *ret);
/* A member by path; false when there is none. */
bool df_ctypes_field(const struct df_ctypes *types, const char *type, const char *path,
                     struct df_field *ret);
/* The value of an enumerator, by its own name. */
bool df_ctypes_enumerator(const struct df_ctypes *types, const char *name, int64_t *ret);
/* A global or file-static variable: link-time address (add the module's bias), and its type's
 * size. For one that is found in several units, the first. */
bool df_ctypes_variable(const struct df_ctypes *types, const char *name, uint64_t *ret_address,
                        uint64_t *ret_size);
/* For a function (its link-time address), the struct that its first parameter or a local variable
 * points to, best match first, whose size is `size` bytes: how to find the struct behind a
 * tp_traverse. NULL when there is none. Answers are cached too; others are looked for in the DWARF.
 */
const char *df_ctypes_self_struct(struct df_ctypes *types, uint64_t function, uint64_t size);

/* The user's cache directory for this tool ($XDG_CACHE_HOME or ~/.cache, then /necropy), malloc'ed;
 * NULL when there is no home. Not created by this call. */
char *df_cache_directory(void);

#endif
