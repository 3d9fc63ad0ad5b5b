/** The host side of your implementation. */

// YOUR IMPLEMENTATION: declare what it can do, and write `run` with it. `contract/services.ts` has the registry: parent()
// and child(TYPES) are namespaces with manifests and functions.

export const BINDS: string[] = []; // the ways to offer a connection, the default first: "devfd", "unix", ...
export const TYPES: string[] = []; // that stand in a signature; the registry has an echo_T for each
export const FEATURES: string[] = []; // "concurrent"

/**
 * Runs a plugin: discovers the executable by its `info`, binds the registry over `bind` (the default if undefined),
 * executes its command of type `conformance-plugin` with `args`, and waits for it. Resolves with null if the plugin
 * exited 0 and the connection ended without a protocol error, and otherwise with one line that says what happened.
 */
export async function run(bind: string | undefined, plugin: string, args: string[]): Promise<string | null> {
  return `this testee has no host side yet (${bind ?? 'the default bind'}, ${plugin}, ${args.length} arguments)`;
}
