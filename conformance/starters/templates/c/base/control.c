/* The plugin side of the contract: instructions in, outcomes out, one JSON object a line. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "contract.h"

enum { GRACE_MS = 250 }; /* for running instructions to end after the last one was read */

/* A line of instructions, in the order in which they came. */
struct line {
    struct line *next;
    char *text;
    size_t size;
};

/* The members of an instruction; those that are absent have size 0. */
struct instruction {
    struct span id, op, async, args, misuse, code;
    struct target target;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for what follows */
static pthread_cond_t changed;
static struct line *first, **last = &first;
static int unfinished;

static FILE *outcomes;
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;

static void count(int step) {
    pthread_mutex_lock(&lock);
    unfinished += step;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void tell(struct span id, enum outcome outcome, struct buffer *out) {
    static const char *const NAMES[] = {"ok", "error", "panic", "unsupported"};
    struct buffer line = {0};
    put_text(&line, "{\"id\":");
    if (id.size) put(&line, id.bytes, id.size);
    else put_text(&line, "null");
    put_format(&line, ",\"%s\":", NAMES[outcome]);
    put(out, "", 1); /* the end of a text */
    if (outcome == OK) put_text(&line, out->bytes);
    else put_quoted(&line, out->bytes);
    put_text(&line, "}\n");
    pthread_mutex_lock(&writing);
    fwrite(line.bytes, 1, line.size, outcomes);
    fflush(outcomes);
    pthread_mutex_unlock(&writing);
    release(&line);
    release(out);
    count(-1);
}

static struct instruction read_instruction(struct span line) {
    struct instruction in = {0};
    const struct { const char *name; struct span *place; } members[] = {
        {"id", &in.id}, {"op", &in.op}, {"async", &in.async}, {"args", &in.args}, {"misuse", &in.misuse},
        {"code", &in.code}, {"namespace", &in.target.namespace}, {"name", &in.target.name},
        {"params", &in.target.params}, {"results", &in.target.results}, {0}};
    struct span key, value;
    while (next_member(&line, &key, &value))
        for (int i = 0; members[i].name; i++)
            if (says(key, members[i].name)) *members[i].place = value;
    return in;
}

/* Carries out one instruction; `out` gets what belongs to its outcome. */
static enum outcome perform(const struct instruction *in, struct buffer *out) {
    if (says(in->op, "call")) return plugin_call(&in->target, in->args, out);
    if (says(in->op, "hasNamespace")) return plugin_has_namespace(in->target.namespace, out);
    if (says(in->op, "getManifest")) return plugin_get_manifest(in->target.namespace, out);
    if (says(in->op, "listServices")) return plugin_list_services(in->target.namespace, out);
    if (says(in->op, "hosted")) return plugin_hosted(out);
    if (says(in->op, "bind")) return plugin_bind(&in->target, in->misuse, out);
    if (says(in->op, "fallback")) return plugin_fallback(&in->target, in->args, out);
    if (says(in->op, "exit")) {
        int64_t code = 0;
        to_int64(in->code, &code);
        _exit((int)code);
    }
    put_text(out, "the op ");
    put(out, in->op.bytes, in->op.size);
    return UNSUPPORTED;
}

static void *carry_out(void *context) {
    struct line *line = context;
    struct instruction in = read_instruction((struct span){line->text, line->size});
    struct buffer out = {0};
    enum outcome outcome = perform(&in, &out);
    tell(in.id, outcome, &out);
    free(line->text);
    free(line);
    return NULL;
}

/* Whether a line is an object that can be read. */
static bool is_whole(const struct line *line) {
    struct scanner *scanner = allocate(sizeof *scanner);
    memset(scanner, 0, sizeof *scanner);
    size_t used;
    bool whole = scan(scanner, line->text, line->size, &used) == SCAN_DONE;
    free(scanner);
    return whole;
}

/* The id of a line that cannot be read as a whole. */
static struct span id_of(const struct line *line) {
    const char *found = memmem(line->text, line->size, "\"id\":", 5);
    if (!found) return (struct span){0};
    found += 5 + strspn(found + 5, " ");
    return (struct span){found, strspn(found, "0123456789")};
}

/* One instruction after the other; those with `async` run in threads of their own. */
static void *work(void *context) {
    (void)context;
    for (;;) {
        pthread_mutex_lock(&lock);
        while (!first) pthread_cond_wait(&changed, &lock);
        struct line *line = first;
        first = line->next;
        if (!first) last = &first;
        pthread_mutex_unlock(&lock);
        if (!is_whole(line)) {
            struct buffer out = {0};
            put_text(&out, "the instruction cannot be read");
            tell(id_of(line), FAILED, &out);
            continue;
        }
        struct instruction in = read_instruction((struct span){line->text, line->size});
        pthread_t thread;
        if (is_kind(in.async, 't') && !pthread_create(&thread, NULL, carry_out, line)) pthread_detach(thread);
        else carry_out(line);
    }
    return NULL;
}

void run_control(int argc, char **argv) {
    char **urls = allocate((size_t)(argc + 1) * sizeof *urls);
    int url_count = 0, reader = 0, writer = 1;
    for (int i = 0; i + 1 < argc; i++)
        if (!strcmp(argv[i], "--host")) urls[url_count++] = argv[i + 1];
    const char *named = getenv("CONFORMANCE_CONTROL");
    if (named) sscanf(named, "%d,%d", &reader, &writer);
    FILE *instructions = fdopen(reader, "r");
    outcomes = fdopen(writer, "w");
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &monotonic);
    plugin_start(url_count, urls);
    pthread_t worker;
    if (!instructions || !outcomes || pthread_create(&worker, NULL, work, NULL)) _exit(70);
    for (;;) {
        struct line *line = allocate(sizeof *line);
        *line = (struct line){0};
        size_t room = 0;
        ssize_t size = getline(&line->text, &room, instructions);
        if (size < 0) break;
        line->size = (size_t)size;
        count(1);
        pthread_mutex_lock(&lock);
        *last = line;
        last = &line->next;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += GRACE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&lock);
    while (unfinished && !pthread_cond_timedwait(&changed, &lock, &until)) continue;
    _exit(0); /* whatever is still going on */
}
