/* SPDX-License-Identifier: MIT
 * open.c: see open.h.
 */
#include "analyzer/objects/open.h"

#include "analyzer/objects/async.h"
#include "analyzer/objects/internal.h"

#define STANDARD_STREAMS 3
#define MAX_DESCRIPTOR (1 << 30)

/* attribute: what such an object has while it is open, and None or nothing when it is closed; NULL:
 * whatever is there is open. */
static const struct row {
    const char *type;
    enum py_open_kind kind;
    const char *attribute;
} rows[] = {
    {"_io.FileIO", PY_OPEN_FILE, NULL},
    {"_socket.socket", PY_OPEN_SOCKET, NULL},
    {"mmap.mmap", PY_OPEN_MAPPING, NULL},
    {"sqlite3.Connection", PY_OPEN_CONNECTION, NULL},
    {"sqlite3.Cursor", PY_OPEN_CURSOR, NULL},
    {"subprocess.Popen", PY_OPEN_CHILD, NULL},
    {"http.client.HTTPConnection", PY_OPEN_CONNECTION, "sock"},
    {"smtplib.SMTP", PY_OPEN_CONNECTION, "sock"},
    {"ftplib.FTP", PY_OPEN_CONNECTION, "sock"},
    {"imaplib.IMAP4", PY_OPEN_CONNECTION, "sock"},
    {"poplib.POP3", PY_OPEN_CONNECTION, "sock"},
    {"pymysql.connections.Connection", PY_OPEN_CONNECTION, "_sock"},
    {"redis.connection.AbstractConnection", PY_OPEN_CONNECTION, "_sock"},
    {"redis.connection.Connection", PY_OPEN_CONNECTION, "_sock"},
    {"redis.asyncio.connection.AbstractConnection", PY_OPEN_CONNECTION, "_writer"},
    {"psycopg.Connection", PY_OPEN_CONNECTION, "pgconn"},
    {"psycopg.AsyncConnection", PY_OPEN_CONNECTION, "pgconn"},
    {"psycopg2.extensions.connection", PY_OPEN_CONNECTION, NULL},
    {"MySQLdb.connections.Connection", PY_OPEN_CONNECTION, NULL},
    {"asyncpg.connection.Connection", PY_OPEN_CONNECTION, "_protocol"},
    {"aiosqlite.core.Connection", PY_OPEN_CONNECTION, "_connection"},
    {"pymongo.pool.Connection", PY_OPEN_CONNECTION, "conn"},
    {"pika.adapters.blocking_connection.BlockingConnection", PY_OPEN_CONNECTION, "_impl"},
};

static const struct row *find_row(const struct py_objects *objects, const struct py_type *type)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (py_type_derives(objects, type, rows[i].type))
            return &rows[i];
    return NULL;
}

enum py_open_kind py_open_kind(const struct py_objects *objects, const struct py_type *type)
{
    const struct row *row = find_row(objects, type);
    return row ? row->kind : PY_OPEN_NOTHING;
}

static bool is_none(struct py_objects *objects, uint64_t object)
{
    uint32_t type = object ? py_object_type(objects, object) : PY_NO_TYPE;
    return type == PY_NO_TYPE || !strcmp(objects->types[type]->name, "NoneType");
}

static bool read_file(struct py_objects *objects, uint64_t object, struct py_open *ret)
{
    struct py_reader *reader = &objects->reader;
    if (!PY_HAS(reader->layout, fileio, fd))
        return false;
    ret->descriptor = (int32_t)PY_GET(reader, object, fileio, fd);
    ret->name = py_attribute(objects, object, "name");
    return ret->descriptor >= STANDARD_STREAMS && ret->descriptor < MAX_DESCRIPTOR &&
           PY_GET(reader, object, fileio, closefd);
}

/* Linux's numbers (bits/socket.h). */
static const char *family_name(uint32_t family)
{
    static const struct {
        uint32_t number;
        const char *name;
    } names[] = {
        {1, "AF_UNIX"}, {2, "AF_INET"}, {10, "AF_INET6"}, {16, "AF_NETLINK"}, {17, "AF_PACKET"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (names[i].number == family)
            return names[i].name;
    return NULL;
}

static bool read_socket(struct py_objects *objects, uint64_t object, struct py_open *ret)
{
    struct py_reader *reader = &objects->reader;
    if (!PY_HAS(reader->layout, socket, sock_fd))
        return false;
    ret->descriptor = (int32_t)PY_GET(reader, object, socket, sock_fd);
    ret->family = family_name((uint32_t)PY_GET(reader, object, socket, sock_family));
    return ret->descriptor >= 0 && ret->descriptor < MAX_DESCRIPTOR;
}

static bool read_mapping(struct py_objects *objects, uint64_t object, struct py_open *ret)
{
    struct py_reader *reader = &objects->reader;
    ret->descriptor =
        PY_HAS(reader->layout, mmap, fd) ? (int32_t)PY_GET(reader, object, mmap, fd) : -1;
    ret->bytes = PY_PTR(reader, object, mmap, size);
    return PY_PTR(reader, object, mmap, data) != 0 && ret->bytes < PY_MAX_SIZE;
}

static bool read_cursor(struct py_objects *objects, uint64_t object)
{
    struct py_reader *reader = &objects->reader;
    if (!PY_HAS(reader->layout, sqlitecursor, closed) ||
        PY_GET(reader, object, sqlitecursor, closed))
        return false;
    uint64_t connection = PY_PTR(reader, object, sqlitecursor, connection);
    return PY_PTR(reader, object, sqlitecursor, statement) && connection &&
           PY_PTR(reader, connection, sqlite, db);
}

static bool read_child(struct py_objects *objects, uint64_t object, struct py_open *ret)
{
    uint64_t pid = py_attribute(objects, object, "pid");
    ret->name = py_attribute(objects, object, "args");
    return pid && py_int(&objects->reader, pid, &ret->descriptor) &&
           is_none(objects, py_attribute(objects, object, "returncode"));
}

static bool read_connection(struct py_objects *objects, uint64_t object, const struct row *row,
                            struct py_open *ret)
{
    if (!strcmp(row->type, "sqlite3.Connection"))
        return PY_PTR(&objects->reader, object, sqlite, db) != 0;
    ret->name = py_attribute(objects, object, "host");
    if (is_none(objects, ret->name))
        ret->name = 0;
    return !row->attribute || !is_none(objects, py_attribute(objects, object, row->attribute));
}

static bool read_any(struct py_objects *objects, uint64_t object, const struct row *row,
                     struct py_open *ret)
{
    switch (row->kind) {
    case PY_OPEN_FILE:
        return read_file(objects, object, ret);
    case PY_OPEN_SOCKET:
        return read_socket(objects, object, ret);
    case PY_OPEN_MAPPING:
        return read_mapping(objects, object, ret);
    case PY_OPEN_CURSOR:
        return read_cursor(objects, object);
    case PY_OPEN_CHILD:
        return read_child(objects, object, ret);
    case PY_OPEN_CONNECTION:
        return read_connection(objects, object, row, ret);
    default:
        return false;
    }
}

bool py_open_read(struct py_objects *objects, uint64_t object, enum py_open_kind kind,
                  struct py_open *ret)
{
    uint32_t type = py_object_type(objects, object);
    *ret = (struct py_open){.descriptor = -1};
    const struct row *row = type == PY_NO_TYPE ? NULL : find_row(objects, objects->types[type]);
    if (!row || row->kind != kind)
        return false;
    objects->reader.fault = false;
    bool open = read_any(objects, object, row, ret);
    return py_reader_status(objects) == PY_OK && open;
}

#define MAX_FILE_NAME 4096

char *py_sqlite_file(struct py_objects *objects, uint64_t object)
{
    uint32_t type = py_object_type(objects, object);
    if (type == PY_NO_TYPE || !py_type_derives(objects, objects->types[type], "sqlite3.Connection"))
        return NULL;
    objects->reader.fault = false;
    const uint64_t arguments[] = {PY_PTR(&objects->reader, object, sqlite, db), 0}; /* 0: "main" */
    const struct df_symbol *function =
        df_modules_symbol(objects->py->dump->modules, "sqlite3_db_filename", NULL);
    struct df_emulator *emulator = arguments[0] && function ? py_emulator(objects) : NULL;
    uint64_t text;
    objects->reader.fault = false;
    if (!emulator ||
        df_emulator_call(emulator, function->address, arguments, 2, &text) != DF_CALL_OK)
        return NULL;
    return text ? df_cstring(objects->reader.space, text, MAX_FILE_NAME) : NULL;
}
