/* SPDX-License-Identifier: MIT
 * snapshot_core.c: what the headers and notes of a core say, saved and restored.
 *
 * Tables are sections of rows of fixed size, single values are facts by name ("core.facts").
 */
#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/snapshot_internal.h"

#define MAXIMUM_ROWS (1u << 26) /* of any table here; Linux allows some 2^31 mappings */

struct segment_row {
    uint64_t address, memory_size, file_size, file_offset, lost;
    uint32_t flags, reserved;
};
_Static_assert(sizeof(struct segment_row) == 48, "as specified");

struct mapping_row {
    uint64_t start, end, file_offset, path; /* path: in "core.texts" */
};

struct lwp_row {
    int32_t tid, signal;
    uint32_t register_count, reserved;
    uint64_t pc, sp, tls, registers[DF_MAX_REGISTERS];
};
_Static_assert(sizeof(struct lwp_row) == 312, "as specified");

/* ---- saving ---- */

static struct df_err *save_segments(const struct df_core *core, struct df_necro_writer *writer)
{
    DF_CLEANUP_FREE struct segment_row *rows = NULL;
    DF_TRY(df_array(core->segment_count, sizeof(*rows), &rows));
    for (uint32_t i = 0; i < core->segment_count; i++) {
        const struct df_segment *from = &core->segments[i];
        rows[i] = (struct segment_row){from->address,
                                       from->memory_size,
                                       from->file_size,
                                       from->file_offset,
                                       from->lost,
                                       from->flags,
                                       0};
    }
    return df_necro_add(writer, "core.segments", DF_NECRO_PACKED, rows, sizeof(*rows),
                        core->segment_count);
}

static const char *told_path(const struct df_dump *dump, const struct df_mapping *mapping)
{
    return df_told_name(df_module_at(dump->modules, mapping->start));
}

static struct df_err *save_mappings(const struct df_dump *dump, bool redacted,
                                    struct df_necro_writer *writer)
{
    const struct df_core *core = dump->core;
    struct df_text_list texts = {0};
    struct mapping_row *rows = df_xcalloc((size_t)core->mapping_count + 1, sizeof(*rows));
    for (uint32_t i = 0; i < core->mapping_count; i++) {
        const struct df_mapping *from = &core->mappings[i], *last = i ? from - 1 : NULL;
        bool same = last && !redacted && !strcmp(last->path, from->path);
        rows[i] = (struct mapping_row){
            from->start, from->end, from->file_offset,
            same ? rows[i - 1].path
                 : df_text_add(&texts, redacted ? told_path(dump, from) : from->path)};
    }
    struct df_err *err = df_necro_add(writer, "core.mappings", DF_NECRO_PACKED, rows, sizeof(*rows),
                                      core->mapping_count);
    if (!err)
        err = df_necro_add(writer, "core.texts", DF_NECRO_PACKED, texts.items, 1, texts.count);
    free(texts.items);
    free(rows);
    return err;
}

/* Registers hold whatever the process worked with: addresses stay. */
static void keep_addresses(const struct df_aspace *space, struct lwp_row *row)
{
    for (size_t i = 0; i < DF_MAX_REGISTERS; i++)
        if (!df_aspace_range(space, row->registers[i]))
            row->registers[i] = 0;
}

static struct df_err *save_lwps(const struct df_dump *dump, bool redacted,
                                struct df_necro_writer *writer)
{
    const struct df_core *core = dump->core;
    DF_CLEANUP_FREE struct lwp_row *rows = NULL;
    DF_TRY(df_array(core->lwp_count, sizeof(*rows), &rows));
    for (uint32_t i = 0; i < core->lwp_count; i++) {
        const struct df_lwp *from = &core->lwps[i];
        rows[i] = (struct lwp_row){
            from->tid, from->signal, from->register_count, 0, from->pc, from->sp, from->tls, {0}};
        memcpy(rows[i].registers, from->registers, sizeof(rows[i].registers));
        if (redacted)
            keep_addresses(dump->space, &rows[i]);
    }
    return df_necro_add(writer, "core.lwps", DF_NECRO_PACKED, rows, sizeof(*rows), core->lwp_count);
}

/* The process may have given itself any name (PR_SET_NAME). */
static bool is_own_name(const struct df_dump *dump)
{
    const struct df_module *executable = dump->modules->executable;
    const char *program = dump->core->program;
    return program && executable && !strncmp(executable->name, program, strlen(program));
}

static struct df_err *save_facts(const struct df_dump *dump, bool redacted,
                                 struct df_necro_writer *writer)
{
    const struct df_core *core = dump->core;
    struct df_facts_writer facts = {0};
    df_facts_put(&facts, "machine", core->machine == DF_AARCH64 ? "aarch64" : "x86_64");
    df_facts_put_number(&facts, "file_size", core->file->size);
    df_facts_format(&facts, "pid", "%d", core->pid);
    df_facts_put(&facts, "command", redacted ? NULL : core->command);
    df_facts_put(&facts, "program", redacted && !is_own_name(dump) ? NULL : core->program);
    df_facts_format(&facts, "signal", "%d", core->signal);
    df_facts_format(&facts, "signal_code", "%d", core->signal_code);
    df_facts_put_number(&facts, "signal_address", core->signal_address);
    df_facts_put_number(&facts, "has_siginfo", core->has_siginfo);
    df_facts_put_number(&facts, "has_mappings", core->has_mappings);
    df_facts_put(&facts, "captured_by", core->captured_by);
    df_facts_put_number(&facts, "lost_bytes", core->lost_bytes);
    df_facts_put_number(&facts, "lost_headers", core->lost_headers);
    df_facts_put_number(&facts, "lost_notes", core->lost_notes);
    df_facts_put_number(&facts, "overlapping", core->overlapping);
    df_facts_put(&facts, "container", core->container.format);
    df_facts_put_number(&facts, "container_cut", core->container.cut);
    df_facts_put(&facts, "container_trouble", core->container.trouble);
    df_facts_put_number(&facts, "container_size", core->container.input_size);
    return df_facts_save(&facts, writer, "core.facts");
}

struct df_err *df_core_save(const struct df_dump *dump, bool redacted,
                            struct df_necro_writer *writer)
{
    const struct df_core *core = dump->core;
    DF_TRY(save_facts(dump, redacted, writer));
    DF_TRY(save_segments(core, writer));
    DF_TRY(save_mappings(dump, redacted, writer));
    DF_TRY(save_lwps(dump, redacted, writer));
    return df_necro_add(writer, "core.auxv", DF_NECRO_PACKED, core->auxv, sizeof(*core->auxv),
                        core->auxv_count);
}

/* ---- restoring ---- */

/* Sorted and disjoint, as code that searches them expects. */
static struct df_err *restore_segments(struct df_necro *necro, struct df_core *core)
{
    const struct segment_row *rows;
    uint64_t count, last = 0, end;
    DF_TRY(df_necro_section(necro, "core.segments", sizeof(*rows), &rows, &count));
    if (count > MAXIMUM_ROWS)
        return df_necro_senseless(necro, "core.segments");
    DF_TRY(df_array(count, sizeof(*core->segments), &core->segments));
    core->segment_count = (uint32_t)count;
    for (uint64_t i = 0; i < count; i++) {
        const struct segment_row *row = &rows[i];
        if (row->address < last || !row->memory_size || row->file_size > row->memory_size ||
            row->lost > row->memory_size - row->file_size ||
            __builtin_add_overflow(row->address, row->memory_size, &end))
            return df_necro_senseless(necro, "core.segments");
        core->segments[i] = (struct df_segment){row->address,     row->memory_size, row->file_size,
                                                row->file_offset, row->lost,        row->flags};
        last = end;
    }
    return NULL;
}

static struct df_err *restore_mappings(struct df_necro *necro, struct df_core *core)
{
    const struct mapping_row *rows;
    struct df_texts texts;
    uint64_t count;
    DF_TRY(df_texts_open(necro, "core.texts", &texts));
    DF_TRY(df_necro_section(necro, "core.mappings", sizeof(*rows), &rows, &count));
    if (count > MAXIMUM_ROWS)
        return df_necro_senseless(necro, "core.mappings");
    DF_TRY(df_array(count, sizeof(*core->mappings), &core->mappings));
    core->mapping_count = (uint32_t)count;
    for (uint64_t i = 0; i < count; i++) {
        const char *path = df_text_at(&texts, rows[i].path);
        if (!path || rows[i].start >= rows[i].end || (i && rows[i].start < rows[i - 1].start))
            return df_necro_senseless(necro, "core.mappings");
        core->mappings[i] =
            (struct df_mapping){rows[i].start, rows[i].end, rows[i].file_offset, path};
    }
    return NULL;
}

static struct df_err *restore_lwps(struct df_necro *necro, struct df_core *core)
{
    const struct lwp_row *rows;
    uint64_t count;
    DF_TRY(df_necro_section(necro, "core.lwps", sizeof(*rows), &rows, &count));
    if (count > MAXIMUM_ROWS)
        return df_necro_senseless(necro, "core.lwps");
    DF_TRY(df_array(count, sizeof(*core->lwps), &core->lwps));
    core->lwp_count = (uint32_t)count;
    for (uint64_t i = 0; i < count; i++) {
        struct df_lwp *lwp = &core->lwps[i];
        if (rows[i].register_count > DF_MAX_REGISTERS)
            return df_necro_senseless(necro, "core.lwps");
        *lwp = (struct df_lwp){.tid = rows[i].tid,
                               .signal = rows[i].signal,
                               .register_count = rows[i].register_count,
                               .pc = rows[i].pc,
                               .sp = rows[i].sp,
                               .tls = rows[i].tls};
        memcpy(lwp->registers, rows[i].registers, sizeof(lwp->registers));
    }
    return NULL;
}

static struct df_err *restore_auxv(struct df_necro *necro, struct df_core *core)
{
    const void *rows;
    uint64_t count;
    DF_TRY(df_necro_section(necro, "core.auxv", sizeof(*core->auxv), &rows, &count));
    if (count > MAXIMUM_ROWS)
        return df_necro_senseless(necro, "core.auxv");
    DF_TRY(df_array(count, sizeof(*core->auxv), &core->auxv));
    memcpy(core->auxv, rows, count * sizeof(*core->auxv));
    core->auxv_count = (uint32_t)count;
    return NULL;
}

static char *text_of(const struct df_facts *facts, const char *key)
{
    const char *value = df_facts_text(facts, key);
    return df_xstrdup(value ? value : "");
}

static void restore_facts(const struct df_facts *facts, struct df_core *core)
{
    const char *machine = df_facts_text(facts, "machine");
    const char *captured_by = df_facts_text(facts, "captured_by");
    const char *trouble = df_facts_text(facts, "container_trouble");
    core->machine = machine && !strcmp(machine, "aarch64") ? DF_AARCH64 : DF_X86_64;
    core->file->size = df_facts_number(facts, "file_size");
    core->pid = (int32_t)df_facts_number(facts, "pid");
    core->command = text_of(facts, "command");
    core->program = text_of(facts, "program");
    core->signal = (int32_t)df_facts_number(facts, "signal");
    core->signal_code = (int32_t)df_facts_number(facts, "signal_code");
    core->signal_address = df_facts_number(facts, "signal_address");
    core->has_siginfo = df_facts_number(facts, "has_siginfo");
    core->has_mappings = df_facts_number(facts, "has_mappings");
    core->captured_by = captured_by ? captured_by : "unknown";
    core->lost_bytes = df_facts_number(facts, "lost_bytes");
    core->lost_headers = (uint32_t)df_facts_number(facts, "lost_headers");
    core->lost_notes = df_facts_number(facts, "lost_notes");
    core->overlapping = (uint32_t)df_facts_number(facts, "overlapping");
    core->container.format = df_facts_text(facts, "container");
    core->container.cut = df_facts_number(facts, "container_cut");
    core->container.trouble = trouble ? df_xstrdup(trouble) : NULL;
    core->container.input_size = df_facts_number(facts, "container_size");
}

struct df_err *df_core_restore(struct df_necro *necro, const struct df_facts *facts,
                               const char *path, struct df_core **ret)
{
    struct df_core *core = df_xcalloc(1, sizeof(*core));
    core->file = df_xcalloc(1, sizeof(*core->file));
    core->file->path = df_xstrdup(path);
    core->file->fd = -1;
    restore_facts(facts, core);
    struct df_err *err = restore_segments(necro, core);
    if (!err)
        err = restore_mappings(necro, core);
    if (!err)
        err = restore_lwps(necro, core);
    if (!err)
        err = restore_auxv(necro, core);
    if (err)
        df_core_close(core);
    else
        *ret = core;
    return err;
}
