/* SPDX-License-Identifier: MIT
 * progress.h: how far it is, in one line on a terminal: phase, percentage, rate, time left.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>

#include "dumpfmt/base/progress.h"

struct cli_progress {
    struct df_progress progress; /* hand on &progress */
    bool shown;                  /* a line stands on the terminal */
    const char *phase;
    double begun, last; /* seconds */
    uint64_t first;     /* done when the phase began */
};

/* Silent (but usable) when stderr is no terminal, or `quiet`. */
void cli_progress_init(struct cli_progress *progress, bool quiet);
void cli_progress_clear(struct cli_progress *progress);

#endif
