import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach } from 'vitest';
import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';
import { keepRunning } from '../control/keep-running.ts';
import type { KeptMachine } from '../control/kept-machine.ts';

export interface TestGround {
  /** Folder of this test file, removed after its last test. */
  folder: string;
  /** A path in a folder of the test's own, so that none meets a socket or a file of the one before. */
  path(...names: string[]): string;
  /** Called after the test, whatever became of it, and waited for: the next one finds nothing of this one. */
  ending: (() => unknown)[];
  /** A command that runs beside the test, at most until that ends. */
  start(...args: string[]): SavkitProcess;
  /**
   * Keeps a machine in this process, with a control socket, at most until the test ends. @throws EnvironmentError where
   * the socket can't be opened
   */
  keep(kept: KeptMachine, socket: string): Promise<void>;
}

/** Gives each test a folder, and means to start processes and machines in it. */
export function testGround(name: string): TestGround {
  const folder = mkdtempSync(join(tmpdir(), `savkit-${name}-`));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let tests = 0;
  const path = (...names: string[]) => join(folder, String(tests), ...names);
  beforeEach(() => {
    tests++;
    mkdirSync(path());
  });
  const ending: (() => unknown)[] = [];
  afterEach(async () => {
    await Promise.all(ending.splice(0).map((end) => end()));
  });
  const start = (...args: string[]) => {
    const started = new SavkitProcess(...args);
    ending.push(() => killed(started));
    return started;
  };
  const keep = async (kept: KeptMachine, socket: string) => {
    const stop = new AbortController();
    let onReady = () => {};
    const isReady = new Promise<void>((resolve) => {
      onReady = resolve;
    });
    const ended = keepRunning(kept, { socket, signal: stop.signal, onReady });
    ending.push(() => {
      stop.abort();
      return ended.catch(() => {});
    });
    await Promise.race([isReady, ended]);
  };
  return { folder, path, ending, start, keep };
}

/** Kills a process, and waits until its sockets are gone with it. */
async function killed({ child }: SavkitProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
