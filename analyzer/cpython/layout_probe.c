/* SPDX-License-Identifier: MIT
 * layout_probe.c: whether a layout fits the dump, and what to do where it does not.
 *
 * What must hold in any CPython: the list of interpreters ends, a thread belongs to the interpreter
 * that lists it, sys.modules is a dict that has `sys`, the collector's lists are closed. A layout
 * from the table may be of a neighbouring version, or of a vendor's patched one: what does not hold
 * is searched for in the structure it belongs to, and what lies between two finds has moved as far
 * as the one before it. Everything moved so is marked as probed.
 */
#include <string.h>

#include "analyzer/cpython/layout_internal.h"
#include "analyzer/cpython/python_internal.h"

#define MAX_INTERP (1u << 20) /* bytes of an interpreter that are searched */
#define MAX_RUNTIME (1u << 20)
#define MAX_RUNTIME_HEAD 4096 /* bytes of the runtime in which the list of interpreters begins */
#define GC_FLAGS UINT64_C(3)
#define THREAD_PREV 0  /* prev, next, interp: the first words of a thread state, 3.6 to 3.15 */
#define MAX_DICTS 1024 /* of an interpreter that are searched for a key */
#define MAX_ANCHORS 64

/* A dict that has this string among its keys. */
static bool is_dict_with(const struct py *py, uint64_t dict, const char *key)
{
    struct py_reader reader = py_reader(py);
    if (!dict || (dict & 7) || !(py_flags_of(&reader, dict) & PY_TPFLAGS_DICT) || reader.fault)
        return false;
    return py_dict_get(&reader, dict, key) != 0;
}

static bool is_thread_of(const struct py *py, uint64_t thread, uint64_t interpreter)
{
    struct py_reader reader = py_reader(py);
    if (!thread || (thread & 7))
        return false;
    uint64_t owner = PY_PTR(&reader, thread, thread, interp);
    uint64_t next = PY_PTR(&reader, thread, thread, next);
    if (reader.fault || owner != interpreter || next == thread || (next & 7))
        return false;
    return py_word(&reader, thread + THREAD_PREV) == 0 && !reader.fault;
}

static bool holds_interpreters(const struct py *py)
{
    struct py_reader reader = py_reader(py);
    struct py_cycle cycle = {0};
    uint64_t at = PY_PTR(&reader, py->runtime, runtime, interpreters_head), count = 0;
    uint64_t main = PY_PTR(&reader, py->runtime, runtime, interpreters_main);
    bool has_main = !PY_HAS(&py->layout, runtime, interpreters_main);
    for (; at && count < PY_MAX_INTERPRETERS && !py_cycle_closed(&cycle, at); count++) {
        has_main |= at == main;
        if ((at & 7) || PY_GET(&reader, at, interp, id) > PY_MAX_INTERPRETERS)
            return false;
        at = PY_PTR(&reader, at, interp, next);
        if (reader.fault)
            return false;
    }
    return count && !at && has_main;
}

uint64_t py_probe_interpreter(const struct py *py)
{
    struct py_reader reader = py_reader(py);
    uint64_t main = PY_PTR(&reader, py->runtime, runtime, interpreters_main);
    return main ? main : PY_PTR(&reader, py->runtime, runtime, interpreters_head);
}

/* Three closed lists in a row, with a threshold behind the first head. */
static bool are_generations(const struct py *py, uint64_t address)
{
    struct py_reader reader = py_reader(py);
    const struct py_layout *layout = &py->layout;
    int32_t threshold = (int32_t)PY_GET(&reader, address, generation, threshold);
    if (threshold < 0 || threshold > 10000000)
        return false;
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t head =
            address + i * PY_SIZEOF(layout, generation) + PY_OFF(layout, generation, head);
        uint64_t next = PY_PTR(&reader, head, gc_head, gc_next) & ~GC_FLAGS;
        uint64_t prev = PY_PTR(&reader, head, gc_head, gc_prev) & ~GC_FLAGS;
        if (reader.fault || !next || !prev || ((next | prev) & 7))
            return false;
        if ((PY_PTR(&reader, next, gc_head, gc_prev) & ~GC_FLAGS) != head ||
            (PY_PTR(&reader, prev, gc_head, gc_next) & ~GC_FLAGS) != head || reader.fault)
            return false;
    }
    return true;
}

static bool in_runtime(const struct py_layout *layout)
{
    return PY_HAS(layout, runtime, gc); /* 3.8 */
}

static uint64_t gc_address(const struct py *py)
{
    return in_runtime(&py->layout) ? PY_AT(&py->layout, py->runtime, runtime, gc)
                                   : PY_AT(&py->layout, py_probe_interpreter(py), interp, gc);
}

static bool holds_gc(const struct py *py)
{
    const struct py_layout *layout = &py->layout;
    struct py_reader reader = py_reader(py);
    uint64_t gc = gc_address(py);
    if (layout->gc_shape != PY_GC_LISTS || PY_GET(&reader, gc, gcstate, collecting) == 1)
        return !reader.fault;
    return are_generations(py, PY_AT(layout, gc, gcstate, generations));
}

/* The first rows of interp.types hold types and their dicts. */
static bool are_static_types(const struct py *py, uint64_t address)
{
    const struct py_layout *layout = &py->layout;
    struct py_reader reader = py_reader(py);
    for (uint32_t i = 0; i < 8; i++) {
        uint64_t row = address + i * PY_SIZEOF(layout, static_type);
        uint64_t type = PY_PTR(&reader, row, static_type, type);
        uint64_t dict = PY_PTR(&reader, row, static_type, tp_dict);
        if (reader.fault || !py_plausible_object(py, type) || !py_plausible_object(py, dict) ||
            !(py_flags_of(&reader, type) & PY_TPFLAGS_TYPE) ||
            !(py_flags_of(&reader, dict) & PY_TPFLAGS_DICT))
            return false;
    }
    return true;
}

static bool holds_static_types(const struct py *py)
{
    const struct py_layout *layout = &py->layout;
    if (layout->static_type_shape != PY_STATIC_PER_INTERPRETER ||
        !PY_HAS(layout, static_type, type))
        return true;
    return are_static_types(py, PY_AT(layout, py_probe_interpreter(py), interp, types_builtins));
}

static bool holds_dict(const struct py *py, enum py_field field, const char *key)
{
    struct py_reader reader = py_reader(py);
    uint64_t at = py_probe_interpreter(py) + py->layout.offset[field];
    return is_dict_with(py, py_word(&reader, at), key);
}

unsigned py_layout_holds(const struct py *py)
{
    struct py_reader reader = py_reader(py);
    uint64_t interpreter = py_probe_interpreter(py);
    uint64_t thread = PY_PTR(&reader, interpreter, interp, threads_head);
    if (reader.fault || !interpreter)
        return 0;
    return (holds_interpreters(py) ? PY_HOLDS_INTERPRETERS : 0u) |
           (is_thread_of(py, thread, interpreter) ? PY_HOLDS_THREADS : 0u) |
           (holds_dict(py, PY_F_interp_modules, "sys") ? PY_HOLDS_MODULES : 0u) |
           (holds_dict(py, PY_F_interp_sysdict, "modules") ? PY_HOLDS_SYSDICT : 0u) |
           (holds_dict(py, PY_F_interp_builtins, "print") ? PY_HOLDS_BUILTINS : 0u) |
           (holds_gc(py) ? PY_HOLDS_GC : 0u) |
           (holds_static_types(py) ? PY_HOLDS_STATIC_TYPES : 0u);
}

const char *py_holds_name(unsigned bit)
{
    switch (bit) {
    case PY_HOLDS_INTERPRETERS:
        return "the list of interpreters";
    case PY_HOLDS_THREADS:
        return "the list of threads";
    case PY_HOLDS_MODULES:
        return "sys.modules";
    case PY_HOLDS_SYSDICT:
        return "the dict of sys";
    case PY_HOLDS_BUILTINS:
        return "the dict of builtins";
    case PY_HOLDS_GC:
        return "the collector's lists";
    default:
        return "the static types";
    }
}

static void set_probed(struct py_layout *layout, enum py_field field, uint64_t offset)
{
    layout->offset[field] = (uint32_t)offset;
    layout->source[field] = PY_SOURCE_PROBE;
}

static uint32_t interp_size(const struct py *py)
{
    uint32_t size = PY_SIZEOF(&py->layout, interp);
    return size == PY_ABSENT || size > MAX_INTERP ? MAX_INTERP : size + size / 4;
}

/* A word in the runtime that leads to an interpreter with a thread that knows it, and then the main
 * interpreter's. */
static void probe_interpreters(struct py *py)
{
    struct py_reader reader = py_reader(py);
    const struct py_layout *layout = &py->layout;
    for (uint64_t at = 0; at + 16 <= MAX_RUNTIME_HEAD; at += 8) {
        uint64_t head = py_word(&reader, py->runtime + at);
        if (reader.fault)
            return;
        if (!head || (head & 7))
            continue;
        uint64_t thread = PY_PTR(&reader, head, interp, threads_head);
        if (!reader.fault && is_thread_of(py, thread, head)) {
            set_probed(&py->layout, PY_F_runtime_interpreters_head, at);
            if (PY_HAS(layout, runtime, interpreters_main))
                set_probed(&py->layout, PY_F_runtime_interpreters_main, at + 8);
            return;
        }
        reader.fault = false;
    }
}

static void probe_threads(struct py *py)
{
    struct py_reader reader = py_reader(py);
    uint64_t interpreter = py_probe_interpreter(py), size = interp_size(py);
    for (uint64_t at = 0; at < size && !reader.fault; at += 8)
        if (is_thread_of(py, py_word(&reader, interpreter + at), interpreter)) {
            set_probed(&py->layout, PY_F_interp_threads_head, at);
            return;
        }
}

static void probe_dict(struct py *py, enum py_field field, const char *key, const char *not_key)
{
    struct py_reader reader = py_reader(py);
    uint64_t interpreter = py_probe_interpreter(py), size = interp_size(py);
    uint32_t budget = MAX_DICTS;
    for (uint64_t at = 0; at < size && !reader.fault; at += 8) {
        uint64_t dict = py_word(&reader, interpreter + at);
        if (!(dict && py_plausible_object(py, dict) &&
              (py_flags_of(&reader, dict) & PY_TPFLAGS_DICT) && budget && budget--))
            continue;
        if (is_dict_with(py, dict, key) && !is_dict_with(py, dict, not_key)) {
            set_probed(&py->layout, field, at);
            return;
        }
    }
}

static bool probe_gc_within(struct py *py)
{
    uint64_t known = gc_address(py), size = PY_SIZEOF(&py->layout, gcstate);
    for (uint64_t at = 0; size != PY_ABSENT && at < size; at += 8)
        if (are_generations(py, known + at)) {
            set_probed(&py->layout, PY_F_gcstate_generations, at);
            return true;
        }
    return false;
}

/* That the collector's state moved as a whole is likelier than that it grew at its start, unless
 * the interpreter itself says where it is. */
static void probe_gc(struct py *py)
{
    const struct py_layout *layout = &py->layout;
    bool runtime = in_runtime(layout);
    enum py_field field = runtime ? PY_F_runtime_gc : PY_F_interp_gc;
    if (layout->source[field] == PY_SOURCE_DEBUG_OFFSETS && probe_gc_within(py))
        return;
    uint64_t outer = runtime ? py->runtime : py_probe_interpreter(py);
    uint64_t size = runtime ? PY_SIZEOF(layout, runtime) : interp_size(py);
    uint64_t inner = PY_OFF(layout, gcstate, generations);
    for (uint64_t at = inner; at < size && at < MAX_RUNTIME; at += 8)
        if (are_generations(py, outer + at)) {
            set_probed(&py->layout, field, at - inner);
            return;
        }
}

static void probe_static_types(struct py *py)
{
    uint64_t interpreter = py_probe_interpreter(py), size = interp_size(py);
    uint32_t row = PY_SIZEOF(&py->layout, static_type);
    for (uint64_t at = 0; row != PY_ABSENT && at < size; at += 8)
        if (are_static_types(py, interpreter + at)) {
            set_probed(&py->layout, PY_F_interp_types_builtins, at);
            return;
        }
}

static void probe_missing(struct py *py)
{
    if (!(py_layout_holds(py) & (PY_HOLDS_INTERPRETERS | PY_HOLDS_THREADS)))
        probe_interpreters(py);
    unsigned holds = py_layout_holds(py);
    if (!(holds & PY_HOLDS_THREADS))
        probe_threads(py);
    if (!(holds & PY_HOLDS_MODULES))
        probe_dict(py, PY_F_interp_modules, "sys", "hexversion");
    if (!(holds & PY_HOLDS_SYSDICT))
        probe_dict(py, PY_F_interp_sysdict, "hexversion", "print");
    if (!(holds & PY_HOLDS_BUILTINS))
        probe_dict(py, PY_F_interp_builtins, "print", "hexversion");
    if (!(holds & PY_HOLDS_GC))
        probe_gc(py);
    if (!(holds & PY_HOLDS_STATIC_TYPES))
        probe_static_types(py);
}

struct anchor {
    uint32_t before; /* where the table has it */
    int64_t moved;
};

/* Fields of a structure whose place is known from elsewhere than the table, sorted. */
static uint32_t anchors_of(const struct py_layout *layout, const struct py_layout *table,
                           enum py_struct structure, struct anchor anchors[MAX_ANCHORS])
{
    uint32_t count = 0;
    for (enum py_field field = 0; field < PY_FIELDS && count < MAX_ANCHORS; field++) {
        if (py_field_struct(field) != structure || table->offset[field] == PY_ABSENT ||
            (layout->source[field] != PY_SOURCE_PROBE &&
             layout->source[field] != PY_SOURCE_DEBUG_OFFSETS))
            continue;
        struct anchor anchor = {table->offset[field],
                                (int64_t)layout->offset[field] - (int64_t)table->offset[field]};
        uint32_t i = count++;
        for (; i && anchors[i - 1].before > anchor.before; i--)
            anchors[i] = anchors[i - 1];
        anchors[i] = anchor;
    }
    return count;
}

static uint32_t move(uint32_t offset, const struct anchor *anchors, uint32_t count)
{
    int64_t moved = 0;
    for (uint32_t i = 0; i < count && anchors[i].before <= offset; i++)
        moved = anchors[i].moved;
    int64_t ret = (int64_t)offset + moved;
    return ret < 0 || ret > MAX_RUNTIME ? offset : (uint32_t)ret;
}

/* What the table alone has, between what has been found to have moved, moves with it. */
static void follow(struct py_layout *layout, const struct py_layout *table,
                   enum py_struct structure, struct py_slots *slots)
{
    struct anchor anchors[MAX_ANCHORS];
    uint32_t count = anchors_of(layout, table, structure, anchors);
    for (enum py_field field = 0; field < PY_FIELDS; field++) {
        if (py_field_struct(field) != structure || layout->source[field] != PY_SOURCE_TABLE)
            continue;
        uint32_t moved = move(layout->offset[field], anchors, count);
        if (moved != layout->offset[field])
            set_probed(layout, field, moved);
    }
    for (size_t i = 0; slots && i < slots->count; i++)
        slots->items[i].offset = move(slots->items[i].offset, anchors, count);
}

unsigned py_layout_probe(struct py *py, const struct py_layout *table)
{
    struct py_layout *layout = &py->layout;
    uint64_t interpreter = py_probe_interpreter(py);
    unsigned holds = py_layout_holds(py);
    if (holds != PY_HOLDS_ALL && interpreter)
        probe_missing(py);
    follow(layout, table, PY_S_runtime, &layout->runtime_slots);
    follow(layout, table, PY_S_interp, &layout->interp_slots);
    follow(layout, table, PY_S_thread, &layout->thread_slots);
    follow(layout, table, PY_S_gcstate, NULL);
    return py_layout_holds(py);
}
