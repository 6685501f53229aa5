import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? '../../bin/savkit.js' : '../../dist/bin/savkit.js', import.meta.url),
);

/** Output of `--ndjson`: events, the last of them `end`. */
export type SavkitEvent = { event: string } & Record<string, unknown>;

/** A savkit command that runs beside the test, with the password x. */
export class SavkitProcess {
  readonly events: SavkitEvent[] = [];
  readonly ended: Promise<{ exitCode: number | null; result: Record<string, unknown>; error: string; stderr: string }>;
  readonly child: ChildProcess;
  #isOver = false;
  #waiting: (() => void)[] = [];

  constructor(...args: string[]) {
    const env = { ...process.env, SAVKIT_TELEPORTER_PASSWORD: 'x' };
    const [program, words] = this.command([process.execPath, main, ...args, '--ndjson']);
    const child = spawn(program, words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    let rest = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop() ?? '';
      this.events.push(...lines.filter((line) => this.isEvent(line)).map((line) => JSON.parse(line) as SavkitEvent));
      this.#wake();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk;
    });
    this.ended = new Promise((resolve) => {
      child.on('close', (exitCode) => {
        const files = (this.events.at(-1)?.files ?? []) as {
          result: Record<string, unknown> | null;
          error: { message: string } | null;
        }[];
        resolve({ exitCode, result: files[0]?.result ?? {}, error: files[0]?.error?.message ?? '', stderr });
        this.#isOver = true;
        this.#wake();
      });
    });
  }

  protected command([program, ...words]: readonly string[]): [program: string, words: string[]] {
    return [program, words];
  }

  protected isEvent(_line: string): boolean {
    return true;
  }

  /** Number of the command's process, as it tells it; else that of the process that was started. */
  get pid(): number {
    return Number(this.events.find((event) => 'pid' in event)?.pid ?? this.child.pid);
  }

  /** Waits for an event. @throws Error when the command ends without */
  async event(name: string): Promise<SavkitEvent> {
    for (;;) {
      const event = this.events.find((candidate) => candidate.event === name);
      if (event) return event;
      if (this.#isOver) throw new Error(`no ${name}: ${JSON.stringify(await this.ended)}`);
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** The port that the command listens on. */
  async port(): Promise<number> {
    return Number(
      String((await this.event('listening')).at)
        .split(':')
        .at(-1),
    );
  }
}
