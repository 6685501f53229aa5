import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const RUNNER = `
  import { pathToFileURL } from 'node:url';
  import { format, inspect } from 'node:util';
  let count = 0;
  process.on('message', async ({ path, args }) => {
    if (path === undefined) return process.disconnect();
    process.argv.splice(1, Infinity, path, ...args);
    let output = '';
    console.log = (...words) => {
      output += format(...words) + '\\n';
    };
    try {
      await import(pathToFileURL(path).href + '?' + count++);
      process.send({ ok: true, output });
    } catch (error) {
      process.send({ ok: false, output: output + inspect(error) });
    }
  });
`;

/** A process of Node in which programs run one after the other, as loading savkit takes longer than what they do. */
export class ProgramProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #stderr = '';

  constructor(cwd?: string) {
    const words = ['--input-type=module', '-e', RUNNER];
    this.#child = spawn(process.execPath, words, { cwd, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stderr?.on('data', (data) => {
      this.#stderr += data;
    });
  }

  /** Runs an ES module with words of a command line. @returns what it has printed, its error at the end */
  async run(path: string, ...args: string[]): Promise<{ ok: boolean; output: string }> {
    const answer = once(this.#child, 'message').then(([message]) => message as { ok: boolean; output: string });
    const ended = this.#ended.then((code) => ({ ok: false, output: `ended with ${code}` }));
    this.#child.send({ path, args });
    return Promise.race([answer, ended]);
  }

  /** Waits for its end, which comes by itself where the programs have left nothing open. */
  async end(): Promise<{ exitCode: number | null; stderr: string }> {
    this.#child.send({});
    const exitCode = await this.#ended;
    return { exitCode, stderr: this.#stderr };
  }
}
