/* SPDX-License-Identifier: MIT
 * text_object.c: one object (`show`) and the ways to it (`path`) as text.
 */
#include <inttypes.h>
#include <string.h>

#include "analyzer/findings/cuts.h"
#include "analyzer/report/paper.h"
#include "analyzer/report/utf8.h"
#include "dumpfmt/base/mem.h"

static void row(struct rp_paper *paper, const char *name, enum rp_ink ink, const char *text)
{
    if (!text || !*text)
        return;
    DF_CLEANUP_FREE char *first = df_xasprintf("  %-12s", name);
    rp_wrap(paper, first, ink, text);
}

/* How many bytes of a clean text fit into `columns`; broken behind a space where one is not far. */
static size_t line_length(const char *text, size_t columns)
{
    size_t length = 0, taken = 0, space = 0, step;
    uint32_t code_point;
    while ((step = rp_utf8_next(text + length, &code_point))) {
        taken += rp_utf8_columns(code_point);
        if (taken > columns)
            return space > length / 2 ? space : length;
        length += step;
        if (code_point == ' ')
            space = length;
    }
    return length;
}

/* The text of an object: folded, with nothing of it lost, not even runs of spaces. */
static void text_row(struct rp_paper *paper, const char *text)
{
    DF_CLEANUP_FREE char *clean = rp_utf8_clean(text, true);
    const char *at = clean, *first = "  text        ";
    size_t columns = paper->width > strlen(first) + 20 ? paper->width - strlen(first) : 20;
    do {
        size_t length = line_length(at, columns);
        length = length ? length : strlen(at); /* a character that is wider than the paper */
        fprintf(paper->stream, "%s%.*s\n", first, (int)length, at);
        first = "              ";
        at += length;
    } while (*at);
    paper->begun = true;
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
        {.name = "text", .least = 16, .middle = true},
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

static void fields(struct rp_paper *paper, const struct fi_object *object)
{
    static const struct rp_column columns[] = {
        {.name = "name", .ink = RP_CYAN, .least = 12, .middle = true},
        {.name = "address"},
        {.name = "type", .least = 16, .middle = true},
        {.name = "size", .right = true},
        {.name = "retained", .right = true},
        {.name = "text", .least = 16, .middle = true},
    };
    struct rp_table table;
    if (!object->field_total)
        return;
    DF_CLEANUP_FREE char *title = df_xstrdup(object->fields_are);
    title[0] = (char)(title[0] - 'a' + 'A');
    rp_table_init(&table, columns, 6);
    for (uint32_t i = 0; i < object->field_count; i++) {
        const struct fi_field *field = &object->fields[i];
        DF_CLEANUP_FREE char *address = df_xasprintf("0x%" PRIx64, field->address);
        rp_cell(&table, field->name);
        rp_cell(&table, address);
        rp_cell(&table, field->type);
        rp_cell_bytes(&table, field->size);
        rp_cell_bytes(&table, field->retained_bytes);
        rp_cell(&table, field->text);
    }
    rp_heading(paper, title, fi_number_phrase(object->field_total).text);
    rp_table_print(paper, &table);
    rp_left_out(paper, object->field_count, object->field_total, "(--limit N)");
}

static char *in_objects(uint64_t bytes, uint64_t objects)
{
    return df_xasprintf("%s in %s object%s", fi_bytes_phrase(bytes).text,
                        fi_number_phrase(objects).text, objects == 1 ? "" : "s");
}

/* What would be gone with it, by type. */
static void freed(struct rp_paper *paper, const struct fi_object *object)
{
    static const struct rp_column columns[] = {
        {.name = "bytes", .right = true}, {.name = "count", .right = true}, {.name = "type"}};
    struct rp_table table;
    if (!object->freed_count)
        return;
    rp_table_init(&table, columns, 3);
    for (uint32_t i = 0; i < object->freed_count; i++) {
        rp_cell_bytes(&table, object->freed[i].shallow_bytes);
        rp_cell_number(&table, object->freed[i].count);
        rp_cell(&table, object->freed[i].type);
    }
    DF_CLEANUP_FREE char *note =
        in_objects(object->retained_bytes - object->size, object->retained_objects - 1);
    rp_heading(paper, "Would be freed with it", note);
    rp_table_print(paper, &table);
    rp_left_out(paper, object->freed_count, object->freed_total, "types (--limit 0)");
}

/* What keeps it, and whether the collector would take it. */
static void standing(struct rp_paper *paper, const struct fi_object *object)
{
    DF_CLEANUP_FREE char *above = NULL, *cycle = NULL;
    row(paper, "path", RP_CYAN, object->path);
    if (object->path && object->dominator_path && strcmp(object->path, object->dominator_path) != 0)
        row(paper, "dominators", RP_CYAN, object->dominator_path);
    if (object->dominator)
        above = df_xasprintf("%s at 0x%" PRIx64 ": %s", object->dominator->type,
                             object->dominator->address, object->dominator->text);
    row(paper, "kept by", RP_PLAIN, above);
    row(paper, "root", RP_PLAIN, object->root);
    row(paper, "collector", object->garbage ? RP_YELLOW : RP_PLAIN, object->verdict);
    if (object->cycle_objects)
        cycle =
            df_xasprintf("of %s objects, %s%s%s", fi_number_phrase(object->cycle_objects).text,
                         fi_bytes_phrase(object->cycle_bytes).text, object->cycle_types ? ": " : "",
                         object->cycle_types ? object->cycle_types : "");
    row(paper, "cycle", object->garbage ? RP_YELLOW : RP_PLAIN, cycle);
    if (object->finalized)
        row(paper, "finalizer", RP_PLAIN, "has run");
    row(paper, "known from", RP_PLAIN, object->source);
}

static void sizes(struct rp_paper *paper, const struct fi_object *object)
{
    DF_CLEANUP_FREE char *references = references_text(object);
    DF_CLEANUP_FREE char *retained = in_objects(object->retained_bytes, object->retained_objects);
    row(paper, "size", RP_PLAIN, fi_bytes_phrase(object->size).text);
    row(paper, "retained", RP_PLAIN, retained);
    row(paper, "references", RP_PLAIN, references);
}

struct df_err *rp_object_text(FILE *stream, const struct fi_object *object,
                              const struct rp_style *style)
{
    struct rp_paper paper = rp_paper(stream, style);
    DF_CLEANUP_FREE char *title = df_xasprintf("%s at 0x%" PRIx64, object->type, object->address);
    rp_put(&paper, RP_BOLD, title);
    fputc('\n', stream);
    text_row(&paper, object->text);
    for (uint32_t i = 0; i < object->fact_count; i++)
        row(&paper, object->facts[i].name, RP_PLAIN, object->facts[i].text);
    sizes(&paper, object);
    standing(&paper, object);
    allocated(&paper, object);
    fields(&paper, object);
    if (object->other_total)
        links(&paper, object->field_total ? "Refers to, besides" : "Refers to", object->others,
              object->other_count, object->other_total);
    links(&paper, "Referred to by", object->referrers, object->referrer_count,
          object->referrer_total);
    freed(&paper, object);
    return rp_paper_error(&paper);
}

struct df_err *rp_instances_text(FILE *stream, const struct fi_instances *instances,
                                 const struct rp_style *style)
{
    static const struct rp_column columns[] = {
        {.name = "address"},
        {.name = "size", .right = true},
        {.name = "retained", .right = true},
        {.name = "text", .least = 16, .middle = true},
    };
    struct rp_paper paper = rp_paper(stream, style);
    struct rp_table table;
    DF_CLEANUP_FREE char *note =
        df_xasprintf("%s objects, %s", fi_number_phrase(instances->total).text,
                     fi_bytes_phrase(instances->bytes).text);
    rp_table_init(&table, columns, 4);
    for (uint32_t i = 0; i < instances->count; i++) {
        DF_CLEANUP_FREE char *address = df_xasprintf("0x%" PRIx64, instances->items[i].address);
        rp_cell(&table, address);
        rp_cell_bytes(&table, instances->items[i].size);
        rp_cell_bytes(&table, instances->items[i].retained_bytes);
        rp_cell(&table, instances->items[i].text);
    }
    rp_heading(&paper, instances->type, note);
    rp_table_print(&paper, &table);
    rp_left_out(&paper, instances->count, instances->total, "(--limit N)");
    return rp_paper_error(&paper);
}

static void route(struct rp_paper *paper, const struct fi_route *route)
{
    static const struct rp_column columns[] = {
        {.name = "address"},
        {.name = "label", .ink = RP_CYAN, .least = 16, .middle = true},
        {.name = "type", .least = 16, .middle = true},
        {.name = "retained", .right = true},
        {.name = "text", .least = 16, .middle = true},
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
