/*
 * The testee contract: what the suite asks of an implementation. A value is JSON text, see json.h; so no digit is lost.
 *
 * Each function appends to `out`: for OK the JSON text of the result, otherwise plain text that says what happened.
 */
#ifndef CONTRACT_H
#define CONTRACT_H

#include "buffer.h"
#include "json.h"

enum outcome {
    OK,
    FAILED,      /* an ordinary error: exactly the text that the implementation gives its caller */
    REFUSED,     /* a mistake of the programmer, or a panic */
    UNSUPPORTED, /* the implementation, or this testee, cannot do it */
};

/* --- the plugin side: plugin.c */

extern const char *const SCHEMES[], *const PLUGIN_TYPES[], *const PLUGIN_FEATURES[]; /* up to a null */

/* A service: strings with their quotes, and arrays of types. A type is a string, or an object with one member. */
struct target {
    struct span namespace, name, params, results;
};

void plugin_start(int count, char *const urls[]);
enum outcome plugin_call(const struct target *of, struct span args, struct buffer *out); /* an array of results */
enum outcome plugin_has_namespace(struct span namespace, struct buffer *out);            /* a boolean */
enum outcome plugin_get_manifest(struct span namespace, struct buffer *out);             /* any value */
enum outcome plugin_list_services(struct span namespace, struct buffer *out);            /* an array of strings */
enum outcome plugin_hosted(struct buffer *out);                                          /* a boolean */
/* Makes a typed consumer without calling it, or commits a misuse of the consumer (a string, or of size 0). */
enum outcome plugin_bind(const struct target *of, struct span misuse, struct buffer *out);
/* Calls a stub whose local function returns its arguments in reverse. */
enum outcome plugin_fallback(const struct target *of, struct span args, struct buffer *out);

void run_control(int argc, char **argv); /* control.c: carries out instructions, and ends the process */

/* --- the host side: host.c */

extern const char *const BINDS[], *const HOST_TYPES[], *const HOST_FEATURES[];

/*
 * Runs a plugin: discovers the executable argv[0] by its info, binds the registry over `bind` (the default if null),
 * executes its command of type conformance-plugin with the arguments behind, and waits for it. Returns 0 if the plugin
 * exited 0 and the connection ended without a protocol error; otherwise `problem` has one line that says what happened.
 */
int run_host(const char *bind, char **argv, struct buffer *problem);

/* What a service does with the array of its arguments, which the implementation has checked. */
typedef enum outcome service(struct span args, struct buffer *out);

/* The registry of the contract (services.c): a child that inherits a parent. Besides, there is an echo_T for each type. */
struct provided {
    const char *name, *params, *results; /* arrays of types */
    service *run;
};
struct namespace {
    const char *name, *manifest; /* JSON */
    const struct provided *services;
};
extern const struct namespace PARENT[], CHILD[]; /* up to one without a name */
service echo;

/* --- misuse: misuse.c */

/* The function makes the mistake. The implementation refuses it by ending the process with a message. */
struct kind {
    const char *name;
    void (*commit)(void);
};
extern const struct kind KINDS[]; /* up to one without a name */

#endif
