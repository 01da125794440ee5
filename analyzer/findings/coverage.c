/* SPDX-License-Identifier: MIT
 * coverage.c: what was read and how, and what was not: part of every result.
 *
 * Complete means that everything that should have been read was: the file had every byte that its
 * header promises, no walk failed, no chain of frames was cut. Types that could only be scanned
 * conservatively were read, but not exactly: they are named, and do not make it incomplete.
 */
#include "analyzer/findings/parts.h"

#include <inttypes.h>
#include <stdlib.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/dump.h"

static void add(struct fi_count *rows, uint32_t *used, const char *name, uint64_t count)
{
    if (count)
        rows[(*used)++] = (struct fi_count){.name = name, .count = count};
}

static void fill_references(struct fi_context *context, struct fi_coverage *coverage)
{
    static const char *const kinds[PY_REF_KINDS] = {
        [PY_REF_REFERENT] = "referent", [PY_REF_OWNED] = "owned",   [PY_REF_GUESS] = "guess",
        [PY_REF_WEAK] = "weak",         [PY_REF_NATIVE] = "native",
    };
    const struct gr_graph *graph = context->analysis->graph;
    coverage->by_reference_kind =
        fi_pool_array(context->pool, PY_REF_KINDS, sizeof(struct fi_count));
    for (int kind = 0; kind < PY_REF_KINDS; kind++)
        add(coverage->by_reference_kind, &coverage->by_reference_kind_count, kinds[kind],
            graph->references_by_kind[kind]);
}

static void fill_sources(struct fi_context *context, struct fi_coverage *coverage)
{
    const struct gr_graph *graph = context->analysis->graph;
    coverage->by_source = fi_pool_array(context->pool, GR_SOURCES, sizeof(struct fi_count));
    for (int source = 0; source < GR_SOURCES; source++)
        add(coverage->by_source, &coverage->by_source_count, gr_source_name((enum gr_source)source),
            graph->objects_by_source[source]);
}

static void fill_walks(struct fi_context *context, struct fi_coverage *coverage)
{
    static const char *const names[] = {
        [PY_WALK_NONE] = "no references", [PY_WALK_HAND] = "walker",
        [PY_WALK_EMULATED] = "emulated",  [PY_WALK_STRUCT] = "structure",
        [PY_WALK_MEMBERS] = "members",    [PY_WALK_CONSERVATIVE] = "conservative",
    };
    enum { WALKS = sizeof(names) / sizeof(names[0]) };
    const struct py_objects *objects = context->analysis->objects;
    uint64_t by_walk[WALKS] = {0};
    coverage->conservative_types =
        fi_pool_array(context->pool, context->census->types, sizeof(struct fi_count));
    for (uint32_t i = 0; i < context->census->types; i++) {
        const struct py_type *type = py_type_at(objects, i);
        uint64_t count = context->census->sums[i].count;
        by_walk[type->walk_kind % WALKS] += count;
        if (type->walk_kind == PY_WALK_CONSERVATIVE)
            add(coverage->conservative_types, &coverage->conservative_type_count,
                fi_pool_text(context->pool, type->name), count);
    }
    coverage->by_walk = fi_pool_array(context->pool, WALKS, sizeof(struct fi_count));
    for (int walk = 0; walk < WALKS; walk++)
        add(coverage->by_walk, &coverage->by_walk_count, names[walk], by_walk[walk]);
}

static uint64_t cut_threads(const struct py *py)
{
    uint64_t cut = 0;
    for (uint32_t i = 0; i < py->thread_count; i++)
        cut += py->threads[i].frames_cut;
    return cut;
}

static void fill_unreadable(struct fi_context *context, struct fi_coverage *coverage)
{
    const struct py_ledger_row *rows;
    uint32_t count = py_ledger(context->analysis->objects, &rows);
    coverage->unreadable = fi_pool_array(context->pool, count + 1, sizeof(struct fi_count));
    for (uint32_t i = 0; i < count; i++)
        add(coverage->unreadable, &coverage->unreadable_count,
            fi_pool_text(context->pool, rows[i].reason), rows[i].count);
    add(coverage->unreadable, &coverage->unreadable_count, "threads whose frames are cut",
        cut_threads(context->analysis->py));
}

/* "of its notes, 3.2 kB" joins what was said before. */
static void join(char **text, const char *opening, char *more)
{
    char *longer = df_xasprintf("%s%s%s", *text ? *text : opening, *text ? ", " : "", more);
    free(*text);
    free(more);
    *text = longer;
}

/* What is not there of the core, as a clause; NULL when it is whole. Malloc'ed. */
static char *cut_text(const struct df_core *core)
{
    static const char opening[] = "the core is truncated: ";
    char *text = NULL;
    if (core->lost_bytes)
        join(&text, opening,
             df_xasprintf("%s of memory are missing", fi_bytes_phrase(core->lost_bytes).text));
    if (core->lost_headers)
        join(&text, opening,
             df_xasprintf("%s segments are missing", fi_number_phrase(core->lost_headers).text));
    if (core->lost_notes)
        join(&text, opening,
             df_xasprintf("%s of notes (threads, list of files) are missing",
                          fi_bytes_phrase(core->lost_notes).text));
    if (core->container.cut)
        join(&text, opening,
             df_xasprintf("its %s ends early or is damaged (%s)", core->container.format,
                          core->container.trouble ? core->container.trouble : "no reason given"));
    if (!text && !core->lwp_count) /* every process has a thread */
        return df_xstrdup("the core has no notes (threads, list of files)");
    return text;
}

static void fill_balance(const struct gr_graph *graph, struct fi_balance *balance)
{
    const struct gr_counts *counts = &graph->counts;
    *balance = (struct fi_balance){.reliable = counts->reliable,
                                   .checked = counts->checked,
                                   .surplus = counts->surplus,
                                   .unexplained = counts->unexplained,
                                   .deficit = counts->deficit,
                                   .lost_by_cpython = counts->lost,
                                   .lost_on_import = counts->imports};
    if (counts->deficit_example_count)
        balance->deficit_example = gr_address(graph, counts->deficit_examples[0]);
}

void fi_fill_coverage(struct fi_context *context)
{
    struct fi_coverage *coverage = &context->verdict->coverage;
    const struct gr_graph *graph = context->analysis->graph;
    coverage->objects = graph->count;
    coverage->references = (uint64_t)graph->edge_count + graph->weak_count;
    fill_sources(context, coverage);
    fill_references(context, coverage);
    fill_walks(context, coverage);
    fill_unreadable(context, coverage);
    fill_balance(graph, &coverage->balance);
    coverage->emulator_note =
        fi_pool_text(context->pool, py_objects_emulator_note(context->analysis->objects));
    DF_CLEANUP_FREE char *cut = cut_text(context->analysis->py->dump->core);
    coverage->cut = fi_pool_text(context->pool, cut);
    coverage->complete = !coverage->unreadable_count && !cut;
}

/* The interpreter's own file is what a user can most easily give back. NULL when it is there. */
static char *missing_interpreter(const struct py *py)
{
    const struct df_module *module = py->module;
    if (!module || (module->state != DF_MODULE_MISSING && module->state != DF_MODULE_MISMATCH))
        return NULL;
    bool executable = module == py->dump->modules->executable;
    return df_xasprintf("%s %s: give %s", *module->path ? module->path : "the interpreter's file",
                        module->state == DF_MODULE_MISSING ? "was not found here"
                                                           : "is of another build here",
                        executable ? "--executable or --sysroot" : "--sysroot or --debug-dir");
}

char *fi_coverage_gap(const struct fi_analysis *analysis)
{
    const struct py_ledger_row *rows;
    uint32_t count = py_ledger(analysis->objects, &rows);
    uint64_t cut = cut_threads(analysis->py);
    const struct py_ledger_row *worst = NULL;
    for (uint32_t i = 0; i < count; i++)
        if (rows[i].count && (!worst || rows[i].count > worst->count))
            worst = &rows[i];
    DF_CLEANUP_FREE char *file = missing_interpreter(analysis->py);
    DF_CLEANUP_FREE char *lost = cut_text(analysis->py->dump->core);
    if (lost)
        return df_xasprintf("%s; the figures cover what is there%s%s", lost, file ? "; " : "",
                            file ? file : "");
    if (worst)
        return df_xasprintf("part of the core could not be read (%s: %s%s); the figures cover "
                            "what could%s%s",
                            worst->reason, fi_number_phrase(worst->count).text,
                            count > 1 ? ", and more" : "", file ? "; " : "", file ? file : "");
    if (file)
        return DF_TAKE(file);
    if (cut)
        return df_xasprintf("the frames of %s threads could not be read to their end",
                            fi_number_phrase(cut).text);
    return NULL;
}
