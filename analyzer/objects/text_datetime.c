/* SPDX-License-Identifier: MIT
 * text_datetime.c: dates and times. Their numbers are packed big-endian into bytes
 * (Include/datetime.h): year 2, month 1, day 1, hour 1, minute 1, second 1, microsecond 3.
 */
#include "analyzer/objects/text.h"

#include <inttypes.h>

/* The type's own name: static types have theirs with the module. */
static void put_type(struct py_writer *w, const struct py_type *type)
{
    if (type->python_class)
        py_put_class(w, type);
    else
        py_put_escaped(w, type->name);
}

static bool read_bytes(struct py_writer *w, uint64_t address, uint8_t *bytes, size_t count)
{
    if (df_read(w->reader->space, address, bytes, count))
        return true;
    py_put(w, "(…)");
    return false;
}

static void put_date(struct py_writer *w, const uint8_t *data)
{
    py_put_format(w, "%d, %d, %d", data[0] << 8 | data[1], data[2], data[3]);
}

/* Hours and minutes always, the rest where it says something. */
static void put_clock(struct py_writer *w, const uint8_t *data)
{
    int microsecond = data[3] << 16 | data[4] << 8 | data[5];
    py_put_format(w, "%d, %d", data[0], data[1]);
    if (data[2] || microsecond)
        py_put_format(w, ", %d", data[2]);
    if (microsecond)
        py_put_format(w, ", %d", microsecond);
}

static void put_zone(struct py_writer *w, unsigned fold, uint64_t zone)
{
    if (fold)
        py_put(w, ", fold=1");
    if (zone) {
        py_put(w, ", tzinfo=");
        py_put_object(w, zone);
    }
    py_put(w, ")");
}

void py_text_date(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    uint8_t data[4];
    put_type(w, type);
    if (!read_bytes(w, PY_AT(w->reader->layout, object, date, data), data, sizeof(data)))
        return;
    py_put(w, "(");
    put_date(w, data);
    py_put(w, ")");
}

void py_text_datetime(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct py_reader *reader = w->reader;
    uint8_t data[10];
    bool aware = PY_GET(reader, object, datetime, hastzinfo);
    put_type(w, type);
    if (!read_bytes(w, PY_AT(reader->layout, object, datetime, data), data, sizeof(data)))
        return;
    py_put(w, "(");
    put_date(w, data);
    py_put(w, ", ");
    put_clock(w, data + 4);
    put_zone(w, (unsigned)PY_GET(reader, object, datetime, fold),
             aware ? PY_PTR(reader, object, datetime, tzinfo) : 0);
}

void py_text_time(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct py_reader *reader = w->reader;
    uint8_t data[6];
    bool aware = PY_GET(reader, object, time, hastzinfo);
    put_type(w, type);
    if (!read_bytes(w, PY_AT(reader->layout, object, time, data), data, sizeof(data)))
        return;
    py_put(w, "(");
    put_clock(w, data);
    put_zone(w, (unsigned)PY_GET(reader, object, time, fold),
             aware ? PY_PTR(reader, object, time, tzinfo) : 0);
}

struct delta {
    int32_t part[3];
};

static struct delta read_delta(struct py_writer *w, uint64_t object)
{
    return (struct delta){{(int32_t)PY_GET(w->reader, object, delta, days),
                           (int32_t)PY_GET(w->reader, object, delta, seconds),
                           (int32_t)PY_GET(w->reader, object, delta, microseconds)}};
}

void py_text_timedelta(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    static const char *const names[] = {"days", "seconds", "microseconds"};
    struct delta delta = read_delta(w, object);
    const char *between = "";
    put_type(w, type);
    py_put(w, "(");
    for (int i = 0; i < 3; i++)
        if (delta.part[i]) {
            py_put_format(w, "%s%s=%" PRId32, between, names[i], delta.part[i]);
            between = ", ";
        }
    py_put(w, *between ? ")" : "0)");
}

/* An offset of zero without a name is always the one object datetime.timezone.utc (new_timezone,
 * Modules/_datetimemodule.c). */
void py_text_timezone(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct py_reader *reader = w->reader;
    uint64_t offset = PY_PTR(reader, object, timezone, offset);
    uint64_t name = PY_PTR(reader, object, timezone, name);
    struct delta delta = read_delta(w, offset);
    if (!name && offset && !delta.part[0] && !delta.part[1] && !delta.part[2]) {
        py_put(w, "datetime.timezone.utc");
        return;
    }
    put_type(w, type);
    py_put(w, "(");
    py_put_object(w, offset);
    if (name) {
        py_put(w, ", ");
        py_put_object(w, name);
    }
    py_put(w, ")");
}

/* zoneinfo_repr (Modules/_zoneinfo.c) */
void py_text_zoneinfo(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    uint64_t key = PY_PTR(w->reader, object, zoneinfo, key);
    put_type(w, type);
    py_put(w, "(key=");
    py_put_object(w, key);
    py_put(w, ")");
}
