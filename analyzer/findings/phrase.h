/* SPDX-License-Identifier: MIT
 * phrase.h: numbers and objects in words, for the sentences that findings are made of.
 */
#ifndef FI_PHRASE_H
#define FI_PHRASE_H

#include "analyzer/findings/pool.h"
#include "analyzer/findings/verdict.h"

#define FI_PHRASE_MAX 40 /* bytes that hold any formatted number */

/* "1.2 GB", "312 B": powers of 1000, three figures. */
void fi_bytes(uint64_t bytes, char *buffer, size_t size);
/* "30 000": groups of three. */
void fi_number(uint64_t number, char *buffer, size_t size);
/* "83 %", "4.2 %", "< 0.1 %". */
void fi_percent(uint64_t part, uint64_t whole, char *buffer, size_t size);

/* The same as values, for use as arguments of a format. */
struct fi_phrase {
    char text[FI_PHRASE_MAX];
};
struct fi_phrase fi_bytes_phrase(uint64_t bytes);
struct fi_phrase fi_number_phrase(uint64_t number);
struct fi_phrase fi_percent_phrase(uint64_t part, uint64_t whole);

/* "a list", "an int", "a `shop.Cache`": a class that Python code defined stands in backquotes. */
char *fi_type_phrase(struct fi_pool *pool, const struct py_type *type);
/* A type's name for a sentence: a qualified one in backquotes. */
char *fi_type_quoted(struct fi_pool *pool, const char *name);

#endif
