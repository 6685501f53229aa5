import { vi } from 'vitest';
import { runCommandLine } from '../command-line.ts';
import { forgetInputs } from '../io/input.ts';

/**
 * Runs a command line in this process, which takes less time than a process of its own. One at a time.
 * @returns what came out, bytes as Latin-1; `both` is either stream in the order of writing
 */
export async function runHere(
  ...words: string[]
): Promise<{ stdout: string; stderr: string; both: string; exitCode: typeof process.exitCode }> {
  const out = { stdout: '', stderr: '', both: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation(((data: string | Uint8Array, done?: () => void) => {
      const text = typeof data === 'string' ? data : Buffer.from(data).toString('latin1');
      out[name] += text;
      out.both += text;
      done?.();
      return true;
    }) as never),
  );
  try {
    await runCommandLine(words, '1.2.3');
    return { ...out, exitCode: process.exitCode ?? 0 };
  } finally {
    // Memory that else lasts as long as a process.
    forgetInputs();
    for (const spy of spies) spy.mockRestore();
    process.exitCode = undefined;
  }
}
