/* SPDX-License-Identifier: MIT
 * text.c: objects and labels as a person reads them.
 *
 * Texts begin as repr would and are cut with an ellipsis; containers say how many they hold and do
 * not look inside: no recursion, no cost that follows from the dump.
 */
#include "analyzer/objects/internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static char *text_str(struct py_objects *objects, uint64_t object, size_t max)
{
    bool cut = false;
    DF_CLEANUP_FREE char *raw = py_str(&objects->reader, object, max ? max : 1, &cut);
    if (!raw)
        return df_xstrdup("<str, unreadable>");
    char quote = strchr(raw, '\'') && !strchr(raw, '"') ? '"' : '\'';
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return df_xstrdup("<str>");
    fputc(quote, out);
    for (const unsigned char *at = (const unsigned char *)raw; *at; at++) {
        if (*at == '\n')
            fputs("\\n", out);
        else if (*at == '\t')
            fputs("\\t", out);
        else if (*at == '\r')
            fputs("\\r", out);
        else if (*at < 0x20 || *at == 0x7f)
            fprintf(out, "\\x%02x", *at);
        else if (*at == '\\' || *at == (unsigned char)quote)
            fprintf(out, "\\%c", *at);
        else
            fputc(*at, out);
    }
    fputc(quote, out);
    if (cut)
        fputs("…", out);
    fclose(out);
    return text;
}

static char *text_bytes(struct py_objects *objects, uint64_t object, size_t max)
{
    int64_t length = py_ob_size(&objects->reader, object);
    uint64_t data = PY_AT(objects->reader.layout, object, bytes, ob_sval);
    size_t shown = length < 0 ? 0 : (uint64_t)length < max ? (size_t)length : max;
    const unsigned char *raw = shown ? df_ptr(objects->reader.space, data, shown) : NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return df_xstrdup("<bytes>");
    fputs("b'", out);
    for (size_t i = 0; raw && i < shown; i++)
        if (raw[i] == '\\' || raw[i] == '\'')
            fprintf(out, "\\%c", raw[i]);
        else if (raw[i] >= 0x20 && raw[i] < 0x7f)
            fputc(raw[i], out);
        else
            fprintf(out, "\\x%02x", raw[i]);
    fputs(length > (int64_t)shown ? "'…" : "'", out);
    fclose(out);
    return text;
}

static char *text_int(struct py_objects *objects, uint64_t object)
{
    int64_t value;
    return py_int(&objects->reader, object, &value) ? df_xasprintf("%" PRId64, value)
                                                    : df_xstrdup("<big int>");
}

/* The shortest decimal that reads back as the same number, as repr has it. */
static char *text_float(struct py_objects *objects, uint64_t object)
{
    uint64_t bits = PY_PTR(&objects->reader, object, float, ob_fval);
    double value;
    memcpy(&value, &bits, 8);
    if (!isfinite(value))
        return df_xstrdup(isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
    char buffer[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(buffer, sizeof(buffer), "%.*g", digits, value);
        if (strtod(buffer, NULL) == value)
            break;
    }
    return df_xasprintf(strpbrk(buffer, ".e") ? "%s" : "%s.0", buffer);
}

static char *text_named(struct py_objects *objects, const char *kind, uint64_t name)
{
    DF_CLEANUP_FREE char *text = name ? py_str(&objects->reader, name, 200, NULL) : NULL;
    return df_xasprintf("<%s%s%s>", kind, text ? " " : "", text ? text : "");
}

static char *text_count(const struct py_type *type, int64_t count)
{
    return df_xasprintf("<%s of %" PRId64 ">", type->name, count);
}

static char *text_frame(struct py_objects *objects, uint64_t object)
{
    struct py_reader *reader = &objects->reader;
    uint64_t at = reader->layout->frame_shape == PY_FRAME_OBJECTS
                      ? object
                      : PY_PTR(reader, object, frameobject, f_frame);
    struct py_frame frame;
    if (!at || !py_frame_read(objects->py, at, &frame))
        return df_xstrdup("<frame>");
    DF_CLEANUP_FREE char *name = py_code_name(objects->py, frame.code);
    return df_xasprintf("<frame %s, line %d>", name ? name : "?", frame.line);
}

static char *text_singleton(const char *type)
{
    static const struct {
        const char *type, *text;
    } rows[] = {
        {"NoneType", "None"}, {"ellipsis", "Ellipsis"}, {"NotImplementedType", "NotImplemented"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (strcmp(rows[i].type, type) == 0)
            return df_xstrdup(rows[i].text);
    return NULL;
}

/* Objects that have a name of their own. */
static char *text_by_name(struct py_objects *objects, const struct py_type *type, uint64_t object)
{
    struct py_reader *reader = &objects->reader;
    if (strcmp(type->name, "function") == 0)
        return text_named(objects, "function", PY_PTR(reader, object, function, func_qualname));
    if (strcmp(type->name, "module") == 0)
        return text_named(objects, "module", PY_PTR(reader, object, module, md_name));
    if (strcmp(type->name, "code") == 0)
        return text_named(objects, "code", PY_PTR(reader, object, code, co_name));
    if (strcmp(type->name, "generator") == 0 || strcmp(type->name, "coroutine") == 0 ||
        strcmp(type->name, "async_generator") == 0)
        return text_named(objects, type->name, PY_PTR(reader, object, gen, gi_qualname));
    if (strcmp(type->name, "method") == 0) {
        uint64_t function = PY_PTR(reader, object, method, im_func);
        return text_named(objects, "method", PY_PTR(reader, function, function, func_qualname));
    }
    if (strcmp(type->name, "frame") == 0)
        return text_frame(objects, object);
    return text_singleton(type->name);
}

static char *text_of(struct py_objects *objects, uint64_t object, const struct py_type *type,
                     size_t max)
{
    struct py_reader *reader = &objects->reader;
    if (type->flags & PY_TPFLAGS_TYPE) {
        uint32_t index = py_type_index(objects, object);
        return df_xasprintf("<class %s>", index == PY_NO_TYPE ? "?" : objects->types[index]->name);
    }
    if (type->flags & PY_TPFLAGS_UNICODE)
        return text_str(objects, object, max);
    if (type->flags & PY_TPFLAGS_BYTES)
        return text_bytes(objects, object, max);
    if (strcmp(type->name, "bool") == 0) {
        int64_t value = 0;
        py_int(reader, object, &value);
        return df_xstrdup(value ? "True" : "False");
    }
    if (type->flags & PY_TPFLAGS_LONG)
        return text_int(objects, object);
    if (strcmp(type->name, "float") == 0)
        return text_float(objects, object);
    if (type->flags & PY_TPFLAGS_DICT)
        return text_count(type, (int64_t)PY_PTR(reader, object, dict, ma_used));
    if ((type->flags & (PY_TPFLAGS_LIST | PY_TPFLAGS_TUPLE)) ||
        strcmp(type->name, "collections.deque") == 0)
        return text_count(type, py_ob_size(reader, object));
    if (strcmp(type->name, "set") == 0 || strcmp(type->name, "frozenset") == 0)
        return text_count(type, (int64_t)PY_PTR(reader, object, set, used));
    char *named = text_by_name(objects, type, object);
    return named ? named : df_xasprintf("<%s>", type->name);
}

char *py_text(struct py_objects *objects, uint64_t object, size_t max)
{
    uint32_t type = py_object_type(objects, object);
    char *text = type == PY_NO_TYPE ? df_xstrdup("<no object>")
                                    : text_of(objects, object, objects->types[type], max);
    objects->reader.fault = false;
    return text;
}

/* The code object whose slots a frame, generator or coroutine has; 0 when unknown. */
static uint64_t code_of_slots(struct py_objects *objects, uint64_t object)
{
    struct py_reader *reader = &objects->reader;
    uint32_t type = py_object_type(objects, object);
    if (type == PY_NO_TYPE)
        return 0;
    uint64_t at;
    if (strcmp(objects->types[type]->name, "frame") == 0)
        at = reader->layout->frame_shape == PY_FRAME_OBJECTS
                 ? object
                 : PY_PTR(reader, object, frameobject, f_frame);
    else
        at = PY_HAS(reader->layout, gen, gi_iframe) ? PY_AT(reader->layout, object, gen, gi_iframe)
                                                    : 0;
    struct py_frame frame;
    return at && py_frame_read(objects->py, at, &frame) ? frame.code : 0;
}

static char *label_local(struct py_objects *objects, uint64_t object, uint64_t slot)
{
    uint64_t code = code_of_slots(objects, object);
    DF_CLEANUP_FREE char *name = code && slot < PY_MAX_LOCALS
                                     ? py_local_name(objects->py, code, (uint32_t)slot, NULL)
                                     : NULL;
    return name ? df_xasprintf(".%s", name) : df_xasprintf("[stack %" PRIu64 "]", slot);
}

/* The member of the C structure, where debug information tells; looked up only when somebody reads.
 */
static char *label_offset(struct py_objects *objects, uint64_t object, uint64_t offset)
{
    uint32_t index = py_object_type(objects, object);
    const struct py_type *type = index == PY_NO_TYPE ? NULL : objects->types[index];
    if (type && type->python_class)
        type = py_instance_base(objects, type);
    const char *member = type ? py_struct_member(objects, type, offset) : NULL;
    return member ? df_xasprintf(".%s", member) : df_xasprintf("+0x%" PRIx64, offset);
}

char *py_label_text(struct py_objects *objects, uint64_t object, const struct py_ref *ref)
{
    struct py_reader *reader = &objects->reader;
    char *text = NULL;
    DF_CLEANUP_FREE char *inner = NULL;
    switch ((enum py_label)ref->label) {
    case PY_LABEL_NONE:
        return df_xstrdup("");
    case PY_LABEL_FIELD:
        inner = df_xstrdup((const char *)(uintptr_t)ref->argument);
        return df_xasprintf(inner[0] == '(' ? "%s" : ".%s", inner);
    case PY_LABEL_ATTR:
        inner = py_str(reader, ref->argument, 200, NULL);
        reader->fault = false;
        return df_xasprintf(".%s", inner ? inner : "?");
    case PY_LABEL_SLOT:
        inner = df_cstring(reader->space, ref->argument, 200);
        return df_xasprintf(".%s", inner ? inner : "?");
    case PY_LABEL_ITEM:
        return df_xasprintf("[%" PRIu64 "]", ref->argument);
    case PY_LABEL_VALUE:
        inner = py_text(objects, ref->argument, 60);
        return df_xasprintf("[%s]", inner);
    case PY_LABEL_KEY:
        return df_xstrdup(".key");
    case PY_LABEL_MEMBER:
        return df_xstrdup(".member");
    case PY_LABEL_TYPE:
        return df_xstrdup(".__class__");
    case PY_LABEL_LOCAL:
        text = label_local(objects, object, ref->argument);
        reader->fault = false;
        return text;
    case PY_LABEL_STACK:
        return df_xasprintf("[stack %" PRIu64 "]", ref->argument);
    case PY_LABEL_OFFSET:
        return label_offset(objects, object, ref->argument);
    }
    return df_xstrdup("");
}
