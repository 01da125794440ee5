/* SPDX-License-Identifier: MIT
 * phrase.c: formatting of numbers, sizes, shares and types for people.
 */
#include "analyzer/findings/phrase.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void fi_bytes(uint64_t bytes, char *buffer, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 1000) {
        snprintf(buffer, size, "%" PRIu64 " B", bytes);
        return;
    }
    double value = (double)bytes;
    size_t unit = 0;
    /* 999.5 would be rounded to "1000": it belongs to the next unit */
    for (; value >= 999.5 && unit < sizeof(units) / sizeof(units[0]) - 1; unit++)
        value /= 1000;
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(buffer, size, "%.*f %s", decimals, value, units[unit]);
}

void fi_number(uint64_t number, char *buffer, size_t size)
{
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, number);
    size_t used = 0;
    for (int i = 0; i < length && used + 2 < size; i++) {
        if (i && (length - i) % 3 == 0)
            buffer[used++] = ' ';
        buffer[used++] = digits[i];
    }
    if (size)
        buffer[used < size ? used : size - 1] = '\0';
}

void fi_percent(uint64_t part, uint64_t whole, char *buffer, size_t size)
{
    double share = whole ? 100.0 * (double)part / (double)whole : 0;
    if (!part || !whole)
        snprintf(buffer, size, "0 %%");
    else if (share < 0.1)
        snprintf(buffer, size, "< 0.1 %%");
    else
        snprintf(buffer, size, "%.*f %%", share < 9.95 ? 1 : 0, share);
}

struct fi_phrase fi_bytes_phrase(uint64_t bytes)
{
    struct fi_phrase phrase;
    fi_bytes(bytes, phrase.text, sizeof(phrase.text));
    return phrase;
}

struct fi_phrase fi_number_phrase(uint64_t number)
{
    struct fi_phrase phrase;
    fi_number(number, phrase.text, sizeof(phrase.text));
    return phrase;
}

struct fi_phrase fi_percent_phrase(uint64_t part, uint64_t whole)
{
    struct fi_phrase phrase;
    fi_percent(part, whole, phrase.text, sizeof(phrase.text));
    return phrase;
}

char *fi_type_quoted(struct fi_pool *pool, const char *name)
{
    return fi_pool_format(pool, "`%s`", name);
}

char *fi_type_phrase(struct fi_pool *pool, const struct py_type *type)
{
    bool quoted = type->python_class || strchr(type->name, '.');
    bool vowel = type->name[0] && strchr("aeioAEIO", type->name[0]); /* "a `ui.Button`" */
    return fi_pool_format(pool, quoted ? "%s `%s`" : "%s %s", vowel ? "an" : "a", type->name);
}
