package testee;

import java.util.Collections;
import java.util.List;
import java.util.ArrayList;
import protocol.Client;
import protocol.Client.OperationFailed;
import protocol.Types;

/** The plugin side: the implementation in the package protocol, as the contract drives it. */
public final class Plugin implements PluginSide {
    public static final List<String> SCHEMES = List.of("file", "unix");
    public static final List<String> TYPES = Types.NAMES;
    public static final List<String> FEATURES = List.of("concurrent", "fallback", "prototypes");

    private final Client client;

    /** A plugin that was started with these URLs. */
    public Plugin(List<String> urls) {
        client = new Client(urls);
    }

    @Override
    public List<Object> call(String namespace, String name, List<Object> params, List<Object> results, List<Object> args)
            throws Failure {
        if (!params.stream().allMatch(Types::isType) || !results.stream().allMatch(Types::isType)) {
            throw new Failure.Unsupported("one of the types");
        }
        try {
            return client.consumer(namespace, name, params, results).call(args);
        } catch (OperationFailed error) {
            throw new Failure.CallError(error.getMessage());
        }
    }

    @Override
    public boolean hasNamespace(String namespace) throws Failure {
        try {
            return client.hasNamespace(namespace);
        } catch (OperationFailed error) {
            throw new Failure.CallError(error.getMessage());
        }
    }

    @Override
    public Object getManifest(String namespace) throws Failure {
        try {
            return client.getManifest(namespace);
        } catch (OperationFailed error) {
            throw new Failure.CallError(error.getMessage());
        }
    }

    @Override
    public List<String> listServices(String namespace) throws Failure {
        try {
            return client.listServices(namespace);
        } catch (OperationFailed error) {
            throw new Failure.CallError(error.getMessage());
        }
    }

    @Override
    public boolean hosted() {
        return client.hosted();
    }

    @Override
    public void bind(String namespace, String name, List<Object> params, List<Object> results, String misuse)
            throws Failure {
        if (misuse != null && !misuse.equals("get-unmarshalable")) {
            throw new Failure.Unsupported("the misuse " + misuse);
        }
        client.consumer(namespace, name, misuse == null ? params : List.of("unmarshalable"), results);
    }

    @Override
    public List<Object> fallback(String namespace, String name, List<Object> args) throws Failure {
        if (!client.hosted()) {
            List<Object> reversed = new ArrayList<>(args);
            Collections.reverse(reversed);
            return reversed;
        }
        List<Object> any = Collections.nCopies(args.size(), "any");
        return call(namespace, name, any, any, args);
    }
}
