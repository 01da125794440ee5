/* SPDX-License-Identifier: MIT
 * native_surplus.c: which objects count references that nobody has?
 *
 * The ledger of reference counts (analyzer/graph/ledger.c) has looked everywhere: objects, the
 * interpreter's own structures, frames, C data, stacks, registers, foreign memory. What is left
 * over is a reference that C code has taken and forgotten to give back: a missing Py_DECREF.
 * Counted by type, with the file that defines the type; a leak of builtin objects can be any
 * extension's, so those that are no part of Python are named.
 *
 * Silent where the ledger is not reliable, or has found mistakes of its own.
 */
#include "analyzer/findings/rules/rules.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define MAX_FINDINGS 8
#define MAX_EXAMPLES 3
#define MAX_EXTENSIONS 8
#define MAX_MODULES 6
#define FEW 3     /* fewer references of a type, and two such types, are told in one line */
#define GRAVE 100 /* so many lost references are no accident of start or end */
#define DEFICIT_SHARE 1000 /* with more deficits than one object in so many, we are wrong */

struct group { /* of a type, by its named number */
    uint32_t type;
    uint64_t count, references, shallow;
    uint64_t alone, retained; /* what nothing else holds */
    uint32_t examples[MAX_EXAMPLES];
};

struct search {
    struct fi_context *context;
    struct group *groups;
    uint32_t type_count;
    uint8_t *covered; /* per node: what it retains is counted with one above it */
};

/* Lost objects below lost objects: their bytes are counted once. Dominators come first in order. */
static void cover(struct search *search)
{
    const struct fi_analysis *analysis = search->context->analysis;
    const struct gr_graph *graph = analysis->graph;
    struct fi_walk walk = fi_walk_down(analysis);
    for (uint32_t node; fi_next_walked(&walk, &node);) {
        uint32_t above = fi_idom(analysis, node);
        search->covered[node] =
            above < graph->count &&
            (search->covered[above] ||
             (gr_root_kind_of(graph, above) == GR_ROOT_SURPLUS && gr_unexplained(graph, above)));
    }
}

static void collect(struct search *search)
{
    const struct fi_context *context = search->context;
    const struct fi_analysis *analysis = context->analysis;
    const struct gr_graph *graph = analysis->graph;
    for (uint32_t node = 0; node < graph->count; node++) {
        uint32_t lost = gr_unexplained(graph, node);
        if (!lost)
            continue;
        struct group *group = &search->groups[context->named[gr_type(graph, node)]];
        group->type = gr_type(graph, node);
        if (group->count < MAX_EXAMPLES)
            group->examples[group->count] = node;
        group->count++;
        group->references += lost;
        group->shallow += gr_size(graph, node);
        if (gr_root_kind_of(graph, node) != GR_ROOT_SURPLUS)
            continue;
        group->alone++;
        if (!search->covered[node])
            group->retained += fi_retained(analysis, node);
    }
}

/* The file whose code makes and frees objects of a type: NULL for classes of Python code. */
static const struct df_module *defining_module(const struct fi_analysis *analysis, uint32_t index)
{
    const struct df_modules *modules = analysis->py->dump->modules;
    const struct py_type *type = py_type_at(analysis->objects, index);
    if (type->python_class)
        return NULL;
    const uint64_t places[] = {type->address, type->dealloc, type->traverse};
    const struct df_module *inherited = NULL;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const struct df_module *module = places[i] ? df_module_at(modules, places[i]) : NULL;
        if (module && module != analysis->py->module)
            return module;
        inherited = inherited ? inherited : module;
    }
    return inherited;
}

/* An extension module that did not come with Python: PyInit_NAME in NAME.so or NAME.ABI.so. */
static bool is_foreign_extension(struct df_module *module)
{
    char symbol[256] = "PyInit_";
    size_t length = strcspn(module->name, ".");
    if (strstr(module->path, "/lib-dynload/") || length > sizeof(symbol) - 16)
        return false;
    memcpy(symbol + strlen(symbol), module->name, length);
    return df_module_symbol(module, symbol) != NULL;
}

static const char *name_extensions(struct fi_context *context)
{
    const struct df_modules *modules = context->analysis->py->dump->modules;
    const char *text = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < modules->count; i++) {
        if (!is_foreign_extension(&modules->items[i]) || ++count > MAX_EXTENSIONS)
            continue;
        text = fi_pool_format(context->pool, "%s%s%s", text ? text : "", text ? ", " : "",
                              modules->items[i].name);
    }
    if (count > MAX_EXTENSIONS)
        text = fi_pool_format(context->pool, "%s and %u more", text, count - MAX_EXTENSIONS);
    return text;
}

static void tell_module(struct fi_context *context, struct fi_finding *finding, uint32_t type)
{
    const struct df_module *module = defining_module(context->analysis, type);
    bool builtin = !module || module == context->analysis->py->module;
    if (!module)
        fi_evidence(context, finding, "the type is a class that Python code defined");
    else
        fi_evidence(context, finding,
                    fi_pool_format(context->pool, "the type is defined by %s%s", module->name,
                                   builtin ? ", the interpreter itself" : ""));
    const char *extensions = builtin ? name_extensions(context) : NULL;
    if (extensions)
        fi_evidence(context, finding,
                    fi_pool_format(context->pool,
                                   "extension modules that are no part of Python: %s", extensions));
}

static void tell_examples(struct fi_context *context, struct fi_finding *finding,
                          const struct group *group)
{
    const struct gr_graph *graph = context->analysis->graph;
    for (uint32_t i = 0; i < group->count && i < MAX_EXAMPLES; i++) {
        uint32_t node = group->examples[i];
        uint64_t address = gr_address(graph, node);
        char *text = fi_pool_take(context->pool, py_text(context->analysis->objects, address, 60));
        fi_evidence(context, finding,
                    fi_pool_format(
                        context->pool, "%s at 0x%llx counts %lld references, %u of them nobody's",
                        text, (unsigned long long)address, (long long)gr_references(graph, node),
                        gr_unexplained(graph, node)));
    }
}

static enum fi_severity grade(const struct fi_context *context, const struct group *group)
{
    enum fi_severity severity = fi_severity_of(context, group->retained);
    return group->references >= GRAVE && severity == FI_LOW ? FI_MEDIUM : severity;
}

static void report(struct fi_context *context, const struct fi_rule *rule,
                   const struct group *group)
{
    struct fi_finding *finding = fi_finding_add(context, rule);
    const char *name = py_type_at(context->analysis->objects, group->type)->name;
    const struct df_module *module = defining_module(context->analysis, group->type);
    finding->severity = grade(context, group);
    finding->type = fi_pool_text(context->pool, name);
    finding->count = group->count;
    finding->shallow_bytes = group->shallow;
    finding->retained_bytes = group->retained;
    finding->title = fi_pool_format(
        context->pool,
        "%s reference%s to %s object%s of type %s belong%s to nobody: C code did not "
        "give %s back",
        fi_number_phrase(group->references).text, group->references == 1 ? "" : "s",
        fi_number_phrase(group->count).text, group->count == 1 ? "" : "s",
        fi_type_quoted(context->pool, name), group->references == 1 ? "s" : "",
        group->references == 1 ? "it" : "them");
    tell_module(context, finding, group->type);
    if (group->alone)
        fi_evidence(context, finding,
                    fi_pool_format(context->pool, "%s of the objects are held by nothing else: %s",
                                   fi_number_phrase(group->alone).text,
                                   fi_bytes_phrase(group->retained).text));
    if (group->references < GRAVE)
        fi_evidence(context, finding,
                    "so few may have been lost once, when a module was imported; what grows from "
                    "one core to the next is lost again and again");
    tell_examples(context, finding, group);
    finding->advice = "Look for a Py_DECREF that is missing in the C code that makes or takes such "
                      "objects: on its error paths, after calls that return new references, before "
                      "a variable is assigned again; and for Py_IncRef called by ctypes.";
    finding->signature = fi_pool_format(context->pool, "native-surplus:%s:%s",
                                        module ? module->name : "python", name);
}

static const char few_advice[] =
    "Probably nothing: so few were lost once, when a module was imported. What grows from one core "
    "to the next is lost again and again.";

/* Types of which a reference or two are lost: one finding, a line each. */
static void report_few(struct fi_context *context, const struct fi_rule *rule,
                       const struct group *groups, uint32_t count)
{
    const struct gr_graph *graph = context->analysis->graph;
    struct fi_finding *finding = fi_finding_add(context, rule);
    uint64_t references = 0;
    finding->severity = FI_LOW;
    for (uint32_t i = 0; i < count; i++) {
        if (groups[i].references >= FEW || !groups[i].count)
            continue;
        references += groups[i].references;
        finding->count += groups[i].count;
        finding->shallow_bytes += groups[i].shallow;
        finding->retained_bytes += groups[i].retained;
        uint32_t node = groups[i].examples[0];
        DF_CLEANUP_FREE char *text =
            py_text(context->analysis->objects, gr_address(graph, node), 60);
        if (finding->evidence_count < MAX_FINDINGS)
            fi_evidence(
                context, finding,
                fi_pool_format(
                    context->pool, "%llu to %s: %s at 0x%llx",
                    (unsigned long long)groups[i].references,
                    fi_type_quoted(context->pool,
                                   py_type_at(context->analysis->objects, groups[i].type)->name),
                    text, (unsigned long long)gr_address(graph, node)));
    }
    finding->title = fi_pool_format(
        context->pool, "%s references to %s objects of different types belong to nobody",
        fi_number_phrase(references).text, fi_number_phrase(finding->count).text);
    finding->advice = few_advice;
    finding->signature = "native-surplus:few";
}

/* Modules by the references that they forgot when they were imported, most first. */
struct import {
    uint32_t module; /* UINT32_MAX: not known */
    uint64_t count;
};

static int compare_imports(const void *left, const void *right)
{
    const struct import *a = left, *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return (a->module > b->module) - (a->module < b->module);
}

static void tell_imports(struct fi_context *context, struct fi_finding *finding,
                         const struct import *imports, uint32_t count)
{
    const struct df_modules *modules = context->analysis->py->dump->modules;
    uint64_t rest = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool known = imports[i].module < modules->count;
        if (i >= MAX_MODULES)
            rest += imports[i].count;
        else if (imports[i].count)
            fi_evidence(context, finding,
                        fi_pool_format(context->pool, "%s: %s",
                                       known ? modules->items[imports[i].module].name
                                             : "modules that could not be told",
                                       fi_number_phrase(imports[i].count).text));
    }
    if (rest)
        fi_evidence(
            context, finding,
            fi_pool_format(context->pool, "other modules: %s", fi_number_phrase(rest).text));
}

/* What Cython's modules lose on import (ledger_constants.c) is one line, and low: it is the same in
 * every process that has them. */
static struct df_err *report_imports(struct fi_context *context, const struct fi_rule *rule)
{
    DF_CLEANUP_FREE struct import *imports = NULL;
    const struct gr_graph *graph = context->analysis->graph;
    uint32_t count = context->analysis->py->dump->modules->count;
    uint64_t bytes = 0;
    DF_TRY(df_array((size_t)count + 1, sizeof(*imports), &imports));
    for (uint32_t m = 0; m <= count; m++)
        imports[m].module = m < count ? m : UINT32_MAX;
    for (size_t i = 0; i < graph->native_count; i++) {
        if (graph->natives[i].place != GR_NATIVE_IMPORT)
            continue;
        imports[graph->natives[i].index < count ? graph->natives[i].index : count].count++;
        bytes += gr_size(graph, graph->natives[i].node);
    }
    qsort(imports, (size_t)count + 1, sizeof(*imports), compare_imports);
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->severity = FI_LOW;
    finding->count = graph->counts.imports;
    finding->shallow_bytes = bytes;
    finding->title = fi_pool_format(
        context->pool,
        "%s object%s that Cython's modules made when they were imported will never be freed",
        fi_number_phrase(graph->counts.imports).text, graph->counts.imports == 1 ? "" : "s");
    tell_imports(context, finding, imports, count + 1);
    finding->advice = "Nothing needs to be done: each was lost once, on import, and their number "
                      "does not grow. They are code objects, tuples of constants and descriptors "
                      "whose variables the C compiler has removed.";
    finding->signature = "native-surplus:import";
    return NULL;
}

static int compare_groups(const void *left, const void *right)
{
    const struct group *a = left, *b = right;
    if (a->retained != b->retained)
        return a->retained > b->retained ? -1 : 1;
    if (a->references != b->references)
        return a->references > b->references ? -1 : 1;
    return (a->type > b->type) - (a->type < b->type);
}

static bool is_trustworthy(const struct gr_graph *graph)
{
    const struct gr_counts *counts = &graph->counts;
    return counts->reliable && (counts->unexplained || counts->imports) &&
           counts->deficit <= counts->checked / DEFICIT_SHARE;
}

struct df_err *fi_ask_native_surplus(struct fi_context *context, const struct fi_rule *rule)
{
    DF_CLEANUP_FREE struct group *groups = NULL;
    DF_CLEANUP_FREE uint8_t *covered = NULL;
    const struct gr_graph *graph = context->analysis->graph;
    if (!is_trustworthy(graph))
        return NULL;
    uint32_t types = py_type_count(context->analysis->objects);
    DF_TRY(df_array(types, sizeof(*groups), &groups));
    DF_TRY(df_array(graph->count, 1, &covered));
    struct search search = {
        .context = context, .groups = groups, .type_count = types, .covered = covered};
    cover(&search);
    collect(&search);
    qsort(groups, types, sizeof(*groups), compare_groups);
    uint32_t few = 0, told = 0;
    for (uint32_t i = 0; i < types; i++)
        few += groups[i].count && groups[i].references < FEW;
    for (uint32_t i = 0; i < types && told < MAX_FINDINGS && groups[i].count; i++)
        if (few < 2 || groups[i].references >= FEW) {
            report(context, rule, &groups[i]);
            told++;
        }
    if (few >= 2)
        report_few(context, rule, groups, types);
    return graph->counts.imports ? report_imports(context, rule) : NULL;
}
