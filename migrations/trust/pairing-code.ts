import { hkdfSync } from 'node:crypto';
import { UsageError } from '../../formats/errors.ts';
import { world } from '../../formats/world/world.ts';
import { ALPHABET, isPairingCode, LENGTH, plainCode } from './code-form.ts';

// A code that a target shows and the user gives to the source, in place of certificates. It is the key of the
// handshake, and must withstand offline guessing by an eavesdropper: 130 bits.

const GROUP = 5;

/** A fresh code, such as `k7dqm-…`: 27 characters of 31, in groups. */
export function newPairingCode(): string {
  const characters = Array.from({ length: LENGTH }, () => ALPHABET[world.chance.integer(0, ALPHABET.length)]).join('');
  return (characters.match(new RegExp(`.{1,${GROUP}}`, 'g')) ?? []).join('-');
}

/** Derives the key from a code; case, blanks and dashes don't matter. @throws UsageError for text that is no code */
export function keyOfCode(code: string): Uint8Array {
  const plain = plainCode(code);
  if (!isPairingCode(code))
    throw new UsageError(
      'bad-code',
      `Cannot use pairing code: it has ${plain.length} characters, expected the ${LENGTH} that the target ` +
        'shows, letters and digits without 0, 1, i, l, o',
    );
  return new Uint8Array(hkdfSync('sha256', Buffer.from(plain, 'latin1'), '', 'savkit migration', 32));
}
