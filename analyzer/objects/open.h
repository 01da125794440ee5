/* SPDX-License-Identifier: MIT
 * open.h: what the process had open, as its objects tell: files, sockets, databases, mapped memory,
 * child processes.
 *
 * Facts: Modules/_io/fileio.c, Modules/socketmodule.c, Modules/_sqlite/connection.c and cursor.c,
 * Modules/mmapmodule.c, Lib/subprocess.py of 3.8 to 3.15.
 */
#ifndef PY_OPEN_H
#define PY_OPEN_H

#include "analyzer/objects/object.h"

enum py_open_kind {
    PY_OPEN_NOTHING, /* another type, or it is closed */
    PY_OPEN_FILE,
    PY_OPEN_SOCKET,
    PY_OPEN_CONNECTION, /* to a database, or a session of a network protocol */
    PY_OPEN_CURSOR,     /* of a database, with a statement */
    PY_OPEN_MAPPING,
    PY_OPEN_CHILD, /* a process that nobody has waited for */
    PY_OPEN_KINDS
};

struct py_open {
    int64_t descriptor; /* of a child: its process id; -1 when the object does not tell */
    uint64_t bytes;     /* mapped */
    uint64_t name;      /* object: what it was opened by; 0 when it does not tell */
    const char *family; /* of a socket: "AF_INET"; NULL when unknown */
};

/* Which kind of thing objects of a type are when they are open. */
enum py_open_kind py_open_kind(const struct py_objects *objects, const struct py_type *type);
/* Is it open? The standard streams and files that belong to somebody else (closefd) are not. */
bool py_open_read(struct py_objects *objects, uint64_t object, enum py_open_kind kind,
                  struct py_open *ret);

/* The file of an open SQLite connection, as its library tells (sqlite3_db_filename, emulated): ""
 * for a database in memory; malloc'ed, NULL when it cannot be asked or is no such connection. */
char *py_sqlite_file(struct py_objects *objects, uint64_t object);

#endif
