/* SPDX-License-Identifier: MIT
 * ctype_selves.c: see ctype_selves.h.
 */
#include "dumpfmt/ctype_selves.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/ctype_cache.h"

#define MAGIC "necroSS" /* with its final 0: 8 bytes */
#define VERSION 1       /* counts up with every change of the format or of dwarf_self.c's choice */
#define SUFFIX "selves"
#define MAX_ROWS (1u << 20)
#define MAX_STRINGS (1u << 28)

struct header {
    char magic[8];
    uint32_t version, rows;
    uint64_t checksum; /* of everything after this field */
    uint64_t source;   /* bytes of the file that it was read from */
    uint64_t strings;  /* bytes */
    char build_id[DF_CT_BUILD_ID];
};

static_assert(sizeof(struct header) == 40 + DF_CT_BUILD_ID, "no padding in files");
static_assert(sizeof(struct df_ct_self) == 24, "no padding in files");

void df_ct_selves_init(struct df_ct_selves *selves)
{
    *selves = (struct df_ct_selves){0};
    df_map_init(&selves->by_function);
    DF_PUSH(&selves->strings, 0);
}

void df_ct_selves_deinit(struct df_ct_selves *selves)
{
    free(selves->rows.items);
    free(selves->strings.items);
    df_map_deinit(&selves->by_function);
    *selves = (struct df_ct_selves){0};
}

/* Two questions may share a key: the row says which one it answers. */
static uint64_t key(uint64_t function, uint64_t size)
{
    return function ^ size << 40;
}

bool df_ct_selves_get(const struct df_ct_selves *selves, uint64_t function, uint64_t size,
                      const char **ret_name)
{
    uint32_t row = df_map_get(&selves->by_function, key(function, size));
    if (row == DF_MAP_NONE)
        return false;
    const struct df_ct_self *self = &selves->rows.items[row];
    if (self->function != function || self->size != size)
        return false;
    *ret_name = self->name ? selves->strings.items + self->name : NULL;
    return true;
}

void df_ct_selves_add(struct df_ct_selves *selves, uint64_t function, uint64_t size,
                      const char *name)
{
    if (selves->rows.count >= MAX_ROWS || selves->strings.count >= MAX_STRINGS)
        return;
    struct df_ct_self row = {.function = function, .size = size};
    if (name) {
        row.name = (uint32_t)selves->strings.count;
        for (size_t i = 0; i <= strlen(name); i++)
            DF_PUSH(&selves->strings, name[i]);
    }
    df_map_set(&selves->by_function, key(function, size), (uint32_t)selves->rows.count);
    DF_PUSH(&selves->rows, row);
    selves->changed = true;
}

static uint64_t checksum(const struct header *header, uint64_t bytes)
{
    return df_ct_checksum(header, offsetof(struct header, checksum) + sizeof(header->checksum),
                          bytes);
}

static bool is_good(const struct header *header, uint64_t bytes, const char *build_id,
                    uint64_t source)
{
    return bytes >= sizeof(*header) && memcmp(header->magic, MAGIC, sizeof(header->magic)) == 0 &&
           header->version == VERSION && header->rows <= MAX_ROWS && header->strings &&
           header->strings <= 2 * (uint64_t)MAX_STRINGS && header->source == source &&
           bytes == sizeof(*header) + header->rows * sizeof(struct df_ct_self) + header->strings &&
           memchr(header->build_id, 0, sizeof(header->build_id)) &&
           strcmp(header->build_id, build_id) == 0 && header->checksum == checksum(header, bytes) &&
           ((const char *)header)[bytes - 1] == 0;
}

void df_ct_selves_load(struct df_ct_selves *selves, const char *directory, const char *build_id,
                       uint64_t source)
{
    uint64_t bytes = 0;
    DF_CLEANUP_FREE struct header *header = df_ct_cache_read(directory, build_id, SUFFIX, &bytes);
    if (!header || !is_good(header, bytes, build_id, source))
        return;
    const struct df_ct_self *rows = (const struct df_ct_self *)(header + 1);
    const char *strings = (const char *)(rows + header->rows);
    for (uint32_t i = 0; i < header->rows; i++)
        if (rows[i].name < header->strings)
            df_ct_selves_add(selves, rows[i].function, rows[i].size,
                             rows[i].name ? strings + rows[i].name : NULL);
    selves->changed = false;
}

void df_ct_selves_store(struct df_ct_selves *selves, const char *directory, const char *build_id,
                        uint64_t source)
{
    size_t rows = selves->rows.count * sizeof(*selves->rows.items);
    size_t bytes = sizeof(struct header) + rows + selves->strings.count;
    if (!selves->changed || strlen(build_id) >= DF_CT_BUILD_ID)
        return;
    DF_CLEANUP_FREE struct header *header = df_xcalloc(1, bytes);
    memcpy(header->magic, MAGIC, sizeof(header->magic));
    header->version = VERSION;
    header->rows = (uint32_t)selves->rows.count;
    header->source = source;
    header->strings = selves->strings.count;
    memcpy(header->build_id, build_id, strlen(build_id) + 1);
    memcpy(header + 1, selves->rows.items, rows);
    memcpy((char *)(header + 1) + rows, selves->strings.items, selves->strings.count);
    header->checksum = checksum(header, bytes);
    df_ct_cache_write(directory, build_id, SUFFIX, header, bytes);
}
