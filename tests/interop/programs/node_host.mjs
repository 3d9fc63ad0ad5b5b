/** The host of README.md on the protocol from scratch, in JavaScript. */
import { PluginError, ServiceError } from '../../../fixtures/testees/node/lib/errors.mjs';
import { Registry } from '../../../fixtures/testees/node/lib/host.mjs';
import { BINDS } from '../../../fixtures/testees/node/lib/pipes.mjs';
import { discover, execute } from '../../../fixtures/testees/node/lib/process.mjs';

const INTEROP = 'interop';
const LOGGING = 'github.com/chaitin/libveinmind/logging';
const INFO = 4n;

const records = {};
const log = [];
const plain = (value) => JSON.parse(JSON.stringify(value, (_, it) => (typeof it === 'bigint' ? Number(it) : it)));

const registry = new Registry();
registry.define(INTEROP, { name: 'interop', version: 3 });
const service = (name, params, results, run) => registry.addService(INTEROP, name, { params, results }, run);
service('add', ['int64', 'int64'], ['int64'], (a, b) => a + b);
service('describe', ['string', { list: 'int64' }, { map: 'float64' }], ['string', 'float64'], (name, sizes, weights) => [
  `${name}: ${sizes.reduce((a, b) => a + b, 0n)}`,
  Object.values(weights).reduce((a, b) => a + b, 0),
]);
service('echo', ['string'], ['string'], (text) => text);
service('fail', ['string'], [], (text) => { throw new ServiceError(text); });
service('panic', ['string'], [], (text) => { throw new Error(text); });
service('record', ['string', 'string', 'any'], [], (plugin, key, value) => {
  (records[plugin] ??= {})[key] = plain(value);
});

registry.define(LOGGING, {});
registry.addService(LOGGING, 'getConfig', { params: [], results: ['any'] }, () => ({ level: INFO, delay: 20_000_000n }));
registry.addService(LOGGING, 'log', { params: [{ list: { map: 'any' } }], results: [] }, (batch) => {
  for (const record of batch) {
    const { level, msg, fields } = Object.fromEntries(
      Object.entries(plain(record)).map(([key, value]) => [key.toLowerCase(), value]),
    );
    log.push({ level, msg, fields: fields ?? {} });
  }
});

const [plugin, status] = process.argv.slice(2);
let report = null;
try {
  await execute(plugin, await discover(plugin), INTEROP, [status], registry.bind(Object.values(BINDS)[0]));
} catch (error) {
  if (!(error instanceof PluginError)) throw error;
  report = error.message;
}
process.stdout.write(`${JSON.stringify({ records, log, report })}\n`, () => process.exit(0));
