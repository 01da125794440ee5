/* SPDX-License-Identifier: MIT
 * facts.h: facts by name, as lines of text: sections of a snapshot that are lists of single values;
 * and the texts of tables.
 *
 * A line is "KEY VALUE\n"; of the value, '%' and bytes below 0x20 and 0x7f are written %XX. Names
 * instead of places, so that another version of this program can read what it knows and pass over
 * the rest.
 */
#ifndef DF_FACTS_H
#define DF_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dumpfmt/base/err.h"
#include "dumpfmt/necro.h"

/* ---- reading ---- */

struct df_fact {
    const char *key, *value;
};
struct df_facts {
    struct df_fact *items; /* by key; of several with one key, any */
    size_t count;
    char *text;
};

/* The facts of a section, their texts valid until df_facts_close. */
struct df_err *df_facts_open(struct df_necro *necro, const char *tag, struct df_facts **ret);
void df_facts_close(struct df_facts *facts); /* NULL is allowed */
/* The value of a key, or NULL. */
const char *df_facts_text(const struct df_facts *facts, const char *key);
/* A value as a number (decimal, or hexadecimal with 0x); 0 when there is none. */
uint64_t df_facts_number(const struct df_facts *facts, const char *key);
/* Words of a value, by blanks, as numbers: how many there were, at most `count`. */
size_t df_fact_numbers(const char *value, uint64_t *ret, size_t count);

/* ---- writing ---- */

struct df_facts_writer {
    char *items; /* the text so far */
    size_t count, capacity;
};

/* Adds a line; keys have no blanks. Value NULL: none. */
void df_facts_put(struct df_facts_writer *writer, const char *key, const char *value);
void df_facts_format(struct df_facts_writer *writer, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void df_facts_put_number(struct df_facts_writer *writer, const char *key, uint64_t value);
/* Writes the section; frees the writer's memory, whatever happens. */
struct df_err *df_facts_save(struct df_facts_writer *facts, struct df_necro_writer *writer,
                             const char *tag);

/* ---- texts of tables ---- */

/* Texts, one behind the other, each with its NUL; named by their offsets. */
#define DF_NO_TEXT UINT64_MAX
struct df_text_list {
    char *items;
    size_t count, capacity;
};
uint64_t df_text_add(struct df_text_list *list, const char *text); /* NULL: DF_NO_TEXT */
struct df_texts {
    const char *bytes;
    uint64_t size;
};
/* False when the last one has no end. */
struct df_err *df_texts_open(struct df_necro *necro, const char *tag, struct df_texts *ret);
/* NULL when there is none there. */
const char *df_text_at(const struct df_texts *texts, uint64_t offset);

#endif
