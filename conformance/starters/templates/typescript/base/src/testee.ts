/** The testee: the program that the conformance suite starts. It needs no change; see README.md. */
import { run } from './contract/control.js';
import * as host from './host.js';
import { KINDS } from './misuse.js';
import * as plugin from './plugin.js';

/** What the testee can do, as the three sides declare it. */
function manifest(): object {
  const command = (kind: string, data: object): object => ({ path: [kind], type: kind, data: { contract: 1, ...data } });
  return {
    manifestVersion: 1,
    name: '@NAME@',
    version: '0.1.0',
    author: '',
    description: 'A testee of the conformance suite.',
    tags: [],
    commands: [
      command('conformance-plugin', { schemes: plugin.SCHEMES, types: plugin.TYPES, features: plugin.FEATURES }),
      command('conformance-host', { binds: host.BINDS, types: host.TYPES, features: host.FEATURES }),
      command('conformance-panic', { kinds: Object.keys(KINDS) }),
    ],
  };
}

/** The host side: run a plugin with the registry of the contract. */
async function runHost(words: string[]): Promise<void> {
  const bind = words[0] === '--bind' ? words[1] : undefined;
  const [executable, ...args] = bind === undefined ? words : words.slice(2);
  const problem = await host.run(bind, executable, args);
  if (problem !== null) process.stderr.write(`${problem.trim().replace(/\s+/g, ' ')}\n`);
  process.exit(problem === null ? 0 : 1); // services that still run are not waited for
}

/** Commits one misuse. An implementation that refuses it throws, and the process ends with status 1. */
function runMisuse(kind: string): void {
  if (!Object.hasOwn(KINDS, kind)) {
    console.log(`unsupported: the misuse ${JSON.stringify(kind)}`);
    return;
  }
  KINDS[kind]();
  console.log('survived');
}

const [command, ...words] = process.argv.slice(2);
if (command === 'info') console.log(JSON.stringify(manifest()));
else if (command === 'conformance-plugin') run(words);
else if (command === 'conformance-host' && words.length > 0) void runHost(words);
else if (command === 'conformance-panic' && words.length === 1) runMisuse(words[0]);
else {
  console.error('usage: testee info | conformance-plugin | conformance-host | conformance-panic [ARGUMENT...]');
  process.exit(2);
}
