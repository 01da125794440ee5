/* SPDX-License-Identifier: MIT
 * printable.c: which code points str.isprintable(), and so repr, takes for printable.
 *
 * That depends on the version of the Unicode character database that the interpreter was built
 * with. Since the first version here no code point has lost the property, so a row says only since
 * when its range has it.
 */
#include <stddef.h>

#include "analyzer/cpython/view.h"

static const struct {
    uint32_t first, last;
    uint16_t since; /* as py_layout.unicode_version */
} ranges[] = {
#include "analyzer/cpython/printable.inc"
};

bool py_printable(const struct py_layout *layout, uint32_t code_point)
{
    size_t low = 0, high = sizeof(ranges) / sizeof(*ranges);
    if (code_point < 0x7f)
        return code_point >= 0x20;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code_point > ranges[middle].last)
            low = middle + 1;
        else if (code_point < ranges[middle].first)
            high = middle;
        else
            return !layout->unicode_version || ranges[middle].since <= layout->unicode_version;
    }
    return false;
}
