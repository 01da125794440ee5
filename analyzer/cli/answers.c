/* SPDX-License-Identifier: MIT
 * answers.c: finished answers as sections of a snapshot.
 */
#include "analyzer/cli/answers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dumpfmt/base/io.h"

#define VERDICT "verdict"
#define PROFILE "profile"
#define ALLOCATIONS "allocations"

/* ---- reading ---- */

struct answers {
    struct df_file *file;
    struct df_necro *necro; /* NULL: the input is no snapshot */
};

static void close_answers(struct answers *answers)
{
    df_necro_close(answers->necro);
    df_file_close(answers->file);
}

/* Only a plain file is a snapshot: a pipe must not be opened twice. Why something cannot be opened
 * is told by who opens cores. */
static bool is_plain(const char *path)
{
    struct stat status;

    return strcmp(path, "-") && !stat(path, &status) && S_ISREG(status.st_mode);
}

static struct df_err *open_answers(const char *path, struct answers *ret)
{
    struct df_err *err;

    *ret = (struct answers){0};
    err = is_plain(path) ? df_file_open(path, &ret->file) : NULL;
    if (err || !ret->file) {
        df_err_free(err);
        return NULL;
    }
    if (df_necro_is(ret->file->data, ret->file->size))
        err = df_necro_open(ret->file, &ret->necro);
    if (err)
        close_answers(ret);
    return err;
}

/* Bytes of an answer to its value, whichever it is. */
typedef struct df_err *(*loader)(const void *bytes, size_t size, const void *options, void *ret);

static struct df_err *load_verdict(const void *bytes, size_t size, const void *options, void *ret)
{
    return fi_verdict_load(bytes, size, options, ret);
}

static struct df_err *load_profile(const void *bytes, size_t size, const void *options, void *ret)
{
    (void)options;
    return fi_profile_load(bytes, size, ret);
}

static struct df_err *load_traces(const void *bytes, size_t size, const void *options, void *ret)
{
    (void)options;
    return fi_traces_load(bytes, size, ret);
}

static struct df_err *load_section(struct df_necro *necro, const char *tag, loader load,
                                   const void *options, void *ret)
{
    const uint8_t *bytes = NULL;
    uint64_t size = 0;
    struct df_err *err;

    DF_TRY(df_necro_optional(necro, tag, 1, &bytes, &size));
    if (!bytes)
        return NULL;
    err = load(bytes, size, options, ret);
    if (err && df_err_code(err) == DF_ERR_UNSUPPORTED) {
        df_err_free(err);
        return NULL;
    }
    return err;
}

static struct df_err *load_from(const char *path, const char *tag, loader load, const void *options,
                                void *ret)
{
    struct answers answers;
    struct df_err *err = NULL;

    DF_TRY(open_answers(path, &answers));
    if (answers.necro)
        err = load_section(answers.necro, tag, load, options, ret);
    close_answers(&answers);
    return df_err_prefix(err, "%s", path);
}

struct df_err *cli_saved_verdict(const struct cli_options *options,
                                 const struct fi_verdict_options *wanted, struct fi_verdict **ret)
{
    *ret = NULL;
    return load_from(options->core, VERDICT, load_verdict, wanted, ret);
}

struct df_err *cli_saved_profile(const char *core, struct fi_profile **ret)
{
    *ret = NULL;
    return load_from(core, PROFILE, load_profile, NULL, ret);
}

struct df_err *cli_saved_traces(const char *core, struct fi_traces **ret)
{
    *ret = NULL;
    return load_from(core, ALLOCATIONS, load_traces, NULL, ret);
}

/* ---- writing ---- */

/* Consumes the bytes. */
static struct df_err *add(struct df_necro_writer *writer, const char *tag, void *bytes, size_t size)
{
    struct df_err *err = df_necro_add(writer, tag, DF_NECRO_PACKED, bytes, 1, size);

    free(bytes);
    return err;
}

/* A snapshot of a snapshot has the answers of the first, as they were saved. */
static struct df_err *save_verdict(struct df_necro_writer *writer, struct fi_analysis *analysis,
                                   const char *core, const char *called,
                                   const struct df_progress *progress)
{
    struct fi_verdict_options options = fi_saved_options(called, progress);
    struct fi_verdict *verdict = NULL;
    void *bytes;
    size_t size;

    DF_TRY(load_from(core, VERDICT, load_verdict, &options, &verdict));
    df_progress(progress, "judging", 0, 0);
    if (!verdict)
        DF_TRY(fi_verdict_make(analysis, &options, &verdict));
    struct df_err *err = fi_verdict_save(verdict, &bytes, &size);
    fi_verdict_free(verdict);
    return err ? err : add(writer, VERDICT, bytes, size);
}

static struct df_err *save_profile(struct df_necro_writer *writer, struct fi_analysis *analysis,
                                   const char *core, const char *called,
                                   const struct df_progress *progress)
{
    struct fi_profile *profile;
    void *bytes;
    size_t size;

    DF_TRY(cli_saved_profile(core, &profile));
    if (!profile)
        DF_TRY(fi_profile_make(analysis, called, progress, &profile));
    struct df_err *err = fi_profile_save(profile, &bytes, &size);
    fi_profile_free(profile);
    return err ? err : add(writer, PROFILE, bytes, size);
}

static struct df_err *save_traces(struct df_necro_writer *writer, struct fi_analysis *analysis,
                                  const char *core, const struct df_progress *progress)
{
    struct fi_traces *traces;
    void *bytes;
    size_t size;

    df_progress(progress, "reading traces", 0, 0);
    DF_TRY(cli_saved_traces(core, &traces));
    if (!traces)
        DF_TRY(fi_traces_make(analysis, &traces));
    struct df_err *err = fi_traces_save(traces, &bytes, &size);
    fi_traces_free(traces);
    return err ? err : add(writer, ALLOCATIONS, bytes, size);
}

struct df_err *cli_save_answers(struct df_necro_writer *writer, struct fi_analysis *analysis,
                                const char *core, const char *called,
                                const struct df_progress *progress)
{
    DF_TRY(save_verdict(writer, analysis, core, called, progress));
    DF_TRY(save_profile(writer, analysis, core, called, progress));
    if (analysis->py->redacted)
        return NULL; /* tracemalloc's tables are numbers, which are not kept */
    return save_traces(writer, analysis, core, progress);
}
