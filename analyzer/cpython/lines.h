/* SPDX-License-Identifier: MIT
 * lines.h: from a byte offset in bytecode to a source line; on plain bytes, without a dump.
 *
 * Each returns the line, or 0 when the table has none for this offset.
 */
#ifndef PY_LINES_H
#define PY_LINES_H

#include <stddef.h>
#include <stdint.h>

/* co_lnotab (up to 3.9): pairs of address and line increments. */
int32_t py_line_lnotab(const uint8_t *table, size_t size, int32_t first_line, int64_t lasti);
/* co_linetable of 3.10 (PEP 626): pairs of a range's length and its line's delta. */
int32_t py_line_pairs(const uint8_t *table, size_t size, int32_t first_line, int64_t lasti);
/* co_linetable of 3.11+ (PEP 657): location entries. */
int32_t py_line_locations(const uint8_t *table, size_t size, int32_t first_line, int64_t lasti);

#endif
