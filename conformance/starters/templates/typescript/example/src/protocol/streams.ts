/**
 * Connections, and how URLs are opened.
 *
 * Everything that can wait is opened non-blocking and waited for by the event loop, never by a thread of Node's pool:
 * a process with such a thread could not exit.
 */
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const { O_RDONLY, O_WRONLY, O_NONBLOCK, O_NOCTTY } = fs.constants;
const OPEN_MILLISECONDS = 30_000;

/** A connection cannot be opened. */
export class OpenError extends Error {}

/** What the owner of a connection is told. */
export interface Listener {
  /** The next bytes. */
  data(bytes: Buffer): void;
  /** Nothing more comes; an error where reading has failed. */
  end(error: Error | null): void;
  /** Writing has failed. */
  broken(error: Error): void;
}

/** The own end of a connection: a stream to read and one to write, which may be the same. */
export class Connection {
  #listener: Listener | null = null;

  constructor(
    private readonly reader: net.Socket,
    private readonly writer: net.Socket,
    private readonly inherited: number[] = [],
  ) {}

  /** Starts to read. */
  start(listener: Listener): void {
    this.#listener = listener;
    const end = (error: Error | null): void => {
      const told = this.#listener;
      this.#listener = null;
      told?.end(error);
    };
    this.reader.on('data', (bytes: Buffer) => this.#listener?.data(bytes));
    this.reader.on('end', () => end(null));
    this.reader.on('close', () => end(null));
    this.reader.on('error', (error: NodeJS.ErrnoException) => {
      if (error.syscall !== 'write') end(error.code === 'ECONNRESET' ? null : error);
    });
    this.writer.on('error', (error: NodeJS.ErrnoException) => {
      if (this.reader !== this.writer || error.syscall === 'write') listener.broken(error);
    });
  }

  /** Queues a message. */
  write(message: string): void {
    if (this.writer.writable) this.writer.write(message);
  }

  /** Reads nothing more; what still comes is thrown away. */
  stopReading(): void {
    this.#listener = null;
    if (this.reader !== this.writer) this.reader.destroy();
  }

  /** Closes the connection when everything is written. */
  finish(): void {
    this.stopReading();
    this.writer.end(() => this.close());
  }

  /** Closes the connection at once. */
  close(): void {
    this.#listener = null;
    this.reader.destroy();
    this.writer.destroy();
    for (const descriptor of this.inherited.splice(0)) fs.closeSync(descriptor);
  }
}

/** One URL is read and written; of two, the first is read and the second written. Rejects with OpenError. */
export async function openUrls(urls: string[]): Promise<Connection> {
  if (urls.length === 0) throw new OpenError('there is no host: the program was started without --host');
  if (urls.length > 2) throw new OpenError(`one or two URLs are expected, not ${urls.length}`);
  const named = urls.map(parse);
  if (named.length === 1 && named[0].scheme === 'unix') return connect(named[0].path, urls[0]);
  if (named.length === 1 || named.some(({ scheme }) => scheme === 'unix')) {
    throw new OpenError(`cannot open ${urls.join(' and ')}: expected two files, or one socket`);
  }
  const reader = await openFile(named[0].path, O_RDONLY, urls[0]);
  let writer: number;
  try {
    writer = await openFile(named[1].path, O_WRONLY, urls[1]);
  } catch (error) {
    fs.closeSync(reader);
    throw error;
  }
  const inherited = named.map((one) => Number(/^\/(?:dev|proc\/self)\/fd\/(\d+)$/.exec(one.path)?.[1] ?? 0));
  return new Connection(
    new net.Socket({ fd: reader, readable: true, writable: false }),
    new net.Socket({ fd: writer, readable: false, writable: true }),
    inherited.filter((descriptor) => descriptor > 2), // opening them has made others: both have to be closed
  );
}

/** Scheme and path of a URL. */
function parse(url: string): { scheme: string; path: string } {
  const found = /^([A-Za-z][A-Za-z0-9+.-]*):(?:\/\/([^/?#]*))?([^?#]*)/.exec(url);
  if (found === null) throw new OpenError(`cannot open ${url}: it is no URL`);
  const scheme = found[1].toLowerCase();
  if (scheme !== 'file' && scheme !== 'unix') throw new OpenError(`cannot open ${url}: unknown scheme "${scheme}"`);
  let decoded = '';
  try {
    decoded = decodeURIComponent(found[3]);
  } catch {
    throw new OpenError(`cannot open ${url}: bad percent escape`);
  }
  if (!['', 'localhost'].includes(found[2] ?? '') || !decoded.startsWith('/') || decoded.includes('\0')) {
    throw new OpenError(`cannot open ${url}: expected an absolute path on this machine`);
  }
  return { scheme, path: decoded };
}

/** Opens a file. The writing end of a named pipe can be opened as soon as the host opens the other one. */
async function openFile(name: string, mode: number, url: string): Promise<number> {
  const deadline = performance.now() + OPEN_MILLISECONDS;
  for (;;) {
    try {
      const descriptor = fs.openSync(name, mode | O_NONBLOCK | O_NOCTTY);
      if (fs.fstatSync(descriptor).isFIFO()) return descriptor;
      fs.closeSync(descriptor);
      throw new Error('it is no pipe');
    } catch (error) {
      const waits = (error as NodeJS.ErrnoException).code === 'ENXIO' && mode === O_WRONLY && performance.now() < deadline;
      if (!waits) throw new OpenError(`cannot open ${url}: ${(error as Error).message}`);
    }
    await pause(5);
  }
}

/**
 * Connects to a socket. Node does not tell who listens there, so the socket and its folder have to: both must be this
 * user's or root's, and the socket no symbolic link.
 */
async function connect(name: string, url: string): Promise<Connection> {
  const socket = new net.Socket({ allowHalfOpen: true });
  try {
    const [stat, folder] = [fs.lstatSync(name), fs.statSync(path.dirname(name))];
    if (stat.isSymbolicLink()) throw new Error('it is a symbolic link');
    for (const { uid } of [stat, folder]) {
      if (uid !== 0 && uid !== process.geteuid!()) throw new Error(`it is in the hands of user ${uid}`);
    }
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(name, () => {
        socket.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    socket.destroy();
    throw new OpenError(`cannot open ${url}: ${(error as Error).message}`);
  }
  return new Connection(socket, socket);
}
