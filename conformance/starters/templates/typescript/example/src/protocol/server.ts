/** The host side of one connection: requests in, replies out. */
import { type Json, JsonError, Parser } from '../exactjson.js';
import { readRequest, type Request, write } from './messages.js';
import { type Registry, type Service, ServiceFailure } from './registry.js';
import type { Connection } from './streams.js';
import { checkAll, Mismatch } from './types.js';

/** Milliseconds for running services to be answered after a malformed request. */
const GRACE = 1_000;

/** Answers requests. A service that waits holds up nobody, and replies are queued, so requests are read meanwhile. */
export class Server {
  /** What was wrong with the requests. */
  problem: string | null = null;
  /** Resolves when nothing more is read. */
  readonly readAll: Promise<void>;
  #running = new Set<Promise<void>>();

  constructor(private readonly registry: Registry, private readonly connection: Connection) {
    const parser = new Parser(true);
    this.readAll = new Promise((resolve) => {
      connection.start({
        data: (bytes) => {
          try {
            for (const message of parser.feed(bytes)) this.#accept(readRequest(message));
          } catch (error) {
            if (!(error instanceof JsonError)) throw error;
            this.#end(`malformed request: ${error.message}`, resolve);
          }
        },
        end: (error) => {
          if (error !== null) this.#end(`cannot read requests: ${error.message}`, resolve);
          else this.#end(parser.within ? 'malformed request: end of file in the middle of a message' : null, resolve);
        },
        broken: () => {}, // a plugin that reads no more gets no replies
      });
    });
  }

  /** Answers what is running, then closes the connection. */
  #end(problem: string | null, readAll: () => void): void {
    this.problem = problem;
    this.connection.stopReading();
    readAll();
    const waits: Promise<unknown>[] = [Promise.all(this.#running)];
    if (problem !== null) waits.push(new Promise((resolve) => { setTimeout(resolve, GRACE); }));
    void Promise.race(waits).then(() => this.connection.finish());
  }

  #accept(request: Request): void {
    const namespace = this.registry.find(request.namespace);
    const service = namespace?.services.get(request.name);
    if (request.type === 'hasNamespace') this.#reply(request, { ok: namespace !== undefined });
    else if (namespace === undefined) this.#reply(request, { error: `undefined namespace "${request.namespace}"` });
    else if (request.type === 'getManifest') this.#reply(request, { reply: namespace.manifest });
    else if (request.type === 'listServices') this.#reply(request, { services: [...namespace.services.keys()].sort() });
    else if (request.type !== 'call') this.#reply(request, { error: `invalid request type "${request.type}"` });
    else if (service === undefined) this.#reply(request, { error: `undefined service "${request.name}"` });
    else {
      const work = this.#call(request, service);
      this.#running.add(work);
      void work.then(() => this.#running.delete(work));
    }
  }

  async #call(request: Request, service: Service): Promise<void> {
    try {
      const results = await service.run(...checkAll(service.params, request.args, 'arguments'));
      this.#reply(request, { reply: checkAll(service.results, results, 'results') });
    } catch (error) {
      const known = error instanceof ServiceFailure || error instanceof Mismatch;
      const text = error instanceof Error ? error.message : String(error);
      this.#reply(request, { error: known ? text : `panic in service: ${text}` });
    }
  }

  #reply(request: Request, fields: Record<string, Json>): void {
    this.connection.write(write(request.sequence, fields));
  }
}
