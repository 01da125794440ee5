/* SPDX-License-Identifier: MIT
 * progress.h: how a long phase tells its caller how far it is, and asks whether to go on.
 *
 * The callee calls df_progress every few thousand steps; a NULL progress is silent. Only the CLI
 * turns this into words on a terminal.
 */
#ifndef DF_BASE_PROGRESS_H
#define DF_BASE_PROGRESS_H

#include <stdint.h>

struct df_progress {
    /* phase: a gerund for a person ("walking objects"); total 0 when it is not known. */
    void (*report)(void *context, const char *phase, uint64_t done, uint64_t total);
    void *context;
};

static inline void df_progress(const struct df_progress *progress, const char *phase, uint64_t done,
                               uint64_t total)
{
    if (progress && progress->report)
        progress->report(progress->context, phase, done, total);
}

#endif
