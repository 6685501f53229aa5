import { hkdfSync } from 'node:crypto';
import type { ConnectionOptions, TlsOptions } from 'node:tls';
import { UsageError } from '../../formats/errors.ts';

/** The secret that two relays share; proves each to the other, and encrypts what goes between them. */
export interface RelayKey {
  readonly secret: Uint8Array;
}

/** Fewer bytes than a key of 128 bits has could be guessed. */
const SHORTEST_SECRET = 16;

/** Makes a key of the content of a key file, e.g. of `openssl rand -base64 32`. @throws UsageError for one that is too short */
export function relayKey(content: Uint8Array): RelayKey {
  const text = Buffer.from(content).toString('latin1').trim();
  if (text.length < SHORTEST_SECRET) {
    throw new UsageError('bad-key', `Cannot use this key: it has ${text.length} bytes, expected at least ${SHORTEST_SECRET}; try: openssl rand -base64 32`);
  }
  return { secret: new Uint8Array(hkdfSync('sha256', Buffer.from(text, 'latin1'), '', 'savkit relay', 32)) };
}

const IDENTITY = 'savkit-relay';

/**
 * TLS 1.3 with the key in place of certificates, and a fresh key exchange all the same: who learns the key later can't read what was recorded.
 * Pre-shared keys of this kind go with a cipher of SHA-256.
 */
const KEYED = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' } as const;

export function clientTls({ secret }: RelayKey): ConnectionOptions {
  return { ...KEYED, checkServerIdentity: () => undefined, pskCallback: () => ({ psk: secret, identity: IDENTITY }) };
}

export function serverTls({ secret }: RelayKey): TlsOptions {
  return { ...KEYED, pskCallback: (_socket, identity) => (identity === IDENTITY ? secret : null) };
}
