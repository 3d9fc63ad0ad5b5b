package testee;

import java.util.List;
import java.util.Map;
import protocol.Client;
import protocol.Execution;
import protocol.Registry;

/** Mistakes of the programmer that the implementation refuses; the compiler rules the others out. */
public final class Misuse {
    public static final Map<String, Runnable> KINDS = Map.of(
        "get-unmarshalable", () -> new Client(List.of()).consumer("n", "s", List.of("unmarshalable"), List.of()),
        "add-undefined-namespace", () -> add(registry(), "other"),
        "add-parent-namespace", () -> add(registry(), "parent"),
        "add-duplicate-service", () -> {
            Registry made = registry();
            add(made, "n");
            add(made, "n");
        },
        "define-duplicate-namespace", () -> registry().define("n", null),
        "define-unmarshalable-manifest", () -> registry().define("other", new Object()),
        "bind-nil", () -> new Execution(registry(), null));

    /** A registry with a namespace, and a parent with another. */
    private static Registry registry() {
        Registry parent = new Registry(null);
        parent.define("parent", null);
        Registry child = new Registry(parent);
        child.define("n", null);
        return child;
    }

    private static void add(Registry registry, String namespace) {
        registry.add(namespace, "s", List.of(), List.of(), args -> List.of());
    }

    private Misuse() {}
}
