/* SPDX-License-Identifier: MIT
 * units.c: numbers for people, the same as in the sentences of findings.
 */
#include "analyzer/findings/phrase.h"
#include "analyzer/report/report.h"

void rp_bytes(uint64_t bytes, char *buffer, size_t size)
{
    fi_bytes(bytes, buffer, size);
}

void rp_number(uint64_t number, char *buffer, size_t size)
{
    fi_number(number, buffer, size);
}
