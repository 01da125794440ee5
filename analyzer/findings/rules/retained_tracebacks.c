/* SPDX-License-Identifier: MIT
 * retained_tracebacks.c: which exceptions are kept, and with them frames and their locals?
 *
 * An exception refers to its traceback, this to a frame for each call that it passed, and these to
 * all locals of the calls, and to the frames that called them. Kept for a log line, it keeps what
 * the request worked on. The same for tracebacks and frames that are kept by themselves.
 */
#include "analyzer/findings/rules/accuse.h"
#include "analyzer/findings/rules/frame_sample.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/findings/hops.h"
#include "analyzer/objects/traceback.h"
#include "dumpfmt/base/mem.h"

#define LEAST 50            /* so many, or */
#define SHARE 20            /* one that keeps a twentieth of the heap */
#define MANY 1000           /* are no coincidence */
#define MAX_DEPTH 1000      /* entries of one traceback */
#define MAX_ENTRIES 2000000 /* of all */
#define SAMPLE 200          /* exceptions whose frames are looked at */
#define MAX_HOLDERS 64

/* The frames of one traceback: counted, and (look) their locals. The line where it was raised. */
static uint32_t walk(struct fi_frame_sample *sample, uint64_t traceback, bool look,
                     struct py_traceback *ret_last)
{
    struct py_objects *objects = sample->context->analysis->objects;
    uint32_t depth = 0;
    struct py_traceback entry;
    while (traceback && depth < MAX_DEPTH && sample->frames < MAX_ENTRIES &&
           py_traceback_read(objects, traceback, &entry)) {
        depth++;
        sample->frames++;
        if (look)
            fi_frame_sample_add(sample, &entry.frame);
        *ret_last = entry;
        traceback = entry.next;
    }
    return depth;
}

static void tell_raised(struct fi_context *context, struct fi_finding *finding, uint32_t node,
                        const struct py_traceback *last)
{
    const struct fi_analysis *analysis = context->analysis;
    char *text = fi_pool_take(context->pool,
                              py_text(analysis->objects, gr_address(analysis->graph, node), 100));
    DF_CLEANUP_FREE char *name =
        last->frame.code ? py_code_name(analysis->py, last->frame.code) : NULL;
    DF_CLEANUP_FREE char *file =
        last->frame.code ? py_code_file(analysis->py, last->frame.code) : NULL;
    fi_evidence(context, finding,
                name && file
                    ? fi_pool_format(context->pool, "for instance %s, raised in %s (%s:%d)", text,
                                     name, file, last->line)
                    : fi_pool_format(context->pool, "for instance %s", text));
}

/* The type that most of the members have. */
static const char *usual_type(struct fi_context *context, const struct fi_pile *pile)
{
    const struct fi_analysis *analysis = context->analysis;
    uint32_t types = py_type_count(analysis->objects),
             best = gr_type(analysis->graph, pile->members[0]);
    DF_CLEANUP_FREE uint32_t *count = df_xcalloc(types, sizeof(*count));
    for (uint32_t i = 0; i < pile->count; i++) {
        uint32_t type = gr_type(analysis->graph, pile->members[i]);
        if (++count[type] > count[best])
            best = type;
    }
    return py_type_at(analysis->objects, best)->name;
}

static enum fi_severity grade(const struct fi_context *context, const struct fi_pile *pile)
{
    enum fi_severity severity = fi_at_least(fi_severity_of(context, pile->retained),
                                            fi_gravity(context, pile->retained, pile->count));
    if (pile->count >= MANY && pile->retained >= context->verdict->heap_bytes / SHARE)
        return fi_at_least(severity, FI_MEDIUM);
    return severity;
}

static void accuse(struct fi_context *context, const struct fi_rule *rule,
                   const struct fi_pile *pile)
{
    const struct fi_analysis *analysis = context->analysis;
    struct fi_frame_sample sample = {.context = context, .keeper = pile->keeper};
    struct py_traceback last = {0};
    for (uint32_t i = 0; i < pile->count; i++) {
        uint64_t traceback = py_exception_traceback(analysis->objects,
                                                    gr_address(analysis->graph, pile->members[i]));
        struct py_traceback end = {0};
        walk(&sample, traceback, i < SAMPLE, i ? &end : &last);
    }
    const char *type = usual_type(context, pile), *keeper = fi_pile_keeper(context, pile);
    struct fi_finding *finding = fi_pile_accuse(context, rule, pile, type, type);
    finding->severity = grade(context, pile);
    if (pile->count == 1)
        finding->title = fi_pool_format(
            context->pool,
            "`%s`, %s, keeps the %sframe%s that it passed through, with %s locals (%s)",
            finding->holder.path,
            fi_type_phrase(context->pool, fi_type(analysis, pile->members[0])),
            sample.frames == 1
                ? ""
                : fi_pool_format(context->pool, "%s ", fi_number_phrase(sample.frames).text),
            sample.frames == 1 ? "" : "s", sample.frames == 1 ? "its" : "their",
            fi_pile_share(context, pile->retained));
    else
        finding->title = fi_pool_format(
            context->pool,
            "%s exceptions, mostly `%s`, are kept%s%s, and with them their tracebacks: %s frames "
            "and their locals (%s)",
            fi_number_phrase(pile->count).text, type, keeper ? " by " : "", keeper ? keeper : "",
            fi_number_phrase(sample.frames).text, fi_pile_share(context, pile->retained));
    tell_raised(context, finding, pile->members[0], &last);
    fi_frame_sample_tell(&sample, finding);
    finding->advice =
        "Keep what the log needs, not the exception: str(error), traceback.format_exc(), "
        "traceback.TracebackException; or let go of the frames: `error.__traceback__ = None`, "
        "traceback.clear_frames(). Keep no frame and no sys.exc_info() beyond the handler.";
}

/* Some other exception has it as its context or cause: it goes with that one. */
static bool belongs_to_another(const struct fi_analysis *analysis, uint32_t node)
{
    const struct gr_graph *graph = analysis->graph;
    struct gr_referrers holders = gr_referrers(graph, node);
    uint32_t holder, asked = 0;
    while (asked++ < MAX_HOLDERS && gr_next_referrer(&holders, &holder))
        if (py_is_exception(fi_type(analysis, holder)))
            return true;
    return false;
}

static bool is_kept(const struct fi_analysis *analysis, uint32_t node)
{
    return py_exception_traceback(analysis->objects, gr_address(analysis->graph, node)) &&
           !fi_is_garbage(analysis, node) && !belongs_to_another(analysis, node);
}

/* One exception that keeps much, and that no pile has. */
static void accuse_single(struct fi_context *context, const struct fi_rule *rule, uint32_t node)
{
    struct fi_pile pile = {.keeper = node,
                           .members = &node,
                           .count = 1,
                           .retained = fi_retained(context->analysis, node)};
    if (pile.retained >= context->verdict->heap_bytes / SHARE && !fi_is_claimed(context, node))
        accuse(context, rule, &pile);
}

struct df_err *fi_ask_retained_tracebacks(struct fi_context *context, const struct fi_rule *rule)
{
    const struct fi_analysis *analysis = context->analysis;
    uint32_t types = py_type_count(analysis->objects), total, count = 0;
    DF_CLEANUP_FREE uint8_t *right = df_xcalloc(types, 1);
    DF_CLEANUP_FREE uint32_t *nodes = NULL;
    for (uint32_t i = 0; i < types; i++)
        right[i] = py_is_exception(py_type_at(analysis->objects, i));
    DF_TRY(fi_nodes_of(context, right, &nodes, &total));
    for (uint32_t i = 0; i < total; i++)
        if (is_kept(analysis, nodes[i]))
            nodes[count++] = nodes[i];
    struct fi_piles piles;
    DF_TRY(fi_piles_find(context, nodes, count, LEAST, &piles));
    for (uint32_t i = 0; i < piles.count; i++)
        if (piles.items[i].keeper == AL_NONE || !fi_is_claimed(context, piles.items[i].keeper))
            accuse(context, rule, &piles.items[i]);
    fi_piles_deinit(&piles);
    for (uint32_t i = 0; i < count; i++)
        accuse_single(context, rule, nodes[i]);
    return NULL;
}
