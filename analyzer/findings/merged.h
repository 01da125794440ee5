/* SPDX-License-Identifier: MIT
 * merged.h: the shapes of several profiles as one tree, with the figures of each. Private to this
 * folder.
 */
#ifndef FI_MERGED_H
#define FI_MERGED_H

#include "analyzer/findings/profile.h"

struct fi_place {   /* a shape of the merged tree; strings are the profiles' */
    uint32_t above; /* a lower number; AL_NONE for a root */
    uint8_t hop, flags;
    const char *label, *type;
    uint64_t limits[FI_MAX_LIMITS]; /* of the last dump */
    bool seen_first;   /* the first dump has it, or may have it in what it did not tell apart */
    int64_t grown;     /* bytes of it and below, first dump to last */
    int64_t grown_own; /* of it alone */
    int64_t grown_count;
    int64_t steady, steady_count; /* the same as grown, from the least step times the steps */
};

struct fi_merged {
    uint32_t dumps, count;
    struct fi_place *places;
    uint64_t *objects;             /* of place p in dump d: objects[p * dumps + d] */
    uint64_t *bytes;               /* of it and all below, likewise */
    uint32_t *child_start, *child; /* grown most first; row `count`: the roots */
};

struct df_err *fi_merged_make(const struct fi_profile *const *profiles, uint32_t count,
                              struct fi_merged *ret);
void fi_merged_deinit(struct fi_merged *merged);

static inline bool fi_is_element(const struct fi_place *place)
{
    return place->hop == FI_HOP_ELEMENT || place->hop == FI_HOP_KEY;
}

/* "shop.audit.LOG[*]", malloc'ed. */
char *fi_place_path(const struct fi_merged *merged, uint32_t place);

#endif
