/* SPDX-License-Identifier: MIT
 * cmd_report.c: `report`, and the commands that print one section of it.
 */
#include <string.h>

#include "analyzer/cli/answers.h"
#include "analyzer/cli/commands.h"
#include "analyzer/cli/output.h"

#define REPORT_ROWS 8      /* of each list in the text report: a screen or two */
#define REPORT_HOLDERS 100 /* in the JSON report */
#define NATIVE_FRAMES 12   /* of a thread, as text */

struct job {
    const struct cli_options *options;
    const struct fi_verdict *verdict;
    enum rp_section section;
    uint32_t rows;
};

static void at_most(uint32_t *count, uint32_t limit)
{
    if (limit && *count > limit)
        *count = limit;
}

static struct df_err *write_json(FILE *stream, void *context)
{
    struct job *job = context;
    struct fi_verdict cut = *job->verdict;
    uint32_t limit = job->options->has_limit ? job->options->limit : 0;
    at_most(&cut.type_count, limit);
    at_most(&cut.dominator_count, limit);
    at_most(&cut.cycles.group_count, limit);
    at_most(&cut.garbage.type_count, limit);
    at_most(&cut.tasks.group_count, limit);
    at_most(&cut.finding_count, limit);
    return rp_json(stream, &cut, job->section);
}

static struct df_err *write_text(FILE *stream, void *context)
{
    struct job *job = context;
    struct rp_style style = cli_style(job->options, job->rows);
    return rp_text(stream, job->verdict, job->section, &style);
}

/* Only `threads` asks: they take opening the symbols of every library that a thread is in. */
static uint32_t native_frames(const struct cli_options *options, enum rp_section section)
{
    if (section != RP_THREADS)
        return 0;
    if (options->has_limit)
        return options->limit ? options->limit : UINT32_MAX;
    return options->json ? UINT32_MAX : NATIVE_FRAMES;
}

static struct fi_verdict_options wanted_of(const struct cli_options *options,
                                           enum rp_section section, uint32_t holders)
{
    struct fi_verdict_options wanted = {.command_line_core = options->core,
                                        .limit = holders,
                                        .verify = options->verify,
                                        .native_frames = native_frames(options, section),
                                        .no_findings =
                                            section != RP_REPORT && section != RP_FINDINGS};
    if (options->has_limit && holders && (!options->limit || options->limit > holders))
        wanted.limit = options->limit;
    return wanted;
}

static struct df_err *judge(const struct cli_options *options, struct fi_verdict_options *wanted,
                            struct cli_session *session, struct fi_verdict **ret)
{
    DF_TRY(wanted->no_findings ? cli_open(options, session) : cli_open_judged(options, session));
    wanted->progress = &session->progress.progress;
    df_progress(wanted->progress, "judging", 0, 0);
    struct df_err *err = fi_verdict_make(session->analysis, wanted, ret);
    cli_progress_clear(&session->progress);
    return err;
}

/* A snapshot has it; of a core it is made, and the session stays open: the verdict borrows. */
static struct df_err *find_verdict(const struct cli_options *options, enum rp_section section,
                                   uint32_t holders, struct cli_session *session,
                                   struct fi_verdict **ret)
{
    struct fi_verdict_options wanted = wanted_of(options, section, holders);
    DF_TRY(cli_saved_verdict(options, &wanted, ret));
    return *ret ? NULL : judge(options, &wanted, session, ret);
}

static int run(const struct cli_options *options, enum rp_section section, uint32_t holders,
               uint32_t rows)
{
    struct cli_session session = {0};
    struct fi_verdict *verdict = NULL;
    struct df_err *err = find_verdict(options, section, holders, &session, &verdict);
    struct job job = {.options = options, .verdict = verdict, .section = section, .rows = rows};
    bool to_file = options->json_path && strcmp(options->json_path, "-") != 0;
    if (!err && options->json)
        err = cli_write(options->json_path, write_json, &job);
    if (!err && (!options->json || (section == RP_REPORT && to_file)))
        err = cli_write(NULL, write_text, &job);
    int status = err ? cli_fail(err) : cli_finish_with(options, verdict->gap);
    fi_verdict_free(verdict);
    cli_close(&session);
    return status;
}

int cli_report(const struct cli_options *options)
{
    return run(options, RP_REPORT, REPORT_HOLDERS, REPORT_ROWS);
}

int cli_section(const struct cli_options *options)
{
    static const struct {
        const char *name;
        enum rp_section section;
    } sections[] = {
        {"findings", RP_FINDINGS}, {"types", RP_TYPES},     {"retained", RP_RETAINED},
        {"cycles", RP_CYCLES},     {"garbage", RP_GARBAGE}, {"threads", RP_THREADS},
        {"tasks", RP_TASKS},       {"memory", RP_MEMORY},
    };
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
        if (!strcmp(options->command->name, sections[i].name))
            return run(options, sections[i].section, 0, 0);
    return CLI_USAGE; /* a row of the table of commands without one here */
}
