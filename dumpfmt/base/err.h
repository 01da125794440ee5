/* SPDX-License-Identifier: MIT
 * err.h: failures as values.
 *
 * A fallible function returns `struct df_err *`: NULL is success, anything else is owned by the
 * caller, who passes it up or frees it. The text is one sentence for a person: what could not be
 * done, and, where there is something to do about it, what. Error objects are for boundaries
 * (open, parse, write); a hot loop over a damaged dump counts statuses instead (see
 * analyzer/objects/object.h). Result parameters are named `ret`, come last and are not
 * written on failure.
 */
#ifndef DF_BASE_ERR_H
#define DF_BASE_ERR_H

enum df_code {
    DF_ERR_NOMEM = 1,   /* the tool itself is out of memory */
    DF_ERR_IO,          /* the host's files: open, read, write, rename */
    DF_ERR_INPUT,       /* the input is not what it should be (no ELF, no core, no CPython) */
    DF_ERR_MISSING,     /* something that is needed was not found (a file, debug information) */
    DF_ERR_UNSUPPORTED, /* understood, but not served (byte order, class, built without it) */
    DF_ERR_USAGE,       /* the caller asked for something impossible (no such type, no address) */
};

struct df_err;

/* A new error; the text is formatted like printf. Never NULL (falls back to a static "out of
 * memory"). */
struct df_err *df_err_new(enum df_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same error with "prefix: " in front of its text. Consumes `err`; NULL stays NULL. */
struct df_err *df_err_prefix(struct df_err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The static out-of-memory error; need not be freed, may be. */
struct df_err *df_err_nomem(void);

enum df_code df_err_code(const struct df_err *err);
const char *df_err_text(const struct df_err *err);
void df_err_free(struct df_err *err); /* NULL is allowed */

/* The one macro that returns from its caller: pass a failure up. */
#define DF_TRY(expression)                      \
    do {                                        \
        struct df_err *try_err_ = (expression); \
        if (try_err_)                           \
            return try_err_;                    \
    } while (0)

#endif
