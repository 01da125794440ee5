/* SPDX-License-Identifier: MIT
 * damage.c: see damage.h.
 *
 * Most kinds aim: at words of objects, and at words of the tables that objects point to, because
 * a random byte of a core is nearly always a byte that nobody reads.
 */
#include "tests/damage/damage.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct state {
    const struct damage_target *target;
    uint8_t *bytes;
    size_t size;
    uint64_t random;
    Elf64_Phdr *loads;
    size_t load_count;
};

static uint64_t next(struct state *s)
{
    uint64_t z = s->random += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static uint64_t below(struct state *s, uint64_t limit)
{
    return limit ? next(s) % limit : 0;
}

/* Segments with bytes, from the undamaged headers. */
static void find_loads(struct state *s)
{
    Elf64_Ehdr head;
    memcpy(&head, s->target->file, sizeof(head));
    s->loads = calloc((size_t)head.e_phnum + 1, sizeof(*s->loads));
    for (size_t i = 0; i < head.e_phnum; i++) {
        Elf64_Phdr row;
        memcpy(&row, s->target->file + head.e_phoff + i * sizeof(row), sizeof(row));
        if (row.p_type == PT_LOAD && row.p_filesz && row.p_offset < s->size &&
            row.p_filesz <= s->size - row.p_offset)
            s->loads[s->load_count++] = row;
    }
}

/* File offset of an address, 0 when the core does not have it. */
static size_t offset_of(const struct state *s, uint64_t address)
{
    for (size_t i = 0; i < s->load_count; i++)
        if (address >= s->loads[i].p_vaddr &&
            address - s->loads[i].p_vaddr + 8 <= s->loads[i].p_filesz)
            return (size_t)(s->loads[i].p_offset + (address - s->loads[i].p_vaddr));
    return 0;
}

static uint64_t get(const struct state *s, size_t offset)
{
    uint64_t word = 0;
    if (offset + 8 <= s->size)
        memcpy(&word, s->bytes + offset, 8);
    return word;
}

static void put(struct state *s, size_t offset, uint64_t word)
{
    if (offset + 8 <= s->size)
        memcpy(s->bytes + offset, &word, 8);
}

static uint64_t some_object(struct state *s)
{
    return s->target->object_count ? s->target->objects[below(s, s->target->object_count)] : 0;
}

static uint64_t some_address(struct state *s)
{
    const Elf64_Phdr *load = &s->loads[below(s, s->load_count)];
    return s->load_count ? load->p_vaddr + below(s, load->p_filesz) : 0;
}

/* A word that hurts in place of `old`. */
static uint64_t bad_word(struct state *s, uint64_t old)
{
    switch (below(s, 14)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2:
        return next(s);
    case 3:
    case 4:
        return some_object(s);
    case 5:
        return some_address(s) & ~UINT64_C(7);
    case 6:
        return some_address(s);
    case 7:
        return UINT64_C(1) << below(s, 64);
    case 8:
        return (UINT64_C(1) << below(s, 64)) - 1;
    case 9:
        return old + below(s, 64) * 8;
    case 10:
        return old ^ UINT64_C(1) << below(s, 64);
    case 11:
        return -old;
    case 12: /* bytes, for the small fields of headers */
        return old ^ next(s) << 8 * below(s, 8);
    default:
        return below(s, 100000);
    }
}

/* A word of an object, or of what it points to, or of what that points to. */
static void hit_object(struct state *s)
{
    uint64_t at = some_object(s);
    for (uint64_t depth = below(s, 3);; depth--) {
        uint64_t word = below(s, 12), base = word < 10 ? 0 : below(s, 60);
        size_t offset = offset_of(s, at + (base + word) * 8);
        if (!offset)
            return;
        if (!depth) {
            put(s, offset, bad_word(s, get(s, offset)));
            return;
        }
        at = get(s, offset);
    }
}

/* A pointer made to lead back to where it came from, or to its own place. */
static void hit_cycle(struct state *s)
{
    uint64_t object = some_object(s);
    size_t offset = offset_of(s, object);
    for (int word = 1; offset && word < 12; word++) {
        uint64_t there = get(s, offset + (size_t)word * 8);
        size_t inner = offset_of(s, there);
        if (!inner || below(s, 2))
            continue;
        inner = offset_of(s, there + below(s, 6) * 8);
        if (inner)
            put(s, inner, below(s, 2) ? there : object);
        return;
    }
}

/* The fields of type objects: everything else depends on them. */
static void hit_type(struct state *s)
{
    size_t offset = offset_of(s, some_object(s));
    size_t type = offset ? offset_of(s, get(s, offset + 8) + below(s, 120) * 8) : 0;
    if (type)
        put(s, type, bad_word(s, get(s, type)));
}

static void hit_bytes(struct state *s)
{
    uint64_t count = 1 + below(s, 2000);
    for (uint64_t i = 0; i < count; i++)
        s->bytes[below(s, s->size)] = (uint8_t)next(s);
}

static void hit_pages(struct state *s)
{
    size_t at = below(s, s->size) & ~UINT64_C(4095), count = 4096 * (1 + below(s, 64));
    if (count > s->size - at)
        count = s->size - at;
    memset(s->bytes + at, below(s, 3) ? 0 : (int)below(s, 256), count);
}

/* ELF header, program headers and notes: they come first in a core. */
static void hit_headers(struct state *s)
{
    size_t end = s->size;
    for (size_t i = 0; i < s->load_count; i++)
        end = s->loads[i].p_offset < end ? (size_t)s->loads[i].p_offset : end;
    if (end > 65536 && below(s, 4))
        end = 16384;
    for (uint64_t i = 1 + below(s, 30); i--;) {
        size_t at = 16 + below(s, end > 24 ? end - 24 : 1);
        if (below(s, 2))
            s->bytes[at] = (uint8_t)next(s);
        else
            put(s, at & ~(size_t)7, bad_word(s, get(s, at & ~(size_t)7)));
    }
}

static void repeat(struct state *s, void (*hit)(struct state *s), uint64_t limit)
{
    for (uint64_t count = 1 + below(s, limit); count--;)
        hit(s);
}

uint8_t *damage_make(const struct damage_target *target, uint64_t seed, size_t *ret_size,
                     char what[256])
{
    static const struct {
        const char *name;
        void (*hit)(struct state *s);
        uint64_t limit;
    } kinds[] = {
        {"objects", hit_object, 3000}, {"objects", hit_object, 100}, {"objects", hit_object, 30000},
        {"cycles", hit_cycle, 3000},   {"types", hit_type, 300},     {"types", hit_type, 10},
        {"bytes", hit_bytes, 5},       {"pages", hit_pages, 30},     {"headers", hit_headers, 1},
    };
    struct state s = {.target = target, .size = target->size, .random = seed * 1000003 + 17};
    s.bytes = malloc(s.size + 1);
    if (!s.bytes)
        abort();
    memcpy(s.bytes, target->file, s.size);
    find_loads(&s);
    size_t used = (size_t)snprintf(what, 256, "seed %llu:", (unsigned long long)seed);
    for (uint64_t count = 1 + below(&s, 2); count-- && s.load_count;) {
        uint64_t kind = below(&s, sizeof(kinds) / sizeof(*kinds));
        repeat(&s, kinds[kind].hit, kinds[kind].limit);
        used += (size_t)snprintf(what + used, 256 - used, " %s", kinds[kind].name);
    }
    if (below(&s, 8) == 0) {
        s.size = below(&s, s.size);
        snprintf(what + used, 256 - used, " cut at %zu", s.size);
    }
    free(s.loads);
    *ret_size = s.size;
    return s.bytes;
}
