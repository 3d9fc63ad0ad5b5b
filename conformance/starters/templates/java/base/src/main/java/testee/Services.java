package testee;

import exactjson.Json;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * The registry that the contract demands of the host side, as plain data and functions.
 *
 * <p>Values are in their JSON form here: bytes are base64 text, a point is a Map, an optional is null or its value.
 */
public final class Services {
    /** A service fails with exactly this text. */
    public static final class ServiceError extends Exception {
        public ServiceError(String text) {
            super(text);
        }
    }

    /** What a service does; any RuntimeException is a panic. */
    public interface Function {
        List<Object> call(List<Object> args) throws ServiceError;
    }

    /** A function with its types. */
    public record Service(String name, List<Object> params, List<Object> results, Function function) {}

    /** A manifest and services. */
    public record Namespace(String name, Object manifest, List<Service> services) {}

    /** What the parent registry defines. */
    public static List<Namespace> parent() {
        Map<String, Object> manifest = Map.of("layer", "parent");
        return List.of(
            new Namespace("conformance/parent", manifest, List.of(says("where", "parent"))),
            new Namespace("conformance/shadow", manifest, List.of(says("where", "parent"), says("hidden", "hidden"))));
    }

    /** What the child registry defines, which inherits the parent; types are those that the implementation declares. */
    public static List<Namespace> child(List<String> types) {
        return List.of(
            new Namespace("conformance", Map.of("contract", new Json.Number(1)), conformance(types)),
            new Namespace("conformance/empty", null, List.of()),
            new Namespace("conformance/shadow", Map.of("layer", "child"), List.of(says("where", "child"))));
    }

    private static List<Service> conformance(List<String> types) {
        List<Object> any = List.of("any");
        List<Object> two = List.of("any", "any");
        List<Object> integer = List.of("int64");
        List<Object> text = List.of("string");
        List<Service> services = new ArrayList<>(List.of(
            new Service("echo", any, any, args -> args),
            new Service("add", List.of("int64", "int64"), integer,
                args -> List.of(new Json.Number(number(args, 0) + number(args, 1)))),
            new Service("swap", two, two, args -> Arrays.asList(args.get(1), args.get(0))),
            new Service("none", List.of(), List.of(), args -> List.of()),
            new Service("fail", text, List.of(), args -> {
                throw new ServiceError((String) args.get(0));
            }),
            new Service("fail_after", List.of("string", "string"), text, args -> {
                throw new ServiceError((String) args.get(1));
            }),
            new Service("panic", text, List.of(), args -> {
                throw new IllegalStateException((String) args.get(0));
            }),
            new Service("sleep", integer, integer, args -> {
                sleep(number(args, 0));
                return args;
            }),
            new Service("blob", integer, text, args -> List.of("x".repeat((int) number(args, 0)))),
            new Service("unserializable", List.of(), any, args -> List.of(new Object()))));
        boolean typed = types.stream().anyMatch(name -> !name.equals("any"));
        List<Object> once = typed ? within(types) : List.of();
        List<Object> twice = within(once);
        for (List<?> some : List.of(types, once, twice)) {
            some.forEach(of -> services.add(new Service("echo_" + typeName(of), List.of(of), List.of(of), args -> args)));
        }
        return services;
    }

    private static List<Object> within(List<?> types) {
        List<Object> found = new ArrayList<>();
        for (String kind : List.of("list", "map", "optional")) {
            types.forEach(of -> found.add(Map.of(kind, of)));
        }
        return found;
    }

    /** A type as it is written in the name of a service: list_int64. */
    private static String typeName(Object of) {
        if (of instanceof Map<?, ?> kinds) {
            Map.Entry<?, ?> kind = kinds.entrySet().iterator().next();
            return kind.getKey() + "_" + typeName(kind.getValue());
        }
        return (String) of;
    }

    private static Service says(String name, String text) {
        return new Service(name, List.of(), List.of("string"), args -> List.of(text));
    }

    private static long number(List<Object> args, int index) {
        return Long.parseLong(((Json.Number) args.get(index)).text());
    }

    private static void sleep(long milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException(interrupted);
        }
    }

    private Services() {}
}
