/* SPDX-License-Identifier: MIT
 * repeats.c: see repeats.h.
 *
 * Two bits for each of some four slots a hash: one had it, several had it. A hash whose slot has
 * seen one only is alone. A fifth of those that are alone share a slot by chance: the rest goes
 * through another, smaller table, in which other hashes share slots, until hardly any is dropped.
 */
#include "analyzer/findings/rules/repeats.h"

#include "dumpfmt/base/mem.h"

#define SLOTS 4     /* a hash, at least */
#define ROUNDS 4    /* at most */
#define WORTH_IT 16 /* a round that drops less than a sixteenth is the last */
#define AHEAD 16    /* hashes whose slots are fetched before they are needed */

struct table {
    uint8_t *slots; /* four a byte */
    unsigned shift;
    uint64_t factor;
};

static inline uint64_t slot_of(const struct table *table, uint32_t hash)
{
    return hash * table->factor >> table->shift;
}

static inline void see(struct table *table, uint32_t hash)
{
    uint64_t at = slot_of(table, hash);
    unsigned shift = (unsigned)(at % 4) * 2;
    uint8_t *four = &table->slots[at / 4], once = *four >> shift & 1;
    *four |= (uint8_t)((once ? 2 : 1) << shift);
}

static inline bool is_repeated(const struct table *table, uint32_t hash)
{
    uint64_t at = slot_of(table, hash);
    return table->slots[at / 4] >> at % 4 * 2 & 2;
}

static inline void fetch(const struct table *table, const uint32_t *hashes, uint32_t at,
                         uint32_t count)
{
    if (at < count - (count < AHEAD ? count : AHEAD))
        __builtin_prefetch(&table->slots[slot_of(table, hashes[at + AHEAD]) / 4]);
}

static uint32_t count_left(const uint32_t *hashes, uint32_t count)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < count; i++)
        left += hashes[i] != 0;
    return left;
}

static struct df_err *drop(uint32_t *hashes, uint32_t count, uint32_t left, uint64_t factor)
{
    DF_CLEANUP_FREE uint8_t *slots = NULL;
    unsigned bits = 6;
    while (UINT64_C(1) << bits < (uint64_t)left * SLOTS)
        bits++;
    struct table table = {.shift = 64 - bits, .factor = factor};
    DF_TRY(df_array_taken((size_t)1 << (bits - 2), 1, &slots));
    table.slots = slots;
    for (uint32_t i = 0; i < count; i++) {
        fetch(&table, hashes, i, count);
        if (hashes[i])
            see(&table, hashes[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        fetch(&table, hashes, i, count);
        if (hashes[i] && !is_repeated(&table, hashes[i]))
            hashes[i] = 0;
    }
    return NULL;
}

struct df_err *fi_keep_repeats(uint32_t *hashes, uint32_t count)
{
    static const uint64_t factors[ROUNDS] = {
        UINT64_C(0x9E3779B97F4A7C15), UINT64_C(0xD1B54A32D192ED03), UINT64_C(0x8CB92BA72F3D8DD7),
        UINT64_C(0xAEF17502108EF2D9)};
    uint32_t left = count_left(hashes, count);
    for (int round = 0; round < ROUNDS && left; round++) {
        uint32_t before = left;
        DF_TRY(drop(hashes, count, left, factors[round]));
        left = count_left(hashes, count);
        if (before - left < before / WORTH_IT)
            break;
    }
    return NULL;
}
