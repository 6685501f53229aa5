import { UsageError } from '../../formats/errors.ts';
import { isPairingCode } from '../../migrations/trust/code-form.ts';

/** Replaces a pairing code in messages about the command line, so that logs do not hold it. */
export const NO_CODE = 'a pairing code, which is not repeated here';

/** The error for surplus words of a command line. @param usage the call that was expected */
export function surplusError(words: readonly string[], usage: string): UsageError {
  const said = isPairingCode(words.join(' '))
    ? NO_CODE
    : words.map((word) => (isPairingCode(word) ? NO_CODE : word)).join(', ');
  return new UsageError('too-many-arguments', `surplus: ${said}; expected ${usage}`);
}
