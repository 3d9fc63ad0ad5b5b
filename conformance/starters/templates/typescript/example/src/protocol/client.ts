/** The plugin side: requests out, replies in, and typed consumers of services. */
import { type Json, JsonError, Parser } from '../exactjson.js';
import { readReply, type Reply, write } from './messages.js';
import { type Connection, openUrls } from './streams.js';
import { checkAll, isType } from './types.js';

/** The host answered with an error; the text is the host's. */
export class ServiceError extends Error {}

/** There is no connection, or it has ended. */
export class ConnectionLost extends Error {}

/** A mistake of the programmer, refused where it is made. */
export class MisuseError extends Error {}

interface Pending {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/** The requests of one connection. */
class Requests {
  #pending = new Map<string, Pending>();
  #sequence = 0;
  #end: string | null = null; // why the connection has ended

  constructor(private readonly connection: Connection) {
    const parser = new Parser(true);
    connection.start({
      data: (bytes) => {
        try {
          for (const message of parser.feed(bytes)) this.#deliver(readReply(message));
        } catch (error) {
          if (!(error instanceof JsonError)) throw error;
          this.#fail(`malformed message: ${error.message}`);
        }
      },
      end: (error) => {
        const within = parser.within ? ' in the middle of a message' : '';
        this.#fail(error === null ? `end of file${within}` : `reading failed: ${error.message}`);
      },
      broken: (error) => this.#fail(`writing failed: ${error.message}`),
    });
  }

  /** Sends a request and waits for its reply. */
  send(fields: Record<string, Json>): Promise<Reply> {
    if (this.#end !== null) return Promise.reject(new ConnectionLost(this.#end));
    const sequence = String(++this.#sequence);
    const message = write(sequence, fields);
    return new Promise((resolve, reject) => {
      this.#pending.set(sequence, { resolve, reject });
      this.connection.write(message);
    });
  }

  /** Gives a reply to who waits for it; one that nobody waits for is ignored. */
  #deliver(reply: Reply): void {
    const pending = this.#pending.get(reply.sequence);
    this.#pending.delete(reply.sequence);
    if (reply.error === null) pending?.resolve(reply);
    else pending?.reject(new ServiceError(reply.error));
  }

  /** Ends the connection: whoever waits fails, and so does every later request. */
  #fail(reason: string): void {
    this.#end ??= `connection lost: ${reason}`;
    for (const pending of this.#pending.values()) pending.reject(new ConnectionLost(this.#end));
    this.#pending.clear();
    this.connection.close();
  }
}

/** Calls a service. */
export type Consumer = (args: Json[]) => Promise<Json[]>;

/** The types of a function; throws MisuseError where JSON cannot carry one of them. */
export function checkSignature(what: string, params: Json[], results: Json[]): void {
  for (const of of [...params, ...results]) {
    if (!isType(of)) throw new MisuseError(`${what}: JSON cannot carry values of the type ${String(of)}`);
  }
}

/** What a plugin uses. The connection is opened by the first request; where that fails, the next one tries again. */
export class Client {
  #requests: Promise<Requests> | null = null;

  constructor(private readonly urls: string[]) {}

  /** Whether the plugin was started by a host. */
  get hosted(): boolean {
    return this.urls.length > 0;
  }

  async #request(fields: Record<string, Json>): Promise<Reply> {
    this.#requests ??= openUrls(this.urls).then((connection) => new Requests(connection));
    let requests: Requests;
    try {
      requests = await this.#requests;
    } catch (error) {
      this.#requests = null;
      throw new ConnectionLost((error as Error).message);
    }
    return requests.send(fields);
  }

  /** Whether the host has a namespace. */
  async hasNamespace(namespace: string): Promise<boolean> {
    return (await this.#request({ type: 'hasNamespace', namespace })).ok;
  }

  /** The manifest of a namespace. */
  async getManifest(namespace: string): Promise<Json> {
    return (await this.#request({ type: 'getManifest', namespace })).reply ?? null;
  }

  /** The services of a namespace. */
  async listServices(namespace: string): Promise<string[]> {
    return (await this.#request({ type: 'listServices', namespace })).services;
  }

  /** A function that calls a service with these types; throws MisuseError for a type that is none. */
  consumer(namespace: string, name: string, params: Json[], results: Json[]): Consumer {
    checkSignature(`the consumer of "${name}"`, params, results);
    return async (args) => {
      const sent = checkAll(params, args, 'arguments');
      const { reply } = await this.#request({ type: 'call', namespace, name, args: sent });
      if (results.length === 0 && (reply ?? null) === null) return [];
      return checkAll(results, reply, 'results');
    };
  }
}
