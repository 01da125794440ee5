/* SPDX-License-Identifier: MIT
 * text.c: objects as a person reads them: which writer serves a type, and the budgets.
 *
 * A type takes the row of the first class of its mro that has one; classes with a __repr__ of their
 * own, which nobody can run, get their name before what the row writes.
 */
#include "analyzer/objects/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define ROOM 4             /* characters that an element needs at least */
#define SHORT_VISITS 2000  /* objects of a short text */
#define SHORT_STEPS 200000 /* slots of a short text */
#define LONG_VISITS 4000000
#define LONG_STEPS UINT64_C(400000000)
#define SHORT_DEPTH 3
#define SHARED_ROOM 16                  /* characters; fewer are not shared */
#define MAX_NESTING (2 * PY_TEXT_DEPTH) /* of writers, of containers or not */
#define MAX_TEXT (UINT64_C(1) << 28)    /* characters */

#define NONE PY_F_object_ob_type

static const struct py_text_row rows[] = {
    {"enum.Enum", py_text_enum, NONE, PY_TEXT_PYTHON | PY_TEXT_FIRST},
    {"str", py_text_str, PY_F_ascii_length, PY_TEXT_NAMED},
    {"bool", py_text_bool, PY_F_long_ob_digit, 0},
    {"int", py_text_int, PY_F_long_ob_digit, PY_TEXT_NAMED},
    {"float", py_text_float, PY_F_float_ob_fval, PY_TEXT_NAMED},
    {"complex", py_text_complex, PY_F_complex_cval, PY_TEXT_NAMED},
    {"bytes", py_text_bytes, PY_F_bytes_ob_sval, PY_TEXT_NAMED},
    {"bytearray", py_text_bytearray, PY_F_bytearray_ob_start, PY_TEXT_NAMED},
    {"memoryview", py_text_memoryview, PY_F_memoryview_len, 0},
    {"array.array", py_text_array, PY_F_arraydescr_typecode, PY_TEXT_NAMED},
    {"NoneType", py_text_singleton, NONE, 0},
    {"ellipsis", py_text_singleton, NONE, 0},
    {"NotImplementedType", py_text_singleton, NONE, 0},
    {"list", py_text_list, PY_F_list_ob_item, PY_TEXT_NAMED},
    {"tuple", py_text_tuple, PY_F_tuple_ob_item, 0}, /* named tuples: text_containers.c */
    {"set", py_text_set, PY_F_setentry_key, 0},
    {"frozenset", py_text_frozenset, PY_F_setentry_key, 0},
    {"collections.deque", py_text_deque, PY_F_dequeblock_data, 0},
    {"collections.OrderedDict", py_text_odict, PY_F_odictnode_key, 0},
    {"collections.defaultdict", py_text_defaultdict, PY_F_defaultdict_default_factory, 0},
    {"collections.Counter", py_text_counter, NONE, PY_TEXT_PYTHON},
    {"dict", py_text_dict, PY_F_dict_ma_keys, PY_TEXT_NAMED},
    {"mappingproxy", py_text_mappingproxy, PY_F_mappingproxy_mapping, 0},
    {"dict_keys", py_text_dictview, PY_F_dictview_dv_dict, 0},
    {"dict_values", py_text_dictview, PY_F_dictview_dv_dict, 0},
    {"dict_items", py_text_dictview, PY_F_dictview_dv_dict, 0},
    {"odict_keys", py_text_dictview, PY_F_dictview_dv_dict, 0},
    {"odict_values", py_text_dictview, PY_F_dictview_dv_dict, 0},
    {"odict_items", py_text_dictview, PY_F_dictview_dv_dict, 0},
    {"range", py_text_range, PY_F_range_start, 0},
    {"slice", py_text_slice, PY_F_slice_start, 0},
    {"function", py_text_function, PY_F_function_func_code, 0},
    {"method", py_text_method, PY_F_method_im_func, 0},
    {"builtin_function_or_method", py_text_builtin, PY_F_cfunction_m_ml, 0},
    {"method_descriptor", py_text_descriptor, PY_F_descr_d_type, 0},
    {"classmethod_descriptor", py_text_descriptor, PY_F_descr_d_type, 0},
    {"getset_descriptor", py_text_descriptor, PY_F_descr_d_type, 0},
    {"member_descriptor", py_text_descriptor, PY_F_descr_d_type, 0},
    {"wrapper_descriptor", py_text_descriptor, PY_F_descr_d_type, 0},
    {"method-wrapper", py_text_wrapper, PY_F_wrapper_descr, 0},
    {"type", py_text_class, NONE, 0},
    {"module", py_text_module, PY_F_module_md_dict, 0},
    {"code", py_text_code, PY_F_code_co_name, 0},
    {"frame", py_text_frame, NONE, 0},
    {"generator", py_text_generator, PY_F_gen_gi_qualname, 0},
    {"coroutine", py_text_generator, PY_F_gen_gi_qualname, 0},
    {"async_generator", py_text_generator, PY_F_gen_gi_qualname, 0},
    {"traceback", py_text_traceback, PY_F_traceback_tb_frame, 0},
    {"property", py_text_property, PY_F_property_prop_get, 0},
    {"staticmethod", py_text_static, PY_F_staticmethod_callable, 0},
    {"classmethod", py_text_static, PY_F_classmethod_callable, 0},
    {"functools.partial", py_text_partial, PY_F_partial_fn, 0},
    {"functools._lru_cache_wrapper", py_text_lru, PY_F_lru_hits, 0},
    {"cell", py_text_cell, PY_F_cell_ob_ref, 0},
    {"weakref", py_text_weakref, PY_F_weakref_wr_object, 0},
    {"weakref.ReferenceType", py_text_weakref, PY_F_weakref_wr_object, 0},
    {"weakref.ProxyType", py_text_weakref, PY_F_weakref_wr_object, 0},
    {"weakref.CallableProxyType", py_text_weakref, PY_F_weakref_wr_object, 0},
    {"weakproxy", py_text_weakref, PY_F_weakref_wr_object, 0},
    {"weakcallableproxy", py_text_weakref, PY_F_weakref_wr_object, 0},
    {"BaseException", py_text_exception, PY_F_exception_args, 0},
    {"types.SimpleNamespace", py_text_namespace, NONE, 0},
    {"datetime.datetime", py_text_datetime, PY_F_datetime_data, 0},
    {"datetime.date", py_text_date, PY_F_date_data, 0},
    {"datetime.time", py_text_time, PY_F_time_data, 0},
    {"datetime.timedelta", py_text_timedelta, PY_F_delta_days, 0},
    {"datetime.timezone", py_text_timezone, PY_F_timezone_offset, 0},
    {"zoneinfo.ZoneInfo", py_text_zoneinfo, PY_F_zoneinfo_key, 0},
    {"decimal.Decimal", py_text_decimal, PY_F_decimal_data, 0},
    {"fractions.Fraction", py_text_fraction, NONE, PY_TEXT_PYTHON},
    {"uuid.UUID", py_text_uuid, NONE, PY_TEXT_PYTHON},
    {"pathlib.PurePath", py_text_path, NONE, PY_TEXT_PYTHON},
    {"pathlib._local.PurePath", py_text_path, NONE, PY_TEXT_PYTHON}, /* 3.13 */
    {"re.Pattern", py_text_pattern, PY_F_pattern_pattern, 0},
    {"_io.FileIO", py_text_io, PY_F_fileio_fd, 0},
    {"_io.BufferedReader", py_text_io, PY_F_buffered_raw, 0},
    {"_io.BufferedWriter", py_text_io, PY_F_buffered_raw, 0},
    {"_io.BufferedRandom", py_text_io, PY_F_buffered_raw, 0},
    {"_io.TextIOWrapper", py_text_io, PY_F_textio_buffer, 0},
    {"_io.BytesIO", py_text_io, PY_F_bytesio_string_size, 0},
    {"_io.StringIO", py_text_io, PY_F_stringio_string_size, 0},
    {"_socket.socket", py_text_socket, PY_F_socket_sock_fd, 0},
    {"sqlite3.Connection", py_text_sqlite, PY_F_sqlite_db, 0},
    {"_thread.lock", py_text_lock, PY_F_lock_locked, 0},
    {"_thread.RLock", py_text_rlock, PY_F_rlock_locked, 0},
    {"threading.Thread", py_text_thread, NONE, PY_TEXT_PYTHON},
    {"_asyncio.Task", py_text_future, PY_F_future_fut_state, 0},
    {"_asyncio.Future", py_text_future, PY_F_future_fut_state, 0},
    {"ContextVar", py_text_contextvar, PY_F_contextvar_var_name, 0},
    {"_contextvars.ContextVar", py_text_contextvar, PY_F_contextvar_var_name, 0},
    {"numpy.ndarray", py_text_ndarray, NONE, 0},
    {"object", py_text_instance, NONE, 0},
};

static const struct py_text_row instance = {"object", py_text_instance, NONE, 0};

static const struct py_text_row *row_of(const struct py_layout *layout, const struct py_type *class,
                                        bool first)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (!(rows[i].flags & PY_TEXT_FIRST) == !first &&
            !(rows[i].flags & PY_TEXT_PYTHON) == !class->python_class &&
            strcmp(rows[i].type, class->name) == 0)
            return layout->offset[rows[i].needs] != PY_ABSENT ? &rows[i] : NULL;
    return NULL;
}

/* Calls visit with each class of the mro (or of the bases where there is none) until it says stop.
 */
typedef bool (*class_visitor)(void *context, const struct py_type *class);
static void each_class(struct py_objects *objects, const struct py_type *type, class_visitor visit,
                       void *context)
{
    struct py_reader *reader = &objects->reader;
    uint64_t items, count;
    bool fault = reader->fault;
    if (py_tuple(reader, PY_PTR(reader, type->address, type, tp_mro), &items, &count) && count) {
        for (uint64_t i = 0; i < count && i < PY_MAX_MRO; i++) {
            uint32_t index = py_type_index(objects, py_word(reader, items + i * 8));
            if (index != PY_NO_TYPE && !visit(context, objects->types[index]))
                break;
        }
    } else {
        while (visit(context, type) && type->base_index != PY_NO_TYPE)
            type = objects->types[type->base_index];
    }
    reader->fault = fault;
}

struct choice {
    struct py_objects *objects;
    const struct py_text_row *row;
    bool first, own_repr;
};

static bool choose(void *context, const struct py_type *class)
{
    struct choice *choice = context;
    choice->row = row_of(choice->objects->reader.layout, class, choice->first);
    if (!choice->row && class->python_class &&
        py_dict_get(&choice->objects->reader, py_type_dict(choice->objects->py, class->address),
                    "__repr__"))
        choice->own_repr = true;
    return !choice->row;
}

static void find_row(struct py_objects *objects, struct py_type *type)
{
    struct choice choice = {.objects = objects, .first = true};
    each_class(objects, type, choose, &choice);
    choice.first = false;
    choice.own_repr = false;
    if (!choice.row)
        each_class(objects, type, choose, &choice);
    type->text = choice.row ? choice.row : &instance;
    type->own_repr = choice.own_repr;
}

struct search {
    struct py_objects *objects;
    const char *name;
    uint64_t found;
};

static bool look_up(void *context, const struct py_type *class)
{
    struct search *search = context;
    search->found = py_dict_get(&search->objects->reader,
                                py_type_dict(search->objects->py, class->address), search->name);
    return !search->found;
}

uint64_t py_type_attribute(struct py_objects *objects, const struct py_type *type, const char *name)
{
    struct search search = {objects, name, 0};
    each_class(objects, type, look_up, &search);
    return search.found;
}

/* Buffer. */

static void append(struct py_writer *w, const char *text, size_t length)
{
    if (w->capacity - w->used <= length) {
        w->capacity = (w->capacity + length) * 2 + 32;
        w->text = df_xrealloc(w->text, w->capacity, 1);
    }
    memcpy(w->text + w->used, text, length);
    w->used += length;
    uint64_t characters = 0;
    for (size_t i = 0; i < length; i++)
        characters += ((unsigned char)text[i] & 0xc0) != 0x80;
    w->left -= characters < w->left ? characters : w->left;
}

void py_put(struct py_writer *w, const char *text)
{
    append(w, text, strlen(text));
}

void py_put_format(struct py_writer *w, const char *format, ...)
{
    char buffer[200];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(buffer, sizeof(buffer), format, arguments);
    va_end(arguments);
    if (length > 0)
        append(w, buffer, (size_t)length < sizeof(buffer) ? (size_t)length : sizeof(buffer) - 1);
}

static size_t encode(uint32_t point, char *text)
{
    size_t length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--, point >>= 6)
        text[i] = (char)(0x80 | (point & 0x3f));
    text[0] = (char)(first[length] | point);
    return length;
}

void py_put_point(struct py_writer *w, uint32_t point, uint32_t quote)
{
    char utf8[4];
    if (point == quote || (quote && point == '\\'))
        py_put_format(w, "\\%c", (int)point);
    else if (point == '\n' || point == '\r' || point == '\t')
        py_put(w, point == '\n' ? "\\n" : point == '\r' ? "\\r" : "\\t");
    else if (py_printable(w->reader->layout, point) && point <= 0x10ffff)
        append(w, utf8, encode(point, utf8));
    else
        py_put_format(w,
                      point <= 0xff     ? "\\x%02" PRIx32
                      : point <= 0xffff ? "\\u%04" PRIx32
                                        : "\\U%08" PRIx32,
                      point);
}

/* Bytes that are no UTF-8 are escaped one by one. */
void py_put_escaped(struct py_writer *w, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        size_t length = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
        uint32_t point = length < 2 ? *at : *at & (0xffu >> (length + 1));
        for (size_t i = 1; i < length; i++) {
            if ((at[i] & 0xc0) != 0x80) {
                length = 0;
                break;
            }
            point = point << 6 | (at[i] & 0x3f);
        }
        py_put_point(w, length ? point : *at, 0);
        at += length ? length : 1;
    }
}

void py_put_name(struct py_writer *w, uint64_t object)
{
    DF_CLEANUP_FREE char *name = object ? py_str(w->reader, object, 200, NULL) : NULL;
    py_put_escaped(w, name ? name : "?");
}

void py_put_class(struct py_writer *w, const struct py_type *type)
{
    const char *dot = strrchr(type->name, '.');
    py_put_escaped(w, dot ? dot + 1 : type->name);
}

void py_put_place(struct py_writer *w, uint64_t file, int64_t line)
{
    DF_CLEANUP_FREE char *path = file ? py_str(w->reader, file, 1000, NULL) : NULL;
    const char *name = path ? path : "?", *slash = strrchr(name, '/');
    if (w->brief && slash) { /* with the folder that it is in: there are many __init__.py */
        while (slash > name && slash[-1] != '/')
            slash--;
        name = slash;
    }
    py_put_escaped(w, name);
    if (line > 0)
        py_put_format(w, ":%" PRId64, line);
}

/* Budgets. */

bool py_has_room(const struct py_writer *w)
{
    return w->left >= ROOM && w->visits && w->steps;
}

bool py_step(struct py_writer *w, uint64_t steps)
{
    bool enough = w->steps > steps;
    w->steps -= enough ? steps : w->steps;
    return enough;
}

bool py_enter(struct py_writer *w, uint64_t object, const char *cycle, const char *deep)
{
    for (uint32_t i = 0; i < w->depth; i++)
        if (w->open[i] == object) {
            py_put(w, cycle);
            return false;
        }
    if (w->depth >= w->max_depth) {
        py_put(w, deep);
        return false;
    }
    w->open[w->depth++] = object;
    return true;
}

void py_leave(struct py_writer *w)
{
    w->depth--;
}

bool py_next(struct py_writer *w, uint64_t *index)
{
    if (!py_has_room(w))
        return false;
    if ((*index)++)
        py_put(w, ", ");
    return true;
}

void py_rest(struct py_writer *w, uint64_t index, uint64_t count)
{
    if (count > index)
        py_put_format(w, "%s… %" PRIu64 "%s", index ? ", " : "", count - index,
                      index ? " more" : "");
}

/* Writers of data: in a redacted dump there is none. */
static bool writes_data(py_text_writer write)
{
    static const py_text_writer writers[] = {
        py_text_float,     py_text_complex,  py_text_bytes,   py_text_bytearray, py_text_array,
        py_text_range,     py_text_counter,  py_text_date,    py_text_datetime,  py_text_time,
        py_text_timedelta, py_text_timezone, py_text_decimal, py_text_uuid,      py_text_path,
        py_text_ndarray,   py_text_zoneinfo, py_text_lru,     py_text_fraction};
    for (size_t i = 0; i < sizeof(writers) / sizeof(*writers); i++)
        if (writers[i] == write)
            return true;
    return false;
}

static void put_named(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    bool named = type->own_repr && (type->text->flags & PY_TEXT_NAMED);
    if (named) {
        py_put_escaped(w, type->name);
        py_put(w, "(");
    }
    if (w->reader->redacted && writes_data(type->text->write))
        py_text_gone(w, type, object);
    else
        type->text->write(w, type, object);
    if (named)
        py_put(w, ")");
}

void py_put_object(struct py_writer *w, uint64_t object)
{
    uint32_t index = object ? py_object_type(w->objects, object) : PY_NO_TYPE;
    if (index == PY_NO_TYPE) {
        py_put(w, object || !w->nesting ? "<no object>" : "<NULL>"); /* as list_repr has it */
        return;
    }
    struct py_type *type = w->objects->types[index];
    if (w->visits)
        w->visits--;
    if (!type->text)
        find_row(w->objects, type);
    if (w->nesting >= MAX_NESTING) {
        py_put(w, "…");
        return;
    }
    uint64_t kept = w->brief && w->depth && w->left > SHARED_ROOM ? w->left / 2 : 0;
    w->nesting++;
    w->left -= kept; /* one element of several leaves the others half of the room */
    put_named(w, type, object);
    w->left += kept;
    w->nesting--;
    w->reader->fault = false;
}

char *py_text_as(struct py_objects *objects, uint64_t object, const struct py_text_options *options)
{
    uint64_t max = options->max_characters;
    struct py_writer w = {.objects = objects,
                          .reader = &objects->reader,
                          .left = max && max < MAX_TEXT ? max : MAX_TEXT,
                          .visits = options->brief ? SHORT_VISITS : LONG_VISITS,
                          .steps = options->brief ? SHORT_STEPS : LONG_STEPS,
                          .max_depth = options->max_depth && options->max_depth < PY_TEXT_DEPTH
                                           ? options->max_depth
                                           : PY_TEXT_DEPTH,
                          .brief = options->brief};
    py_put_object(&w, object);
    append(&w, "", 1);
    objects->reader.fault = false;
    return w.text;
}

char *py_text(struct py_objects *objects, uint64_t object, size_t max)
{
    struct py_text_options options = {
        .max_characters = max ? max : 1, .max_depth = SHORT_DEPTH, .brief = true};
    return py_text_as(objects, object, &options);
}
