/* SPDX-License-Identifier: MIT
 * text_process.c: threads, memory and coverage as text.
 */
#include "analyzer/report/sections.h"

#include <string.h>

#include "dumpfmt/base/mem.h"

static const char *thread_name(const struct fi_verdict *verdict, const struct fi_thread *thread)
{
    if (thread->name)
        return thread->name;
    return thread->native_id && thread->native_id == verdict->core.pid ? "main thread"
                                                                       : "unnamed thread";
}

static char *thread_title(const struct fi_verdict *verdict, const struct fi_thread *thread)
{
    DF_CLEANUP_FREE char *id =
        thread->native_id ? df_xasprintf("native id %lld", (long long)thread->native_id)
                          : df_xasprintf("thread id 0x%llx", (unsigned long long)thread->thread_id);
    return df_xasprintf("%s (%s)%s%s", thread_name(verdict, thread), id,
                        thread->holds_gil ? ", holds the GIL" : "",
                        thread->alive ? "" : ", no such thread in the core");
}

static char *frame_text(const struct fi_frame *frame)
{
    if (!frame->file)
        return df_xstrdup(frame->function);
    if (!frame->line)
        return df_xasprintf("%s at %s", frame->function, frame->file);
    return df_xasprintf("%s at %s:%d", frame->function, frame->file, frame->line);
}

/* "consume at queue.py:33": the folder is in the full list. */
static char *frame_brief(const struct fi_frame *frame)
{
    struct fi_frame brief = *frame;
    const char *slash = frame->file ? strrchr(frame->file, '/') : NULL;
    if (slash && slash[1])
        brief.file = slash + 1;
    return frame_text(&brief);
}

/* The text mostly says the type: "<Row>", "'abc'", "42"; its type stands beside it where it does
 * not. */
static bool shows_type(const struct fi_local *local)
{
    static const char *const plain[] = {"str", "int", "float", "bool", "NoneType", "bytes"};
    const char *last = strrchr(local->type, '.') ? strrchr(local->type, '.') + 1 : local->type;
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (!strcmp(local->type, plain[i]))
            return true;
    return local->text && strstr(local->text, last);
}

static void locals(struct rp_paper *paper, const struct fi_frame *frame)
{
    enum { WORTH_SAYING = 1000 }; /* bytes */
    for (uint32_t i = 0; i < frame->local_count; i++) {
        const struct fi_local *local = &frame->locals[i];
        bool type = !shows_type(local), size = local->retained_bytes >= WORTH_SAYING;
        DF_CLEANUP_FREE char *line =
            df_xasprintf("%s = %s%s%s%s%s", local->name, local->text ? local->text : "?",
                         type ? "  " : "", type ? local->type : "", size ? "  retains " : "",
                         size ? fi_bytes_phrase(local->retained_bytes).text : "");
        DF_CLEANUP_FREE char *clipped = rp_clip(line, paper->width - 8, false);
        fputs("        ", paper->stream);
        rp_put(paper, RP_DIM, clipped);
        fputc('\n', paper->stream);
    }
}

/* "waits for the GIL"; NULL when nothing is known. */
static char *wait_text(const struct fi_wait *wait)
{
    if (wait->text)
        return df_xasprintf("waits for %s", wait->text);
    if (wait->doing)
        return df_xstrdup(wait->doing);
    return wait->call ? df_xasprintf("is in the system call %s", wait->call) : NULL;
}

static void exception(struct rp_paper *paper, const struct fi_exception *exception)
{
    DF_CLEANUP_FREE char *line =
        df_xasprintf("%s %s", exception->raised ? "raises" : "handles", exception->text);
    rp_wrap(paper, "  ", RP_YELLOW, line);
    for (uint32_t i = 0; i < exception->frame_count; i++) {
        DF_CLEANUP_FREE char *text = frame_text(&exception->frames[i]);
        DF_CLEANUP_FREE char *clipped = rp_clip(text, paper->width - 6, true);
        rp_line(paper, "      %s", clipped);
    }
    if (exception->note)
        rp_wrap(paper, "      ", RP_PLAIN, exception->note);
}

static char *native_text(const struct fi_native_frame *frame)
{
    unsigned long long offset = frame->offset;
    if (!frame->module)
        return df_xasprintf("0x%llx in no file", (unsigned long long)frame->pc);
    if (!frame->symbol)
        return df_xasprintf("%s+0x%llx", frame->module, offset);
    return df_xasprintf("%s+0x%llx in %s", frame->symbol, offset, frame->module);
}

static void native(struct rp_paper *paper, const struct fi_thread *thread)
{
    if (!thread->native_count)
        return;
    rp_line(paper, "    native:");
    for (uint32_t i = 0; i < thread->native_count; i++) {
        DF_CLEANUP_FREE char *text = native_text(&thread->native[i]);
        DF_CLEANUP_FREE char *clipped = rp_clip(text, paper->width - 8, true);
        rp_line(paper, "      %s", clipped);
    }
    if (thread->native_total > thread->native_count)
        rp_line(paper, "      … %s more (--limit 0)",
                fi_number_phrase(thread->native_total - thread->native_count).text);
}

static void in_full(struct rp_paper *paper, const struct fi_verdict *verdict,
                    const struct fi_thread *thread)
{
    DF_CLEANUP_FREE char *title = thread_title(verdict, thread);
    DF_CLEANUP_FREE char *wait = wait_text(&thread->wait);
    rp_put(paper, RP_BOLD, title);
    fputc('\n', paper->stream);
    if (wait)
        rp_wrap(paper, "  ", RP_CYAN, wait);
    for (uint32_t i = 0; i < thread->exception_count; i++)
        exception(paper, &thread->exceptions[i]);
    for (uint32_t i = 0; i < thread->frame_count; i++) {
        DF_CLEANUP_FREE char *text = frame_text(&thread->frames[i]);
        DF_CLEANUP_FREE char *clipped = rp_clip(text, paper->width - 4, true);
        rp_line(paper, "    %s", clipped);
        locals(paper, &thread->frames[i]);
    }
    if (!thread->frame_count)
        rp_line(paper, "    no Python frames");
    native(paper, thread);
}

/* The innermost frame that somebody wrote: of a thread in the library's wait() or get() that says
 * more than the library does. */
static const struct fi_frame *telling_frame(const struct fi_thread *thread)
{
    for (uint32_t i = 0; i < thread->frame_count; i++) {
        const char *file = thread->frames[i].file;
        if (file && !strstr(file, "/lib/python") && !strstr(file, "/Lib/") && file[0] != '<')
            return &thread->frames[i];
    }
    return thread->frame_count ? &thread->frames[0] : NULL;
}

static void in_brief(struct rp_paper *paper, const struct fi_verdict *verdict)
{
    static const struct rp_column columns[] = {
        {.name = "name", .least = 12, .middle = true},
        {.name = "native id", .right = true},
        {.name = "GIL"},
        {.name = "waits for", .least = 24, .middle = true},
        {.name = "at", .ink = RP_CYAN, .least = 20, .middle = true},
    };
    struct rp_table table;
    rp_table_init(&table, columns, 5);
    uint32_t shown = rp_shown(paper, verdict->thread_count);
    for (uint32_t i = 0; i < shown; i++) {
        const struct fi_thread *thread = &verdict->threads[i];
        const struct fi_frame *telling = telling_frame(thread);
        DF_CLEANUP_FREE char *id = df_xasprintf("%lld", (long long)thread->native_id);
        const struct fi_wait *wait = &thread->wait;
        DF_CLEANUP_FREE char *at = telling ? frame_brief(telling) : df_xstrdup("no Python frames");
        rp_cell(&table, thread_name(verdict, thread));
        rp_cell(&table, id);
        rp_cell(&table, thread->holds_gil ? "held" : "");
        rp_cell(&table, wait->text ? wait->text : wait->doing ? wait->doing : "");
        rp_cell(&table, at);
    }
    rp_table_print(paper, &table);
    rp_left_out(paper, shown, verdict->thread_count, "threads (necropy threads)");
}

void rp_text_threads(struct rp_paper *paper, const struct fi_verdict *verdict, bool all)
{
    if (!all) {
        rp_heading(paper, "Threads", "necropy threads shows all frames with their locals");
        in_brief(paper, verdict);
        return;
    }
    uint32_t shown = rp_shown(paper, verdict->thread_count);
    for (uint32_t i = 0; i < shown; i++) {
        if (i)
            fputc('\n', paper->stream);
        in_full(paper, verdict, &verdict->threads[i]);
    }
    rp_left_out(paper, shown, verdict->thread_count, "threads");
    if (!verdict->thread_count)
        rp_line(paper, "No Python threads.");
    else if (verdict->native_note) {
        fputc('\n', paper->stream);
        rp_wrap(paper, "", RP_DIM, verdict->native_note);
    }
}

void rp_text_memory(struct rp_paper *paper, const struct fi_verdict *verdict)
{
    static const struct rp_column columns[] = {
        {.name = "bytes", .right = true}, {.name = "share", .right = true}, {.name = "what"}};
    const struct fi_memory *memory = &verdict->memory;
    struct rp_table table;
    rp_table_init(&table, columns, 3);
    for (uint32_t i = 0; i < memory->row_count; i++) {
        rp_cell_bytes(&table, memory->rows[i].bytes);
        rp_cell_percent(&table, memory->rows[i].bytes, memory->total);
        rp_cell(&table, memory->rows[i].name);
    }
    DF_CLEANUP_FREE char *note =
        df_xasprintf("the %s of the core file", fi_bytes_phrase(memory->total).text);
    rp_heading(paper, "Memory", note);
    rp_table_print(paper, &table);
    if (memory->summary)
        rp_wrap(paper, "  ", RP_PLAIN, memory->summary);
    if (memory->note)
        rp_wrap(paper, "  ", RP_PLAIN, memory->note);
}

static void counts(struct rp_paper *paper, const char *label, const struct fi_count *rows,
                   uint32_t count)
{
    if (!count)
        return;
    char *text = df_xasprintf("%s: ", label);
    for (uint32_t i = 0; i < count; i++) {
        char *longer = df_xasprintf("%s%s%s %s", text, i ? ", " : "", rows[i].name,
                                    fi_number_phrase(rows[i].count).text);
        free(text);
        text = longer;
    }
    rp_wrap(paper, "  ", RP_PLAIN, text);
    free(text);
}

static void summary(struct rp_paper *paper, const struct fi_coverage *coverage)
{
    char *text = df_xasprintf("Read %s objects and %s references; %s.",
                              fi_number_phrase(coverage->objects).text,
                              fi_number_phrase(coverage->references).text,
                              coverage->complete ? "complete" : "not complete");
    if (coverage->conservative_type_count) {
        char *longer = df_xasprintf("%s %s type%s could only be scanned, not read exactly.", text,
                                    fi_number_phrase(coverage->conservative_type_count).text,
                                    coverage->conservative_type_count == 1 ? "" : "s");
        free(text);
        text = longer;
    }
    rp_wrap(paper, "  ", coverage->complete ? RP_PLAIN : RP_YELLOW, text);
    free(text);
}

/* A clause as a sentence of its own. */
static void sentence(struct rp_paper *paper, const char *clause)
{
    char *text = df_xasprintf("%c%s.", clause[0] - 'a' + 'A', clause + 1);
    rp_wrap(paper, "  ", RP_YELLOW, text);
    free(text);
}

static void deficit(struct rp_paper *paper, const struct fi_balance *balance)
{
    if (!balance->deficit || !balance->reliable)
        return;
    char *text = df_xasprintf("%s object%s fewer references than were found (one at 0x%llx): a "
                              "mistake of this analysis, or memory that the process had damaged.",
                              fi_number_phrase(balance->deficit).text,
                              balance->deficit == 1 ? " counts" : "s count",
                              (unsigned long long)balance->deficit_example);
    rp_wrap(paper, "  ", RP_YELLOW, text);
    free(text);
}

/* What counts as explained although nobody has it. */
static void losses(struct rp_paper *paper, const struct fi_balance *balance)
{
    if (balance->lost_by_cpython)
        rp_line(paper, "  %s reference%s lost by CPython itself, a mistake of this version.",
                fi_number_phrase(balance->lost_by_cpython).text,
                balance->lost_by_cpython == 1 ? " was" : "s were");
    if (balance->lost_on_import)
        rp_line(paper, "  %s reference%s lost by Cython's modules when they were imported.",
                fi_number_phrase(balance->lost_on_import).text,
                balance->lost_on_import == 1 ? " was" : "s were");
}

void rp_text_coverage(struct rp_paper *paper, const struct fi_verdict *verdict, bool all)
{
    const struct fi_coverage *coverage = &verdict->coverage;
    rp_heading(paper, "Coverage", NULL);
    summary(paper, coverage);
    if (coverage->cut)
        sentence(paper, coverage->cut);
    if (verdict->core.left_out_bytes)
        rp_line(paper, "  %s of writable memory were left out when the core was written.",
                fi_bytes_phrase(verdict->core.left_out_bytes).text);
    counts(paper, "Not read", coverage->unreadable, coverage->unreadable_count);
    deficit(paper, &coverage->balance);
    if (coverage->verified)
        rp_wrap(paper, "  ", RP_PLAIN, coverage->verified);
    if (coverage->emulator_note)
        rp_wrap(paper, "  ", RP_PLAIN, coverage->emulator_note);
    for (uint32_t i = 0; i < verdict->core.missing_file_count; i++)
        if (all || i < 3)
            rp_line(paper, "  %s", verdict->core.missing_files[i]);
    if (!all)
        rp_left_out(paper, 3, verdict->core.missing_file_count, "missing files (necropy memory)");
    if (!all)
        return;
    losses(paper, &coverage->balance);
    counts(paper, "Objects", coverage->by_source, coverage->by_source_count);
    counts(paper, "References", coverage->by_reference_kind, coverage->by_reference_kind_count);
    counts(paper, "Walked", coverage->by_walk, coverage->by_walk_count);
    counts(paper, "Scanned conservatively", coverage->conservative_types,
           coverage->conservative_type_count);
}
