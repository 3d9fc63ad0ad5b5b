package protocol;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;

/** The own end of a connection. A channel that is closed ends the waits of all threads at it. */
final class Connection {
    private static final int PIECE = 1 << 16;

    private final ReadableByteChannel reader;
    private final WritableByteChannel writer;

    Connection(ReadableByteChannel reader, WritableByteChannel writer) {
        this.reader = reader;
        this.writer = writer;
    }

    Connection(SocketChannel socket) {
        this(socket, socket);
    }

    /** Wait for the next bytes; false at the end. */
    boolean read(ByteBuffer buffer) throws IOException {
        buffer.clear();
        try {
            boolean more = reader.read(buffer) > 0;
            buffer.flip();
            return more;
        } catch (IOException error) {
            if ("Connection reset by peer".equals(error.getMessage()) || "Connection reset".equals(error.getMessage())) {
                return false; // how a socket says that the other side is gone
            }
            throw error;
        }
    }

    /** Write everything, however long it takes. */
    void write(byte[] data) throws IOException {
        for (int start = 0; start < data.length; start += PIECE) {
            ByteBuffer piece = ByteBuffer.wrap(data, start, Math.min(PIECE, data.length - start));
            while (piece.hasRemaining()) {
                writer.write(piece);
            }
        }
    }

    /** Read nothing more; what the other side still writes is refused. */
    void closeReading() {
        try {
            if (reader instanceof SocketChannel socket) {
                socket.shutdownInput();
            } else {
                reader.close();
            }
        } catch (IOException gone) {
            // It is closed already.
        }
    }

    /** Write nothing more; called after closeReading. */
    void closeWriting() {
        try {
            writer.close();
        } catch (IOException gone) {
            // It is closed already.
        }
    }
}
