/* SPDX-License-Identifier: MIT
 * unclosed_files.c: which files are open, many at once?
 */
#include "analyzer/findings/rules/opens.h"

struct df_err *fi_ask_unclosed_files(struct fi_context *context, const struct fi_rule *rule)
{
    static const struct fi_open_words words = {
        .kind = PY_OPEN_FILE,
        .thing = "files",
        .state = "are open",
        .least = 50,
        .medium = 100,
        .high = 500,
        .advice = "Close what is opened: `with open(...) as file`, contextlib.ExitStack for many; "
                  "a file that is only referred to stays open until nothing refers to it. python "
                  "-X dev names the line that opened one.",
    };
    return fi_ask_opens(context, rule, &words);
}
