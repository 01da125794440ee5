/* SPDX-License-Identifier: MIT
 * progress.c: a line that is written at most ten times a second, and wiped at the end.
 */
#include "analyzer/cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL 0.1 /* seconds */
#define SETTLED 0.5  /* a rate is worth saying after this long */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void format_rate(double rate, char *buffer, size_t size)
{
    if (rate >= 1e6)
        snprintf(buffer, size, "%.1f M/s", rate / 1e6);
    else if (rate >= 1e3)
        snprintf(buffer, size, "%.0f k/s", rate / 1e3);
    else
        snprintf(buffer, size, "%.0f /s", rate);
}

static void print(struct cli_progress *progress, uint64_t done, uint64_t total, double time)
{
    char rate_text[32] = "";
    double elapsed = time - progress->begun;
    double rate = elapsed > 0 ? (double)(done - progress->first) / elapsed : 0;
    fprintf(stderr, "\r\033[K%s", progress->phase);
    if (total)
        fprintf(stderr, "  %3.0f %%",
                100.0 * (double)(done < total ? done : total) / (double)total);
    if (elapsed >= SETTLED && rate > 0) {
        format_rate(rate, rate_text, sizeof(rate_text));
        fprintf(stderr, "  %s", rate_text);
        if (total > done)
            fprintf(stderr, "  %.0f s left", (double)(total - done) / rate);
    }
    fflush(stderr);
    progress->shown = true;
}

static void report(void *context, const char *phase, uint64_t done, uint64_t total)
{
    struct cli_progress *progress = context;
    double time = now();
    if (!progress->phase || strcmp(progress->phase, phase) != 0 || done < progress->first) {
        progress->phase = phase;
        progress->begun = time;
        progress->first = done;
    } else if (time - progress->last < INTERVAL) {
        return;
    }
    progress->last = time;
    print(progress, done, total, time);
}

void cli_progress_init(struct cli_progress *progress, bool quiet)
{
    *progress = (struct cli_progress){0};
    if (!quiet && isatty(STDERR_FILENO))
        progress->progress = (struct df_progress){.report = report, .context = progress};
}

void cli_progress_clear(struct cli_progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
    progress->phase = NULL;
}
