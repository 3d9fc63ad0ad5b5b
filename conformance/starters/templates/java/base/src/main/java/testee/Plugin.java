package testee;

import java.util.List;

/** The plugin side of your implementation. */
public final class Plugin implements PluginSide {
    // YOUR IMPLEMENTATION: declare what it can do, and call it in the methods of PluginSide that you write here.
    // Throw Failure.CallError for an ordinary error, Failure.Refusal where it refuses a mistake, Failure.Unsupported
    // for what it cannot do.

    public static final List<String> SCHEMES = List.of(); // of URLs that it opens: "file", "unix", ...
    public static final List<String> TYPES = List.of(); // in signatures: "any", "bool", "string", "int64", "point", ...
    public static final List<String> FEATURES = List.of(); // "concurrent", "single-url", "fallback", "prototypes"

    /** A plugin that was started with these URLs. */
    public Plugin(List<String> urls) {}
}
