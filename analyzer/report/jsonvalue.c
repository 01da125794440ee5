/* SPDX-License-Identifier: MIT
 * jsonvalue.c: Jansson refuses what is not UTF-8; what comes from a core is cleaned first.
 */
#include "analyzer/report/jsonvalue.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "analyzer/report/utf8.h"
#include "dumpfmt/base/mem.h"

json_t *rp_json_text(const char *text)
{
    if (!text)
        return json_null();
    DF_CLEANUP_FREE char *clean = rp_utf8_clean(text, false);
    return json_string(clean);
}

json_t *rp_json_address(uint64_t address)
{
    char text[24];
    snprintf(text, sizeof(text), "0x%" PRIx64, address);
    return json_string(text);
}

json_t *rp_json_number(uint64_t number)
{
    return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

json_t *rp_json_texts(const char *const *texts, uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(array, rp_json_text(texts[i]));
    return array;
}

/* Jansson escapes C0 only. Others occur in strings alone, so they can be escaped in its output,
 * which comes in pieces that do not part characters. */
static int write_escaped(const char *buffer, size_t size, void *context)
{
    FILE *stream = context; /* locked by who calls json_dump_callback: pieces are small and many */
    size_t at = 0, done = 0;
    while (at < size) {
        uint32_t code_point = (unsigned char)buffer[at];
        size_t step = 1;
        if (code_point >= 0xC0) { /* Jansson's own output is valid */
            step = code_point >= 0xF0 ? 4 : code_point >= 0xE0 ? 3 : 2;
            if (step > size - at)
                break;
            code_point &= 0xFFu >> (step + 1);
            for (size_t i = 1; i < step; i++)
                code_point = code_point << 6 | ((unsigned char)buffer[at + i] & 0x3F);
        }
        if (code_point >= 0x7F && rp_utf8_is_control(code_point)) {
            fwrite_unlocked(buffer + done, 1, at - done, stream);
            fprintf(stream, "\\u%04" PRIX32, code_point);
            done = at + step;
        }
        at += step;
    }
    fwrite_unlocked(buffer + done, 1, size - done, stream);
    return ferror_unlocked(stream) ? -1 : 0;
}

struct df_err *rp_json_write(FILE *stream, json_t *value)
{
    errno = 0;
    if (!value)
        return df_err_nomem();
    flockfile(stream);
    int failed = json_dump_callback(value, write_escaped, stream, JSON_INDENT(2));
    funlockfile(stream);
    json_decref(value);
    if (failed || fputc('\n', stream) == EOF)
        return df_err_new(DF_ERR_IO, "the output cannot be written: %s",
                          errno ? strerror(errno) : "JSON failed");
    return NULL;
}
