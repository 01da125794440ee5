/* SPDX-License-Identifier: MIT
 * text.h: writers of texts and what they share: a buffer with budgets. Private to this folder.
 *
 * A writer (a row of text.c) writes one kind of object as its repr would, through the py_put
 * functions. Budgets bound what any dump can cost: characters, objects looked at, table slots and
 * digits stepped over, containers within containers. What does not fit is left out, and said: "…",
 * "… 12 more". Writers may go a little over the budget of characters to end what they began.
 *
 * Containers nest: py_put_object calls writers, which call it. The depth has a fixed maximum, so
 * that the stack has one too.
 */
#ifndef PY_TEXT_H
#define PY_TEXT_H

#include "analyzer/objects/internal.h"

#define PY_TEXT_DEPTH 40 /* containers within one another, at most */

struct py_writer {
    struct py_objects *objects;
    struct py_reader *reader;
    char *text;
    size_t used, capacity;
    uint64_t left;             /* characters */
    uint64_t visits;           /* objects that may still be looked at */
    uint64_t steps;            /* slots, digits, links that may still be passed */
    uint32_t depth, max_depth; /* of containers */
    uint32_t nesting;          /* of writers */
    bool brief;                /* files without their folders */
    uint64_t open[PY_TEXT_DEPTH];
};

typedef void (*py_text_writer)(struct py_writer *w, const struct py_type *type, uint64_t object);

enum {
    PY_TEXT_NAMED = 1,  /* with a __repr__ in Python before it: Name(...) */
    PY_TEXT_PYTHON = 2, /* a class written in Python */
    PY_TEXT_FIRST = 4,  /* goes before other rows of the mro: what it says is said by a mixin */
};
struct py_text_row {
    const char *type; /* as struct py_type has it */
    py_text_writer write;
    enum py_field needs; /* a field without which it is of no use; PY_F_object_ob_type: none */
    unsigned flags;
};

/* Text of ours, and formatted text. */
void py_put(struct py_writer *w, const char *text);
void py_put_format(struct py_writer *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One code point: printed, or escaped as repr does. `quote` is escaped too (0: none). */
void py_put_point(struct py_writer *w, uint32_t code_point, uint32_t quote);
/* A C string of the dump, or of a name: escaped, not quoted. */
void py_put_escaped(struct py_writer *w, const char *text);
/* A str object that is a name: not quoted; "?" when it is unreadable. */
void py_put_name(struct py_writer *w, uint64_t object);
/* Any object. */
void py_put_object(struct py_writer *w, uint64_t object);
/* The name of a type without its module, as repr of built-in types has it. */
void py_put_class(struct py_writer *w, const struct py_type *type);
/* "models.py:12", with its folders unless brief. The file is a str object. */
void py_put_place(struct py_writer *w, uint64_t file, int64_t line);
/* Room for another element? */
bool py_has_room(const struct py_writer *w);
/* Takes from the budget of steps; false when it is used up. */
bool py_step(struct py_writer *w, uint64_t steps);

/* Opens a container. False: it is one that is being written already (then `cycle` was written), or
 * too deep (`deep` was). */
bool py_enter(struct py_writer *w, uint64_t object, const char *cycle, const char *deep);
void py_leave(struct py_writer *w);
/* Before each element: a comma but for the first; false when there is no room. */
bool py_next(struct py_writer *w, uint64_t *index);
/* After the last: what was left out of `count`. */
void py_rest(struct py_writer *w, uint64_t index, uint64_t count);

/* An attribute of the class or of one it inherits from; 0 when there is none. */
uint64_t py_type_attribute(struct py_objects *objects, const struct py_type *type,
                           const char *name);
/* text_numbers.c */
void py_text_int(struct py_writer *, const struct py_type *, uint64_t);
void py_text_bool(struct py_writer *, const struct py_type *, uint64_t);
void py_text_float(struct py_writer *, const struct py_type *, uint64_t);
void py_text_complex(struct py_writer *, const struct py_type *, uint64_t);
void py_text_decimal(struct py_writer *, const struct py_type *, uint64_t);
void py_text_fraction(struct py_writer *, const struct py_type *, uint64_t);
/* A double as repr has it; without ".0" when `bare`. */
void py_put_double(struct py_writer *w, double value, bool bare, bool sign);

/* text_strings.c */
void py_text_str(struct py_writer *, const struct py_type *, uint64_t);
void py_text_bytes(struct py_writer *, const struct py_type *, uint64_t);
void py_text_bytearray(struct py_writer *, const struct py_type *, uint64_t);
void py_text_memoryview(struct py_writer *, const struct py_type *, uint64_t);
void py_text_array(struct py_writer *, const struct py_type *, uint64_t);
void py_text_pattern(struct py_writer *, const struct py_type *, uint64_t);

/* What a redacted dump says of an object whose data is gone: "<str of 12>", "<float>". */
void py_text_gone(struct py_writer *, const struct py_type *, uint64_t);

/* text_containers.c */
void py_text_list(struct py_writer *, const struct py_type *, uint64_t);
void py_text_tuple(struct py_writer *, const struct py_type *, uint64_t);
void py_text_set(struct py_writer *, const struct py_type *, uint64_t);
void py_text_frozenset(struct py_writer *, const struct py_type *, uint64_t);
void py_text_deque(struct py_writer *, const struct py_type *, uint64_t);
void py_text_range(struct py_writer *, const struct py_type *, uint64_t);
void py_text_slice(struct py_writer *, const struct py_type *, uint64_t);

/* text_dicts.c */
void py_text_dict(struct py_writer *, const struct py_type *, uint64_t);
void py_text_odict(struct py_writer *, const struct py_type *, uint64_t);
void py_text_defaultdict(struct py_writer *, const struct py_type *, uint64_t);
void py_text_counter(struct py_writer *, const struct py_type *, uint64_t);
void py_text_mappingproxy(struct py_writer *, const struct py_type *, uint64_t);
void py_text_dictview(struct py_writer *, const struct py_type *, uint64_t);

/* text_code.c */
void py_text_function(struct py_writer *, const struct py_type *, uint64_t);
void py_text_method(struct py_writer *, const struct py_type *, uint64_t);
void py_text_builtin(struct py_writer *, const struct py_type *, uint64_t);
void py_text_descriptor(struct py_writer *, const struct py_type *, uint64_t);
void py_text_wrapper(struct py_writer *, const struct py_type *, uint64_t);
void py_text_class(struct py_writer *, const struct py_type *, uint64_t);
void py_text_module(struct py_writer *, const struct py_type *, uint64_t);
void py_text_code(struct py_writer *, const struct py_type *, uint64_t);
void py_text_frame(struct py_writer *, const struct py_type *, uint64_t);
void py_text_generator(struct py_writer *, const struct py_type *, uint64_t);
void py_text_traceback(struct py_writer *, const struct py_type *, uint64_t);
void py_text_property(struct py_writer *, const struct py_type *, uint64_t);
void py_text_static(struct py_writer *, const struct py_type *, uint64_t);
void py_text_partial(struct py_writer *, const struct py_type *, uint64_t);
void py_text_lru(struct py_writer *, const struct py_type *, uint64_t);

/* text_objects.c */
void py_text_singleton(struct py_writer *, const struct py_type *, uint64_t);
void py_text_instance(struct py_writer *, const struct py_type *, uint64_t);
void py_text_exception(struct py_writer *, const struct py_type *, uint64_t);
void py_text_enum(struct py_writer *, const struct py_type *, uint64_t);
void py_text_namespace(struct py_writer *, const struct py_type *, uint64_t);
void py_text_cell(struct py_writer *, const struct py_type *, uint64_t);
void py_text_weakref(struct py_writer *, const struct py_type *, uint64_t);

/* text_datetime.c */
void py_text_date(struct py_writer *, const struct py_type *, uint64_t);
void py_text_datetime(struct py_writer *, const struct py_type *, uint64_t);
void py_text_time(struct py_writer *, const struct py_type *, uint64_t);
void py_text_timedelta(struct py_writer *, const struct py_type *, uint64_t);
void py_text_timezone(struct py_writer *, const struct py_type *, uint64_t);
void py_text_zoneinfo(struct py_writer *, const struct py_type *, uint64_t);

/* text_library.c */
void py_text_uuid(struct py_writer *, const struct py_type *, uint64_t);
void py_text_path(struct py_writer *, const struct py_type *, uint64_t);
void py_text_io(struct py_writer *, const struct py_type *, uint64_t);
void py_text_socket(struct py_writer *, const struct py_type *, uint64_t);
void py_text_sqlite(struct py_writer *, const struct py_type *, uint64_t);
void py_text_lock(struct py_writer *, const struct py_type *, uint64_t);
void py_text_rlock(struct py_writer *, const struct py_type *, uint64_t);
void py_text_thread(struct py_writer *, const struct py_type *, uint64_t);
void py_text_future(struct py_writer *, const struct py_type *, uint64_t);
void py_text_contextvar(struct py_writer *, const struct py_type *, uint64_t);
void py_text_ndarray(struct py_writer *, const struct py_type *, uint64_t);

#endif
