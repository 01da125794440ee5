/* SPDX-License-Identifier: MIT
 * rules.c: the table, and what rules share.
 */
#include "analyzer/findings/rules/rules.h"
#include "analyzer/findings/rules/suspects.h"

#include <stdlib.h>
#include <string.h>

static const struct fi_rule rules[] = {
    {"garbage-cycles", "what waits for the collector, and why?", fi_ask_garbage_cycles},
    {"finalizer-cycles", "which dead cycles have finalizers?", fi_ask_finalizer_cycles},
    {"gc-garbage", "what did the collector give up on?", fi_ask_gc_garbage},
    {"native-surplus", "which objects count references that nobody has?", fi_ask_native_surplus},
    {"memory-error", "which threads ran out of memory?", fi_ask_memory_error},
    {"deadlock", "which threads wait for each other?", fi_ask_deadlock},
    {"piled-up-tasks", "which tasks, coroutines and generators pile up?", fi_ask_piled_up_tasks},
    {"unclosed-files", "which files are open, many at once?", fi_ask_unclosed_files},
    {"unclosed-sockets", "which sockets are open, many at once, and in nobody's care?",
     fi_ask_unclosed_sockets},
    {"open-connections", "which connections are open, many at once?", fi_ask_open_connections},
    {"open-cursors", "which database cursors are open, many at once?", fi_ask_open_cursors},
    {"unwaited-children", "which child processes has nobody waited for?", fi_ask_unwaited_children},
    {"open-mappings", "which memory mappings are open, many at once?", fi_ask_open_mappings},
    {"retained-tracebacks", "which exceptions are kept, and with them frames and their locals?",
     fi_ask_retained_tracebacks},
    {"retained-frames", "which frames are kept after their functions have returned?",
     fi_ask_retained_frames},
    {"frameworks", "what do libraries keep that is known to grow?", fi_ask_frameworks},
    {"atexit-callbacks", "who registers with atexit at every request?", fi_ask_atexit},
    {"runtime-classes", "which classes were made again and again at run time?",
     fi_ask_runtime_classes},
    {"runtime-modules", "which modules were made again and again?", fi_ask_runtime_modules},
    {"unbounded-cache", "which caches never forget?", fi_ask_unbounded_cache},
    {"queue", "which queues fill faster than they are emptied?", fi_ask_queue},
    {"listeners", "who was told to call back, and is never told to stop?", fi_ask_listeners},
    {"thread-local", "what do thread locals keep?", fi_ask_thread_local},
    {"closure-capture", "which functions keep alive what they captured?", fi_ask_closure_capture},
    {"thread-frame", "what do variables of functions that have not returned keep?",
     fi_ask_thread_frame},
    {"growing-container", "which containers keep many objects that are alike?",
     fi_ask_growing_container},
    {"large-object", "which single objects are a large part of the heap?", fi_ask_large_object},
    {"largest-holder", "what holds a large part of the heap?", fi_ask_largest_holder},
    {"shared-objects", "what is much, but held by several at once?", fi_ask_shared_objects},
    {"duplicate-values", "which texts, bytes and tuples are there many times?",
     fi_ask_duplicate_values},
    {"sparse-containers", "which containers have room for far more than they hold?",
     fi_ask_sparse_containers},
    {"instance-dicts", "whose instances have each a dict of their own?", fi_ask_instance_dicts},
    {"pinned-memory", "which small views keep large memory?", fi_ask_pinned_memory},
    {"allocator-waste", "how much do the allocators keep that nobody uses?",
     fi_ask_allocator_waste},
};

#define FINDINGS_STEP 16

struct fi_finding *fi_finding_add(struct fi_context *context, const struct fi_rule *rule)
{
    struct fi_verdict *verdict = context->verdict;
    if (verdict->finding_count % FINDINGS_STEP == 0) {
        struct fi_finding *larger =
            fi_pool_array(context->pool, verdict->finding_count + FINDINGS_STEP, sizeof(*larger));
        if (verdict->finding_count)
            memcpy(larger, verdict->findings, verdict->finding_count * sizeof(*larger));
        verdict->findings = larger;
    }
    struct fi_finding *finding = &verdict->findings[verdict->finding_count++];
    finding->rule = rule->name;
    return finding;
}

void fi_evidence(struct fi_context *context, struct fi_finding *finding, const char *text)
{
    const char **larger =
        fi_pool_array(context->pool, finding->evidence_count + 1, sizeof(*larger));
    if (finding->evidence_count)
        memcpy(larger, finding->evidence, finding->evidence_count * sizeof(*larger));
    larger[finding->evidence_count++] = text;
    finding->evidence = larger;
}

void fi_claim(struct fi_context *context, uint32_t node)
{
    df_map_set(&context->claims, (uint64_t)node + 1, 1);
}

/* A node whose claim speaks for another: it holds nearly all of the other, or the other of it. */
#define HEAVY_STEPS 4
#define HEAVY 0.7

bool fi_is_claimed(const struct fi_context *context, uint32_t node)
{
    const struct fi_analysis *analysis = context->analysis;
    uint32_t at = node, count = analysis->graph->count;
    for (int step = 0; step <= HEAVY_STEPS && at < count; step++, at = fi_idom(analysis, at)) {
        if ((double)fi_retained(analysis, node) < HEAVY * (double)fi_retained(analysis, at))
            break;
        if (df_map_get(&context->claims, (uint64_t)at + 1) != DF_MAP_NONE)
            return true;
    }
    at = node;
    for (int step = 0; step < HEAVY_STEPS; step++) {
        at = fi_biggest_child(analysis, at);
        if (at == AL_NONE)
            return false;
        if ((double)fi_retained(analysis, at) < HEAVY * (double)fi_retained(analysis, node))
            return false;
        if (df_map_get(&context->claims, (uint64_t)at + 1) != DF_MAP_NONE)
            return true;
    }
    return false;
}

enum fi_severity fi_severity_of(const struct fi_context *context, uint64_t bytes)
{
    uint64_t heap = context->verdict->heap_bytes;
    if (bytes >= heap / 2)
        return FI_HIGH;
    return bytes >= heap / 5 ? FI_MEDIUM : FI_LOW;
}

/* Names that rows of a rule's own table give their findings stand behind. */
static int place(const char *rule)
{
    int at = 0;
    while (at < (int)(sizeof(rules) / sizeof(rules[0])) && strcmp(rules[at].name, rule) != 0)
        at++;
    return at;
}

static int compare_findings(const void *left, const void *right)
{
    const struct fi_finding *a = left, *b = right;
    if (a->severity != b->severity)
        return a->severity > b->severity ? -1 : 1;
    if (a->retained_bytes != b->retained_bytes)
        return a->retained_bytes > b->retained_bytes ? -1 : 1;
    int order = place(a->rule) - place(b->rule);
    return order ? order : strcmp(a->signature, b->signature);
}

/* What a rule that knows the cause says of a holder, "most of it is unused", makes "it holds much"
 * superfluous. */
static bool says_why(const struct fi_finding *finding, const struct fi_finding *of)
{
    const char *path = finding->holder.path, *holder = of->holder.path;
    return (!strcmp(finding->rule, "sparse-containers") ||
            !strcmp(finding->rule, "pinned-memory")) &&
           path && holder && !strncmp(path, holder, strlen(holder)) &&
           finding->retained_bytes >= of->retained_bytes / 10 * 8;
}

static void drop_superfluous(struct fi_verdict *verdict)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < verdict->finding_count; i++) {
        struct fi_finding finding = verdict->findings[i];
        bool superfluous = false;
        for (uint32_t k = 0; k < verdict->finding_count && !superfluous; k++)
            superfluous = !strcmp(finding.rule, "largest-holder") &&
                          says_why(&verdict->findings[k], &finding);
        if (!superfluous)
            verdict->findings[kept++] = finding;
    }
    verdict->finding_count = kept;
}

struct df_err *fi_fill_findings(struct fi_context *context)
{
    struct fi_verdict *verdict = context->verdict;
    struct df_err *err = NULL;
    DF_TRY(fi_find_suspects(context));
    df_map_init(&context->claims);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && !err; i++)
        err = rules[i].ask(context, &rules[i]);
    df_map_deinit(&context->claims);
    if (!err)
        err = fi_add_allocation_sites(context);
    if (err)
        return err;
    drop_superfluous(verdict);
    if (verdict->finding_count)
        qsort(verdict->findings, verdict->finding_count, sizeof(struct fi_finding),
              compare_findings);
    return NULL;
}
