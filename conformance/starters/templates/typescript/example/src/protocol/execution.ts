/** A host runs a plugin: discovery, start, services, end. */
import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { type Json, JsonNumber, parse } from '../exactjson.js';
import { MisuseError } from './client.js';
import type { Bind } from './offers.js';
import type { Registry } from './registry.js';
import { Server } from './server.js';

const INFO_MILLISECONDS = 20_000;
const DRAIN_MILLISECONDS = 2_000; // to read what a plugin has left behind
const END_MILLISECONDS = 5_000; // for a plugin to end after its connection was ended

/** The plugin could not be run, or did not end well; one line. */
export class PluginFailure extends Error {}

/** The path of the plugin's command of a type, by its `info`. */
export async function discover(plugin: string, kind: string): Promise<string[]> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'host-'));
  try {
    const file = path.join(folder, 'info'); // a file: whatever the plugin leaves behind cannot hold it open
    const output = fs.openSync(file, 'w');
    const { process: child, ended } = await start(plugin, ['info'], ['ignore', output, 'inherit']);
    fs.closeSync(output);
    const timer = setTimeout(() => child.kill('SIGKILL'), INFO_MILLISECONDS);
    const problem = await ended;
    clearTimeout(timer);
    if (problem !== null) throw new PluginFailure(`${plugin} info: ${problem}`);
    try {
      return pathOf(parse(fs.readFileSync(file)), kind);
    } catch (error) {
      throw new PluginFailure(`${plugin} info: no good manifest: ${(error as Error).message}`);
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function pathOf(manifest: Json, kind: string): string[] {
  if (!(manifest instanceof Map)) throw new Error('it is no object');
  const version = manifest.get('manifestVersion');
  if (!(version instanceof JsonNumber) || version.text !== '1') throw new Error('its manifestVersion is not 1');
  const commands = manifest.get('commands');
  if (!Array.isArray(commands)) throw new Error('it has no commands');
  let found: string[] | null = null;
  for (const command of commands) {
    const words = command instanceof Map ? command.get('path') : null;
    if (!Array.isArray(words) || !words.every((word) => typeof word === 'string')) throw new Error('a command has no path');
    if (found === null && (command as Map<string, Json>).get('type') === kind) found = words;
  }
  if (found === null) throw new Error(`there is no command of the type ${kind}`);
  return found;
}

/** A registry, and the way in which it is offered. */
export class Bound {
  constructor(private readonly registry: Registry, private readonly bind: Bind) {
    if (typeof bind !== 'function') throw new MisuseError(`the bind function is ${String(bind)}`);
  }

  /** Runs a plugin's command and waits for it; rejects with PluginFailure unless it ends well. */
  async execute(plugin: string, words: string[], args: string[]): Promise<void> {
    const offer = this.bind();
    const flags = offer.urls.flatMap((url) => ['--host', url]);
    const stdio: StdioOptions = ['ignore', 'ignore', 'inherit', ...offer.inherited];
    const { process: child, ended } = await start(plugin, [...words, ...flags, ...args], stdio);
    offer.started();
    const server = new Server(this.registry, offer.connect());
    void server.readAll.then(() => endAfterProblem(server, child));
    const report: string[] = [];
    const problem = await ended;
    if (problem !== null) report.push(`the plugin ${problem}`);
    await Promise.race([server.readAll, pause(DRAIN_MILLISECONDS)]);
    if (server.problem !== null) report.push(server.problem);
    if (report.length > 0) throw new PluginFailure(report.join('; '));
  }
}

/** Kills a plugin that does not end although its connection was ended for a malformed request. */
function endAfterProblem(server: Server, child: ChildProcess): void {
  if (server.problem !== null) setTimeout(() => child.kill('SIGKILL'), END_MILLISECONDS).unref();
}

/** Starts a process; `ended` resolves with null if it exits 0, and with how it ended otherwise. */
async function start(
  plugin: string,
  args: string[],
  stdio: StdioOptions,
): Promise<{ process: ChildProcess; ended: Promise<string | null> }> {
  const child = spawn(plugin, args, { stdio });
  const ended = new Promise<string | null>((resolve) => {
    child.once('exit', (status, signal) => {
      resolve(signal !== null ? `was killed by ${signal}` : status === 0 ? null : `exited with status ${status}`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new PluginFailure(`${plugin}: cannot be started: ${error.message}`)));
  });
  return { process: child, ended };
}
