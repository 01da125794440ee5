/* SPDX-License-Identifier: MIT
 * opens.h: what is open and how much of it: what the rules about files, sockets, connections,
 * children and mappings have in common. Private to this folder.
 */
#ifndef FI_OPENS_H
#define FI_OPENS_H

#include "analyzer/findings/rules/piles.h"
#include "analyzer/objects/open.h"

struct fi_open_words {
    enum py_open_kind kind;
    const char *thing;            /* plural: "files" */
    const char *state;            /* "are open" */
    uint32_t least, medium, high; /* so many are worth a finding, a look, an alarm */
    const char *advice;
    /* NULL, or: is it in somebody's care, so that it will be closed when it has served? */
    bool (*cared_for)(const struct fi_context *context, uint32_t node);
};

struct df_err *fi_ask_opens(struct fi_context *context, const struct fi_rule *rule,
                            const struct fi_open_words *words);

#endif
