/* SPDX-License-Identifier: MIT
 * layout_visit.c: every field of a layout, where it is from, and which sources say otherwise.
 *
 * The table and the interpreter's own list of offsets are asked again, whichever served: what the
 * layout has from another source is compared with both.
 */
#include <string.h>

#include "analyzer/cpython/known.h"
#include "analyzer/cpython/layout_internal.h"
#include "analyzer/cpython/python_internal.h"

struct offsets { /* what `_Py_DebugOffsets` says, PY_ABSENT where it says nothing */
    uint32_t fields[PY_FIELDS], structs[PY_STRUCTS];
};

static void collect(void *context, const struct py_debug_offset *offset)
{
    struct offsets *offsets = context;
    if (offset->is_size)
        offsets->structs[offset->structure] = offset->value;
    else
        offsets->fields[offset->field] = offset->value;
}

static void compare(struct py_layout_row *row, enum py_source source, uint32_t value)
{
    if (value != PY_ABSENT && row->value != PY_ABSENT && row->source != source &&
        row->value != value)
        row->others[row->other_count++] = (struct py_layout_other){source, value};
}

static struct py_layout_row struct_row(const struct py_layout *layout, enum py_struct structure)
{
    return (struct py_layout_row){
        .structure = py_struct_name(structure),
        .value = layout->struct_size[structure],
        .source = layout->struct_size[structure] == PY_ABSENT ? PY_SOURCE_NONE
                                                              : layout->struct_source[structure],
    };
}

static struct py_layout_row field_row(const struct py_layout *layout, enum py_field field)
{
    bool absent = layout->offset[field] == PY_ABSENT;
    return (struct py_layout_row){
        .structure = py_struct_name(py_field_struct(field)),
        .field = py_field_name(field),
        .value = layout->offset[field],
        .size = layout->size[field],
        .bit_offset = layout->bit_offset[field],
        .bit_size = layout->bit_size[field],
        .source = absent ? PY_SOURCE_NONE : layout->source[field],
    };
}

void py_layout_visit(const struct py *py,
                     void (*visit)(void *context, const struct py_layout_row *row), void *context)
{
    const struct py_layout *layout = &py->layout;
    struct py_known_layout known;
    struct py_layout table = {0};
    struct offsets offsets;
    bool has_table = py_known_find(layout->version, py_machine_name(py->dump->core),
                                   py_layout_build(layout), &known);
    if (has_table)
        py_layout_from_known(&known, layout->version, &table);
    memset(&offsets, 0xff, sizeof(offsets));
    py_debug_offsets_each(py->dump->space, layout, py->runtime, collect, &offsets);
    for (enum py_struct structure = 0; structure < PY_STRUCTS; structure++) {
        struct py_layout_row row = struct_row(layout, structure);
        compare(&row, PY_SOURCE_DEBUG_OFFSETS, offsets.structs[structure]);
        compare(&row, PY_SOURCE_TABLE, has_table ? table.struct_size[structure] : PY_ABSENT);
        visit(context, &row);
        for (enum py_field field = 0; field < PY_FIELDS; field++) {
            if (py_field_struct(field) != structure)
                continue;
            row = field_row(layout, field);
            compare(&row, PY_SOURCE_DEBUG_OFFSETS, offsets.fields[field]);
            compare(&row, PY_SOURCE_TABLE, has_table ? table.offset[field] : PY_ABSENT);
            visit(context, &row);
        }
    }
    py_layout_deinit(&table);
}
