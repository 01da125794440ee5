/* SPDX-License-Identifier: MIT
 * text_diff.c: what grew between dumps, as text: the sentence first.
 */
#include <string.h>

#include "analyzer/report/paper.h"
#include "dumpfmt/base/mem.h"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void dumps(struct rp_paper *paper, const struct fi_diff *diff)
{
    static const struct rp_column columns[] = {
        {.name = "dump", .ink = RP_DIM, .least = 20, .middle = true},
        {.name = "pid", .right = true, .ink = RP_DIM},
        {.name = "CPython", .ink = RP_DIM},
        {.name = "objects", .right = true},
        {.name = "heap", .right = true},
    };
    struct rp_table table;
    rp_table_init(&table, columns, 5);
    for (uint32_t d = 0; d < diff->dump_count; d++) {
        const struct fi_diff_dump *dump = &diff->dumps[d];
        DF_CLEANUP_FREE char *pid = dump->pid ? df_xasprintf("%d", dump->pid) : df_xstrdup("");
        rp_cell(&table, base_name(dump->path));
        rp_cell(&table, pid);
        rp_cell(&table, dump->version);
        rp_cell_number(&table, dump->objects);
        rp_cell_bytes(&table, dump->heap_bytes);
    }
    rp_table_print(paper, &table);
    for (uint32_t i = 0; i < diff->warning_count; i++)
        rp_wrap(paper, "  Beware: ", RP_YELLOW, diff->warnings[i]);
    fputc('\n', paper->stream);
}

static char *signed_bytes(int64_t bytes)
{
    return df_xasprintf("%s%s",
                        bytes < 0 ? "−"
                        : bytes   ? "+"
                                  : "",
                        fi_bytes_phrase(bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes).text);
}

static char *signed_number(int64_t number)
{
    return df_xasprintf("%s%s",
                        number < 0 ? "−"
                        : number   ? "+"
                                   : "",
                        fi_number_phrase(number < 0 ? -(uint64_t)number : (uint64_t)number).text);
}

#define WRITTEN_OUT 4 /* dumps; of more the figures between are left out */

/* "100 → 40 100": of each dump. */
static char *steps(const uint64_t *figures, uint32_t count)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return df_xstrdup("");
    for (uint32_t i = 0; i < count; i++) {
        if (count > WRITTEN_OUT && i && i + 1 < count)
            fputs(i == 1 ? " → …" : "", stream);
        else
            fprintf(stream, "%s%s", i ? " → " : "", fi_number_phrase(figures[i]).text);
    }
    fclose(stream);
    return text;
}

static const char *kind_text(const struct fi_diff *diff, const struct fi_growth *row)
{
    static const char *const texts[] = {
        [FI_GROWS_ELEMENTS] = "",
        [FI_GROWS_SIZE] = "its own size",
        [FI_GROWS_NEW] = "new",
        [FI_GROWS_ONCE] = "one thing",
        [FI_GROWS_GARBAGE] = "waits for the collector",
        [FI_GROWS_CODE] = "imported",
        [FI_GROWS_LIMITED] = "full: has a limit",
    };
    if (diff->dump_count > 2 && row->monotone && row->kind == FI_GROWS_ELEMENTS)
        return "in each step";
    return texts[row->kind];
}

static void paths(struct rp_paper *paper, const struct fi_diff *diff)
{
    static const struct rp_column columns[] = {
        {.name = "growth", .right = true},
        {.name = "share", .right = true},
        {.name = "objects", .right = true},
        {.name = "path", .ink = RP_CYAN, .least = 24, .middle = true},
        {.name = "type", .least = 12, .middle = true},
        {.name = "note", .ink = RP_DIM},
    };
    uint32_t shown = rp_shown(paper, diff->path_count);
    struct rp_table table;
    rp_table_init(&table, columns, 6);
    for (uint32_t i = 0; i < shown; i++) {
        const struct fi_growth *row = &diff->paths[i];
        DF_CLEANUP_FREE char *bytes = signed_bytes(row->grown_bytes);
        DF_CLEANUP_FREE char *objects = steps(row->counts, diff->dump_count);
        rp_cell(&table, bytes);
        rp_cell_percent(&table, (uint64_t)row->grown_bytes, diff->all_growth);
        rp_cell(&table, objects);
        rp_cell(&table, row->path);
        rp_cell(&table, row->type);
        rp_cell(&table, kind_text(diff, row));
    }
    rp_heading(paper, "Growth by path",
               "with all that hangs below; indices, keys and addresses left out");
    if (!shown)
        rp_line(paper, "  none");
    rp_table_print(paper, &table);
    rp_left_out(paper, shown, diff->path_count, "paths");
}

static void types(struct rp_paper *paper, const struct fi_diff *diff)
{
    static const struct rp_column columns[] = {
        {.name = "growth", .right = true},
        {.name = "retained", .right = true},
        {.name = "more", .right = true},
        {.name = "objects", .right = true},
        {.name = "type", .least = 16, .middle = true},
        {.name = "note", .ink = RP_DIM},
    };
    uint32_t last = diff->dump_count - 1, shown = rp_shown(paper, diff->type_count);
    struct rp_table table;
    rp_table_init(&table, columns, 6);
    for (uint32_t i = 0; i < shown; i++) {
        const struct fi_type_growth *row = &diff->types[i];
        DF_CLEANUP_FREE char *bytes = signed_bytes(row->grown_bytes);
        DF_CLEANUP_FREE char *retained =
            signed_bytes((int64_t)(row->retained[last] - row->retained[0]));
        DF_CLEANUP_FREE char *more = signed_number(row->grown_objects);
        DF_CLEANUP_FREE char *objects = steps(row->counts, diff->dump_count);
        rp_cell(&table, bytes);
        rp_cell(&table, retained);
        rp_cell(&table, more);
        rp_cell(&table, objects);
        rp_cell(&table, row->type);
        rp_cell(&table, diff->dump_count > 2 && row->monotone ? "in each step" : "");
    }
    rp_heading(paper, "Growth by type",
               "the objects themselves; retained: with what only they hold");
    if (!shown)
        rp_line(paper, "  none");
    rp_table_print(paper, &table);
    rp_left_out(paper, shown, diff->type_count, "types");
}

struct df_err *rp_diff_text(FILE *stream, const struct fi_diff *diff, const struct rp_style *style)
{
    struct rp_paper paper = rp_paper(stream, style);
    dumps(&paper, diff);
    rp_wrap(&paper, "", RP_BOLD, diff->sentence);
    paths(&paper, diff);
    types(&paper, diff);
    if (diff->grew && diff->dump_count == 2)
        rp_heading(&paper, "", "A third dump would tell what still grows from what has filled.");
    return rp_paper_error(&paper);
}
