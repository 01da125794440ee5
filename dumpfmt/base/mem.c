/* SPDX-License-Identifier: MIT
 * mem.c: checked allocation. The handler is the program's only process-wide state: it is set once,
 * at start, before any thread.
 */
#include "dumpfmt/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void (*oom_handler)(void) = abort;

void df_set_oom_handler(void (*handler)(void))
{
    oom_handler = handler ? handler : abort;
}

static void *checked(void *memory)
{
    if (!memory) {
        oom_handler();
        abort(); /* the handler must not return; do not go on with NULL if it does */
    }
    return memory;
}

void *df_xmalloc(size_t bytes)
{
    return checked(malloc(bytes ? bytes : 1));
}

/* calloc checks the product too, but sanitizers take an overflow there for a bug. */
static void *zeroed(size_t count, size_t element)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, element, &bytes) || bytes > PTRDIFF_MAX)
        return NULL;
    return calloc(bytes ? bytes : 1, 1);
}

void *df_xcalloc(size_t count, size_t element)
{
    return checked(zeroed(count, element));
}

void *df_xrealloc(void *old, size_t count, size_t element)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, element, &bytes))
        return checked(NULL);
    return checked(realloc(old, bytes ? bytes : 1));
}

char *df_xstrdup(const char *text)
{
    return checked(strdup(text));
}

char *df_xstrndup(const char *text, size_t length)
{
    return checked(strndup(text, length));
}

char *df_xasprintf(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    return checked(length < 0 ? NULL : text);
}

struct df_err *df_array(size_t count, size_t element, void *ret)
{
    void *memory = zeroed(count, element);
    if (!memory)
        return df_err_new(DF_ERR_NOMEM, "out of memory: an array of %zu elements of %zu bytes",
                          count, element);
    memcpy(ret, &memory, sizeof(memory));
    return NULL;
}

/* One byte a page is enough; a volatile one, as it is 0 already. */
struct df_err *df_array_taken(size_t count, size_t element, void *ret)
{
    volatile char *bytes = NULL;
    DF_TRY(df_array(count, element, &bytes));
    for (size_t at = 0; at < count * element; at += 4096)
        bytes[at] = 0;
    memcpy(ret, &bytes, sizeof(bytes));
    return NULL;
}

void *df_grow(void *items, size_t used, size_t *capacity, size_t element)
{
    if (items && used < *capacity)
        return items;
    size_t larger = *capacity < 8 ? 16 : *capacity * 2;
    if (larger < *capacity)
        return checked(NULL);
    items = df_xrealloc(items, larger, element);
    *capacity = larger;
    return items;
}

void *df_room(void *items, size_t used, size_t more, size_t *capacity, size_t element)
{
    size_t least = used + more, larger = *capacity * 2;
    if (items && least <= *capacity && least >= more)
        return items;
    if (least < more || larger < *capacity)
        return checked(NULL);
    if (larger < least)
        larger = least;
    items = df_xrealloc(items, larger, element);
    *capacity = larger;
    return items;
}
