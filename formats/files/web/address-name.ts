import { createHash } from 'node:crypto';

/** Hexadecimal digits of the hash, which distinguishes addresses that differ in hidden parts. */
const DIGITS = 12;
const HIDDEN = 'hidden=';
const NAME = new RegExp(`\\?${HIDDEN}[0-9a-f]{${DIGITS}}$`);
const ADDRESS = /^[a-z][a-z0-9+.-]*:[/\\]{2,}/i;

/**
 * An address as it may be shown and kept: without user and password, and with a hash in place of its query, which signs
 * some links. All other text as it is.
 */
export function addressName(text: string): string {
  if (!ADDRESS.test(text) || isAddressName(text)) return text;
  const start = text.search(/[?#]/);
  const place = start < 0 ? text : text.slice(0, start);
  const query = start < 0 ? '' : text.slice(start);
  const bare = withoutUser(place);
  if (query === '') return bare;
  return `${bare}?${HIDDEN}${createHash('sha256').update(query).digest('hex').slice(0, DIGITS)}`;
}

/** A text with names in place of all addresses in it; QEMU's name for a disk may hold one. */
export function withAddressNames(text: string): string {
  return text.replace(/[a-z][a-z0-9+.-]*:[/\\]{2}[^\s"',]+/gi, addressName);
}

/** Whether a text is the name of an address of which a part is hidden. */
export function isAddressName(text: string): boolean {
  return ADDRESS.test(text) && NAME.test(text);
}

/** Leaves out user and password; more where the end of a password is not certain. */
function withoutUser(place: string): string {
  const [start] = ADDRESS.exec(place) ?? [''];
  const rest = place.slice(start.length);
  const end = URL.canParse(place) ? rest.search(/[/\\]/) : -1;
  const authority = end < 0 ? rest : rest.slice(0, end);
  return start + authority.slice(authority.lastIndexOf('@') + 1) + rest.slice(authority.length);
}
