/* SPDX-License-Identifier: MIT
 * open_mappings.c: which mappings are open, many at once?
 */
#include "analyzer/findings/rules/opens.h"

struct df_err *fi_ask_open_mappings(struct fi_context *context, const struct fi_rule *rule)
{
    static const struct fi_open_words words = {
        .kind = PY_OPEN_MAPPING,
        .thing = "memory mappings",
        .state = "are open",
        .least = 100,
        .medium = 300,
        .high = 5000,
        .advice = "Close what is mapped: `with mmap.mmap(...) as memory`, and release the "
                  "memoryviews on it.",
    };
    return fi_ask_opens(context, rule, &words);
}
