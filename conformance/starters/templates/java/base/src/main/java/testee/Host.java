package testee;

import java.util.List;

/** The host side of your implementation. */
public final class Host {
    // YOUR IMPLEMENTATION: declare what it can do, and write `run` with it.
    // Services has the registry: parent() and child(TYPES) are namespaces with manifests and functions.

    public static final List<String> BINDS = List.of(); // ways to offer a connection, the default first: "fifo", ...
    public static final List<String> TYPES = List.of(); // in signatures; the registry has an echo_T for each
    public static final List<String> FEATURES = List.of(); // "concurrent"

    /**
     * Run a plugin: discover the executable by its info, bind the registry over the bind (the default if null), execute
     * its command of type conformance-plugin with the arguments, and wait for it. Returns null if the plugin exited 0 and
     * the connection ended without a protocol error, and otherwise one line that says what happened.
     */
    public static String run(String bind, String plugin, List<String> args) {
        return "this testee has no host side yet";
    }

    private Host() {}
}
