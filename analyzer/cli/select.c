/* SPDX-License-Identifier: MIT
 * select.c: objects by address and by type.
 */
#include "analyzer/cli/select.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define SUGGESTIONS 3

struct df_err *cli_select_address(const struct fi_analysis *analysis, uint64_t address,
                                  uint32_t *ret)
{
    uint32_t node = gr_node(analysis->graph, address);
    if (node == AL_NONE)
        node = gr_node_containing(analysis->graph, address);
    if (node == AL_NONE)
        return df_err_new(DF_ERR_USAGE, "there is no object at 0x%" PRIx64, address);
    *ret = node;
    return NULL;
}

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length > tail && name[length - tail - 1] == '.' && !strcmp(name + length - tail, end);
}

/* The one full name that ends with a short one; NULL when there is none, or several (which are
 * appended to *suggestions). */
static const char *full_name(const char *const *names, uint32_t name_count, const char *name,
                             char **suggestions)
{
    const char *found[SUGGESTIONS];
    size_t count = 0;
    for (uint32_t i = 0; i < name_count && count < SUGGESTIONS; i++) {
        bool fresh = ends_with(names[i], name);
        for (size_t j = 0; j < count; j++)
            fresh &= strcmp(found[j], names[i]) != 0;
        if (fresh)
            found[count++] = names[i];
    }
    if (count == 1)
        return found[0];
    for (size_t i = 0; i < count; i++) {
        char *longer = df_xasprintf("%s%s`%s`", *suggestions ? *suggestions : "; did you mean ",
                                    i ? ", " : "", found[i]);
        free(*suggestions);
        *suggestions = longer;
    }
    return NULL;
}

struct df_err *cli_select_name(const char *const *names, uint32_t count, const char *name,
                               const char **ret)
{
    DF_CLEANUP_FREE char *suggestions = NULL;
    const char *found = NULL;
    for (uint32_t i = 0; i < count && !found; i++)
        found = strcmp(names[i], name) ? NULL : names[i];
    if (!found)
        found = full_name(names, count, name, &suggestions);
    if (!found)
        return df_err_new(DF_ERR_USAGE, "there is no object of type `%s`%s%s", name,
                          suggestions ? suggestions : "",
                          suggestions ? "?" : "; `necropy types` lists the types there are");
    *ret = found;
    return NULL;
}

/* The names of the types that have objects, by number. Malloc'ed. */
static const char **used_names(const struct fi_analysis *analysis, uint32_t *ret_count)
{
    const struct gr_graph *graph = analysis->graph;
    uint32_t types = py_type_count(analysis->objects);
    DF_CLEANUP_FREE uint8_t *used = df_xcalloc(types, 1);
    const char **names = df_xcalloc(types, sizeof(*names));
    *ret_count = 0;
    for (uint32_t node = 0; node < graph->count; node++)
        used[gr_type(graph, node)] = 1;
    for (uint32_t i = 0; i < types; i++)
        if (used[i])
            names[(*ret_count)++] = py_type_at(analysis->objects, i)->name;
    return names;
}

/* Marks the types of a name; returns how many objects they have. */
static uint32_t mark(const struct fi_analysis *analysis, const char *name, uint8_t *marked)
{
    const struct gr_graph *graph = analysis->graph;
    uint32_t types = py_type_count(analysis->objects), count = 0;
    for (uint32_t i = 0; i < types; i++)
        marked[i] = !strcmp(py_type_at(analysis->objects, i)->name, name);
    for (uint32_t node = 0; node < graph->count; node++)
        count += marked[gr_type(graph, node)];
    return count;
}

struct df_err *cli_select_type(const struct fi_analysis *analysis, const char *name, uint32_t **ret,
                               uint32_t *ret_count)
{
    const struct gr_graph *graph = analysis->graph;
    uint32_t types = py_type_count(analysis->objects);
    DF_CLEANUP_FREE uint8_t *marked = df_xcalloc(types, 1);
    uint32_t count = mark(analysis, name, marked);
    if (!count) {
        uint32_t name_count;
        DF_CLEANUP_FREE const char **names = used_names(analysis, &name_count);
        DF_TRY(cli_select_name(names, name_count, name, &name));
        count = mark(analysis, name, marked);
    }
    uint32_t *nodes;
    DF_TRY(df_array(count, sizeof(*nodes), &nodes));
    uint32_t used = 0;
    for (uint32_t node = 0; node < graph->count; node++)
        if (marked[gr_type(graph, node)])
            nodes[used++] = node;
    *ret = nodes;
    *ret_count = used;
    return NULL;
}
