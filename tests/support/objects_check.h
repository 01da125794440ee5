/* SPDX-License-Identifier: MIT
 * objects_check.h: what the tests of analyzer/objects share: a test for every form, and checks of
 * references.
 */
#ifndef TESTS_SUPPORT_OBJECTS_CHECK_H
#define TESTS_SUPPORT_OBJECTS_CHECK_H

#include "tests/support/cmocka_all.h"
#include "tests/support/pybuild.h"

/* A test gets its form as the initial state and finds a struct pb there. */
static inline int setup_form(void **state)
{
    *state = pb_create(*state);
    return 0;
}

static inline int teardown_form(void **state)
{
    pb_destroy(*state);
    return 0;
}

struct form_test {
    const char *name;
    void (*run)(void **state);
};

/* Every test in every form. */
static inline int run_forms(const struct form_test *tests, size_t count)
{
    static struct CMUnitTest all[512];
    static char names[512][96];
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t form = 0; form < pb_form_count && used < 512; form++, used++) {
            snprintf(names[used], sizeof(names[used]), "%s [%s]", tests[i].name,
                     pb_forms[form].name);
            all[used] = (struct CMUnitTest){.name = names[used],
                                            .test_func = tests[i].run,
                                            .setup_func = setup_form,
                                            .teardown_func = teardown_form,
                                            .initial_state = (void *)(uintptr_t)&pb_forms[form]};
        }
    for (size_t i = used; i < 512; i++)
        all[i] = (struct CMUnitTest){0};
    return _cmocka_run_group_tests("objects", all, used, NULL, NULL);
}

/* A walk's result; the array is kept by the caller's scope. */
struct walked {
    struct py_refs refs;
    enum py_status status;
    uint64_t object;
};

static inline struct walked walk(struct pb *pb, uint64_t object)
{
    struct walked ret = {.object = object};
    uint32_t type = py_object_type(pb_open(pb), object);
    assert_int_not_equal(type, PY_NO_TYPE);
    ret.status = py_walk(pb->objects, object, type, &ret.refs);
    return ret;
}

static inline void walked_free(struct walked *walked)
{
    free(walked->refs.items);
}
#define WALK(name, pb, object) \
    __attribute__((cleanup(walked_free))) struct walked name = walk(pb, object)

/* The targets of a kind, in order, ending with 0. */
static inline void check_targets(const struct walked *walked, enum py_ref_kind kind,
                                 const uint64_t *expected)
{
    size_t seen = 0, count = 0;
    while (expected[count])
        count++;
    for (size_t i = 0; i < walked->refs.count; i++) {
        if (walked->refs.items[i].kind != kind)
            continue;
        if (seen < count)
            assert_int_equal(walked->refs.items[i].target, expected[seen]);
        seen++;
    }
    assert_int_equal(seen, count);
}
#define CHECK_TARGETS(walked, kind, ...) \
    check_targets(&(walked), kind, (const uint64_t[]){__VA_ARGS__, 0})
#define CHECK_NONE(walked, kind) check_targets(&(walked), kind, (const uint64_t[]){0})

/* The label of the first reference to target. */
static inline void check_label(struct pb *pb, const struct walked *walked, uint64_t target,
                               const char *expected)
{
    for (size_t i = 0; i < walked->refs.count; i++) {
        if (walked->refs.items[i].target != target)
            continue;
        char *text = py_label_text(pb->objects, walked->object, &walked->refs.items[i]);
        assert_string_equal(text, expected);
        free(text);
        return;
    }
    fail_msg("no reference for label %s", expected);
}

static inline void check_text(struct pb *pb, uint64_t object, const char *expected)
{
    char *text = py_text(pb_open(pb), object, 80);
    assert_string_equal(text, expected);
    free(text);
}

static inline uint64_t size_of(struct pb *pb, uint64_t object, enum py_status *ret)
{
    uint64_t size = 0;
    enum py_status status =
        py_size(pb_open(pb), object, py_object_type(pb_open(pb), object), &size);
    if (ret)
        *ret = status;
    else
        assert_int_equal(status, PY_OK);
    return size;
}

#endif
