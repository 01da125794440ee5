/* SPDX-License-Identifier: MIT
 * rules.h: the table of questions that are asked of every dead process.
 *
 * A rule is one small file: NAME.c of this folder. It looks at the analysis and at the sections of
 * the verdict that are filled already (all but findings) and adds as many findings as it has
 * reasons. A title is a sentence that a tired person understands; evidence says what makes us think
 * so; advice names the fix that this cause has; a signature is the same for the same cause in
 * another dump (types and attributes, no addresses, no numbers).
 */
#ifndef FI_RULES_H
#define FI_RULES_H

#include "analyzer/findings/parts.h"

struct fi_rule {
    const char *name;     /* as in the JSON report */
    const char *question; /* what it asks, for the documentation */
    struct df_err *(*ask)(struct fi_context *context, const struct fi_rule *rule);
};

/* In the order of the table: what knows a cause is asked before what only sees sizes. */
struct df_err *fi_ask_frameworks(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_atexit(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_runtime_classes(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_runtime_modules(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_unbounded_cache(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_queue(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_listeners(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_thread_local(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_closure_capture(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_thread_frame(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_growing_container(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_large_object(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_largest_holder(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_shared_objects(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_garbage_cycles(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_finalizer_cycles(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_gc_garbage(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_native_surplus(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_piled_up_tasks(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_memory_error(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_deadlock(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_piled_up_tasks(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_unclosed_files(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_unclosed_sockets(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_open_connections(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_open_cursors(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_unwaited_children(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_open_mappings(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_retained_tracebacks(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_retained_frames(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_duplicate_values(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_sparse_containers(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_instance_dicts(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_pinned_memory(struct fi_context *context, const struct fi_rule *rule);
struct df_err *fi_ask_allocator_waste(struct fi_context *context, const struct fi_rule *rule);

/* Asks every rule, sorts the findings: most severe, then biggest first. */
struct df_err *fi_fill_findings(struct fi_context *context);

/* A new finding of a rule, zeroed but for its name; valid until the next one. */
struct fi_finding *fi_finding_add(struct fi_context *context, const struct fi_rule *rule);
/* Adds a line of evidence. */
void fi_evidence(struct fi_context *context, struct fi_finding *finding, const char *text);
/* A rule that knows why a node holds so much says so; rules that stand behind it in the table and
 * only see sizes then leave the node, and what is one heavy step of the dominator tree away from
 * it (an instance and its dict, a wrapper and its cache), alone. */
void fi_claim(struct fi_context *context, uint32_t node);
bool fi_is_claimed(const struct fi_context *context, uint32_t node);
/* Adds to each finding about objects of a type the line that allocated most of them, where
 * tracemalloc was on (allocated.c). After the rules. */
struct df_err *fi_add_allocation_sites(struct fi_context *context);
/* How grave it is that so many bytes of the heap are in question. */
enum fi_severity fi_severity_of(const struct fi_context *context, uint64_t bytes);

#endif
