package protocol;

import exactjson.Json;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import protocol.Messages.Request;
import protocol.Registry.Namespace;
import protocol.Registry.Service;
import protocol.Registry.ServiceFailure;
import protocol.Scanner.Malformed;

/**
 * The host side of one connection: requests in, replies out.
 *
 * <p>One thread reads, one writes, and each call has a thread of its own. So a slow service holds up nobody, and a reply
 * that waits for room does not keep requests from being read.
 */
final class Server {
    /** Milliseconds that running services have to be answered after a malformed request. */
    private static final long GRACE = 1_000;

    private static final byte[] END = new byte[0];

    private final Registry registry;
    private final Connection connection;
    private final LinkedBlockingQueue<byte[]> replies = new LinkedBlockingQueue<>();
    private final CountDownLatch readAll = new CountDownLatch(1);
    private volatile String problem; // what was wrong with the requests
    private int running;
    private boolean pluginGone;

    Server(Registry registry, Connection connection) {
        this.registry = registry;
        this.connection = connection;
        start(this::read);
        start(this::write);
    }

    private static void start(Runnable work) {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        thread.start();
    }

    /** The plugin's process has ended: no service is waited for. */
    synchronized void pluginGone() {
        pluginGone = true;
        notifyAll();
    }

    /** Wait until nothing more is read; what was wrong with the requests, or null. */
    String awaitProblem(long milliseconds) throws InterruptedException {
        readAll.await(milliseconds, TimeUnit.MILLISECONDS);
        return problem;
    }

    private void read() {
        Scanner scanner = new Scanner();
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        try {
            while (connection.read(buffer)) {
                scanner.feed(buffer, message -> accept(Messages.readRequest(message)));
            }
            if (scanner.withinMessage()) {
                throw new Malformed("end of file in the middle of a message");
            }
        } catch (Malformed error) {
            problem = "malformed request: " + error.getMessage();
        } catch (IOException error) {
            problem = "cannot read requests: " + error.getMessage();
        }
        connection.closeReading();
        readAll.countDown();
        awaitServices(problem == null ? Long.MAX_VALUE / 2_000_000 : GRACE);
        replies.add(END);
    }

    private synchronized void awaitServices(long milliseconds) {
        long deadline = System.nanoTime() + milliseconds * 1_000_000;
        try {
            for (long left = milliseconds; running > 0 && !pluginGone && left > 0;
                    left = (deadline - System.nanoTime()) / 1_000_000) {
                wait(left);
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Write the replies in the order in which they are ready. A plugin that reads no more gets none. */
    private void write() {
        boolean broken = false;
        try {
            for (byte[] reply = replies.take(); reply != END; reply = replies.take()) {
                try {
                    if (!broken) {
                        connection.write(reply);
                    }
                } catch (IOException gone) {
                    broken = true;
                }
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        connection.closeWriting();
    }

    private void accept(Request request) {
        Namespace namespace = registry.find(request.namespace());
        if (request.type().equals("hasNamespace")) {
            reply(request, "ok", namespace != null);
        } else if (namespace == null) {
            reply(request, "error", "undefined namespace \"" + request.namespace() + "\"");
        } else if (request.type().equals("getManifest")) {
            reply(request, "reply", namespace.manifest());
        } else if (request.type().equals("listServices")) {
            reply(request, "services", List.copyOf(namespace.services().keySet()));
        } else if (!request.type().equals("call")) {
            reply(request, "error", "invalid request type \"" + request.type() + "\"");
        } else if (!namespace.services().containsKey(request.name())) {
            reply(request, "error", "undefined service \"" + request.name() + "\"");
        } else {
            count(1);
            start(() -> {
                call(request, namespace.services().get(request.name()));
                count(-1);
            });
        }
    }

    private synchronized void count(int step) {
        running += step;
        notifyAll();
    }

    private void call(Request request, Service service) {
        try {
            List<Object> args = Types.checkAll(service.signature().params(), request.args(), "arguments");
            List<Object> results = service.function().call(args);
            reply(request, "reply", Types.checkAll(service.signature().results(), results, "results"));
        } catch (ServiceFailure | Types.Mismatch failure) {
            reply(request, "error", failure.getMessage());
        } catch (RuntimeException | Error panic) {
            reply(request, "error", "panic in service: " + panic.getMessage());
        }
    }

    private void reply(Request request, String key, Object value) {
        Map<String, Object> fields = new HashMap<>();
        fields.put("sequence", new Json.Number(request.sequence().toString()));
        fields.put(key, value);
        byte[] message;
        try {
            message = Messages.write(fields);
        } catch (IllegalArgumentException error) {
            fields.remove(key);
            fields.put("error", error.getMessage());
            message = Messages.write(fields);
        }
        replies.add(message);
    }
}
