/* SPDX-License-Identifier: MIT
 * utf8.c: decoding that trusts nothing (RFC 3629, section 3), and a coarse notion of width.
 */
#include "analyzer/report/utf8.h"

#include <string.h>

#include "dumpfmt/base/mem.h"

#define REPLACEMENT 0xFFFD

size_t rp_utf8_next(const char *text, uint32_t *ret)
{
    const unsigned char *bytes = (const unsigned char *)text;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = bytes[0];
    if (!first)
        return 0;
    if (first < 0x80) {
        *ret = first;
        return 1;
    }
    size_t length = first >= 0xF0 && first < 0xF8 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 0;
    *ret = REPLACEMENT;
    if (!length || first >= 0xF8)
        return 1;
    uint32_t code_point = first & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xC0) != 0x80) /* NUL too */
            return 1;
        code_point = code_point << 6 | (bytes[i] & 0x3F);
    }
    if (code_point < least[length] || code_point > 0x10FFFF ||
        (code_point >= 0xD800 && code_point < 0xE000))
        return 1;
    *ret = code_point;
    return length;
}

size_t rp_utf8_put(uint32_t code_point, char *buffer)
{
    if (code_point < 0x80) {
        buffer[0] = (char)code_point;
        return 1;
    }
    size_t length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, code_point >>= 6)
        buffer[i] = (char)(0x80 | (code_point & 0x3F));
    buffer[0] = (char)((0xF00 >> length & 0xFF) | code_point);
    return length;
}

/* C0, DEL, C1; line and paragraph separators; what changes the direction of writing (Bidi_Control,
 * Unicode Standard Annex 9). */
int rp_utf8_is_control(uint32_t code_point)
{
    return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) || code_point == 0x61C ||
           code_point == 0x200E || code_point == 0x200F ||
           (code_point >= 0x2028 && code_point <= 0x202E) ||
           (code_point >= 0x2066 && code_point <= 0x2069);
}

/* Nearly all texts are: what is printable of ASCII, to its end. */
static size_t plain_length(const char *text)
{
    size_t length = 0;
    while (text[length] >= 0x20 && text[length] < 0x7F)
        length++;
    return length;
}

char *rp_utf8_clean(const char *text, int printable)
{
    if (!text)
        return df_xstrdup("");
    size_t length = plain_length(text);
    if (!text[length])
        return df_xstrndup(text, length);
    /* a replaced byte becomes three */
    length += strlen(text + length);
    char *clean = df_xcalloc(length + 1, 3);
    size_t used = 0, step;
    uint32_t code_point;
    for (const char *at = text; (step = rp_utf8_next(at, &code_point)); at += step) {
        if (printable && rp_utf8_is_control(code_point))
            code_point = REPLACEMENT;
        used += rp_utf8_put(code_point, clean + used);
    }
    clean[used] = '\0';
    return clean;
}

size_t rp_utf8_columns(uint32_t code_point)
{
    static const struct {
        uint32_t first, last;
    } wide[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0xA4CF},  {0xAC00, 0xD7A3},
                {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},  {0xFFE0, 0xFFE6},
                {0x1F300, 0x1F64F}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};
    if (code_point < 0x300)
        return 1;
    if (code_point < 0x370 || (code_point >= 0x200B && code_point < 0x2010))
        return 0;
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
        if (code_point >= wide[i].first && code_point <= wide[i].last)
            return 2;
    return 1;
}

size_t rp_utf8_width(const char *text)
{
    size_t width = plain_length(text), step;
    uint32_t code_point;
    for (text += width; (step = rp_utf8_next(text, &code_point)); text += step)
        width += rp_utf8_columns(code_point);
    return width;
}
