/* SPDX-License-Identifier: MIT
 * text_sections.c: findings, holders, types, cycles and garbage as text.
 */
#include "analyzer/report/sections.h"

#include "dumpfmt/base/mem.h"

static void finding(struct rp_paper *paper, const struct fi_finding *finding)
{
    static const struct {
        const char *mark;
        enum rp_ink ink;
    } looks[] = {[FI_LOW] = {"low    ", RP_BLUE},
                 [FI_MEDIUM] = {"medium ", RP_YELLOW},
                 [FI_HIGH] = {"high   ", RP_RED}};
    fputs("  ", paper->stream);
    rp_put(paper, looks[finding->severity].ink, looks[finding->severity].mark);
    rp_wrap_at(paper, 2 + 7, "  ", RP_BOLD, finding->title);
    for (uint32_t i = 0; i < finding->evidence_count; i++)
        rp_wrap(paper, "           · ", RP_PLAIN, finding->evidence[i]);
    if (finding->advice)
        rp_wrap(paper, "           → ", RP_GREEN, finding->advice);
}

void rp_text_findings(struct rp_paper *paper, const struct fi_verdict *verdict)
{
    if (!verdict->finding_count) {
        rp_line(paper, "No findings: nothing holds a large part of the heap, and no dead cycles "
                       "wait.");
        return;
    }
    rp_heading(paper, "Findings", NULL);
    uint32_t shown = rp_shown(paper, verdict->finding_count);
    for (uint32_t i = 0; i < shown; i++)
        finding(paper, &verdict->findings[i]);
    rp_left_out(paper, shown, verdict->finding_count, "findings");
}

void rp_text_holders(struct rp_paper *paper, const struct fi_verdict *verdict)
{
    static const struct rp_column columns[] = {
        {.name = "retained", .right = true},
        {.name = "share", .right = true},
        {.name = "objects", .right = true},
        {.name = "path", .ink = RP_CYAN, .least = 24, .middle = true},
        {.name = "what it is", .least = 16, .middle = true},
    };
    struct rp_table table;
    rp_table_init(&table, columns, 5);
    uint32_t shown = rp_shown(paper, verdict->dominator_count);
    for (uint32_t i = 0; i < shown; i++) {
        const struct fi_holder *holder = &verdict->dominators[i];
        rp_cell_bytes(&table, holder->retained_bytes);
        rp_cell_percent(&table, holder->retained_bytes, verdict->heap_bytes);
        rp_cell_number(&table, holder->retained_objects);
        rp_cell(&table, holder->path);
        rp_cell(&table, holder->text ? holder->text : holder->type);
    }
    rp_heading(paper, "Holders", "where memory accumulates: what would be free without each");
    rp_table_print(paper, &table);
    rp_left_out(paper, shown, verdict->dominator_count, "holders (necropy retained)");
}

static void type_table(struct rp_paper *paper, const struct fi_type_row *rows, uint32_t count,
                       uint64_t whole)
{
    static const struct rp_column columns[] = {
        {.name = "retained", .right = true},
        {.name = "share", .right = true},
        {.name = "shallow", .right = true},
        {.name = "count", .right = true},
        {.name = "type", .least = 24, .middle = true},
    };
    struct rp_table table;
    rp_table_init(&table, columns, 5);
    for (uint32_t i = 0; i < count; i++) {
        rp_cell_bytes(&table, rows[i].retained_bytes);
        rp_cell_percent(&table, rows[i].retained_bytes, whole);
        rp_cell_bytes(&table, rows[i].shallow_bytes);
        rp_cell_number(&table, rows[i].count);
        rp_cell(&table, rows[i].type);
    }
    rp_table_print(paper, &table);
}

void rp_text_types(struct rp_paper *paper, const struct fi_verdict *verdict)
{
    DF_CLEANUP_FREE char *note =
        df_xasprintf("%s objects, %s", fi_number_phrase(verdict->coverage.objects).text,
                     fi_bytes_phrase(verdict->heap_bytes).text);
    uint32_t shown = rp_shown(paper, verdict->type_count);
    rp_heading(paper, "Types", note);
    type_table(paper, verdict->types, shown, verdict->heap_bytes);
    rp_left_out(paper, shown, verdict->type_count, "types (necropy types)");
}

static char *finalizer_text(const struct fi_cycle_group *group)
{
    char *text = df_xstrdup("");
    for (uint32_t i = 0; i < group->finalizer_count && i < 3; i++) {
        char *longer = df_xasprintf("%s%s%s", text, i ? ", " : "", group->finalizers[i]);
        free(text);
        text = longer;
    }
    if (group->finalizer_count > 3) {
        char *longer = df_xasprintf("%s, …", text);
        free(text);
        text = longer;
    }
    return text;
}

/* The living cycles of an interpreter (classes and their MROs) are no news: a report shows few. */
static uint32_t shapes_shown(const struct rp_paper *paper, const struct fi_cycles *cycles,
                             bool brief)
{
    enum { ALIVE = 3 };
    uint32_t shown = rp_shown(paper, cycles->group_count), dead = 0;
    while (dead < cycles->group_count && cycles->groups[dead].garbage)
        dead++;
    return brief && shown > dead + ALIVE ? dead + ALIVE : shown;
}

void rp_text_cycles(struct rp_paper *paper, const struct fi_verdict *verdict, bool brief)
{
    static const struct rp_column columns[] = {
        {.name = "cycles", .right = true},
        {.name = "objects", .right = true},
        {.name = "bytes", .right = true},
        {.name = "held"},
        {.name = "shape", .least = 24, .middle = false},
        {.name = "__del__ in", .ink = RP_YELLOW, .least = 12, .middle = true},
    };
    const struct fi_cycles *cycles = &verdict->cycles;
    if (!cycles->count) {
        rp_heading(paper, "Cycles", "none");
        return;
    }
    uint32_t shown = shapes_shown(paper, cycles, brief);
    struct rp_table table;
    rp_table_init(&table, columns, 6);
    for (uint32_t i = 0; i < shown; i++) {
        const struct fi_cycle_group *group = &cycles->groups[i];
        rp_cell_number(&table, group->count);
        rp_cell_number(&table, group->objects);
        rp_cell_bytes(&table, group->bytes);
        rp_cell(&table, group->garbage ? "by nobody" : "alive");
        rp_cell(&table, group->signature);
        DF_CLEANUP_FREE char *text = finalizer_text(group);
        rp_cell(&table, text);
    }
    DF_CLEANUP_FREE char *note =
        df_xasprintf("%s of %s objects, %s; by shape", fi_number_phrase(cycles->count).text,
                     fi_number_phrase(cycles->objects).text, fi_bytes_phrase(cycles->bytes).text);
    rp_heading(paper, "Cycles", note);
    rp_table_print(paper, &table);
    rp_left_out(paper, shown, cycles->group_count, "shapes (necropy cycles)");
}

static void collector_state(struct rp_paper *paper, const struct fi_python *python)
{
    DF_CLEANUP_FREE char *text = df_xasprintf(
        "The collector is %s%s; thresholds %d, %d, %d; counts %d, %d, %d; it ran %s times%s.",
        python->gc_enabled ? "on" : "off", python->gc_collecting ? " and was running" : "",
        python->thresholds[0], python->thresholds[1], python->thresholds[2], python->counts[0],
        python->counts[1], python->counts[2],
        fi_number_phrase(python->stats[0].collections + python->stats[1].collections +
                         python->stats[2].collections)
            .text,
        python->gc_debug_flags ? ", with debug flags set" : "");
    rp_wrap(paper, "  ", RP_PLAIN, text);
}

void rp_text_garbage(struct rp_paper *paper, const struct fi_verdict *verdict)
{
    const struct fi_garbage *garbage = &verdict->garbage;
    rp_heading(paper, "Garbage", NULL);
    if (garbage->objects) {
        DF_CLEANUP_FREE char *text = df_xasprintf(
            "gc.collect() would return %s: dead objects of %s cycle%s. It would free %s objects, "
            "%s.",
            fi_number_phrase(garbage->objects).text, fi_number_phrase(garbage->cycles).text,
            garbage->cycles == 1 ? "" : "s", fi_number_phrase(garbage->freed_objects).text,
            fi_bytes_phrase(garbage->bytes).text);
        rp_wrap(paper, "  ", RP_PLAIN, text);
    } else {
        rp_line(paper, "  gc.collect() would return 0: no dead cycles.");
    }
    if (garbage->with_finalizer)
        rp_line(paper, "  %s of them have a finalizer that has not run.",
                fi_number_phrase(garbage->with_finalizer).text);
    if (garbage->uncollectable)
        rp_line(paper, "  %s of them cannot be freed (legacy finalizers).",
                fi_number_phrase(garbage->uncollectable).text);
    if (garbage->in_gc_garbage)
        rp_line(paper, "  gc.garbage holds %s.", fi_number_phrase(garbage->in_gc_garbage).text);
    collector_state(paper, &verdict->python);
    uint32_t shown = rp_shown(paper, garbage->type_count);
    type_table(paper, garbage->types, shown, verdict->heap_bytes);
    rp_left_out(paper, shown, garbage->type_count, "types (necropy garbage)");
}
