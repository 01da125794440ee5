/* SPDX-License-Identifier: MIT
 * allocator_waste.c: how much memory do the allocators keep that nobody uses?
 *
 * Python's allocator gives an arena back when its last block is free: a few objects that stay keep
 * a whole one. malloc keeps what lies between blocks in use. Both are why a process stays as large
 * as its largest moment ("RSS is 2 GB, Python says 300 MB").
 */
#include "analyzer/cpython/alloc.h"
#include "analyzer/findings/rules/rules.h"

#include <string.h>

#include "dumpfmt/base/mem.h"

#define SHARE 10 /* a tenth of the core */
#define GRAVE_SHARE 3
#define LEAST_BYTES 4000000
#define SPARSE 4 /* an arena is pinned when less than a quarter of it is in use */
#define TYPES 3

struct pinned {
    uint64_t arenas, sparse, bytes; /* bytes: of the sparse ones */
    uint64_t *used;                 /* per arena */
    uint64_t *count;                /* per type: objects in sparse arenas */
    uint64_t objects;
};

static uint32_t arena_of(const struct py_alloc *alloc, uint64_t address)
{
    const struct py_arena *arena = py_arena_at(alloc, address);
    return arena ? (uint32_t)(arena - alloc->arenas) : UINT32_MAX;
}

static bool is_sparse(const struct py_alloc *alloc, const struct pinned *pinned, uint32_t arena)
{
    return pinned->used[arena] < (alloc->arenas[arena].end - alloc->arenas[arena].address) / SPARSE;
}

/* Which arenas are nearly empty, and which types have objects there. */
static struct df_err *look(const struct fi_context *context, const struct py_alloc *alloc,
                           struct pinned *pinned)
{
    const struct gr_graph *graph = context->analysis->graph;
    DF_TRY(df_array(alloc->arena_count, sizeof(uint64_t), &pinned->used));
    DF_TRY(df_array(py_type_count(context->analysis->objects), sizeof(uint64_t), &pinned->count));
    pinned->arenas = alloc->arena_count;
    for (uint32_t i = 0; i < alloc->pool_count; i++) {
        uint32_t arena = arena_of(alloc, alloc->pools[i].address);
        if (arena != UINT32_MAX)
            pinned->used[arena] += (uint64_t)alloc->pools[i].used * alloc->pools[i].block_size;
    }
    for (uint32_t i = 0; i < alloc->arena_count; i++)
        if (is_sparse(alloc, pinned, i)) {
            pinned->sparse++;
            pinned->bytes += alloc->arenas[i].end - alloc->arenas[i].address;
        }
    for (uint32_t node = 0; node < graph->count && pinned->sparse; node++) {
        uint32_t arena = arena_of(alloc, gr_address(graph, node));
        if (arena != UINT32_MAX && is_sparse(alloc, pinned, arena)) {
            pinned->count[context->named[gr_type(graph, node)]]++;
            pinned->objects++;
        }
    }
    return NULL;
}

static void name_pins(struct fi_context *context, struct fi_finding *finding, struct pinned *pinned)
{
    const struct py_objects *objects = context->analysis->objects;
    uint32_t types = py_type_count(objects);
    for (int shown = 0; shown < TYPES; shown++) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < types; i++)
            if (pinned->count[i] > pinned->count[best])
                best = i;
        if (!types || !pinned->count[best])
            return;
        fi_evidence(context, finding,
                    fi_pool_format(context->pool, "among what keeps them: %s `%s`",
                                   fi_number_phrase(pinned->count[best]).text,
                                   py_type_at(objects, best)->name));
        if (!finding->type)
            finding->type = fi_pool_text(context->pool, py_type_at(objects, best)->name);
        pinned->count[best] = 0;
    }
}

static enum fi_severity severity_of(const struct fi_context *context, uint64_t bytes)
{
    return bytes >= context->verdict->memory.total / GRAVE_SHARE ? FI_MEDIUM : FI_LOW;
}

static bool is_much(const struct fi_context *context, uint64_t bytes)
{
    return bytes >= LEAST_BYTES && bytes >= context->verdict->memory.total / SHARE;
}

static void report_arenas(struct fi_context *context, const struct fi_rule *rule,
                          struct pinned *pinned, uint64_t free_bytes)
{
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->severity = severity_of(context, free_bytes);
    finding->count = pinned->sparse;
    finding->shallow_bytes = finding->retained_bytes = free_bytes;
    finding->title = fi_pool_format(
        context->pool, "%s of Python's own allocator are free, but not given back: %s of the core",
        fi_bytes_phrase(free_bytes).text,
        fi_percent_phrase(free_bytes, context->verdict->memory.total).text);
    if (pinned->sparse)
        fi_evidence(context, finding,
                    fi_pool_format(
                        context->pool,
                        "%s of %s arenas (%s) are less than a quarter full: %s objects keep them",
                        fi_number_phrase(pinned->sparse).text,
                        fi_number_phrase(pinned->arenas).text, fi_bytes_phrase(pinned->bytes).text,
                        fi_number_phrase(pinned->objects).text));
    name_pins(context, finding, pinned);
    finding->advice =
        "The process was larger once, and small objects that stayed keep whole arenas. "
        "Do what needs much memory in a child process (multiprocessing, a worker "
        "that is replaced), or in smaller portions.";
    finding->signature = fi_pool_format(context->pool, "%s:arenas", rule->name);
}

static void report_malloc(struct fi_context *context, const struct fi_rule *rule,
                          uint64_t free_bytes)
{
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->severity = severity_of(context, free_bytes);
    finding->count = context->analysis->graph->sweep->blocks[GR_MEMORY_MALLOC_FREE];
    finding->shallow_bytes = finding->retained_bytes = free_bytes;
    finding->title = fi_pool_format(
        context->pool, "%s of malloc's memory are free, but not given back: %s of the core",
        fi_bytes_phrase(free_bytes).text,
        fi_percent_phrase(free_bytes, context->verdict->memory.total).text);
    fi_evidence(context, finding,
                fi_pool_format(context->pool, "in %s free pieces between blocks that are in use",
                               fi_number_phrase(finding->count).text));
    finding->advice = "Set MALLOC_ARENA_MAX=2 for processes with many threads, call malloc_trim(0) "
                      "after a large job, or use jemalloc; make large buffers once and keep them.";
    finding->signature = fi_pool_format(context->pool, "%s:malloc", rule->name);
}

struct df_err *fi_ask_allocator_waste(struct fi_context *context, const struct fi_rule *rule)
{
    const struct gr_sweep *sweep = context->analysis->graph->sweep;
    if (!sweep)
        return NULL;
    if (is_much(context, sweep->bytes[GR_MEMORY_MALLOC_FREE]))
        report_malloc(context, rule, sweep->bytes[GR_MEMORY_MALLOC_FREE]);
    if (!is_much(context, sweep->bytes[GR_MEMORY_FREE]))
        return NULL;
    struct py_alloc *alloc;
    struct pinned pinned = {0};
    DF_TRY(py_alloc_open(context->analysis->py, &alloc));
    struct df_err *err = look(context, alloc, &pinned);
    if (!err)
        report_arenas(context, rule, &pinned, sweep->bytes[GR_MEMORY_FREE]);
    free(pinned.used);
    free(pinned.count);
    py_alloc_close(alloc);
    return err;
}
