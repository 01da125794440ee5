/* SPDX-License-Identifier: MIT
 * known.c: the table of known layouts, and how its text becomes a layout.
 *
 * The rows are in known/X.Y.inc, one file for each minor version, written by
 * tests/layouts/generate. The first row of a file is whole, the others say how they differ from it:
 *
 *   struct TAG SIZE FIELD=OFFSET:SIZE[:BIT_OFFSET:BIT_SIZE] ...   names as in pyfields.def
 *   numbers NAME=VALUE ...
 *   runtime|interp|thread PATH +DISTANCE [COUNT STRIDE]           a slot, from the one before
 *   <N                                                            N lines of the first row
 *   >N                                                            N lines of the first row left out
 *
 * A structure or field that pyfields.def does not name (any more) is passed over; one that a row
 * does not have is absent.
 */
#include "analyzer/cpython/known.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/cpython/layout_internal.h"
#include "dumpfmt/base/mem.h"

#define MAX_LINE 4096

static const struct py_known_layout rows[] = {
#include "analyzer/cpython/known/3.7.inc"
/* */
#include "analyzer/cpython/known/3.8.inc"
/* */
#include "analyzer/cpython/known/3.9.inc"
/* */
#include "analyzer/cpython/known/3.10.inc"
/* */
#include "analyzer/cpython/known/3.11.inc"
/* */
#include "analyzer/cpython/known/3.12.inc"
/* */
#include "analyzer/cpython/known/3.13.inc"
/* */
#include "analyzer/cpython/known/3.14.inc"
/* */
#include "analyzer/cpython/known/3.15.inc"
};
#define ROWS (sizeof(rows) / sizeof(*rows))

#define NUMBER(member, is_signed)                                                                \
    {                                                                                            \
        "" #member, offsetof(struct py_layout, member), sizeof(((struct py_layout *)0)->member), \
            is_signed                                                                            \
    }
const struct py_known_number py_known_numbers[PY_KNOWN_NUMBERS] = {
    NUMBER(frame_state_created, true),
    NUMBER(frame_state_suspended, true),
    NUMBER(frame_state_executing, true),
    NUMBER(frame_state_completed, true),
    NUMBER(frame_state_cleared, true),
    NUMBER(owner_thread, false),
    NUMBER(owner_generator, false),
    NUMBER(owner_frame_object, false),
    NUMBER(owner_skip, false),
    NUMBER(static_type_count, false),
    NUMBER(static_extension_count, false),
};

int64_t py_known_number(const struct py_layout *layout, size_t i)
{
    const char *at = (const char *)layout + py_known_numbers[i].offset;
    uint32_t number;
    if (py_known_numbers[i].size != sizeof(number))
        return py_known_numbers[i].is_signed ? *(const int8_t *)at : *(const uint8_t *)at;
    memcpy(&number, at, sizeof(number));
    return number;
}

static void set_number(struct py_layout *layout, size_t i, int64_t value)
{
    char *at = (char *)layout + py_known_numbers[i].offset;
    uint32_t number = (uint32_t)value;
    if (py_known_numbers[i].size == sizeof(number))
        memcpy(at, &number, sizeof(number));
    else
        *at = (char)value;
}

uint32_t py_known_count(void)
{
    return ROWS;
}

void py_known_at(uint32_t i, struct py_known_layout *ret)
{
    *ret = rows[i];
}

const char *py_build_name(unsigned build)
{
    static const char *const names[PY_BUILDS] = {
        "release",           "debug",           "threaded",           "debug-threaded",
        "release-tracerefs", "debug-tracerefs", "threaded-tracerefs", "debug-threaded-tracerefs",
    };
    return names[build % PY_BUILDS];
}

unsigned py_layout_build(const struct py_layout *layout)
{
    return (layout->debug_build ? PY_BUILD_DEBUG : 0u) |
           (layout->free_threaded ? PY_BUILD_THREADED : 0u) |
           (layout->trace_refs ? PY_BUILD_TRACE_REFS : 0u);
}

bool py_known_find(uint32_t version, const char *machine, unsigned build, struct py_known_layout *ret)
{
    uint32_t best = UINT32_MAX;
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].version >> 16 != version >> 16 || rows[i].build != build ||
            strcmp(rows[i].machine, machine) != 0)
            continue;
        uint32_t distance =
            rows[i].version > version ? rows[i].version - version : version - rows[i].version;
        if (distance < best) {
            best = distance;
            *ret = rows[i];
        }
    }
    return best != UINT32_MAX;
}

/* The whole row that another is told by. */
static const char *whole_text(const struct py_known_layout *row)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].version >> 16 == row->version >> 16 &&
            strcmp(rows[i].machine, row->machine) == 0)
            return rows[i].text;
    return "";
}

/* Copies the line at *cursor, moves on; false at the end. */
static bool next_line(const char **cursor, char line[MAX_LINE])
{
    size_t length = strcspn(*cursor, "\n");
    if (!**cursor)
        return false;
    size_t copied = length < MAX_LINE ? length : MAX_LINE - 1;
    memcpy(line, *cursor, copied);
    line[copied] = 0;
    *cursor += length + ((*cursor)[length] == '\n');
    return true;
}

static enum py_struct find_struct(const char *name)
{
    enum py_struct structure = 0;
    while (structure < PY_STRUCTS && strcmp(py_struct_name(structure), name) != 0)
        structure++;
    return structure;
}

static void read_field(struct py_layout *layout, enum py_struct structure, const char *word)
{
    unsigned offset, size, bit_offset = 0, bit_size = 0;
    size_t length = strcspn(word, "="), prefix = strlen(py_struct_name(structure)) + 1;
    if (sscanf(word + length, "=%10u:%3u:%3u:%3u", &offset, &size, &bit_offset, &bit_size) < 2)
        return;
    for (enum py_field field = 0; field < PY_FIELDS; field++) {
        const char *name = py_field_name(field) + prefix;
        if (py_field_struct(field) != structure || strncmp(name, word, length) != 0 || name[length])
            continue;
        layout->offset[field] = offset;
        layout->size[field] = (uint8_t)size;
        layout->bit_offset[field] = (uint8_t)bit_offset;
        layout->bit_size[field] = (uint8_t)bit_size;
        layout->source[field] = PY_SOURCE_TABLE;
    }
}

static void read_struct(struct py_layout *layout, char *words)
{
    char *rest = NULL, *tag = strtok_r(words, " ", &rest), *size = strtok_r(NULL, " ", &rest);
    enum py_struct structure = tag ? find_struct(tag) : PY_STRUCTS;
    if (structure == PY_STRUCTS || !size)
        return;
    layout->struct_size[structure] = (uint32_t)strtoul(size, NULL, 10);
    layout->struct_source[structure] = PY_SOURCE_TABLE;
    for (char *word; (word = strtok_r(NULL, " ", &rest));)
        read_field(layout, structure, word);
}

static void read_numbers(struct py_layout *layout, char *words)
{
    char *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        size_t length = strcspn(word, "=");
        for (size_t i = 0; i < PY_KNOWN_NUMBERS; i++)
            if (word[length] && !strncmp(py_known_numbers[i].name, word, length) &&
                !py_known_numbers[i].name[length])
                set_number(layout, i, strtol(word + length + 1, NULL, 10));
    }
}

static void read_slot(struct py_slots *slots, const char *words)
{
    char path[256];
    unsigned distance, count = 1, stride = 8;
    if (sscanf(words, "%255s +%10u %10u %10u", path, &distance, &count, &stride) < 2)
        return;
    uint32_t before = slots->count ? slots->items[slots->count - 1].offset : 0;
    DF_PUSH(slots, (struct py_slot){.path = df_xstrdup(path),
                                    .offset = before + distance,
                                    .count = count,
                                    .stride = stride});
}

/* `numbers`: only these, in a second pass, after the shapes, which guess them. */
static void read_line(struct py_layout *layout, char *line, bool numbers)
{
    char *words = line + strcspn(line, " ");
    if (!*words)
        return;
    *words++ = 0;
    if (numbers) {
        if (!strcmp(line, "numbers"))
            read_numbers(layout, words);
    } else if (!strcmp(line, "struct")) {
        read_struct(layout, words);
    } else if (!strcmp(line, "runtime")) {
        read_slot(&layout->runtime_slots, words);
    } else if (!strcmp(line, "interp")) {
        read_slot(&layout->interp_slots, words);
    } else if (!strcmp(line, "thread")) {
        read_slot(&layout->thread_slots, words);
    }
}

static void read_row(struct py_layout *layout, const struct py_known_layout *row, bool numbers)
{
    const char *cursor = row->text, *whole = whole_text(row);
    char line[MAX_LINE];
    while (next_line(&cursor, line)) {
        if (*line != '<' && *line != '>') {
            read_line(layout, line, numbers);
            continue;
        }
        bool keep = *line == '<';
        unsigned long count = strtoul(line + 1, NULL, 10);
        for (unsigned long i = 0; i < count && next_line(&whole, line); i++)
            if (keep)
                read_line(layout, line, numbers);
    }
}

void py_layout_from_known(const struct py_known_layout *row, uint32_t version, struct py_layout *ret)
{
    *ret = (struct py_layout){.version = version};
    memset(ret->offset, 0xff, sizeof(ret->offset));
    memset(ret->struct_size, 0xff, sizeof(ret->struct_size));
    read_row(ret, row, false);
    py_layout_shapes(ret, NULL);
    read_row(ret, row, true);
    ret->debug_build = row->build & PY_BUILD_DEBUG;
}
