/* SPDX-License-Identifier: MIT
 * paper.c: headings, wrapping and tables, for terminals and for files.
 */
#include "analyzer/report/paper.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "analyzer/report/utf8.h"
#include "dumpfmt/base/mem.h"

#define DEFAULT_WIDTH 100
#define LEAST_WIDTH 40
#define INDENT 2
#define GAP 2

struct rp_paper rp_paper(FILE *stream, const struct rp_style *style)
{
    struct rp_paper paper = {.stream = stream, .width = DEFAULT_WIDTH};
    if (!style)
        return paper;
    paper.color = style->color;
    paper.limit = style->limit;
    if (style->width)
        paper.width = style->width < LEAST_WIDTH ? LEAST_WIDTH : style->width;
    return paper;
}

struct df_err *rp_paper_error(const struct rp_paper *paper)
{
    if (!ferror(paper->stream))
        return NULL;
    return df_err_new(DF_ERR_IO, "the output cannot be written%s%s", errno ? ": " : "",
                      errno ? strerror(errno) : "");
}

void rp_ink(struct rp_paper *paper, enum rp_ink ink)
{
    static const char *const codes[] = {
        [RP_PLAIN] = "0",     [RP_BOLD] = "1",  [RP_DIM] = "2",   [RP_RED] = "1;31",
        [RP_YELLOW] = "1;33", [RP_BLUE] = "34", [RP_CYAN] = "36", [RP_GREEN] = "32",
    };
    if (paper->color)
        fprintf(paper->stream, "\033[%sm", codes[ink]);
}

/* `text` is clean already. */
static void put_clean(struct rp_paper *paper, enum rp_ink ink, const char *text)
{
    if (ink != RP_PLAIN)
        rp_ink(paper, ink);
    fputs(text, paper->stream);
    if (ink != RP_PLAIN)
        rp_ink(paper, RP_PLAIN);
    paper->begun = true;
}

void rp_put(struct rp_paper *paper, enum rp_ink ink, const char *text)
{
    DF_CLEANUP_FREE char *clean = rp_utf8_clean(text, true);
    put_clean(paper, ink, clean);
}

void rp_line(struct rp_paper *paper, const char *format, ...)
{
    DF_CLEANUP_FREE char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    rp_put(paper, RP_PLAIN, text);
    fputc('\n', paper->stream);
}

void rp_heading(struct rp_paper *paper, const char *title, const char *note)
{
    if (paper->begun)
        fputc('\n', paper->stream);
    rp_put(paper, RP_BOLD, title);
    if (note) {
        fputs("  ", paper->stream);
        rp_put(paper, RP_DIM, note);
    }
    fputc('\n', paper->stream);
}

/* What stands in backquotes is one word: paths may hold spaces. */
static size_t word_length(const char *text)
{
    size_t length = 0;
    bool quoted = false;
    for (; text[length] && (quoted || text[length] != ' '); length++)
        quoted ^= text[length] == '`';
    return quoted ? strcspn(text, " ") : length; /* a lone backquote quotes nothing */
}

static size_t columns_of(const char *text, size_t length)
{
    size_t columns = 0, step;
    uint32_t code_point;
    for (size_t at = 0; at < length && (step = rp_utf8_next(text + at, &code_point)); at += step)
        columns += rp_utf8_columns(code_point);
    return columns;
}

/* A figure stays with its groups and its unit: "30 000", "24.1 MB", "83 %". */
static bool sticks(const char *word, size_t length, const char *next)
{
    bool number = length && word[0] >= '0' && word[0] <= '9';
    return number && next[0] &&
           ((next[0] >= '0' && next[0] <= '9') || next[0] == '%' ||
            (next[0] && (next[1] == 'B' || !strncmp(next, "B ", 2))));
}

void rp_wrap(struct rp_paper *paper, const char *first, enum rp_ink ink, const char *text)
{
    rp_wrap_at(paper, 0, first, ink, text);
}

void rp_wrap_at(struct rp_paper *paper, size_t start, const char *first, enum rp_ink ink,
                const char *text)
{
    DF_CLEANUP_FREE char *clean = rp_utf8_clean(text, true);
    size_t indent = start + rp_utf8_width(first), column = indent;
    fputs(first, paper->stream);
    if (ink != RP_PLAIN)
        rp_ink(paper, ink);
    const char *at = clean;
    while (*at) {
        size_t length = word_length(at), whole = length;
        while (at[whole] == ' ' && sticks(at + whole - length, length, at + whole + 1)) {
            length = word_length(at + whole + 1);
            whole += 1 + length;
        }
        size_t columns = columns_of(at, whole);
        if (column > indent && column + 1 + columns > paper->width) {
            fprintf(paper->stream, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', paper->stream);
            column++;
        }
        fwrite(at, 1, whole, paper->stream);
        column += columns;
        at += whole;
        at += strspn(at, " ");
    }
    if (ink != RP_PLAIN)
        rp_ink(paper, RP_PLAIN);
    fputc('\n', paper->stream);
    paper->begun = true;
}

uint32_t rp_shown(const struct rp_paper *paper, uint32_t count)
{
    return paper->limit && count > paper->limit ? paper->limit : count;
}

void rp_left_out(struct rp_paper *paper, uint32_t shown, uint64_t count, const char *what)
{
    if (count <= shown)
        return;
    DF_CLEANUP_FREE char *text =
        df_xasprintf("  … %s more %s", fi_number_phrase(count - shown).text, what);
    rp_put(paper, RP_DIM, text);
    fputc('\n', paper->stream);
}

char *rp_clip(const char *text, size_t columns, bool middle)
{
    char *clean = rp_utf8_clean(text, true);
    size_t width = rp_utf8_width(clean);
    if (width <= columns || columns < 4)
        return clean;
    size_t head = middle ? (columns - 1) / 2 : columns - 1, skip = width - (columns - 1);
    char *clipped = df_xmalloc(strlen(clean) + sizeof("…"));
    size_t used = 0, column = 0, step;
    uint32_t code_point;
    bool cut = false;
    for (const char *at = clean; (step = rp_utf8_next(at, &code_point)); at += step) {
        if (column >= head && column < head + skip) {
            if (!cut)
                used += (size_t)sprintf(clipped + used, "…");
            cut = true;
        } else {
            memcpy(clipped + used, at, step);
            used += step;
        }
        column += rp_utf8_columns(code_point);
    }
    clipped[used] = '\0';
    free(clean);
    return clipped;
}

void rp_table_init(struct rp_table *table, const struct rp_column *columns, uint32_t count)
{
    *table = (struct rp_table){.column_count = count};
    memcpy(table->columns, columns, count * sizeof(*columns));
}

void rp_cell(struct rp_table *table, const char *text)
{
    table->cells = df_grow(table->cells, table->count, &table->capacity, sizeof(char *));
    table->cells[table->count++] = rp_utf8_clean(text, true);
}

void rp_cell_bytes(struct rp_table *table, uint64_t bytes)
{
    rp_cell(table, fi_bytes_phrase(bytes).text);
}

void rp_cell_number(struct rp_table *table, uint64_t number)
{
    rp_cell(table, fi_number_phrase(number).text);
}

void rp_cell_percent(struct rp_table *table, uint64_t part, uint64_t whole)
{
    rp_cell(table, fi_percent_phrase(part, whole).text);
}

static bool is_empty(const struct rp_table *table, uint32_t column)
{
    for (size_t cell = column; cell < table->count; cell += table->column_count)
        if (*table->cells[cell])
            return false;
    return true;
}

/* Takes out the columns in which no row says anything. */
static void drop_empty_columns(struct rp_table *table)
{
    uint32_t kept = 0, columns = table->column_count;
    bool empty[RP_MAX_COLUMNS];
    for (uint32_t i = 0; i < columns; i++) {
        empty[i] = is_empty(table, i);
        if (!empty[i])
            table->columns[kept++] = table->columns[i];
    }
    size_t used = 0;
    for (size_t cell = 0; cell < table->count; cell++)
        if (empty[cell % columns])
            free(table->cells[cell]);
        else
            table->cells[used++] = table->cells[cell];
    table->count = used;
    table->column_count = kept;
}

/* Widths of the columns, the widest clippable one narrowed until the line fits. */
static void fit(const struct rp_paper *paper, const struct rp_table *table, size_t *width)
{
    size_t total = INDENT;
    for (uint32_t i = 0; i < table->column_count; i++) {
        width[i] = rp_utf8_width(table->columns[i].name);
        for (size_t cell = i; cell < table->count; cell += table->column_count) {
            size_t wide = rp_utf8_width(table->cells[cell]);
            width[i] = wide > width[i] ? wide : width[i];
        }
        total += width[i] + (i ? GAP : 0);
    }
    while (total > paper->width) {
        uint32_t widest = table->column_count;
        for (uint32_t i = 0; i < table->column_count; i++)
            if (table->columns[i].least && width[i] > table->columns[i].least &&
                (widest == table->column_count || width[i] >= width[widest]))
                widest = i;
        if (widest == table->column_count)
            return;
        width[widest]--;
        total--;
    }
}

/* *pending: spaces that are owed before the next text; none stay at the end of a line. */
static void print_cell(struct rp_paper *paper, const struct rp_column *look, const char *text,
                       enum rp_ink ink, size_t width, size_t *pending)
{
    DF_CLEANUP_FREE char *clipped =
        look->least ? rp_clip(text, width, look->middle) : df_xstrdup(text);
    size_t wide = rp_utf8_width(clipped), pad = wide < width ? width - wide : 0;
    if (!*clipped) {
        *pending += width + GAP;
        return;
    }
    fprintf(paper->stream, "%*s", (int)(*pending + (look->right ? pad : 0)), "");
    put_clean(paper, ink, clipped);
    *pending = GAP + (look->right ? 0 : pad);
}

void rp_table_print(struct rp_paper *paper, struct rp_table *table)
{
    size_t width[RP_MAX_COLUMNS];
    drop_empty_columns(table);
    uint32_t columns = table->column_count;
    fit(paper, table, width);
    size_t pending = INDENT;
    for (uint32_t i = 0; table->count && i < columns; i++)
        print_cell(paper, &table->columns[i], table->columns[i].name, RP_DIM, width[i], &pending);
    for (size_t cell = 0; cell < table->count; cell++) {
        uint32_t column = (uint32_t)(cell % columns);
        const struct rp_column *look = &table->columns[column];
        if (!column) {
            fputc('\n', paper->stream);
            pending = INDENT;
        }
        print_cell(paper, look, table->cells[cell], look->ink, width[column], &pending);
        free(table->cells[cell]);
    }
    if (table->count)
        fputc('\n', paper->stream);
    free(table->cells);
    *table = (struct rp_table){.column_count = columns};
}
