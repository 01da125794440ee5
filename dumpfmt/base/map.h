/* SPDX-License-Identifier: MIT
 * map.h: an open-addressing map from 64-bit keys to 32-bit values, for addresses.
 *
 * Linear probing, power-of-two table, at most 5/8 full; key 0 is not allowed (no object lives at
 * address 0). It exists beside library hash tables because it is the inner loop of the whole
 * program: 12 bytes a slot, one cache line a look-up.
 */
#ifndef DF_BASE_MAP_H
#define DF_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DF_MAP_NONE UINT32_MAX

struct df_map {
    uint64_t *keys;
    uint32_t *values;
    size_t count, mask; /* mask + 1 slots; 0 slots while empty */
    unsigned shift;
};

void df_map_init(struct df_map *map);
void df_map_deinit(struct df_map *map);
/* Room for `count` keys without growing. */
void df_map_reserve(struct df_map *map, size_t count);

static inline size_t df_map_slot_(const struct df_map *map, uint64_t key)
{
    return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> map->shift);
}

/* The value of key, or DF_MAP_NONE. */
static inline uint32_t df_map_get(const struct df_map *map, uint64_t key)
{
    if (!map->keys)
        return DF_MAP_NONE;
    for (size_t slot = df_map_slot_(map, key);; slot = (slot + 1) & map->mask) {
        if (map->keys[slot] == key)
            return map->values[slot];
        if (!map->keys[slot])
            return DF_MAP_NONE;
    }
}

/* Sets key to value; overwrites. */
void df_map_set(struct df_map *map, uint64_t key, uint32_t value);
/* The value of key; when absent, inserts `fresh` and returns it with *added set. */
uint32_t df_map_add(struct df_map *map, uint64_t key, uint32_t fresh, bool *added);

#endif
