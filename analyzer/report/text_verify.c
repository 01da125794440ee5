/* SPDX-License-Identifier: MIT
 * text_verify.c: how exact the analysis is, for a person: the verdict, then by type, then what
 * differs and what could not be run.
 */
#include <inttypes.h>

#include "analyzer/report/paper.h"
#include "dumpfmt/base/mem.h"

/* Nothing where there is none, so that a column of nothing is left out. */
static void some(struct rp_table *table, uint64_t number)
{
    if (number)
        rp_cell_number(table, number);
    else
        rp_cell(table, "");
}

static void types(struct rp_paper *paper, const struct fi_verify *verify)
{
    static const struct rp_column columns[] = {
        {.name = "objects", .right = true},
        {.name = "checked", .right = true},
        {.name = "agree", .right = true},
        {.name = "own code", .right = true},
        {.name = "disagree", .right = true, .ink = RP_RED},
        {.name = "not run", .right = true, .ink = RP_YELLOW},
        {.name = "type", .least = 24, .middle = true},
    };
    struct rp_table table;
    uint32_t shown = rp_shown(paper, verify->type_count);
    rp_table_init(&table, columns, 7);
    for (uint32_t i = 0; i < shown; i++) {
        const struct fi_verify_type *row = &verify->types[i];
        rp_cell_number(&table, row->objects);
        rp_cell_number(&table, row->checked);
        rp_cell_number(&table, row->agree);
        some(&table, row->own_code);
        some(&table, row->disagree);
        some(&table, row->failed);
        rp_cell(&table, row->type);
    }
    rp_heading(paper, "Types", "own code: walked by their own tp_traverse and nothing else");
    rp_table_print(paper, &table);
    rp_left_out(paper, shown, verify->type_count, "types");
}

static void disagreement(struct rp_paper *paper, const struct fi_verify_disagreement *row)
{
    DF_CLEANUP_FREE char *head = df_xasprintf(
        "%s at 0x%" PRIx64 ", %s: walkers %" PRIu64 " references, tp_traverse %" PRIu64, row->type,
        row->address, row->text, row->ours, row->theirs);
    rp_wrap(paper, "  ", RP_PLAIN, head);
    for (uint32_t i = 0; i < row->difference_count; i++) {
        const struct fi_verify_difference *difference = &row->differences[i];
        DF_CLEANUP_FREE char *place =
            difference->offset < 0 ? df_xstrdup("")
                                   : df_xasprintf(", at offset %" PRId64, difference->offset);
        DF_CLEANUP_FREE char *line = df_xasprintf("only %s: 0x%" PRIx64 " %s%s",
                                                  difference->ours ? "the walkers" : "tp_traverse",
                                                  difference->target, difference->text, place);
        rp_wrap(paper, "      ", RP_PLAIN, line);
    }
    if (row->difference_total > row->difference_count)
        rp_line(paper, "      and %s more",
                fi_number_phrase(row->difference_total - row->difference_count).text);
}

static void disagreements(struct rp_paper *paper, const struct fi_verify *verify)
{
    if (!verify->disagreement_count)
        return;
    uint32_t shown = rp_shown(paper, verify->disagreement_count);
    rp_heading(paper, "Disagreements", "a few of each type");
    for (uint32_t i = 0; i < shown; i++)
        disagreement(paper, &verify->disagreements[i]);
    rp_left_out(paper, shown, verify->all.disagree, "disagreements");
}

static void failures(struct rp_paper *paper, const struct fi_verify *verify)
{
    if (!verify->failure_count)
        return;
    rp_heading(paper, "Not run", NULL);
    for (uint32_t i = 0; i < verify->failure_count; i++) {
        const struct fi_verify_failure *row = &verify->failures[i];
        rp_line(paper, "  %s: %s; for example %s at 0x%" PRIx64, row->reason,
                fi_number_phrase(row->count).text, row->type, row->example);
    }
}

struct df_err *rp_verify_text(FILE *stream, const struct fi_verify *verify,
                              const struct rp_style *style)
{
    struct rp_paper paper = rp_paper(stream, style);
    rp_wrap(&paper, "", fi_verify_good(verify) ? RP_BOLD : RP_YELLOW, verify->sentence);
    disagreements(&paper, verify);
    failures(&paper, verify);
    types(&paper, verify);
    return rp_paper_error(&paper);
}
