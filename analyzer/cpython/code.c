/* SPDX-License-Identifier: MIT
 * code.c: what a code object says about itself: its names, and the lines of its instructions.
 */
#include <stdlib.h>

#include "analyzer/cpython/lines.h"
#include "analyzer/cpython/python_internal.h"
#include "dumpfmt/base/mem.h"

#define MAX_LINE_TABLE (UINT64_C(1) << 28) /* bytes */

/* co_localspluskinds, Include/internal/pycore_code.h. */
#define KIND_CELL 0x40
#define KIND_FREE 0x80

char *py_code_name(const struct py *py, uint64_t code)
{
    struct py_reader reader = py_reader(py);
    char *name = py_str(&reader, PY_PTR(&reader, code, code, co_qualname), PY_MAX_NAME, NULL);
    if (!name)
        name = py_str(&reader, PY_PTR(&reader, code, code, co_name), PY_MAX_NAME, NULL);
    return name;
}

char *py_code_file(const struct py *py, uint64_t code)
{
    struct py_reader reader = py_reader(py);
    return py_str(&reader, PY_PTR(&reader, code, code, co_filename), PY_MAX_NAME, NULL);
}

/* The i-th str of a tuple; NULL when there is none. */
static char *tuple_str(struct py_reader *reader, uint64_t tuple, uint64_t i, uint64_t *ret_count)
{
    uint64_t items;
    *ret_count = 0;
    if (!py_tuple(reader, tuple, &items, ret_count) || i >= *ret_count)
        return NULL;
    return py_str(reader, py_word(reader, items + i * 8), PY_MAX_NAME, NULL);
}

static char *localsplus_name(struct py_reader *reader, uint64_t code, uint32_t slot, bool *ret_cell)
{
    uint64_t count;
    char *name = tuple_str(reader, PY_PTR(reader, code, code, co_localsplusnames), slot, &count);
    uint64_t kinds = PY_PTR(reader, code, code, co_localspluskinds);
    if (name && kinds && (uint64_t)py_ob_size(reader, kinds) == count)
        *ret_cell = py_byte(reader, PY_AT(reader->layout, kinds, bytes, ob_sval) + slot) &
                    (KIND_CELL | KIND_FREE);
    return name;
}

char *py_local_name(const struct py *py, uint64_t code, uint32_t slot, bool *ret_cell)
{
    struct py_reader reader = py_reader(py);
    bool cell = false;
    char *name = NULL;
    if (PY_HAS(&py->layout, code, co_localsplusnames)) {
        name = localsplus_name(&reader, code, slot, &cell);
    } else { /* up to 3.10: locals, cells, free variables, in this order */
        uint64_t before = (uint32_t)PY_GET(&reader, code, code, co_nlocals), count;
        cell = slot >= before;
        if (!cell) {
            name = tuple_str(&reader, PY_PTR(&reader, code, code, co_varnames), slot, &count);
        } else {
            uint64_t i = slot - before;
            name = tuple_str(&reader, PY_PTR(&reader, code, code, co_cellvars), i, &count);
            if (!name && i >= count)
                name =
                    tuple_str(&reader, PY_PTR(&reader, code, code, co_freevars), i - count, &count);
        }
    }
    if (ret_cell)
        *ret_cell = cell;
    return name;
}

static int32_t decode(const struct py_layout *layout, const uint8_t *table, size_t size,
                      int32_t first_line, int64_t lasti)
{
    switch (layout->line_shape) {
    case PY_LINES_LNOTAB:
        return py_line_lnotab(table, size, first_line, lasti);
    case PY_LINES_PAIRS:
        return py_line_pairs(table, size, first_line, lasti);
    case PY_LINES_LOCATIONS:
        return py_line_locations(table, size, first_line, lasti);
    }
    return 0;
}

/* The bytes object of a line table, 0 when there is none. */
static uint64_t line_table(struct py_reader *reader, uint64_t code)
{
    uint64_t bytes = reader->layout->line_shape == PY_LINES_LNOTAB
                         ? PY_PTR(reader, code, code, co_lnotab)
                         : PY_PTR(reader, code, code, co_linetable);
    return bytes && (py_flags_of(reader, bytes) & PY_TPFLAGS_BYTES) ? bytes : 0;
}

uint64_t py_line_table_size(const struct py *py, uint64_t code)
{
    struct py_reader reader = py_reader(py);
    uint64_t bytes = line_table(&reader, code);
    return bytes ? (uint64_t)py_ob_size(&reader, bytes) : 0;
}

int32_t py_code_line(const struct py *py, uint64_t code, int64_t lasti)
{
    struct py_reader reader = py_reader(py);
    int32_t first_line = (int32_t)PY_GET(&reader, code, code, co_firstlineno);
    uint64_t bytes = line_table(&reader, code);
    if (!bytes)
        return 0;
    int64_t size = py_ob_size(&reader, bytes);
    uint64_t data = PY_AT(&py->layout, bytes, bytes, ob_sval);
    if (reader.fault || size < 0 || (uint64_t)size > MAX_LINE_TABLE ||
        !py_readable(&reader, data, (uint64_t)size))
        return 0;
    const uint8_t *table = df_ptr(reader.space, data, (uint64_t)size);
    if (table)
        return decode(&py->layout, table, (size_t)size, first_line, lasti);
    uint8_t *copy = df_xmalloc((size_t)size + 1); /* it lies across two ranges */
    int32_t line = 0;
    if (df_read(reader.space, data, copy, (uint64_t)size))
        line = decode(&py->layout, copy, (size_t)size, first_line, lasti);
    free(copy);
    return line;
}
