import { createHash, timingSafeEqual } from 'node:crypto';

// The lines of VirtualBox's teleporter as data and pure functions, without sockets; frames.ts has the frames between
// them. Source: Teleporter.cpp (ConsoleImplTeleporter.cpp), releases 3.1 to 7.2.

/** First line of the target, with the only existing version. */
export const WELCOME = 'VirtualBox-Teleporter-1.0';

export const COMMANDS = ['load', 'cancel', 'lock-media', 'hand-over-resume', 'hand-over-paused'] as const;
export type Command = (typeof COMMANDS)[number];

/** Longest command without its newline; after a longer one a target ends without an answer. */
export const COMMAND_LIMIT = 127;
/** Longest reply with its newline; a longer text is cut off, and then has no newline. */
export const REPLY_LIMIT = 255;
/** Longest welcome that is read: the right one has 26 bytes. */
export const WELCOME_LIMIT = 255;

export function parseCommand(line: string): Command | 'other' {
  return COMMANDS.find((command) => command === line) ?? 'other';
}

/** A target's answer. */
export type Reply = { ack: true } | { ack: false; status: number; text: string };

/** @returns undefined for a line that is neither ACK nor NACK */
export function parseReply(line: string): Reply | undefined {
  if (line === 'ACK') return { ack: true };
  const match = /^NACK=(-?\d{1,10})(?:;(.*))?$/s.exec(line);
  if (!match) return undefined;
  // Newlines are sent as carriage returns.
  return { ack: false, status: Number(match[1]), text: (match[2] ?? '').replaceAll('\r', '\n') };
}

/** A reply as it goes over the wire, newline included unless the text is cut off. */
export function encodeReply(reply: Reply): Uint8Array {
  if (reply.ack) return Buffer.from('ACK\n');
  const text = reply.text === '' ? '' : `;${reply.text.replaceAll('\n', '\r')}`;
  const bytes = Buffer.from(`NACK=${reply.status}${text}\n`);
  return bytes.length <= REPLY_LIMIT ? bytes : bytes.subarray(0, wholeCharacters(bytes, REPLY_LIMIT));
}

/** As many bytes, up to `limit`, as end with a whole UTF-8 character. */
function wholeCharacters(bytes: Uint8Array, limit: number): number {
  let end = limit;
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
  return end;
}

/** Form of a password on the wire: hashed since 4.2, plain in 3.1 to 4.1. */
export type PasswordForm = 'hashed' | 'plain';

/** The line, without its newline, that a source sends. An empty password is sent as an empty line in either form. */
export function passwordLine(password: string, form: PasswordForm): string {
  if (password === '' || form === 'plain') return password;
  return `#SHA-512##${createHash('sha512').update(password).digest('hex')}`;
}

/** Whether a line is the password in either form, in constant time. */
export function passwordMatches(line: string, password: string): boolean {
  const forms: PasswordForm[] = ['hashed', 'plain'];
  return forms.map((form) => sameText(line, passwordLine(password, form))).includes(true);
}

/**
 * Longest password line that is read: three times the right one, rounded up to 1024, which a VirtualBox target reads
 * before it refuses.
 */
export const PASSWORD_LIMIT = 1024;

/**
 * A connection without a complete password after this time makes room for the next one. VirtualBox waits, and serves
 * nobody else.
 */
export const PASSWORD_MS = 30_000;

/** The reason why a password can't be used; undefined if it can. */
export function passwordFault(password: string): string | undefined {
  if (/[\n\0]/.test(password)) return 'it has more than one line';
  if (/^#SHA-512##[0-9a-f]{128}$/i.test(password))
    return 'it looks like a hashed one, which VirtualBox refuses; give the password itself';
  if (Buffer.byteLength(password) >= PASSWORD_LIMIT) return `it is longer than ${PASSWORD_LIMIT - 1} bytes`;
  return undefined;
}

function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
