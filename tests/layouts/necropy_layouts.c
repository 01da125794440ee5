/* SPDX-License-Identifier: MIT
 * necropy_layouts.c: writes the row of one interpreter for the table of known layouts.
 *
 *   necropy-layouts PY_VERSION_HEX MACHINE FILE [MODULE=FILE...]
 *
 * FILE has the debug information of the interpreter, the others that of extension modules. The row
 * is text; its form is described in analyzer/cpython/known.c, which reads it.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/cpython/known.h"
#include "analyzer/cpython/layout_internal.h"

struct arguments {
    char **items;
    int count;
};

static const char *extension(void *context, const char *module)
{
    const struct arguments *arguments = context;
    size_t length = strlen(module);
    for (int i = 0; i < arguments->count; i++)
        if (!strncmp(arguments->items[i], module, length) && arguments->items[i][length] == '=')
            return arguments->items[i] + length + 1;
    return NULL;
}

static void write_field(const struct py_layout *layout, enum py_field field, const char *name)
{
    printf(" %s=%u:%u", name, layout->offset[field], layout->size[field]);
    if (layout->bit_size[field])
        printf(":%u:%u", layout->bit_offset[field], layout->bit_size[field]);
}

static void write_structs(const struct py_layout *layout)
{
    for (enum py_struct structure = 0; structure < PY_STRUCTS; structure++) {
        if (layout->struct_size[structure] == PY_ABSENT)
            continue;
        printf("struct %s %u", py_struct_name(structure), layout->struct_size[structure]);
        size_t prefix = strlen(py_struct_name(structure)) + 1;
        for (enum py_field field = 0; field < PY_FIELDS; field++)
            if (py_field_struct(field) == structure && layout->offset[field] != PY_ABSENT)
                write_field(layout, field, py_field_name(field) + prefix);
        putchar('\n');
    }
}

static void write_numbers(const struct py_layout *layout)
{
    printf("numbers");
    for (size_t i = 0; i < PY_KNOWN_NUMBERS; i++)
        printf(" %s=%lld", py_known_numbers[i].name, (long long)py_known_number(layout, i));
    putchar('\n');
}

/* Offsets are written as distances from the slot before: neighbours' rows differ less. */
static void write_slots(const char *owner, const struct py_slots *slots)
{
    uint32_t before = 0;
    for (size_t i = 0; i < slots->count; i++) {
        const struct py_slot *slot = &slots->items[i];
        printf("%s %s +%u", owner, slot->path, slot->offset - before);
        if (slot->count != 1 || slot->stride != 8)
            printf(" %u %u", slot->count, slot->stride);
        putchar('\n');
        before = slot->offset;
    }
}

/* Whether the row in the table gives the same shapes: what debug information alone tells and a row
 * does not have would go unnoticed else. */
static bool has_same_shapes(const struct py_layout *layout, const char *machine)
{
    struct py_known_layout row;
    struct py_layout known;
    unsigned build = py_layout_build(layout);
    if (!py_known_find(layout->version, machine, build, &row) || row.version != layout->version)
        return true; /* there is no row yet */
    py_layout_from_known(&row, layout->version, &known);
    size_t from = offsetof(struct py_layout, version);
    size_t to = offsetof(struct py_layout, runtime_slots);
    bool same = !memcmp((const char *)layout + from, (const char *)&known + from, to - from);
    py_layout_deinit(&known);
    return same;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: necropy-layouts PY_VERSION_HEX MACHINE FILE [MODULE=FILE...]\n");
        return 2;
    }
    struct arguments arguments = {.items = argv + 4, .count = argc - 4};
    struct py_layout_files files = {
        .python = argv[3],
        .version = (uint32_t)strtoul(argv[1], NULL, 16),
        .extension = extension,
        .context = &arguments,
    };
    struct py_layout layout;
    struct df_err *err = py_layout_from_files(&files, &layout);
    if (err) {
        fprintf(stderr, "necropy-layouts: %s\n", df_err_text(err));
        df_err_free(err);
        return 1;
    }
    printf("row %08x %s %u %s\n", layout.version, argv[2], py_layout_build(&layout),
           py_build_name(py_layout_build(&layout)));
    write_numbers(&layout);
    write_structs(&layout);
    write_slots("runtime", &layout.runtime_slots);
    write_slots("interp", &layout.interp_slots);
    write_slots("thread", &layout.thread_slots);
    if (!has_same_shapes(&layout, argv[2]))
        fprintf(stderr, "necropy-layouts: the row in the table gives other shapes\n");
    py_layout_deinit(&layout);
    return 0;
}
