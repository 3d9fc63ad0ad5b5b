package testee;

import java.util.List;

/**
 * What the suite asks of a plugin; what a Plugin does not write is unsupported. Values are in their JSON form, see Json.
 * A type is a name, or a Map with one member: "int64", {"list": "int64"}.
 */
public interface PluginSide {
    /** Make a typed consumer of a service and call it; returns the results. */
    default List<Object> call(String namespace, String name, List<Object> params, List<Object> results, List<Object> args)
            throws Failure {
        throw new Failure.Unsupported("call");
    }

    /** Whether the host has a namespace. */
    default boolean hasNamespace(String namespace) throws Failure {
        throw new Failure.Unsupported("hasNamespace");
    }

    /** The manifest of a namespace. */
    default Object getManifest(String namespace) throws Failure {
        throw new Failure.Unsupported("getManifest");
    }

    /** The services of a namespace. */
    default List<String> listServices(String namespace) throws Failure {
        throw new Failure.Unsupported("listServices");
    }

    /** Whether the plugin was started by a host. */
    default boolean hosted() throws Failure {
        throw new Failure.Unsupported("hosted");
    }

    /** Make a typed consumer without calling it, or commit a misuse of the consumer (null for none). */
    default void bind(String namespace, String name, List<Object> params, List<Object> results, String misuse)
            throws Failure {
        throw new Failure.Unsupported("bind");
    }

    /** Call a stub whose local function returns its arguments in reverse. */
    default List<Object> fallback(String namespace, String name, List<Object> args) throws Failure {
        throw new Failure.Unsupported("fallback");
    }
}
