/* SPDX-License-Identifier: MIT
 * namesakes.c: things of one name, but for its digits.
 */
#include "analyzer/findings/rules/namesakes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

static char *starred(const char *name)
{
    char *plain = df_xcalloc(strlen(name) + 1, 1);
    size_t used = 0;
    for (const char *at = name; *at; at++)
        if (!isdigit((unsigned char)*at))
            plain[used++] = *at;
        else if (!used || plain[used - 1] != '*')
            plain[used++] = '*';
    return plain;
}

void fi_namesake_add(struct fi_namesakes *list, const char *name, uint32_t node)
{
    DF_PUSH(list, (struct fi_namesake){.name = starred(name), .node = node});
}

static int compare(const void *left, const void *right)
{
    const struct fi_namesake *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order ? order : (a->node > b->node) - (a->node < b->node);
}

void fi_namesakes_judge(struct fi_context *context, const struct fi_rule *rule,
                        struct fi_namesakes *list, size_t least, uint64_t share,
                        fi_accuse_namesakes accuse)
{
    const struct fi_analysis *analysis = context->analysis;
    size_t first = 0;
    uint64_t retained = 0;
    if (list->count)
        qsort(list->items, list->count, sizeof(*list->items), compare);
    for (size_t i = 0; i <= list->count; i++) {
        if (i == list->count || strcmp(list->items[i].name, list->items[first].name) != 0) {
            if (i - first >= least && retained >= analysis->total_bytes / share)
                accuse(context, rule, &list->items[first], i - first, retained);
            first = i;
            retained = 0;
        }
        if (i < list->count)
            retained += fi_retained(analysis, list->items[i].node);
    }
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].name);
    free(list->items);
}
