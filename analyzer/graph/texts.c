/* SPDX-License-Identifier: MIT
 * texts.c: a chain of chunks, filled from the front; a long text gets a chunk of its own.
 */
#include "analyzer/graph/texts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define TEXTS_CHUNK ((size_t)16384 - 64)

struct chunk {
    struct chunk *next;
    size_t used, size;
    char data[];
};

struct gr_texts {
    struct chunk *first; /* the one that is being filled */
};

struct gr_texts *gr_texts_create(void)
{
    return df_xcalloc(1, sizeof(struct gr_texts));
}

void gr_texts_destroy(struct gr_texts *texts)
{
    if (!texts)
        return;
    while (texts->first) {
        struct chunk *next = texts->first->next;

        free(texts->first);
        texts->first = next;
    }
    free(texts);
}

static char *texts_room(struct gr_texts *texts, size_t size)
{
    struct chunk *chunk = texts->first;

    if (!chunk || size > chunk->size - chunk->used) {
        size_t room = size > TEXTS_CHUNK ? size : TEXTS_CHUNK;

        chunk = df_xmalloc(sizeof(*chunk) + room);
        *chunk = (struct chunk){.next = texts->first, .size = room};
        texts->first = chunk;
    }
    chunk->used += size;
    return chunk->data + chunk->used - size;
}

const char *gr_texts_format(struct gr_texts *texts, const char *format, ...)
{
    va_list arguments, again;
    char *text = NULL;
    int length;

    va_start(arguments, format);
    va_copy(again, arguments);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length >= 0) {
        text = texts_room(texts, (size_t)length + 1);
        vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    return text ? text : "";
}
