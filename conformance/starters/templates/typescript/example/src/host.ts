/** The host side: the implementation in `protocol`, as the contract drives it. */
import { child, type Namespace, parent, ServiceError } from './contract/services.js';
import { Bound, discover, PluginFailure } from './protocol/execution.js';
import { BINDS as OFFERS } from './protocol/offers.js';
import { Registry, ServiceFailure } from './protocol/registry.js';
import { NAMES } from './protocol/types.js';

export const BINDS = Object.keys(OFFERS);
export const TYPES = NAMES;
export const FEATURES = ['concurrent'];

/** Runs a plugin with the registry of the contract; resolves with what went wrong, or null. */
export async function run(bind: string | undefined, plugin: string, args: string[]): Promise<string | null> {
  const chosen = bind ?? BINDS[0];
  if (!Object.hasOwn(OFFERS, chosen)) return `unknown bind ${chosen}`;
  const inherited = new Registry();
  define(inherited, parent());
  const registry = new Registry(inherited);
  define(registry, child(TYPES));
  try {
    const path = await discover(plugin, 'conformance-plugin');
    await new Bound(registry, OFFERS[chosen]).execute(plugin, path, args);
    return null;
  } catch (error) {
    if (error instanceof PluginFailure) return error.message;
    throw error;
  }
}

/** Puts the contract's namespaces into a registry of the implementation. */
function define(registry: Registry, namespaces: Record<string, Namespace>): void {
  for (const [name, namespace] of Object.entries(namespaces)) {
    registry.define(name, namespace.manifest);
    for (const [service, made] of Object.entries(namespace.services)) {
      registry.add(name, service, made.params, made.results, async (...args) => {
        try {
          return await made.function(...args);
        } catch (error) {
          throw error instanceof ServiceError ? new ServiceFailure(error.message) : error;
        }
      });
    }
  }
}
