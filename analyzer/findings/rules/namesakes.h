/* SPDX-License-Identifier: MIT
 * namesakes.h: things of one name, but for its digits: plugin_1, plugin_2, … are "plugin_*".
 * Private to this folder.
 */
#ifndef FI_NAMESAKES_H
#define FI_NAMESAKES_H

#include "analyzer/findings/rules/rules.h"

struct fi_namesake {
    char *name; /* owned; digits in a row as one star */
    uint32_t node;
};

struct fi_namesakes {
    struct fi_namesake *items;
    size_t count, capacity;
};

typedef void (*fi_accuse_namesakes)(struct fi_context *context, const struct fi_rule *rule,
                                    const struct fi_namesake *first, size_t count,
                                    uint64_t retained);

void fi_namesake_add(struct fi_namesakes *list, const char *name, uint32_t node);
/* Calls accuse for each name that at least `least` have and that retains 1/share of the heap; frees
 * the list. */
void fi_namesakes_judge(struct fi_context *context, const struct fi_rule *rule,
                        struct fi_namesakes *list, size_t least, uint64_t share,
                        fi_accuse_namesakes accuse);

#endif
