import type { ConnectionOptions, TlsOptions } from 'node:tls';

/** How the two sides know each other. All but `insecure` encrypt with TLS 1.3 and a fresh key exchange. */
export type Trust =
  /** A key made of the code that the target has shown: proves each side to the other. */
  | { kind: 'code'; key: Uint8Array }
  /** Each side shows a certificate that the other's authority has signed; PEM texts. */
  | { kind: 'certificates'; certificate: string; key: string; authority: string; peerName?: string }
  /** Plain text, and anybody may connect. */
  | { kind: 'insecure' };

const IDENTITY = 'savkit-migration';
const TLS_13 = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const;
/** Pre-shared keys of this kind go with a cipher of SHA-256. */
const KEYED = { ...TLS_13, ciphers: 'TLS_AES_128_GCM_SHA256' } as const;

type Secure = Exclude<Trust, { kind: 'insecure' }>;

export function sourceTls(trust: Secure): ConnectionOptions {
  if (trust.kind === 'code') return { ...KEYED, checkServerIdentity: () => undefined, pskCallback: () => ({ psk: trust.key, identity: IDENTITY }) };
  const { certificate, key, authority, peerName } = trust;
  return { ...TLS_13, cert: certificate, key, ca: authority, ...(peerName === undefined ? {} : { servername: peerName }) };
}

export function targetTls(trust: Secure): TlsOptions {
  if (trust.kind === 'code') return { ...KEYED, pskCallback: (_socket, identity) => (identity === IDENTITY ? trust.key : null) };
  const { certificate, key, authority } = trust;
  return { ...TLS_13, cert: certificate, key, ca: authority, requestCert: true, rejectUnauthorized: true };
}

/** What a failed handshake means, in words; undefined where it is not about trust. */
export function distrustOf({ kind }: Trust, error: NodeJS.ErrnoException): { code: string; words: string } | undefined {
  const code = error.code ?? '';
  if (kind === 'code' && code.startsWith('ERR_SSL')) return { code: 'wrong-code', words: 'the pairing code is not the one that the target shows' };
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return { code: 'wrong-name', words: `the target's certificate is for another name: ${error.message}` };
  if (UNTRUSTED.has(code)) return { code: 'wrong-certificate', words: `the certificate of the other side is not trusted (${code})` };
  if (code === 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' || code.startsWith('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA') || code.includes('ALERT_BAD_CERTIFICATE'))
    return { code: 'wrong-certificate', words: 'the target does not trust the certificate that was shown to it' };
  if (code.startsWith('ERR_SSL')) return { code: 'no-tls', words: `the other side does not speak TLS as expected (${code})` };
  return undefined;
}

const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'INVALID_CA',
]);
