import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';

/**
 * A savkit command on a terminal of its own, by script(1). Killing `child`, which is the terminal, closes that, not the
 * command.
 */
export class TerminalProcess extends SavkitProcess {
  protected override command(words: readonly string[]): [program: string, words: string[]] {
    const quoted = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
    return ['script', ['-qfec', `exec ${quoted}`, '/dev/null']];
  }

  /** A terminal shows the lines of stderr among the events. */
  protected override isEvent(line: string): boolean {
    return line.startsWith('{');
  }
}
