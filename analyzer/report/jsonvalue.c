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

struct df_err *rp_json_write(FILE *stream, json_t *value)
{
    errno = 0;
    if (!value)
        return df_err_nomem();
    int failed = json_dumpf(value, stream, JSON_INDENT(2));
    json_decref(value);
    if (failed || fputc('\n', stream) == EOF)
        return df_err_new(DF_ERR_IO, "the output cannot be written: %s",
                          errno ? strerror(errno) : "JSON failed");
    return NULL;
}
