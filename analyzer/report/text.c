/* SPDX-License-Identifier: MIT
 * text.c: the report for a person: the answer first, then what supports it.
 */
#include <string.h>

#include "analyzer/report/sections.h"
#include "dumpfmt/base/mem.h"

static void process(struct rp_paper *paper, const struct fi_verdict *verdict)
{
    const struct fi_core *core = &verdict->core;
    const struct fi_python *python = &verdict->python;
    const char *name = strrchr(core->path, '/') ? strrchr(core->path, '/') + 1 : core->path;
    DF_CLEANUP_FREE char *pid = core->pid ? df_xasprintf(", pid %d", core->pid) : df_xstrdup("");
    bool command = core->command && *core->command;
    DF_CLEANUP_FREE char *file =
        df_xasprintf("%s, %s%s%s%s", name, fi_bytes_phrase(core->bytes).text, pid,
                     command ? ": " : "", command ? core->command : "");
    DF_CLEANUP_FREE char *first = rp_clip(file, paper->width, false);
    rp_put(paper, RP_DIM, first);
    fputc('\n', paper->stream);
    bool known = core->captured_by && strcmp(core->captured_by, "unknown") != 0;
    DF_CLEANUP_FREE char *second = df_xasprintf(
        "CPython %s%s%s on %s%s%s%s%s%s", *python->version ? python->version : "(unknown version)",
        python->debug_build ? ", debug build" : "", python->free_threaded ? ", free-threaded" : "",
        core->machine, core->signal_name ? ", killed by " : "",
        core->signal_name ? core->signal_name : "", known ? ", dumped by " : "",
        known && !strcmp(core->captured_by, "kernel") ? "the " : "",
        known ? core->captured_by : "");
    rp_put(paper, RP_DIM, second);
    fputc('\n', paper->stream);
}

/* The sentence that answers: what is wrong with this process? */
static char *answer(const struct fi_verdict *verdict)
{
    const struct fi_finding *first = verdict->finding_count ? &verdict->findings[0] : NULL;
    if (first && first->holder.path && first->holder.text && first->count > 1)
        return df_xasprintf("%s of %s is held by `%s`, %s.",
                            fi_bytes_phrase(first->retained_bytes).text,
                            fi_bytes_phrase(verdict->heap_bytes).text, first->holder.path,
                            first->holder.text);
    if (first)
        return df_xasprintf("%s.", first->title);
    if (verdict->dominator_count)
        return df_xasprintf(
            "Nothing stands out: of %s in %s objects, the largest holder, `%s`, "
            "keeps %s (%s).",
            fi_bytes_phrase(verdict->heap_bytes).text,
            fi_number_phrase(verdict->coverage.objects).text, verdict->dominators[0].path,
            fi_bytes_phrase(verdict->dominators[0].retained_bytes).text,
            fi_percent_phrase(verdict->dominators[0].retained_bytes, verdict->heap_bytes).text);
    return df_xasprintf("Nothing stands out in %s objects (%s).",
                        fi_number_phrase(verdict->coverage.objects).text,
                        fi_bytes_phrase(verdict->heap_bytes).text);
}

void rp_text_lead(struct rp_paper *paper, const struct fi_verdict *verdict)
{
    process(paper, verdict);
    fputc('\n', paper->stream);
    DF_CLEANUP_FREE char *sentence = answer(verdict);
    rp_wrap(paper, "", RP_BOLD, sentence);
}

static void report(struct rp_paper *paper, const struct fi_verdict *verdict)
{
    rp_text_lead(paper, verdict);
    if (verdict->finding_count)
        rp_text_findings(paper, verdict);
    rp_text_holders(paper, verdict);
    rp_text_types(paper, verdict);
    rp_text_cycles(paper, verdict, true);
    if (verdict->garbage.objects || verdict->garbage.in_gc_garbage)
        rp_text_garbage(paper, verdict);
    rp_text_threads(paper, verdict, false);
    rp_text_tasks(paper, verdict, false);
    rp_text_memory(paper, verdict);
    rp_text_coverage(paper, verdict, false);
}

struct df_err *rp_text(FILE *stream, const struct fi_verdict *verdict, enum rp_section section,
                       const struct rp_style *style)
{
    struct rp_paper paper = rp_paper(stream, style);
    switch (section) {
    case RP_REPORT:
        report(&paper, verdict);
        break;
    case RP_FINDINGS:
        rp_text_findings(&paper, verdict);
        break;
    case RP_TYPES:
        rp_text_types(&paper, verdict);
        break;
    case RP_RETAINED:
        rp_text_holders(&paper, verdict);
        rp_text_types(&paper, verdict);
        break;
    case RP_CYCLES:
        rp_text_cycles(&paper, verdict, false);
        break;
    case RP_GARBAGE:
        rp_text_garbage(&paper, verdict);
        break;
    case RP_THREADS:
        rp_text_threads(&paper, verdict, true);
        break;
    case RP_TASKS:
        rp_text_tasks(&paper, verdict, true);
        break;
    case RP_MEMORY:
        rp_text_memory(&paper, verdict);
        rp_text_coverage(&paper, verdict, true);
        break;
    }
    return rp_paper_error(&paper);
}
