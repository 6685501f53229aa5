import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EnvironmentError } from '../../../formats/errors.ts';
import type { StartedProgram } from '../../../formats/world/programs.ts';
import { world } from '../../../formats/world/world.ts';
import type { PageSet } from '../../machine/page-set.ts';
import { privateFolder, removeFolder } from './private-folder.ts';

/**
 * Source of the C program, which is compiled at each start; it lies beside this file and beside the bundled command
 * line.
 */
const SOURCE = fileURLToPath(new URL('./write-watch.c', import.meta.url));
const PAIR = 8;
/** In place of a page number: no more runs follow. */
const NO_PAGE = 0xffff_ffff;
/** Length to which the compiler's message is cut in an error. */
const SAID = 200;

/** A piece of another process's memory. */
export interface WatchedPiece {
  /** Address in that process. */
  address: number;
  pages: number;
}

/**
 * Has the kernel note which pages of another process are written, by a small C program (write-watch.c). Needs Linux 6.7
 * on x86-64, a C compiler, and rights over the process.
 */
export class WriteWatch {
  readonly #child: StartedProgram;
  readonly #output: AsyncIterator<Buffer> | undefined;
  #heard: Buffer = Buffer.alloc(0);

  private constructor(child: StartedProgram) {
    this.#child = child;
    this.#output = child.stdout?.[Symbol.asyncIterator]();
    child.on('error', () => {});
    child.stdin?.on('error', () => {});
    child.unref();
  }

  /**
   * Writes are noted once this resolves. One thread of the process stands still for less than a millisecond.
   * @throws EnvironmentError `no-write-watch` with the reason
   */
  static async start(pid: number, pieces: readonly WatchedPiece[]): Promise<WriteWatch> {
    // Everybody can read the compiler's command line: in /tmp itself, somebody could create a file of that name first.
    const folder = privateFolder();
    try {
      const program = join(folder, 'write-watch');
      await compile(program);
      const words = pieces.map(({ address, pages }) => `${address.toString(16)}:${pages}`);
      const watch = new WriteWatch(
        world.programs.start(program, [String(pid), ...words], { stdio: ['pipe', 'pipe', 'ignore'] }),
      );
      await watch.#begin();
      return watch;
    } finally {
      removeFolder(folder);
    }
  }

  /**
   * Adds the pages written since the last call, or since the start; later writes belong to the next call.
   * @throws EnvironmentError `no-write-watch`: nothing is known any more
   */
  async take(into: PageSet): Promise<void> {
    this.#child.stdin?.write('.');
    for (;;) {
      let at = 0;
      for (; at + PAIR <= this.#heard.length; at += PAIR) {
        const [first, count] = [this.#heard.readUInt32LE(at), this.#heard.readUInt32LE(at + 4)];
        if (first === NO_PAGE) {
          this.#heard = this.#heard.subarray(at + PAIR);
          if (count === 0) return;
          throw noWatch(`error ${count} of the kernel`);
        }
        for (let page = first; page < Math.min(first + count, into.pageCount); page++) into.add(page);
      }
      this.#heard = this.#heard.subarray(at);
      await this.#hear();
    }
  }

  /** Ends the noting of writes. */
  close(): void {
    this.#child.stdin?.end();
  }

  async #begin(): Promise<void> {
    while (!this.#heard.includes('\n')) await this.#hear();
    const end = this.#heard.indexOf('\n');
    const line = this.#heard.toString('utf8', 0, end);
    this.#heard = this.#heard.subarray(end + 1);
    if (line === 'ok') return;
    this.close();
    throw noWatch(line);
  }

  async #hear(): Promise<void> {
    const { done, value } = (await this.#output?.next()) ?? { done: true };
    if (done) throw noWatch('the program that asks the kernel has ended');
    this.#heard = Buffer.concat([this.#heard, value]);
  }
}

async function compile(program: string): Promise<void> {
  try {
    await world.programs.run(process.env.CC ?? 'cc', ['-O2', '-o', program, SOURCE]);
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOENT') throw noWatch('there is no C compiler (cc)');
    throw noWatch(`the compiler says ${stderr.trim().split('\n').at(-1)?.slice(0, SAID) ?? 'nothing'}`);
  }
}

function noWatch(why: string): EnvironmentError {
  return new EnvironmentError('no-write-watch', `Cannot have the kernel note writes: ${why}`);
}
