/* SPDX-License-Identifier: MIT
 * apport.c: a machine of one byte at a time: find the line that begins with the field's name, then
 * decode what is on the lines that begin with a blank.
 */
#include "dumpfmt/apport.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define FIRST_KEY "ProblemType:" /* apport writes it first */
#define FIELD "CoreDump: base64"

enum state {
    AT_LINE,   /* at the start of a line, in front of the field */
    IN_NAME,   /* the line has agreed with FIELD so far */
    SKIP_LINE, /* the rest of a line of no interest */
    IN_FIELD,  /* at the start of a line, in the field */
    IN_CODE,   /* on a line of base64 */
    DONE,
};

struct df_apport {
    enum state state;
    size_t matched; /* bytes of FIELD */
    uint32_t bits;  /* base64 digits that make no whole byte yet */
    unsigned bit_count;
};

bool df_apport_is(const uint8_t *bytes, size_t size)
{
    return size >= strlen(FIRST_KEY) && !memcmp(bytes, FIRST_KEY, strlen(FIRST_KEY));
}

struct df_apport *df_apport_create(void)
{
    return df_xcalloc(1, sizeof(struct df_apport));
}

void df_apport_destroy(struct df_apport *apport)
{
    free(apport);
}

bool df_apport_done(const struct df_apport *apport)
{
    return apport->state == DONE;
}

static int digit_of(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

static void in_front(struct df_apport *apport, uint8_t byte)
{
    if (apport->state == AT_LINE) {
        apport->state = IN_NAME;
        apport->matched = 0;
    }
    if (byte == '\n')
        apport->state =
            apport->state == IN_NAME && apport->matched == strlen(FIELD) ? IN_FIELD : AT_LINE;
    else if (apport->state == IN_NAME && byte && FIELD[apport->matched] == (char)byte)
        apport->matched++; /* at FIELD's NUL nothing agrees */
    else
        apport->state = SKIP_LINE;
}

/* Whether a byte came out. */
static bool decode(struct df_apport *apport, uint8_t byte, uint8_t *ret)
{
    int digit = digit_of(byte);
    if (digit < 0) { /* padding, a blank, the line's end: here a group of digits ends */
        apport->bit_count = 0;
        return false;
    }
    apport->bits = apport->bits << 6 | (uint32_t)digit;
    apport->bit_count += 6;
    if (apport->bit_count < 8)
        return false;
    apport->bit_count -= 8;
    *ret = (uint8_t)(apport->bits >> apport->bit_count);
    return true;
}

size_t df_apport_decode(struct df_apport *apport, const uint8_t *bytes, size_t size, uint8_t *ret)
{
    size_t count = 0;
    for (size_t i = 0; i < size && apport->state != DONE; i++) {
        if (apport->state == IN_FIELD)
            apport->state = bytes[i] == ' ' ? IN_CODE : DONE;
        else if (apport->state != IN_CODE)
            in_front(apport, bytes[i]);
        else if (decode(apport, bytes[i], ret + count))
            count++;
        else if (bytes[i] == '\n')
            apport->state = IN_FIELD;
    }
    return count;
}
