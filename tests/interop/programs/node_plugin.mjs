/** The plugin of README.md on the protocol from scratch, in JavaScript. */
import { Client, hostUrls } from '../../../fixtures/testees/node/lib/client.mjs';
import { ServiceError } from '../../../fixtures/testees/node/lib/errors.mjs';

const INTEROP = 'interop';
const LOGGING = 'github.com/chaitin/libveinmind/logging';
const PATH = '/tmp/ä';

async function run(args) {
  const client = new Client(hostUrls(args));
  const stub = (name, params, results = []) => client.getService(INTEROP, name, { params, results });
  const recordOf = stub('record', ['string', 'string', 'any']);
  const record = (key, value) => recordOf('node', key, value);
  const add = stub('add', ['int64', 'int64'], ['int64']);
  const describe = stub('describe', ['string', { list: 'int64' }, { map: 'float64' }], ['string', 'float64']);
  const echo = stub('echo', ['string'], ['string']);
  const getConfig = client.getService(LOGGING, 'getConfig', { params: [], results: ['any'] });
  const send = client.getService(LOGGING, 'log', { params: ['any'], results: [] });

  async function textOf(call) {
    try {
      await call;
    } catch (error) {
      if (error instanceof ServiceError) return error.message;
      throw error;
    }
    throw new Error('the call succeeded');
  }
  async function log(level, msg, fields = null) {
    if (level <= (await getConfig()).level) await send([{ time: '2024-05-01T12:00:00.5Z', level, fields, msg }]);
  }

  await log(4, 'scan started', { path: PATH });
  await record('hosted', client.hosted);
  await record('namespaces', [await client.hasNamespace(INTEROP), await client.hasNamespace('interop/none')]);
  await record('manifest', await client.getManifest(INTEROP));
  await record('services', (await client.listServices(INTEROP)).sort());
  await record('sum', await add(40n, 2n));
  await record('described', await describe('Ada ä €', [1n, 2n, 3n], { a: 0.5, b: 1 }));
  const numbers = Array.from({ length: 16 }, (_, i) => BigInt(i));
  await record('concurrent', await Promise.all(numbers.map((i) => add(i, i))));
  await record('large', (await echo('x'.repeat(300_000))).length);
  await record('error', await textOf(stub('fail', ['string'])('no such file: /tmp/ä "€"')));
  await record('panic', await textOf(stub('panic', ['string'])('aargh')));
  await record('undefined', await textOf(stub('missing', [])()));
  await log(5, 'details');
  await log(2, 'scan failed');
}

const [command, ...args] = process.argv.slice(2);
if (command === 'info') {
  const commands = [{ path: ['run'], type: INTEROP }];
  process.stdout.write(`${JSON.stringify({ manifestVersion: 1, name: 'node', commands })}\n`);
} else {
  await run(args);
  process.exit(Number(args.at(-1)));
}
