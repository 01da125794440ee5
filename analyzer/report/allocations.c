/* SPDX-License-Identifier: MIT
 * allocations.c: which lines allocated what, as tracemalloc prints it, and for a machine.
 *
 * A line of text is str() of a tracemalloc.Statistic (Lib/tracemalloc.py, the same from 3.8 to
 * 3.15), so that who has compared such lists before can go on comparing.
 */
#include <inttypes.h>
#include <string.h>

#include "analyzer/report/jsonvalue.h"
#include "analyzer/report/paper.h"
#include "dumpfmt/base/mem.h"

/* _format_size of Lib/tracemalloc.py, without sign. */
static struct fi_phrase python_size(double size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    struct fi_phrase phrase;
    for (int i = 0;; i++, size /= 1024) {
        if (size < 100 && i > 0) {
            snprintf(phrase.text, sizeof(phrase.text), "%.1f %s", size, units[i]);
            return phrase;
        }
        if (size < 10 * 1024 || i == 4) {
            snprintf(phrase.text, sizeof(phrase.text), "%.0f %s", size, units[i]);
            return phrase;
        }
    }
}

/* str(Statistic): of a traceback it names the oldest frame. */
static char *statistic(const struct fi_allocation_row *row)
{
    return df_xasprintf("%s:%" PRIu32 ": size=%s, count=%" PRIu64 ", average=%s",
                        row->frames[0].file, row->frames[0].line,
                        python_size((double)row->size).text, row->count,
                        python_size((double)row->size / (double)row->count).text);
}

/* Traceback.format() without the source lines, which are not here. */
static void frames(struct rp_paper *paper, const struct fi_allocation_row *row)
{
    for (uint32_t i = 0; i < row->frame_count; i++) {
        DF_CLEANUP_FREE char *line =
            df_xasprintf("  File \"%s\", line %" PRIu32, row->frames[i].file, row->frames[i].line);
        rp_put(paper, RP_DIM, line);
        fputc('\n', paper->stream);
    }
}

static void heading(struct rp_paper *paper, const struct fi_allocations *allocations)
{
    DF_CLEANUP_FREE char *peak =
        allocations->peak_bytes
            ? df_xasprintf(", %s at the peak", fi_bytes_phrase(allocations->peak_bytes).text)
            : NULL;
    DF_CLEANUP_FREE char *depth =
        allocations->max_frames
            ? df_xasprintf("; it kept %" PRIu32 " %s of each traceback", allocations->max_frames,
                           allocations->max_frames == 1 ? "frame" : "frames")
            : NULL;
    DF_CLEANUP_FREE char *text = df_xasprintf(
        "tracemalloc had traced %s in %s blocks%s, and took %s itself%s.",
        fi_bytes_phrase(allocations->traced_bytes).text, fi_number_phrase(allocations->blocks).text,
        peak ? peak : "", fi_bytes_phrase(allocations->own_bytes).text, depth ? depth : "");
    rp_wrap(paper, "", RP_BOLD, text);
    if (!allocations->type)
        return;
    DF_CLEANUP_FREE char *objects =
        df_xasprintf("Of %s objects of type %s it knows %s: the memory of the objects themselves, "
                     "without their tables and texts.",
                     fi_number_phrase(allocations->objects).text, allocations->type,
                     fi_number_phrase(allocations->objects - allocations->untraced).text);
    rp_wrap(paper, "", RP_PLAIN, objects);
}

struct df_err *rp_allocations_text(FILE *stream, const struct fi_allocations *allocations,
                                   const struct rp_style *style)
{
    struct rp_paper paper = rp_paper(stream, style);
    uint32_t shown = rp_shown(&paper, allocations->row_count);
    if (!allocations->tracing) {
        DF_CLEANUP_FREE char *note = df_xasprintf("%s.", allocations->note);
        if (*note >= 'a' && *note <= 'z' && strncmp(note, "tracemalloc", 11) != 0)
            *note = (char)(*note - 'a' + 'A');
        rp_wrap(&paper, "", RP_PLAIN, note);
        return rp_paper_error(&paper);
    }
    heading(&paper, allocations);
    fputc('\n', stream);
    for (uint32_t i = 0; i < shown; i++) {
        DF_CLEANUP_FREE char *line = statistic(&allocations->rows[i]);
        rp_put(&paper, RP_PLAIN, line);
        fputc('\n', stream);
        if (allocations->group == FI_BY_TRACEBACK)
            frames(&paper, &allocations->rows[i]);
    }
    rp_left_out(&paper, shown, allocations->row_count, "(--limit N)");
    return rp_paper_error(&paper);
}

static json_t *row_value(const struct fi_allocation_row *row)
{
    json_t *traceback = json_array();
    for (uint32_t i = 0; i < row->frame_count; i++)
        json_array_append_new(traceback,
                              json_pack("{so so}", "file", rp_json_text(row->frames[i].file),
                                        "line", rp_json_number(row->frames[i].line)));
    return json_pack("{so so so}", "traceback", traceback, "size", rp_json_number(row->size),
                     "count", rp_json_number(row->count));
}

struct df_err *rp_allocations_json(FILE *stream, const struct fi_allocations *allocations,
                                   uint32_t limit)
{
    json_t *rows = json_array();
    for (uint32_t i = 0; i < allocations->row_count && (!limit || i < limit); i++)
        json_array_append_new(rows, row_value(&allocations->rows[i]));
    json_t *value = json_pack(
        "{si sb so so so so so so so so ss so so so so so}", "schema_version", FI_SCHEMA_VERSION,
        "tracing", allocations->tracing, "note", rp_json_text(allocations->note), "max_frames",
        allocations->max_frames ? rp_json_number(allocations->max_frames) : json_null(),
        "traced_bytes", rp_json_number(allocations->traced_bytes), "peak_bytes",
        allocations->peak_bytes ? rp_json_number(allocations->peak_bytes) : json_null(),
        "own_bytes", rp_json_number(allocations->own_bytes), "blocks",
        rp_json_number(allocations->blocks), "damaged", rp_json_number(allocations->damaged),
        "type", rp_json_text(allocations->type), "group",
        fi_allocation_group_name(allocations->group), "objects",
        allocations->type ? rp_json_number(allocations->objects) : json_null(), "untraced",
        allocations->type ? rp_json_number(allocations->untraced) : json_null(), "size",
        rp_json_number(allocations->size), "count", rp_json_number(allocations->count),
        "statistics", rows);
    return rp_json_write(stream, value);
}
