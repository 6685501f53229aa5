// How pairing codes look: apart from their use, so that a command line can know one without loading that.

/** Without letters that are taken for others. */
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
