/**
 * Types: every value is checked where it leaves and where it arrives.
 *
 * A type is a name, or an object with one member: `"int64"`, `{"list": "int64"}`. Values are in their JSON form: bytes are
 * base64 text, a point is an object, an optional is null or its value.
 */
import { type Json, JsonNumber, type JsonObject } from '../exactjson.js';

/** A value does not fit its type. */
export class Mismatch extends Error {}

const INTEGERS = ['int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'];
export const NAMES = ['any', 'raw', 'bool', 'string', ...INTEGERS, 'float32', 'float64', 'bytes', 'point'];
const KINDS = ['list', 'map', 'optional'];

/** Whether JSON can carry the values of a type. */
export function isType(of: Json): boolean {
  if (!(of instanceof Map)) return typeof of === 'string' && NAMES.includes(of);
  const [[kind, inner]] = of;
  return of.size === 1 && KINDS.includes(kind) && isType(inner);
}

/** As many values as types, each checked; `what` they are is said in the error. */
export function checkAll(types: Json[], values: Json | undefined, what: string): Json[] {
  if (!Array.isArray(values)) throw new Mismatch(`expected an array of ${what}, got ${shown(values)}`);
  if (values.length !== types.length) throw new Mismatch(`expected ${types.length} ${what}, got ${values.length}`);
  return types.map((of, i) => check(of, values[i], `$[${i}]`));
}

/** The value as its type has it; `where` it stands is said in the error. */
function check(of: Json, value: Json, where: string): Json {
  if (of instanceof Map) {
    const [[kind, inner]] = of;
    return checkCompound(kind, inner, value, where);
  }
  const name = of as string;
  if (name === 'any' || name === 'raw') return value;
  if (name === 'bool' && typeof value === 'boolean') return value;
  if (name === 'string' && typeof value === 'string') return value;
  if (name === 'bytes' && typeof value === 'string' && value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value)) {
    return value;
  }
  if (name === 'point' && value instanceof Map) return checkPoint(value, where);
  if (value instanceof JsonNumber) {
    if (INTEGERS.includes(name) && isInteger(name, value.text)) return value;
    if (name.startsWith('float')) {
      const number = name === 'float32' ? single(value.text) : Number(value.text);
      if (Number.isFinite(number)) return new JsonNumber(Object.is(number, -0) ? '-0.0' : String(number));
    }
  }
  throw mismatch(name, value, where);
}

function checkCompound(kind: string, inner: Json, value: Json, where: string): Json {
  if (kind === 'optional') return value === null ? null : check(inner, value, where);
  if (kind === 'list' && Array.isArray(value)) return value.map((item, i) => check(inner, item, `${where}[${i}]`));
  if (kind === 'map' && value instanceof Map) {
    return new Map([...value].map(([key, item]) => [key, check(inner, item, `${where}.${key}`)]));
  }
  throw mismatch(kind, value, where);
}

function isInteger(name: string, text: string): boolean {
  if (!/^-?\d{1,20}$/.test(text)) return false;
  const bits = Number(name.replace(/\D/g, ''));
  const number = BigInt(text);
  return number === (name.startsWith('int') ? BigInt.asIntN(bits, number) : BigInt.asUintN(bits, number));
}

/** The float32 that is nearest to a number. By way of a double it is rounded twice: wrongly where that is a tie. */
function single(text: string): number {
  const double = Number(text);
  const magnitude = Math.abs(double);
  const rounded = Math.fround(magnitude);
  if (rounded === magnitude || !Number.isFinite(rounded) || magnitude < 1e-50) return Math.fround(double);
  const floats = new Float32Array([rounded]);
  new Uint32Array(floats.buffer)[0] += magnitude > rounded ? 1 : -1;
  const [other] = floats; // the float32 on the other side of the double
  const tie = magnitude - rounded === other - magnitude;
  const towards = Math.sign(compare(text, magnitude)) === Math.sign(other - magnitude);
  return Math.sign(double) * (tie && towards ? other : rounded);
}

/** Compares a number, without its sign, with a double: below 0 if it is smaller. */
function compare(text: string, double: number): number {
  const [, whole, fraction = '', exponent = '0'] = /^-?(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(text)!;
  const power = Number(exponent) - fraction.length;
  let numerator = double;
  let denominator = 1n;
  for (; !Number.isInteger(numerator); numerator *= 2) denominator *= 2n;
  const left = BigInt(whole + fraction) * 10n ** BigInt(Math.max(power, 0)) * denominator;
  const right = BigInt(numerator) * 10n ** BigInt(Math.max(-power, 0));
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Unknown fields are left out, and so is an empty label. */
function checkPoint(value: JsonObject, where: string): Json {
  const field = (key: string, of: string, empty: Json): Json => check(of, value.has(key) ? value.get(key)! : empty, `${where}.${key}`);
  const zero = new JsonNumber('0');
  const point: JsonObject = new Map([['x', field('x', 'int64', zero)], ['y', field('y', 'float64', zero)]]);
  const label = field('label', 'string', '');
  return label === '' ? point : point.set('label', label);
}

function mismatch(expected: string, value: Json, where: string): Mismatch {
  return new Mismatch(`expected ${expected}, got ${shown(value)}, at ${where}`);
}

function shown(value: Json | undefined): string {
  if (value instanceof JsonNumber) return value.text.slice(0, 40);
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Map) return 'an object';
  return typeof value === 'string' ? 'a string' : value === undefined ? 'nothing' : String(value);
}
