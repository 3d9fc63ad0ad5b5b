/**
 * JSON without loss: numbers keep their digits, and objects are Maps, so that every key is a key like any other.
 *
 * The parser takes bytes as they come and checks them one by one. So a wrong byte is known at once, nobody waits for the
 * rest of a value, and no byte is looked at twice.
 */

/** A number, as it is written. */
export class JsonNumber {
  constructor(readonly text: string) {}
}

export type JsonObject = Map<string, Json>;
export type Json = null | boolean | string | JsonNumber | Json[] | JsonObject;

/** What came is no JSON. */
export class JsonError extends Error {}

const MAX_DEPTH = 1_000;
const MAX_NUMBER = 10_000;
const SPACE = new Set([0x20, 0x09, 0x0d, 0x0a]);
const [QUOTE, BACKSLASH, U] = [0x22, 0x5c, 0x75];
const LITERALS: Record<string, [string, Json]> = { t: ['true', true], f: ['false', false], n: ['null', null] };

/** What may come next: the characters that may begin it, where v stands for a number or literal. */
const enum Expected {
  Start = '{[',
  FirstKey = '"}',
  Key = '"',
  Colon = ':',
  Value = '{["v',
  FirstItem = '{["v]',
  AfterMember = ',}',
  AfterItem = ',]',
}

/** The token that the last byte was in the middle of. */
type Inside = 'nothing' | 'string' | 'escape' | 'hex' | 'literal' | 'number';

/** How far a number has come: the state after a character, by the state before. `d` stands for a digit from 0 to 9. */
const NUMBER: Record<string, Record<string, string>> = {
  '-': { 0: 'zero', d: 'integer' },
  zero: { '.': '.', e: 'e' },
  integer: { 0: 'integer', d: 'integer', '.': '.', e: 'e' },
  '.': { 0: 'fraction', d: 'fraction' },
  fraction: { 0: 'fraction', d: 'fraction', e: 'e' },
  e: { 0: 'exponent', d: 'exponent', sign: 'sign' },
  sign: { 0: 'exponent', d: 'exponent' },
  exponent: { 0: 'exponent', d: 'exponent' },
};
const MAY_END = new Set(['zero', 'integer', 'fraction', 'exponent']);

function numberClass(byte: number): string {
  const text = String.fromCharCode(byte);
  if (text >= '1' && text <= '9') return 'd';
  if (text === 'E') return 'e';
  return text === '+' || text === '-' ? 'sign' : text;
}

/** Finds and builds the values in a stream of bytes; with `objects`, each of them must be an object. */
export class Parser {
  #open: { value: Json[] | JsonObject; key: string | null }[] = []; // a key whose value is due
  #expected: Expected = Expected.Start;
  #inside: Inside = 'nothing';
  #pieces: Buffer[] = []; // of the string or number that is under way
  #escaped = false;
  #count = 0;
  #literal = '';
  #number = '';

  constructor(private readonly objects = false) {}

  /** Whether a value has begun and not ended. */
  get within(): boolean {
    return this.#open.length > 0;
  }

  /** Yields each value that the next bytes complete; throws JsonError at the first wrong byte. */
  *feed(data: Buffer): Generator<Json> {
    let start = 0; // of the string or number that is under way
    for (let at = 0; at < data.length; at++) {
      const byte = data[at];
      switch (this.#inside) {
        case 'string':
          while (at < data.length && data[at] !== QUOTE && data[at] !== BACKSLASH && data[at] >= 0x20) at++;
          if (at === data.length) break;
          if (data[at] < 0x20) throw new JsonError(`a string with ${shown(data[at])} in it`);
          if (data[at] === BACKSLASH) {
            this.#inside = 'escape';
            this.#escaped = true;
          } else {
            this.#inside = 'nothing';
            this.#take(this.#string(data.subarray(start, at)));
          }
          break;
        case 'escape':
          if (!'"\\/bfnrtu'.includes(String.fromCharCode(byte))) throw new JsonError(`${shown(byte)} behind a backslash`);
          this.#inside = byte === U ? 'hex' : 'string';
          this.#count = 0;
          break;
        case 'hex':
          if (!/[0-9a-fA-F]/.test(String.fromCharCode(byte))) throw new JsonError(`${shown(byte)} in an escape`);
          if (++this.#count === 4) this.#inside = 'string';
          break;
        case 'literal':
          if (this.#literal.charCodeAt(this.#count) !== byte) throw new JsonError(`${shown(byte)} in a literal`);
          if (++this.#count < this.#literal.length) break;
          this.#inside = 'nothing';
          this.#take(LITERALS[this.#literal[0]][1]);
          break;
        default: {
          if (this.#inside === 'number') {
            const next = NUMBER[this.#number][numberClass(byte)];
            if (next !== undefined && ++this.#count <= MAX_NUMBER) {
              this.#number = next;
              break;
            }
            if (next !== undefined || !MAY_END.has(this.#number)) throw new JsonError(`${shown(byte)} in a number`);
            this.#inside = 'nothing';
            this.#take(new JsonNumber(this.#text(data.subarray(start, at)).toString('latin1')));
          }
          const done = this.#token(byte);
          if (done !== undefined) yield done;
          const begun = this.#inside as Inside;
          if (begun === 'string') start = at + 1;
          if (begun === 'number') start = at;
        }
      }
    }
    if (this.#inside !== 'nothing' && this.#inside !== 'literal') this.#pieces.push(data.subarray(start));
  }

  /** Takes a byte between tokens; returns the value that it completes. */
  #token(byte: number): Json | undefined {
    if (SPACE.has(byte)) return undefined;
    const text = String.fromCharCode(byte);
    const token = /[-0-9tfn]/.test(text) ? 'v' : text === 'v' ? '?' : text;
    const expected = this.objects && !this.within ? '{' : this.#expected;
    if (!expected.includes(token)) throw new JsonError(`expected one of ${expected}, got ${shown(byte)}`);
    if (token === '{' || token === '[') {
      if (this.#open.length === MAX_DEPTH) throw new JsonError('it is nested too deep');
      this.#open.push({ value: token === '{' ? new Map<string, Json>() : [], key: null });
      this.#expected = token === '{' ? Expected.FirstKey : Expected.FirstItem;
    } else if (token === '}' || token === ']') {
      const { value } = this.#open.pop()!;
      if (!this.within) {
        this.#expected = Expected.Start;
        return value;
      }
      this.#take(value);
    } else if (token === ':') {
      this.#expected = Expected.Value;
    } else if (token === ',') {
      this.#expected = this.#expected === Expected.AfterMember ? Expected.Key : Expected.Value;
    } else if (token === '"') {
      this.#inside = 'string';
      this.#escaped = false;
    } else if (LITERALS[text] !== undefined) {
      this.#inside = 'literal';
      this.#literal = LITERALS[text][0];
      this.#count = 1;
    } else {
      this.#inside = 'number';
      this.#number = text === '-' ? '-' : text === '0' ? 'zero' : 'integer';
      this.#count = 1;
    }
    return undefined;
  }

  /** Puts a value, or a key, where it belongs. */
  #take(value: Json): void {
    const top = this.#open.at(-1);
    if (top === undefined) throw new JsonError('expected an object or array');
    if (Array.isArray(top.value)) {
      top.value.push(value);
      this.#expected = Expected.AfterItem;
    } else if (top.key !== null) {
      top.value.set(top.key, value);
      top.key = null;
      this.#expected = Expected.AfterMember;
    } else {
      top.key = value as string;
      this.#expected = Expected.Colon;
    }
  }

  #text(last: Buffer): Buffer {
    const whole = this.#pieces.length === 0 ? last : Buffer.concat([...this.#pieces, last]);
    this.#pieces = [];
    return whole;
  }

  #string(last: Buffer): string {
    const text = this.#text(last).toString('utf8');
    return this.#escaped ? (JSON.parse(`"${text}"`) as string) : text;
  }
}

function shown(byte: number): string {
  return JSON.stringify(String.fromCharCode(byte));
}

/** The value of a JSON text, which is an object or array. */
export function parse(text: Buffer): Json {
  const parser = new Parser();
  for (const value of parser.feed(text)) return value;
  throw new JsonError('it ends too early');
}

/** The strict JSON text of a value; throws JsonError for what JSON cannot carry. */
export function write(value: unknown): string {
  if (value instanceof JsonNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`;
  if (value instanceof Map) return `{${[...value].map(([key, item]) => `${JSON.stringify(key)}:${write(item)}`).join(',')}}`;
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  throw new JsonError(`JSON cannot carry a value of the type ${typeof value}`);
}

/** An object of these members. */
export function object(members: Record<string, Json>): JsonObject {
  return new Map(Object.entries(members));
}
