/* SPDX-License-Identifier: MIT
 * tracemalloc_files.c: the names of the files that frames are of.
 *
 * A frame has a str object, which tracemalloc keeps alive (`tracemalloc_filenames`); later releases
 * of 3.15 have a copy of the text in its place: UTF-8, in which surrogates are passed. The field is
 * of the same size and at the same place: what is there tells. As long as any name is a str object,
 * all are: bytes of a text are not the address of a type.
 */
#include <stdlib.h>
#include <string.h>

#include "analyzer/cpython/tracemalloc_internal.h"
#include "dumpfmt/base/mem.h"

#define MAX_FILE_NAME 65536 /* code points */

static bool is_object(struct py_reader *reader, uint64_t address)
{
    uint64_t data, length;
    uint32_t kind;
    reader->fault = false;
    bool is_str = py_flags_of(reader, address) & PY_TPFLAGS_UNICODE && !reader->fault;
    return is_str && py_str_data(reader, address, &data, &length, &kind);
}

static bool read_object(struct py_reader *reader, struct py_trace_file *file)
{
    uint64_t data, length;
    uint32_t kind;
    if (!is_object(reader, file->address) ||
        !py_str_data(reader, file->address, &data, &length, &kind))
        return false;
    file->length = length < MAX_FILE_NAME ? (uint32_t)length : MAX_FILE_NAME;
    DF_CLEANUP_FREE uint8_t *units = df_xmalloc((size_t)file->length * kind + 1);
    file->points = df_xcalloc(file->length + 1u, sizeof(*file->points));
    bool good = !file->length || df_read(reader->space, data, units, file->length * kind);
    for (uint32_t i = 0; good && i < file->length; i++)
        memcpy(&file->points[i], units + (size_t)i * kind, kind); /* little-endian */
    return good;
}

/* The next code point of UTF-8 in its general form, surrogates included; bytes that are none stand
 * for themselves. Returns how many bytes it took. The text ends with 0. */
static uint32_t next_point(const char *text, uint32_t *ret)
{
    uint8_t first = (uint8_t)text[0];
    uint32_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    uint32_t point = more ? first & (0x3fu >> more) : first;
    for (uint32_t i = 1; i <= more; i++) {
        if (((uint8_t)text[i] & 0xc0) != 0x80) {
            *ret = first;
            return 1;
        }
        point = point << 6 | ((uint8_t)text[i] & 0x3f);
    }
    *ret = point;
    return more + 1;
}

static bool read_text(struct py_reader *reader, struct py_trace_file *file)
{
    DF_CLEANUP_FREE char *text = df_cstring(reader->space, file->address, MAX_FILE_NAME);
    if (!text)
        return false;
    file->points = df_xcalloc(strlen(text) + 1, sizeof(*file->points));
    for (const char *at = text; *at;)
        at += next_point(at, &file->points[file->length++]);
    return true;
}

static void make_text(struct py_trace_file *file)
{
    char *text = df_xmalloc((size_t)file->length * 4 + 1);
    size_t used = 0;
    for (uint32_t i = 0; i < file->length; i++)
        used += py_put_utf8(text + used, file->points[i]);
    text[used] = 0;
    file->text = df_xstrdup(text);
    free(text);
}

uint64_t py_read_trace_files(struct py_reader *reader, struct py_trace_file *files, size_t count)
{
    bool objects = false;
    uint64_t damaged = 0;
    for (size_t i = 0; i < count && !objects; i++)
        objects = is_object(reader, files[i].address);
    for (size_t i = 0; i < count; i++) {
        reader->fault = false;
        if (objects ? read_object(reader, &files[i]) : read_text(reader, &files[i])) {
            make_text(&files[i]);
            continue;
        }
        files[i].length = 0;
        files[i].text = df_xstrdup("<unreadable>");
        damaged++;
    }
    return damaged;
}
