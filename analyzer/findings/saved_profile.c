/* SPDX-License-Identifier: MIT
 * saved_profile.c: a profile as bytes (as saved_verdict.c).
 */
#include "analyzer/findings/saved.h"

#include "analyzer/findings/codec.h"
#include "analyzer/findings/parts.h"

#define KIND "prof"
#define MOST (INT64_C(1) << 56) /* of all bytes, of all objects: sums of several dumps fit too */

static void shape(struct fi_codec *c, void *element)
{
    struct fi_shape *it = element;

    FI_CODE(c, it->above);
    FI_CODE_ENUM(c, it->hop, FI_HOP_OTHERS);
    FI_CODE(c, it->flags);
    FI_CODE_NAME(c, it->label);
    FI_CODE_NAME(c, it->type);
    FI_CODE(c, it->count);
    FI_CODE(c, it->own_bytes);
    FI_CODE(c, it->rest_objects);
    FI_CODE(c, it->rest_bytes);
    for (int i = 0; i < FI_MAX_LIMITS; i++)
        FI_CODE(c, it->limits[i]);
}

static void profile(struct fi_codec *c, void *whole)
{
    struct fi_profile *it = whole;

    FI_CODE_NAME(c, it->path);
    FI_CODE(c, it->executable);
    FI_CODE(c, it->machine);
    FI_CODE_NAME(c, it->version);
    FI_CODE(c, it->free_threaded);
    FI_CODE(c, it->debug_build);
    FI_CODE(c, it->pid);
    FI_CODE(c, it->gap);
    FI_CODE(c, it->objects);
    FI_CODE(c, it->heap_bytes);
    FI_CODE_ARRAY(c, it->types, it->type_count, fi_code_type_row);
    FI_CODE_ARRAY(c, it->shapes, it->shape_count, shape);
}

/* Takes a figure off what is left of a sum; false when there is not so much. */
static bool fits(uint64_t *left, uint64_t figure)
{
    bool fit = figure <= *left;

    *left -= fit ? figure : *left;
    return fit;
}

/* Whoever compares adds up in 64 bits, and follows `above` to a root. */
static bool makes_sense(const struct fi_profile *it)
{
    uint64_t objects = MOST, bytes = MOST;
    bool sense = true;

    for (uint32_t i = 0; i < it->shape_count && sense; i++) {
        const struct fi_shape *one = &it->shapes[i];

        sense = (one->above == AL_NONE || one->above < i) && fits(&objects, one->count) &&
                fits(&objects, one->rest_objects) && fits(&bytes, one->own_bytes) &&
                fits(&bytes, one->rest_bytes);
    }
    return sense;
}

struct df_err *fi_profile_save(const struct fi_profile *from, void **ret, size_t *ret_size)
{
    return fi_encode(KIND, profile, from, ret, ret_size);
}

struct df_err *fi_profile_load(const void *bytes, size_t size, struct fi_profile **ret)
{
    struct fi_pool *pool = fi_pool_create();
    struct fi_profile *made = fi_pool_array(pool, 1, sizeof(*made));
    struct df_err *err = fi_decode(KIND, profile, bytes, size, pool, sizeof(*made), made);

    if (!err && !makes_sense(made))
        err = df_err_new(DF_ERR_INPUT, "this snapshot is damaged: its tree of paths is none");
    if (err) {
        fi_pool_destroy(pool);
        return err;
    }
    made->pool = pool;
    *ret = made;
    return NULL;
}
