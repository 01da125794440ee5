/* SPDX-License-Identifier: MIT
 * object.h: the folder's front door: given an object, its type, its size, its referents with their
 * labels, a short text.
 *
 * Exactness is the point: the references of kind PY_REF_REFERENT are exactly, with multiplicity
 * and order, what the type's own tp_traverse visits (what gc.get_referents returns), and the size
 * is what sys.getsizeof says. Walkers written by hand serve what is frequent or needs names; every
 * other type is walked by its own tp_traverse, emulated over the dump (emulated.c), which is also
 * the oracle for the hand-written ones. Types that own references which nobody visits get them as
 * PY_REF_OWNED from their structures.
 *
 * A walker never fails: it returns a status and what it could read. No function here recurses on
 * foreign data.
 *
 * Threads: a struct py_objects is used by one thread at a time. While it rests, any number of
 * workers (py_objects_workers), one a thread, may do the work in between: they read what it knows
 * of types, all of which were met by then, and have a reader and a ledger of their own. While types
 * are still met, scouts (py_scout_open) work beside their owner.
 */
#ifndef PY_OBJECT_H
#define PY_OBJECT_H

#include "analyzer/cpython/python.h"

enum py_ref_kind {
    PY_REF_REFERENT, /* tp_traverse visits it */
    PY_REF_OWNED,    /* a counted reference that tp_traverse does not visit */
    PY_REF_GUESS,    /* a word of the object that is an object's address: conservative scan */
    PY_REF_WEAK,     /* not counted: weak references, borrowed pointers */
    PY_REF_NATIVE,   /* from outside the heap: makes its target a root */
    PY_REF_KINDS
};

enum py_label {
    PY_LABEL_NONE,
    PY_LABEL_FIELD,  /* argument: a C string that lives as long as the py_objects: "__dict__" */
    PY_LABEL_ATTR,   /* argument: address of the attribute's name, a str object */
    PY_LABEL_SLOT,   /* argument: address of the slot's name in the dump, a C string */
    PY_LABEL_ITEM,   /* argument: index in a sequence */
    PY_LABEL_VALUE,  /* argument: address of the key object; the reference is a dict's value */
    PY_LABEL_KEY,    /* the reference is a dict's key */
    PY_LABEL_MEMBER, /* an element of a set */
    PY_LABEL_TYPE,   /* the object's own type */
    PY_LABEL_LOCAL,  /* argument: slot number; a local of a frame, generator or coroutine */
    PY_LABEL_STACK,  /* argument: position on the value stack of a frame */
    PY_LABEL_OFFSET, /* argument: byte offset in the object */
};

struct py_ref {
    uint64_t target;   /* address; never 0 */
    uint64_t argument; /* of the label */
    uint8_t kind;      /* enum py_ref_kind */
    uint8_t label;     /* enum py_label */
    bool uncounted;    /* the target's count does not have it: deferred, or borrowed by a frame */
};

struct py_refs { /* growing array; reuse it: set count to 0 */
    struct py_ref *items;
    size_t count, capacity;
    bool bare; /* labels' arguments are not wanted: those that must be looked up may be missing */
    uint64_t only; /* of the items of containers, those to this object are wanted; 0: all */
};

enum py_status {
    PY_OK,
    PY_DEFERRED,    /* needs emulation: give it to py_walk_batch */
    PY_FAULT,       /* part of it could not be read; what could be is in the result */
    PY_IMPLAUSIBLE, /* its tables contradict themselves or exceed a named maximum */
    PY_NOT_OBJECT,  /* no plausible type */
    PY_STATUS_COUNT
};

/* How the references of a type are found; the report counts objects by it. */
enum py_walk_kind {
    PY_WALK_NONE,         /* has no references: nothing visits, nothing owned */
    PY_WALK_HAND,         /* a walker of this folder */
    PY_WALK_EMULATED,     /* its own tp_traverse */
    PY_WALK_STRUCT,       /* its structure in debug information */
    PY_WALK_MEMBERS,      /* its tp_members */
    PY_WALK_CONSERVATIVE, /* a scan: references are PY_REF_GUESS */
};

struct py_type;
struct py_objects;

typedef enum py_status (*py_walker)(struct py_objects *objects, const struct py_type *type,
                                    uint64_t object, struct py_refs *refs);
typedef enum py_status (*py_sizer)(struct py_objects *objects, const struct py_type *type,
                                   uint64_t object, uint64_t *ret);

struct py_type {
    uint64_t address;
    uint32_t index;
    char *name; /* module.qualname, without "builtins."; never NULL */
    uint64_t flags;
    int64_t basic_size, item_size, dict_offset, weaklist_offset;
    uint64_t traverse, dealloc, base, finalize, del; /* addresses, 0 when none */
    uint64_t asks_gc; /* tp_is_gc of a type that is no metatype: some of its objects say no */
    uint64_t object_traverse; /* base traverse of an instance of a Python class; else traverse */
    uint32_t base_index;      /* index of tp_base, PY_NO_TYPE when none or implausible */
    uint32_t owner_index; /* the base that owns what nobody visits, PY_NO_TYPE when there is none */
    py_walker walk;       /* NULL: no references */
    py_sizer size;        /* NULL until the first py_size or py_objects_workers */
    bool same_gc, is_gc;  /* py_is_gc says the same of all its objects: what it says */
    bool same_head;       /* py_size counts as many bytes before each: these, */
    uint32_t head;
    bool same_size;              /* and basic_size for each; all known with `size` */
    enum py_walk_kind walk_kind; /* the least exact one that served an object of it */
    bool deferred;               /* py_walk leaves its objects to py_walk_batch */
    bool owns_nothing;           /* without tp_traverse: its structure has no references */
    bool plausible;              /* looks like a type in every field */
    bool may_have_slots;         /* a Python class of which it is not known that it adds none */
    bool python_class;        /* made by a class statement (its tp_traverse is subtype_traverse) */
    bool has_del;             /* defines __del__ in Python (tp_finalize is slot_tp_finalize) */
    bool size_is_guess;       /* a __sizeof__ written in Python, or one that could not be asked */
    uint64_t sizeof_function; /* of the C __sizeof__ to ask by emulation; 0 when not needed */
    uint64_t sizeof_class;    /* its defining class, when it wants that (METH_METHOD); else 0 */
    uint64_t failed;          /* emulated walks that failed (see failed_status) */
    uint8_t failed_status;    /* enum df_call_status of the last failure */
    const void *data;         /* the walker's own */
    struct py_learned *learned;     /* learned.c's: NULL until an object of it was emulated */
    uint16_t buffer_rules;          /* of buffers.c */
    const struct py_text_row *text; /* of text.c: who writes its objects; NULL: not asked yet */
    bool own_repr;                  /* a class with a __repr__ in Python comes before that row's */
    bool settled, for_scouts;       /* see py_type_settle */
    bool shown;                     /* scouts.c's: scouts can hear of it */
};

#define PY_NO_TYPE UINT32_MAX

/* Whether py_walk has nothing to say of any object of the type, so that it need not be asked. */
static inline bool py_type_has_no_references(const struct py_type *type)
{
    return !type->walk && !type->deferred && !type->python_class &&
           type->owner_index == PY_NO_TYPE && !(type->flags & PY_TPFLAGS_HEAPTYPE);
}

/* Sizes of its objects, or whether the collector looks at them, are told by code of its own, run in
 * the emulator; known from the first py_size or py_objects_workers on. */
static inline bool py_type_runs_code(const struct py_type *type)
{
    return type->sizeof_function || type->asks_gc;
}

struct py_objects_options {
    bool no_emulator; /* as if built without it; for comparison */
};

/* `py` is borrowed and must outlive the result. The emulator is created on first need; its absence
 * is no error (see py_objects_emulator_note). Of a snapshot (dump->necro), types have the numbers
 * that they had when it was saved, with all that was found out about them; what is damaged in it is
 * an error. */
struct df_err *py_objects_open(struct py *py, const struct py_objects_options *options,
                               struct py_objects **ret);
void py_objects_close(struct py_objects *objects); /* NULL is allowed */
/* Adds to a snapshot of its dump (sections "objects.*") what took debug information, or code that
 * was run, to find out: types with their walkers, the members of their structures, what tp_is_gc
 * said. May meet types, which come behind those that were met before. Not a worker's. */
struct df_err *py_objects_save(struct py_objects *objects, struct df_necro_writer *writer);

/* Who knows the references and sizes that only code of the dead process tells, because they were
 * kept when it was run: the graph of a snapshot. Asked instead of the emulator; where it says false
 * (it does not know the object), the emulator is, and what serves without it. */
struct py_objects_source {
    void *context;
    /* Appends the references of an object that keep their targets alive, in the order in which
     * py_walk_batch gave them: targets and kinds; labels are not asked for, nor weak references.
     * Those to what the source has no number for may be missing. */
    bool (*references)(void *context, uint64_t object, struct py_refs *refs);
    bool (*size)(void *context, uint64_t object, uint64_t *ret); /* as py_size said */
};
/* Copied; either function may be NULL. */
void py_objects_set_source(struct py_objects *objects, const struct py_objects_source *source);

/* Makes `count` workers. They serve for py_object_type, py_walk, py_is_gc, py_object_flags,
 * py_size, py_buffers, py_shared_keys and py_own_keys, of objects whose type the owner has met (by
 * py_object_type), and which it has walked before when they are to be walked. They add no types and
 * run no code of the dead process: of objects of types for which py_type_runs_code says so, only
 * the owner can tell size and flags. Until they are closed the owner must not be used. */
struct py_objects **py_objects_workers(struct py_objects *owner, uint32_t count);
/* What a worker's ledger has is added to the owner's, and its own is empty again: done in the order
 * of the work, the owner's comes out as if there were no workers. */
void py_objects_take_ledger(struct py_objects *owner, struct py_objects *worker);
void py_objects_close_workers(struct py_objects **workers, uint32_t count);

/* Scouts: workers for the time in which types are still met, beside which the owner goes on. They
 * know no types but those that were settled when they were last briefed, and walk only objects whose
 * types are for them: nothing is asked about any other type then, and no code run. */
struct py_objects *py_scout_open(const struct py_objects *owner);
void py_scout_close(struct py_objects *scout); /* NULL is allowed */
/* An object of a type was met: what the first walk of one finds out about their type is found out
 * now. `for_scouts` says whether their py_walk of such objects is as good as the owner's. */
void py_type_settle(struct py_objects *owner, uint32_t type);
/* The owner's thread puts out what was settled; a scout's takes it. Under a lock. */
void py_scouts_tell(struct py_objects *owner);
void py_scout_brief(struct py_objects *scout, const struct py_objects *owner);
#define PY_UNMET_TYPE (UINT32_MAX - 2)
/* As py_object_type; PY_UNMET_TYPE: only the owner can tell. */
uint32_t py_scout_type(struct py_objects *scout, uint64_t object);

/* One sentence on why emulation is not available, or NULL when it is. */
const char *py_objects_emulator_note(const struct py_objects *objects);
/* Begins the emulator's process, which most dumps need, where one can be had: before the tool's
 * memory grows, which that process shares, page by page until somebody writes to it. */
void py_objects_begin_emulator(struct py_objects *objects);

/* Types, numbered from 0 as they are met. py_type_index: by the address of a type object;
 * PY_NO_TYPE when there is no plausible type there. */
uint32_t py_type_index(struct py_objects *objects, uint64_t type);
const struct py_type *py_type_at(const struct py_objects *objects, uint32_t index);
/* What its tp_traverse does was learned: objects of it are walked natively (learned.h). */
bool py_type_is_learned(const struct py_type *type);
uint32_t py_type_count(const struct py_objects *objects);
/* The type of an object, by number; PY_NO_TYPE when it is no plausible object. */
uint32_t py_object_type(struct py_objects *objects, uint64_t object);
/* Does the address look like an object: aligned, readable, a plausible type, a sane count? */
bool py_is_object(struct py_objects *objects, uint64_t object);

/* Appends the references of one object. PY_DEFERRED: nothing was appended. */
enum py_status py_walk(struct py_objects *objects, uint64_t object, uint32_t type,
                       struct py_refs *refs);

struct py_batch_item { /* one deferred object */
    uint64_t object;
    uint32_t type;
    uint32_t first, count; /* out: its run in refs */
    uint8_t status;        /* out: enum py_status */
};
/* Walks deferred objects by emulation, appending to refs. Objects whose emulation fails fall back
 * to structure, members, conservative scan, in this order. */
void py_walk_batch(struct py_objects *objects, struct py_batch_item *items, size_t count,
                   struct py_refs *refs);
/* The same for one object of any type (also deferred ones), with labels as good as can be had. */
enum py_status py_walk_one(struct py_objects *objects, uint64_t object, struct py_refs *refs);
/* What the type's own tp_traverse visits, by emulation, whatever walker it has: the oracle. False
 * when it cannot be run (no traverse, no emulator, failure). Appends PY_REF_REFERENT. */
bool py_walk_emulated(struct py_objects *objects, uint64_t object, uint32_t type,
                      struct py_refs *refs);
/* The same for many: items as for py_walk_batch; status PY_OK or PY_FAULT. */
void py_walk_emulated_batch(struct py_objects *objects, struct py_batch_item *items, size_t count,
                            struct py_refs *refs);

/* What is asked of every object, in one go: of one whose type was met. Of types for which
 * py_type_runs_code says so, flags and size are not: only its owner can ask. */
struct py_look {
    const struct py_type *type;
    int64_t references; /* py_refcount */
    uint8_t flags;      /* py_object_flags */
    bool is_gc;         /* py_is_gc */
    uint8_t status;     /* enum py_status: what py_size returns, and what it tells */
    uint64_t size;
};
void py_look(struct py_objects *worker, uint64_t object, struct py_look *ret);

/* sys.getsizeof of the object. */
enum py_status py_size(struct py_objects *objects, uint64_t object, uint32_t type, uint64_t *ret);

enum py_buffer_kind {
    PY_BUFFER_ITEMS,  /* of a list */
    PY_BUFFER_TABLE,  /* of a dict, a set */
    PY_BUFFER_VALUES, /* of attributes, of a dict that shares its keys */
    PY_BUFFER_TEXT,   /* characters, bytes */
    PY_BUFFER_NODE,   /* of a deque, an OrderedDict */
    PY_BUFFER_KINDS
};
typedef void (*py_buffer_visitor)(void *context, uint64_t address, uint64_t size,
                                  enum py_buffer_kind kind);
/* Memory outside the object that belongs to it and is no object. The address is of some byte of the
 * allocated block; size 0: not known. Shared tables are visited for each that shares them. */
void py_buffers(struct py_objects *objects, uint64_t object, uint32_t type,
                py_buffer_visitor visitor, void *context);
/* The same for one who wants no sizes, which may be 0. */
void py_buffer_places(struct py_objects *objects, uint64_t object, uint32_t type,
                      py_buffer_visitor visitor, void *context);
/* Whether objects of a type may have such memory. */
bool py_has_buffers(const struct py_objects *objects, uint32_t type);
/* Its objects are NumPy arrays. */
bool py_type_is_array(const struct py_objects *objects, uint32_t type);
/* A NumPy array that shows memory of another object: how many bytes its elements have, and that
 * object, its base. False for everything else, arrays that own their memory too. */
bool py_array_view(struct py_objects *objects, uint64_t object, uint32_t type, uint64_t *ret_bytes,
                   uint64_t *ret_base);
/* Bytes between the start of an object's memory and the object. False when unreadable. */
bool py_presize(struct py_objects *objects, uint64_t object, uint32_t type, uint64_t *ret);

/* The table of keys that a class or a split dict shares with others (a keys object); 0 for others.
 * What owns its keys is the table, not the object: py_own_keys pushes them. */
uint64_t py_shared_keys(struct py_objects *objects, uint64_t object);
void py_own_keys(struct py_objects *objects, uint64_t keys, struct py_refs *refs);

/* Flags of an object, from its collector header. */
enum {
    PY_FLAG_TRACKED = 1,   /* in a collector list */
    PY_FLAG_FINALIZED = 2, /* its finalizer has run */
    PY_FLAG_IMMORTAL = 4,
};
/* PyObject_IS_GC: does the collector, does gc.get_referents look at it? */
bool py_is_gc(struct py_objects *objects, uint64_t object, uint32_t type);
uint8_t py_object_flags(struct py_objects *objects, uint64_t object, uint32_t type);

/* A short text of an object, as repr would begin: "'abc'", "42", "[1, 2, … 298 more]", "<shop.Row
 * id=3>". Malloc'ed UTF-8, at most `max` characters or so, never NULL; whatever the dump has, no
 * control characters. What differs from repr: no addresses; functions and code with their file and
 * line, files, locks and tasks with what their structures tell. */
char *py_text(struct py_objects *objects, uint64_t object, size_t max);
/* The same with limits of one's own. */
struct py_text_options {
    uint64_t max_characters; /* 0: as many as it takes, within reason */
    uint32_t max_depth; /* containers within one another; 0: as many as there are, within reason */
    bool brief;         /* for a line among others: little work, files without their folders */
};
char *py_text_as(struct py_objects *objects, uint64_t object,
                 const struct py_text_options *options);
/* A label as Python would write it, to be put behind its holder: ".name", "[3]", "['k17']",
 * ".__dict__", " local x"; malloc'ed, "" for none. `object` is the holder. */
char *py_label_text(struct py_objects *objects, uint64_t object, const struct py_ref *ref);

/* The dict object that has an instance's attributes; 0: none, or none yet. */
uint64_t py_instance_dict(struct py_reader *reader, const struct py_type *type, uint64_t object);
/* The value of an attribute kept in an instance's dict, inline values or slots; 0 when absent. */
uint64_t py_attribute(struct py_objects *objects, uint64_t object, const char *name);
/* Visits the attributes of an object that have a value: slots, then its dict or inline values. The
 * name is a str object, or (slots) a C string that is valid during the call. Ends when visit
 * returns false. */
void py_attributes(struct py_objects *objects, uint64_t object,
                   bool (*visit)(void *context, uint64_t name, const char *slot, uint64_t value),
                   void *context);
/* The module object of a name in the main interpreter's sys.modules; 0 when absent. */
uint64_t py_module(struct py_objects *objects, const char *name);
/* The name of a thread as threading knows it, malloc'ed; NULL when it knows none. Not for workers.
 */
char *py_thread_name(struct py_objects *objects, const struct py_thread *thread);
/* Visits (name, object) of the locals of a frame that hold something; cells are looked through.
 * The name is valid during the call. */
void py_frame_locals(struct py_objects *objects, const struct py_frame *frame,
                     void (*visit)(void *context, const char *name, uint64_t object),
                     void *context);

/* Ledger of what the walks could not read: counts by a short reason. */
struct py_ledger_row {
    const char *reason; /* "dict tables unreadable" */
    uint64_t count;
    uint64_t example; /* address of one of them */
};
uint32_t py_ledger(const struct py_objects *objects, const struct py_ledger_row **ret);
void py_ledger_add(struct py_objects *objects, const char *reason, uint64_t object);
/* The same, already counted; its reason must outlive the objects. */
void py_ledger_add_row(struct py_objects *objects, const struct py_ledger_row *row);

#endif
