/* SPDX-License-Identifier: MIT
 * open_connections.c: which connections to databases and servers are open, many at once?
 */
#include "analyzer/findings/rules/opens.h"

struct df_err *fi_ask_open_connections(struct fi_context *context, const struct fi_rule *rule)
{
    static const struct fi_open_words words = {
        .kind = PY_OPEN_CONNECTION,
        .thing = "connections",
        .state = "are open",
        .least = 20,
        .medium = 50,
        .high = 200,
        .advice = "Close each connection when it has served (`with "
                  "contextlib.closing(connect(...))`: the `with` of a sqlite3 connection only "
                  "commits), or take them from a pool with a bound.",
    };
    return fi_ask_opens(context, rule, &words);
}
