/**
 * How a host offers a connection: by inherited pipes.
 *
 * There is no socket among the offers. Node gives up a socket as a whole when writing to it fails, and what the plugin has
 * sent before would be lost.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { Connection } from './streams.js';

const { O_RDONLY, O_WRONLY, O_RDWR, O_NONBLOCK } = fs.constants;

/** A connection that the plugin is still to open. */
export interface Offer {
  urls: string[];
  /** Descriptors that the plugin gets from 3 on. */
  inherited: number[];
  /** The plugin's process has been started. */
  started(): void;
  /** The host's own end. */
  connect(): Connection;
}

export type Bind = () => Offer;

/** A pipe. Node makes none that `/dev/fd/N` could open, so it is made as a named one, and loses its name. */
function makePipe(): { reader: number; writer: number } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'host-')); // of mode 0700
  try {
    const name = path.join(folder, 'pipe');
    execFileSync('mkfifo', ['-m', '600', name]);
    const both = fs.openSync(name, O_RDWR | O_NONBLOCK); // so that opening one end does not wait for the other
    const pipe = { reader: fs.openSync(name, O_RDONLY), writer: fs.openSync(name, O_WRONLY) };
    fs.closeSync(both);
    return pipe;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Two pipes whose ends the plugin inherits and opens by `/dev/fd/N`. */
function devfd(): Offer {
  const [replies, requests] = [makePipe(), makePipe()];
  return {
    urls: ['file:///dev/fd/3', 'file:///dev/fd/4'],
    inherited: [replies.reader, requests.writer],
    started: () => {
      fs.closeSync(replies.reader); // only then does the plugin's end show as end of file
      fs.closeSync(requests.writer);
    },
    connect: () => new Connection(
      new net.Socket({ fd: requests.reader, readable: true, writable: false }),
      new net.Socket({ fd: replies.writer, readable: false, writable: true }),
    ),
  };
}

/** The binds by name, the default first. */
export const BINDS: Record<string, Bind> = { devfd };
