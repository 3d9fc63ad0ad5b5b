package protocol;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

import exactjson.Json;
import protocol.Messages.Reply;
import protocol.Scanner.Malformed;

/** The plugin side: requests out, replies in, and typed consumers of services. */
public final class Client {
    /** An operation failed: the host's error, the end of the connection, or a value that does not fit. */
    public static final class OperationFailed extends Exception {
        OperationFailed(String text) {
            super(text);
        }
    }

    /** Calls a service. */
    public interface Consumer {
        List<Object> call(List<Object> args) throws OperationFailed;
    }

    private final List<String> urls;
    private Requests requests; // of the connection, once it is open

    public Client(List<String> urls) {
        this.urls = urls;
    }

    /** Whether the plugin was started by a host. */
    public boolean hosted() {
        return !urls.isEmpty();
    }

    /** Whether the host has a namespace. */
    public boolean hasNamespace(String namespace) throws OperationFailed {
        return request(Map.of("type", "hasNamespace", "namespace", namespace)).ok();
    }

    /** The manifest of a namespace. */
    public Object getManifest(String namespace) throws OperationFailed {
        Object manifest = request(Map.of("type", "getManifest", "namespace", namespace)).reply();
        return manifest == Messages.ABSENT ? null : manifest;
    }

    /** The services of a namespace. */
    public List<String> listServices(String namespace) throws OperationFailed {
        return request(Map.of("type", "listServices", "namespace", namespace)).services();
    }

    /** A function that calls a service with these types; throws IllegalArgumentException for a type that is none. */
    public Consumer consumer(String namespace, String name, List<Object> params, List<Object> results) {
        Signature signature = new Signature("the consumer of " + name, params, results);
        return args -> {
            try {
                List<Object> sent = Types.checkAll(signature.params(), args, "arguments");
                Object reply = request(Map.of("type", "call", "namespace", namespace, "name", name, "args", sent)).reply();
                if (results.isEmpty() && (reply == null || reply == Messages.ABSENT)) {
                    return List.of();
                }
                return Types.checkAll(signature.results(), reply, "results");
            } catch (Types.Mismatch error) {
                throw new OperationFailed(error.getMessage());
            }
        };
    }

    /** The connection is opened by the first request; where that fails, the next one tries again. */
    private Reply request(Map<String, Object> fields) throws OperationFailed {
        Requests open;
        synchronized (this) {
            if (requests == null) {
                try {
                    requests = new Requests(Urls.open(urls));
                } catch (IOException error) {
                    throw new OperationFailed(error.getMessage());
                }
            }
            open = requests;
        }
        return open.send(fields);
    }

    /** The requests of one connection. One thread reads the replies; each caller writes its own request. */
    private static final class Requests {
        private final Connection connection;
        private final Object writing = new Object();
        private final Map<BigInteger, CompletableFuture<Reply>> pending = new HashMap<>();
        private BigInteger sequence = BigInteger.ZERO;
        private String end; // why the connection has ended

        Requests(Connection connection) {
            this.connection = connection;
            Thread reader = new Thread(this::read);
            reader.setDaemon(true);
            reader.start();
        }

        Reply send(Map<String, Object> fields) throws OperationFailed {
            CompletableFuture<Reply> waiting = new CompletableFuture<>();
            Map<String, Object> request = new HashMap<>(fields);
            synchronized (pending) {
                if (end != null) {
                    throw new OperationFailed(end);
                }
                sequence = sequence.add(BigInteger.ONE);
                request.put("sequence", new Json.Number(sequence.toString()));
                pending.put(sequence, waiting);
            }
            write(Messages.write(request));
            try {
                Reply reply = waiting.join();
                if (reply.error() != null) {
                    throw new OperationFailed(reply.error());
                }
                return reply;
            } catch (CompletionException lost) {
                throw new OperationFailed(lost.getCause().getMessage());
            }
        }

        /** Write a whole message, one at a time. */
        private void write(byte[] message) {
            try {
                synchronized (writing) {
                    connection.write(message);
                }
            } catch (IOException error) {
                fail("connection lost: writing failed: " + error.getMessage());
            }
        }

        private void read() {
            Scanner scanner = new Scanner();
            ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
            try {
                while (connection.read(buffer)) {
                    scanner.feed(buffer, message -> deliver(Messages.readReply(message)));
                }
                fail("connection lost: end of file" + (scanner.withinMessage() ? " in the middle of a message" : ""));
            } catch (Malformed error) {
                fail("connection lost: malformed message: " + error.getMessage());
            } catch (IOException error) {
                fail("connection lost: reading failed: " + error.getMessage());
            }
            connection.closeReading();
            connection.closeWriting();
        }

        private void deliver(Reply reply) {
            CompletableFuture<Reply> waiting;
            synchronized (pending) {
                waiting = pending.remove(reply.sequence());
            }
            if (waiting != null) { // a reply that nobody waits for is ignored
                waiting.complete(reply);
            }
        }

        /** End the connection: whoever waits fails, and so does every later request. */
        private void fail(String reason) {
            List<CompletableFuture<Reply>> waiting;
            synchronized (pending) {
                end = end == null ? reason : end;
                waiting = List.copyOf(pending.values());
                pending.clear();
            }
            waiting.forEach(one -> one.completeExceptionally(new IOException(end)));
        }
    }
}
