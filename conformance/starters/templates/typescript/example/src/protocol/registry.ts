/**
 * What a host provides: namespaces with manifests and services, and registries that inherit others.
 *
 * A mistake of the programmer is refused by a MisuseError, where it is made.
 */
import { type Json, JsonError, write } from '../exactjson.js';
import { checkSignature, MisuseError } from './client.js';

/** A service throws it to fail with exactly this text; any other error is a panic. */
export class ServiceFailure extends Error {}

export type ServiceFunction = (...args: Json[]) => Json[] | Promise<Json[]>;

export interface Service {
  params: Json[];
  results: Json[];
  run: ServiceFunction;
}

export interface Namespace {
  manifest: Json;
  services: Map<string, Service>;
}

/** Namespaces by name; what is not defined here is looked up in the parent. */
export class Registry {
  #namespaces = new Map<string, Namespace>();

  constructor(private readonly parent: Registry | null = null) {}

  /** Defines a namespace. */
  define(namespace: string, manifest: Json): void {
    if (this.#namespaces.has(namespace)) throw new MisuseError(`the namespace "${namespace}" is defined already`);
    try {
      write(manifest);
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      throw new MisuseError(`the manifest of "${namespace}": ${error.message}`);
    }
    this.#namespaces.set(namespace, { manifest, services: new Map() });
  }

  /** Adds a service to a namespace of this registry. */
  add(namespace: string, name: string, params: Json[], results: Json[], run: ServiceFunction): void {
    if (typeof run !== 'function') throw new MisuseError(`the service "${name}" is not a function`);
    checkSignature(`the service "${name}"`, params, results);
    const services = this.#namespaces.get(namespace)?.services;
    if (services === undefined) {
      const only = this.find(namespace) === undefined ? '' : ' in this registry, only in its parent';
      throw new MisuseError(`undefined namespace "${namespace}"${only}`);
    }
    if (services.has(name)) throw new MisuseError(`the namespace "${namespace}" has a service "${name}" already`);
    services.set(name, { params, results, run });
  }

  /** The namespace, here or in a parent. */
  find(namespace: string): Namespace | undefined {
    return this.#namespaces.get(namespace) ?? this.parent?.find(namespace);
  }
}
