/* SPDX-License-Identifier: MIT
 * unclosed_sockets.c: which sockets are open, many at once, and in nobody's care?
 *
 * A server has a socket for each client: those that an event loop or a selector watches, or that a
 * connection object has (which another rule counts), are not counted.
 */
#include "analyzer/findings/rules/opens.h"

#include <string.h>

#include "analyzer/findings/hops.h"
#include "analyzer/objects/async.h"

#define MAX_DEPTH 2 /* from a socket through its attributes' dict to who cares for it */
#define MAX_HOLDERS 32

static bool is_carer(const struct fi_analysis *analysis, uint32_t node)
{
    static const char *const names[] = {"selectors.SelectorKey", "asyncio.trsock.TransportSocket",
                                        "asyncio.transports.BaseTransport", "ssl.SSLObject"};
    const struct py_type *type = fi_type(analysis, node);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (py_type_derives(analysis->objects, type, names[i]))
            return true;
    return py_open_kind(analysis->objects, type) == PY_OPEN_CONNECTION;
}

static bool is_cared_for_by(const struct fi_analysis *analysis, uint32_t node, int depth)
{
    const struct gr_graph *graph = analysis->graph;
    struct gr_referrers holders = gr_referrers(graph, node);
    uint32_t holder, asked = 0;
    while (asked++ < MAX_HOLDERS && gr_next_referrer(&holders, &holder)) {
        if (is_carer(analysis, holder))
            return true;
        if (depth < MAX_DEPTH && (fi_type(analysis, holder)->flags & PY_TPFLAGS_DICT) &&
            is_cared_for_by(analysis, holder, depth + 1))
            return true;
    }
    return false;
}

static bool cared_for(const struct fi_context *context, uint32_t node)
{
    return is_cared_for_by(context->analysis, node, 0);
}

struct df_err *fi_ask_unclosed_sockets(struct fi_context *context, const struct fi_rule *rule)
{
    static const struct fi_open_words words = {
        .kind = PY_OPEN_SOCKET,
        .thing = "sockets",
        .state = "are open, and no event loop watches them",
        .least = 50,
        .medium = 100,
        .high = 500,
        .advice = "Close each socket when it has served: `with socket.create_connection(...)`, "
                  "contextlib.closing; keep those that are used again in a pool with a bound.",
        .cared_for = cared_for,
    };
    return fi_ask_opens(context, rule, &words);
}
