/* SPDX-License-Identifier: MIT
 * text_tasks.c: asyncio's tasks as text: a group of alike ones a paragraph.
 */
#include <string.h>

#include "analyzer/report/sections.h"
#include "dumpfmt/base/mem.h"

static char *summary(const struct fi_tasks *tasks)
{
    char *text = df_xasprintf("%s pending", fi_number_phrase(tasks->pending).text);
    const struct {
        uint64_t count;
        const char *what;
    } others[] = {
        {tasks->finished, "finished"}, {tasks->failed, "failed"}, {tasks->cancelled, "cancelled"}};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        if (!others[i].count)
            continue;
        char *longer =
            df_xasprintf("%s, %s %s", text, fi_number_phrase(others[i].count).text, others[i].what);
        free(text);
        text = longer;
    }
    return text;
}

/* "waiting for a future" or "failed: ValueError('x')". */
static char *condition(const struct fi_task_group *group)
{
    if (group->awaits)
        return df_xasprintf("wait%s for %s", group->count == 1 ? "s" : "", group->awaits);
    if (group->error)
        return df_xasprintf("%s: %s", group->state, group->error);
    return df_xstrdup(group->state);
}

static void title(struct rp_paper *paper, const struct fi_task_group *group)
{
    DF_CLEANUP_FREE char *what = condition(group);
    const char *name = group->example_count && group->count == 1 ? group->names[0] : NULL;
    DF_CLEANUP_FREE char *count =
        name ? df_xstrdup(name)
             : df_xasprintf("%s task%s", fi_number_phrase(group->count).text,
                            group->count == 1 ? "" : "s");
    DF_CLEANUP_FREE char *line =
        df_xasprintf("%s `%s`: %s (%s)", count, group->coroutine ? group->coroutine : "?", what,
                     fi_bytes_phrase(group->retained_bytes).text);
    rp_wrap(paper, "  ", RP_BOLD, line);
}

static void stack(struct rp_paper *paper, const struct fi_task_group *group)
{
    for (uint32_t i = 0; i < group->stack_count; i++) {
        const struct fi_frame *frame = &group->stack[i];
        DF_CLEANUP_FREE char *line = df_xasprintf("%s at %s:%d", frame->function,
                                                  frame->file ? frame->file : "?", frame->line);
        DF_CLEANUP_FREE char *clipped = rp_clip(line, paper->width - 4, true);
        rp_line(paper, "    %s", clipped);
    }
    if (group->orphans)
        rp_line(paper, "    nothing else knows the future that %s: %s can never go on",
                group->count == 1 ? "it waits for" : "each waits for",
                group->count == 1 ? "it" : "they");
}

void rp_text_tasks(struct rp_paper *paper, const struct fi_verdict *verdict, bool all)
{
    const struct fi_tasks *tasks = &verdict->tasks;
    if (!tasks->count) {
        if (all)
            rp_line(paper, "No asyncio tasks.");
        return;
    }
    DF_CLEANUP_FREE char *note = summary(tasks);
    rp_heading(paper, "Tasks", note);
    uint32_t shown = rp_shown(paper, tasks->group_count);
    for (uint32_t i = 0; i < shown; i++) {
        title(paper, &tasks->groups[i]);
        if (all)
            stack(paper, &tasks->groups[i]);
    }
    rp_left_out(paper, shown, tasks->group_total, "groups of tasks (necropy tasks)");
}
