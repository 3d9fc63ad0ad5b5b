/** The plugin side of the contract: instructions in, outcomes out, one JSON object a line. */
import net from 'node:net';
import { createInterface } from 'node:readline';

import { type Json, JsonNumber, type JsonObject, object, parse, write } from '../exactjson.js';
import { Plugin } from '../plugin.js';
import { CallError, Unsupported } from './errors.js';

/**
 * What the suite asks of a plugin; what is left out is unsupported. Values are in their JSON form. A type is a name, or
 * an object with one member: `"int64"`, `{"list": "int64"}`.
 */
export interface PluginSide {
  /** Make a typed consumer of a service and call it; returns the results. */
  call?(namespace: string, name: string, params: Json[], results: Json[], args: Json[]): Promise<Json[]>;
  /** Whether the host has a namespace. */
  hasNamespace?(namespace: string): Promise<boolean>;
  /** The manifest of a namespace. */
  getManifest?(namespace: string): Promise<Json>;
  /** The services of a namespace. */
  listServices?(namespace: string): Promise<string[]>;
  /** Whether the plugin was started by a host. */
  hosted?(): Promise<boolean>;
  /** Make a typed consumer without calling it, or commit a misuse of the consumer. */
  bind?(namespace: string, name: string, params: Json[], results: Json[], misuse?: string): Promise<void>;
  /** Call a stub whose local function returns its arguments in reverse. */
  fallback?(namespace: string, name: string, args: Json[]): Promise<Json[]>;
}

/** Milliseconds that running instructions have to end after the last one was read. */
const GRACE = 250;

/** Carries out one instruction after the other until the input ends; `words` have a `--host URL` for each URL. */
export function run(words: string[]): void {
  const urls = words.filter((_, i) => words[i - 1] === '--host');
  const plugin: PluginSide = new Plugin(urls);
  const [input, output] = channels();
  const unfinished = new Set<Promise<void>>();
  let last = Promise.resolve();
  createInterface({ input, crlfDelay: Infinity }).on('line', (line) => {
    const work = read(line, last);
    unfinished.add(work);
    void work.then(() => unfinished.delete(work));
  }).on('close', () => {
    const grace = new Promise((resolve) => { setTimeout(resolve, GRACE); });
    void Promise.race([Promise.all(unfinished), grace]).then(() => process.exit(0)); // whatever is still going on
  });

  /** An instruction with `async` is not waited for by the next one. */
  function read(line: string, before: Promise<void>): Promise<void> {
    let instruction: JsonObject;
    try {
      instruction = parse(Buffer.from(line)) as JsonObject;
    } catch (error) {
      const id = /"id"\s*:\s*(\d+)/.exec(line);
      tell(id && new JsonNumber(id[1]), 'error', `the instruction cannot be read: ${(error as Error).message}`);
      return Promise.resolve();
    }
    const work = before.then(() => (instruction.get('async') === true ? void carryOut(instruction) : carryOut(instruction)));
    last = work;
    return work;
  }

  async function carryOut(instruction: JsonObject): Promise<void> {
    const id = instruction.get('id') ?? null;
    try {
      tell(id, 'ok', await perform(plugin, instruction));
    } catch (error) {
      const kind = error instanceof CallError ? 'error' : error instanceof Unsupported ? 'unsupported' : 'panic';
      tell(id, kind, String((error as Error).message));
    }
  }

  function tell(id: Json, kind: string, value: Json): void {
    output.write(`${write(object({ id, [kind]: value }))}\n`);
  }
}

/** The streams of instructions and outcomes. */
function channels(): [NodeJS.ReadableStream, NodeJS.WritableStream] {
  const control = process.env.CONFORMANCE_CONTROL;
  if (control === undefined) return [process.stdin, process.stdout];
  const [reader, writer] = control.split(',').map(Number);
  return [new net.Socket({ fd: reader, writable: false }), new net.Socket({ fd: writer, readable: false })];
}

/** Carries out one instruction; what is returned belongs under `ok`. */
async function perform(plugin: PluginSide, instruction: JsonObject): Promise<Json> {
  const op = text('op');
  const [namespace, name] = [text('namespace'), text('name')];
  const [params, results, args] = [list('params'), list('results'), list('args')];
  if (op === 'exit') process.exit(Number((instruction.get('code') as JsonNumber).text));
  if (op === 'call' && plugin.call) return plugin.call(namespace, name, params, results, args);
  if (op === 'hasNamespace' && plugin.hasNamespace) return plugin.hasNamespace(namespace);
  if (op === 'getManifest' && plugin.getManifest) return plugin.getManifest(namespace);
  if (op === 'listServices' && plugin.listServices) return plugin.listServices(namespace);
  if (op === 'hosted' && plugin.hosted) return plugin.hosted();
  if (op === 'fallback' && plugin.fallback) return plugin.fallback(namespace, name, args);
  if (op === 'bind' && plugin.bind) {
    await plugin.bind(namespace, name, params, results, instruction.get('misuse') as string | undefined);
    return 'bound';
  }
  throw new Unsupported(`the op ${JSON.stringify(op)}`);

  function text(key: string): string {
    const value = instruction.get(key);
    return typeof value === 'string' ? value : '';
  }

  function list(key: string): Json[] {
    const value = instruction.get(key);
    return Array.isArray(value) ? value : [];
  }
}
