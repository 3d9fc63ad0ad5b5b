/** The plugin side of your implementation. */
import type { PluginSide } from './contract/control.js';

// YOUR IMPLEMENTATION: declare what it can do, and call it in the methods of PluginSide that you write here. Throw
// CallError for an ordinary error, Misuse where it refuses a mistake, Unsupported for what it cannot do.

export const SCHEMES: string[] = []; // of URLs that it opens: "file", "unix", ...
export const TYPES: string[] = []; // that stand in a signature: "any", "bool", "string", "int64", "bytes", "point", ...
export const FEATURES: string[] = []; // "concurrent", "single-url", "fallback", "control-fd", "prototypes"

/** A plugin that was started with these URLs. */
export class Plugin implements PluginSide {
  call: PluginSide['call'] = undefined; // none yet

  constructor(readonly urls: string[]) {}
}
