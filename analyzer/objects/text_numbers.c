/* SPDX-License-Identifier: MIT
 * text_numbers.c: ints of any size, floats, complex numbers, decimals, fractions.
 */
#include "analyzer/objects/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define MAX_DIGITS 200000 /* decimal digits that are printed one by one */
#define BILLION 1000000000u
#define BILLION_DIGITS 9
#define LOG10_2 0.301029995663981195213738894724493026768189881L
#define LEAST 40 /* digits of an int that is shown whole in any case */
#define ENDS 6   /* digits shown of each end of an int that is too long */

/* The i-th digit of an int; false when it cannot be read. */
static bool digit_at(struct py_writer *w, const struct py_digits *digits, uint64_t i, uint32_t *ret)
{
    uint32_t digit = 0;
    if (!df_read(w->reader->space, digits->address + i * digits->bytes, &digit, digits->bytes))
        return false;
    *ret = digit & ((1u << digits->bits) - 1);
    return true;
}

/* log10 of the magnitude, from its first digits. 80-bit long doubles are good for 10 decimals of
 * the result up to ten million digits. */
static long double log10_of(struct py_writer *w, const struct py_digits *digits)
{
    long double top = 0;
    uint64_t used = 0;
    for (; used < 5 && used < digits->count; used++) {
        uint32_t digit = 0;
        digit_at(w, digits, digits->count - 1 - used, &digit);
        top = top * (1u << digits->bits) + digit;
    }
    return top > 0 ? log10l(top) + (long double)((digits->count - used) * digits->bits) * LOG10_2
                   : 0;
}

/* "123456…654321 (301 030 digits)", as "~" where the logarithm leaves the last figure open. */
static void put_ends(struct py_writer *w, const struct py_digits *digits, long double log)
{
    long double whole = floorl(log), rest = log - whole;
    bool sure = rest > 1e-7L && rest < 1 - 1e-7L;
    if (digits->negative && sure)
        py_put(w, "-");
    if (sure) {
        py_put_format(w, "%" PRIu64, (uint64_t)(powl(10, rest) * 100000 + 0.0000001L));
        uint64_t end = 0, unit = 1000000;
        if (py_step(w, digits->count)) {
            for (uint64_t i = digits->count; i-- > 0;) {
                uint32_t digit = 0;
                digit_at(w, digits, i, &digit);
                end = ((end << digits->bits) + digit) % unit;
            }
            py_put_format(w, "…%0*" PRIu64, ENDS, end);
        } else {
            py_put(w, "…");
        }
    }
    py_put_format(w, "%s(%s%.0Lf digits)", sure ? " " : "an int ", sure ? "" : "about ", whole + 1);
}

/* Schoolbook conversion to base 10^9, as long_to_decimal_string_internal does it
 * (Objects/longobject.c). The result has *ret_count digits, least significant first; NULL when one
 * cannot be read. */
static uint32_t *to_billions(struct py_writer *w, const struct py_digits *digits, size_t room,
                             size_t *ret_count)
{
    uint32_t *out = df_xcalloc(room, sizeof(*out));
    size_t count = 0;
    for (uint64_t i = digits->count; i-- > 0;) {
        uint32_t digit;
        if (!digit_at(w, digits, i, &digit)) {
            free(out);
            return NULL;
        }
        uint64_t carry = digit;
        for (size_t j = 0; j < count; j++) {
            carry += (uint64_t)out[j] << digits->bits;
            out[j] = (uint32_t)(carry % BILLION);
            carry /= BILLION;
        }
        for (; carry && count < room; carry /= BILLION)
            out[count++] = (uint32_t)(carry % BILLION);
    }
    *ret_count = count;
    return out;
}

/* All of it, or its ends when it is longer than `most`. */
static void put_exactly(struct py_writer *w, const struct py_digits *digits, long double log,
                        uint64_t most)
{
    size_t room = (size_t)(log / BILLION_DIGITS) + 3, count, length = 0;
    DF_CLEANUP_FREE uint32_t *out = to_billions(w, digits, room, &count);
    if (!out) {
        py_put(w, "<int, unreadable>");
        return;
    }
    DF_CLEANUP_FREE char *text = df_xmalloc(count * BILLION_DIGITS + 2);
    for (size_t i = count; i-- > 0;)
        length +=
            (size_t)sprintf(text + length, i + 1 == count ? "%" PRIu32 : "%09" PRIu32, out[i]);
    text[length] = 0;
    py_put(w, digits->negative ? "-" : "");
    if (length <= most)
        py_put(w, text);
    else
        py_put_format(w, "%.*s…%s (%zu digits)", ENDS, text, text + length - ENDS, length);
}

void py_text_int(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    (void)type;
    int64_t value;
    struct py_digits digits;
    if (py_int(w->reader, object, &value)) {
        py_put_format(w, "%" PRId64, value);
        return;
    }
    if (!py_int_digits(w->reader, object, &digits)) {
        py_put(w, w->reader->redacted ? "<int>" : "<int, unreadable>");
        return;
    }
    long double log = log10_of(w, &digits);
    uint64_t most = w->left;
    if (log < MAX_DIGITS && py_step(w, digits.count * ((uint64_t)(log / BILLION_DIGITS) + 1)))
        put_exactly(w, &digits, log, most > LEAST ? most : LEAST);
    else
        put_ends(w, &digits, log);
}

void py_text_bool(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    (void)type;
    int64_t value;
    py_put(w, !py_int(w->reader, object, &value) ? "<bool>" : value ? "True" : "False");
}

/* The shortest digits that read back as the same number, as David Gay's mode 0 finds them: with n
 * digits, the nearest; where a number is a power of two its lower neighbour is nearer than its
 * upper one, and then the next decimal above may do where the nearest does not. */
static int shortest(double value, char digits[24], int *ret_exponent)
{
    char text[40];
    for (int n = 0; n < 17; n++) {
        snprintf(text, sizeof(text), "%.*e", n, value);
        if (strtod(text, NULL) != value) {
            char *at = strchr(text, 'e') - 1;
            while (at > text && (*at == '9' || *at == '.'))
                at--;
            if (*at == '9' || at < text)
                continue;
            for (char *nine = at + 1; *nine != 'e'; nine++)
                *nine = *nine == '.' ? '.' : '0';
            ++*at;
            if (strtod(text, NULL) != value)
                continue;
        }
        break;
    }
    int count = 0;
    for (const char *at = text; *at && *at != 'e'; at++)
        if (*at != '.')
            digits[count++] = *at;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    digits[count] = 0;
    *ret_exponent = atoi(strchr(text, 'e') + 1);
    return count;
}

/* format_float_short with 'r' (Python/pystrtod.c): an exponent when the point would be more than 16
 * digits to the right or 4 to the left. */
void py_put_double(struct py_writer *w, double value, bool bare, bool sign)
{
    char digits[24];
    int exponent, count;
    if (signbit(value) && !isnan(value))
        py_put(w, "-");
    else if (sign)
        py_put(w, "+");
    if (!isfinite(value)) {
        py_put(w, isnan(value) ? "nan" : "inf");
        return;
    }
    count = shortest(fabs(value), digits, &exponent);
    if (exponent < -4 || exponent >= 16) {
        py_put_format(w, "%c%s%se%+03d", digits[0], count > 1 ? "." : "", digits + 1, exponent);
    } else if (exponent < 0) {
        py_put_format(w, "0.%.*s%s", -exponent - 1, "0000", digits);
    } else if (count <= exponent + 1) {
        py_put_format(w, "%s%.*s%s", digits, exponent + 1 - count, "0000000000000000",
                      bare ? "" : ".0");
    } else {
        py_put_format(w, "%.*s.%s", exponent + 1, digits, digits + exponent + 1);
    }
}

static double double_at(struct py_writer *w, uint64_t address)
{
    uint64_t bits = py_word(w->reader, address);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

void py_text_float(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    (void)type;
    py_put_double(w, double_at(w, PY_AT(w->reader->layout, object, float, ob_fval)), false, false);
}

/* complex_repr (Objects/complexobject.c) */
void py_text_complex(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    (void)type;
    uint64_t at = PY_AT(w->reader->layout, object, complex, cval);
    double real = double_at(w, at), imaginary = double_at(w, at + 8);
    bool alone = real == 0 && !signbit(real);
    if (!alone) {
        py_put(w, "(");
        py_put_double(w, real, true, false);
    }
    py_put_double(w, imaginary, true, !alone);
    py_put(w, alone ? "j" : "j)");
}

enum { DEC_NEGATIVE = 1, DEC_INFINITY = 2, DEC_NAN = 4, DEC_SNAN = 8 }; /* mpdecimal.h */
#define DEC_WORD_DIGITS 19                                              /* MPD_RDIGITS of 64 bits */
#define DEC_MAX_WORDS 4096

/* The coefficient as text, malloc'ed: words of 19 digits each, least significant first. */
static char *coefficient(struct py_writer *w, uint64_t data, uint64_t words)
{
    char *text = df_xmalloc(words * DEC_WORD_DIGITS + 1);
    size_t used = 0;
    text[0] = 0;
    for (uint64_t i = words; i-- > 0;)
        used +=
            (size_t)snprintf(text + used, DEC_WORD_DIGITS + 2, used ? "%019" PRIu64 : "%" PRIu64,
                             py_word(w->reader, data + i * 8) % UINT64_C(10000000000000000000));
    return text;
}

/* To scientific string, General Decimal Arithmetic Specification 1.70 (_mpd_to_string). */
static void put_scientific(struct py_writer *w, const char *digits, int64_t exponent)
{
    int64_t length = (int64_t)strlen(digits), adjusted = exponent + length - 1;
    int64_t point = exponent + length; /* digits before the point */
    if (exponent > 0 || adjusted < -6) {
        py_put_format(w, "%c%s", digits[0], length > 1 ? "." : "");
        py_put(w, digits + 1);
        py_put_format(w, "E%+" PRId64, adjusted);
    } else if (point <= 0) {
        py_put_format(w, "0.%.*s", (int)-point, "000000");
        py_put(w, digits);
    } else {
        DF_CLEANUP_FREE char *before = df_xstrndup(digits, (size_t)point);
        py_put(w, before);
        py_put(w, exponent ? "." : "");
        py_put(w, digits + point);
    }
}

void py_text_decimal(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct py_reader *reader = w->reader;
    unsigned flags = (unsigned)PY_GET(reader, object, decimal, flags);
    int64_t exponent = (int64_t)PY_PTR(reader, object, decimal, exp);
    uint64_t words = PY_PTR(reader, object, decimal, len);
    uint64_t data = PY_PTR(reader, object, decimal, data);
    (void)type;
    py_put(w, "Decimal('");
    py_put(w, flags & DEC_NEGATIVE ? "-" : "");
    if (words > DEC_MAX_WORDS || exponent < -(INT64_C(1) << 62) || exponent > INT64_C(1) << 62) {
        py_put(w, "…')");
        return;
    }
    DF_CLEANUP_FREE char *digits = coefficient(w, data, words);
    if (flags & DEC_INFINITY) {
        py_put(w, "Infinity");
    } else if (flags & (DEC_NAN | DEC_SNAN)) {
        py_put(w, flags & DEC_SNAN ? "sNaN" : "NaN");
        py_put(w, strcmp(digits, "0") == 0 ? "" : digits);
    } else {
        put_scientific(w, *digits ? digits : "0", exponent);
    }
    py_put(w, "')");
}

/* Fraction.__repr__ (Lib/fractions.py) */
void py_text_fraction(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    py_put_class(w, type);
    py_put(w, "(");
    py_put_object(w, py_attribute(w->objects, object, "_numerator"));
    py_put(w, ", ");
    py_put_object(w, py_attribute(w->objects, object, "_denominator"));
    py_put(w, ")");
}
