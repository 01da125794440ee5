/* SPDX-License-Identifier: MIT
 * probe.c: a behaviour that no layout tells: what PyObject_VisitManagedDict visits where a dict
 * shares the inline values of its instance (enum py_managed_visit).
 *
 * GH-130327 changed it within 3.13 and 3.14, and distributions carry it in older micro versions
 * (Debian's 3.13.5 does), so that the version number decides it only where nothing can be asked.
 * Here the function itself is, over one such instance of the dump. A process without one does not
 * care.
 */
#include "analyzer/objects/internal.h"

#define MAX_LOOKED_AT 2000000 /* objects */
#define MAX_ASKED 16          /* instances */

struct probe {
    struct py_objects *objects;
    uint64_t function;
    uint32_t looked_at, asked;
    bool decided;
};

/* An instance whose dict and inline values both are there, with a value: the address of its dict,
 * else 0. */
static uint64_t shared_dict(struct py_objects *objects, uint64_t object)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    uint64_t type = py_type_of(reader, object);
    uint64_t flags = type ? PY_PTR(reader, type, type, tp_flags) : 0;
    if (!(flags & PY_TPFLAGS_INLINE_VALUES) || !(flags & PY_TPFLAGS_MANAGED_DICT))
        return 0;
    uint64_t dict = py_word(reader, object - (layout->gc_head_size ? 3 : 1) * 8);
    uint64_t place = layout->inline_place == PY_INLINE_AFTER_HEADER
                         ? PY_SIZEOF(layout, object)
                         : PY_PTR(reader, type, type, tp_basicsize);
    uint64_t values = object + place;
    if (!dict || !PY_GET(reader, values, dictvalues, valid) ||
        PY_PTR(reader, dict, dict, ma_values) != values)
        return 0;
    uint64_t capacity = PY_GET(reader, values, dictvalues, capacity);
    for (uint64_t i = 0; i < capacity && !reader->fault; i++)
        if (py_word(reader, PY_AT(layout, values, dictvalues, values) + i * 8))
            return dict;
    return 0;
}

static void ask(struct probe *probe, uint64_t object, uint64_t dict)
{
    struct py_objects *objects = probe->objects;
    struct df_emulator *emulator = py_emulator(objects);
    struct df_visits call = {.function = probe->function, .object = object};
    objects->targets.count = 0;
    struct df_err *err = emulator ? df_emulator_visit(emulator, &call, 1, &objects->targets) : NULL;
    probe->asked += emulator ? 1 : MAX_ASKED;
    if (emulator && !err && call.status == DF_CALL_OK && call.count) {
        bool visits_dict = objects->targets.items[call.first] == dict;
        objects->py->layout.managed_visit = visits_dict ? PY_VISIT_DICT : PY_VISIT_VALUES;
        probe->decided = true;
    }
    df_err_free(err);
}

static bool look_at(void *context, uint64_t object)
{
    struct probe *probe = context;
    uint64_t dict = shared_dict(probe->objects, object);
    probe->objects->reader.fault = false;
    if (dict)
        ask(probe, object, dict);
    return !probe->decided && probe->asked < MAX_ASKED && ++probe->looked_at < MAX_LOOKED_AT;
}

void py_probe_managed_visit(struct py_objects *objects)
{
    struct py *py = objects->py;
    if (py->layout.attr_shape != PY_ATTR_INLINE || !PY_HAS(&py->layout, dictvalues, valid))
        return;
    const struct df_symbol *function = df_module_symbol(py->module, "PyObject_VisitManagedDict");
    struct probe probe = {.objects = objects, .function = function ? function->address : 0};
    if (!function)
        return;
    py_gc_objects(py, look_at, &probe);
}
