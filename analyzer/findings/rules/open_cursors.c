/* SPDX-License-Identifier: MIT
 * open_cursors.c: which cursors are open, many at once?
 */
#include "analyzer/findings/rules/opens.h"

struct df_err *fi_ask_open_cursors(struct fi_context *context, const struct fi_rule *rule)
{
    static const struct fi_open_words words = {
        .kind = PY_OPEN_CURSOR,
        .thing = "database cursors",
        .state = "are open, each with its statement",
        .least = 100,
        .medium = 1000,
        .high = 10000,
        .advice = "Close cursors when their rows have been read (contextlib.closing), or read all "
                  "rows at once: a cursor holds its statement, and this a lock of the database.",
    };
    return fi_ask_opens(context, rule, &words);
}
