/* SPDX-License-Identifier: MIT
 * merged.c: shapes of several profiles are one place when their holders are one place and their
 * labels and types are the same texts.
 */
#include "analyzer/findings/merged.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/map.h"
#include "dumpfmt/base/mem.h"

#define PATH_HOPS 40 /* written out; of longer paths the middle is left out */

struct merger {
    const struct fi_profile *const *profiles;
    uint32_t dumps;
    struct {
        struct fi_place *items;
        size_t count, capacity;
    } places;
    struct df_map by_hash;
    uint32_t **place_of; /* per profile, per shape */
};

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001B3);
    return hash;
}

static uint32_t intern_place(struct merger *m, uint32_t above, const struct fi_shape *shape)
{
    uint64_t hash = hash_text(UINT64_C(0xCBF29CE484222325) + above, shape->label);

    hash = hash_text(hash * 31, shape->type);
    for (;; hash = hash * UINT64_C(0x9E3779B97F4A7C15) + 1) {
        uint32_t known = hash ? df_map_get(&m->by_hash, hash) : DF_MAP_NONE;
        const struct fi_place *place = known == DF_MAP_NONE ? NULL : &m->places.items[known];

        if (!hash)
            continue;
        if (place && place->above == above && !strcmp(place->label, shape->label) &&
            !strcmp(place->type, shape->type))
            return known;
        if (place)
            continue;
        df_map_set(&m->by_hash, hash, (uint32_t)m->places.count);
        DF_PUSH(&m->places, (struct fi_place){.above = above,
                                              .hop = shape->hop,
                                              .flags = shape->flags,
                                              .label = shape->label,
                                              .type = shape->type});
        return (uint32_t)m->places.count - 1;
    }
}

static struct df_err *merge_profile(struct merger *m, uint32_t dump)
{
    const struct fi_profile *profile = m->profiles[dump];

    DF_TRY(df_array(profile->shape_count, sizeof(uint32_t), &m->place_of[dump]));
    for (uint32_t i = 0; i < profile->shape_count; i++) {
        const struct fi_shape *shape = &profile->shapes[i];
        uint32_t above = shape->above == AL_NONE ? AL_NONE : m->place_of[dump][shape->above];
        uint32_t place = intern_place(m, above, shape);

        m->place_of[dump][i] = place;
        if (dump == m->dumps - 1)
            memcpy(m->places.items[place].limits, shape->limits, sizeof(shape->limits));
    }
    return NULL;
}

/* Adds the figures of one profile; a shape's number is above those of the shapes below it. */
static void add_figures(struct merger *m, struct fi_merged *merged, uint32_t dump)
{
    const struct fi_profile *profile = m->profiles[dump];
    int64_t sign = dump == 0 ? -1 : dump == m->dumps - 1 ? 1 : 0;

    for (uint32_t i = 0; i < profile->shape_count; i++) {
        const struct fi_shape *shape = &profile->shapes[i];
        uint32_t place = m->place_of[dump][i];
        struct fi_place *p = &merged->places[place];

        merged->objects[(size_t)place * m->dumps + dump] += shape->count;
        merged->bytes[(size_t)place * m->dumps + dump] += shape->own_bytes + shape->rest_bytes;
        p->grown_own += sign * (int64_t)shape->own_bytes;
        p->grown_count += sign * (int64_t)shape->count;
        if (dump == 0)
            p->seen_first = true;
    }
}

/* What the first dump did not tell apart below a shape may have been anything. */
static void excuse(struct merger *m, struct fi_merged *merged)
{
    const struct fi_profile *first = m->profiles[0];
    uint8_t *vague = df_xcalloc(merged->count, 1);

    for (uint32_t i = 0; i < first->shape_count; i++)
        vague[m->place_of[0][i]] |= first->shapes[i].rest_bytes > 0;
    for (uint32_t p = 0; p < merged->count; p++) {
        uint32_t above = merged->places[p].above;

        if (above != AL_NONE && !merged->places[p].seen_first && vague[above])
            vague[p] = merged->places[p].seen_first = true;
    }
    free(vague);
}

/* What would have grown if each step had been as the least. */
static int64_t least_step(const uint64_t *figures, uint32_t dumps)
{
    int64_t least = INT64_MAX;

    for (uint32_t d = 1; d < dumps; d++)
        if ((int64_t)(figures[d] - figures[d - 1]) < least)
            least = (int64_t)(figures[d] - figures[d - 1]);
    return least * (dumps - 1);
}

static void sum_up(struct fi_merged *merged)
{
    uint32_t dumps = merged->dumps;

    for (uint32_t p = merged->count; p-- > 0;) {
        uint32_t above = merged->places[p].above;
        const uint64_t *bytes = &merged->bytes[(size_t)p * dumps];

        merged->places[p].grown = (int64_t)(bytes[dumps - 1] - bytes[0]);
        merged->places[p].steady = least_step(bytes, dumps);
        merged->places[p].steady_count = least_step(&merged->objects[(size_t)p * dumps], dumps);
        for (uint32_t d = 0; d < dumps && above != AL_NONE; d++)
            merged->bytes[(size_t)above * dumps + d] += bytes[d];
    }
}

static int compare_growth(const void *left, const void *right, void *data)
{
    const struct fi_place *places = data;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    if (places[a].grown != places[b].grown)
        return places[a].grown > places[b].grown ? -1 : 1;
    return (a > b) - (a < b);
}

static struct df_err *list_children(struct fi_merged *merged)
{
    uint32_t count = merged->count;

    DF_TRY(df_array((size_t)count + 3, sizeof(uint32_t), &merged->child_start));
    DF_TRY(df_array(count, sizeof(uint32_t), &merged->child));
    uint32_t *start = merged->child_start;
    for (uint32_t p = 0; p < count; p++) {
        uint32_t above = merged->places[p].above;

        start[(above == AL_NONE ? count : above) + 2]++;
    }
    for (uint32_t p = 0; p <= count; p++)
        start[p + 2] += start[p + 1];
    for (uint32_t p = 0; p < count; p++) {
        uint32_t above = merged->places[p].above;

        merged->child[start[(above == AL_NONE ? count : above) + 1]++] = p;
    }
    for (uint32_t p = 0; p <= count; p++)
        if (start[p + 1] - start[p] > 1)
            qsort_r(merged->child + start[p], start[p + 1] - start[p], sizeof(uint32_t),
                    compare_growth, merged->places);
    return NULL;
}

static struct df_err *merge(struct merger *m, struct fi_merged *ret)
{
    for (uint32_t d = 0; d < m->dumps; d++)
        DF_TRY(merge_profile(m, d));
    ret->dumps = m->dumps;
    ret->count = (uint32_t)m->places.count;
    ret->places = DF_TAKE(m->places.items);
    DF_TRY(df_array((size_t)ret->count * m->dumps, sizeof(uint64_t), &ret->objects));
    DF_TRY(df_array((size_t)ret->count * m->dumps, sizeof(uint64_t), &ret->bytes));
    for (uint32_t d = 0; d < m->dumps; d++)
        add_figures(m, ret, d);
    excuse(m, ret);
    sum_up(ret);
    return list_children(ret);
}

struct df_err *fi_merged_make(const struct fi_profile *const *profiles, uint32_t count,
                              struct fi_merged *ret)
{
    struct merger m = {.profiles = profiles, .dumps = count};
    struct df_err *err;

    *ret = (struct fi_merged){0};
    df_map_init(&m.by_hash);
    m.place_of = df_xcalloc(count, sizeof(*m.place_of));
    err = merge(&m, ret);
    for (uint32_t d = 0; d < count; d++)
        free(m.place_of[d]);
    free(m.place_of);
    free(m.places.items);
    df_map_deinit(&m.by_hash);
    if (err)
        fi_merged_deinit(ret);
    return err;
}

void fi_merged_deinit(struct fi_merged *merged)
{
    free(merged->places);
    free(merged->objects);
    free(merged->bytes);
    free(merged->child_start);
    free(merged->child);
    *merged = (struct fi_merged){0};
}

/* A cell is how CPython keeps a variable; the variable's name is enough. */
static bool is_hidden(const struct fi_merged *merged, const struct fi_place *place)
{
    const struct fi_place *holder = place->above == AL_NONE ? NULL : &merged->places[place->above];

    return holder && !strcmp(holder->type, "cell") && !fi_is_element(holder) &&
           !strcmp(place->label, ".cell_contents");
}

static void write_label(FILE *stream, const struct fi_merged *merged, uint32_t p)
{
    const struct fi_place *place = &merged->places[p];

    if (is_hidden(merged, place))
        return;
    fputs(place->label, stream);
    if (place->above == AL_NONE &&
        (!strcmp(place->label, "<garbage>") || !strcmp(place->label, "<unreached>")))
        fprintf(stream, " %s", place->type);
}

char *fi_place_path(const struct fi_merged *merged, uint32_t place)
{
    struct {
        uint32_t *items;
        size_t count, capacity;
    } chain = {0};
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);

    if (!stream)
        return df_xstrdup("");
    for (; place != AL_NONE; place = merged->places[place].above)
        DF_PUSH(&chain, place);
    for (size_t i = 0; i < chain.count; i++) {
        if (chain.count > PATH_HOPS && i == PATH_HOPS / 2) {
            fputs(".…", stream);
            i = chain.count - PATH_HOPS / 2;
        }
        write_label(stream, merged, chain.items[chain.count - i - 1]);
    }
    fclose(stream);
    free(chain.items);
    return text ? text : df_xstrdup("");
}
