import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MAIN } from '../run-savkit.ts';

const SOURCE = fileURLToPath(
  new URL(
    import.meta.url.includes('/dist/') ? '../../../../cli/testing/file-faults/file-faults.c' : './file-faults.c',
    import.meta.url,
  ),
);

/** Calls that may change files or names, or calls that open files to read them, and read them. */
export type Counted = 'changes' | 'reads';
/** The error that a call gives, with `+` all that can from then on; or what happens before it: see file-faults.c. */
export type Deed = 'EIO' | 'EIO+' | 'ENOSPC+' | 'EDQUOT' | 'EINTR' | 'short' | 'kill' | Change;
export const CHANGES = ['cut', 'grow', 'overwrite', 'replace'] as const;
export type Change = (typeof CHANGES)[number];

/** A call of the system on a file below the folder. */
export interface Call {
  kind: string;
  path: string;
}

export interface Watched {
  /** Null for a process that was killed. */
  exitCode: number | null;
  stdout: string;
  /** Text of both streams. */
  said: string;
  calls: Call[];
}

/** Runs savkit with a layer below it, in which calls of the system on files in a folder fail. */
export class Shim {
  readonly #own: string;
  readonly #folder: string;
  readonly #library: string;
  #runs = 0;

  /** @param own folder for the layer itself @param folder the one whose files it watches */
  constructor(own: string, folder: string) {
    this.#own = own;
    this.#folder = folder;
    this.#library = join(own, 'file-faults.so');
    execFileSync(process.env.CC ?? 'cc', ['-O2', '-shared', '-fPIC', '-o', this.#library, SOURCE, '-ldl']);
  }

  /** @param at number of the call at which it happens, from 1 on */
  async run(words: readonly string[], counted: Counted, at = 0, deed: Deed | '' = ''): Promise<Watched> {
    const { child, calls } = this.start(words, counted, at, deed);
    let [stdout, said] = ['', ''];
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
      said += chunk;
    });
    child.stderr.on('data', (chunk) => {
      said += chunk;
    });
    const exitCode = await new Promise<number | null>((ended) => child.once('close', ended));
    return { exitCode, stdout, said, calls: calls() };
  }

  start(words: readonly string[], counted: Counted, at: number, deed: Deed | '') {
    const [count, log] = ['count', 'log'].map((name) => join(this.#own, `${name}-${++this.#runs}`));
    writeFileSync(count, Buffer.alloc(8));
    writeFileSync(log, '');
    const env = {
      ...process.env,
      TMPDIR: join(this.#folder, 'tmp'),
      LD_PRELOAD: this.#library,
      // With io_uring, calls would reach the kernel past the C library.
      UV_USE_IO_URING: '0',
      FILE_FAULTS_FOLDER: this.#folder,
      FILE_FAULTS_COUNT: count,
      FILE_FAULTS_LOG: log,
      FILE_FAULTS_ON: counted,
      FILE_FAULTS_AT: String(at),
      FILE_FAULTS_DO: deed,
    };
    const child = spawn(process.execPath, [MAIN, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    return { child, calls: () => callsIn(readFileSync(log, 'utf8')) };
  }
}

/** Calls of several threads may be noted out of order. */
function callsIn(log: string): Call[] {
  const calls: Call[] = [];
  for (const [, number, kind, path] of log.matchAll(/^(\d+) (\S+) (.*)$/gm)) calls[Number(number) - 1] = { kind, path };
  return calls;
}
