/** Mistakes of the programmer that the implementation in `protocol` refuses; the compiler rules the others out. */
import type { Json } from './exactjson.js';
import { Client } from './protocol/client.js';
import { Bound } from './protocol/execution.js';
import type { Bind } from './protocol/offers.js';
import { Registry, type ServiceFunction } from './protocol/registry.js';

/** A registry with a namespace, and a parent with another. */
function registry(): Registry {
  const parent = new Registry();
  parent.define('parent', null);
  const child = new Registry(parent);
  child.define('n', null);
  return child;
}

function add(made: Registry, namespace: string, params: Json[] = [], run: ServiceFunction = () => []): void {
  made.add(namespace, 's', params, [], run);
}

export const KINDS: Record<string, () => void> = {
  'get-unmarshalable': () => new Client([]).consumer('n', 's', ['unmarshalable'], []),
  'add-not-callable': () => add(registry(), 'n', [], 42 as unknown as ServiceFunction),
  'add-undefined-namespace': () => add(registry(), 'other'),
  'add-parent-namespace': () => add(registry(), 'parent'),
  'add-duplicate-service': () => {
    const made = registry();
    add(made, 'n');
    add(made, 'n');
  },
  'define-duplicate-namespace': () => registry().define('n', null),
  'define-unmarshalable-manifest': () => registry().define('other', (() => 0) as unknown as Json),
  'bind-nil': () => new Bound(registry(), null as unknown as Bind),
};
