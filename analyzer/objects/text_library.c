/* SPDX-License-Identifier: MIT
 * text_library.c: what people look for in a dump of the standard library's and NumPy's objects:
 * files, sockets, locks, threads, tasks, paths.
 */
#include "analyzer/objects/text.h"

#include <inttypes.h>
#include <stdio.h>

#define MAX_PARTS 256 /* of a path */
#define MAX_SHOWN 8   /* dimensions of an array */

static bool is_str(struct py_writer *w, uint64_t object)
{
    return object && (py_flags_of(w->reader, object) & PY_TPFLAGS_UNICODE);
}

/* UUID.__repr__ (Lib/uuid.py); its number is an int of 128 bits. */
void py_text_uuid(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct py_digits digits;
    unsigned __int128 value = 0;
    uint64_t number = py_attribute(w->objects, object, "int");
    py_put_class(w, type);
    if (!py_int_digits(w->reader, number, &digits) || digits.count > 128 / digits.bits + 1) {
        py_put(w, "(…)");
        return;
    }
    for (uint64_t i = digits.count; i-- > 0;) {
        uint32_t digit = 0;
        df_read(w->reader->space, digits.address + i * digits.bytes, &digit, digits.bytes);
        value = value << digits.bits | (digit & ((1u << digits.bits) - 1));
    }
    uint64_t high = (uint64_t)(value >> 64), low = (uint64_t)value;
    py_put_format(w, "('%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64 "')",
                  high >> 32, high >> 16 & 0xffff, high & 0xffff, low >> 48, low & 0xffffffffffff);
}

/* Appends a part as os.path.join does: an absolute one begins anew. */
static char *join(char *path, const char *part)
{
    char *joined;
    if (!path || part[0] == '/')
        joined = df_xstrdup(part);
    else if (!*part)
        return path;
    else
        joined =
            df_xasprintf("%s%s%s", path, *path && path[strlen(path) - 1] != '/' ? "/" : "", part);
    free(path);
    return joined;
}

/* The strs of a list or tuple, joined; NULL when it is neither, or empty. */
static char *join_all(struct py_writer *w, uint64_t sequence, uint64_t first)
{
    struct py_reader *reader = w->reader;
    uint64_t flags = sequence ? py_flags_of(reader, sequence) : 0, items = 0;
    int64_t count = flags ? py_ob_size(reader, sequence) : 0;
    char *path = NULL;
    if (flags & PY_TPFLAGS_LIST)
        items = PY_PTR(reader, sequence, list, ob_item);
    else if (flags & PY_TPFLAGS_TUPLE)
        items = PY_AT(reader->layout, sequence, tuple, ob_item);
    for (uint64_t i = first; items && i < (uint64_t)count && i < MAX_PARTS; i++) {
        DF_CLEANUP_FREE char *part = py_str(reader, py_word(reader, items + i * 8), 4096, NULL);
        path = join(path, part ? part : "?");
    }
    return path;
}

/* Takes out empty parts and ".", as PurePath does; "." when nothing is left. */
static void normalise(char *path)
{
    size_t used = 0, root = strspn(path, "/");
    const char *at = path + root;
    used = root == 2 ? 2 : root ? 1 : 0; /* two slashes are kept, POSIX says */
    while (*at) {
        size_t length = strcspn(at, "/");
        bool counts = length && !(length == 1 && at[0] == '.');
        if (counts) {
            if (used && path[used - 1] != '/')
                path[used++] = '/';
            memmove(path + used, at, length);
            used += length;
        }
        at += length + (at[length] == '/');
    }
    path[used] = '\0';
}

/* A path's text is made when it is asked for; before, there are its parts (_parts up to 3.11,
 * _raw_paths since). Lib/pathlib.py. */
static char *path_text(struct py_writer *w, uint64_t object)
{
    uint64_t made = py_attribute(w->objects, object, "_str");
    uint64_t raw = py_attribute(w->objects, object, "_raw_paths");
    uint64_t root = py_attribute(w->objects, object, "_root");
    uint64_t parts = py_attribute(w->objects, object, "_parts");
    if (is_str(w, made))
        return py_str(w->reader, made, 4096, NULL);
    if (raw || !parts)
        return join_all(w, raw, 0);
    DF_CLEANUP_FREE char *start = is_str(w, root) ? py_str(w->reader, root, 10, NULL) : NULL;
    if (!start || !*start)
        return join_all(w, parts, 0);
    DF_CLEANUP_FREE char *rest = join_all(w, parts, 1);
    return df_xasprintf("%s%s", start, rest ? rest : "");
}

void py_text_path(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    DF_CLEANUP_FREE char *path = path_text(w, object);
    char quote;
    py_put_class(w, type);
    if (path)
        normalise(path);
    const char *shown = path && *path ? path : ".";
    quote = strchr(shown, '\'') && !strchr(shown, '"') ? '"' : '\'';
    py_put_format(w, "(%c", quote);
    py_put_escaped(w, shown);
    py_put_format(w, "%c)", quote);
}

/* mode_string (Modules/_io/fileio.c) */
static const char *file_mode(struct py_writer *w, uint64_t object)
{
    struct py_reader *reader = w->reader;
    bool readable = PY_GET(reader, object, fileio, readable);
    if (PY_GET(reader, object, fileio, created))
        return readable ? "xb+" : "xb";
    if (PY_GET(reader, object, fileio, appending))
        return readable ? "ab+" : "ab";
    if (readable)
        return PY_GET(reader, object, fileio, writable) ? "rb+" : "rb";
    return "wb";
}

static const struct py_type *type_of(struct py_writer *w, uint64_t object)
{
    uint32_t index = object ? py_object_type(w->objects, object) : PY_NO_TYPE;
    return index == PY_NO_TYPE ? NULL : w->objects->types[index];
}

/* Down to the file with the descriptor: text to buffer to raw. */
static uint64_t raw_file(struct py_writer *w, uint64_t object)
{
    for (int i = 0; i < 3; i++) {
        const struct py_type *type = type_of(w, object);
        if (type && strcmp(type->name, "_io.TextIOWrapper") == 0)
            object = PY_PTR(w->reader, object, textio, buffer);
        else if (type && strncmp(type->name, "_io.Buffered", 12) == 0)
            object = PY_PTR(w->reader, object, buffered, raw);
    }
    return object;
}

static void put_file(struct py_writer *w, uint64_t object, uint64_t raw)
{
    const struct py_type *type = type_of(w, raw);
    uint64_t mode = py_attribute(w->objects, object, "mode");
    uint64_t encoding = object == raw || !type_of(w, object) ||
                                strcmp(type_of(w, object)->name, "_io.TextIOWrapper") != 0
                            ? 0
                            : PY_PTR(w->reader, object, textio, encoding);
    if (!type || strcmp(type->name, "_io.FileIO") != 0) {
        if (type)
            py_put(w, " of "), py_put_object(w, raw);
        return;
    }
    uint64_t name = py_attribute(w->objects, raw, "name");
    int32_t fd = (int32_t)PY_GET(w->reader, raw, fileio, fd);
    if (name) {
        py_put(w, " name=");
        py_put_object(w, name);
    }
    py_put(w, " mode=");
    if (is_str(w, mode))
        py_put_object(w, mode);
    else
        py_put_format(w, "'%s'", file_mode(w, raw));
    if (is_str(w, encoding)) {
        py_put(w, " encoding=");
        py_put_object(w, encoding);
    }
    if (fd < 0)
        py_put(w, " closed");
    else
        py_put_format(w, " fd=%" PRId32, fd);
}

void py_text_io(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    bool bytes = type->text->needs == PY_F_bytesio_string_size;
    bool text = type->text->needs == PY_F_stringio_string_size;
    if (!py_enter(w, object, "<...>", "<…>"))
        return;
    py_put(w, "<");
    py_put_escaped(w, type->name);
    if (bytes)
        py_put_format(w, " of %" PRId64 " bytes",
                      (int64_t)PY_PTR(w->reader, object, bytesio, string_size));
    else if (text)
        py_put_format(w, " of %" PRId64 " characters",
                      (int64_t)PY_PTR(w->reader, object, stringio, string_size));
    else
        put_file(w, object, raw_file(w, object));
    py_put(w, ">");
    py_leave(w);
}

static void put_number(struct py_writer *w, const char *name, int64_t number,
                       const char *const *names, int64_t count)
{
    if (number >= 0 && number < count && names[number])
        py_put_format(w, " %s=%s", name, names[number]);
    else
        py_put_format(w, " %s=%" PRId64, name, number);
}

#define SOCKET_TYPE 0xf /* SOCK_TYPE_MASK: without SOCK_NONBLOCK, SOCK_CLOEXEC */

/* Linux's numbers; its own peer only the kernel knows. */
void py_text_socket(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    static const char *const families[] = {[1] = "AF_UNIX",
                                           [2] = "AF_INET",
                                           [10] = "AF_INET6",
                                           [16] = "AF_NETLINK",
                                           [17] = "AF_PACKET"};
    static const char *const types[] = {
        [1] = "SOCK_STREAM", [2] = "SOCK_DGRAM", [3] = "SOCK_RAW", [5] = "SOCK_SEQPACKET"};
    int32_t fd = (int32_t)PY_GET(w->reader, object, socket, sock_fd);
    py_put(w, "<");
    py_put_escaped(w, type->name);
    if (fd < 0)
        py_put(w, " closed");
    else
        py_put_format(w, " fd=%" PRId32, fd);
    put_number(w, "family", (int32_t)PY_GET(w->reader, object, socket, sock_family), families,
               sizeof(families) / sizeof(*families));
    put_number(w, "type", (int32_t)PY_GET(w->reader, object, socket, sock_type) & SOCKET_TYPE,
               types, sizeof(types) / sizeof(*types));
    py_put_format(w, " proto=%" PRId32 ">", (int32_t)PY_GET(w->reader, object, socket, sock_proto));
}

void py_text_sqlite(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    py_put(w, "<");
    py_put_escaped(w, type->name);
    py_put(w, PY_PTR(w->reader, object, sqlite, db) ? ", open>" : ", closed>");
}

void py_text_lock(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    bool locked = PY_GET(w->reader, object, lock, locked) & 1;
    py_put(w, locked ? "<locked " : "<unlocked ");
    py_put_escaped(w, type->name);
    py_put(w, ">");
}

void py_text_rlock(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    bool locked = PY_GET(w->reader, object, rlock, locked);
    py_put(w, locked ? "<locked " : "<unlocked ");
    py_put_escaped(w, type->name);
    if (locked)
        py_put_format(w, ", owner=%" PRIu64, PY_GET(w->reader, object, rlock, owner));
    py_put(w, ">");
}

void py_text_thread(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    uint64_t name = py_attribute(w->objects, object, "_name");
    uint64_t ident = py_attribute(w->objects, object, "_ident");
    int64_t daemon, number;
    py_put(w, "<");
    py_put_escaped(w, type->name);
    if (is_str(w, name)) {
        py_put(w, " ");
        py_put_object(w, name);
    }
    if (py_int(w->reader, py_attribute(w->objects, object, "_daemonic"), &daemon) && daemon)
        py_put(w, ", daemon");
    if (ident && py_int(w->reader, ident, &number))
        py_put_format(w, ", ident %" PRId64, number);
    else if (!w->reader->redacted)
        py_put(w, ", not started");
    py_put(w, ">");
}

/* "<_asyncio.Task 'Task-3' pending <coroutine worker, at app.py:33>>" */
void py_text_future(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    static const char *const states[] = {"pending", "cancelled", "finished"};
    uint32_t state = (uint32_t)PY_GET(w->reader, object, future, fut_state);
    bool task = type->text->type && strcmp(type->text->type, "_asyncio.Task") == 0 &&
                PY_HAS(w->reader->layout, task, task_coro);
    int64_t number;
    if (!py_enter(w, object, "<...>", "<…>"))
        return;
    py_put(w, "<");
    py_put_escaped(w, type->name);
    uint64_t name = task ? PY_PTR(w->reader, object, task, task_name) : 0;
    if (py_int(w->reader, name, &number)) { /* 3.13+: its number, until somebody asks */
        py_put_format(w, " 'Task-%" PRId64 "'", number);
    } else if (is_str(w, name)) {
        py_put(w, " ");
        py_put_object(w, name);
    }
    py_put_format(w, " %s", state < 3 ? states[state] : "?");
    uint64_t coroutine = task ? PY_PTR(w->reader, object, task, task_coro) : 0;
    if (coroutine) {
        py_put(w, " ");
        py_put_object(w, coroutine);
    }
    py_put(w, ">");
    py_leave(w);
}

void py_text_contextvar(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    (void)type;
    py_put(w, "<ContextVar ");
    py_put_object(w, PY_PTR(w->reader, object, contextvar, var_name));
    py_put(w, ">");
}

/* "<numpy.ndarray (100, 3) float64>" */
void py_text_ndarray(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    static const struct {
        char kind;
        const char *name;
        unsigned bits; /* per byte of the element; 0: not said */
    } kinds[] = {{'b', "bool", 0},     {'i', "int", 8},      {'u', "uint", 8},
                 {'f', "float", 8},    {'c', "complex", 8},  {'S', "S", 1},
                 {'U', "str", 8},      {'O', "object", 0},   {'V', "void", 8},
                 {'M', "datetime", 8}, {'m', "timedelta", 8}};
    uint64_t dimensions[MAX_SHOWN], size;
    char kind;
    uint32_t count = py_numpy_shape(w->objects, object, dimensions, MAX_SHOWN, &kind, &size);
    py_put(w, "<");
    py_put_escaped(w, type->name);
    py_put(w, " (");
    for (uint32_t i = 0; i < count && i < MAX_SHOWN; i++)
        py_put_format(w, "%s%" PRIu64, i ? ", " : "", dimensions[i]);
    py_put(w, count > MAX_SHOWN ? ", …)" : count == 1 ? ",)" : ")");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (kinds[i].kind == kind) {
            py_put_format(w, " %s", kinds[i].name);
            if (kinds[i].bits)
                py_put_format(w, "%" PRIu64, size * kinds[i].bits);
        }
    py_put(w, ">");
}
