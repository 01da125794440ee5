/* SPDX-License-Identifier: MIT
 * borrowed.c: members that look like references and count none.
 *
 * What a type without tp_traverse owns is told by its structure or its tp_members
 * (walk_instance.c), and C code may well keep a pointer there that it never counted. Each row names
 * the source.
 */
#include "analyzer/objects/internal.h"

static const struct {
    const char *type; /* NULL: of any */
    const char *member;
} rows[] = {
    {NULL, "localdict"}, /* of _localdummy: "Borrowed reference!", Modules/_threadmodule.c */
    /* Up to 3.9, Modules/_sqlite/connection.c, pysqlite_connection_init: copies of the module's
     * own exceptions ("Exception objects" of connection.h). */
    {"sqlite3.Connection", "Warning"},
    {"sqlite3.Connection", "Error"},
    {"sqlite3.Connection", "InterfaceError"},
    {"sqlite3.Connection", "DatabaseError"},
    {"sqlite3.Connection", "DataError"},
    {"sqlite3.Connection", "OperationalError"},
    {"sqlite3.Connection", "IntegrityError"},
    {"sqlite3.Connection", "InternalError"},
    {"sqlite3.Connection", "ProgrammingError"},
    {"sqlite3.Connection", "NotSupportedError"},
    /* Up to 3.9, Modules/_sqlite/cache.c: a cache owns the list of its nodes by `first` and `next`;
     * its factory is the connection that owns the cache (decref_factory is 0). */
    {"sqlite3Node", "prev"},
    {"sqlite3.Cache", "last"},
    {"sqlite3.Cache", "factory"},
};

bool py_is_borrowed_member(const struct py_type *type, const char *member)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (strcmp(rows[i].member, member) == 0 &&
            (!rows[i].type || strcmp(rows[i].type, type->name) == 0))
            return true;
    return false;
}
