import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';

/** A savkit command, with its processor time as a shell tells it. */
export class TimedProcess extends SavkitProcess {
  protected override command(words: readonly string[]): [program: string, words: string[]] {
    return ['sh', ['-c', '"$@"; code=$?; times >&2; exit $code', 'savkit', ...words]];
  }

  async cpuMs(): Promise<number> {
    const { stderr } = await this.ended;
    const [user, system] = [...(stderr.trim().split('\n').at(-1) ?? '').matchAll(/(\d+)m([\d.]+)s/g)];
    return [user, system].reduce(
      (sum, [, minutes, seconds]) => sum + Number(minutes) * 60_000 + Number(seconds) * 1000,
      0,
    );
  }
}
