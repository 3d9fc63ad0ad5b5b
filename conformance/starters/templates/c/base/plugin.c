/* The plugin side of your implementation. */
#include "contract.h"

/*
 * YOUR IMPLEMENTATION: declare what it can do, and call it in the functions below, which contract.h explains. What is not
 * there answers UNSUPPORTED.
 */

const char *const SCHEMES[] = {NULL};         /* of URLs that it opens: "file", "unix", ... */
const char *const PLUGIN_TYPES[] = {NULL};    /* that stand in a signature: "any", "bool", "string", "int64", ... */
const char *const PLUGIN_FEATURES[] = {NULL}; /* "concurrent", "single-url", "fallback", "control-fd", "prototypes" */

static enum outcome missing(const char *what, struct buffer *out) {
    put_text(out, what);
    return UNSUPPORTED;
}

void plugin_start(int count, char *const urls[]) {
    (void)count, (void)urls;
}

enum outcome plugin_call(const struct target *of, struct span args, struct buffer *out) {
    (void)of, (void)args;
    return missing("call", out);
}

enum outcome plugin_has_namespace(struct span namespace, struct buffer *out) {
    (void)namespace;
    return missing("hasNamespace", out);
}

enum outcome plugin_get_manifest(struct span namespace, struct buffer *out) {
    (void)namespace;
    return missing("getManifest", out);
}

enum outcome plugin_list_services(struct span namespace, struct buffer *out) {
    (void)namespace;
    return missing("listServices", out);
}

enum outcome plugin_hosted(struct buffer *out) {
    return missing("hosted", out);
}

enum outcome plugin_bind(const struct target *of, struct span misuse, struct buffer *out) {
    (void)of, (void)misuse;
    return missing("bind", out);
}

enum outcome plugin_fallback(const struct target *of, struct span args, struct buffer *out) {
    (void)of, (void)args;
    return missing("fallback", out);
}
