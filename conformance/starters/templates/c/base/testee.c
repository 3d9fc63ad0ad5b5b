/* The testee: the program that the conformance suite starts. It needs no change; see README.md. */
#include <stdio.h>
#include <string.h>

#include "contract.h"

static void put_list(struct buffer *to, const char *key, const char *const *names) {
    put_format(to, ",\"%s\":[", key);
    for (int i = 0; names[i]; i++) put_format(to, "%s\"%s\"", i ? "," : "", names[i]);
    put_text(to, "]");
}

static void begin_command(struct buffer *to, const char *kind) {
    put_format(to, "{\"path\":[\"%s\"],\"type\":\"%s\",\"data\":{\"contract\":1", kind, kind);
}

/* What the testee can do, as the three sides declare it. */
static void info(void) {
    struct buffer b = {0};
    put_text(&b, "{\"manifestVersion\":1,\"name\":\"@NAME@\",\"version\":\"0.1.0\",\"author\":\"\","
                 "\"description\":\"A testee of the conformance suite.\",\"tags\":[],\"commands\":[");
    begin_command(&b, "conformance-plugin");
    put_list(&b, "schemes", SCHEMES);
    put_list(&b, "types", PLUGIN_TYPES);
    put_list(&b, "features", PLUGIN_FEATURES);
    put_text(&b, "}},");
    begin_command(&b, "conformance-host");
    put_list(&b, "binds", BINDS);
    put_list(&b, "types", HOST_TYPES);
    put_list(&b, "features", HOST_FEATURES);
    put_text(&b, "}},");
    begin_command(&b, "conformance-panic");
    put_text(&b, ",\"kinds\":[");
    for (int i = 0; KINDS[i].name; i++) put_format(&b, "%s\"%s\"", i ? "," : "", KINDS[i].name);
    put_text(&b, "]}}]}\n");
    fwrite(b.bytes, 1, b.size, stdout);
    release(&b);
}

static int host(char **words) {
    const char *bind = NULL;
    if (!strcmp(words[0], "--bind") && words[1] && words[2]) {
        bind = words[1];
        words += 2;
    }
    struct buffer problem = {0};
    int status = run_host(bind, words, &problem);
    if (status) fprintf(stderr, "%.*s\n", (int)problem.size, problem.bytes);
    return status;
}

static int misuse(const char *kind) {
    for (int i = 0; KINDS[i].name; i++) {
        if (strcmp(KINDS[i].name, kind)) continue;
        KINDS[i].commit();
        puts("survived");
        return 0;
    }
    printf("unsupported: the misuse %s\n", kind);
    return 0;
}

int main(int argc, char **argv) {
    const char *command = argc > 1 ? argv[1] : "";
    if (!strcmp(command, "info") && argc == 2) info();
    else if (!strcmp(command, "conformance-plugin")) run_control(argc - 2, argv + 2);
    else if (!strcmp(command, "conformance-host") && argc > 2) return host(argv + 2);
    else if (!strcmp(command, "conformance-panic") && argc == 3) return misuse(argv[2]);
    else {
        fputs("usage: testee info | conformance-plugin | conformance-host | conformance-panic [ARGUMENT...]\n", stderr);
        return 2;
    }
    return 0;
}
