/* SPDX-License-Identifier: MIT
 * paper.h: what text reports are written on: headings, wrapped sentences, aligned tables; private
 * to this folder. All text passes through here and is cleaned here.
 */
#ifndef RP_PAPER_H
#define RP_PAPER_H

#include "analyzer/findings/phrase.h"
#include "analyzer/report/report.h"

enum rp_ink { RP_PLAIN, RP_BOLD, RP_DIM, RP_RED, RP_YELLOW, RP_BLUE, RP_CYAN, RP_GREEN };

struct rp_paper {
    FILE *stream;
    bool color;
    uint32_t limit, width;
    bool begun; /* something stands above: a heading needs an empty line */
};

struct rp_paper rp_paper(FILE *stream, const struct rp_style *style);
/* NULL, or what went wrong with the stream. */
struct df_err *rp_paper_error(const struct rp_paper *paper);

void rp_ink(struct rp_paper *paper, enum rp_ink ink); /* RP_PLAIN ends it */
void rp_put(struct rp_paper *paper, enum rp_ink ink, const char *text);
void rp_line(struct rp_paper *paper, const char *format, ...) __attribute__((format(printf, 2, 3)));
void rp_heading(struct rp_paper *paper, const char *title, const char *note);
/* A paragraph: words wrapped at the width; `first` stands before the first line, further lines are
 * indented as far. Words longer than a line are not broken. */
void rp_wrap(struct rp_paper *paper, const char *first, enum rp_ink ink, const char *text);
/* The same on a line on which `start` columns are taken already. */
void rp_wrap_at(struct rp_paper *paper, size_t start, const char *first, enum rp_ink ink,
                const char *text);
/* How many of `count` rows to print; and the line that says what was left out. */
uint32_t rp_shown(const struct rp_paper *paper, uint32_t count);
void rp_left_out(struct rp_paper *paper, uint32_t shown, uint64_t count, const char *what);

#define RP_MAX_COLUMNS 8

struct rp_column {
    const char *name;
    bool right; /* aligned */
    enum rp_ink ink;
    size_t least; /* > 0: may be clipped to this many columns when the line is too long */
    bool middle;  /* clip in the middle, else at the end */
};

struct rp_table {
    struct rp_column columns[RP_MAX_COLUMNS];
    uint32_t column_count;
    char **cells; /* row after row, owned */
    size_t count, capacity;
};

void rp_table_init(struct rp_table *table, const struct rp_column *columns, uint32_t count);
/* The next cell; rows fill from left to right. */
void rp_cell(struct rp_table *table, const char *text);
void rp_cell_bytes(struct rp_table *table, uint64_t bytes);
void rp_cell_number(struct rp_table *table, uint64_t number);
void rp_cell_percent(struct rp_table *table, uint64_t part, uint64_t whole);
/* Prints it with its header line, indented by two, and frees its cells. No rows: nothing. Columns
 * in which no row says anything are left out. */
void rp_table_print(struct rp_paper *paper, struct rp_table *table);

/* A clean text cut to `columns`, with "…" in the middle or at the end. Malloc'ed. */
char *rp_clip(const char *text, size_t columns, bool middle);

#endif
