/* SPDX-License-Identifier: MIT
 * dot.c: a picture for Graphviz.
 *
 * Holders stand left of or above what they hold; edges carry the label under which the holder knows
 * it. Targets, roots and garbage have colours of their own (explained in a legend line under the
 * title), objects that were folded into one say how many they are, and what was not drawn is a
 * dashed node that says how much it is: nothing is cut silently.
 */
#include <inttypes.h>
#include <string.h>

#include "analyzer/findings/phrase.h"
#include "analyzer/report/paper.h"
#include "analyzer/report/report.h"
#include "analyzer/report/utf8.h"
#include "dumpfmt/base/mem.h"

#define LABEL_COLUMNS 44

static const struct {
    const char *fill, *border, *text;
} looks[] = {
    {"#ffffff", "#8a94a0", "#1f2933"}, /* others */
    {"#ffe3b3", "#d97706", "#1f2933"}, /* targets */
    {"#cfe8d5", "#2f855a", "#1f2933"}, /* roots */
    {"#e2e4e8", "#7b8794", "#52606d"}, /* garbage */
};
enum { OTHER, TARGET, ROOT, GARBAGE };

/* Inside a double-quoted string of DOT: quotes and backslashes escaped, so that \n and the like in
 * the dead process's texts stay what they are. */
static void quoted(FILE *stream, const char *text, size_t columns, bool middle)
{
    DF_CLEANUP_FREE char *clipped = rp_clip(text, columns, middle);
    for (const char *at = clipped; *at; at++) {
        if (*at == '"' || *at == '\\')
            fputc('\\', stream);
        fputc(*at, stream);
    }
}

static int look_of(const struct fi_picture_node *node)
{
    if (node->target)
        return TARGET;
    if (node->root)
        return ROOT;
    return node->garbage ? GARBAGE : OTHER;
}

/* "<ui.Bus>", "<ui.Bus at 0x7f...>" and "<module ui.events>" repeat what stands there anyway. */
static bool says_more(const struct fi_picture_node *node)
{
    const char *text = node->text, *type = node->type;
    if (!text || !*text || !strcmp(text, type))
        return false;
    if (node->root && node->root_path && *node->root_path && strstr(text, node->root_path))
        return false;
    size_t length = strlen(type);
    return text[0] != '<' || strncmp(text + 1, type, length) != 0 ||
           (text[1 + length] != '>' && strncmp(text + 1 + length, " at ", 4) != 0);
}

static void node_label(FILE *stream, const struct fi_picture_node *node)
{
    quoted(stream, node->type, LABEL_COLUMNS, true);
    if (node->folded > 1)
        fprintf(stream, " × %s", fi_number_phrase(node->folded).text);
    else if (says_more(node)) {
        fputs("\\n", stream);
        quoted(stream, node->text, LABEL_COLUMNS, true);
    }
    if (node->root && node->root_path && *node->root_path) {
        fputs("\\nroot: ", stream);
        quoted(stream, node->root_path, LABEL_COLUMNS, true);
    }
    fprintf(stream, "\\n%s", fi_bytes_phrase(node->size).text);
    if (node->retained_bytes > node->size)
        fprintf(stream, ", retains %s", fi_bytes_phrase(node->retained_bytes).text);
}

static void draw_node(FILE *stream, const struct fi_picture_node *node, uint32_t number)
{
    int look = look_of(node);
    fprintf(stream, "  n%" PRIu32 " [label=\"", number);
    node_label(stream, node);
    fprintf(stream,
            "\", tooltip=\"0x%" PRIx64 "\", fillcolor=\"%s\", color=\"%s\", "
            "fontcolor=\"%s\"%s%s%s];\n",
            node->address, looks[look].fill,
            node->garbage ? looks[GARBAGE].border : looks[look].border, looks[look].text,
            node->target || node->root ? ", penwidth=1.6" : "",
            node->folded > 1 ? ", peripheries=2" : "",
            node->garbage ? ", style=\"filled,rounded,dashed\"" : "");
}

/* `backwards` cannot be seen here; the neighbours that are not shown hang on the side that has
 * them: the dashed node points at its node when the node is held by it. */
static void draw_hidden(FILE *stream, const struct fi_picture_node *node, uint32_t number,
                        bool backwards)
{
    fprintf(stream,
            "  m%" PRIu32 " [label=\"… %s more\", style=\"dashed,rounded\", color=\"#9aa5b1\", "
            "fontcolor=\"#616e7c\"];\n",
            number, fi_number_phrase(node->hidden).text);
    if (backwards)
        fprintf(stream, "  m%" PRIu32 " -> n%" PRIu32 " [style=dashed, color=\"#9aa5b1\"];\n",
                number, number);
    else
        fprintf(stream, "  n%" PRIu32 " -> m%" PRIu32 " [style=dashed, color=\"#9aa5b1\"];\n",
                number, number);
}

static void draw_edge(FILE *stream, const struct fi_picture_edge *edge)
{
    fprintf(stream, "  n%" PRIu32 " -> n%" PRIu32 " [label=\"", edge->from, edge->to);
    if (edge->label)
        quoted(stream, edge->label, LABEL_COLUMNS, true);
    if (edge->count > 1)
        fprintf(stream, "%s× %s", edge->label && *edge->label ? "\\n" : "",
                fi_number_phrase(edge->count).text);
    fprintf(stream, "\"%s];\n", edge->count > 1 ? ", penwidth=1.8" : "");
}

/* Inside an HTML-like label. */
static void marked_up(FILE *stream, const char *text)
{
    DF_CLEANUP_FREE char *clipped = rp_clip(text, 160, false);
    for (const char *at = clipped; *at; at++) {
        const char *entity = *at == '<'   ? "&lt;"
                             : *at == '>' ? "&gt;"
                             : *at == '&' ? "&amp;"
                                          : NULL;
        if (entity)
            fputs(entity, stream);
        else
            fputc(*at, stream);
    }
}

/* Explains the looks that occur. */
static void legend(FILE *stream, const struct fi_picture *picture)
{
    bool root = false, garbage = false, folded = false, hidden = false;
    for (uint32_t i = 0; i < picture->node_count; i++) {
        const struct fi_picture_node *node = &picture->nodes[i];
        root |= node->root && !node->target;
        garbage |= node->garbage;
        folded |= node->folded > 1;
        hidden |= node->hidden > 0;
    }
    fprintf(stream, "orange: asked for%s%s%s%s", root ? "; green: root" : "",
            garbage ? "; dashed border: garbage" : "",
            folded ? "; double border: several objects as one" : "",
            hidden ? "; … more: not drawn" : "");
}

static void draw_head(FILE *stream, const struct fi_picture *picture)
{
    fputs("digraph necropy {\n"
          "  graph [rankdir=LR, ranksep=0.55, nodesep=0.25, bgcolor=\"#ffffff\", dpi=110, "
          "fontname=\"DejaVu Sans, Helvetica, sans-serif\", fontsize=13, labelloc=t, labeljust=l, "
          "pad=0.3,\n    label=<<B>",
          stream);
    marked_up(stream, picture->title ? picture->title : "");
    fputs("</B><BR ALIGN=\"LEFT\"/><FONT POINT-SIZE=\"9\" COLOR=\"#616e7c\">", stream);
    legend(stream, picture);
    fputs("</FONT><BR ALIGN=\"LEFT\"/>>];\n"
          "  node [shape=box, style=\"filled,rounded\", fontname=\"DejaVu Sans, Helvetica, "
          "sans-serif\", fontsize=10, margin=\"0.14,0.07\"];\n"
          "  edge [fontname=\"DejaVu Sans Mono, Menlo, monospace\", fontsize=9, "
          "color=\"#52606d\", fontcolor=\"#0b69a3\", arrowsize=0.7];\n",
          stream);
}

/* A picture of what holds the targets has its targets at the ends of edges. */
static bool is_backwards(const struct fi_picture *picture)
{
    uint64_t in = 0, out = 0;
    for (uint32_t i = 0; i < picture->edge_count; i++) {
        const struct fi_picture_edge *edge = &picture->edges[i];
        in += edge->to < picture->node_count && picture->nodes[edge->to].target;
        out += edge->from < picture->node_count && picture->nodes[edge->from].target;
    }
    return in >= out;
}

struct df_err *rp_picture_dot(FILE *stream, const struct fi_picture *picture)
{
    struct rp_paper paper = rp_paper(stream, NULL);
    bool backwards = is_backwards(picture);
    draw_head(stream, picture);
    for (uint32_t i = 0; i < picture->node_count; i++)
        draw_node(stream, &picture->nodes[i], i);
    for (uint32_t i = 0; i < picture->node_count; i++)
        if (picture->nodes[i].hidden)
            draw_hidden(stream, &picture->nodes[i], i, backwards);
    for (uint32_t i = 0; i < picture->edge_count; i++)
        draw_edge(stream, &picture->edges[i]);
    fputs("}\n", stream);
    return rp_paper_error(&paper);
}
