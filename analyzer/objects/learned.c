/* SPDX-License-Identifier: MIT
 * learned.c: see learned.h.
 *
 * The samples of a type are run with tracing on. Those that read the same words of their object,
 * the most there are, are one shape: a word read that is empty or visited in every one of them is
 * a field; what fields do not explain must be the items of one array, of which pointer and length
 * are among the other words read; the rest are guards. Reads outside the object must be the
 * array's items, or be the same in every sample (constants, the type, the thread's canary): a
 * function that looks into another object is not learned.
 */
#include "analyzer/objects/learned.h"

#define SAMPLES 48
#define LEAST_ALIKE 12
#define MANY 2048         /* objects of a type that make it worth while */
#define MANY_SIZES 256    /* calls of __sizeof__, likewise; the last SAMPLES are learned from */
#define MAX_ENTRIES 48    /* words of an object that the code reads */
#define MAX_FIELDS 30     /* see pattern_of */
#define MAX_PATTERNS 1024 /* of empty fields */
#define BEFORE 32         /* bytes in front of the object that belong to it */
#define MAX_EXTENT 65536
#define CHECK_SHIFT 58 /* one in 64 is run all the same */
#define CALM 65536     /* after so many that agree */
#define CALM_SHIFT 54  /* one in 1024 */

struct entry { /* a word of the object */
    int32_t offset;
    uint8_t size;
    uint64_t value; /* of a guard */
};

struct shape {
    struct entry fields[MAX_FIELDS], guards[MAX_ENTRIES];
    uint32_t field_count, guard_count;
    struct entry pointer, length; /* of the array; sizes 0: there is none */
};

enum state { UNKNOWN, LEARNED, REFUSED };

struct size_rule {
    struct entry guards[MAX_ENTRIES], length;
    uint32_t guard_count;
    int64_t base, step;
};

struct py_learned {
    uint8_t state, size_state;
    uint64_t seen, sized;
    uint64_t asked, sizes_asked; /* since it was learned */
    struct shape shape;
    struct size_rule size;
    struct df_map patterns;   /* pattern_of objects that were checked */
    uint64_t recent[SAMPLES]; /* objects whose size was asked */
};

struct sample {
    uint64_t object;
    uint64_t *targets;
    size_t target_count;
    struct df_read *reads; /* sorted, distinct */
    size_t read_count;
    bool alike;
};

static struct py_learned *learned_of(struct py_objects *objects, const struct py_type *type)
{
    struct py_type *own = objects->types[type->index];
    if (!own->learned) {
        own->learned = df_xcalloc(1, sizeof(*own->learned));
        df_map_init(&own->learned->patterns);
    }
    return own->learned;
}

void py_learned_free(struct py_learned *learned)
{
    if (learned)
        df_map_deinit(&learned->patterns);
    free(learned);
}

bool py_type_is_learned(const struct py_type *type)
{
    return type->learned && type->learned->state == LEARNED;
}

static bool is_checked(uint64_t object, uint64_t asked)
{
    uint64_t hash = (object >> 4) * UINT64_C(0x9e3779b97f4a7c15);
    return !(hash >> (asked < CALM ? CHECK_SHIFT : CALM_SHIFT));
}

static bool value_of(struct py_objects *objects, uint64_t object, const struct entry *entry,
                     uint64_t *ret)
{
    *ret = 0;
    return df_read(objects->reader.space, object + (uint64_t)(int64_t)entry->offset, ret,
                   entry->size);
}

static int by_word(const void *left, const void *right)
{
    uint64_t a, b;
    memcpy(&a, left, 8);
    memcpy(&b, right, 8);
    return a < b ? -1 : a > b;
}

static int by_read(const void *left, const void *right)
{
    const struct df_read *a = left, *b = right;
    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    return a->size < b->size ? -1 : a->size > b->size;
}

/* The reads of the last call, sorted and distinct. */
static bool take_reads(struct py_objects *objects, struct sample *sample)
{
    const struct df_read *reads;
    size_t count, kept = 0;
    if (!df_emulator_reads(objects->emulator, &reads, &count))
        return false;
    sample->reads = df_xcalloc(count + 1, sizeof(*reads));
    memcpy(sample->reads, reads, count * sizeof(*reads));
    if (count)
        qsort(sample->reads, count, sizeof(*reads), by_read);
    for (size_t i = 0; i < count; i++)
        if (!kept || by_read(&sample->reads[kept - 1], &sample->reads[i]))
            sample->reads[kept++] = sample->reads[i];
    sample->read_count = kept;
    return true;
}

static void free_samples(struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(samples[i].targets);
        free(samples[i].reads);
    }
}

static uint64_t extent_of(const struct py_type *type)
{
    return type->basic_size < MAX_EXTENT ? (uint64_t)type->basic_size : MAX_EXTENT;
}

/* An object's own word that is read: its offset. */
static bool is_own(const struct df_read *read, uint64_t object, uint64_t extent, int32_t *ret)
{
    uint64_t from = read->address - (object - BEFORE);
    if (from >= extent + BEFORE || read->size > 8)
        return false;
    *ret = (int32_t)((int64_t)from - BEFORE);
    return true;
}

/* The entries that a sample reads; false: too many, or odd ones. */
static bool entries_of(const struct sample *sample, uint64_t extent, struct entry *ret,
                       uint32_t *ret_count)
{
    uint32_t count = 0;
    for (size_t i = 0; i < sample->read_count; i++) {
        int32_t offset;
        if (!is_own(&sample->reads[i], sample->object, extent, &offset))
            continue;
        if (count == MAX_ENTRIES)
            return false;
        ret[count++] =
            (struct entry){.offset = offset, .size = (uint8_t)sample->reads[i].size, .value = 0};
    }
    *ret_count = count;
    return true;
}

static bool same_entries(const struct entry *a, uint32_t a_count, const struct entry *b,
                         uint32_t b_count)
{
    bool same = a_count == b_count;
    for (uint32_t i = 0; same && i < a_count; i++)
        same = a[i].offset == b[i].offset && a[i].size == b[i].size;
    return same;
}

/* Marks the biggest group of samples that read the same words; its entries. */
static bool choose_alike(struct sample *samples, size_t count, uint64_t extent, struct entry *ret,
                         uint32_t *ret_count)
{
    size_t best = 0;
    for (size_t i = 0; i < count && best <= count / 2; i++) {
        struct entry mine[MAX_ENTRIES], other[MAX_ENTRIES];
        uint32_t mine_count, other_count;
        size_t alike = 0;
        if (!entries_of(&samples[i], extent, mine, &mine_count))
            return false;
        bool marks[SAMPLES] = {false};
        for (size_t k = 0; k < count; k++) {
            marks[k] = entries_of(&samples[k], extent, other, &other_count) &&
                       same_entries(mine, mine_count, other, other_count);
            alike += marks[k];
        }
        if (alike <= best)
            continue;
        best = alike;
        *ret_count = mine_count;
        memcpy(ret, mine, mine_count * sizeof(*mine));
        for (size_t k = 0; k < count; k++)
            samples[k].alike = marks[k];
    }
    return best >= LEAST_ALIKE;
}

static bool visits(const struct sample *sample, uint64_t word)
{
    return sample->target_count &&
           bsearch(&word, sample->targets, sample->target_count, 8, by_word) != NULL;
}

/* Empty or visited in all, and not empty in all. */
static bool is_field(struct py_objects *objects, const struct sample *samples, size_t count,
                     const struct entry *entry)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        uint64_t word;
        if (!samples[i].alike)
            continue;
        if (entry->size != 8 || !value_of(objects, samples[i].object, entry, &word) ||
            (word && !visits(&samples[i], word)))
            return false;
        any |= word != 0;
    }
    return any;
}

static bool array_of(struct py_objects *objects, const struct shape *shape, uint64_t object,
                     uint64_t *ret_items, uint64_t *ret_count)
{
    *ret_items = *ret_count = 0;
    if (!shape->pointer.size)
        return true;
    if (!value_of(objects, object, &shape->pointer, ret_items) ||
        !value_of(objects, object, &shape->length, ret_count) || *ret_count > PY_MAX_TUPLE)
        return false;
    return !*ret_count || py_plausible_words(objects, *ret_items, *ret_count);
}

void py_learned_push(struct py_objects *objects, const struct py_type *type, uint64_t object,
                     struct py_refs *refs)
{
    const struct shape *shape = &objects->types[type->index]->learned->shape;
    uint64_t items, count, word;
    for (uint32_t i = 0; i < shape->field_count; i++)
        if (value_of(objects, object, &shape->fields[i], &word))
            py_push(refs, word, PY_REF_REFERENT, PY_LABEL_NONE, 0);
    if (!array_of(objects, shape, object, &items, &count))
        return;
    for (uint64_t i = 0; i < count; i++)
        if (df_u64(objects->reader.space, items + i * 8, &word))
            py_push(refs, word, PY_REF_REFERENT, PY_LABEL_NONE, 0);
}

bool py_learned_array(struct py_objects *objects, const struct py_type *type, uint64_t object,
                      uint64_t *ret_address, uint64_t *ret_size)
{
    const struct py_learned *learned = type->learned;
    uint64_t count;
    if (!py_type_is_learned(type) || !learned->shape.pointer.size ||
        !array_of(objects, &learned->shape, object, ret_address, &count) || !count)
        return false;
    *ret_size = count * 8;
    return true;
}

/* Whether a shape says exactly what was visited; `targets` sorted. */
static bool explains(struct py_objects *objects, const struct py_type *type, uint64_t object,
                     const uint64_t *targets, size_t count)
{
    struct py_refs *refs = &objects->scratch;
    refs->count = 0;
    py_learned_push(objects, type, object, refs);
    if (refs->count != count)
        return false;
    DF_CLEANUP_FREE uint64_t *words = df_xcalloc(count + 1, 8);
    for (size_t i = 0; i < count; i++)
        words[i] = refs->items[i].target;
    if (count)
        qsort(words, count, 8, by_word);
    return !count || memcmp(words, targets, count * 8) == 0;
}

static bool all_explained(struct py_objects *objects, const struct py_type *type,
                          const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (samples[i].alike && !explains(objects, type, samples[i].object, samples[i].targets,
                                          samples[i].target_count))
            return false;
    return true;
}

/* Finds the array among the entries that are no fields, when fields alone do not explain all. */
static bool find_array(struct py_objects *objects, const struct py_type *type,
                       const struct sample *samples, size_t count, struct shape *shape)
{
    if (all_explained(objects, type, samples, count))
        return true;
    for (uint32_t p = 0; p < shape->guard_count; p++)
        for (uint32_t l = 0; l < shape->guard_count; l++) {
            if (p == l || shape->guards[p].size != 8 || shape->guards[l].size < 4)
                continue;
            shape->pointer = shape->guards[p];
            shape->length = shape->guards[l];
            if (!all_explained(objects, type, samples, count))
                continue;
            uint32_t kept = 0;
            for (uint32_t i = 0; i < shape->guard_count; i++)
                if (i != p && i != l)
                    shape->guards[kept++] = shape->guards[i];
            shape->guard_count = kept;
            return true;
        }
    return false;
}

static bool reads_it(const struct sample *sample, const struct df_read *read)
{
    return bsearch(read, sample->reads, sample->read_count, sizeof(*read), by_read) != NULL;
}

/* Whatever is read outside the object is an item of its array, or is read for all alike. */
static bool reads_nothing_else(struct py_objects *objects, const struct shape *shape,
                               uint64_t extent, const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t items, length;
        if (!samples[i].alike)
            continue;
        if (!array_of(objects, shape, samples[i].object, &items, &length))
            return false;
        for (size_t r = 0; r < samples[i].read_count; r++) {
            const struct df_read *read = &samples[i].reads[r];
            int32_t offset;
            bool good = is_own(read, samples[i].object, extent, &offset) ||
                        read->address - items < length * 8;
            bool common = !good;
            for (size_t k = 0; common && k < count; k++)
                common = !samples[k].alike || reads_it(&samples[k], read);
            if (!good && !common)
                return false;
        }
    }
    return true;
}

/* Gives guards the value that they have in all. */
static bool fix_guards(struct py_objects *objects, struct entry *guards, uint32_t guard_count,
                       const struct sample *samples, size_t count)
{
    for (uint32_t g = 0; g < guard_count; g++) {
        bool first = true;
        for (size_t i = 0; i < count; i++) {
            uint64_t value;
            if (!samples[i].alike)
                continue;
            if (!value_of(objects, samples[i].object, &guards[g], &value) ||
                (!first && value != guards[g].value))
                return false;
            guards[g].value = value;
            first = false;
        }
    }
    return true;
}

static bool make_shape(struct py_objects *objects, const struct py_type *type,
                       struct sample *samples, size_t count)
{
    struct shape *shape = &objects->types[type->index]->learned->shape;
    struct entry entries[MAX_ENTRIES];
    uint32_t entry_count = 0;
    uint64_t extent = extent_of(type);
    *shape = (struct shape){0};
    if (!choose_alike(samples, count, extent, entries, &entry_count))
        return false;
    for (uint32_t i = 0; i < entry_count; i++)
        if (shape->field_count < MAX_FIELDS && is_field(objects, samples, count, &entries[i]))
            shape->fields[shape->field_count++] = entries[i];
        else
            shape->guards[shape->guard_count++] = entries[i];
    return find_array(objects, type, samples, count, shape) &&
           reads_nothing_else(objects, shape, extent, samples, count) &&
           fix_guards(objects, shape->guards, shape->guard_count, samples, count);
}

/* Which fields are empty, and whether the array is. */
static uint32_t pattern_of(struct py_objects *objects, const struct shape *shape, uint64_t object)
{
    uint32_t pattern = 0;
    uint64_t word, items, count;
    for (uint32_t i = 0; i < shape->field_count; i++)
        pattern |= (uint32_t)(value_of(objects, object, &shape->fields[i], &word) && word) << i;
    return pattern | (uint32_t)(array_of(objects, shape, object, &items, &count) && count)
                         << MAX_FIELDS;
}

static bool trace_visit(struct py_objects *objects, const struct py_type *type, uint64_t object,
                        struct sample *ret)
{
    const struct py_type *part = type->python_class ? py_instance_base(objects, type) : type;
    struct df_visits call = {.function = part ? part->traverse : 0, .object = object};
    struct df_targets targets = {0};
    ret->object = object;
    df_err_free(df_emulator_visit(objects->emulator, &call, 1, &targets));
    bool good = call.status == DF_CALL_OK && take_reads(objects, ret);
    size_t kept = 0; /* Py_VISIT leaves out what is empty; so does whoever reads visits */
    for (size_t i = 0; i < targets.count; i++)
        if (targets.items[i])
            targets.items[kept++] = targets.items[i];
    if (kept)
        qsort(targets.items, kept, 8, by_word);
    ret->targets = targets.items;
    ret->target_count = kept;
    return good;
}

/* Which of `count` objects is a sample: one from each of as many stretches, but not at equal
 * distances, which would meet a program's own rhythm (every fifth has no parent). */
static size_t place_of(size_t sample, size_t count)
{
    size_t start = sample * count / SAMPLES, end = (sample + 1) * count / SAMPLES;
    uint64_t hash = (sample + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return end > start ? start + (size_t)(hash >> 32) % (end - start) : start;
}

static void learn(struct py_objects *objects, const struct py_type *type,
                  const struct py_batch_item *items, size_t count, size_t of_type)
{
    struct py_learned *learned = learned_of(objects, type);
    struct sample samples[SAMPLES] = {0};
    size_t taken = 0, seen = 0;
    bool good = true;
    learned->state = REFUSED;
    df_emulator_trace(objects->emulator, true);
    for (size_t i = 0; i < count && taken < SAMPLES && good; i++)
        if (items[i].type == type->index && seen++ == place_of(taken, of_type))
            good = trace_visit(objects, type, items[i].object, &samples[taken++]);
    df_emulator_trace(objects->emulator, false);
    if (good && make_shape(objects, type, samples, taken)) {
        learned->state = LEARNED;
        for (size_t i = 0; i < taken; i++)
            if (samples[i].alike)
                df_map_set(&learned->patterns,
                           pattern_of(objects, &learned->shape, samples[i].object) + UINT64_C(1),
                           1);
    }
    free_samples(samples, taken);
}

void py_learn(struct py_objects *objects, const struct py_batch_item *items, size_t count)
{
    uint32_t types = (uint32_t)objects->type_count;
    if (count < MANY / 8 || !py_emulator(objects))
        return;
    DF_CLEANUP_FREE uint32_t *of_type = df_xcalloc(types, sizeof(*of_type));
    for (size_t i = 0; i < count; i++)
        of_type[items[i].type]++;
    for (uint32_t i = 0; i < types; i++) {
        const struct py_type *type = objects->types[i];
        if (!of_type[i])
            continue;
        struct py_learned *learned = learned_of(objects, type);
        learned->seen += of_type[i];
        if (learned->state == UNKNOWN && learned->seen >= MANY && of_type[i] >= SAMPLES)
            learn(objects, type, items, count, of_type[i]);
    }
}

static bool guards_hold(struct py_objects *objects, const struct entry *guards, uint32_t count,
                        uint64_t object)
{
    uint64_t value;
    for (uint32_t i = 0; i < count; i++)
        if (!value_of(objects, object, &guards[i], &value) || value != guards[i].value)
            return false;
    return true;
}

enum py_likeness py_learned_likeness(struct py_objects *objects, const struct py_type *type,
                                     uint64_t object)
{
    struct py_learned *learned = type->learned;
    uint64_t items, count;
    if (!learned || learned->state != LEARNED ||
        !guards_hold(objects, learned->shape.guards, learned->shape.guard_count, object) ||
        !array_of(objects, &learned->shape, object, &items, &count))
        return PY_UNLIKE;
    if (is_checked(object, learned->asked++))
        return PY_CHECK;
    uint64_t pattern = pattern_of(objects, &learned->shape, object) + UINT64_C(1);
    return df_map_get(&learned->patterns, pattern) == DF_MAP_NONE ? PY_CHECK : PY_ALIKE;
}

bool py_learned_check(struct py_objects *objects, const struct py_type *type, uint64_t object,
                      const uint64_t *targets, size_t count)
{
    struct py_learned *learned = type->learned;
    DF_CLEANUP_FREE uint64_t *sorted = df_xcalloc(count + 1, 8);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (targets[i])
            sorted[kept++] = targets[i];
    if (kept)
        qsort(sorted, kept, 8, by_word);
    if (!explains(objects, type, object, sorted, kept)) {
        learned->state = REFUSED;
        return false;
    }
    if (learned->patterns.count < MAX_PATTERNS)
        df_map_set(&learned->patterns, pattern_of(objects, &learned->shape, object) + UINT64_C(1),
                   1);
    return true;
}

/* A word that is read for the size leads to memory that is read, too: the size is of more than the
 * object. */
static bool looks_further(struct py_objects *objects, const struct sample *sample,
                          const struct entry *entry)
{
    uint64_t word;
    if (entry->size != 8 || !value_of(objects, sample->object, entry, &word) || word < 4096 ||
        word == py_type_of(&objects->reader, sample->object))
        return false;
    for (size_t r = 0; r < sample->read_count; r++)
        if (sample->reads[r].address - word < 4096)
            return true;
    return false;
}

/* The one entry that is not the same in all; the others become guards. */
static bool split_entries(struct py_objects *objects, const struct sample *samples, size_t count,
                          const struct entry *entries, uint32_t entry_count, struct size_rule *rule)
{
    for (uint32_t e = 0; e < entry_count; e++) {
        struct entry guard = entries[e];
        for (size_t i = 0; i < count; i++)
            if (samples[i].alike && looks_further(objects, &samples[i], &guard))
                return false;
        if (fix_guards(objects, &guard, 1, samples, count))
            rule->guards[rule->guard_count++] = guard;
        else if (rule->length.size || guard.size < 4)
            return false;
        else
            rule->length = guard;
    }
    return true;
}

static bool size_by_rule(struct py_objects *objects, const struct size_rule *rule, uint64_t object,
                         uint64_t *ret)
{
    uint64_t length = 0;
    int64_t product, size;
    if (rule->length.size && !value_of(objects, object, &rule->length, &length))
        return false;
    if (__builtin_mul_overflow(rule->step, (int64_t)length, &product) ||
        __builtin_add_overflow(rule->base, product, &size) || size < 0)
        return false;
    *ret = (uint64_t)size;
    return true;
}

/* base + step * length through all samples. */
static bool fit(struct py_objects *objects, const struct sample *samples, const uint64_t *sizes,
                size_t count, struct size_rule *rule)
{
    uint64_t first = 0, other = 0;
    size_t from = count;
    for (size_t i = 0; i < count; i++) {
        if (!samples[i].alike)
            continue;
        if (rule->length.size && !value_of(objects, samples[i].object, &rule->length, &other))
            return false;
        if (from == count) {
            from = i;
            first = other;
        }
        if (first != other && !rule->step)
            rule->step = ((int64_t)sizes[i] - (int64_t)sizes[from]) / (int64_t)(other - first);
    }
    if (from == count || first > PY_MAX_SIZE || rule->step > 4096 || rule->step < -4096)
        return false;
    rule->base = (int64_t)sizes[from] - rule->step * (int64_t)first;
    for (size_t i = 0; i < count; i++) {
        uint64_t size;
        if (samples[i].alike &&
            (!size_by_rule(objects, rule, samples[i].object, &size) || size != sizes[i]))
            return false;
    }
    return true;
}

static void learn_size(struct py_objects *objects, const struct py_type *type)
{
    struct py_learned *learned = type->learned;
    struct sample samples[SAMPLES] = {0};
    uint64_t sizes[SAMPLES];
    struct entry entries[MAX_ENTRIES];
    uint32_t entry_count = 0;
    bool good = true;
    learned->size_state = REFUSED;
    df_emulator_trace(objects->emulator, true);
    for (size_t i = 0; i < SAMPLES && good; i++) {
        samples[i].object = learned->recent[i];
        good = py_ask_size(objects, type, learned->recent[i], &sizes[i]) &&
               take_reads(objects, &samples[i]);
    }
    df_emulator_trace(objects->emulator, false);
    if (good && choose_alike(samples, SAMPLES, extent_of(type), entries, &entry_count) &&
        split_entries(objects, samples, SAMPLES, entries, entry_count, &learned->size) &&
        fit(objects, samples, sizes, SAMPLES, &learned->size))
        learned->size_state = LEARNED;
    free_samples(samples, SAMPLES);
}

bool py_learned_size(struct py_objects *objects, const struct py_type *type, uint64_t object,
                     uint64_t *ret)
{
    struct py_learned *learned = type->learned;
    return learned && learned->size_state == LEARNED &&
           !is_checked(object, learned->sizes_asked++) &&
           guards_hold(objects, learned->size.guards, learned->size.guard_count, object) &&
           size_by_rule(objects, &learned->size, object, ret);
}

void py_learned_note_size(struct py_objects *objects, const struct py_type *type, uint64_t object,
                          uint64_t size)
{
    struct py_learned *learned = learned_of(objects, type);
    uint64_t predicted;
    if (learned->size_state == LEARNED &&
        guards_hold(objects, learned->size.guards, learned->size.guard_count, object) &&
        (!size_by_rule(objects, &learned->size, object, &predicted) || predicted != size))
        learned->size_state = REFUSED;
    learned->recent[learned->sized++ % SAMPLES] = object;
    if (learned->size_state == UNKNOWN && learned->sized >= MANY_SIZES)
        learn_size(objects, objects->types[type->index]);
}

/* ---- in snapshots ---- */

enum role { A_FIELD, A_GUARD, THE_POINTER, THE_LENGTH, A_PATTERN, TIMES_ASKED };

static void save_entry(struct py_learned_rows *rows, const struct py_type *type, enum role role,
                       const struct entry *entry)
{
    DF_PUSH(rows, (struct py_learned_row){.type = type->index,
                                          .role = (uint8_t)role,
                                          .size = entry->size,
                                          .offset = entry->offset,
                                          .value = entry->value});
}

void py_learned_save(const struct py_type *type, struct py_learned_rows *rows)
{
    if (!py_type_is_learned(type))
        return;
    const struct shape *shape = &type->learned->shape;
    const struct df_map *patterns = &type->learned->patterns;
    for (uint32_t i = 0; i < shape->field_count; i++)
        save_entry(rows, type, A_FIELD, &shape->fields[i]);
    for (uint32_t i = 0; i < shape->guard_count; i++)
        save_entry(rows, type, A_GUARD, &shape->guards[i]);
    save_entry(rows, type, THE_POINTER, &shape->pointer);
    save_entry(rows, type, THE_LENGTH, &shape->length);
    for (size_t i = 0; patterns->keys && i <= patterns->mask; i++)
        if (patterns->keys[i])
            save_entry(rows, type, A_PATTERN, &(struct entry){.value = patterns->keys[i]});
    save_entry(rows, type, TIMES_ASKED, &(struct entry){.value = type->learned->asked});
}

static bool add_entry(struct entry *entries, uint32_t *count, uint32_t most, struct entry entry)
{
    if (*count >= most)
        return false;
    entries[(*count)++] = entry;
    return true;
}

bool py_learned_restore(struct py_objects *objects, const struct py_learned_row *row)
{
    const struct entry entry = {row->offset, row->size, row->value};
    if (row->type >= objects->type_count || row->size > 8)
        return false;
    struct py_learned *learned = learned_of(objects, objects->types[row->type]);
    struct shape *shape = &learned->shape;
    learned->state = LEARNED;
    switch (row->role) {
    case A_FIELD:
        return add_entry(shape->fields, &shape->field_count, MAX_FIELDS, entry);
    case A_GUARD:
        return add_entry(shape->guards, &shape->guard_count, MAX_ENTRIES, entry);
    case THE_POINTER:
        shape->pointer = entry;
        return true;
    case THE_LENGTH:
        shape->length = entry;
        return true;
    case A_PATTERN:
        if (row->value && learned->patterns.count < MAX_PATTERNS)
            df_map_set(&learned->patterns, row->value, 1);
        return row->value != 0;
    case TIMES_ASKED:
        learned->asked = row->value;
        return true;
    default:
        return false;
    }
}
