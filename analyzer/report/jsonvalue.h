/* SPDX-License-Identifier: MIT
 * jsonvalue.h: values of the dead process as JSON values; private to this folder.
 */
#ifndef RP_JSONVALUE_H
#define RP_JSONVALUE_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "analyzer/findings/verdict.h"
#include "dumpfmt/base/err.h"

json_t *rp_json_text(const char *text);    /* valid UTF-8 whatever comes; NULL: null */
json_t *rp_json_address(uint64_t address); /* "0x7f..." */
json_t *rp_json_number(uint64_t number);   /* at most INT64_MAX */
json_t *rp_json_texts(const char *const *texts, uint32_t count);
json_t *rp_json_stack(const struct fi_frame *frames, uint32_t count); /* without locals */
json_t *rp_json_tasks(const struct fi_tasks *tasks);                  /* json_tasks.c */
/* Writes indented, with a newline at the end, and drops the value. */
struct df_err *rp_json_write(FILE *stream, json_t *value);

#endif
