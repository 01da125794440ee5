/* SPDX-License-Identifier: MIT
 * verdict.h: everything that a report says, as plain values: the JSON report of design (schema
 * version 1) in C. Made by findings, written by report, which reads nothing else.
 *
 * All strings are owned by the verdict (allocated from one pool, freed with it) unless said.
 * Sizes are bytes. Paths are written as Python would write them.
 */
#ifndef FI_VERDICT_H
#define FI_VERDICT_H

#include "analyzer/findings/allocations.h"
#include "analyzer/findings/analysis.h"

#define FI_SCHEMA_VERSION 1

struct fi_core {
    const char *path, *command, *executable, *machine, *captured_by;
    uint64_t bytes;
    int32_t pid, signal;     /* 0: unknown, none */
    const char *signal_name; /* NULL when none */
    const char *container;   /* "zstd", "pipe", ...; NULL: a plain file */
    bool truncated;
    uint64_t lost_bytes;        /* of memory, that a truncated file does not have */
    uint64_t lost_notes;        /* bytes of notes, the same */
    uint64_t left_out_bytes;    /* of writable memory, that were never written (coredump_filter) */
    const char **missing_files; /* "path: reason" */
    uint32_t missing_file_count;
};

struct fi_gc_stats {
    uint64_t collections, collected, uncollectable;
};

struct fi_python {
    const char *version, *layout_source;
    uint32_t hexversion;
    bool free_threaded, debug_build;
    bool gc_enabled, gc_collecting;
    int32_t thresholds[3], counts[3], gc_debug_flags;
    uint64_t frozen;
    struct fi_gc_stats stats[3];
    uint32_t interpreters;
};

struct fi_count { /* a named count */
    const char *name;
    uint64_t count;
};

struct fi_balance { /* reference counts against the references found: objects */
    bool reliable;  /* all holders could be asked; else the figures say little */
    uint64_t checked, surplus, unexplained, deficit;
    uint64_t lost_by_cpython, lost_on_import; /* references; explained thereby */
    uint64_t deficit_example;                 /* address; 0 when there is none */
};

struct fi_coverage {
    uint64_t objects, references;
    struct fi_balance balance;
    struct fi_count *by_source, *by_reference_kind, *unreadable, *by_walk; /* zero rows left out */
    uint32_t by_source_count, by_reference_kind_count, unreadable_count, by_walk_count;
    struct fi_count *conservative_types; /* name, objects */
    uint32_t conservative_type_count;
    bool complete;
    const char *cut;           /* what is not there of the core, a clause; NULL: it is whole */
    const char *emulator_note; /* NULL when it ran */
    const char *verified; /* what fi_verify_make says in one line; NULL when it was not asked */
};

struct fi_memory_row {
    const char *name; /* "Python objects", "thread stacks", ... */
    uint64_t bytes;
    uint64_t blocks; /* of an allocator; 0 where it is not about blocks */
};

struct fi_allocator { /* Python's own, for small blocks */
    bool read;        /* false: it is off, or was not found */
    uint32_t arenas, pools;
    uint64_t used_blocks;
    uint64_t large_blocks; /* of malloc, as Python counts them; 0 when not known */
};

struct fi_memory {  /* rows sum to total */
    uint64_t total; /* bytes of the core file */
    struct fi_memory_row *rows;
    uint32_t row_count;
    uint64_t unknown; /* bytes of the row of that name */
    struct fi_allocator allocator;
    const char *note;    /* why malloc's memory was not read, or not all; NULL */
    const char *summary; /* whose the bytes are, in a sentence */
};

struct fi_type_row {
    const char *type;
    uint64_t count, shallow_bytes, retained_bytes;
};

struct fi_holder { /* a dominator */
    uint64_t address;
    const char *type, *path, *text;
    uint64_t shallow_bytes, retained_bytes, retained_objects;
    uint64_t semantic_bytes; /* of a finding: with what only caches, bystanders and other holders
                                that the finding names know too */
};

struct fi_cycle_group {    /* one shape of cycle: the multiset of its types */
    const char *signature; /* "2 × shop.Node", "shop.A, shop.B" */
    uint64_t count, objects, bytes;
    bool garbage;            /* nothing alive holds them */
    const char **finalizers; /* types in it that define __del__ or have tp_del */
    uint32_t finalizer_count;
    uint64_t *example; /* addresses of one cycle, at most 16 */
    uint32_t example_count;
};

struct fi_cycles {
    uint64_t count, objects, bytes;
    struct fi_cycle_group *groups; /* garbage first, then by bytes */
    uint32_t group_count;
};

struct fi_garbage {
    uint64_t objects;              /* what gc.collect() would return */
    uint64_t freed_objects, bytes; /* all that would be freed with them */
    uint64_t cycles;
    uint64_t with_finalizer, uncollectable, in_gc_garbage; /* objects; the last: len(gc.garbage) */
    struct fi_type_row *with_finalizer_types, *uncollectable_types, *types;
    uint32_t with_finalizer_type_count, uncollectable_type_count, type_count;
};

struct fi_local {
    const char *name, *type, *text;
    uint64_t address, retained_bytes;
};

struct fi_frame {
    const char *function, *file;
    int32_t line; /* 0 unknown */
    struct fi_local *locals;
    uint32_t local_count;
};

struct fi_wait {          /* what a thread waits for */
    const char *text;     /* "the lock `shop.lock`, a lock"; NULL: it does not wait, or who knows */
    const char *call;     /* the system call that it is in: "futex"; NULL when none */
    const char *doing;    /* a thread that does not wait: "it runs Python code"; NULL */
    const char *owner;    /* name of the thread that has the lock; NULL when it is not told */
    int32_t owner_thread; /* index of that thread; -1 */
    uint64_t object;      /* address of what it waits for; 0 when there is no such object */
    int64_t descriptor;   /* -1 when there is none */
};

struct fi_exception { /* that a thread raises or handles */
    bool raised;      /* else it is handled: the thread is in an except or finally clause */
    bool memory;      /* it is a MemoryError */
    uint64_t address;
    const char *type, *text, *note; /* note: NULL when there is nothing more to say */
    struct fi_frame *frames;        /* its traceback, without locals: where it was raised is last */
    uint32_t frame_count;
};

struct fi_native_frame {
    const char *symbol; /* the function; NULL when it is not known */
    const char *module; /* file name; "[vdso]"; NULL: code that is in no file */
    uint64_t offset;    /* from the symbol; without it, from where the module begins */
    uint64_t pc;
};

struct fi_thread {
    const char *name; /* NULL when threading knows none */
    int64_t native_id;
    uint64_t thread_id;
    bool holds_gil, alive;
    uint32_t interpreter;
    struct fi_frame *frames; /* innermost first; of a very deep stack the middle is one row that
                                says how many were left out (its file is NULL) */
    uint32_t frame_count;
    uint32_t frame_total;           /* in the process */
    struct fi_native_frame *native; /* innermost first; NULL when they were not asked for, or are
                                       not known */
    uint32_t native_count, native_total; /* listed; found, at most DF_UNWIND_FRAMES */
    struct fi_wait wait;
    struct fi_exception
        *exceptions; /* what is raised first, then what is handled, innermost first */
    uint32_t exception_count;
};

struct fi_task_group {     /* asyncio tasks that are alike: state, coroutines, lines */
    const char *state;     /* "waiting", "ready", "running", "not started"; "finished", "failed",
                              "cancelled" */
    const char *coroutine; /* qualified name; NULL when it has none */
    uint64_t count, retained_bytes;
    uint64_t orphans;       /* of those that wait: nothing else knows what they wait for */
    struct fi_frame *stack; /* without locals: the task's coroutine first, then what it awaits */
    uint32_t stack_count;
    const char *awaits; /* "an asyncio.Queue to give something"; NULL when it waits for nothing */
    const char *error;  /* text of one's exception; NULL when there is none */
    const char **names; /* of some */
    uint64_t *examples; /* addresses of the same */
    uint32_t example_count;
};

struct fi_tasks {
    uint64_t count, pending, finished, failed, cancelled;
    struct fi_task_group *groups;      /* pending first, then by number */
    uint32_t group_count, group_total; /* groups that are not in the list: the difference */
};

enum fi_severity {
    FI_LOW,    /* worth knowing */
    FI_MEDIUM, /* worth looking into */
    FI_HIGH,   /* very probably why somebody took this core; a healthy heap has none */
};

struct fi_finding {   /* a plain value with its evidence */
    const char *rule; /* a row of rules.c: "largest-holder", "shared-objects", ... */
    enum fi_severity severity;
    const char *title; /* the sentence that a tired person understands */
    const char *type;  /* of what is held */
    uint64_t count, shallow_bytes, retained_bytes;
    struct fi_holder holder; /* path NULL when there is none */
    const char **evidence;
    uint32_t evidence_count;
    const char *advice;
    const char *signature; /* stable between dumps: types and attributes, no addresses */
};

struct fi_verdict {
    struct fi_core core;
    struct fi_python python;
    struct fi_coverage coverage;
    struct fi_memory memory;
    struct fi_type_row *types; /* by retained bytes, all of them */
    uint32_t type_count;
    struct fi_holder *dominators; /* biggest first; at most limit */
    uint32_t dominator_count;
    struct fi_cycles cycles;
    struct fi_garbage garbage;
    struct fi_thread *threads;
    uint32_t thread_count;
    const char *native_note; /* why there are no native frames, a sentence; NULL */
    struct fi_tasks tasks;
    struct fi_finding *findings; /* most severe, then biggest first */
    uint32_t finding_count;
    uint64_t heap_bytes; /* shallow bytes of all objects */
    const char *gap;     /* one sentence on what could not be read; NULL: all was */
    void *pool;          /* verdict.c's */
};

struct fi_verdict_options {
    uint32_t limit;                /* rows of lists that can be long (dominators, groups); 0: all */
    const char *command_line_core; /* path as the user gave it */
    bool verify;                   /* compare some objects of each type with their own code */
    uint32_t native_frames;        /* to list of each thread at most; 0: not asked for */
    bool no_findings;              /* nobody will look at them: no rule is asked */
    const struct df_progress *progress;
};

struct df_err *fi_verdict_make(struct fi_analysis *analysis,
                               const struct fi_verdict_options *options, struct fi_verdict **ret);
void fi_verdict_free(struct fi_verdict *verdict); /* NULL is allowed */
/* One sentence on what of the core could not be read; NULL when all of it was. Malloc'ed. */
char *fi_coverage_gap(const struct fi_analysis *analysis);

/* An object for a person: `show`. */
struct fi_link { /* a reference, seen from the shown object */
    uint64_t address;
    const char *type, *label, *text, *kind; /* label: ".items", "[3]"; kind: "referent", ... */
};
struct fi_field {     /* an attribute, an element, a local: what a person means by "in it" */
    const char *name; /* "name", "[3]", "'key'"; "" for a member of a set */
    const char *type, *text;
    uint64_t address, size, retained_bytes;
};
struct fi_fact {             /* what only its kind of object has */
    const char *name, *text; /* "arguments", "self, request" */
};
struct fi_object {
    uint64_t address, size, retained_bytes, retained_objects;
    int64_t references; /* INT64_MAX: immortal */
    const char *type, *text, *path, *dominator_path, *source, *root, *verdict;
    bool tracked, finalized, immortal, garbage;
    const char *fields_are; /* "attributes", "items", "members", "locals", "names" */
    struct fi_field *fields;
    uint32_t field_count;
    uint64_t field_total;
    struct fi_fact *facts;
    uint32_t fact_count;
    struct fi_link *referents, *referrers;
    uint32_t referent_count, referrer_count; /* listed */
    struct fi_link *others; /* referents that are neither fields nor their keys nor the type */
    uint32_t other_count;
    uint64_t other_total;
    struct fi_allocated *allocated; /* its blocks of memory that tracemalloc knows */
    uint32_t allocated_count;
    uint64_t referent_total, referrer_total; /* in all: what was cut is said */
    struct fi_link *dominator; /* what alone keeps it, with all it holds; NULL: several things do */
    struct fi_type_row
        *freed; /* what would be freed with it, by type, without it: most bytes first */
    uint32_t freed_count, freed_total;
    uint64_t cycle_objects, cycle_bytes; /* all that it can reach and that can reach it; 0: none */
    const char *cycle_types;             /* "2 × shop.Node"; NULL: too many to say something */
    void *pool;
};
struct fi_object_options {
    uint32_t limit; /* rows of each list; 0: all */
    bool full;      /* texts in full, of fields too */
};
struct df_err *fi_object_make(struct fi_analysis *analysis, uint32_t node,
                              const struct fi_object_options *options, struct fi_object **ret);
void fi_object_free(struct fi_object *object);

/* Objects of a type: `show --type`. */
struct fi_instance {
    uint64_t address, size, retained_bytes;
    const char *text;
};
struct fi_instances {
    const char *type;
    struct fi_instance *items; /* largest first, by what they retain */
    uint32_t count, total;     /* listed, in all */
    uint64_t bytes;            /* of all of them, without what they hold */
    void *pool;
};
struct df_err *fi_instances_make(struct fi_analysis *analysis, const uint32_t *nodes,
                                 uint32_t count, const struct fi_object_options *options,
                                 struct fi_instances **ret);
void fi_instances_free(struct fi_instances *instances); /* NULL is allowed */

/* One way from a root: `path`. */
struct fi_step {
    uint64_t address; /* 0: stands for the middle of a very long route (text says of how many) */
    const char *type, *label,
        *text; /* label: how the step before refers to it; the root's: its reason */
    uint64_t size, retained_bytes;
};
struct fi_route {
    struct fi_step *steps; /* root first */
    uint32_t step_count;
    const char *path; /* as Python would write it */
};
struct fi_routes {
    struct fi_route *shortest; /* counted: distinct shapes, most frequent first when many targets */
    uint64_t *counts;          /* how many targets share the route's shape */
    uint32_t count;
    struct fi_route dominators; /* of the first target */
    uint64_t targets;
    uint32_t total;       /* shapes in all: count of them are listed */
    struct fi_cuts *cuts; /* what must go before the targets are freed: cuts.h; NULL: not asked */
    void *pool;
};
struct df_err *fi_routes_make(struct fi_analysis *analysis, const uint32_t *nodes, uint32_t count,
                              uint32_t limit, struct fi_routes **ret);
void fi_routes_free(struct fi_routes *routes);

/* A part of the graph for the eyes: `backrefs` and `refs`. */
struct fi_picture_node {
    uint64_t address; /* of the object, or of one of the folded ones */
    const char *type, *text;
    uint64_t size, retained_bytes;
    uint64_t folded;                 /* how many objects it stands for; 1 for one */
    bool target, root, garbage, cut; /* cut: has more neighbours than shown */
    uint64_t hidden;                 /* how many neighbours are not shown */
    const char *root_path;           /* reason, for roots */
    uint32_t depth;
};
struct fi_picture_edge {
    uint32_t from, to; /* holder to held, node numbers of the picture */
    const char *label; /* ".attr", "[key]", ... ; with several: the first and "+2" */
    uint64_t count;
};
struct fi_picture {
    const char *title;
    struct fi_picture_node *nodes;
    uint32_t node_count;
    struct fi_picture_edge *edges;
    uint32_t edge_count;
    void *pool;
};
struct fi_picture_options {
    bool backwards;                /* what holds it, else what it holds */
    uint32_t max_depth, max_nodes; /* 0: 8 and 80 */
};
struct df_err *fi_picture_make(struct fi_analysis *analysis, const uint32_t *nodes, uint32_t count,
                               const struct fi_picture_options *options, struct fi_picture **ret);
void fi_picture_free(struct fi_picture *picture);

#endif
