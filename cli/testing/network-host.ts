import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ShapedLink, Side } from './shaped-link.ts';

const main = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? '../../bin/savkit.js' : '../../dist/bin/savkit.js', import.meta.url),
);
const START_MS = 60_000;

/** The end of a command with `--ndjson` or `--json`. */
export interface Ended {
  exitCode: number | null;
  result: Record<string, unknown>;
  message: string;
}

/** A savkit command that runs on one side of a link. */
export class SavkitCommand {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly #events = new Set<string>();

  constructor(prefix: readonly string[], args: readonly string[], env: NodeJS.ProcessEnv) {
    const [program, ...rest] = [...prefix, process.execPath, main, ...args];
    this.child = spawn(program, rest, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'ignore'] });
    const lines: string[] = [];
    createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      lines.push(line);
      this.#events.add(/"event":"([\w-]+)"/.exec(line)?.[1] ?? '');
    });
    this.ended = new Promise((resolve) => {
      this.child.on('close', (exitCode) => resolve({ exitCode, ...outcomeIn(lines) }));
    });
  }

  /** Waits for an event. @throws Error when it does not come, or the command ends before */
  async event(name: string, ms = START_MS): Promise<void> {
    for (const end = performance.now() + ms; !this.#events.has(name); await setTimeout(5)) {
      if (this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(`no ${name}: ${(await this.ended).message}`);
      if (performance.now() > end) throw new Error(`no ${name} within ${ms / 1000} s`);
    }
  }
}

/** The document of `--json`, or the last event of `--ndjson`. */
function outcomeIn(lines: readonly string[]): Omit<Ended, 'exitCode'> {
  const text = lines[0] === '{' ? lines.join('') : (lines.at(-1) ?? '');
  try {
    const { files } = JSON.parse(text) as {
      files?: { result: Record<string, unknown> | null; error: { message: string } | null }[];
    };
    return { result: files?.[0]?.result ?? {}, message: files?.[0]?.error?.message ?? '' };
  } catch {
    return { result: {}, message: text };
  }
}

/** One side of a link, where savkit commands run; all of them end with it. */
export class NetworkHost {
  readonly address: string;
  readonly #prefix: readonly string[];
  readonly #env: NodeJS.ProcessEnv;
  readonly #started: ChildProcess[] = [];

  constructor(link: ShapedLink, side: Side, env: NodeJS.ProcessEnv) {
    this.address = link.addressOf(side);
    this.#prefix = link.prefixOf(side);
    this.#env = env;
  }

  start(...args: string[]): SavkitCommand {
    const command = new SavkitCommand(this.#prefix, [...args, '--ndjson'], this.#env);
    this.#started.push(command.child);
    return command;
  }

  /** Runs a command to its end. @throws Error when it fails */
  async ask<T>(...args: string[]): Promise<T> {
    const command = new SavkitCommand(this.#prefix, [...args, '--json'], this.#env);
    this.#started.push(command.child);
    const { exitCode, result, message } = await command.ended;
    if (exitCode !== 0) throw new Error(`${args.slice(0, 3).join(' ')}: ${message}`);
    return result as T;
  }

  close(): void {
    for (const child of this.#started) child.kill('SIGKILL');
  }
}
