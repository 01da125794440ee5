/* SPDX-License-Identifier: MIT
 * err.c: an error is one allocation: its code, then its text.
 */
#include "dumpfmt/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct df_err {
    enum df_code code;
    char text[];
};

static union {
    struct df_err err;
    struct {
        enum df_code code;
        char text[16];
    } storage;
} nomem = {.storage = {DF_ERR_NOMEM, "out of memory"}};

struct df_err *df_err_nomem(void)
{
    return &nomem.err;
}

/* first (may be NULL) and the formatted text, one after the other; falls back to `otherwise`. */
static struct df_err *format_err(enum df_code code, const char *format, va_list arguments,
                                 const char *tail, struct df_err *otherwise)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    size_t tail_length = tail ? strlen(tail) + 2 : 0;
    struct df_err *err =
        length < 0 ? NULL : malloc(sizeof(*err) + (size_t)length + tail_length + 1);
    if (err) {
        err->code = code;
        vsnprintf(err->text, (size_t)length + 1, format, again);
        if (tail)
            sprintf(err->text + length, ": %s", tail);
    }
    va_end(again);
    return err ? err : otherwise;
}

struct df_err *df_err_new(enum df_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct df_err *err = format_err(code, format, arguments, NULL, &nomem.err);
    va_end(arguments);
    return err;
}

struct df_err *df_err_prefix(struct df_err *err, const char *format, ...)
{
    if (!err)
        return NULL;
    va_list arguments;
    va_start(arguments, format);
    struct df_err *longer = format_err(err->code, format, arguments, err->text, err);
    va_end(arguments);
    if (longer != err)
        df_err_free(err);
    return longer;
}

enum df_code df_err_code(const struct df_err *err)
{
    return err->code;
}

const char *df_err_text(const struct df_err *err)
{
    return err->text;
}

void df_err_free(struct df_err *err)
{
    if (err != &nomem.err)
        free(err);
}
