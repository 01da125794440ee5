/* SPDX-License-Identifier: MIT
 * snapshot.c: a dump saved, and opened from what was saved.
 */
#include "dumpfmt/snapshot.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/snapshot_internal.h"

#define LARGEST_FILE_PART (UINT64_C(64) << 20) /* libpython has 4 MB of code, libtorch 400 */

/* ---- saving ---- */

bool df_snapshot_wants(void *context, const struct df_range *range)
{
    (void)context;
    return range->origin == DF_FROM_CORE || range->end - range->start <= LARGEST_FILE_PART;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void put_build_id(struct df_facts_writer *facts, const struct df_build_id *id)
{
    char text[2 * DF_BUILD_ID_MAX + 1] = "";
    for (uint32_t i = 0; i < id->size; i++) {
        static const char digits[] = "0123456789abcdef";
        text[2 * i] = digits[id->bytes[i] >> 4];
        text[2 * i + 1] = digits[id->bytes[i] & 15];
        text[2 * i + 2] = 0;
    }
    if (id->size)
        df_facts_put(facts, "build_id", text);
}

static void put_core(struct df_facts_writer *facts, const struct df_dump *dump)
{
    struct df_identity known;
    struct stat status;
    if (df_snapshot_identity(dump, &known)) { /* a snapshot of a snapshot is of the same core */
        df_facts_put(facts, "core", known.core);
        df_facts_format(facts, "core_time", "%lld", (long long)known.core_time);
        return;
    }
    df_facts_put(facts, "core", base_name(dump->core->file->path));
    if (!stat(dump->core->file->path, &status) && S_ISREG(status.st_mode))
        df_facts_format(facts, "core_time", "%lld", (long long)status.st_mtime);
}

static struct df_err *save_identity(const struct df_dump *dump,
                                    const struct df_snapshot_options *options, bool redacted,
                                    struct df_necro_writer *writer)
{
    const struct df_module *executable = dump->modules->executable;
    struct df_facts_writer facts = {0};
    df_facts_put(&facts, "necropy", NECROPY_VERSION);
    put_core(&facts, dump);
    df_facts_put_number(&facts, "core_size", dump->core->file->size);
    df_facts_format(&facts, "pid", "%d", dump->core->pid);
    if (executable) {
        df_facts_put(&facts, "executable",
                     redacted ? base_name(executable->path) : executable->path);
        put_build_id(&facts, &executable->build_id);
    }
    df_facts_put_number(&facts, "redacted", redacted);
    df_facts_put_number(&facts, "objects", options->objects);
    return df_facts_save(&facts, writer, "identity");
}

struct df_err *df_snapshot_save(const struct df_dump *dump,
                                const struct df_snapshot_options *options,
                                struct df_necro_writer *writer)
{
    const struct df_memory_filter standard = {.wants = df_snapshot_wants};
    struct df_identity known;
    bool redacted = options->redacted || (df_snapshot_identity(dump, &known) && known.redacted);
    DF_TRY(save_identity(dump, options, redacted, writer));
    DF_TRY(df_core_save(dump, redacted, writer));
    DF_TRY(df_modules_save(dump, redacted, writer));
    DF_TRY(df_frames_save(dump, writer));
    return df_memory_save(dump->space, options->filter ? options->filter : &standard, writer);
}

/* ---- opening ---- */

static struct df_err *open_parts(struct df_dump *dump)
{
    struct df_snapshot *snapshot = dump->snapshot;
    DF_TRY(df_necro_open(snapshot->file, &snapshot->necro));
    dump->necro = snapshot->necro;
    DF_TRY(df_facts_open(snapshot->necro, "identity", &snapshot->identity));
    DF_TRY(df_facts_open(snapshot->necro, "core.facts", &snapshot->core));
    DF_TRY(df_core_restore(snapshot->necro, snapshot->core, snapshot->file->path, &dump->core));
    DF_TRY(df_modules_restore(snapshot->necro, dump->core->machine, &dump->modules));
    DF_TRY(df_memory_open(snapshot->necro, &snapshot->memory));
    dump->space = df_memory_space(snapshot->memory);
    return NULL;
}

struct df_err *df_snapshot_open(struct df_file *file, struct df_dump *dump)
{
    dump->snapshot = df_xcalloc(1, sizeof(*dump->snapshot));
    dump->snapshot->file = file;
    return open_parts(dump); /* on failure df_dump_close cleans up */
}

void df_snapshot_close(struct df_snapshot *snapshot)
{
    if (!snapshot)
        return;
    df_memory_close(snapshot->memory);
    df_facts_close(snapshot->core);
    df_facts_close(snapshot->identity);
    df_necro_close(snapshot->necro);
    df_file_close(snapshot->file);
    free(snapshot);
}

bool df_snapshot_identity(const struct df_dump *dump, struct df_identity *ret)
{
    if (!dump->snapshot)
        return false;
    const struct df_facts *facts = dump->snapshot->identity;
    const char *core = df_facts_text(facts, "core"), *writer = df_facts_text(facts, "necropy");
    *ret = (struct df_identity){
        .core = core ? core : "",
        .core_size = df_facts_number(facts, "core_size"),
        .core_time = (int64_t)df_facts_number(facts, "core_time"),
        .executable = df_facts_text(facts, "executable"),
        .build_id = df_facts_text(facts, "build_id"),
        .pid = (int32_t)df_facts_number(facts, "pid"),
        .writer = writer ? writer : "",
        .redacted = df_facts_number(facts, "redacted"),
        .objects = df_facts_number(facts, "objects"),
    };
    return true;
}
