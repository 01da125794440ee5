/* SPDX-License-Identifier: MIT
 * diff.c: several profiles compared: types, places, and whether they compare at all.
 */
#include "analyzer/findings/diff.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/findings/growth.h"
#include "analyzer/findings/phrase.h"
#include "analyzer/findings/pool.h"
#include "dumpfmt/base/mem.h"

#define LEAST_GROWTH 16384 /* bytes; less, */
#define LEAST_SHARE 2000   /* or less than this part of the heap, is no growth to speak of */
#define FIGURES 3

const char *fi_growth_kind_name(enum fi_growth_kind kind)
{
    static const char *const names[] = {
        [FI_GROWS_ELEMENTS] = "elements", [FI_GROWS_SIZE] = "size",       [FI_GROWS_NEW] = "new",
        [FI_GROWS_ONCE] = "once",         [FI_GROWS_GARBAGE] = "garbage", [FI_GROWS_CODE] = "code",
        [FI_GROWS_LIMITED] = "limited",
    };

    return kind < FI_GROWTH_KINDS ? names[kind] : "?";
}

/* One type of one dump. */
struct type_entry {
    const struct fi_type_row *row;
    uint32_t dump;
};

static int compare_entries(const void *left, const void *right)
{
    const struct type_entry *a = left, *b = right;
    int order = strcmp(a->row->type, b->row->type);

    return order ? order : (a->dump > b->dump) - (a->dump < b->dump);
}

/* Types that grew in each step first, then by bytes. */
static int compare_types(const void *left, const void *right)
{
    const struct fi_type_growth *a = left, *b = right;
    bool steady_a = a->monotone && a->grown_bytes > 0, steady_b = b->monotone && b->grown_bytes > 0;

    if (steady_a != steady_b)
        return steady_a ? -1 : 1;
    if (a->grown_bytes != b->grown_bytes)
        return a->grown_bytes > b->grown_bytes ? -1 : 1;
    return strcmp(a->type, b->type);
}

static struct fi_type_growth make_type(struct fi_diff *diff, const struct type_entry *entries,
                                       size_t count)
{
    uint32_t dumps = diff->dump_count;
    uint64_t *figures = fi_pool_array(diff->pool, (size_t)FIGURES * dumps, sizeof(*figures));
    struct fi_type_growth type = {.type = fi_pool_text(diff->pool, entries->row->type),
                                  .counts = figures,
                                  .shallow = figures + dumps,
                                  .retained = figures + 2 * (size_t)dumps};

    for (size_t i = 0; i < count; i++) {
        const struct fi_type_row *row = entries[i].row;

        figures[entries[i].dump] = row->count;
        figures[dumps + entries[i].dump] = row->shallow_bytes;
        figures[2 * dumps + entries[i].dump] = row->retained_bytes;
    }
    type.grown_objects = (int64_t)(type.counts[dumps - 1] - type.counts[0]);
    type.grown_bytes = (int64_t)(type.shallow[dumps - 1] - type.shallow[0]);
    type.monotone = fi_is_monotone(type.shallow, dumps);
    return type;
}

static void compare_by_type(const struct fi_profile *const *profiles, struct fi_diff *diff)
{
    size_t count = 0, used = 0, run;
    struct type_entry *entries;

    for (uint32_t d = 0; d < diff->dump_count; d++)
        count += profiles[d]->type_count;
    entries = df_xcalloc(count, sizeof(*entries));
    for (uint32_t d = 0; d < diff->dump_count; d++)
        for (uint32_t i = 0; i < profiles[d]->type_count; i++)
            entries[used++] = (struct type_entry){&profiles[d]->types[i], d};
    if (count)
        qsort(entries, count, sizeof(*entries), compare_entries);
    diff->types = fi_pool_array(diff->pool, count, sizeof(*diff->types));
    for (size_t i = 0; i < count; i += run) {
        struct fi_type_growth type;

        for (run = 1; i + run < count && !strcmp(entries[i].row->type, entries[i + run].row->type);)
            run++;
        type = make_type(diff, entries + i, run);
        if (type.grown_bytes || type.grown_objects)
            diff->types[diff->type_count++] = type;
    }
    free(entries);
    if (diff->type_count)
        qsort(diff->types, diff->type_count, sizeof(*diff->types), compare_types);
}

static void warn(struct fi_diff *diff, const char *sentence)
{
    diff->warnings[diff->warning_count++] = sentence;
}

static bool differ(const char *a, const char *b)
{
    return a && b && *a && *b && strcmp(a, b) != 0;
}

/* "3.11" and "3.11.2+" are the same as to sizes, "3.11" and "3.12" are not. */
static bool same_minor(const char *a, const char *b)
{
    size_t dots = 0, at = 0;

    for (; a[at] && a[at] == b[at]; at++)
        if (a[at] == '.' && ++dots == 2)
            return true;
    return !a[at] && !b[at];
}

static const char *kind_of_build(const struct fi_profile *profile)
{
    return profile->free_threaded ? "free-threaded" : profile->debug_build ? "debug" : "release";
}

/* Why two dumps compare badly. Sizes of all objects differ between versions and builds. */
static void warn_of_pair(struct fi_diff *diff, const struct fi_profile *a,
                         const struct fi_profile *b)
{
    if (differ(a->machine, b->machine))
        warn(diff,
             fi_pool_format(diff->pool, "%s is of a %s process, %s of a %s one: sizes differ.",
                            a->path, a->machine, b->path, b->machine));
    if (!same_minor(a->version, b->version))
        warn(diff,
             fi_pool_format(diff->pool,
                            "The dumps are of different versions of Python (%s and %s): objects "
                            "have other sizes, so part of the difference is not growth.",
                            a->version, b->version));
    if (a->free_threaded != b->free_threaded || a->debug_build != b->debug_build)
        warn(diff, fi_pool_format(diff->pool,
                                  "One dump is of a %s build of Python, the other of a %s one: "
                                  "objects have other sizes.",
                                  kind_of_build(a), kind_of_build(b)));
    if (differ(a->executable, b->executable))
        warn(diff, fi_pool_format(diff->pool, "The dumps are of different programs (%s and %s).",
                                  a->executable, b->executable));
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void fill_dumps(const struct fi_profile *const *profiles, struct fi_diff *diff)
{
    uint32_t count = diff->dump_count;

    diff->dumps = fi_pool_array(diff->pool, count, sizeof(*diff->dumps));
    diff->warnings = fi_pool_array(diff->pool, (size_t)5 * count, sizeof(*diff->warnings));
    for (uint32_t d = 0; d < count; d++) {
        const struct fi_profile *profile = profiles[d];

        diff->dumps[d] = (struct fi_diff_dump){.path = profile->path,
                                               .version = profile->version,
                                               .gap = profile->gap,
                                               .pid = profile->pid,
                                               .objects = profile->objects,
                                               .heap_bytes = profile->heap_bytes};
        if (d)
            warn_of_pair(diff, profiles[d - 1], profile);
        if (profile->gap)
            warn(diff, fi_pool_format(diff->pool, "%s could not be read in whole: %s.",
                                      base_name(profile->path), profile->gap));
    }
    diff->grown_bytes = (int64_t)(diff->dumps[count - 1].heap_bytes - diff->dumps[0].heap_bytes);
}

static const char *heap_sentence(const struct fi_diff *diff)
{
    const struct fi_diff_dump *old = &diff->dumps[0], *new = &diff->dumps[diff->dump_count - 1];

    return fi_pool_format(
        diff->pool,
        "Nothing grew to speak of: the heap had %s in %s objects, and then %s in "
        "%s.",
        fi_bytes_phrase(old->heap_bytes).text, fi_number_phrase(old->objects).text,
        fi_bytes_phrase(new->heap_bytes).text, fi_number_phrase(new->objects).text);
}

static void say(struct fi_diff *diff)
{
    const struct fi_growth *first = diff->path_count ? &diff->paths[0] : NULL;
    uint64_t heap = diff->dumps[diff->dump_count - 1].heap_bytes;
    const char *steps = "";

    diff->grew = first && first->grown_bytes >= LEAST_GROWTH &&
                 (uint64_t)first->grown_bytes >= heap / LEAST_SHARE;
    if (!diff->grew) {
        diff->sentence = heap_sentence(diff);
        return;
    }
    if (diff->dump_count > 2)
        steps =
            first->monotone
                ? fi_pool_format(diff->pool, " It grew in each of %u steps.", diff->dump_count - 1)
                : " It did not grow in every step, and nothing that matters did: rather caches "
                  "that filled than a leak.";
    diff->sentence = fi_pool_format(
        diff->pool, "%s, %s of all growth.%s", first->sentence,
        fi_percent_phrase((uint64_t)first->grown_bytes, diff->all_growth).text, steps);
}

struct df_err *fi_diff_make(const struct fi_profile *const *profiles, uint32_t count,
                            struct fi_diff **ret)
{
    struct fi_pool *pool;
    struct fi_merged merged;
    struct fi_diff *diff;

    if (count < 2 || count > FI_MAX_DUMPS)
        return df_err_new(DF_ERR_USAGE, "from 2 to %u dumps can be compared", FI_MAX_DUMPS);
    DF_TRY(fi_merged_make(profiles, count, &merged));
    pool = fi_pool_create();
    diff = fi_pool_array(pool, 1, sizeof(*diff));
    diff->pool = pool;
    diff->dump_count = count;
    fill_dumps(profiles, diff);
    compare_by_type(profiles, diff);
    fi_find_growth(&merged, diff);
    fi_merged_deinit(&merged);
    say(diff);
    *ret = diff;
    return NULL;
}

void fi_diff_free(struct fi_diff *diff)
{
    if (diff)
        fi_pool_destroy(diff->pool);
}
