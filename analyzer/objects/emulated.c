/* SPDX-License-Identifier: MIT
 * emulated.c: objects walked by their own tp_traverse, run in the emulator over the dump; and what
 * serves where that cannot be: the structure in debug information, tp_members, a scan.
 *
 * The emulated function of an instance of a Python class is its base's: what subtype_traverse
 * itself visits is read by hand, with names (walk_instance.c).
 */
#include "analyzer/objects/learned.h"

#define T_OBJECT 6
#define MAX_MEMBER_NAME 64
#define T_OBJECT_EX 16
#define MAX_MEMBERS 1024
#define MAX_LABELLED 4096 /* references of one object that get names from its words */

/* The thread pointer where the core does not have it: qemu-user writes no NT_ARM_TLS. On aarch64
 * pthread_self() is right below it (glibc, sysdeps/aarch64/nptl/tls.h, TLS_PRE_TCB_SIZE), as far as
 * glibc's constant for debuggers says. */
static uint64_t thread_pointer(const struct df_dump *dump, const struct py_thread *thread)
{
    const struct df_symbol *constant =
        df_modules_symbol(dump->modules, "_thread_db_sizeof_pthread", NULL);
    uint32_t size;
    if (dump->core->machine != DF_AARCH64 || !thread->thread_id || !constant ||
        !df_u32(dump->space, constant->address, &size))
        return 0;
    return thread->thread_id + size;
}

/* The thread that emulated code believes to be: the first of Python's that the core has; but where
 * objects have owners (free-threaded), and a __sizeof__ may ask for it, the main thread. */
static const struct py_thread *running_thread(struct py_objects *objects, uint64_t *ret_tls)
{
    const struct df_core *core = objects->py->dump->core;
    const struct py_thread *found = NULL;
    for (uint32_t i = 0; i < objects->py->thread_count; i++) {
        const struct py_thread *thread = &objects->py->threads[i];
        bool main = objects->py->layout.free_threaded && thread->native_id == core->pid;
        for (uint32_t k = 0; k < core->lwp_count && (!found || main); k++)
            if (core->lwps[k].tid == thread->native_id && core->lwps[k].tls) {
                *ret_tls = core->lwps[k].tls;
                found = thread;
            }
    }
    if (found || !objects->py->thread_count)
        return found;
    *ret_tls = thread_pointer(objects->py->dump, &objects->py->threads[0]);
    return &objects->py->threads[0];
}

struct df_emulator *py_emulator(struct py_objects *objects)
{
    if (objects->is_worker)
        return NULL;
    if (objects->emulator_tried)
        return objects->emulator;
    objects->emulator_tried = true;
    if (objects->no_emulator) {
        objects->emulator_note = df_xstrdup("emulation was turned off");
        return NULL;
    }
    uint64_t tls = 0;
    const struct py_thread *thread = running_thread(objects, &tls);
    struct df_err *err = df_emulator_create(objects->py->dump, tls, &objects->emulator);
    if (err) {
        objects->emulator_note = df_xstrdup(df_err_text(err));
        objects->emulator = NULL;
        df_err_free(err);
        return NULL;
    }
    uint64_t slot;
    if (thread && py_current_thread_slot(objects->py, tls, &slot))
        df_emulator_set_word(objects->emulator, slot, thread->address);
    if (thread && py_current_interpreter_slot(objects->py, tls, &slot))
        df_emulator_set_word(objects->emulator, slot,
                             objects->py->interpreters[thread->interpreter].address);
    return objects->emulator;
}

void py_objects_begin_emulator(struct py_objects *objects)
{
    if (py_emulator(objects))
        return;
    objects->emulator_tried = false; /* a note is for those who need it */
    free(DF_TAKE(objects->emulator_note));
}

const char *py_objects_emulator_note(const struct py_objects *objects)
{
    return objects->emulator_note;
}

static const struct py_type *emulated_part(struct py_objects *objects, const struct py_type *type)
{
    return type->python_class ? py_instance_base(objects, type) : type;
}

static bool is_borrowed(struct py_objects *objects, const struct py_type *type, uint64_t name)
{
    DF_CLEANUP_FREE char *text = df_cstring(objects->reader.space, name, MAX_MEMBER_NAME);
    return text && py_is_borrowed_member(type, text);
}

size_t py_push_members(struct py_objects *objects, const struct py_type *type, uint64_t object,
                       enum py_ref_kind ref_kind, struct py_refs *refs)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    size_t before = refs->count;
    for (const struct py_type *class = type;;) {
        uint64_t member = PY_PTR(reader, class->address, type, tp_members);
        for (int i = 0; member && i < MAX_MEMBERS && !reader->fault; i++) {
            uint64_t name = PY_PTR(reader, member, memberdef, name);
            uint64_t offset = PY_PTR(reader, member, memberdef, offset);
            uint32_t kind = (uint32_t)PY_GET(reader, member, memberdef, type);
            if (!name)
                break;
            if ((kind == T_OBJECT || kind == T_OBJECT_EX) && class->basic_size >= 8 &&
                offset <= (uint64_t) class->basic_size - 8 &&
                (ref_kind != PY_REF_OWNED || !is_borrowed(objects, class, name)))
                py_push(refs, py_word(reader, object + offset), ref_kind, PY_LABEL_SLOT, name);
            member += PY_SIZEOF(layout, memberdef);
        }
        if (class->base_index == PY_NO_TYPE)
            break;
        class = objects->types[class->base_index];
    }
    reader->fault = false;
    return refs->count - before;
}

static void push_scan(struct py_objects *objects, const struct py_type *type, uint64_t object,
                      struct py_refs *refs)
{
    uint64_t bytes = (uint64_t)type->basic_size;
    int64_t items = type->item_size ? py_ob_size(&objects->reader, object) : 0;
    if (items > 0 && items < PY_MAX_WORDS)
        bytes += (uint64_t)items * (uint64_t)type->item_size;
    for (uint64_t at = PY_SIZEOF(objects->reader.layout, object); at + 8 <= bytes; at += 8) {
        uint64_t word;
        if (at / 8 > PY_MAX_WORDS || !df_u64(objects->reader.space, object + at, &word))
            break;
        if (word && !(word & 7) && py_is_object(objects, word))
            py_push(refs, word, PY_REF_GUESS, PY_LABEL_OFFSET, at);
    }
    objects->reader.fault = false;
}

static enum py_walk_kind push_without_code(struct py_objects *objects, const struct py_type *type,
                                           uint64_t object, struct py_refs *refs)
{
    if (py_struct_push(objects, type, object, refs))
        return PY_WALK_STRUCT;
    if (py_push_members(objects, type, object, PY_REF_REFERENT, refs))
        return PY_WALK_MEMBERS;
    push_scan(objects, type, object, refs);
    return PY_WALK_CONSERVATIVE;
}

enum py_status py_walk_fallback(struct py_objects *objects, const struct py_type *type,
                                uint64_t object, struct py_refs *refs)
{
    struct py_type *own = objects->types[type->index];
    enum py_walk_kind kind = push_without_code(objects, type, object, refs);
    if (kind > own->walk_kind)
        own->walk_kind = kind;
    return py_reader_status(objects);
}

/* One run of the emulator over the items that a plan leaves to it; without a plan, over all, with
 * their whole type's function. */
static bool run_batch(struct py_objects *objects, struct py_batch_item *items, size_t count,
                      struct df_visits *calls, const uint8_t *plan)
{
    struct df_emulator *emulator = py_emulator(objects);
    size_t run = 0;
    for (size_t i = 0; i < count; i++) {
        const struct py_type *type = objects->types[items[i].type];
        const struct py_type *part = plan ? emulated_part(objects, type) : type;
        if (part && part->traverse && emulator && !(plan && plan[i] == PY_ALIKE))
            calls[run++] =
                (struct df_visits){.function = part->traverse, .object = items[i].object};
    }
    objects->targets.count = 0;
    if (!run)
        return true;
    struct df_err *err = df_emulator_visit(emulator, calls, run, &objects->targets);
    if (!err)
        return true;
    if (!objects->emulator_note)
        objects->emulator_note = df_xstrdup(df_err_text(err));
    df_err_free(err);
    return false;
}

static void push_visits(struct py_objects *objects, const struct df_visits *call,
                        struct py_refs *refs)
{
    for (uint32_t k = 0; k < call->count; k++)
        py_push(refs, objects->targets.items[call->first + k], PY_REF_REFERENT, PY_LABEL_NONE, 0);
}

static void note_failure(struct py_objects *objects, uint32_t type, uint8_t status)
{
    objects->types[type]->failed++;
    objects->types[type]->failed_status = status;
}

/* All that needs no code. */
static enum py_status push_readable(struct py_objects *objects, const struct py_batch_item *item,
                                    struct py_refs *refs)
{
    const struct py_type *type = objects->types[item->type];
    const struct py_type *part = emulated_part(objects, type);
    enum py_status status = PY_OK;
    if (type->python_class)
        status = py_walk_instance(objects, type, item->object, refs);
    if (part && part->walk == py_walk_module)
        py_own_module_name(objects, item->object, refs);
    if (part && part->flags & PY_TPFLAGS_TYPE)
        py_own_type_parts(objects, item->object, refs);
    if (part && part->flags & PY_TPFLAGS_DICT)
        py_own_dict_keys(objects, item->object, refs);
    return status;
}

static enum py_status finish_item(struct py_objects *objects, const struct py_batch_item *item,
                                  const struct df_visits *call, struct py_refs *refs)
{
    const struct py_type *part = emulated_part(objects, objects->types[item->type]);
    enum py_status status = push_readable(objects, item, refs);
    if (call && call->status == DF_CALL_OK) {
        push_visits(objects, call, refs);
        return status;
    }
    if (call)
        note_failure(objects, (uint32_t)item->type, call->status);
    if (part)
        py_walk_fallback(objects, part, item->object, refs);
    return call ? PY_FAULT : status;
}

/* What needs no code is read as ever, with its labels: the source's list begins with the same, but
 * for weak references and those to what the source has no number for. The rest is what code
 * visited.
 */
static bool walk_by_source(struct py_objects *objects, struct py_batch_item *item,
                           struct py_refs *refs)
{
    const struct py_objects_source *source = &objects->source;
    struct py_refs *all = &objects->sourced;
    size_t next = 0;
    all->count = 0;
    if (!source->references(source->context, item->object, all))
        return false;
    item->first = (uint32_t)refs->count;
    item->status = (uint8_t)push_readable(objects, item, refs);
    for (size_t i = item->first; i < refs->count && next < all->count; i++)
        if (refs->items[i].kind != PY_REF_WEAK)
            next += all->items[next].target == refs->items[i].target;
    for (; next < all->count; next++)
        if (all->items[next].kind != PY_REF_WEAK)
            py_push(refs, all->items[next].target, (enum py_ref_kind)all->items[next].kind,
                    PY_LABEL_NONE, 0);
    return true;
}

static bool is_run(struct py_objects *objects, const struct py_batch_item *item,
                   enum py_likeness likeness)
{
    const struct py_type *part = emulated_part(objects, objects->types[item->type]);
    return part && part->traverse && objects->emulator && likeness != PY_ALIKE;
}

static void finish_references(struct py_objects *objects, struct py_batch_item *item,
                              struct py_refs *refs)
{
    const struct py_type *type = objects->types[item->type];
    if (type->asks_gc && !py_is_gc(objects, item->object, item->type))
        py_disown(refs, item->first);
    py_own_type(objects, type, item->object, refs, item->first);
    item->count = (uint32_t)refs->count - item->first;
}

static void walk_as_learned(struct py_objects *objects, struct py_batch_item *item,
                            struct py_refs *refs)
{
    const struct py_type *type = objects->types[item->type];
    item->first = (uint32_t)refs->count;
    item->status = PY_OK;
    if (type->python_class)
        item->status = (uint8_t)py_walk_instance(objects, type, item->object, refs);
    py_learned_push(objects, type, item->object, refs);
}

/* False: something was not as learned, which is forgotten now: to be done again. */
static bool walk_planned(struct py_objects *objects, struct py_batch_item *items, size_t count,
                         const uint8_t *plan, struct df_visits *calls, struct py_refs *refs)
{
    bool ran = run_batch(objects, items, count, calls, plan);
    for (size_t i = 0, run = 0; i < count; i++) {
        const struct py_type *type = objects->types[items[i].type];
        const struct df_visits *call =
            is_run(objects, &items[i], (enum py_likeness)plan[i]) ? &calls[run++] : NULL;
        items[i].first = (uint32_t)refs->count;
        if (plan[i] == PY_CHECK && ran && call && call->status == DF_CALL_OK &&
            !py_learned_check(objects, type, items[i].object, objects->targets.items + call->first,
                              call->count))
            return false;
        if (plan[i] == PY_ALIKE) {
            walk_as_learned(objects, &items[i], refs);
        } else {
            items[i].status = (uint8_t)finish_item(objects, &items[i], ran ? call : NULL, refs);
        }
        finish_references(objects, &items[i], refs);
    }
    return true;
}

static void walk_by_code(struct py_objects *objects, struct py_batch_item *items, size_t count,
                         struct py_refs *refs)
{
    DF_CLEANUP_FREE struct df_visits *calls = df_xcalloc(count ? count : 1, sizeof(*calls));
    DF_CLEANUP_FREE uint8_t *plan = df_xcalloc(count ? count : 1, 1);
    size_t first = refs->count;
    py_emulator(objects);
    py_learn(objects, items, count);
    do {
        refs->count = first;
        for (size_t i = 0; i < count; i++)
            plan[i] = (uint8_t)py_learned_likeness(objects, objects->types[items[i].type],
                                                   items[i].object);
    } while (!walk_planned(objects, items, count, plan, calls, refs));
}

void py_walk_batch(struct py_objects *objects, struct py_batch_item *items, size_t count,
                   struct py_refs *refs)
{
    if (!objects->source.references) {
        walk_by_code(objects, items, count, refs);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct py_type *type = objects->types[items[i].type];
        if (py_learned_likeness(objects, type, items[i].object) == PY_ALIKE)
            walk_as_learned(objects, &items[i], refs);
        else if (!walk_by_source(objects, &items[i], refs)) {
            walk_by_code(objects, &items[i], 1, refs);
            continue;
        }
        finish_references(objects, &items[i], refs);
    }
}

void py_walk_emulated_batch(struct py_objects *objects, struct py_batch_item *items, size_t count,
                            struct py_refs *refs)
{
    DF_CLEANUP_FREE struct df_visits *calls = df_xcalloc(count ? count : 1, sizeof(*calls));
    bool ran = run_batch(objects, items, count, calls, NULL);
    bool emulator = py_emulator(objects) != NULL;
    for (size_t i = 0, run = 0; i < count; i++) {
        const struct py_type *type = objects->types[items[i].type];
        const struct df_visits *call = type->traverse && emulator ? &calls[run++] : NULL;
        items[i].first = (uint32_t)refs->count;
        items[i].status = PY_FAULT;
        if (ran && call && call->status == DF_CALL_OK) {
            push_visits(objects, call, refs);
            items[i].status = PY_OK;
        } else if (ran && call) {
            note_failure(objects, items[i].type, call->status);
        }
        items[i].count = (uint32_t)refs->count - items[i].first;
    }
}

bool py_walk_emulated(struct py_objects *objects, uint64_t object, uint32_t type,
                      struct py_refs *refs)
{
    struct py_batch_item item = {.object = object, .type = type};
    if (!objects->types[type]->traverse)
        return false;
    py_walk_emulated_batch(objects, &item, 1, refs);
    return item.status == PY_OK;
}

/* Places for what emulation found: the object's word that holds the target, by its offset, which
 * py_label_text turns into a name. A word serves one reference. */
static void label_by_words(struct py_objects *objects, const struct py_type *type, uint64_t object,
                           struct py_ref *items, size_t count)
{
    const struct py_type *part = emulated_part(objects, type);
    uint64_t words = part ? (uint64_t)part->basic_size / 8 : 0;
    if (words > PY_MAX_WORDS)
        words = PY_MAX_WORDS;
    if (count > MAX_LABELLED)
        count = MAX_LABELLED;
    bool module = part && part->walk == py_walk_module;
    uint64_t module_dict = module ? PY_OFF(objects->reader.layout, module, md_dict) : UINT64_MAX;
    for (size_t k = 0; k < count; k++)
        if (items[k].label == PY_LABEL_NONE && items[k].target == type->address)
            items[k].label = PY_LABEL_TYPE;
    for (uint64_t at = PY_SIZEOF(objects->reader.layout, object); at + 8 <= words * 8; at += 8) {
        uint64_t word;
        if (!df_u64(objects->reader.space, object + at, &word) || !word)
            continue;
        for (size_t k = 0; k < count; k++) {
            if (items[k].label != PY_LABEL_NONE || items[k].target != word)
                continue;
            bool dict = at == module_dict;
            items[k].label = dict ? PY_LABEL_FIELD : PY_LABEL_OFFSET;
            items[k].argument = dict ? (uint64_t)(uintptr_t) "__dict__" : at;
            break;
        }
    }
}

/* Where code could not be run, structure, tp_members or a scan told names or offsets; the source
 * has the references without them, in the same order. */
static void label_by_fallback(struct py_objects *objects, const struct py_type *type,
                              uint64_t object, struct py_ref *items, size_t count)
{
    const struct py_type *part = emulated_part(objects, type);
    struct py_refs *found = &objects->sourced;
    if (!objects->source.references || !part || part->walk_kind < PY_WALK_STRUCT)
        return;
    found->count = 0;
    push_without_code(objects, part, object, found);
    objects->reader.fault = false;
    for (size_t i = 0, k = 0; i < found->count && k < count; i++) {
        while (k < count && items[k].label != PY_LABEL_NONE)
            k++;
        if (k < count && items[k].target == found->items[i].target &&
            items[k].kind == found->items[i].kind) {
            items[k].label = found->items[i].label;
            items[k].argument = found->items[i].argument;
        }
    }
}

enum py_status py_walk_one(struct py_objects *objects, uint64_t object, struct py_refs *refs)
{
    uint32_t type = py_object_type(objects, object);
    if (type == PY_NO_TYPE)
        return PY_NOT_OBJECT;
    size_t before = refs->count;
    enum py_status status = py_walk(objects, object, type, refs);
    if (status != PY_DEFERRED)
        return status;
    struct py_batch_item item = {.object = object, .type = type};
    refs->only = 0;
    py_walk_batch(objects, &item, 1, refs);
    label_by_fallback(objects, objects->types[type], object, refs->items + before,
                      refs->count - before);
    label_by_words(objects, objects->types[type], object, refs->items + before,
                   refs->count - before);
    return (enum py_status)item.status;
}
