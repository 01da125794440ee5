/* SPDX-License-Identifier: MIT
 * statics.c: static types, and where each interpreter keeps what belongs to them.
 *
 * Since 3.12 the dict, the subclasses and the weak list of static builtin types are kept by each
 * interpreter, in rows of interp.types (one array for the builtin types; 3.13+: another one for
 * those of some extension modules). A type's row is the same in every interpreter; it is found by
 * the row's own `type`, not by the index that the type hides in tp_subclasses, which has changed
 * its meaning before.
 */
#include "analyzer/cpython/layout_internal.h"
#include "analyzer/cpython/python_internal.h"

/* Address of a row: the builtin ones are numbered first. 0 when out of bounds. */
static uint64_t row_address(const struct py *py, uint64_t interpreter, uint32_t row)
{
    const struct py_layout *layout = &py->layout;
    uint64_t size = PY_SIZEOF(layout, static_type);
    if (row < layout->static_type_count)
        return PY_AT(layout, interpreter, interp, types_builtins) + row * size;
    row -= layout->static_type_count;
    if (row < layout->static_extension_count)
        return PY_AT(layout, interpreter, interp, types_extensions) + row * size;
    return 0;
}

uint64_t py_static_row(const struct py *py, uint64_t interpreter, uint64_t type)
{
    uint32_t row = type ? df_map_get(&py->static_types, type) : DF_MAP_NONE;
    return row == DF_MAP_NONE ? 0 : row_address(py, interpreter, row);
}

void py_read_static_types(struct py *py)
{
    const struct py_layout *layout = &py->layout;
    struct py_reader reader = py_reader(py);
    if (layout->static_type_shape != PY_STATIC_PER_INTERPRETER ||
        !PY_HAS(layout, static_type, type))
        return;
    uint32_t count = layout->static_type_count + layout->static_extension_count;
    for (uint32_t row = 0; row < count; row++) {
        uint64_t address = row_address(py, py->interpreters[0].address, row);
        uint64_t type = PY_PTR(&reader, address, static_type, type);
        if (type && py_plausible_object(py, type))
            df_map_set(&py->static_types, type, row);
    }
}

uint64_t py_type_dict(const struct py *py, uint64_t type)
{
    struct py_reader reader = py_reader(py);
    uint64_t row = py_static_row(py, py->interpreters[0].address, type);
    uint64_t dict = row ? PY_PTR(&reader, row, static_type, tp_dict) : 0;
    return dict ? dict : PY_PTR(&reader, type, type, tp_dict);
}

uint64_t py_type_subclasses(const struct py *py, uint64_t type)
{
    struct py_reader reader = py_reader(py);
    uint64_t row = py_static_row(py, py->interpreters[0].address, type);
    return row ? PY_PTR(&reader, row, static_type, tp_subclasses)
               : PY_PTR(&reader, type, type, tp_subclasses);
}

/* A variable of the interpreter's that is as large as a type and begins like one. */
static bool looks_like_type(const struct py *py, const struct df_symbol *symbol)
{
    struct py_reader reader = py_reader(py);
    if (symbol->type != DF_SYMBOL_OBJECT || symbol->size != PY_SIZEOF(&py->layout, type))
        return false;
    uint64_t metatype = py_type_of(&reader, symbol->address);
    if (!metatype || !(PY_PTR(&reader, metatype, type, tp_flags) & PY_TPFLAGS_TYPE))
        return false; /* a type that was never made ready has no metatype yet */
    uint64_t name = PY_PTR(&reader, symbol->address, type, tp_name);
    uint64_t size = PY_PTR(&reader, symbol->address, type, tp_basicsize);
    return name && df_contiguous(reader.space, name) && size < UINT64_C(1) << 32 && !reader.fault;
}

void py_static_types(const struct py *py, void (*visit)(void *context, uint64_t type),
                     void *context)
{
    struct py_reader reader = py_reader(py);
    struct df_map seen;
    bool added;
    df_map_init(&seen);
    uint32_t count = py->static_types.count
                         ? py->layout.static_type_count + py->layout.static_extension_count
                         : 0;
    for (uint32_t row = 0; row < count; row++) {
        uint64_t address = row_address(py, py->interpreters[0].address, row);
        uint64_t type = PY_PTR(&reader, address, static_type, type);
        if (type && df_map_get(&py->static_types, type) != DF_MAP_NONE &&
            (df_map_add(&seen, type, 0, &added), added))
            visit(context, type);
    }
    df_module_symbol(py->module, "PyType_Type"); /* loads all of them */
    for (uint32_t i = 0; i < py->module->symbol_count; i++) {
        const struct df_symbol *symbol = &py->module->symbols[i];
        if (symbol->address && looks_like_type(py, symbol) &&
            (df_map_add(&seen, symbol->address, 0, &added), added))
            visit(context, symbol->address);
    }
    df_map_deinit(&seen);
}

uint64_t py_interned_strings(const struct py *py, uint32_t interpreter)
{
    struct py_reader reader = py_reader(py);
    const struct df_symbol *symbol;
    if (PY_HAS(&py->layout, interp, interned_strings))
        return PY_PTR(&reader, py->interpreters[interpreter].address, interp, interned_strings);
    if (interpreter || !py->module)
        return 0;
    symbol = py_local_symbol(py->module, "interned"); /* unicodeobject.c, up to 3.11 */
    return symbol ? py_word(&reader, symbol->address) : 0;
}
