/* SPDX-License-Identifier: MIT
 * map.c: growth and insertion; look-up is inline in the header.
 *
 * Fibonacci hashing takes the upper bits of key * 2^64/phi: addresses, whose low bits are mostly
 * zero and whose high bits are mostly equal, spread well. Empty slots hold key 0 and value
 * DF_MAP_NONE, so that looking up the forbidden key 0 finds nothing.
 */
#include "dumpfmt/base/map.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define MINIMUM_BITS 4

void df_map_init(struct df_map *map)
{
    *map = (struct df_map){.shift = 64};
}

void df_map_deinit(struct df_map *map)
{
    free(map->keys);
    free(map->values);
    df_map_init(map);
}

static bool has_room(const struct df_map *map, size_t count)
{
    return map->keys && count <= (map->mask + 1) / 8 * 5;
}

static size_t find_slot(const struct df_map *map, uint64_t key)
{
    size_t slot = df_map_slot_(map, key);
    while (map->keys[slot] && map->keys[slot] != key)
        slot = (slot + 1) & map->mask;
    return slot;
}

void df_map_reserve(struct df_map *map, size_t count)
{
    if (has_room(map, count))
        return;
    unsigned bits = MINIMUM_BITS;
    while (bits < 60 && (UINT64_C(1) << bits) / 8 * 5 < count)
        bits++;
    struct df_map larger = {.mask = (UINT64_C(1) << bits) - 1, .shift = 64 - bits};
    larger.count = map->count;
    larger.keys = df_xcalloc(larger.mask + 1, sizeof(*larger.keys));
    larger.values = df_xrealloc(NULL, larger.mask + 1, sizeof(*larger.values));
    memset(larger.values, 0xff, (larger.mask + 1) * sizeof(*larger.values));
    for (size_t i = 0; map->keys && i <= map->mask; i++) {
        if (!map->keys[i])
            continue;
        size_t slot = find_slot(&larger, map->keys[i]);
        larger.keys[slot] = map->keys[i];
        larger.values[slot] = map->values[i];
    }
    free(map->keys);
    free(map->values);
    *map = larger;
}

uint32_t df_map_add(struct df_map *map, uint64_t key, uint32_t fresh, bool *added)
{
    *added = false;
    if (!key)
        return DF_MAP_NONE;
    if (!has_room(map, map->count + 1))
        df_map_reserve(map, map->count + 1);
    size_t slot = find_slot(map, key);
    if (map->keys[slot])
        return map->values[slot];
    map->keys[slot] = key;
    map->values[slot] = fresh;
    map->count++;
    *added = true;
    return fresh;
}

void df_map_set(struct df_map *map, uint64_t key, uint32_t value)
{
    if (!key)
        return;
    if (!has_room(map, map->count + 1))
        df_map_reserve(map, map->count + 1);
    size_t slot = find_slot(map, key);
    map->count += !map->keys[slot];
    map->keys[slot] = key;
    map->values[slot] = value;
}
