/* SPDX-License-Identifier: MIT
 * unwaited_children.c: which child processes has nobody waited for?
 */
#include "analyzer/findings/rules/opens.h"

struct df_err *fi_ask_unwaited_children(struct fi_context *context, const struct fi_rule *rule)
{
    static const struct fi_open_words words = {
        .kind = PY_OPEN_CHILD,
        .thing = "child processes",
        .state = "were started, and nobody has waited for them",
        .least = 20,
        .medium = 50,
        .high = 500,
        .advice =
            "Use subprocess.run, or `with subprocess.Popen(...) as child`, or call wait() or "
            "poll(): what has ended stays a zombie until somebody asks, and its pipes stay open.",
    };
    return fi_ask_opens(context, rule, &words);
}
