package protocol;

import exactjson.Json;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a host provides: namespaces with manifests and services, and registries that inherit others.
 *
 * <p>A mistake of the programmer is refused by an IllegalArgumentException, where it is made.
 */
public final class Registry {
    /** A service throws it to fail with exactly this text. */
    public static final class ServiceFailure extends Exception {
        public ServiceFailure(String text) {
            super(text);
        }
    }

    /** What a service does; any RuntimeException is a panic. */
    public interface Function {
        List<Object> call(List<Object> args) throws ServiceFailure;
    }

    record Service(Signature signature, Function function) {}

    record Namespace(Object manifest, Map<String, Service> services) {}

    private final Registry parent;
    private final Map<String, Namespace> namespaces = new HashMap<>();

    /** A registry that inherits another one, or none (null). */
    public Registry(Registry parent) {
        this.parent = parent;
    }

    /** Define a namespace. */
    public void define(String namespace, Object manifest) {
        if (namespaces.containsKey(namespace)) {
            throw new IllegalArgumentException("the namespace \"" + namespace + "\" is defined already");
        }
        Json.write(manifest); // refuses what JSON cannot carry
        namespaces.put(namespace, new Namespace(manifest, new TreeMap<>()));
    }

    /** Add a service to a namespace of this registry. */
    public void add(String namespace, String name, List<Object> params, List<Object> results, Function function) {
        if (function == null) {
            throw new IllegalArgumentException("the service \"" + name + "\" is null, not a function");
        }
        Service service = new Service(new Signature("the service " + name, params, results), function);
        Namespace found = namespaces.get(namespace);
        if (found == null) {
            String only = find(namespace) == null ? "" : " in this registry, only in its parent";
            throw new IllegalArgumentException("undefined namespace \"" + namespace + "\"" + only);
        }
        if (found.services.putIfAbsent(name, service) != null) {
            throw new IllegalArgumentException("\"" + namespace + "\" has a service \"" + name + "\" already");
        }
    }

    /** The namespace, here or in a parent; null where there is none. */
    Namespace find(String namespace) {
        Namespace found = namespaces.get(namespace);
        return found == null && parent != null ? parent.find(namespace) : found;
    }
}
