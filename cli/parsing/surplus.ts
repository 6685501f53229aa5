import { UsageError } from '../../formats/errors.ts';
import { isPairingCode } from '../../migrations/trust/code-form.ts';

/** Stands for a pairing code that was given as words: it must not stand in logs of the terminal, too. */
export const NO_CODE = 'a pairing code, which is not repeated here';

/** That words of a command line are too many. @param usage the call that was expected */
export function surplusError(words: readonly string[], usage: string): UsageError {
  const said = isPairingCode(words.join(' '))
    ? NO_CODE
    : words.map((word) => (isPairingCode(word) ? NO_CODE : word)).join(', ');
  return new UsageError('too-many-arguments', `too much is ${said}; expected ${usage}`);
}
