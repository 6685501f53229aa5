import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { ConnectionOptions, TLSSocket, TlsOptions } from 'node:tls';
import { errorWithCode } from '../wire/network-error.ts';

/**
 * A key that both sides have, and that proves each to the other: made of the code that a target has shown, or of the
 * key file of two relays.
 */
export type KeyTrust =
  | {
      kind: 'code';
      /** The secret that both sides share. */
      key: Uint8Array;
    }
  | {
      kind: 'relay-key';
      /** The secret that both sides share. */
      key: Uint8Array;
    };

/** Each side shows a certificate that the other's authority has signed; PEM texts. */
export interface CertificateTrust {
  kind: 'certificates';
  /** This side's certificate, as PEM text. */
  certificate: string;
  /** This side's private key, as PEM text. */
  key: string;
  /** The certificate, as PEM text, that those of both sides must be signed by. */
  authority: string;
  /** Name in the target's certificate; default: the host that is connected to. */
  peerName?: string;
}

/** How the two sides know each other. All but `insecure` encrypt with TLS 1.3 and a fresh key exchange. */
export type Trust =
  | KeyTrust
  | CertificateTrust
  /** Plain text, and anybody may connect. */
  | { kind: 'insecure' };

export type SecureTrust = Exclude<Trust, { kind: 'insecure' }>;

export function isKeyed(trust: Trust): trust is KeyTrust {
  return trust.kind === 'code' || trust.kind === 'relay-key';
}

const IDENTITIES = { code: 'savkit-migration', 'relay-key': 'savkit-relay' } as const;
const TLS_13 = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const;
/** Pre-shared keys of this kind go with a cipher of SHA-256. */
const KEYED = { ...TLS_13, ciphers: 'TLS_AES_128_GCM_SHA256' } as const;

/** @param host that is connected to: with certificates the target has to show one for it */
export function sourceTls(trust: SecureTrust, host: string): ConnectionOptions {
  // The environment can switch this check off (NODE_TLS_REJECT_UNAUTHORIZED): not here.
  const rejectUnauthorized = true;
  if (isKeyed(trust)) {
    const { key, kind } = trust;
    // Node asks for the name only of a server that has shown a certificate: a server that has the key shows none.
    return {
      ...KEYED,
      rejectUnauthorized,
      ca: [],
      checkServerIdentity: noCertificate,
      pskCallback: () => ({ psk: key, identity: IDENTITIES[kind] }),
    };
  }
  const { certificate, key, authority, peerName: name = host } = trust;
  const checkServerIdentity = (_: string, { raw }: { raw: Buffer }) => nameFault(new X509Certificate(raw), name);
  // Names only are announced: TLS has no addresses there.
  return {
    ...TLS_13,
    rejectUnauthorized,
    cert: certificate,
    key,
    ca: authority,
    servername: isIP(name) ? '' : name,
    checkServerIdentity,
  };
}

/** With certificates `sourceFault` has still to be asked once the handshake is through. */
export function targetTls(trust: SecureTrust): TlsOptions {
  if (isKeyed(trust))
    return { ...KEYED, pskCallback: (_socket, identity) => (identity === IDENTITIES[trust.kind] ? trust.key : null) };
  const { certificate, key, authority } = trust;
  return { ...TLS_13, cert: certificate, key, ca: authority, requestCert: true, rejectUnauthorized: false };
}

/**
 * Why a source is not to be trusted, as Node has found out. It destroys such connections by itself as well, but tells
 * nobody why; and takes a session that is gone on with for a proof, whatever it began with: here a certificate has to
 * be there.
 */
export function sourceFault(socket: TLSSocket): Error | undefined {
  if (socket.getPeerX509Certificate() === undefined) return errorWithCode('NO_CERTIFICATE', 'it shows no certificate');
  if (socket.authorized) return undefined;
  return errorWithCode(String(socket.authorizationError), 'its certificate is not trusted');
}

function noCertificate(): Error {
  return errorWithCode('CERTIFICATE_IN_PLACE_OF_KEY', 'the other side shows a certificate in place of the key');
}

/** Only the alternative names count (RFC 9525): a common name is text for people. */
function nameFault(certificate: X509Certificate, name: string): Error | undefined {
  const found = isIP(name)
    ? certificate.checkIP(name)
    : certificate.checkHost(name, { subject: 'never', partialWildcards: false });
  if (found !== undefined) return undefined;
  return errorWithCode(
    'ERR_TLS_CERT_ALTNAME_INVALID',
    `${name} is none of ${certificate.subjectAltName ?? 'its names (it has no subjectAltName)'}`,
  );
}
