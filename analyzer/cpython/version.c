/* SPDX-License-Identifier: MIT
 * version.c: PY_VERSION_HEX of the interpreter in a dump.
 *
 * In order: the constant Py_Version (3.11+), the debug offsets at the start of _PyRuntime (3.13+),
 * the text that Py_GetVersion filled (a static buffer named `version`; without symbols it is
 * looked for in the module's writable memory), the library's name.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/cpython/layout_internal.h"

#define MAX_MARKS 4096       /* compilers' marks that are looked at */
#define MAX_VERSION_TEXT 200 /* bytes of "3.11.2 (main, Mar 13 2023, 12:18:29) [GCC" */

static bool plausible(uint64_t version)
{
    return version >> 24 == 3 && (version >> 16 & 0xff) < 100;
}

/* "3.10.13 (main, ...", "3.14.0rc2+ ..." */
static uint32_t parse(const char *text)
{
    unsigned major, minor, micro, serial = 0, level = 0xf;
    char letter[3] = "";
    int used = 0;
    if (sscanf(text, "%3u.%3u.%3u%n", &major, &minor, &micro, &used) != 3 || major != 3 ||
        minor > 99 || micro > 255)
        return 0;
    if (sscanf(text + used, "%2[abrc]%2u", letter, &serial) == 2)
        level = *letter == 'a' ? 0xa : *letter == 'b' ? 0xb : 0xc;
    return major << 24 | minor << 16 | micro << 8 | level << 4 | (serial & 0xf);
}

static uint32_t from_buffer(const struct df_dump *dump, const struct df_module *python)
{
    for (uint32_t i = 0; i < python->symbol_count; i++) {
        const struct df_symbol *symbol = &python->symbols[i];
        if (symbol->type != DF_SYMBOL_OBJECT || symbol->size < 16 ||
            (strcmp(symbol->name, "version") && strncmp(symbol->name, "version.", 8)))
            continue;
        char text[64] = "";
        if (!df_read(dump->space, symbol->address, text, symbol->size < 63 ? symbol->size : 63))
            continue;
        uint32_t version = parse(text);
        if (version)
            return version;
    }
    return 0;
}

static uint32_t from_name(const char *name)
{
    unsigned major, minor;
    const char *at = strstr(name, "python");
    if (!at || sscanf(at, "python%1u.%2u", &major, &minor) != 2 || major != 3)
        return 0;
    return major << 24 | minor << 16;
}

/* The version that begins a text of which the compiler's mark, at `mark`, is the end. */
static uint32_t before_mark(const uint8_t *start, const uint8_t *mark)
{
    const uint8_t *at = mark;
    while (at > start && mark - at < MAX_VERSION_TEXT && at[-1])
        at--;
    for (; at < mark; at++) { /* a heap string has its header before it */
        char text[MAX_VERSION_TEXT + 1] = "";
        memcpy(text, at, (size_t)(mark - at));
        const char *space = strchr(text, ' ');
        uint32_t version = *at == '3' && space && space[1] == '(' ? parse(text) : 0;
        if (version)
            return version;
    }
    return 0;
}

static uint32_t text_in(const uint8_t *bytes, uint64_t size, uint32_t *budget)
{
    static const char *const marks[] = {"[GCC ", "[Clang "};
    for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
        size_t length = strlen(marks[i]);
        for (const uint8_t *at = bytes, *end = bytes + size;
             *budget && (at = memmem(at, (size_t)(end - at), marks[i], length)); at += length) {
            --*budget;
            uint32_t version = before_mark(bytes, at);
            if (version)
                return version;
        }
    }
    return 0;
}

uint32_t py_find_version_text(const struct df_dump *dump, const struct df_module *module)
{
    uint32_t budget = MAX_MARKS;
    for (size_t i = 0; i < dump->space->count && budget; i++) {
        const struct df_range *range = &dump->space->ranges[i];
        bool inside = !module || (range->start < module->end && range->end > module->start);
        if (!range->host || !inside || range->origin != DF_FROM_CORE || !(range->flags & PF_W))
            continue;
        const uint8_t *bytes = df_ptr(dump->space, range->start, range->end - range->start);
        uint32_t version = bytes ? text_in(bytes, range->end - range->start, &budget) : 0;
        if (version)
            return version;
    }
    return 0;
}

uint32_t py_find_version(struct df_dump *dump, struct df_module *python)
{
    uint64_t value;
    const struct df_symbol *symbol = df_module_symbol(python, "Py_Version");
    if (symbol && df_u64(dump->space, symbol->address, &value) && plausible(value))
        return (uint32_t)value;
    symbol = df_module_symbol(python, "_PyRuntime");
    char cookie[8];
    if (symbol && df_read(dump->space, symbol->address, cookie, 8) &&
        !memcmp(cookie, "xdebugpy", 8) && df_u64(dump->space, symbol->address + 8, &value) &&
        plausible(value))
        return (uint32_t)value;
    uint32_t version = from_buffer(dump, python);
    if (!version)
        version = py_find_version_text(dump, python);
    return version ? version : from_name(python->name);
}
