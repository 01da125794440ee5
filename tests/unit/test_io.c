/* SPDX-License-Identifier: MIT
 * test_io.c: inputs are mapped or refused with a sentence; outputs are whole or not there.
 */
#include "tests/support/cmocka_all.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "dumpfmt/base/io.h"

static char directory[] = "/tmp/necropy-io-XXXXXX";
static char name[64];

static const char *at(const char *file)
{
    snprintf(name, sizeof(name), "%s/%s", directory, file);
    return name;
}

static void put(const char *path, const char *text)
{
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    fputs(text, stream);
    fclose(stream);
}

static void assert_text(const char *path, const char *text)
{
    struct df_file *file;
    assert_ok(df_file_open(path, &file));
    assert_int_equal(file->size, strlen(text));
    if (file->size)
        assert_memory_equal(file->data, text, file->size);
    df_file_close(file);
}

static int count_files(void)
{
    int count = 0;
    DIR *stream = opendir(directory);
    for (struct dirent *entry; (entry = readdir(stream));)
        count += entry->d_name[0] != '.';
    closedir(stream);
    return count;
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int clean(void **state)
{
    (void)state;
    DIR *stream = opendir(directory);
    for (struct dirent *entry; (entry = readdir(stream));)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(stream), entry->d_name, 0);
    closedir(stream);
    return 0;
}

static int tear_down(void **state)
{
    clean(state);
    return rmdir(directory);
}

static void maps_a_file(void **state)
{
    (void)state;
    put(at("in"), "bytes");
    assert_text(at("in"), "bytes");
    put(at("in"), "");
    assert_text(at("in"), "");
    df_file_close(NULL);
}

static void refuses_what_is_no_file(void **state)
{
    (void)state;
    struct df_file *file;
    assert_fails(df_file_open(directory, &file), DF_ERR_INPUT, "is a directory");
    assert_fails(df_file_open(at("none"), &file), DF_ERR_IO, "No such file");
    assert_int_equal(mkfifo(at("pipe"), 0600), 0);
    assert_fails(df_file_open(at("pipe"), &file), DF_ERR_INPUT, "is a pipe");
    assert_fails(df_file_open("/dev/null", &file), DF_ERR_INPUT, "is a device");
}

static void commits_in_one_step(void **state)
{
    (void)state;
    struct df_output *output;
    put(at("out"), "old");
    assert_ok(df_output_open(at("out"), &output));
    fputs("new", output->stream);
    fflush(output->stream);
    assert_text(at("out"), "old");
    assert_ok(df_output_commit(output));
    assert_text(at("out"), "new");
    assert_int_equal(count_files(), 1);
}

static void abandons_without_a_trace(void **state)
{
    (void)state;
    struct df_output *output;
    assert_ok(df_output_open(at("out"), &output));
    fputs("half", output->stream);
    df_output_abandon(output);
    df_output_abandon(NULL);
    assert_int_equal(count_files(), 0);
}

static void follows_links(void **state)
{
    (void)state;
    struct df_output *output;
    put(at("target"), "old");
    assert_int_equal(symlink("target", at("link")), 0);
    assert_ok(df_output_open(at("link"), &output));
    fputs("new", output->stream);
    assert_ok(df_output_commit(output));
    struct stat status;
    assert_int_equal(lstat(at("link"), &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_text(at("target"), "new");
}

static void reports_failed_writes(void **state)
{
    (void)state;
    struct df_output *output;
    assert_fails(df_output_open(directory, &output), DF_ERR_IO, "is a directory");
    assert_fails(df_output_open(at("no/where"), &output), DF_ERR_IO, "cannot be created");
    if (access("/dev/full", W_OK))
        return;
    assert_ok(df_output_open("/dev/full", &output));
    fputs("x", output->stream);
    assert_fails(df_output_commit(output), DF_ERR_IO, "/dev/full: cannot be written: No space");
}

static void respects_the_umask(void **state)
{
    (void)state;
    struct df_output *output;
    struct stat status;
    mode_t old = umask(027);
    assert_ok(df_output_open(at("out"), &output));
    assert_ok(df_output_commit(output));
    umask(old);
    assert_int_equal(stat(at("out"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(maps_a_file, clean),
        cmocka_unit_test_setup(refuses_what_is_no_file, clean),
        cmocka_unit_test_setup(commits_in_one_step, clean),
        cmocka_unit_test_setup(abandons_without_a_trace, clean),
        cmocka_unit_test_setup(follows_links, clean),
        cmocka_unit_test_setup(reports_failed_writes, clean),
        cmocka_unit_test_setup(respects_the_umask, clean),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
