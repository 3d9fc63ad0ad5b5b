/** The plugin side: the implementation in `protocol`, as the contract drives it. */
import type { PluginSide } from './contract/control.js';
import { CallError, Misuse, Unsupported } from './contract/errors.js';
import type { Json } from './exactjson.js';
import { Client, ConnectionLost, MisuseError, ServiceError } from './protocol/client.js';
import { isType, Mismatch, NAMES } from './protocol/types.js';

export const SCHEMES = ['file', 'unix'];
export const TYPES = NAMES;
export const FEATURES = ['concurrent', 'fallback', 'control-fd', 'prototypes'];

/** Tells the contract how an operation of the implementation failed. */
async function telling<T>(operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    const ordinary = error instanceof ServiceError || error instanceof ConnectionLost || error instanceof Mismatch;
    throw ordinary ? new CallError(error.message) : error;
  }
}

/** A plugin that was started with these URLs. */
export class Plugin implements PluginSide {
  readonly #client: Client;

  constructor(urls: string[]) {
    this.#client = new Client(urls);
  }

  async call(namespace: string, name: string, params: Json[], results: Json[], args: Json[]): Promise<Json[]> {
    if (![...params, ...results].every(isType)) throw new Unsupported('one of the types');
    return telling(this.#client.consumer(namespace, name, params, results)(args));
  }

  async hasNamespace(namespace: string): Promise<boolean> {
    return telling(this.#client.hasNamespace(namespace));
  }

  async getManifest(namespace: string): Promise<Json> {
    return telling(this.#client.getManifest(namespace));
  }

  async listServices(namespace: string): Promise<string[]> {
    return telling(this.#client.listServices(namespace));
  }

  async hosted(): Promise<boolean> {
    return this.#client.hosted;
  }

  async bind(namespace: string, name: string, params: Json[], results: Json[], misuse?: string): Promise<void> {
    if (misuse !== undefined && misuse !== 'get-unmarshalable') throw new Unsupported(`the misuse ${misuse}`);
    try {
      this.#client.consumer(namespace, name, misuse === undefined ? params : ['unmarshalable'], results);
    } catch (error) {
      throw error instanceof MisuseError ? new Misuse(error.message) : error;
    }
  }

  async fallback(namespace: string, name: string, args: Json[]): Promise<Json[]> {
    if (!this.#client.hosted) return [...args].reverse();
    const types = args.map(() => 'any');
    return this.call(namespace, name, types, types, args);
  }
}
