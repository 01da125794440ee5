/* SPDX-License-Identifier: MIT
 * dump.c: opens the parts in the order that gives bytes their precedence: what the core has, then
 * what mapped files have, then what is known to be lost.
 */
#include "dumpfmt/dump.h"

#include <stdlib.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/snapshot_internal.h"

static void add_core_bytes(struct df_aspace *space, const struct df_core *core)
{
    for (uint32_t i = 0; i < core->segment_count; i++) {
        const struct df_segment *segment = &core->segments[i];
        if (segment->file_size)
            df_aspace_add(space, segment->address, segment->file_size,
                          core->file->data + segment->file_offset, DF_FROM_CORE, segment->flags);
    }
}

static void add_absent(struct df_aspace *space, const struct df_core *core)
{
    for (uint32_t i = 0; i < core->segment_count; i++) {
        const struct df_segment *segment = &core->segments[i];
        df_aspace_add(space, segment->address, segment->memory_size, NULL, DF_ABSENT,
                      segment->flags);
    }
}

static struct df_err *open_core(struct df_dump *dump, const struct df_search *search)
{
    dump->space = df_aspace_create();
    add_core_bytes(dump->space, dump->core);
    DF_TRY(df_modules_open(dump->core, dump->space, search, &dump->modules));
    add_absent(dump->space, dump->core);
    return df_aspace_seal(dump->space);
}

static struct df_err *open_parts(struct df_dump *dump, const char *path,
                                 const struct df_search *search)
{
    static const struct df_search everywhere = {0};
    struct df_file *file;
    struct df_container how;
    if (!search)
        search = &everywhere;
    DF_TRY(df_container_open(path, search->container, &file, &how));
    if (df_necro_is(file->data, file->size)) {
        df_container_deinit(&how);
        return df_snapshot_open(file, dump);
    }
    DF_TRY(df_core_from_file(file, &how, &dump->core));
    return open_core(dump, search);
}

struct df_err *df_dump_open(const char *path, const struct df_search *search, struct df_dump **ret)
{
    struct df_dump *dump = df_xcalloc(1, sizeof(*dump));
    struct df_err *err = open_parts(dump, path, search);
    if (err)
        df_dump_close(dump);
    else
        *ret = dump;
    return err;
}

void df_dump_close(struct df_dump *dump)
{
    if (!dump)
        return;
    df_modules_close(dump->modules);
    if (!dump->snapshot)
        df_aspace_destroy(dump->space);
    df_core_close(dump->core);
    df_snapshot_close(dump->snapshot);
    free(dump);
}
