// The form of pairing codes, which has a file of its own so that the command line recognises codes without loading the
// cryptography.

/** Characters of codes: no letters and digits that are easily confused. */
export const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';
export const LENGTH = 27;

/** Whether a text has the form of a code. */
export function isPairingCode(text: string): boolean {
  const plain = plainCode(text);
  return plain.length === LENGTH && [...plain].every((character) => ALPHABET.includes(character));
}

export function plainCode(text: string): string {
  return text.toLowerCase().replace(/[\s-]/g, '');
}
