/* SPDX-License-Identifier: MIT
 * necropy-damage CORE: damages a core in many ways and reads all of it with everything that reads.
 *
 * A damaged core may be refused, with a sentence; reading it may find little. It must not crash,
 * hang, leak, trip a sanitizer (build with them) or ask for memory without bound. Each seed runs
 * in a process of its own. Exit status: 0 all was well, 1 it was not, 2 it could not be done.
 *
 * necropy-damage CORE [--first SEED] [--count N] [--seconds S] [--limit SECONDS] [--verbose]
 * necropy-damage CORE --seed SEED              one seed, in this process (for a debugger)
 * necropy-damage CORE --seed SEED --write FILE writes that damaged core
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dumpfmt/base/mem.h"
#include "tests/damage/damage.h"
#include "tests/support/closure.h"

#define MAX_MEGABYTES 1536 /* of one seed, sanitizer's shadow included */
#define MAX_OBJECTS 2000000

struct options {
    const char *core, *write;
    uint64_t first, count, seed;
    unsigned seconds, limit;
    bool one, verbose;
    char cache[64];
};

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "hard_rss_limit_mb=3000:allocator_may_return_null=0:max_allocation_size_mb=2000";
}

static void ignore_type(void *context, uint64_t type)
{
    struct py_objects *objects = context;
    py_type_index(objects, type);
}

static void ignore_root(void *context, uint64_t object, const char *path,
                        const struct py_thread *thread)
{
    (void)path, (void)thread;
    free(py_text(context, object, 40));
}

static void ignore_local(void *context, const char *name, uint64_t object)
{
    (void)name;
    free(py_text(context, object, 40));
}

/* All that a report would ask of an object. */
static void ask(struct py_objects *objects, const struct py_batch_item *item, bool thoroughly)
{
    uint64_t size;
    py_size(objects, item->object, item->type, &size);
    py_object_flags(objects, item->object, item->type);
    if (!thoroughly)
        return;
    static const struct py_text_options longer = {.max_characters = 5000};
    free(py_text(objects, item->object, 80));
    free(py_text_as(objects, item->object, &longer));
    py_attribute(objects, item->object, "name");
    struct py_refs refs = {0};
    py_walk_one(objects, item->object, &refs);
    for (size_t i = 0; i < refs.count && i < 200; i++)
        free(py_label_text(objects, item->object, &refs.items[i]));
    refs.count = 0;
    py_walk_emulated(objects, item->object, item->type, &refs);
    free(refs.items);
}

static void ask_threads(struct py *py, struct py_objects *objects)
{
    for (uint32_t i = 0; i < py->thread_count; i++) {
        free(py_thread_name(objects, &py->threads[i]));
        for (uint32_t k = 0; k < py->threads[i].frame_count && k < 1000; k++) {
            const struct py_frame *frame = &py->threads[i].frames[k];
            free(py_code_name(py, frame->code));
            free(py_code_file(py, frame->code));
            py_frame_locals(objects, frame, ignore_local, objects);
        }
    }
    py_static_types(py, ignore_type, objects);
    py_state_roots(py, ignore_root, objects);
    free(py_text(objects, py_module(objects, "sys"), 80));
}

static void read_objects(struct py *py, struct py_objects *objects,
                         const struct damage_target *target, const struct options *options)
{
    struct closure closure = {
        .limit = MAX_OBJECTS, .more = target->objects, .more_count = target->object_count};
    closure_collect(&closure, py, objects);
    size_t stride = closure.count / 3000 + 1;
    for (size_t i = 0; i < closure.count; i++)
        ask(objects, &closure.items[i], i % stride == 0);
    ask_threads(py, objects);
    if (options->verbose) {
        const struct py_ledger_row *rows;
        printf(
            "   %zu objects, %zu references, %zu emulated, %zu faults, %zu implausible, ledger of "
            "%u, %u types\n",
            closure.count, closure.references, closure.deferred, closure.bad[PY_FAULT],
            closure.bad[PY_IMPLAUSIBLE], py_ledger(objects, &rows), py_type_count(objects));
    }
    closure_deinit(&closure);
}

/* 0: read; 3: refused. */
static int read_core(const char *path, const struct damage_target *target,
                     const struct options *options)
{
    struct df_dump *dump = NULL;
    struct py *py = NULL;
    struct py_objects *objects = NULL;
    struct py_options how = {.cache_directory = options->cache};
    struct df_err *err = df_dump_open(path, NULL, &dump);
    if (!err)
        err = py_open(dump, &how, &py);
    if (!err)
        err = py_objects_open(py, NULL, &objects);
    if (!err)
        read_objects(py, objects, target, options);
    else if (options->verbose)
        printf("   %s\n", df_err_text(err));
    int status = err ? (*df_err_text(err) ? 3 : 4) : 0;
    df_err_free(err);
    py_objects_close(objects);
    py_close(py);
    df_dump_close(dump);
    return status;
}

static bool write_file(int file, const uint8_t *bytes, size_t size)
{
    while (size) {
        ssize_t done = write(file, bytes, size);
        if (done <= 0)
            return false;
        bytes += done;
        size -= (size_t)done;
    }
    return true;
}

/* The damaged core as a file without a name; its path. */
static int damaged_file(const struct damage_target *target, uint64_t seed, char what[256],
                        char path[64])
{
    size_t size;
    uint8_t *bytes = damage_make(target, seed, &size, what);
    int file = memfd_create("damaged", 0);
    if (file < 0 || !write_file(file, bytes, size)) {
        perror("necropy-damage");
        exit(2);
    }
    free(bytes);
    snprintf(path, 64, "/proc/self/fd/%d", file);
    return file;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* True when all was well. */
static bool run_seed(const struct damage_target *target, const struct options *options,
                     uint64_t seed)
{
    char what[256], path[64];
    int file = damaged_file(target, seed, what, path);
    double start = now();
    if (options->verbose)
        printf("%s\n", what);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(options->limit);
        exit(read_core(path, target, options));
    }
    int status = 0;
    struct rusage usage = {0};
    wait4(child, &status, 0, &usage);
    close(file);
    double seconds = now() - start;
    long megabytes = usage.ru_maxrss / 1024;
    bool fine = WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3);
    const char *why = "";
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        why = "HANGS";
    else if (WIFSIGNALED(status))
        why = "CRASHES";
    else if (!fine)
        why = "FAILS";
    else if (megabytes > MAX_MEGABYTES)
        why = "EATS MEMORY";
    if (*why || options->verbose)
        printf("%s %s: status 0x%x, %.2f s, %ld MB\n", what, why, status, seconds, megabytes);
    return !*why;
}

/* Objects of the undamaged core. */
static int prepare(const struct options *options, struct closure *closure)
{
    struct df_dump *dump = NULL;
    struct py *py = NULL;
    struct py_objects *objects = NULL;
    struct py_options how = {.cache_directory = options->cache};
    struct df_err *err = df_dump_open(options->core, NULL, &dump);
    if (!err)
        err = py_open(dump, &how, &py);
    if (!err)
        err = py_objects_open(py, &(struct py_objects_options){.no_emulator = true}, &objects);
    if (!err)
        closure_collect(closure, py, objects);
    if (err)
        fprintf(stderr, "necropy-damage: %s\n", df_err_text(err));
    int status = err ? 2 : 0;
    df_err_free(err);
    py_objects_close(objects);
    py_close(py);
    df_dump_close(dump);
    return status;
}

static int write_damaged(const struct damage_target *target, const struct options *options)
{
    size_t size;
    char what[256];
    uint8_t *bytes = damage_make(target, options->seed, &size, what);
    int file = open(options->write, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool fine = file >= 0 && write_file(file, bytes, size);
    if (file >= 0)
        close(file);
    free(bytes);
    printf("%s\n", what);
    return fine ? 0 : 2;
}

static int run_seeds(const struct damage_target *target, const struct options *options)
{
    double start = now();
    uint64_t bad = 0, done = 0;
    for (; done < options->count && (!options->seconds || now() - start < options->seconds); done++)
        bad += !run_seed(target, options, options->first + done);
    printf("%llu damaged cores, %llu bad, %.1f s\n", (unsigned long long)done,
           (unsigned long long)bad, now() - start);
    return bad ? 1 : 0;
}

static int run_one(const struct damage_target *target, const struct options *options)
{
    char what[256], path[64];
    damaged_file(target, options->seed, what, path);
    printf("%s\n", what);
    int status = read_core(path, target, options);
    printf("status %d\n", status);
    return status == 0 || status == 3 ? 0 : 1;
}

static int run(const struct options *options)
{
    struct closure closure = {0};
    struct stat about;
    int status = 2, file = open(options->core, O_RDONLY | O_CLOEXEC);
    void *bytes = MAP_FAILED;
    if (file >= 0 && fstat(file, &about) == 0)
        bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (bytes == MAP_FAILED)
        perror(options->core);
    if (bytes == MAP_FAILED || prepare(options, &closure) != 0)
        return 2;
    uint64_t *objects = df_xcalloc(closure.count + 1, sizeof(*objects));
    for (size_t i = 0; i < closure.count; i++)
        objects[i] = closure.items[i].object;
    struct damage_target target = {.file = bytes,
                                   .size = (size_t)about.st_size,
                                   .objects = objects,
                                   .object_count = closure.count};
    closure_deinit(&closure);
    if (options->write)
        status = write_damaged(&target, options);
    else
        status = options->one ? run_one(&target, options) : run_seeds(&target, options);
    free(objects);
    munmap(bytes, target.size);
    close(file);
    return status;
}

static void remove_cache(const char *directory)
{
    DF_CLEANUP_FREE char *command = df_xasprintf("rm -rf '%s'", directory);
    if (system(command) != 0)
        fprintf(stderr, "necropy-damage: %s stays\n", directory);
}

static void parse(struct options *options, int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? arguments[i + 1] : "0";
        const char *name = arguments[i];
        bool used = true;
        if (strcmp(name, "--first") == 0)
            options->first = strtoull(value, NULL, 0);
        else if (strcmp(name, "--count") == 0)
            options->count = strtoull(value, NULL, 0);
        else if (strcmp(name, "--seconds") == 0)
            options->seconds = (unsigned)strtoul(value, NULL, 0);
        else if (strcmp(name, "--limit") == 0)
            options->limit = (unsigned)strtoul(value, NULL, 0);
        else if (strcmp(name, "--seed") == 0)
            options->one = true, options->seed = strtoull(value, NULL, 0);
        else if (strcmp(name, "--write") == 0)
            options->write = value;
        else
            used = false;
        if (used)
            i++;
        else if (strcmp(name, "--verbose") == 0)
            options->verbose = true;
        else
            options->core = name;
    }
}

int main(int count, char **arguments)
{
    struct options options = {
        .count = 1000000000, .limit = 30, .cache = "/tmp/necropy-damage-XXXXXX"};
    parse(&options, count, arguments);
    if (!options.core || !mkdtemp(options.cache)) {
        fprintf(stderr, "usage: necropy-damage CORE [--first SEED] [--count N] [--seconds S] "
                        "[--limit SECONDS] [--seed SEED [--write FILE]] [--verbose]\n");
        return 2;
    }
    int status = run(&options);
    remove_cache(options.cache);
    return status;
}
