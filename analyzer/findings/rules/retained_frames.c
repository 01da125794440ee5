/* SPDX-License-Identifier: MIT
 * retained_frames.c: which frames are kept by themselves, after their functions have returned?
 *
 * sys._getframe(), inspect.stack() and tracebacks without their exception give frames that somebody
 * may keep; each keeps all its locals and the frames that called it.
 */
#include "analyzer/findings/rules/accuse.h"
#include "analyzer/findings/rules/frame_sample.h"

#include <string.h>

#include "analyzer/findings/hops.h"
#include "analyzer/objects/traceback.h"
#include "dumpfmt/base/mem.h"

#define LEAST 50 /* so many, or a twentieth of the heap */
#define SHARE 20
#define MANY 1000
#define SAMPLE 200
#define MAX_HOLDERS 64

static bool is_traceback(const struct py_type *type)
{
    return !strcmp(type->name, "traceback");
}

/* Held by what other rules look at, or by the frame that it has called. */
static bool goes_with_another(const struct fi_analysis *analysis, uint32_t node)
{
    static const char *const names[] = {"traceback", "frame", "generator", "coroutine",
                                        "async_generator"};
    static const char *const greenlet[] = {"greenlet.greenlet", NULL};
    const struct gr_graph *graph = analysis->graph;
    struct gr_referrers holders = gr_referrers(graph, node);
    uint32_t holder, asked = 0;
    while (asked++ < MAX_HOLDERS && gr_next_referrer(&holders, &holder)) {
        const struct py_type *type = fi_type(analysis, holder);
        if (py_is_exception(type) || fi_is_a(analysis, holder, greenlet))
            return true;
        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
            if (!strcmp(type->name, names[i]))
                return true;
    }
    return false;
}

static bool runs(const struct py *py, uint64_t frame_object)
{
    for (uint32_t i = 0; i < py->thread_count; i++)
        for (uint32_t j = 0; j < py->threads[i].frame_count; j++)
            if (py->threads[i].frames[j].frame_object == frame_object)
                return true;
    return false;
}

/* A greenlet that was switched away from: its functions go on some day. From 3.11 on a frame object
 * that has not its frame in itself is of a call that lives (Objects/frameobject.c, take_ownership).
 */
static bool is_suspended(const struct fi_analysis *analysis, uint32_t node)
{
    struct py_reader reader = py_reader(analysis->py);
    uint64_t address = gr_address(analysis->graph, node);
    if (is_traceback(fi_type(analysis, node)) ||
        !PY_HAS(reader.layout, frameobject, f_frame_data) ||
        !PY_HAS(reader.layout, frameobject, f_frame))
        return false;
    uint64_t frame = PY_PTR(&reader, address, frameobject, f_frame);
    return frame && frame != PY_AT(reader.layout, address, frameobject, f_frame_data);
}

static bool frame_of(const struct fi_analysis *analysis, uint32_t node, struct py_frame *ret)
{
    uint64_t address = gr_address(analysis->graph, node);
    struct py_traceback entry;
    if (!is_traceback(fi_type(analysis, node)))
        return py_frame_of_object(analysis->objects, address, ret);
    if (!py_traceback_read(analysis->objects, address, &entry) || !entry.frame.code)
        return false;
    *ret = entry.frame;
    return true;
}

static void accuse(struct fi_context *context, const struct fi_rule *rule,
                   const struct fi_pile *pile)
{
    const struct fi_analysis *analysis = context->analysis;
    struct fi_frame_sample sample = {.context = context, .keeper = pile->keeper};
    const char *type = fi_type_name(analysis, pile->members[0]);
    const char *keeper = fi_pile_keeper(context, pile);
    for (uint32_t i = 0; i < pile->count && i < SAMPLE; i++) {
        struct py_frame frame;
        if (frame_of(analysis, pile->members[i], &frame))
            fi_frame_sample_add(&sample, &frame);
    }
    struct fi_finding *finding = fi_pile_accuse(context, rule, pile, type, type);
    finding->severity = fi_at_least(fi_severity_of(context, pile->retained),
                                    fi_gravity(context, pile->retained, pile->count));
    if (pile->count >= MANY && pile->retained >= context->verdict->heap_bytes / SHARE)
        finding->severity = fi_at_least(finding->severity, FI_MEDIUM);
    finding->title = fi_pool_format(
        context->pool,
        "%s %ss of functions that have returned are kept%s%s, with their locals (%s)",
        fi_number_phrase(pile->count).text, type, keeper ? " by " : "", keeper ? keeper : "",
        fi_pile_share(context, pile->retained));
    char *text = py_text(analysis->objects, gr_address(analysis->graph, pile->members[0]), 160);
    fi_evidence(
        context, finding,
        fi_pool_format(context->pool, "for instance %s", fi_pool_take(context->pool, text)));
    fi_frame_sample_tell(&sample, finding);
    finding->advice = "Keep no frame beyond the call that it is of: take what is needed from it "
                      "(file, line, function: traceback.extract_stack(), inspect.getframeinfo()) "
                      "and `del` it, or call frame.clear().";
}

struct df_err *fi_ask_retained_frames(struct fi_context *context, const struct fi_rule *rule)
{
    const struct fi_analysis *analysis = context->analysis;
    const struct gr_graph *graph = analysis->graph;
    uint32_t types = py_type_count(analysis->objects), total = 0, count = 0;
    DF_CLEANUP_FREE uint8_t *right = df_xcalloc(types, 1);
    DF_CLEANUP_FREE uint32_t *nodes = NULL;
    for (uint32_t i = 0; i < types; i++)
        right[i] = is_traceback(py_type_at(analysis->objects, i)) ||
                   !strcmp(py_type_at(analysis->objects, i)->name, "frame");
    DF_TRY(fi_nodes_of(context, right, &nodes, &total));
    for (uint32_t i = 0; i < total; i++)
        if (!fi_is_garbage(analysis, nodes[i]) && !goes_with_another(analysis, nodes[i]) &&
            !runs(analysis->py, gr_address(graph, nodes[i])) && !is_suspended(analysis, nodes[i]))
            nodes[count++] = nodes[i];
    struct fi_piles piles;
    DF_TRY(fi_piles_find(context, nodes, count, LEAST, &piles));
    for (uint32_t i = 0; i < piles.count; i++)
        if (piles.items[i].keeper == AL_NONE || !fi_is_claimed(context, piles.items[i].keeper))
            accuse(context, rule, &piles.items[i]);
    fi_piles_deinit(&piles);
    return NULL;
}
