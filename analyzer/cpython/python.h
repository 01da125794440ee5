/* SPDX-License-Identifier: MIT
 * python.h: the CPython runtime found in a dump: interpreters, collector, threads, frames.
 *
 * Source of the facts: Include/internal/pycore_runtime.h, pycore_interp.h, pycore_gc.h,
 * pycore_frame.h of each version, through the layout.
 */
#ifndef PY_PYTHON_H
#define PY_PYTHON_H

#include "analyzer/cpython/view.h"
#include "dumpfmt/base/map.h"

struct py_gc_generation {
    uint64_t head; /* address of its list head (a PyGC_Head) */
    int32_t threshold, count;
    uint64_t collections, collected, uncollectable; /* generation_stats */
};

struct py_gc {
    uint64_t address;
    bool enabled, collecting;
    int32_t debug_flags;
    struct py_gc_generation generations[3]; /* 3.8 has one collector: the main interpreter's */
    uint64_t permanent;          /* address of the permanent generation's list head; 0 when none */
    uint64_t garbage, callbacks; /* list objects, 0 when none */
};

struct py_interpreter {
    uint64_t address;
    int64_t id;
    struct py_gc gc;
    uint64_t modules, sysdict, builtins; /* dict objects */
    uint32_t first_thread, thread_count; /* in struct py's threads */
};

struct py_frame {
    uint64_t address; /* interpreter frame (3.11+) or frame object */
    uint64_t code, function, globals, frame_object, locals_dict; /* objects, 0 when none */
    uint64_t localsplus;                                         /* address of the first slot */
    uint32_t slot_count;  /* locals, cells and free variables: always valid */
    uint32_t stack_count; /* value stack slots known valid beyond them (0 when it runs) */
    uint8_t owner;        /* as stored */
    int64_t lasti; /* byte offset of the current instruction in the code, -1 before the start */
    int32_t line;  /* 0 when unknown */
};

struct py_thread {
    uint64_t address;
    uint32_t interpreter; /* index */
    uint64_t thread_id;   /* pthread_self() */
    int64_t native_id;    /* LWP; 0 when unknown */
    bool holds_gil;
    bool alive;              /* an LWP of the core has this native id */
    struct py_frame *frames; /* innermost first */
    uint32_t frame_count;
    bool frames_cut; /* the chain was damaged or longer than PY_MAX_FRAMES */
};

struct py {
    struct df_dump *dump; /* borrowed */
    struct py_layout layout;
    struct df_module *module;  /* the ELF file that holds the interpreter */
    uint64_t runtime;          /* address of _PyRuntime */
    char *version_text;        /* "3.12.1", or sys.version's first word; "" when unknown */
    const char *layout_source; /* "dwarf", ... */
    char *layout_note;         /* which known layout serves, and what did not fit; NULL */
    bool no_debug_info;        /* as the options said */
    bool redacted;             /* it is a snapshot that keeps no data (view.h) */
    char *cache_directory;     /* likewise; NULL: no cache */
    struct df_ctypes *types;   /* of `module`; NULL when there are none */
    struct py_interpreter *interpreters; /* main interpreter first */
    uint32_t interpreter_count;
    struct py_thread *threads; /* by interpreter, in the runtime's order (newest first) */
    uint32_t thread_count;
    uint64_t type_type, code_type; /* PyType_Type and PyCode_Type; 0 when their symbols are gone */
    uint64_t dict_type, cell_type; /* likewise */
    struct py_counts counts;       /* references counted apart (free-threaded) */
    struct df_map static_types;    /* static builtin type -> its row in interp.types (3.12+) */
};

struct py_options {
    const char *cache_directory; /* NULL: no cache */
    bool no_debug_info;          /* as if there were no debug information anywhere */
};

/* Finds the interpreter and reads all of the above. Errors: no CPython in the dump (names what was
 * looked for); no debug information (names the file and the option or package that helps). */
struct df_err *py_open(struct df_dump *dump, const struct py_options *options, struct py **ret);
void py_close(struct py *py); /* NULL is allowed */

/* Adds to a snapshot of py's dump what py_open found with the help of files: the layout, and where
 * the interpreter's state is. py_open of such a snapshot takes them from there. */
struct df_err *py_snapshot_save(const struct py *py, struct df_necro_writer *writer);

static inline struct py_reader py_reader(const struct py *py)
{
    return (struct py_reader){.space = py->dump->space,
                              .layout = &py->layout,
                              .counts = &py->counts,
                              .redacted = py->redacted};
}

/* Where the runtime keeps the thread state that runs now, for the thread with this thread pointer:
 * a word of the runtime (up to 3.11), a thread-local variable (3.12+). It is 0 while the thread
 * waits without the GIL; code that is emulated needs it set. False when it cannot be told. */
bool py_current_thread_slot(const struct py *py, uint64_t tls, uint64_t *ret);
/* The same for the interpreter that the thread runs in (3.15+). */
bool py_current_interpreter_slot(const struct py *py, uint64_t tls, uint64_t *ret);

/* One structure's size or one field's offset, where it is from, and which other sources of trust
 * say otherwise. */
struct py_layout_other {
    enum py_source source;
    uint32_t value;
};
struct py_layout_row {
    const char *structure, *field; /* field: NULL for the size of the structure */
    uint32_t value;                /* PY_ABSENT: this build has none */
    uint32_t size, bit_offset, bit_size;
    enum py_source source;
    struct py_layout_other others[2];
    uint32_t other_count;
};
void py_layout_visit(const struct py *py,
                     void (*visit)(void *context, const struct py_layout_row *row), void *context);

/* Calls visit with each object of a collector list (head: address of the list head), in order.
 * Stops when visit returns false, at the end, or where the list is damaged. Returns true only at
 * its proper end. */
bool py_gc_list(const struct py *py, uint64_t head, bool (*visit)(void *context, uint64_t object),
                void *context);

/* The same from the list's end: its last object, the one before that, and so on, as far as backward
 * links lead to objects whose forward links lead back. What is visited is the end of what py_gc_list
 * would visit of a list that it comes to the proper end of, each object once; the beginning may be
 * missing. Ends at the latest behind the first object. */
void py_gc_list_back(const struct py *py, uint64_t head,
                     bool (*visit)(void *context, uint64_t object), void *context);

/* Collector lists whose heads lie on native stacks: what a collection that ran when the process
 * died had taken out of the generations (deduce_unreachable and what follows it, Python/gc.c).
 * `wanted` is asked with the first object of each that may be one, `visit` gets the heads of those
 * that are. */
void py_gc_stack_lists(const struct py *py, bool (*wanted)(void *context, uint64_t first),
                       void (*visit)(void *context, uint64_t head), void *context);

/* Calls visit with each object that the collector of an interpreter (an index) knows where it has
 * no lists: the tracked ones in the pages of its threads' heaps (free-threaded builds). Stops when
 * visit returns false. Returns true when all was visited and nothing was damaged; at once in other
 * builds. */
bool py_gc_pages(const struct py *py, uint32_t interpreter,
                 bool (*visit)(void *context, uint64_t object, bool frozen), void *context);
/* The same for all collectors in whatever form, without what is frozen; oldest generation first. */
void py_gc_objects(const struct py *py, bool (*visit)(void *context, uint64_t object),
                   void *context);

/* Calls visit with each object that a thread's stack refers to without counting it (free-threaded
 * builds, 3.14+), as often as it does. Not sure: what may be left over on the stack of a frame that
 * runs, and need not be an object any more. */
void py_deferred_refs(const struct py *py, void (*visit)(void *context, uint64_t object, bool sure),
                      void *context);

/* Name of the i-th slot (local, cell or free variable) of a code object, malloc'ed UTF-8; NULL when
 * unreadable. *ret_cell: the slot holds a cell object whose content is the variable. */
char *py_local_name(const struct py *py, uint64_t code, uint32_t slot, bool *ret_cell);
/* Source line of a byte offset in a code object; 0 when unknown. */
int32_t py_code_line(const struct py *py, uint64_t code, int64_t lasti);
/* co_qualname (3.11+) or co_name, and co_filename, malloc'ed; NULL when unreadable. */
char *py_code_name(const struct py *py, uint64_t code);
char *py_code_file(const struct py *py, uint64_t code);
/* Reads an interpreter frame (3.11+) at address, or a frame object (up to 3.10); false when it is
 * implausible. Used for threads, generators and frame objects alike. */
bool py_frame_read(const struct py *py, uint64_t address, struct py_frame *ret);
/* The object that a frame slot refers to, its tag removed (0: empty). *ret_counted (may be NULL):
 * the slot owns a counted reference. */
uint64_t py_slot_object(const struct py *py, uint64_t word, bool *ret_counted);
/* The dict of a type: tp_dict, or the interpreter's own for static builtin types; and likewise its
 * subclasses. 0 when none. */
uint64_t py_type_dict(const struct py *py, uint64_t type);
uint64_t py_type_subclasses(const struct py *py, uint64_t type);
/* Whether something at address has a readable header with a type that is a type. */
bool py_plausible_object(const struct py *py, uint64_t object);
/* Calls visit once with each static type that the main interpreter knows (3.12+: its arrays) and
 * with each object of the interpreter's module that is as large as a type and looks like one. */
void py_static_types(const struct py *py, void (*visit)(void *context, uint64_t type),
                     void *context);
/* Calls visit with every object that the runtime's own state owns: slots of the runtime, of each
 * interpreter and of each thread state. path is C-like: "interpreter.codecs.search_cache",
 * "thread.exc_info", valid during the call. thread is NULL for the others. */
void py_state_roots(const struct py *py,
                    void (*visit)(void *context, uint64_t object, const char *path,
                                  const struct py_thread *thread),
                    void *context);
/* The same slots, by their addresses. */
void py_state_words(const struct py *py,
                    void (*visit)(void *context, uint64_t slot, uint64_t object), void *context);
/* References that this version of CPython takes and never gives back (losses.c): one of `object`;
 * py_loss_text says of a number what it is, a noun phrase. */
void py_losses(const struct py *py, void (*visit)(void *context, uint64_t object, uint32_t number),
               void *context);
const char *py_loss_text(uint32_t number);
/* The dict of interned strings of an interpreter (an index), which counts neither keys nor values;
 * 0 when it has none or it cannot be told. */
uint64_t py_interned_strings(const struct py *py, uint32_t interpreter);

#endif
