/* SPDX-License-Identifier: MIT
 * text_object.c: one object (`show`) and the ways to it (`path`) as text.
 */
#include <inttypes.h>
#include <string.h>

#include "analyzer/findings/cuts.h"
#include "analyzer/report/paper.h"
#include "dumpfmt/base/mem.h"

static void row(struct rp_paper *paper, const char *name, enum rp_ink ink, const char *text)
{
    if (!text || !*text)
        return;
    DF_CLEANUP_FREE char *first = df_xasprintf("  %-12s", name);
    rp_wrap(paper, first, ink, text);
}

static char *references_text(const struct fi_object *object)
{
    if (object->immortal || object->references == INT64_MAX)
        return df_xstrdup("immortal");
    return df_xasprintf("%" PRId64, object->references);
}

static void links(struct rp_paper *paper, const char *title, const struct fi_link *rows,
                  uint32_t count, uint64_t total)
{
    static const struct rp_column columns[] = {
        {.name = "address"},
        {.name = "label", .ink = RP_CYAN, .least = 12, .middle = true},
        {.name = "type", .least = 16, .middle = true},
        {.name = "text", .least = 16},
        {.name = "kind", .ink = RP_DIM},
    };
    struct rp_table table;
    rp_table_init(&table, columns, 5);
    for (uint32_t i = 0; i < count; i++) {
        DF_CLEANUP_FREE char *address = df_xasprintf("0x%" PRIx64, rows[i].address);
        bool plain = !rows[i].kind || !strcmp(rows[i].kind, "referent");
        rp_cell(&table, address);
        rp_cell(&table, rows[i].label);
        rp_cell(&table, rows[i].type);
        rp_cell(&table, rows[i].text);
        rp_cell(&table, plain ? "" : rows[i].kind);
    }
    rp_heading(paper, title, fi_number_phrase(total).text);
    rp_table_print(paper, &table);
    rp_left_out(paper, count, total, "(--limit N)");
}

/* "shop/models.py:12 ← shop/app.py:40": where its memory was allocated, and by whom it was called;
 * a further block only where it says something else. */
static char *allocated_text(const struct fi_allocated *block)
{
    char *text = df_xstrdup("");
    for (uint32_t i = 0; i < block->frame_count; i++) {
        char *longer = df_xasprintf("%s%s%s:%" PRIu32, text, i ? " ← " : "", block->frames[i].file,
                                    block->frames[i].line);
        free(text);
        text = longer;
    }
    if (block->frame_total <= block->frame_count)
        return text;
    char *longer = df_xasprintf("%s ← %s more", text,
                                fi_number_phrase(block->frame_total - block->frame_count).text);
    free(text);
    return longer;
}

static void allocated(struct rp_paper *paper, const struct fi_object *object)
{
    DF_CLEANUP_FREE char *before = NULL;
    for (uint32_t i = 0; i < object->allocated_count; i++) {
        const struct fi_allocated *block = &object->allocated[i];
        char *text = allocated_text(block);
        if (!before || strcmp(before, text) != 0) {
            DF_CLEANUP_FREE char *line = i || strcmp(block->what, "object") != 0
                                             ? df_xasprintf("its %s: %s", block->what, text)
                                             : df_xstrdup(text);
            row(paper, before ? "" : "allocated", RP_CYAN, line);
        }
        free(before);
        before = text;
    }
}

struct df_err *rp_object_text(FILE *stream, const struct fi_object *object,
                              const struct rp_style *style)
{
    struct rp_paper paper = rp_paper(stream, style);
    DF_CLEANUP_FREE char *title = df_xasprintf("%s at 0x%" PRIx64, object->type, object->address);
    DF_CLEANUP_FREE char *references = references_text(object);
    DF_CLEANUP_FREE char *retained =
        df_xasprintf("%s in %s objects", fi_bytes_phrase(object->retained_bytes).text,
                     fi_number_phrase(object->retained_objects).text);
    rp_put(&paper, RP_BOLD, title);
    fputc('\n', stream);
    row(&paper, "text", RP_PLAIN, object->text);
    row(&paper, "size", RP_PLAIN, fi_bytes_phrase(object->size).text);
    row(&paper, "retained", RP_PLAIN, retained);
    row(&paper, "references", RP_PLAIN, references);
    row(&paper, "path", RP_CYAN, object->path);
    if (object->path && object->dominator_path && strcmp(object->path, object->dominator_path) != 0)
        row(&paper, "dominators", RP_CYAN, object->dominator_path);
    allocated(&paper, object);
    row(&paper, "root", RP_PLAIN, object->root);
    row(&paper, "collector", object->garbage ? RP_YELLOW : RP_PLAIN, object->verdict);
    row(&paper, "known from", RP_PLAIN, object->source);
    if (object->finalized)
        row(&paper, "finalizer", RP_PLAIN, "has run");
    links(&paper, "Refers to", object->referents, object->referent_count, object->referent_total);
    links(&paper, "Referred to by", object->referrers, object->referrer_count,
          object->referrer_total);
    return rp_paper_error(&paper);
}

static void route(struct rp_paper *paper, const struct fi_route *route)
{
    static const struct rp_column columns[] = {
        {.name = "address"},
        {.name = "label", .ink = RP_CYAN, .least = 16, .middle = true},
        {.name = "type", .least = 16, .middle = true},
        {.name = "retained", .right = true},
        {.name = "text", .least = 16},
    };
    rp_wrap(paper, "  ", RP_CYAN, route->path);
    struct rp_table table;
    rp_table_init(&table, columns, 5);
    for (uint32_t i = 0; i < route->step_count; i++) {
        const struct fi_step *step = &route->steps[i];
        DF_CLEANUP_FREE char *address = df_xasprintf("0x%" PRIx64, step->address);
        rp_cell(&table, address);
        rp_cell(&table, step->label);
        rp_cell(&table, step->type);
        rp_cell_bytes(&table, step->retained_bytes);
        rp_cell(&table, step->text);
    }
    rp_table_print(paper, &table);
}

static bool same_way(const struct fi_route *a, const struct fi_route *b)
{
    if (a->step_count != b->step_count)
        return false;
    for (uint32_t i = 0; i < a->step_count; i++)
        if (a->steps[i].address != b->steps[i].address)
            return false;
    return true;
}

#define SOME_WAYS 5 /* of too many */

static void cuts(struct rp_paper *paper, const struct fi_cuts *cuts)
{
    static const struct rp_column columns[] = {
        {.name = "held by", .least = 12, .middle = true},
        {.name = "cut here", .ink = RP_CYAN, .least = 24, .middle = true},
    };
    struct rp_table table;
    rp_heading(paper, "To free it", "modules and classes stay");
    rp_wrap(paper, "  ", RP_PLAIN, cuts->sentence);
    rp_table_init(&table, columns, 2);
    for (uint32_t i = 0; i < cuts->cut_count; i++) {
        const struct fi_cut *cut = &cuts->cuts[i];
        DF_CLEANUP_FREE char *root = df_xasprintf("a root (%s)", cut->kind ? cut->kind : "unknown");
        rp_cell(&table, cut->holder_type ? cut->holder_type : root);
        rp_cell(&table, cut->path);
    }
    rp_table_print(paper, &table);
    if (cuts->way_count < 2)
        return;
    rp_heading(paper, "Ways that share no reference", NULL);
    uint32_t shown = cuts->more && cuts->way_count > SOME_WAYS ? SOME_WAYS : cuts->way_count;
    for (uint32_t i = 0; i < shown; i++)
        rp_wrap(paper, "  ", RP_CYAN, cuts->ways[i].path);
    if (shown < cuts->way_count)
        rp_line(paper, "  … and more");
}

struct df_err *rp_routes_text(FILE *stream, const struct fi_routes *routes,
                              const struct rp_style *style)
{
    struct rp_paper paper = rp_paper(stream, style);
    for (uint32_t i = 0; i < routes->count; i++) {
        DF_CLEANUP_FREE char *note =
            routes->targets > 1
                ? df_xasprintf("%s of %s objects", fi_number_phrase(routes->counts[i]).text,
                               fi_number_phrase(routes->targets).text)
                : NULL;
        rp_heading(&paper, i ? "Another way" : "The shortest way from a root", note);
        route(&paper, &routes->shortest[i]);
    }
    if (!routes->count)
        rp_line(&paper, "No root leads there: nothing alive holds it.");
    if (routes->count && same_way(&routes->shortest[0], &routes->dominators)) {
        fputc('\n', stream);
        rp_line(&paper, "  Every way to %s passes each of these.",
                routes->targets > 1 ? "the first of them" : "it");
    } else if (routes->dominators.step_count) {
        rp_heading(&paper, "Dominators",
                   routes->targets > 1 ? "every way to the first of them passes these"
                                       : "every way to it passes these");
        route(&paper, &routes->dominators);
    }
    if (routes->cuts)
        cuts(&paper, routes->cuts);
    return rp_paper_error(&paper);
}
