/* SPDX-License-Identifier: MIT
 * mem.h: the tool's own memory.
 *
 * Two rules. Small things (names, table rows) come from the df_x functions, which never return
 * NULL: when memory is gone they call the handler that the program installed (the CLI's prints
 * one sentence and exits; without one the process aborts). Large arrays, whose length follows
 * from the dump, come from df_array, which reports failure as an error. Every multiplication is
 * checked.
 */
#ifndef DF_BASE_MEM_H
#define DF_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/err.h"

/* Installs what is called when a df_x function finds no memory. It must not return. */
void df_set_oom_handler(void (*handler)(void));

void *df_xmalloc(size_t bytes);
void *df_xcalloc(size_t count, size_t element);
void *df_xrealloc(void *old, size_t count, size_t element);
char *df_xstrdup(const char *text);
char *df_xstrndup(const char *text, size_t length);
char *df_xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A zeroed array of count elements of `element` bytes (never NULL on success, even when empty). */
struct df_err *df_array(size_t count, size_t element, void *ret);

/* The same for an array that is read and written in no order: its pages are taken now. (Else a page
 * that is read first is mapped twice, the second time in the sight of all threads.) */
struct df_err *df_array_taken(size_t count, size_t element, void *ret);

/* Makes room for one more in a growing array: `items` of `*capacity` elements of which `used` are
 * taken. Doubles. Returns the (moved) array. */
void *df_grow(void *items, size_t used, size_t *capacity, size_t element);

/* Appends to a growing array {T *items; size_t count, capacity}: DF_PUSH(&list, value). */
#define DF_PUSH(list, ...)                                                                    \
    do {                                                                                      \
        (list)->items =                                                                       \
            df_grow((list)->items, (list)->count, &(list)->capacity, sizeof(*(list)->items)); \
        (list)->items[(list)->count++] = __VA_ARGS__;                                         \
    } while (0)

/* The same for `more` elements, and appends them from an array, which may be NULL when empty. */
void *df_room(void *items, size_t used, size_t more, size_t *capacity, size_t element);
#define DF_APPEND(list, array, more)                                                   \
    do {                                                                               \
        if (!(more))                                                                   \
            break;                                                                     \
        (list)->items = df_room((list)->items, (list)->count, more, &(list)->capacity, \
                                sizeof(*(list)->items));                               \
        memcpy((list)->items + (list)->count, array, (more) * sizeof(*(list)->items)); \
        (list)->count += (more);                                                       \
    } while (0)

/* Scope guards: DF_CLEANUP_FREE char *text = ...; hand over with DF_TAKE(text). */
static inline void df_cleanup_free_(void *pointer)
{
    free(*(void **)pointer);
}
#define DF_CLEANUP_FREE __attribute__((cleanup(df_cleanup_free_)))
#define DF_TAKE(pointer)                        \
    __extension__({                             \
        __typeof__(pointer) taken_ = (pointer); \
        (pointer) = NULL;                       \
        taken_;                                 \
    })

#endif
