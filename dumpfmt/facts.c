/* SPDX-License-Identifier: MIT
 * facts.c: lines "KEY VALUE".
 */
#include "dumpfmt/facts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

/* ---- reading ---- */

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *at = text; *at; at++) {
        if (*at == '%' && digit(at[1]) >= 0 && digit(at[2]) >= 0) {
            *to++ = (char)(digit(at[1]) << 4 | digit(at[2]));
            at += 2;
        } else {
            *to++ = *at;
        }
    }
    *to = 0;
}

static int by_key(const void *left, const void *right)
{
    const struct df_fact *a = left, *b = right;
    return strcmp(a->key, b->key);
}

static void split(struct df_facts *facts)
{
    size_t capacity = 0;
    char *next;
    for (char *line = facts->text; *line; line = next) {
        size_t length = strcspn(line, "\n");
        next = line + length + (line[length] == '\n');
        line[length] = 0;
        char *value = strchr(line, ' ');
        if (!value)
            continue;
        *value++ = 0;
        unescape(value);
        facts->items = df_grow(facts->items, facts->count, &capacity, sizeof(*facts->items));
        facts->items[facts->count++] = (struct df_fact){line, value};
    }
    if (facts->count)
        qsort(facts->items, facts->count, sizeof(*facts->items), by_key);
}

struct df_err *df_facts_open(struct df_necro *necro, const char *tag, struct df_facts **ret)
{
    const char *bytes;
    uint64_t size;
    DF_TRY(df_necro_section(necro, tag, 1, &bytes, &size));
    struct df_facts *facts = df_xcalloc(1, sizeof(*facts));
    facts->text = df_xmalloc(size + 1);
    memcpy(facts->text, bytes, size);
    facts->text[size] = 0;
    split(facts);
    *ret = facts;
    return NULL;
}

void df_facts_close(struct df_facts *facts)
{
    if (!facts)
        return;
    free(facts->items);
    free(facts->text);
    free(facts);
}

const char *df_facts_text(const struct df_facts *facts, const char *key)
{
    struct df_fact wanted = {key, NULL};
    const struct df_fact *found =
        facts->count ? bsearch(&wanted, facts->items, facts->count, sizeof(wanted), by_key) : NULL;
    return found ? found->value : NULL;
}

uint64_t df_facts_number(const struct df_facts *facts, const char *key)
{
    const char *value = df_facts_text(facts, key);
    uint64_t ret = 0;
    return value && df_fact_numbers(value, &ret, 1) ? ret : 0;
}

size_t df_fact_numbers(const char *value, uint64_t *ret, size_t count)
{
    size_t found = 0;
    while (found < count) {
        char *end;
        value += strspn(value, " ");
        ret[found] = strtoull(value, &end, 0);
        if (end == value)
            break;
        value = end;
        found++;
    }
    return found;
}

/* ---- writing ---- */

static void put_char(struct df_facts_writer *writer, char c)
{
    DF_PUSH(writer, c);
}

void df_facts_put(struct df_facts_writer *writer, const char *key, const char *value)
{
    static const char digits[] = "0123456789ABCDEF";
    if (!value)
        return;
    while (*key)
        put_char(writer, *key++);
    put_char(writer, ' ');
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (c >= 0x20 && c != 0x7f && c != '%') {
            put_char(writer, *value);
            continue;
        }
        put_char(writer, '%');
        put_char(writer, digits[c >> 4]);
        put_char(writer, digits[c & 15]);
    }
    put_char(writer, '\n');
}

void df_facts_format(struct df_facts_writer *writer, const char *key, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length >= 0)
        df_facts_put(writer, key, text);
    free(text);
}

void df_facts_put_number(struct df_facts_writer *writer, const char *key, uint64_t value)
{
    df_facts_format(writer, key, "%llu", (unsigned long long)value);
}

struct df_err *df_facts_save(struct df_facts_writer *facts, struct df_necro_writer *writer,
                             const char *tag)
{
    struct df_err *err = df_necro_add(writer, tag, DF_NECRO_PACKED, facts->items, 1, facts->count);
    free(facts->items);
    *facts = (struct df_facts_writer){0};
    return err;
}

/* ---- texts of tables ---- */

uint64_t df_text_add(struct df_text_list *list, const char *text)
{
    uint64_t offset = list->count;
    if (!text)
        return DF_NO_TEXT;
    do
        DF_PUSH(list, *text);
    while (*text++);
    return offset;
}

struct df_err *df_texts_open(struct df_necro *necro, const char *tag, struct df_texts *ret)
{
    DF_TRY(df_necro_section(necro, tag, 1, &ret->bytes, &ret->size));
    if (!ret->size || !ret->bytes[ret->size - 1])
        return NULL;
    return df_necro_damaged(necro, "texts in its section %s have no end", tag);
}

const char *df_text_at(const struct df_texts *texts, uint64_t offset)
{
    return offset < texts->size ? texts->bytes + offset : NULL;
}
