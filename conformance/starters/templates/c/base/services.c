/* The registry that the contract demands of the host side, as plain data and functions. */
#define _GNU_SOURCE
#include <stdio.h>
#include <time.h>

#include "contract.h"

/* The items of an array; the implementation has checked how many there are. */
static void items(struct span array, int count, struct span *to) {
    for (int i = 0; i < count; i++)
        if (!next_item(&array, &to[i])) to[i] = (struct span){0};
}

static void put_array(struct buffer *to, struct span one, struct span two) {
    put_text(to, "[");
    put(to, one.bytes, one.size);
    if (two.size) put_text(to, ",");
    put(to, two.bytes, two.size);
    put_text(to, "]");
}

enum outcome echo(struct span args, struct buffer *out) {
    put(out, args.bytes, args.size);
    return OK;
}

static enum outcome add(struct span args, struct buffer *out) {
    struct span number[2];
    int64_t a = 0, b = 0;
    items(args, 2, number);
    to_int64(number[0], &a);
    to_int64(number[1], &b);
    put_format(out, "[%lld]", (long long)((uint64_t)a + (uint64_t)b));
    return OK;
}

static enum outcome swap(struct span args, struct buffer *out) {
    struct span value[2];
    items(args, 2, value);
    put_array(out, value[1], value[0]);
    return OK;
}

static enum outcome none(struct span args, struct buffer *out) {
    (void)args;
    put_text(out, "[]");
    return OK;
}

static enum outcome fail(struct span args, struct buffer *out) {
    struct span text;
    items(args, 1, &text);
    put_unescaped(out, text);
    return FAILED;
}

static enum outcome fail_after(struct span args, struct buffer *out) {
    struct span text[2];
    items(args, 2, text);
    put_unescaped(out, text[1]);
    return FAILED;
}

static enum outcome panic(struct span args, struct buffer *out) {
    fail(args, out);
    return REFUSED;
}

static enum outcome pause_for(struct span args, struct buffer *out) {
    struct span number;
    int64_t milliseconds = 0;
    items(args, 1, &number);
    to_int64(number, &milliseconds);
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
    return echo(args, out);
}

static enum outcome blob(struct span args, struct buffer *out) {
    struct span number;
    int64_t size = 0;
    items(args, 1, &number);
    to_int64(number, &size);
    put_text(out, "[\"");
    while (size-- > 0) put(out, "x", 1);
    put_text(out, "\"]");
    return OK;
}

static enum outcome unserializable(struct span args, struct buffer *out) {
    (void)args;
    put_text(out, "[NaN]"); /* which is no JSON: the implementation has to refuse it */
    return OK;
}

static enum outcome says_parent(struct span args, struct buffer *out) {
    (void)args;
    put_text(out, "[\"parent\"]");
    return OK;
}

static enum outcome says_child(struct span args, struct buffer *out) {
    (void)args;
    put_text(out, "[\"child\"]");
    return OK;
}

static enum outcome says_hidden(struct span args, struct buffer *out) {
    (void)args;
    put_text(out, "[\"hidden\"]");
    return OK;
}

#define ANY "[\"any\"]"
#define TEXT "[\"string\"]"
#define INTEGER "[\"int64\"]"

static const struct provided CONFORMANCE[] = {
    {"echo", ANY, ANY, echo},
    {"add", "[\"int64\",\"int64\"]", INTEGER, add},
    {"swap", "[\"any\",\"any\"]", "[\"any\",\"any\"]", swap},
    {"none", "[]", "[]", none},
    {"fail", TEXT, "[]", fail},
    {"fail_after", "[\"string\",\"string\"]", TEXT, fail_after},
    {"panic", TEXT, "[]", panic},
    {"sleep", INTEGER, INTEGER, pause_for},
    {"blob", INTEGER, TEXT, blob},
    {"unserializable", "[]", ANY, unserializable},
    {0}};
static const struct provided NO_SERVICES[] = {{0}};
static const struct provided OF_PARENT[] = {{"where", "[]", TEXT, says_parent}, {0}};
static const struct provided SHADOWED[] = {{"where", "[]", TEXT, says_parent}, {"hidden", "[]", TEXT, says_hidden}, {0}};
static const struct provided SHADOWING[] = {{"where", "[]", TEXT, says_child}, {0}};

const struct namespace PARENT[] = {
    {"conformance/parent", "{\"layer\":\"parent\"}", OF_PARENT},
    {"conformance/shadow", "{\"layer\":\"parent\"}", SHADOWED},
    {0}};

const struct namespace CHILD[] = {
    {"conformance", "{\"contract\":1}", CONFORMANCE},
    {"conformance/empty", "null", NO_SERVICES},
    {"conformance/shadow", "{\"layer\":\"child\"}", SHADOWING},
    {0}};
