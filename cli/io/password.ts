import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { UsageError } from '../../formats/errors.ts';
import { ask } from '../terminal/print.ts';
import { line, type TerminalText } from '../terminal/terminal-text.ts';
import { readSmallText } from './input.ts';
import { stop } from './stop.ts';

/** Maximum size, in bytes, of a file with a password; no password is longer. */
const PASSWORD_FILE_LIMIT = 4096;

/**
 * A password from a file (its last newline does not count), or the environment, or asked for on a terminal. It never
 * comes from the command line, which all users of the host can read.
 * @throws UsageError if there is no password
 */
export async function readPassword(
  file: string | undefined,
  variable: string,
  prompt: TerminalText,
  fileOption = '--password-file',
): Promise<string> {
  if (file !== undefined) return (await readSmallText(file, PASSWORD_FILE_LIMIT)).replace(/\r?\n$/, '');
  const value = process.env[variable];
  // An empty variable counts as none: an empty password is given in a file.
  if (value) return value;
  if (!process.stdin.isTTY)
    throw new UsageError(
      'no-password',
      `Cannot ask for a password: stdin is no terminal; give ${fileOption} or set ${variable}`,
    );
  return readHidden(prompt);
}

function readHidden(prompt: TerminalText): Promise<string> {
  ask(prompt);
  // Typed characters are not shown.
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true, signal: stop.signal });
  return new Promise((resolve, reject) => {
    lines.once('line', resolve);
    lines.once('close', () => reject(new UsageError('no-password', 'Cannot go on: no password was given')));
  }).finally(() => {
    lines.close();
    ask(line`\n`);
  }) as Promise<string>;
}
