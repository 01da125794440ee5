/* SPDX-License-Identifier: MIT
 * snapshot_modules.c: modules and their symbols, saved and restored without any file.
 */
#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/module_internal.h"
#include "dumpfmt/snapshot_internal.h"

#define MAXIMUM_ROWS (1u << 26)

enum { IS_EXECUTABLE = 1, HAS_TLS_OFFSET = 2, HAS_TLS_NUMBER = 4 };

struct module_row {
    uint64_t start, end, bias;
    uint64_t path, name; /* in "module.texts" */
    uint64_t first_symbol, symbol_count, first_slot, slot_count;
    uint64_t plt, plt_size;
    int64_t tls_offset;
    uint64_t tls_number;
    uint32_t first_load, load_count;
    uint32_t state, flags;
    uint32_t build_id_size, reserved;
    uint8_t build_id[DF_BUILD_ID_MAX];
};
_Static_assert(sizeof(struct module_row) == 192, "as specified");

struct load_row {
    uint64_t start, end;
    uint32_t flags, reserved;
};

struct place_row { /* which addresses are of which module */
    uint64_t start, end;
    uint32_t module, reserved; /* DF_NO_MODULE: of none */
};

struct symbol_row {
    uint64_t address, size;
    uint32_t name; /* in "module.names" */
    uint8_t type, global;
    uint8_t reserved[2];
};
_Static_assert(sizeof(struct symbol_row) == 24, "as specified");

struct slot_row { /* a word that the dynamic linker fills with a function's address */
    uint64_t slot;
    uint32_t name; /* in "module.names" */
    uint32_t jump_slot;
};

/* ---- saving ---- */

struct saving {
    const struct df_dump *dump;
    bool redacted;
    struct df_text_list texts, names;
    struct {
        struct load_row *items;
        size_t count, capacity;
    } loads;
    struct {
        struct symbol_row *items;
        size_t count, capacity;
    } symbols;
    struct {
        struct slot_row *items;
        size_t count, capacity;
    } slots;
};

static void add_symbols(struct saving *saving, const struct df_module *module)
{
    for (uint32_t i = 0; i < module->symbol_count; i++) {
        const struct df_symbol *from = &module->symbols[i];
        if (saving->names.count > UINT32_MAX / 2)
            return; /* the module's count tells how many there are */
        DF_PUSH(&saving->symbols,
                (struct symbol_row){.address = from->address,
                                    .size = from->size,
                                    .name = (uint32_t)df_text_add(&saving->names, from->name),
                                    .type = from->type,
                                    .global = from->global});
    }
}

static void add_slot(void *context, uint64_t slot, const char *name, bool jump_slot)
{
    struct saving *saving = context;
    if (saving->names.count > UINT32_MAX / 2)
        return;
    DF_PUSH(&saving->slots,
            (struct slot_row){slot, (uint32_t)df_text_add(&saving->names, name), jump_slot});
}

const char *df_told_name(const struct df_module *module)
{
    bool program = module && module->load_count && module->state != DF_MODULE_NOT_ELF;
    return program ? module->name : "[mapped file]";
}

static struct module_row row_of(struct saving *saving, const struct df_module *module)
{
    const struct df_dump *dump = saving->dump;
    struct df_tls_place tls = df_module_tls_place(dump->space, dump->modules, module);
    struct module_row row = {
        .start = module->start,
        .end = module->end,
        .bias = module->bias,
        .path = df_text_add(&saving->texts, saving->redacted ? df_told_name(module) : module->path),
        .name = df_text_add(&saving->texts, saving->redacted ? df_told_name(module) : module->name),
        .first_symbol = saving->symbols.count,
        .first_slot = saving->slots.count,
        .tls_offset = tls.offset,
        .tls_number = tls.number,
        .first_load = (uint32_t)saving->loads.count,
        .load_count = module->load_count,
        .state = (uint32_t)module->state,
        .flags = (module == dump->modules->executable ? IS_EXECUTABLE : 0u) |
                 (tls.has_offset ? HAS_TLS_OFFSET : 0u) | (tls.has_number ? HAS_TLS_NUMBER : 0u),
        .build_id_size = module->build_id.size,
    };
    memcpy(row.build_id, module->build_id.bytes, sizeof(row.build_id));
    for (uint32_t i = 0; i < module->load_count; i++)
        DF_PUSH(&saving->loads, (struct load_row){module->loads[i].start, module->loads[i].end,
                                                  module->loads[i].flags, 0});
    add_symbols(saving, module);
    row.symbol_count = saving->symbols.count - row.first_symbol;
    df_module_relocations(module, add_slot, saving);
    row.slot_count = saving->slots.count - row.first_slot;
    if (!df_module_section(module, ".plt", &row.plt, &row.plt_size))
        row.plt = row.plt_size = 0;
    return row;
}

static struct df_err *save_places(const struct df_modules *modules, struct df_necro_writer *writer)
{
    DF_CLEANUP_FREE struct place_row *rows = NULL;
    DF_TRY(df_array(modules->row_count, sizeof(*rows), &rows));
    for (uint32_t i = 0; i < modules->row_count; i++)
        rows[i] = (struct place_row){modules->rows[i].start, modules->rows[i].end,
                                     modules->rows[i].module, 0};
    return df_necro_add(writer, "module.places", DF_NECRO_PACKED, rows, sizeof(*rows),
                        modules->row_count);
}

static struct df_err *save_lists(struct saving *saving, const struct module_row *rows,
                                 struct df_necro_writer *writer)
{
    DF_TRY(df_necro_add(writer, "module.list", DF_NECRO_PACKED, rows, sizeof(*rows),
                        saving->dump->modules->count));
    DF_TRY(df_necro_add(writer, "module.loads", DF_NECRO_PACKED, saving->loads.items,
                        sizeof(*saving->loads.items), saving->loads.count));
    DF_TRY(df_necro_add(writer, "module.texts", DF_NECRO_PACKED, saving->texts.items, 1,
                        saving->texts.count));
    DF_TRY(df_necro_add(writer, "module.symbols", DF_NECRO_PACKED, saving->symbols.items,
                        sizeof(*saving->symbols.items), saving->symbols.count));
    DF_TRY(df_necro_add(writer, "module.slots", DF_NECRO_PACKED, saving->slots.items,
                        sizeof(*saving->slots.items), saving->slots.count));
    DF_TRY(df_necro_add(writer, "module.names", DF_NECRO_PACKED, saving->names.items, 1,
                        saving->names.count));
    return save_places(saving->dump->modules, writer);
}

struct df_err *df_modules_save(const struct df_dump *dump, bool redacted,
                               struct df_necro_writer *writer)
{
    struct saving saving = {.dump = dump, .redacted = redacted};
    df_modules_load_symbols(dump->modules);
    struct module_row *rows = df_xcalloc((size_t)dump->modules->count + 1, sizeof(*rows));
    for (uint32_t i = 0; i < dump->modules->count; i++)
        rows[i] = row_of(&saving, &dump->modules->items[i]);
    struct df_err *err = save_lists(&saving, rows, writer);
    free(rows);
    free(saving.texts.items);
    free(saving.names.items);
    free(saving.loads.items);
    free(saving.symbols.items);
    free(saving.slots.items);
    return err;
}

/* ---- restoring ---- */

struct lists {
    const struct module_row *modules;
    const struct load_row *loads;
    uint64_t module_count, load_count;
    struct df_texts texts;
};

static bool restore_module(struct df_necro *necro, const struct lists *lists,
                           const struct module_row *row, struct df_module *ret)
{
    const char *path = df_text_at(&lists->texts, row->path);
    const char *name = df_text_at(&lists->texts, row->name);
    if (!path || !name || row->first_load > lists->load_count ||
        row->load_count > lists->load_count - row->first_load ||
        row->build_id_size > DF_BUILD_ID_MAX || row->state > DF_MODULE_NOT_ELF)
        return false;
    *ret = (struct df_module){.path = path,
                              .name = df_xstrdup(name),
                              .start = row->start,
                              .end = row->end,
                              .bias = row->bias,
                              .state = (enum df_module_state)row->state};
    ret->build_id.size = row->build_id_size;
    memcpy(ret->build_id.bytes, row->build_id, sizeof(row->build_id));
    ret->loads = df_xcalloc((size_t)row->load_count + 1, sizeof(*ret->loads));
    ret->load_count = row->load_count;
    for (uint32_t i = 0; i < row->load_count; i++) {
        const struct load_row *load = &lists->loads[row->first_load + i];
        ret->loads[i] = (struct df_load){load->start, load->end, load->flags};
    }
    ret->stored = df_xcalloc(1, sizeof(*ret->stored));
    *ret->stored = (struct df_stored_module){
        .necro = necro,
        .first_symbol = row->first_symbol,
        .symbol_count = row->symbol_count,
        .first_slot = row->first_slot,
        .slot_count = row->slot_count,
        .plt = row->plt,
        .plt_size = row->plt_size,
        .tls = {.has_offset = row->flags & HAS_TLS_OFFSET,
                .has_number = row->flags & HAS_TLS_NUMBER,
                .offset = row->tls_offset,
                .number = row->tls_number},
    };
    return true;
}

static struct df_err *restore_list(struct df_necro *necro, struct df_modules *modules)
{
    struct lists lists;
    DF_TRY(df_necro_section(necro, "module.list", sizeof(*lists.modules), &lists.modules,
                            &lists.module_count));
    DF_TRY(df_necro_section(necro, "module.loads", sizeof(*lists.loads), &lists.loads,
                            &lists.load_count));
    DF_TRY(df_texts_open(necro, "module.texts", &lists.texts));
    if (lists.module_count > MAXIMUM_ROWS)
        return df_necro_senseless(necro, "module.list");
    DF_TRY(df_array(lists.module_count, sizeof(*modules->items), &modules->items));
    for (uint64_t i = 0; i < lists.module_count; i++) {
        struct df_module *module = &modules->items[i];
        if (!restore_module(necro, &lists, &lists.modules[i], module))
            return df_necro_senseless(necro, "module.list");
        modules->count = (uint32_t)i + 1;
        if (lists.modules[i].flags & IS_EXECUTABLE)
            modules->executable = module;
    }
    return NULL;
}

static struct df_err *restore_places(struct df_necro *necro, struct df_modules *modules)
{
    const struct place_row *rows;
    uint64_t count;
    DF_TRY(df_necro_section(necro, "module.places", sizeof(*rows), &rows, &count));
    if (count > MAXIMUM_ROWS)
        return df_necro_senseless(necro, "module.places");
    DF_TRY(df_array(count, sizeof(*modules->rows), &modules->rows));
    for (uint64_t i = 0; i < count; i++) {
        if (rows[i].end <= rows[i].start || (i && rows[i].start < rows[i - 1].end) ||
            (rows[i].module >= modules->count && rows[i].module != DF_NO_MODULE))
            return df_necro_senseless(necro, "module.places");
        modules->rows[i] =
            (struct df_row){.start = rows[i].start, .end = rows[i].end, .module = rows[i].module};
    }
    modules->row_count = (uint32_t)count;
    return NULL;
}

struct df_err *df_modules_restore(struct df_necro *necro, enum df_machine machine,
                                  struct df_modules **ret)
{
    struct df_modules *modules = df_xcalloc(1, sizeof(*modules));
    modules->machine = machine;
    struct df_err *err = restore_list(necro, modules);
    if (!err)
        err = restore_places(necro, modules);
    if (err)
        df_modules_close(modules);
    else
        *ret = modules;
    return err;
}

/* Whether [first, first + count) is of `total`. */
static bool is_part(uint64_t first, uint64_t count, uint64_t total)
{
    return first <= total && count <= total - first && count <= MAXIMUM_ROWS;
}

struct df_err *df_symbols_restore(const struct df_stored_module *stored, struct df_symbol **ret,
                                  uint32_t *ret_count)
{
    const struct symbol_row *rows;
    struct df_texts names;
    struct df_symbol *symbols;
    uint64_t count;
    if (!stored->symbol_count)
        return NULL;
    DF_TRY(df_texts_open(stored->necro, "module.names", &names));
    DF_TRY(df_necro_section(stored->necro, "module.symbols", sizeof(*rows), &rows, &count));
    if (!is_part(stored->first_symbol, stored->symbol_count, count))
        return df_necro_senseless(stored->necro, "module.symbols");
    DF_TRY(df_array(stored->symbol_count, sizeof(*symbols), &symbols));
    for (uint64_t i = 0; i < stored->symbol_count; i++) {
        const struct symbol_row *row = &rows[stored->first_symbol + i];
        const char *name = df_text_at(&names, row->name);
        if (!name || row->type > DF_SYMBOL_OTHER || row->global > 1) {
            free(symbols);
            return df_necro_senseless(stored->necro, "module.symbols");
        }
        symbols[i] = (struct df_symbol){name, row->address, row->size, row->type, row->global};
    }
    *ret = symbols;
    *ret_count = (uint32_t)stored->symbol_count;
    return NULL;
}

static struct df_err *visit_slots(const struct df_stored_module *stored,
                                  void (*visit)(void *context, uint64_t slot, const char *name,
                                                bool jump_slot),
                                  void *context)
{
    const struct slot_row *rows;
    struct df_texts names;
    uint64_t count;
    DF_TRY(df_texts_open(stored->necro, "module.names", &names));
    DF_TRY(df_necro_section(stored->necro, "module.slots", sizeof(*rows), &rows, &count));
    if (!is_part(stored->first_slot, stored->slot_count, count))
        return df_necro_senseless(stored->necro, "module.slots");
    for (uint64_t i = 0; i < stored->slot_count; i++) {
        const struct slot_row *row = &rows[stored->first_slot + i];
        const char *name = df_text_at(&names, row->name);
        if (!name)
            return df_necro_senseless(stored->necro, "module.slots");
        visit(context, row->slot, name, row->jump_slot != 0);
    }
    return NULL;
}

void df_slots_restore(const struct df_stored_module *stored,
                      void (*visit)(void *context, uint64_t slot, const char *name, bool jump_slot),
                      void *context)
{
    df_err_free(visit_slots(stored, visit, context)); /* the snapshot remembers what was wrong */
}
