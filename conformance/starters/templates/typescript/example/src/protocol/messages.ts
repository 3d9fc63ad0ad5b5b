/** Messages: which fields they have, and how they are read and written. */
import { type Json, JsonError, JsonNumber, type JsonObject, object, write as writeJson } from '../exactjson.js';

const MAX_SEQUENCE = 2n ** 64n - 1n;

/** What a plugin asks; `args` is whatever came. A sequence stays text, because a number has no room for it. */
export interface Request {
  sequence: string;
  type: string;
  namespace: string;
  name: string;
  args: Json | undefined;
}

/** What a host answers; `reply` is whatever came. */
export interface Reply {
  sequence: string;
  reply: Json | undefined;
  ok: boolean;
  services: string[];
  error: string | null;
}

/** A message, with the line feed at its end; throws JsonError for what JSON cannot carry. */
export function write(sequence: string, fields: Record<string, Json>): string {
  return `${writeJson(object({ sequence: new JsonNumber(sequence), ...fields }))}\n`;
}

export function readRequest(message: Json): Request {
  const fields = message as JsonObject;
  return {
    sequence: sequenceOf(fields),
    type: text(fields, 'type') ?? '',
    namespace: text(fields, 'namespace') ?? '',
    name: text(fields, 'name') ?? '',
    args: fields.get('args'),
  };
}

export function readReply(message: Json): Reply {
  const fields = message as JsonObject;
  const ok = fields.get('ok') ?? false;
  const services = fields.get('services') ?? [];
  if (typeof ok !== 'boolean') throw new JsonError('`ok` is no boolean');
  if (!Array.isArray(services) || !services.every((name) => typeof name === 'string')) {
    throw new JsonError('`services` is no array of strings');
  }
  return { sequence: sequenceOf(fields), reply: fields.get('reply'), ok, services, error: text(fields, 'error') };
}

function sequenceOf(fields: JsonObject): string {
  const sequence = fields.get('sequence') ?? new JsonNumber('0');
  if (sequence instanceof JsonNumber && /^\d{1,20}$/.test(sequence.text) && BigInt(sequence.text) <= MAX_SEQUENCE) {
    return sequence.text;
  }
  throw new JsonError('`sequence` is no integer from 0 to 2^64-1');
}

function text(fields: JsonObject, key: string): string | null {
  const value = fields.get(key) ?? null;
  if (value !== null && typeof value !== 'string') throw new JsonError(`\`${key}\` is no string`);
  return value;
}
