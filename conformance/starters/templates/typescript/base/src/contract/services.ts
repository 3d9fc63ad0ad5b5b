/**
 * The registry that the contract demands of the host side, as plain data and functions.
 *
 * Values are in their JSON form here: bytes are base64 text, a point is an object, an optional is null or its value.
 */
import { type Json, JsonNumber, object } from '../exactjson.js';

/** A service fails with exactly this text; any other error is a panic. */
export class ServiceError extends Error {}

/** A function with its types. */
export interface Service {
  params: Json[];
  results: Json[];
  function: (...args: Json[]) => Json[] | Promise<Json[]>;
}

/** A manifest and services. */
export interface Namespace {
  manifest: Json;
  services: Record<string, Service>;
}

const service = (params: Json[], results: Json[], run: Service['function']): Service => ({ params, results, function: run });
const says = (text: string): Service => service([], ['string'], () => [text]);
const echo = (of: Json): Service => service([of], [of], (value) => [value]);
const integer = (value: Json): bigint => BigInt((value as JsonNumber).text);

/** A type as it is written in the name of a service: `list_int64`. */
function typeName(of: Json): string {
  if (!(of instanceof Map)) return of as string;
  const [[kind, inner]] = of;
  return `${kind}_${typeName(inner)}`;
}

function within(types: Json[]): Json[] {
  return types.flatMap((of) => ['list', 'map', 'optional'].map((kind) => object({ [kind]: of })));
}

function conformance(types: string[]): Record<string, Service> {
  const services: Record<string, Service> = {
    echo: echo('any'),
    add: service(['int64', 'int64'], ['int64'], (a, b) => [new JsonNumber(String(integer(a) + integer(b)))]),
    swap: service(['any', 'any'], ['any', 'any'], (a, b) => [b, a]),
    none: service([], [], () => []),
    fail: service(['string'], [], (text) => { throw new ServiceError(text as string); }),
    fail_after: service(['string', 'string'], ['string'], (_, text) => { throw new ServiceError(text as string); }),
    panic: service(['string'], [], (text) => { throw new Error(text as string); }),
    sleep: service(['int64'], ['int64'], async (time) => {
      await new Promise((resolve) => { setTimeout(resolve, Number(integer(time))); });
      return [time];
    }),
    blob: service(['int64'], ['string'], (size) => ['x'.repeat(Number(integer(size)))]),
    unserializable: service([], ['any'], () => [(() => 0) as unknown as Json]),
  };
  const once = types.some((name) => name !== 'any') ? within(types) : [];
  for (const of of [...types, ...once, ...within(once)]) services[`echo_${typeName(of)}`] = echo(of);
  return services;
}

/** What the parent registry defines. */
export function parent(): Record<string, Namespace> {
  const manifest = object({ layer: 'parent' });
  return {
    'conformance/parent': { manifest, services: { where: says('parent') } },
    'conformance/shadow': { manifest, services: { where: says('parent'), hidden: says('hidden') } },
  };
}

/** What the child registry defines, which inherits the parent; `types` are those that the implementation declares. */
export function child(types: string[]): Record<string, Namespace> {
  return {
    conformance: { manifest: object({ contract: new JsonNumber('1') }), services: conformance(types) },
    'conformance/empty': { manifest: null, services: {} },
    'conformance/shadow': { manifest: object({ layer: 'child' }), services: { where: says('child') } },
  };
}
