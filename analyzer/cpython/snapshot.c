/* SPDX-License-Identifier: MIT
 * snapshot.c: what was found out about the interpreter with the help of files, saved and restored:
 * where its state is, and the layout.
 *
 * Everything goes by name (facts.h): another version of this program takes what it knows, and has
 * as absent what the writer did not know. Interpreters, threads and frames are not saved: they are
 * read from the memory that is in the snapshot, as from that of a core.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/cpython/layout_internal.h"
#include "analyzer/cpython/python_internal.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/snapshot.h"

#define FACTS "py.facts"
#define LAYOUT "py.layout"
#define MAX_SLOTS (1u << 20)

/* All of struct py_layout that is neither a field nor a structure nor a slot. */
static const struct scalar {
    const char *name;
    size_t offset, size;
} scalars[] = {
#define SCALAR(member)                                                                       \
    {                                                                                        \
#member, offsetof(struct py_layout, member), sizeof(((struct py_layout *)0)->member) \
    }
    SCALAR(version),
    SCALAR(free_threaded),
    SCALAR(debug_build),
    SCALAR(trace_refs),
    SCALAR(keys_hold_unicode_kind),
    SCALAR(general_lookup),
    SCALAR(gc_head_size),
    SCALAR(int_shape),
    SCALAR(keys_shape),
    SCALAR(attr_shape),
    SCALAR(inline_place),
    SCALAR(managed_visit),
    SCALAR(ref_shape),
    SCALAR(frame_shape),
    SCALAR(line_shape),
    SCALAR(lasti_shape),
    SCALAR(static_type_shape),
    SCALAR(gc_shape),
    SCALAR(untrack),
    SCALAR(managed_weakref),
    SCALAR(generator_visits_code),
    SCALAR(frame_visits_func),
    SCALAR(presize_by_type),
    SCALAR(zero_has_digit),
    SCALAR(presize_dict_words),
    SCALAR(unicode_version),
    SCALAR(odict_shows_pairs),
    SCALAR(bytearray_escapes),
    SCALAR(namespace_sorts),
    SCALAR(frame_state_created),
    SCALAR(frame_state_suspended),
    SCALAR(frame_state_executing),
    SCALAR(frame_state_completed),
    SCALAR(frame_state_cleared),
    SCALAR(owner_thread),
    SCALAR(owner_generator),
    SCALAR(owner_frame_object),
    SCALAR(owner_skip),
    SCALAR(static_type_count),
    SCALAR(static_extension_count),
#undef SCALAR
};
enum { SCALARS = sizeof(scalars) / sizeof(*scalars) };

static const struct {
    const char *name;
    size_t offset;
} slot_lists[] = {
    {"slot.runtime", offsetof(struct py_layout, runtime_slots)},
    {"slot.interpreter", offsetof(struct py_layout, interp_slots)},
    {"slot.thread", offsetof(struct py_layout, thread_slots)},
};
enum { SLOT_LISTS = sizeof(slot_lists) / sizeof(*slot_lists) };

/* ---- saving ---- */

static void put_scalars(const struct py_layout *layout, struct df_facts_writer *facts)
{
    for (size_t i = 0; i < SCALARS; i++) {
        uint64_t value = 0; /* both machines are little-endian */
        memcpy(&value, (const char *)layout + scalars[i].offset, scalars[i].size);
        df_facts_format(facts, scalars[i].name, "0x%llx", (unsigned long long)value);
    }
}

/* "field.list.ob_item": offset, size, bit offset, bit size, source. */
static void put_fields(const struct py_layout *layout, struct df_facts_writer *facts)
{
    char key[128];
    for (enum py_field i = 0; i < PY_FIELDS; i++) {
        if (layout->offset[i] == PY_ABSENT)
            continue;
        snprintf(key, sizeof(key), "field.%s", py_field_name(i));
        df_facts_format(facts, key, "%u %u %u %u %u", layout->offset[i], layout->size[i],
                        layout->bit_offset[i], layout->bit_size[i], layout->source[i]);
    }
    for (enum py_struct i = 0; i < PY_STRUCTS; i++) {
        if (layout->struct_size[i] == PY_ABSENT)
            continue;
        snprintf(key, sizeof(key), "struct.%s", py_struct_name(i));
        df_facts_format(facts, key, "%u %u", layout->struct_size[i], layout->struct_source[i]);
    }
}

/* "slot.runtime.7": offset, count, stride, path. */
static void put_slots(const struct py_layout *layout, struct df_facts_writer *facts)
{
    char key[64];
    for (size_t l = 0; l < SLOT_LISTS; l++) {
        const struct py_slots *slots = (const void *)((const char *)layout + slot_lists[l].offset);
        for (size_t i = 0; i < slots->count; i++) {
            const struct py_slot *slot = &slots->items[i];
            snprintf(key, sizeof(key), "%s.%zu", slot_lists[l].name, i);
            df_facts_format(facts, key, "%u %u %u %s", slot->offset, slot->count, slot->stride,
                            slot->path);
        }
    }
}

struct df_err *py_layout_save(const struct py_layout *layout, struct df_necro_writer *writer)
{
    struct df_facts_writer facts = {0};
    put_scalars(layout, &facts);
    put_fields(layout, &facts);
    put_slots(layout, &facts);
    return df_facts_save(&facts, writer, LAYOUT);
}

struct df_err *py_snapshot_save(const struct py *py, struct df_necro_writer *writer)
{
    struct df_facts_writer facts = {0};
    df_facts_format(&facts, "runtime", "0x%llx", (unsigned long long)py->runtime);
    df_facts_put_number(&facts, "module", (uint64_t)(py->module - py->dump->modules->items));
    df_facts_put(&facts, "version", py->version_text);
    df_facts_put(&facts, "layout_source", py->layout_source);
    df_facts_put(&facts, "layout_note", py->layout_note);
    df_facts_format(&facts, "type_type", "0x%llx", (unsigned long long)py->type_type);
    df_facts_format(&facts, "code_type", "0x%llx", (unsigned long long)py->code_type);
    df_facts_format(&facts, "dict_type", "0x%llx", (unsigned long long)py->dict_type);
    df_facts_format(&facts, "cell_type", "0x%llx", (unsigned long long)py->cell_type);
    DF_TRY(df_facts_save(&facts, writer, FACTS));
    return py_layout_save(&py->layout, writer);
}

/* ---- restoring ---- */

static void take_scalars(const struct df_facts *facts, struct py_layout *layout)
{
    for (size_t i = 0; i < SCALARS; i++) {
        uint64_t value = df_facts_number(facts, scalars[i].name);
        if (scalars[i].size == 1 && value > UINT8_MAX)
            value = 0;
        memcpy((char *)layout + scalars[i].offset, &value, scalars[i].size);
    }
}

/* bool is a byte whose only values are 0 and 1; all of these are told by their place. */
static bool is_truth(const struct scalar *scalar)
{
    static const char *const numbers[] = {"frame_state_", "owner_"};
    for (size_t i = 0; i < 2; i++)
        if (!strncmp(scalar->name, numbers[i], strlen(numbers[i])))
            return false;
    return scalar->size == 1;
}

static bool scalars_make_sense(const struct df_facts *facts)
{
    static const struct {
        const char *name;
        uint64_t highest;
    } shapes[] = {
        {"int_shape", PY_INT_LV_TAG},        {"keys_shape", PY_KEYS_LOG2},
        {"attr_shape", PY_ATTR_INLINE},      {"inline_place", PY_INLINE_AT_BASICSIZE},
        {"managed_visit", PY_VISIT_DICT},    {"ref_shape", PY_COUNT_BIASED},
        {"frame_shape", PY_FRAME_STACKREFS}, {"line_shape", PY_LINES_LOCATIONS},
        {"lasti_shape", PY_LASTI_NEXT},      {"static_type_shape", PY_STATIC_PER_INTERPRETER},
        {"gc_shape", PY_GC_PAGES},           {"untrack", PY_UNTRACKS_TUPLES},
        {"presize_dict_words", 2},           {"gc_head_size", 1024},
    };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
        if (df_facts_number(facts, shapes[i].name) > shapes[i].highest)
            return false;
    for (size_t i = 0; i < SCALARS; i++)
        if (is_truth(&scalars[i]) && df_facts_number(facts, scalars[i].name) > 1)
            return false;
    return true;
}

static void take_fields(const struct df_facts *facts, struct py_layout *layout)
{
    char key[128];
    uint64_t n[5];
    memset(layout->offset, 0xff, sizeof(layout->offset));
    memset(layout->struct_size, 0xff, sizeof(layout->struct_size));
    for (enum py_field i = 0; i < PY_FIELDS; i++) {
        snprintf(key, sizeof(key), "field.%s", py_field_name(i));
        const char *value = df_facts_text(facts, key);
        if (!value || df_fact_numbers(value, n, 5) < 5 || n[0] >= PY_ABSENT || n[1] > UINT8_MAX ||
            n[2] > UINT8_MAX || n[3] > UINT8_MAX || n[4] > PY_SOURCE_PROBE)
            continue;
        layout->offset[i] = (uint32_t)n[0];
        layout->size[i] = (uint8_t)n[1];
        layout->bit_offset[i] = (uint8_t)n[2];
        layout->bit_size[i] = (uint8_t)n[3];
        layout->source[i] = (uint8_t)n[4];
    }
    for (enum py_struct i = 0; i < PY_STRUCTS; i++) {
        snprintf(key, sizeof(key), "struct.%s", py_struct_name(i));
        const char *value = df_facts_text(facts, key);
        if (!value || df_fact_numbers(value, n, 2) < 2 || n[0] >= PY_ABSENT ||
            n[1] > PY_SOURCE_PROBE)
            continue;
        layout->struct_size[i] = (uint32_t)n[0];
        layout->struct_source[i] = (uint8_t)n[1];
    }
}

/* Behind the numbers. */
static const char *path_of(const char *value, int numbers)
{
    for (int i = 0; i < numbers && value; i++) {
        value = strchr(value, ' ');
        value += value != NULL;
    }
    return value;
}

static void take_slots(const struct df_facts *facts, const char *name, struct py_slots *slots)
{
    char key[64];
    uint64_t n[3];
    for (unsigned i = 0; i < MAX_SLOTS; i++) {
        snprintf(key, sizeof(key), "%s.%u", name, i);
        const char *value = df_facts_text(facts, key);
        const char *path = value && df_fact_numbers(value, n, 3) == 3 ? path_of(value, 3) : NULL;
        if (!path || (n[0] | n[1] | n[2]) > UINT32_MAX)
            return;
        DF_PUSH(slots, (struct py_slot){.path = df_xstrdup(path),
                                        .offset = (uint32_t)n[0],
                                        .count = (uint32_t)n[1],
                                        .stride = (uint32_t)n[2]});
    }
}

struct df_err *py_layout_restore(struct df_necro *necro, struct py_layout *ret)
{
    struct df_facts *facts;
    DF_TRY(df_facts_open(necro, LAYOUT, &facts));
    bool good = scalars_make_sense(facts);
    if (good) {
        take_scalars(facts, ret);
        take_fields(facts, ret);
        for (size_t l = 0; l < SLOT_LISTS; l++)
            take_slots(facts, slot_lists[l].name, (void *)((char *)ret + slot_lists[l].offset));
    }
    df_facts_close(facts);
    DF_TRY(good ? NULL : df_necro_senseless(necro, LAYOUT));
    return py_layout_check_necessary(ret, "the snapshot");
}

/* The texts that the tool itself has. */
static const char *known_source(const char *text)
{
    static const char *const sources[] = {"dwarf", "table", "debug-offsets, table"};
    for (size_t i = 0; text && i < sizeof(sources) / sizeof(*sources); i++)
        if (!strcmp(text, sources[i]))
            return sources[i];
    return "unknown";
}

static char *copy(const char *text)
{
    return text ? df_xstrdup(text) : NULL;
}

struct df_err *py_snapshot_restore(struct py *py)
{
    struct df_necro *necro = py->dump->necro;
    struct df_modules *modules = py->dump->modules;
    struct df_facts *facts;
    struct df_identity identity;
    py->redacted = df_snapshot_identity(py->dump, &identity) && identity.redacted;
    if (!df_necro_has(necro, FACTS))
        return df_err_new(DF_ERR_INPUT, "%s: is a snapshot without CPython in it",
                          py->dump->core->file->path);
    DF_TRY(df_facts_open(necro, FACTS, &facts));
    uint64_t module = df_facts_number(facts, "module");
    py->runtime = df_facts_number(facts, "runtime");
    py->version_text = copy(df_facts_text(facts, "version"));
    py->layout_source = known_source(df_facts_text(facts, "layout_source"));
    py->layout_note = copy(df_facts_text(facts, "layout_note"));
    py->type_type = df_facts_number(facts, "type_type");
    py->code_type = df_facts_number(facts, "code_type");
    py->dict_type = df_facts_number(facts, "dict_type");
    py->cell_type = df_facts_number(facts, "cell_type");
    df_facts_close(facts);
    if (module >= modules->count || !py->version_text)
        return df_necro_senseless(necro, FACTS);
    py->module = &modules->items[module];
    return py_layout_restore(necro, &py->layout);
}
