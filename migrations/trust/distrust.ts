import { networkWords } from '../wire/network-error.ts';
import type { Trust } from './trust.ts';

/** Meaning of a failed handshake, as a code and in words. */
export interface Distrust {
  code: 'wrong-code' | 'wrong-key' | 'wrong-name' | 'wrong-certificate' | 'no-tls';
  words: string;
}

const WRONG_KEY: Readonly<Record<'code' | 'relay-key', Distrust>> = {
  code: { code: 'wrong-code', words: 'the pairing code is not the one that the target shows' },
  'relay-key': { code: 'wrong-key', words: 'there is no relay with the same key' },
};

const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_CHAIN_TOO_LONG',
  'PATH_LENGTH_EXCEEDED',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'HOSTNAME_MISMATCH',
  'UNSPECIFIED',
]);

/** The reason why a source could not connect to a target; undefined if the failure is not about trust. */
export function distrustOf({ kind }: Trust, error: NodeJS.ErrnoException): Distrust | undefined {
  const code = error.code ?? '';
  const isOfCertificate = UNTRUSTED.has(code) || code === 'ERR_TLS_CERT_ALTNAME_INVALID';
  if (kind === 'code' || kind === 'relay-key')
    return code.startsWith('ERR_SSL') || isOfCertificate || OF_KEYS.has(code) ? WRONG_KEY[kind] : undefined;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return { code: 'wrong-name', words: `the target's certificate is for another name: ${error.message}` };
  if (UNTRUSTED.has(code))
    return { code: 'wrong-certificate', words: `the certificate of the other side is not trusted (${code})` };
  if (
    code === 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' ||
    code.startsWith('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA') ||
    code.includes('ALERT_BAD_CERTIFICATE')
  )
    return { code: 'wrong-certificate', words: 'the target does not trust the certificate that was shown to it' };
  if (code.startsWith('ERR_SSL'))
    return { code: 'no-tls', words: `the other side does not speak TLS as expected (${code})` };
  return undefined;
}

/** The reason why a target refuses a peer. */
export function refusalOf(trust: Trust, error: NodeJS.ErrnoException): string {
  if (trust.kind === 'code') return 'it does not know the pairing code';
  if (trust.kind === 'relay-key') return 'it does not know the key';
  return distrustOf(trust, error)?.words ?? networkWords(error);
}

/** Error code for a peer that does not prove that it has the key. */
export const NO_PROOF = 'NO_PROOF_OF_KEY';
const OF_KEYS = new Set([NO_PROOF, 'CERTIFICATE_IN_PLACE_OF_KEY', 'ERR_TLS_PSK_SET_IDENTITY_HINT_FAILED']);
