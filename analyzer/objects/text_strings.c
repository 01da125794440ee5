/* SPDX-License-Identifier: MIT
 * text_strings.c: str and bytes as repr escapes them, and what holds raw memory.
 *
 * unicode_repr (Objects/unicodeobject.c), PyBytes_Repr (Objects/bytesobject.c), bytearray_repr
 * (Objects/bytearrayobject.c): single quotes, unless there is one in it and no double one. Of a
 * text that is cut the part that is shown decides.
 */
#include "analyzer/objects/text.h"

#include <inttypes.h>
#include <stdio.h>

#define CHUNK 1024 /* elements read at once */
#define LEAST 8    /* characters of a text that are always shown */

struct run { /* of characters or bytes in the dump */
    uint64_t address, length;
    uint32_t width; /* bytes of an element */
};
typedef void (*point_visitor)(struct py_writer *w, uint32_t point, void *context);

static uint32_t element(const uint8_t *at, uint32_t width)
{
    uint32_t value = 0;
    memcpy(&value, at, width);
    return value;
}

/* Visits the elements while more than `floor` characters may be written; false when one could not
 * be read. */
static bool each(struct py_writer *w, struct run *run, uint64_t floor, point_visitor visit,
                 void *context)
{
    uint8_t buffer[CHUNK * 4];
    for (uint64_t done = 0; done < run->length;) {
        uint64_t count = run->length - done < CHUNK ? run->length - done : CHUNK;
        if (!df_read(w->reader->space, run->address + done * run->width, buffer,
                     count * run->width))
            return false;
        for (uint64_t i = 0; i < count; i++) {
            if (w->left <= floor) {
                run->length = done + i;
                return true;
            }
            visit(w, element(buffer + i * run->width, run->width), context);
        }
        done += count;
    }
    return true;
}

static void note_quotes(struct py_writer *w, uint32_t point, void *context)
{
    bool *seen = context;
    (void)w;
    seen[0] |= point == '\'';
    seen[1] |= point == '"';
}

static char quote_for(struct py_writer *w, struct run *run)
{
    bool seen[2] = {false, false};
    each(w, run, 0, note_quotes, seen);
    return seen[0] && !seen[1] ? '"' : '\'';
}

static void put_character(struct py_writer *w, uint32_t point, void *context)
{
    py_put_point(w, point, (uint32_t) * (char *)context);
}

static void put_byte(struct py_writer *w, uint32_t byte, void *context)
{
    char quote = *(char *)context;
    if (byte == (uint32_t)quote || byte == '\\')
        py_put_format(w, "\\%c", (int)byte);
    else if (byte >= 0x7f || (byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t'))
        py_put_format(w, "\\x%02" PRIx32, byte);
    else
        py_put_point(w, byte, 0);
}

/* A long text among others leaves them half of the room. Escapes take room too. */
static void put_run(struct py_writer *w, struct run run, point_visitor visit)
{
    uint64_t room = w->depth && !w->brief ? w->left / 2 : w->left, length = run.length;
    room = room < LEAST ? LEAST : room;
    if (run.length > room)
        run.length = room;
    uint64_t lent = w->left < room + 1 ? room + 1 - w->left : 0;
    w->left += lent;
    uint64_t floor = w->left - room - 1;
    char quote[2] = {quote_for(w, &run), 0};
    py_put(w, quote);
    bool whole = each(w, &run, floor, visit, quote);
    py_put(w, quote);
    py_put(w, !whole ? "… (unreadable)" : run.length < length ? "…" : "");
    w->left -= lent < w->left ? lent : w->left;
}

void py_text_str(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct run run;
    if (py_str_is_gone(w->reader, object, &run.length))
        py_text_gone(w, type, object);
    else if (py_str_data(w->reader, object, &run.address, &run.length, &run.width))
        put_run(w, run, put_character);
    else
        py_put(w, "<str, unreadable>");
}

void py_text_bytes(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    int64_t length = py_ob_size(w->reader, object);
    struct run run = {.address = PY_AT(w->reader->layout, object, bytes, ob_sval),
                      .length = length > 0 ? (uint64_t)length : 0,
                      .width = 1};
    (void)type;
    py_put(w, "b");
    put_run(w, run, put_byte);
}

/* Up to 3.14 every single quote is escaped, whatever stands around the text. */
static void put_bytearray_byte(struct py_writer *w, uint32_t byte, void *context)
{
    if (byte == '\'')
        py_put(w, "\\'");
    else
        put_byte(w, byte, context);
}

void py_text_bytearray(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    int64_t length = py_ob_size(w->reader, object);
    struct run run = {.address = PY_PTR(w->reader, object, bytearray, ob_start),
                      .length = length > 0 ? (uint64_t)length : 0,
                      .width = 1};
    py_put_class(w, type);
    py_put(w, "(b");
    put_run(w, run, w->reader->layout->bytearray_escapes ? put_bytearray_byte : put_byte);
    py_put(w, ")");
}

#define RELEASED 1 /* _Py_MEMORYVIEW_RELEASED, Include/cpython/memoryobject.h */

void py_text_memoryview(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct py_reader *reader = w->reader;
    uint64_t owner = PY_PTR(reader, object, memoryview, obj);
    uint32_t of = owner ? py_object_type(w->objects, owner) : PY_NO_TYPE;
    (void)type;
    if (PY_GET(reader, object, memoryview, flags) & RELEASED) {
        py_put(w, "<released memoryview>");
        return;
    }
    py_put_format(w, "<memoryview of %" PRId64 " bytes",
                  (int64_t)PY_PTR(reader, object, memoryview, len));
    if (of != PY_NO_TYPE) {
        py_put(w, " of a ");
        py_put_escaped(w, w->objects->types[of]->name);
    }
    py_put(w, ">");
}

static void put_array_item(struct py_writer *w, char code, uint64_t address, uint32_t size)
{
    uint64_t raw = 0;
    float single;
    double value;
    if (!df_read(w->reader->space, address, &raw, size)) {
        py_put(w, "?");
    } else if (code == 'f') {
        memcpy(&single, &raw, sizeof(single));
        py_put_double(w, (double)single, false, false);
    } else if (code == 'd') {
        memcpy(&value, &raw, sizeof(value));
        py_put_double(w, value, false, false);
    } else if (code >= 'a') { /* lower case: signed */
        py_put_format(w, "%" PRId64, (int64_t)(raw << (64 - 8 * size)) >> (64 - 8 * size));
    } else {
        py_put_format(w, "%" PRIu64, raw);
    }
}

/* array_repr (Modules/arraymodule.c) */
void py_text_array(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct py_reader *reader = w->reader;
    uint64_t descr = PY_PTR(reader, object, array, ob_descr), index = 0;
    uint64_t items = PY_PTR(reader, object, array, ob_item);
    char code = (char)PY_GET(reader, descr, arraydescr, typecode);
    uint64_t size = (uint32_t)PY_GET(reader, descr, arraydescr, itemsize);
    int64_t count = py_ob_size(reader, object);
    py_put_class(w, type);
    if (count < 0 || !code || !strchr("bBuwhHiIlLqQfd", code) || !size || size > 8 ||
        (code == 'd' && size != 8) || (code == 'f' && size != 4)) {
        py_put(w, "(…)");
        return;
    }
    py_put_format(w, "('%c'%s", code, count ? ", " : "");
    if (count && (code == 'u' || code == 'w')) {
        put_run(w, (struct run){items, (uint64_t)count, size < 4 ? (uint32_t)size : 4},
                put_character);
    } else if (count) {
        py_put(w, "[");
        while (index < (uint64_t)count && py_next(w, &index))
            put_array_item(w, code, items + (index - 1) * size, (uint32_t)size);
        py_rest(w, index, (uint64_t)count);
        py_put(w, "]");
    }
    py_put(w, ")");
}

static int64_t length_of(struct py_writer *w, uint64_t object, uint64_t flags)
{
    uint64_t length;
    if (py_str_is_gone(w->reader, object, &length))
        return (int64_t)length;
    return flags & PY_TPFLAGS_BYTES ? py_ob_size(w->reader, object) : -1;
}

void py_text_gone(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    bool sized = type->text->write == py_text_bytearray || type->text->write == py_text_array;
    int64_t length = sized ? py_ob_size(w->reader, object)
                           : length_of(w, object, py_flags_of(w->reader, object));
    py_put(w, "<");
    py_put_escaped(w, type->name);
    if (length >= 0)
        py_put_format(w, " of %" PRId64, length);
    py_put(w, ">");
}

/* pattern_repr (Modules/_sre/sre.c): the pattern's repr, cut at 200 characters, and its flags, but
 * for re.UNICODE where it goes without saying. */
void py_text_pattern(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } flags[] = {{1, "re.TEMPLATE"},  {2, "re.IGNORECASE"}, {4, "re.LOCALE"},
                 {8, "re.MULTILINE"}, {16, "re.DOTALL"},    {32, "re.UNICODE"},
                 {64, "re.VERBOSE"},  {128, "re.DEBUG"},    {256, "re.ASCII"}};
    uint64_t pattern = PY_PTR(w->reader, object, pattern, pattern);
    uint32_t set = (uint32_t)PY_GET(w->reader, object, pattern, flags);
    bool text = pattern && (py_flags_of(w->reader, pattern) & PY_TPFLAGS_UNICODE);
    const char *between = ", ";
    (void)type;
    py_put(w, "re.compile(");
    py_put_object(w, pattern);
    if (text && (set & (4 | 32 | 256)) == 32)
        set &= ~32u;
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
        if (set & flags[i].flag) {
            py_put(w, between);
            py_put(w, flags[i].name);
            between = "|";
        }
    py_put(w, ")");
}
