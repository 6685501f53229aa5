import { hkdfSync } from 'node:crypto';
import { UsageError } from '../../formats/errors.ts';
import type { KeyTrust } from '../trust/trust.ts';

/** Key with which two relays prove themselves to each other, and encrypt their connection. */
export type RelayKey = Extract<KeyTrust, { kind: 'relay-key' }>;

/** Bytes of a 128-bit key; a shorter secret could be guessed. */
const SHORTEST_SECRET = 16;

/**
 * Makes a key of the content of a key file, such as the output of `openssl rand -base64 32`. @throws UsageError if it
 * is too short
 */
export function relayKey(content: Uint8Array): RelayKey {
  const text = Buffer.from(content).toString('latin1').trim();
  if (text.length < SHORTEST_SECRET) {
    throw new UsageError(
      'bad-key',
      `Cannot use this key: it has ${text.length} bytes, expected at least ${SHORTEST_SECRET}; try: openssl ` +
        'rand -base64 32',
    );
  }
  return {
    kind: 'relay-key',
    key: new Uint8Array(hkdfSync('sha256', Buffer.from(text, 'latin1'), '', 'savkit relay', 32)),
  };
}
