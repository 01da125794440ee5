/* SPDX-License-Identifier: MIT
 * apport.h: the core in a report of Ubuntu's apport (.crash files in /var/crash).
 *
 * A report is text: "Key: value" lines, those that continue a value begin with a blank. The core is
 * the field "CoreDump: base64"; each line of it is base64 of its own, with its own padding, and all
 * of them together are a gzip (apport's problem_report.py, write). Private to container.c.
 */
#ifndef DF_APPORT_H
#define DF_APPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct df_apport;

/* Whether a file that begins like this is a report. */
bool df_apport_is(const uint8_t *bytes, size_t size);
struct df_apport *df_apport_create(void);
void df_apport_destroy(struct df_apport *apport); /* NULL is allowed */
/* Takes the next bytes of the report; what they hold of the field goes to `ret`, which has room for
 * `size` bytes. Returns how many. */
size_t df_apport_decode(struct df_apport *apport, const uint8_t *bytes, size_t size, uint8_t *ret);
/* The field has ended. */
bool df_apport_done(const struct df_apport *apport);

#endif
