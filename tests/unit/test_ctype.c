/* SPDX-License-Identifier: MIT
 * test_ctype.c: C types read from DWARF, against what the compiler of this very file thinks.
 *
 * The declarations below are compiled here, and as text into a shared library with each flavour of
 * debug information; offsets, sizes and addresses must then agree with offsetof, sizeof and dlsym.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/ctype.h"
#include "dumpfmt/ctype_cache.h"
#include "dumpfmt/ctype_selves.h"

#define BUILD_ID "0123456789abcdef0123456789abcdef01234567"

#define HERE_AND_AS_TEXT(...) \
    __VA_ARGS__               \
    static const char sample[] = #__VA_ARGS__;

HERE_AND_AS_TEXT(
    struct point { int x, y; }; typedef struct {
        long a;
        struct point where;
    } Box;
    typedef Box Crate; typedef struct hidden Hidden; /* defined in the other unit only */
    union number {
        int i;
        double d;
    };
    enum color{RED = 1, GREEN = -5, BLUE = 0x7fffffff, LARGE = 200};
    typedef enum {YES = 7, NO} Answer; typedef int Row[4]; struct bits {
        unsigned char lead;
        unsigned int a : 3, b : 5;
        unsigned long wide : 40;
        int c : 1;
        unsigned char d : 7, e : 2;
        unsigned long all : 64;
        _Bool flag : 1;
    };
    struct __attribute__((packed)) tight {
        char c;
        unsigned int a : 7;
        unsigned int b : 12;
        unsigned long d : 45;
        unsigned char e;
    };
    struct everything {
        struct everything *next;
        const Box *volatile box;
        Crate inner;
        struct {
            int deep;
            union {
                short s;
                struct {
                    char c1, c2;
                };
            };
        };
        struct {
            struct point corner;
        } named;
        int grid[3][5];
        Row rows[6];
        Box boxes[4];
        void (*call)(int);
        enum color color;
        Answer answer;
        Hidden *hidden;
        Hidden **far;
        float f;
        union number number;
        struct bits bits;
        char tail[];
    };
    typedef struct everything Everything; typedef Everything * EverythingPointer;)

static const char unit_a[] =
    "struct state { int first; };\n"
    "struct state state_a; EverythingPointer global_everything; Crate global_crate;\n"
    "enum color used_color; struct tight used_tight; enum { LONELY = 77 } lonely = LONELY;\n"
    "static struct point file_static[3]; extern int elsewhere;\n"
    "void *where_static(void) { return file_static; }\n"
    "int traverse_parameter(Everything *any) { return any->inner.where.x + elsewhere; }\n"
    "int traverse_local(struct point *op) {\n"
    "    Crate *other = (Crate *)op; Everything *self = (Everything *)op;\n"
    "    if (op) { union number *n = (union number *)op; return self->f > n->i; }\n"
    "    return other->a == 1; }\n";

static const char unit_b[] =
    "struct hidden { long h[3]; };\n"
    "struct state { int other, second; long third; };\n"
    "Hidden global_hidden; int elsewhere = 3; struct state state_b;\n"
    "struct holder { struct state inside; struct state *pointer; } holder;\n"
    "int traverse_state(void *op) { struct state *self = op; return self->second; }\n";

static char directory[] = "/tmp/test_ctype.XXXXXX";

static char *in_directory(const char *name)
{
    return df_xasprintf("%s/%s", directory, name);
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static uint8_t *read_file(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *ret_size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*ret_size);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *ret_size, file), *ret_size);
    fclose(file);
    return data;
}

static void write_source(const char *name, const char *unit)
{
    DF_CLEANUP_FREE char *path = in_directory(name);
    DF_CLEANUP_FREE char *text = df_xasprintf("%s\n%s", sample, unit);
    write_file(path, text, strlen(text));
}

/* The sample as a shared library, malloc'ed path; NULL when there is no such compiler or flag. */
static char *compile(const char *flags, const char *name)
{
    const char *compiler = getenv("CC");
    char *library = in_directory(name);
    DF_CLEANUP_FREE char *command =
        df_xasprintf("cd %s && %s -shared -fPIC -w %s a.c b.c -o %s >/dev/null 2>&1", directory,
                     compiler ? compiler : "cc", flags, library);
    if (system(command) != 0) {
        free(library);
        return NULL;
    }
    return library;
}

static struct df_ctypes *open_types(const char *file, const char *cache)
{
    struct df_ctypes *types = NULL;
    struct df_err *err = df_ctypes_open(file, cache ? BUILD_ID : NULL, cache, &types);
    if (err)
        fail_msg("%s", df_err_text(err));
    return types;
}

static struct df_field field_of(const struct df_ctypes *types, const char *type, const char *path)
{
    struct df_field field;
    if (!df_ctypes_field(types, type, path, &field))
        fail_msg("no %s in %s", path, type);
    return field;
}

static void expect_no_field(const struct df_ctypes *types, const char *type, const char *path)
{
    struct df_field field;
    if (df_ctypes_field(types, type, path, &field))
        fail_msg("%s in %s, which should not be", path, type);
}

static uint64_t size_of(const struct df_ctypes *types, const char *name)
{
    const struct df_ctype *type = df_ctypes_find(types, name);
    if (!type)
        fail_msg("no %s", name);
    return df_ctype_size(type);
}

#define EXPECT_FIELD(type_name, c_type, member, expected_kind, expected_type) \
    do {                                                                      \
        struct df_field field_ = field_of(types, type_name, #member);         \
        assert_int_equal(field_.offset, offsetof(c_type, member));            \
        assert_int_equal(field_.size, sizeof(((c_type *)0)->member));         \
        assert_int_equal(field_.kind, expected_kind);                         \
        assert_int_equal(field_.bit_size, 0);                                 \
        if (expected_type)                                                    \
            assert_string_equal(field_.type, (const char *)(expected_type));  \
        else                                                                  \
            assert_null(field_.type);                                         \
    } while (0)
#define NO_TYPE ((const char *)NULL)

static void check_names(const struct df_ctypes *types)
{
    assert_int_equal(size_of(types, "struct everything"), sizeof(struct everything));
    assert_int_equal(size_of(types, "Everything"), sizeof(struct everything));
    assert_int_equal(size_of(types, "Box"), sizeof(Box));
    assert_int_equal(size_of(types, "Crate"), sizeof(Box));
    assert_int_equal(size_of(types, "union number"), sizeof(union number));
    assert_int_equal(size_of(types, "enum color"), sizeof(enum color));
    assert_int_equal(size_of(types, "Answer"), sizeof(Answer));
    assert_int_equal(size_of(types, "Hidden"), 3 * sizeof(long));
    assert_ptr_equal(df_ctypes_find(types, "Everything"),
                     df_ctypes_find(types, "struct everything"));
    assert_null(df_ctypes_find(types, "everything"));
    assert_null(df_ctypes_find(types, "EverythingPointer"));
    assert_null(df_ctypes_find(types, "Row"));
    assert_null(df_ctypes_find(types, ""));
}

static void check_fields(const struct df_ctypes *types)
{
    EXPECT_FIELD("Everything", Everything, next, DF_KIND_POINTER, "struct everything");
    EXPECT_FIELD("Everything", Everything, box, DF_KIND_POINTER, "Box");
    EXPECT_FIELD("Everything", Everything, inner, DF_KIND_STRUCT, "Box");
    EXPECT_FIELD("Everything", Everything, inner.where.y, DF_KIND_BASE, NO_TYPE);
    EXPECT_FIELD("Everything", Everything, deep, DF_KIND_BASE, NO_TYPE);
    EXPECT_FIELD("Everything", Everything, s, DF_KIND_BASE, NO_TYPE);
    EXPECT_FIELD("Everything", Everything, c2, DF_KIND_BASE, NO_TYPE);
    EXPECT_FIELD("Everything", Everything, named.corner.y, DF_KIND_BASE, NO_TYPE);
    EXPECT_FIELD("Everything", Everything, call, DF_KIND_POINTER, NO_TYPE);
    EXPECT_FIELD("Everything", Everything, color, DF_KIND_ENUM, "enum color");
    EXPECT_FIELD("Everything", Everything, answer, DF_KIND_ENUM, "Answer");
    EXPECT_FIELD("Everything", Everything, hidden, DF_KIND_POINTER, "struct hidden");
    EXPECT_FIELD("Everything", Everything, far, DF_KIND_POINTER, NO_TYPE);
    EXPECT_FIELD("Everything", Everything, number.d, DF_KIND_BASE, NO_TYPE);
    expect_no_field(types, "Everything", "absent");
    expect_no_field(types, "Everything", "inner.absent");
    expect_no_field(types, "Everything", "next.next"); /* paths do not follow pointers */
    expect_no_field(types, "Everything", "f.x");
    expect_no_field(types, "Everything", "");
    expect_no_field(types, "Everything", "inner.");
    expect_no_field(types, "Everything", "inne");
    expect_no_field(types, "Absent", "inner");
}

static void check_arrays(const struct df_ctypes *types)
{
    EXPECT_FIELD("Everything", Everything, grid, DF_KIND_ARRAY, NO_TYPE);
    EXPECT_FIELD("Everything", Everything, rows, DF_KIND_ARRAY, NO_TYPE);
    EXPECT_FIELD("Everything", Everything, boxes, DF_KIND_ARRAY, "Box");
    EXPECT_FIELD("Everything", Everything, boxes[3], DF_KIND_STRUCT, "Box");
    EXPECT_FIELD("Everything", Everything, boxes[2].where.y, DF_KIND_BASE, NO_TYPE);
    struct df_field grid = field_of(types, "Everything", "grid");
    assert_int_equal(grid.count, 15);
    assert_int_equal(grid.element, sizeof(int));
    assert_int_equal(grid.element_kind, DF_KIND_BASE);
    assert_int_equal(field_of(types, "Everything", "rows").count, 24);
    struct df_field tail = field_of(types, "Everything", "tail");
    assert_int_equal(tail.offset, offsetof(Everything, tail));
    assert_int_equal(tail.size, 0);
    assert_int_equal(field_of(types, "Everything", "tail[9]").offset, tail.offset + 9);
    expect_no_field(types, "Everything", "boxes[4]");
    expect_no_field(types, "Everything", "boxes[-1]");
    expect_no_field(types, "Everything", "boxes[1");
    expect_no_field(types, "Everything", "boxes[]");
    expect_no_field(types, "Everything", "boxes[1]x");
    expect_no_field(types, "Everything", "inner[0]");
    expect_no_field(types, "Everything", "tail[18446744073709551615]");
    expect_no_field(types, "Everything", "tail[99999999999999999999]");
}

/* A bit field is where its bits show up when it is set to all ones. */
static void check_bits(const struct df_ctypes *types, const char *type, const char *path,
                       const void *ones, size_t size)
{
    struct df_field field = field_of(types, type, path);
    assert_true(field.offset + field.size <= size);
    if (field.bit_size == 0) /* clang's word for one as wide as its type */
        field.bit_size = (uint32_t)field.size * 8;
    for (size_t bit = 0; bit < size * 8; bit++) {
        size_t first = field.offset * 8 + field.bit_offset;
        bool inside = bit >= first && bit < first + field.bit_size;
        bool set = ((const uint8_t *)ones)[bit / 8] >> bit % 8 & 1;
        if (inside != set)
            fail_msg("%s.%s: bit %zu", type, path, bit);
    }
}

static volatile unsigned long all_ones = -1UL;

#define EXPECT_BITS(c_type, member)                                 \
    do {                                                            \
        c_type ones_;                                               \
        memset(&ones_, 0, sizeof(ones_));                           \
        ones_.member = all_ones;                                    \
        check_bits(types, #c_type, #member, &ones_, sizeof(ones_)); \
    } while (0)

static void check_bit_fields(const struct df_ctypes *types)
{
    EXPECT_BITS(struct bits, a);
    EXPECT_BITS(struct bits, b);
    EXPECT_BITS(struct bits, wide);
    EXPECT_BITS(struct bits, c);
    EXPECT_BITS(struct bits, d);
    EXPECT_BITS(struct bits, e);
    EXPECT_BITS(struct bits, all);
    EXPECT_BITS(struct bits, flag);
    EXPECT_BITS(struct tight, a);
    EXPECT_BITS(struct tight, b);
    EXPECT_BITS(struct tight, d);
    EXPECT_FIELD("struct tight", struct tight, e, DF_KIND_BASE, NO_TYPE);
}

static void check_enumerators(const struct df_ctypes *types)
{
    static const struct {
        const char *name;
        int64_t value;
    } expected[] = {{"RED", 1}, {"GREEN", -5}, {"BLUE", 0x7fffffff}, {"LARGE", 200},
                    {"YES", 7}, {"NO", 8},     {"LONELY", 77}};
    int64_t value = 0;
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
        if (!df_ctypes_enumerator(types, expected[i].name, &value))
            fail_msg("no %s", expected[i].name);
        assert_int_equal(value, expected[i].value);
    }
    assert_false(df_ctypes_enumerator(types, "PURPLE", &value));
}

static void check_two_definitions(const struct df_ctypes *types)
{
    assert_int_equal(size_of(types, "struct state"), 4);
    assert_int_equal(size_of(types, "struct state@16"), 16);
    assert_string_equal(field_of(types, "struct holder", "inside").type, "struct state@16");
    assert_string_equal(field_of(types, "struct holder", "pointer").type, "struct state@16");
    assert_int_equal(field_of(types, "struct holder", "inside.third").offset, 8);
}

static uint64_t link_time(void *library, const void *address)
{
    Dl_info info;
    (void)library;
    assert_true(dladdr(address, &info));
    return (uint64_t)((const char *)address - (const char *)info.dli_fbase);
}

static void expect_variable(const struct df_ctypes *types, const char *name, uint64_t address,
                            uint64_t size)
{
    uint64_t got_address = 0, got_size = 0;
    if (!df_ctypes_variable(types, name, &got_address, &got_size))
        fail_msg("no %s", name);
    assert_int_equal(got_address, address);
    assert_int_equal(got_size, size);
}

static void expect_self(struct df_ctypes *types, void *library, const char *function, uint64_t size,
                        const char *expected)
{
    uint64_t address = link_time(library, dlsym(library, function));
    const char *name = df_ctypes_self_struct(types, address, size);
    if (!expected) {
        assert_null(name);
        return;
    }
    if (!name)
        fail_msg("%s: no struct of %d bytes", function, (int)size);
    assert_string_equal(name, expected);
}

static void check_addresses(struct df_ctypes *types, const char *file)
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    void *(*where_static)(void);
    *(void **)&where_static = dlsym(library, "where_static");
    expect_variable(types, "file_static", link_time(library, where_static()),
                    3 * sizeof(struct point));
    expect_variable(types, "global_crate", link_time(library, dlsym(library, "global_crate")),
                    sizeof(Box));
    expect_variable(types, "elsewhere", link_time(library, dlsym(library, "elsewhere")),
                    sizeof(int));
    expect_variable(types, "global_hidden", link_time(library, dlsym(library, "global_hidden")),
                    3 * sizeof(long));
    uint64_t ignored;
    assert_false(df_ctypes_variable(types, "absent", &ignored, &ignored));
    expect_self(types, library, "traverse_parameter", sizeof(Everything), "struct everything");
    expect_self(types, library, "traverse_local", sizeof(Everything), "struct everything");
    expect_self(types, library, "traverse_local", sizeof(struct point), "struct point");
    expect_self(types, library, "traverse_local", sizeof(Box), "Box");
    expect_self(types, library, "traverse_local", 12345, NULL);
    expect_self(types, library, "traverse_state", 16, "struct state@16");
    assert_null(df_ctypes_self_struct(types, 1, sizeof(Box)));
    dlclose(library);
}

static void check_members(const struct df_ctypes *types)
{
    const struct df_ctype *type = df_ctypes_find(types, "struct everything");
    int anonymous = 0;
    struct df_member member;
    for (uint32_t i = 0; i < df_ctype_member_count(type); i++) {
        df_ctype_member(types, type, i, &member);
        if (member.name) {
            struct df_field field = field_of(types, "struct everything", member.name);
            assert_memory_equal(&field, &member.field, sizeof(field));
        } else {
            anonymous++;
            assert_int_equal(member.field.offset, offsetof(Everything, deep));
            assert_non_null(df_ctypes_find(types, member.field.type));
        }
    }
    assert_int_equal(anonymous, 1);
    assert_string_equal(member.name, "tail");
}

static void check_all(struct df_ctypes *types, const char *file)
{
    check_names(types);
    check_fields(types);
    check_arrays(types);
    check_bit_fields(types);
    check_enumerators(types);
    check_two_definitions(types);
    check_members(types);
    check_addresses(types, file);
}

static void test_flavours(void **state)
{
    (void)state;
    static const char *const flavours[] = {
        "-g -gdwarf-5 -O0", "-g -gdwarf-4 -O0",
        "-g -gdwarf-5 -O2", "-g -gdwarf-4 -O2 -gstrict-dwarf",
        "-g -gdwarf-3 -O0", "-g -gdwarf-2 -O0 -gstrict-dwarf",
        "-g -gdwarf-5 -gz", "-g -gdwarf-5 -O2 -flto -ffat-lto-objects",
    };
    int compiled = 0;
    for (size_t i = 0; i < sizeof(flavours) / sizeof(*flavours); i++) {
        char name[32];
        snprintf(name, sizeof(name), "flavour%zu.so", i);
        DF_CLEANUP_FREE char *library = compile(flavours[i], name);
        if (!library)
            continue;
        compiled++;
        print_message("%s\n", flavours[i]);
        struct df_ctypes *types = open_types(library, NULL);
        assert_false(df_ctypes_cached(types));
        check_all(types, library);
        df_ctypes_close(types);
    }
    if (!compiled)
        skip();
}

/* Debug information in several units and files, as distributions and builders of large programs
 * have it. "@": the library's name. */
static void test_spread(void **state)
{
    (void)state;
    static const struct {
        const char *flags, *after;
    } ways[] = {
        {"-g -gdwarf-5 -gsplit-dwarf", "true"},
        {"-g -gdwarf-4 -gsplit-dwarf -O2", "true"},
        {"-g -gdwarf-5 -gsplit-dwarf",
         "mkdir moved; mv @ @-*.dwo moved && cp moved/@ @ && mv moved/*.dwo ."},
        {"-g -gdwarf-5 -gsplit-dwarf",
         "clang -shared -fPIC -w -g -gdwarf-5 -gsplit-dwarf a.c b.c -o @ && "
         "timeout 20 llvm-dwp -e @ -o @.dwp && rm -f *.dwo"},
        {"-g -gdwarf-4 -gsplit-dwarf", "timeout 20 dwp -e @ -o @.dwp && rm @-*.dwo"},
        {"-g -gdwarf-5 -fdebug-types-section", "true"},
        {"-g -gdwarf-4 -fdebug-types-section -O2", "true"},
        {"-g -gdwarf-4 -gsplit-dwarf -fdebug-types-section",
         "timeout 20 dwp -e @ -o @.dwp && rm @-*.dwo"},
        {"-g -gdwarf-5", "dwz @"},
        {"-g -gdwarf-4 -O2", "dwz @"},
        {"-g -gdwarf-5", "cp @ @.2 && cp @ @.3 && dwz -m @.alt @ @.2 @.3"},
        {"-g -gdwarf-4", "cp @ @.2 && dwz -m @.alt -M ./@.alt @ @.2"},
        {"-g -gdwarf-5",
         "cp @ @.2 && dwz -m @.alt @ @.2 && objcopy --compress-debug-sections @.alt"},
        {"-g -gdwarf-5 -flto -O2", "true"},
        {"-g -gdwarf-4 -flto -O2", "dwz @"},
    };
    int compiled = 0;
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        char name[32];
        snprintf(name, sizeof(name), "spread%zu.so", i);
        DF_CLEANUP_FREE char *library = compile(ways[i].flags, name);
        DF_CLEANUP_FREE char *command =
            df_xasprintf("cd %s && (echo '%s' | sed 's/@/%s/g' | sh) >/dev/null 2>&1", directory,
                         ways[i].after, name);
        bool done = library && system(command) == 0;
        print_message("%s, %s%s\n", ways[i].flags, ways[i].after,
                      done ? "" : ": no such tool here");
        if (!done)
            continue;
        compiled++;
        struct df_ctypes *types = open_types(library, NULL);
        assert_false(df_ctypes_incomplete(types));
        check_all(types, library);
        df_ctypes_close(types);
    }
    if (!compiled)
        skip();
}

/* What is missing is said, costs no more than it must, and is not remembered. */
static void test_parts_missing(void **state)
{
    (void)state;
    DF_CLEANUP_FREE char *library = compile("-g -gdwarf-5 -gsplit-dwarf", "half.so");
    DF_CLEANUP_FREE char *cache = in_directory("half");
    DF_CLEANUP_FREE char *dwo = in_directory("half.so-b.dwo");
    DF_CLEANUP_FREE char *wrong = in_directory("half.so-a.dwo");
    if (!library || unlink(dwo) != 0)
        skip();
    for (int round = 0; round < 2; round++) {
        struct df_ctypes *types = open_types(library, cache);
        assert_true(df_ctypes_incomplete(types));
        assert_false(df_ctypes_cached(types));
        check_fields(types);
        assert_null(df_ctypes_find(types, "struct holder"));
        df_ctypes_close(types);
        /* Another unit's file under the name has another id. */
        size_t size;
        DF_CLEANUP_FREE uint8_t *bytes = read_file(wrong, &size);
        write_file(dwo, bytes, size);
    }
}

static void expect_error(const char *file, enum df_code code)
{
    struct df_ctypes *types;
    struct df_err *err = df_ctypes_open(file, NULL, NULL, &types);
    assert_non_null(err);
    assert_int_equal(df_err_code(err), code);
    df_err_free(err);
}

static void test_no_debug_information(void **state)
{
    (void)state;
    DF_CLEANUP_FREE char *absent = in_directory("absent.so");
    expect_error(absent, DF_ERR_IO);
    DF_CLEANUP_FREE char *text = in_directory("a.c");
    expect_error(text, DF_ERR_INPUT);
    expect_error(directory, DF_ERR_INPUT);
    DF_CLEANUP_FREE char *library = compile("-g0", "stripped.so");
    if (library)
        expect_error(library, DF_ERR_MISSING);
    DF_CLEANUP_FREE char *split = compile("-g -gsplit-dwarf", "lost.so");
    DF_CLEANUP_FREE char *clean = df_xasprintf("rm -f %s/lost*.dwo %s/?.dwo", directory, directory);
    if (split && system(clean) == 0)
        expect_error(split, DF_ERR_MISSING); /* its .dwo files are not there */
}

static void test_cache_serves(void **state)
{
    (void)state;
    DF_CLEANUP_FREE char *library = compile("-g", "cached.so");
    DF_CLEANUP_FREE char *cache = in_directory("new/cache");
    DF_CLEANUP_FREE char *entry = df_xasprintf("%s/%s.ctypes", cache, BUILD_ID);
    if (!library)
        skip();
    for (int round = 0; round < 3; round++) {
        struct df_ctypes *types = open_types(library, cache);
        assert_int_equal(df_ctypes_cached(types), round > 0);
        check_all(types, library);
        df_ctypes_close(types);
    }
    /* Another file of the same build-id, such as the stripped one. */
    DF_CLEANUP_FREE char *other = compile("-g -O2", "other.so");
    struct df_ctypes *types = open_types(other, cache);
    assert_false(df_ctypes_cached(types));
    df_ctypes_close(types);
    /* A cache that cannot be written, and build-ids that are no file names. */
    types = NULL;
    assert_null(df_ctypes_open(library, BUILD_ID, "/proc/no/such/place", &types));
    df_ctypes_close(types);
    for (int round = 0; round < 2; round++) {
        assert_null(df_ctypes_open(library, "../../escape", cache, &types));
        assert_false(df_ctypes_cached(types));
        df_ctypes_close(types);
    }
}

/* Whether the cache served with these bytes in its file. Without it the types must be right. */
static bool serves(const char *library, const char *cache, const char *entry, const uint8_t *data,
                   size_t size)
{
    write_file(entry, data, size);
    struct df_ctypes *types = open_types(library, cache);
    bool cached = df_ctypes_cached(types);
    check_names(types);
    df_ctypes_close(types);
    return cached;
}

static void test_cache_damaged(void **state)
{
    (void)state;
    DF_CLEANUP_FREE char *library = compile("-g", "damaged.so");
    DF_CLEANUP_FREE char *cache = in_directory("damaged");
    DF_CLEANUP_FREE char *entry = df_xasprintf("%s/%s.ctypes", cache, BUILD_ID);
    if (!library)
        skip();
    df_ctypes_close(open_types(library, cache));
    size_t size;
    DF_CLEANUP_FREE uint8_t *good = read_file(entry, &size);
    assert_true(serves(library, cache, entry, good, size));
    for (size_t cut = 0; cut < size; cut += 1 + size / 29)
        assert_false(serves(library, cache, entry, good, cut));
    for (size_t at = 0; at < size; at += 1 + size / 97) {
        good[at] ^= 1 << at % 8;
        assert_false(serves(library, cache, entry, good, size));
        good[at] ^= 1 << at % 8;
    }
    assert_true(serves(library, cache, entry, good, size));
}

static const char *ask_self(const char *library, const char *cache, uint64_t function)
{
    static char answer[64];
    struct df_ctypes *types = open_types(library, cache);
    const char *name = df_ctypes_self_struct(types, function, sizeof(Everything));
    snprintf(answer, sizeof(answer), "%s", name ? name : "none");
    df_ctypes_close(types);
    return answer;
}

/* Which structs functions work on is remembered beside the table, and that one has none; a damaged
 * or forged file changes no answer. */
static void test_selves(void **state)
{
    (void)state;
    DF_CLEANUP_FREE char *library = compile("-g", "selves.so");
    DF_CLEANUP_FREE char *cache = in_directory("selves");
    DF_CLEANUP_FREE char *entry = df_xasprintf("%s/%s.selves", cache, BUILD_ID);
    if (!library)
        skip();
    void *loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(loaded);
    uint64_t function = link_time(loaded, dlsym(loaded, "traverse_parameter"));
    assert_string_equal(ask_self(library, cache, function), "struct everything");
    assert_string_equal(ask_self(library, cache, 1), "none");
    size_t size, again;
    DF_CLEANUP_FREE uint8_t *good = read_file(entry, &size);

    struct df_ct_selves selves;
    const char *name = NULL;
    struct stat status;
    assert_int_equal(stat(library, &status), 0);
    df_ct_selves_init(&selves);
    df_ct_selves_load(&selves, cache, BUILD_ID, (uint64_t)status.st_size);
    assert_int_equal(selves.rows.count, 2);
    assert_true(df_ct_selves_get(&selves, function, sizeof(Everything), &name));
    assert_string_equal(name, "struct everything");
    assert_true(df_ct_selves_get(&selves, 1, sizeof(Everything), &name));
    assert_null(name);
    assert_false(df_ct_selves_get(&selves, function, 8, &name));
    /* an answer that differs shows that the file serves, and that its name must be of the size */
    df_ct_selves_add(&selves, 2, sizeof(Everything), "struct everything");
    df_ct_selves_add(&selves, 3, sizeof(Everything), "struct point");
    df_ct_selves_store(&selves, cache, BUILD_ID, (uint64_t)status.st_size);
    df_ct_selves_deinit(&selves);
    assert_string_equal(ask_self(library, cache, 2), "struct everything");
    assert_string_equal(ask_self(library, cache, 3), "none");

    for (size_t at = 0; at < size; at += 7) {
        good[at] ^= 1 << at % 8;
        write_file(entry, good, at % 2 ? size : at);
        assert_string_equal(ask_self(library, cache, function), "struct everything");
        good[at] ^= 1 << at % 8;
        free(read_file(entry, &again)); /* replaced by a good one */
        assert_true(again > sizeof(struct df_ct_self));
    }
    dlclose(loaded);
}

/* Everything that can be asked of a table, following what it says. */
static void exercise(const struct df_ctypes *types, const struct df_ct_table *table)
{
    uint64_t address, size;
    int64_t value;
    for (uint32_t i = 0; i < table->image->names; i++) {
        const char *name = table->strings + table->names[i].name;
        const struct df_ctype *type = df_ctypes_find(types, name);
        struct df_field field;
        struct df_member member;
        df_ctypes_field(types, name, "no.such[3]", &field);
        for (uint32_t k = 0; type && k < df_ctype_member_count(type); k++) {
            df_ctype_member(types, type, k, &member);
            assert_true(member.field.offset <= df_ctype_size(type) &&
                        member.field.size <= df_ctype_size(type) - member.field.offset);
            if (member.name)
                df_ctypes_field(types, name, member.name, &field);
        }
    }
    for (uint32_t i = 0; i < table->image->variables; i++)
        df_ctypes_variable(types, table->strings + table->variables[i].name, &address, &size);
    for (uint32_t i = 0; i < table->image->enumerators; i++)
        df_ctypes_enumerator(types, table->strings + table->enumerators[i].name, &value);
}

/* Damage with a right checksum: somebody's intention. Must be refused or harmless. */
static void test_cache_hostile(void **state)
{
    (void)state;
    DF_CLEANUP_FREE char *library = compile("-g", "hostile.so");
    DF_CLEANUP_FREE char *cache = in_directory("hostile");
    DF_CLEANUP_FREE char *entry = df_xasprintf("%s/%s.ctypes", cache, BUILD_ID);
    if (!library)
        skip();
    df_ctypes_close(open_types(library, cache));
    size_t size;
    DF_CLEANUP_FREE uint8_t *good = read_file(entry, &size);
    int served = 0, refused = 0;
    srand(1);
    for (int round = 0; round < 4000; round++) {
        struct df_ct_table forged = {.bytes = size};
        forged.image = malloc(size);
        assert_non_null(forged.image);
        memcpy(forged.image, good, size);
        for (int edits = 1 + rand() % 3; edits > 0; edits--) {
            /* 32-bit words, of the header too, set to values that are near some limit */
            static const uint32_t values[] = {0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff};
            size_t at = (size_t)rand() % (round % 4 ? size : 64) / 4 * 4;
            uint32_t value = rand() % 2 ? values[rand() % 6] : (uint32_t)rand() % 5000;
            memcpy((uint8_t *)forged.image + at, &value, size - at < 4 ? size - at : 4);
        }
        df_ct_table_seal(&forged);
        write_file(entry, forged.image, size);
        struct df_ct_table table;
        bool adopted = df_ct_table_adopt(forged.image, size, &table); /* takes the image */
        adopted ? served++ : refused++;
        if (!adopted)
            continue;
        struct df_ctypes *types = open_types(library, cache);
        if (df_ctypes_cached(types))
            exercise(types, &table);
        df_ctypes_close(types);
        df_ct_table_deinit(&table);
    }
    assert_true(served > 100 && refused > 100);
}

/* Anonymous members that contain themselves, which no compiler writes. */
static void test_endless_nesting(void **state)
{
    (void)state;
    DF_CLEANUP_FREE char *library = compile("-g", "endless.so");
    DF_CLEANUP_FREE char *cache = in_directory("endless");
    if (!library)
        skip();
    struct df_ct_build build;
    df_ct_build_init(&build);
    uint32_t name = df_ct_string(&build, "struct endless");
    uint32_t row = df_ct_build_type(&build, name, DF_KIND_STRUCT, 8);
    df_ct_build_members(&build, row);
    for (int i = 0; i < 50; i++)
        df_ct_build_member(
            &build, &(struct df_ct_member){
                        .size = 8, .count = 1, .element = 8, .kind = DF_KIND_STRUCT, .type = name});
    struct df_ct_table table;
    assert_null(df_ct_build_finish(&build, &table));
    df_ct_build_deinit(&build);
    struct stat status;
    assert_int_equal(stat(library, &status), 0);
    df_ct_cache_store(cache, BUILD_ID, (uint64_t)status.st_size, &table);
    df_ct_table_deinit(&table);
    struct df_ctypes *types = open_types(library, cache);
    assert_true(df_ctypes_cached(types));
    expect_no_field(types, "struct endless", "absent");
    df_ctypes_close(types);
}

/* Opens the library with random bytes in a file of its debug information, or with that cut. */
static void damage(const char *library, const char *file, int rounds)
{
    size_t size;
    DF_CLEANUP_FREE uint8_t *good = read_file(file, &size);
    DF_CLEANUP_FREE uint8_t *bad = malloc(size);
    assert_non_null(bad);
    srand(2);
    for (int round = 0; round < rounds; round++) {
        memcpy(bad, good, size);
        for (int edits = 1 + rand() % 20; edits > 0; edits--)
            bad[64 + (size_t)rand() % (size - 64)] = (uint8_t)rand();
        write_file(file, bad, round % 10 ? size : (size_t)rand() % size);
        struct df_ctypes *types = NULL;
        struct df_err *err = df_ctypes_open(library, NULL, NULL, &types);
        if (!err) {
            df_ctypes_find(types, "struct everything");
            df_ctypes_self_struct(types, 0x1139, sizeof(Everything));
        }
        df_ctypes_close(types);
        df_err_free(err);
    }
    write_file(file, good, size);
}

/* Libraries with damaged debug information: an error or fewer types, never a crash or a hang. */
static void test_damaged_dwarf(void **state)
{
    (void)state;
    DF_CLEANUP_FREE char *library = compile("-g -gdwarf-5", "broken.so");
    if (!library)
        skip();
    damage(library, library, 300);
}

/* The same of the files that a library refers to. */
static void test_damaged_parts(void **state)
{
    (void)state;
    DF_CLEANUP_FREE char *split = compile("-g -gdwarf-5 -gsplit-dwarf", "bad1.so");
    DF_CLEANUP_FREE char *dwo = in_directory("bad1.so-a.dwo");
    if (split && access(dwo, F_OK) == 0) {
        damage(split, dwo, 150);
        damage(split, split, 50);
    }
    DF_CLEANUP_FREE char *types = compile("-g -gdwarf-4 -fdebug-types-section", "bad2.so");
    if (types)
        damage(types, types, 150);
    DF_CLEANUP_FREE char *library = compile("-g -gdwarf-5", "bad3.so");
    DF_CLEANUP_FREE char *alt = in_directory("bad3.alt");
    DF_CLEANUP_FREE char *command = df_xasprintf(
        "cd %s && cp bad3.so bad4.so && dwz -m bad3.alt bad3.so bad4.so 2>/dev/null", directory);
    if (library && system(command) == 0) {
        damage(library, alt, 150);
        damage(library, library, 50);
    }
}

static void test_cache_directory(void **state)
{
    (void)state;
    setenv("HOME", "/home/somebody", 1);
    setenv("XDG_CACHE_HOME", "/elsewhere", 1);
    DF_CLEANUP_FREE char *elsewhere = df_cache_directory();
    assert_string_equal(elsewhere, "/elsewhere/necropy");
    setenv("XDG_CACHE_HOME", "relative", 1);
    DF_CLEANUP_FREE char *home = df_cache_directory();
    assert_string_equal(home, "/home/somebody/.cache/necropy");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    assert_null(df_cache_directory());
}

static int make_directory(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    write_source("a.c", unit_a);
    write_source("b.c", unit_b);
    /* No compiler: nothing to test. A compiler that does not take the sample: a broken test. */
    const char *compiler = getenv("CC");
    DF_CLEANUP_FREE char *command =
        df_xasprintf("%s --version >/dev/null 2>&1", compiler ? compiler : "cc");
    DF_CLEANUP_FREE char *library = compile("-g", "plain.so");
    return system(command) == 0 && !library ? -1 : 0;
}

static int remove_directory(void **state)
{
    (void)state;
    DF_CLEANUP_FREE char *command = df_xasprintf("rm -rf %s", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flavours),        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_parts_missing),   cmocka_unit_test(test_no_debug_information),
        cmocka_unit_test(test_cache_serves),    cmocka_unit_test(test_cache_damaged),
        cmocka_unit_test(test_cache_hostile),   cmocka_unit_test(test_selves),
        cmocka_unit_test(test_endless_nesting), cmocka_unit_test(test_damaged_dwarf),
        cmocka_unit_test(test_damaged_parts),   cmocka_unit_test(test_cache_directory),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
