/* SPDX-License-Identifier: MIT
 * lines.c: the three forms of line tables.
 *
 * Objects/lnotab_notes.txt (3.8 to 3.10) and Objects/locations.md (3.11+) specify them. The sums
 * are kept in 64 bits: no table that fits in memory overflows them.
 */
#include "analyzer/cpython/lines.h"

#include <stdbool.h>

static int32_t line_number(int64_t line)
{
    return line > 0 && line <= INT32_MAX ? (int32_t)line : 0;
}

int32_t py_line_lnotab(const uint8_t *table, size_t size, int32_t first_line, int64_t lasti)
{
    int64_t line = first_line, address = 0;
    for (size_t i = 0; i + 1 < size; i += 2) {
        address += table[i];
        if (address > lasti)
            break;
        line += (int8_t)table[i + 1];
    }
    return line_number(line);
}

int32_t py_line_pairs(const uint8_t *table, size_t size, int32_t first_line, int64_t lasti)
{
    int64_t line = first_line, address = 0;
    if (lasti < 0)
        return line_number(line);
    for (size_t i = 0; i + 1 < size; i += 2) {
        int8_t delta = (int8_t)table[i + 1];
        if (delta != INT8_MIN) /* that: instructions without a line */
            line += delta;
        address += table[i];
        if (lasti < address)
            return delta != INT8_MIN ? line_number(line) : 0;
    }
    return 0;
}

/* A variable-length number: 6 bits a byte, least significant first, bit 6 says that more follow. */
static uint64_t varint(const uint8_t *table, size_t size, size_t *at)
{
    uint64_t value = 0;
    for (unsigned shift = 0; *at < size; shift += 6) {
        uint8_t byte = table[(*at)++];
        if (shift < 60)
            value |= (uint64_t)(byte & 63) << shift;
        if (!(byte & 64))
            break;
    }
    return value;
}

static int64_t signed_varint(const uint8_t *table, size_t size, size_t *at)
{
    uint64_t value = varint(table, size, at);
    return value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
}

enum { CODE_ONE_LINE_0 = 10, CODE_NO_COLUMNS = 13, CODE_LONG = 14, CODE_NONE = 15 };

int32_t py_line_locations(const uint8_t *table, size_t size, int32_t first_line, int64_t lasti)
{
    int64_t line = first_line, address = 0;
    if (lasti < 0)
        return line_number(line);
    for (size_t at = 0; at < size;) {
        uint8_t head = table[at++];
        unsigned code = head >> 3 & 15;
        if (code == CODE_NO_COLUMNS || code == CODE_LONG)
            line += signed_varint(table, size, &at);
        else if (code >= CODE_ONE_LINE_0 && code < CODE_NO_COLUMNS)
            line += code - CODE_ONE_LINE_0;
        address += ((head & 7) + 1) * 2; /* code units of two bytes */
        if (lasti < address)
            return code != CODE_NONE ? line_number(line) : 0;
        while (at < size && !(table[at] & 0x80)) /* only an entry's first byte has bit 7 */
            at++;
    }
    return 0;
}
