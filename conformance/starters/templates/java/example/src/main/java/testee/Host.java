package testee;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import protocol.Execution;
import protocol.Execution.PluginFailure;
import protocol.Offer;
import protocol.Registry;
import protocol.Registry.ServiceFailure;
import protocol.Types;

/** The host side: the implementation in the package protocol, as the contract drives it. */
public final class Host {
    public static final List<String> BINDS = List.copyOf(Offer.BINDS.keySet());
    public static final List<String> TYPES = Types.NAMES;
    public static final List<String> FEATURES = List.of("concurrent");

    /** Run a plugin with the registry of the contract; returns what went wrong, or null. */
    public static String run(String bind, String plugin, List<String> args) {
        Offer.Bind chosen = Offer.BINDS.get(bind == null ? BINDS.get(0) : bind);
        if (chosen == null) {
            return "unknown bind " + bind;
        }
        Registry parent = new Registry(null);
        define(parent, Services.parent());
        Registry child = new Registry(parent);
        define(child, Services.child(TYPES));
        try {
            List<String> words = new ArrayList<>(List.of(plugin));
            words.addAll(Execution.discover(plugin, "conformance-plugin"));
            new Execution(child, chosen).execute(words, args);
            return null;
        } catch (PluginFailure | IOException | InterruptedException failure) {
            return String.valueOf(failure.getMessage());
        }
    }

    /** Put the contract's namespaces into a registry of the implementation. */
    private static void define(Registry registry, List<Services.Namespace> namespaces) {
        for (Services.Namespace namespace : namespaces) {
            registry.define(namespace.name(), namespace.manifest());
            for (Services.Service service : namespace.services()) {
                registry.add(namespace.name(), service.name(), service.params(), service.results(), args -> {
                    try {
                        return service.function().call(args);
                    } catch (Services.ServiceError error) {
                        throw new ServiceFailure(error.getMessage());
                    }
                });
            }
        }
    }

    private Host() {}
}
