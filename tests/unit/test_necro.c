/* SPDX-License-Identifier: MIT
 * test_necro.c: a file of sections comes back as it was written, or is refused: whatever byte of it
 * is changed, wherever it is cut, and whatever a hostile table says.
 */
#include "tests/support/cmocka_all.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dumpfmt/necro.h"
#include "dumpfmt/necro_format.h"

#define NUMBERS 5000
#define LARGE ((3u << 20) + 12345) /* four blocks: compressible, zero, random, a short one */

static char directory[] = "/tmp/necropy-necro-XXXXXX";
static char path[64];
static uint32_t numbers[NUMBERS];
static uint8_t *large;

static int set_up(void **state)
{
    uint32_t random = 1;
    (void)state;
    large = calloc(LARGE, 1);
    for (uint32_t i = 0; i < NUMBERS; i++)
        numbers[i] = i * i;
    for (uint32_t i = 0; i < LARGE; i++)
        if (i < 1u << 20)
            large[i] = (uint8_t)(i / 100);
        else if (i >= 2u << 20)
            large[i] = (uint8_t)((random = random * 1664525 + 1013904223) >> 24);
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/a.necro", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(large);
    unlink(path);
    return rmdir(directory);
}

static int files(void)
{
    int count = 0;
    DIR *stream = opendir(directory);
    for (struct dirent *entry; (entry = readdir(stream));)
        count += entry->d_name[0] != '.';
    closedir(stream);
    return count;
}

static void fill(struct df_necro_writer *writer)
{
    assert_ok(df_necro_add(writer, "numbers", 0, numbers, 4, NUMBERS));
    assert_ok(df_necro_add(writer, "nothing", 0, NULL, 8, 0));
    assert_ok(df_necro_add(writer, "nothing.packed", DF_NECRO_PACKED, NULL, 8, 0));
    assert_ok(df_necro_begin(writer, "large", DF_NECRO_PACKED, 1));
    for (uint32_t at = 0, part = 1; at < LARGE; at += part, part = part * 3 + 1) {
        part = part < LARGE - at ? part : LARGE - at;
        assert_ok(df_necro_write(writer, large + at, part));
    }
    assert_ok(df_necro_end(writer));
    assert_ok(df_necro_add(writer, "parts", DF_NECRO_PARTS, numbers, 4, 10));
    assert_ok(df_necro_add(writer, "small-packed.1", DF_NECRO_PACKED, numbers, 12, 5));
}

/* The file as memory that can be changed, with a df_file around it. */
static struct df_file *written(uint32_t jobs)
{
    struct df_necro_writer *writer;
    struct df_file *mapped, *ret = calloc(1, sizeof(*ret));
    assert_ok(df_necro_create(path, jobs, &writer));
    fill(writer);
    assert_int_equal(df_necro_jobs(writer), jobs);
    assert_ok(df_necro_commit(writer));
    assert_int_equal(files(), 1);
    assert_ok(df_file_open(path, &mapped));
    uint8_t *copy = aligned_alloc(4096, (mapped->size + 4095) & ~UINT64_C(4095));
    memcpy(copy, mapped->data, mapped->size);
    *ret = (struct df_file){.path = path, .data = copy, .size = mapped->size, .fd = -1};
    df_file_close(mapped);
    return ret;
}

static uint8_t *bytes_of(struct df_file *file)
{
    return (uint8_t *)(uintptr_t)file->data;
}

static void drop(struct df_file *file)
{
    free(bytes_of(file));
    free(file);
}

static void comes_back(void **state)
{
    (void)state;
    struct df_file *file = written(2);
    struct df_necro *necro;
    const void *data, *again;
    uint64_t count;
    assert_true(df_necro_is(file->data, file->size));
    assert_false(df_necro_is(file->data, 7));
    assert_ok(df_necro_open(file, &necro));
    assert_ok(df_necro_section(necro, "numbers", 4, &data, &count));
    assert_int_equal(count, NUMBERS);
    assert_memory_equal(data, numbers, sizeof(numbers));
    assert_int_equal((uintptr_t)data % 4096, 0);
    assert_ok(df_necro_section(necro, "large", 1, &data, &count));
    assert_int_equal(count, LARGE);
    assert_memory_equal(data, large, LARGE);
    assert_ok(df_necro_section(necro, "large", 1, &again, &count));
    assert_ptr_equal(data, again);
    assert_ok(df_necro_section(necro, "small-packed.1", 12, &data, &count));
    assert_int_equal(count, 5);
    assert_memory_equal(data, numbers, 60);
    assert_ok(df_necro_section(necro, "parts", 4, &data, &count));
    assert_memory_equal(data, numbers, 40);
    assert_ok(df_necro_section(necro, "nothing", 8, &data, &count));
    assert_non_null(data);
    assert_int_equal(count, 0);
    assert_ok(df_necro_section(necro, "nothing.packed", 8, &data, &count));
    assert_int_equal(count, 0);
    assert_ok(df_necro_optional(necro, "none", 8, &data, &count));
    assert_null(data);
    assert_int_equal(count, 0);
    assert_true(df_necro_has(necro, "large"));
    assert_false(df_necro_has(necro, "none"));
    assert_fails(df_necro_section(necro, "none", 8, &data, &count), DF_ERR_MISSING, "none");
    assert_fails(df_necro_section(necro, "numbers", 8, &data, &count), DF_ERR_INPUT, "damaged");
    assert_true(file->size < NUMBERS * 4 + LARGE / 2 + 16 * 4096); /* zeros and runs cost nothing */
    df_necro_close(necro);
    drop(file);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    struct df_file *one = written(1), *five = written(5);
    assert_int_equal(one->size, five->size);
    assert_memory_equal(one->data, five->data, one->size);
    drop(one);
    drop(five);
}

static void assert_refused(struct df_file *file, const char *part)
{
    struct df_necro *necro;
    struct df_err *err = df_necro_open(file, &necro);
    assert_non_null(err);
    if (!strstr(df_err_text(err), part))
        fail_msg("%s", df_err_text(err));
    df_err_free(err);
}

static void each_byte_of_header_and_table_counts(void **state)
{
    (void)state;
    struct df_file *file = written(1);
    uint8_t *bytes = bytes_of(file);
    struct necro_header header;
    memcpy(&header, bytes, sizeof(header));
    for (uint64_t at = 0; at < file->size;
         at = at + 1 == sizeof(header) ? header.table_offset : at + 1)
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            bytes[at] ^= (uint8_t)bit;
            assert_refused(file, at < 8 ? "is no snapshot" : "this snapshot");
            bytes[at] ^= (uint8_t)bit;
        }
    drop(file);
}

static struct necro_entry *entries(struct df_file *file, uint32_t *ret_count)
{
    struct necro_header header;
    memcpy(&header, file->data, sizeof(header));
    *ret_count = header.section_count;
    return (struct necro_entry *)(void *)(bytes_of(file) + header.table_offset);
}

static struct necro_entry *entry_named(struct df_file *file, const char *tag)
{
    uint32_t count;
    struct necro_entry *table = entries(file, &count);
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(table[i].tag, tag))
            return &table[i];
    fail_msg("no section %s", tag);
    return NULL;
}

/* With a byte of one section changed, that one is refused, and another one is not. */
static void check_section(struct df_file *file, const char *tag, uint64_t step)
{
    const struct necro_entry *entry = entry_named(file, tag);
    uint8_t *bytes = bytes_of(file);
    const void *data;
    uint64_t count;
    for (uint64_t at = 0; at < entry->stored; at += step) {
        struct df_necro *necro;
        bytes[entry->offset + at] ^= 0x10;
        assert_ok(df_necro_open(file, &necro));
        assert_null(df_necro_damage(necro));
        for (int twice = 0; twice < 2; twice++)
            assert_fails(df_necro_section(necro, tag, entry->element, &data, &count), DF_ERR_INPUT,
                         "this snapshot is damaged");
        assert_non_null(strstr(df_necro_damage(necro), tag));
        assert_ok(df_necro_section(necro, "nothing", 8, &data, &count));
        df_necro_close(necro);
        bytes[entry->offset + at] ^= 0x10;
    }
}

static void each_byte_of_a_section_counts(void **state)
{
    (void)state;
    struct df_file *file = written(1);
    check_section(file, "numbers", 1);
    check_section(file, "small-packed.1", 1);
    check_section(file, "large", 10007);
    drop(file);
}

static void cut_ones_are_refused(void **state)
{
    (void)state;
    struct df_file *file = written(1);
    uint64_t whole = file->size;
    for (uint64_t i = 0; i < 50; i++) {
        file->size = whole * i / 50;
        assert_refused(file, file->size < 8 ? "is no snapshot" : "it ends too early");
    }
    file->size = whole - 1;
    assert_refused(file, "it ends too early");
    file->size = 127;
    assert_refused(file, "it ends too early");
    drop(file);
}

static void seal(struct df_file *file)
{
    struct necro_header *header = (struct necro_header *)(void *)bytes_of(file);
    header->table_checksum = necro_checksum(file->data + header->table_offset,
                                            header->section_count * sizeof(struct necro_entry));
    header->checksum = necro_checksum(header, offsetof(struct necro_header, checksum));
}

static void hostile_tables_are_refused(void **state)
{
    (void)state;
    static const struct necro_entry wrong[] = {
        {"b", 0, 24, 4, 4, 0, 0, 0},                    /* on the header */
        {"b", 4100, 24, 4, 4, 0, 0, 0},                 /* not aligned */
        {"b", UINT64_C(1) << 40, 24, 4, 4, 0, 0, 0},    /* behind the end */
        {"b", UINT64_MAX & ~4095ul, 24, 4, 4, 0, 0, 0}, /* overflow */
        {"b", 4096, UINT64_MAX, UINT64_MAX / 4, 4, 0, 0, 0},
        {"b", 4096, 16, UINT64_MAX / 2, 8, 0, 0, 0},
        {"b", 4096, 24, 5, 4, 0, 0, 0},                 /* more than is stored */
        {"b", 4096, 24, 2, 4, 0, 0, 0},                 /* less */
        {"b", 4096, 16, 4, 4, 0, 0, 0},                 /* without checksums of parts */
        {"b", 4096, 24, 4, 0, 0, 0, 0},                 /* of nothing */
        {"b", 4096, 24, 4, 4, 4, 0, 0},                 /* unknown flag */
        {"b", 4096, 24, 4, 4, 3, 0, 0},                 /* flags that exclude each other */
        {"b", 4096, 16, 4, 4, 2, 1, 0},                 /* checksum that none looks at */
        {"b", 4096, 24, 4, 4, 0, 0, 1},                 /* reserved */
        {"b", 4096, 16, UINT64_C(1) << 40, 4, 1, 0, 0}, /* blocks without sizes */
        {"b", 4096, 4, UINT64_MAX / 8, 8, 1, 0, 0},
        {"", 4096, 24, 4, 4, 0, 0, 0},     /* no tag */
        {"b\0b", 4096, 24, 4, 4, 0, 0, 0}, /* something behind the tag's end */
        {"b\n", 4096, 24, 4, 4, 0, 0, 0},
        {"0123456789abcdef", 4096, 24, 4, 4, 0, 0, 0}, /* without its end */
        {"large", 4096, 0, 0, 4, 0, 0, 0},             /* a name twice */
        {"b", 8192, 24, 4, 4, 0, 0, 0},                /* in the midst of `numbers` */
    };
    struct df_file *file = written(1);
    struct necro_entry *entry = entry_named(file, "parts"), right = *entry;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        *entry = wrong[i];
        seal(file);
        assert_refused(file, "this snapshot is damaged: ");
    }
    *entry = right;
    seal(file);
    struct df_necro *necro;
    assert_ok(df_necro_open(file, &necro));
    df_necro_close(necro);
    drop(file);
}

static void hostile_headers_are_refused(void **state)
{
    (void)state;
    struct df_file *file = written(1);
    struct necro_header *header = (struct necro_header *)(void *)bytes_of(file), right = *header;
    static const uint64_t offsets[] = {0, 1, 128, 4096, UINT64_MAX, UINT64_MAX & ~4095ul};
    for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
        header->table_offset = offsets[i];
        header->checksum = necro_checksum(header, offsetof(struct necro_header, checksum));
        assert_refused(file, "does not make sense");
    }
    *header = right;
    static const uint32_t counts[] = {0, 1, 4096, UINT32_MAX};
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        header->section_count = counts[i];
        header->checksum = necro_checksum(header, offsetof(struct necro_header, checksum));
        assert_refused(file, "does not make sense");
    }
    *header = right;
    header->reserved[8] = 1;
    header->checksum = necro_checksum(header, offsetof(struct necro_header, checksum));
    assert_refused(file, "does not make sense");
    *header = right;
    header->format++;
    header->checksum = necro_checksum(header, offsetof(struct necro_header, checksum));
    assert_refused(file, "has format 3, and this necropy reads format 2");
    header->order = __builtin_bswap32(header->order);
    assert_refused(file, "another byte order");
    drop(file);
}

/* ---- checked late ---- */

#define PARTS 40
#define PARTED (PARTS * (1u << 16) - 999) /* bytes */

static struct df_necro *late;

static void give_up(void)
{
    const char *damage = df_necro_damage(late);
    _exit(damage && strstr(damage, "its section parted is not as it was written") ? 7 : 8);
}

static uint8_t parted_byte(uint32_t i)
{
    return (uint8_t)(i * UINT32_C(2654435761) >> 13);
}

/* Writes a large plain section; with one byte of it changed, counted from its beginning. */
static void write_parted(int64_t changed)
{
    struct df_necro_writer *writer;
    struct df_file *file;
    uint8_t *bytes = malloc(PARTED);
    for (uint32_t i = 0; i < PARTED; i++)
        bytes[i] = parted_byte(i);
    assert_ok(df_necro_create(path, 1, &writer));
    assert_ok(df_necro_begin(writer, "parted", 0, 1));
    for (uint32_t at = 0, some = 1; at < PARTED; at += some, some = some * 2 + 7)
        assert_ok(df_necro_write(writer, bytes + at, some < PARTED - at ? some : PARTED - at));
    assert_ok(df_necro_end(writer));
    assert_ok(df_necro_commit(writer));
    free(bytes);
    if (changed < 0)
        return;
    assert_ok(df_file_open(path, &file));
    uint64_t at = entry_named(file, "parted")->offset + (uint64_t)changed;
    uint8_t byte = file->data[at] ^ 4;
    df_file_close(file);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
}

static const uint8_t *open_late(struct df_file **ret)
{
    const uint8_t *data = NULL;
    uint64_t count;
    assert_ok(df_file_open(path, ret));
    assert_ok(df_necro_open(*ret, &late));
    df_necro_check_late(late, give_up);
    assert_ok(df_necro_section(late, "parted", 1, &data, &count));
    assert_int_equal(count, PARTED);
    return data;
}

/* What a child ends with that reads these bytes: 0 when each is as it was written. */
static int reads(uint32_t from, uint32_t to, uint32_t step)
{
    int status;
    pid_t child = fork();
    if (!child) {
        struct df_file *file;
        const uint8_t *data = open_late(&file);
        bool same = true;
        for (uint32_t at = from; at < to; at += step)
            same &= data[at] == parted_byte(at);
        df_necro_close(late);
        df_file_close(file);
        _exit(same ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void parts_are_checked_when_they_are_read(void **state)
{
    (void)state;
    static const uint32_t parts[] = {0, 1, 17, PARTS - 1};
    write_parted(-1);
    assert_int_equal(reads(0, PARTED, 1), 0);
    assert_int_equal(reads(5, PARTED, 3 << 16), 0);
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        uint32_t start = parts[i] << 16, end = parts[i] + 1 < PARTS ? start + (1 << 16) : PARTED;
        write_parted(end - 1);
        assert_int_equal(reads(0, PARTED, 1 << 15), 7);  /* forwards, several parts at once */
        assert_int_equal(reads(start, end, 1 << 16), 7); /* another byte of the part */
        assert_int_equal(reads(0, start, 1), 0);         /* others */
        assert_int_equal(reads(end, PARTED, 1), 0);
    }
    unlink(path);
}

/* The checksums of the parts are checked with the section, whatever is read of it. */
static void damaged_checksums_of_parts_are_refused(void **state)
{
    (void)state;
    for (int64_t at = PARTED; at < PARTED + 8 + PARTS * 8 - 1; at += 37) {
        struct df_file *file;
        const void *data;
        uint64_t count;
        write_parted(at);
        assert_ok(df_file_open(path, &file));
        assert_ok(df_necro_open(file, &late));
        df_necro_check_late(late, give_up);
        assert_fails(df_necro_section(late, "parted", 1, &data, &count), DF_ERR_INPUT, "parted");
        df_necro_close(late);
        df_file_close(file);
    }
    unlink(path);
}

static void *read_all(void *context)
{
    const uint8_t *data = context;
    for (uint32_t at = 0; at < PARTED; at += 61)
        if (data[at] != parted_byte(at))
            return context;
    return NULL;
}

static void threads_may_read_at_once(void **state)
{
    (void)state;
    pthread_t threads[4];
    struct df_file *file;
    void *wrong;
    write_parted(-1);
    const uint8_t *data = open_late(&file);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, (void *)(uintptr_t)data), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    df_necro_close(late);
    df_file_close(file);
    unlink(path);
}

/* Faults that are none of ours still are what they were. */
static void other_faults_still_kill(void **state)
{
    (void)state;
    int status;
    write_parted(-1);
    pid_t child = fork();
    if (!child) {
        struct rlimit none = {0};
        struct df_file *file;
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSEGV, SIG_DFL);
        if (open_late(&file)[PARTED - 1] == parted_byte(PARTED - 1))
            *(volatile char *)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) = 1;
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    unlink(path);
}

/* A packed section whose checksum is right and whose blocks lie. */
static void hostile_blocks_are_refused(void **state)
{
    (void)state;
    struct df_file *file = written(1);
    struct necro_entry *entry = entry_named(file, "large");
    uint8_t *stored = bytes_of(file) + entry->offset;
    const void *data;
    uint64_t count;
    for (uint64_t block = 0; block < 4; block++)
        for (unsigned byte = 0; byte < 4; byte++) {
            struct df_necro *necro;
            uint8_t *size = stored + entry->stored - 16 + 4 * block + byte;
            *size ^= 0x81;
            entry->checksum = necro_checksum(stored, entry->stored);
            seal(file);
            assert_ok(df_necro_open(file, &necro));
            assert_fails(df_necro_section(necro, "large", 1, &data, &count), DF_ERR_INPUT,
                         "this snapshot is damaged");
            df_necro_close(necro);
            *size ^= 0x81;
        }
    drop(file);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    struct df_necro_writer *writer;
    assert_fails(df_necro_create("-", 1, &writer), DF_ERR_USAGE, "name a file");
    assert_fails(df_necro_create("/dev/null", 1, &writer), DF_ERR_USAGE, "no regular file");
    assert_fails(df_necro_create("/nonexistent/x", 1, &writer), DF_ERR_IO, "/nonexistent/x");
    unlink(path);
    assert_ok(df_necro_create(path, 1, &writer));
    assert_fails(df_necro_write(writer, numbers, 1), DF_ERR_USAGE, "nothing can be written");
    assert_fails(df_necro_end(writer), DF_ERR_USAGE, "no section");
    assert_ok(df_necro_add(writer, "a", 0, numbers, 4, 1));
    assert_fails(df_necro_begin(writer, "a", 0, 4), DF_ERR_USAGE, "section a");
    assert_fails(df_necro_begin(writer, "0123456789abcdef", 0, 4), DF_ERR_USAGE, "section 0123");
    assert_ok(df_necro_begin(writer, "b", 0, 4));
    assert_fails(df_necro_begin(writer, "c", 0, 4), DF_ERR_USAGE, "section c");
    assert_fails(df_necro_commit(writer), DF_ERR_USAGE, "still open");
    assert_int_equal(files(), 0);
    assert_ok(df_necro_create(path, 1, &writer));
    df_necro_abandon(writer);
    df_necro_abandon(NULL);
    assert_int_equal(files(), 0);
}

/* A disk that is full, as far as a process can have it so. */
static void failed_writes_leave_nothing(void **state)
{
    (void)state;
    struct rlimit limit, small;
    struct df_necro_writer *writer;
    unlink(path);
    getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    small.rlim_cur = 1 << 20;
    signal(SIGXFSZ, SIG_IGN);
    assert_ok(df_necro_create(path, 1, &writer));
    setrlimit(RLIMIT_FSIZE, &small);
    struct df_err *err = df_necro_add(writer, "a", 0, large, 1, LARGE);
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_non_null(err);
    assert_int_equal(df_err_code(err), DF_ERR_IO);
    df_err_free(err);
    assert_non_null(err = df_necro_commit(writer));
    df_err_free(err);
    assert_int_equal(files(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(each_byte_of_header_and_table_counts),
        cmocka_unit_test(each_byte_of_a_section_counts),
        cmocka_unit_test(cut_ones_are_refused),
        cmocka_unit_test(hostile_tables_are_refused),
        cmocka_unit_test(hostile_headers_are_refused),
        cmocka_unit_test(parts_are_checked_when_they_are_read),
        cmocka_unit_test(damaged_checksums_of_parts_are_refused),
        cmocka_unit_test(threads_may_read_at_once),
        cmocka_unit_test(other_faults_still_kill),
        cmocka_unit_test(hostile_blocks_are_refused),
        cmocka_unit_test(misuse_is_refused),
        cmocka_unit_test(failed_writes_leave_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
