/* SPDX-License-Identifier: MIT
 * saved_traces.c: what tracemalloc wrote down, added up, as bytes (as saved_verdict.c).
 */
#include "analyzer/findings/saved.h"

#include "analyzer/findings/codec.h"

#define KIND "trac"

static void stack(struct fi_codec *c, void *element)
{
    struct py_trace_stack *it = element;

    FI_CODE(c, it->first);
    FI_CODE(c, it->count);
    FI_CODE(c, it->total);
}

static void trace_frame(struct fi_codec *c, void *element)
{
    struct py_trace_frame *it = element;

    FI_CODE(c, it->file);
    FI_CODE(c, it->line);
}

static void sum(struct fi_codec *c, void *element)
{
    struct fi_trace_sum *it = element;

    FI_CODE(c, it->stack);
    FI_CODE(c, it->size);
    FI_CODE(c, it->count);
}

static void type(struct fi_codec *c, void *element)
{
    struct fi_trace_type *it = element;

    FI_CODE_NAME(c, it->type);
    FI_CODE(c, it->objects);
    FI_CODE(c, it->untraced);
    FI_CODE_ARRAY(c, it->sums, it->sum_count, sum);
}

static void traces(struct fi_codec *c, void *whole)
{
    struct fi_traces *it = whole;

    FI_CODE_ENUM(c, it->state, PY_TRACING_LOST);
    FI_CODE(c, it->max_frames);
    FI_CODE(c, it->traced_bytes);
    FI_CODE(c, it->peak_bytes);
    FI_CODE(c, it->own_bytes);
    FI_CODE(c, it->blocks);
    FI_CODE(c, it->damaged);
    FI_CODE_ARRAY(c, it->stacks, it->stack_count, stack);
    FI_CODE_ARRAY(c, it->frames, it->frame_count, trace_frame);
    FI_CODE_ARRAY(c, it->files, it->file_count, fi_code_name_item);
    FI_CODE_ARRAY(c, it->sums, it->sum_count, sum);
    FI_CODE_ARRAY(c, it->types, it->type_count, type);
    FI_CODE(c, it->gap);
}

static bool sums_make_sense(const struct fi_traces *it, const struct fi_trace_sum *sums,
                            uint32_t count)
{
    bool sense = true;

    for (uint32_t i = 0; i < count; i++)
        sense &= sums[i].stack < it->stack_count;
    return sense;
}

/* Tracebacks stand one after the other: none is in another, so that all rows together are no longer
 * than the table of frames. */
static bool stacks_make_sense(const struct fi_traces *it)
{
    uint32_t next = 0;
    bool sense = true;

    for (uint32_t i = 0; i < it->stack_count && sense; i++) {
        const struct py_trace_stack *one = &it->stacks[i];

        sense = one->count && one->first == next && one->count <= it->frame_count - next;
        next += sense ? one->count : 0;
    }
    for (uint32_t i = 0; i < it->frame_count; i++)
        sense &= it->frames[i].file < it->file_count;
    return sense;
}

static bool makes_sense(const struct fi_traces *it)
{
    bool sense = stacks_make_sense(it) && sums_make_sense(it, it->sums, it->sum_count);

    for (uint32_t i = 0; i < it->type_count; i++)
        sense &= sums_make_sense(it, it->types[i].sums, it->types[i].sum_count);
    return sense;
}

struct df_err *fi_traces_save(const struct fi_traces *from, void **ret, size_t *ret_size)
{
    return fi_encode(KIND, traces, from, ret, ret_size);
}

struct df_err *fi_traces_load(const void *bytes, size_t size, struct fi_traces **ret)
{
    struct fi_pool *pool = fi_pool_create();
    struct fi_traces *made = fi_pool_array(pool, 1, sizeof(*made));
    struct df_err *err = fi_decode(KIND, traces, bytes, size, pool, sizeof(*made), made);

    if (!err && !makes_sense(made))
        err = df_err_new(DF_ERR_INPUT, "this snapshot is damaged: its tracebacks are none");
    if (err) {
        fi_pool_destroy(pool);
        return err;
    }
    made->pool = pool;
    *ret = made;
    return NULL;
}
