import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { ConnectionOptions, TLSSocket, TlsOptions } from 'node:tls';
import { errorWithCode } from '../wire/network-error.ts';

/**
 * A shared key that proves each side to the other: made from the code that a target has shown, or from the key file of
 * two relays.
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

/** Each side shows a certificate that a common authority has signed. */
export interface CertificateTrust {
  kind: 'certificates';
  /** This side's certificate, as PEM text. */
  certificate: string;
  /** This side's private key, as PEM text. */
  key: string;
  /** Certificate of the authority that signs both sides' certificates, as PEM text. */
  authority: string;
  /** Name in the target's certificate; default: the host of the connection. */
  peerName?: string;
}

/** Means by which the two sides authenticate. All but `insecure` encrypt with TLS 1.3 and a fresh key exchange. */
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
/** Pre-shared keys need a cipher with SHA-256. */
const KEYED = { ...TLS_13, ciphers: 'TLS_AES_128_GCM_SHA256' } as const;

/** @param host of the connection; a target's certificate must be valid for it, unless `peerName` says otherwise */
export function sourceTls(trust: SecureTrust, host: string): ConnectionOptions {
  // The check is on whatever the environment says: NODE_TLS_REJECT_UNAUTHORIZED could switch it off.
  const rejectUnauthorized = true;
  if (isKeyed(trust)) {
    const { key, kind } = trust;
    // Node checks the name only of a server that has shown a certificate; a server with the key shows none.
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
  // A server name is sent for host names only, as TLS allows no addresses there.
  return {
    ...TLS_13,
    rejectUnauthorized,
    cert: certificate,
    key,
    ca: only(authority),
    servername: isIP(name) ? '' : name,
    checkServerIdentity,
  };
}

/** TLS options of a target. With certificates, `sourceFault` must be called after the handshake. */
export function targetTls(trust: SecureTrust): TlsOptions {
  if (isKeyed(trust))
    return { ...KEYED, pskCallback: (_socket, identity) => (identity === IDENTITIES[trust.kind] ? trust.key : null) };
  const { certificate, key, authority } = trust;
  return { ...TLS_13, cert: certificate, key, ca: only(authority), requestCert: true, rejectUnauthorized: false };
}

/** A list, as Node takes an empty text for no authority, and then trusts all public ones. */
function only(authority: string): string[] {
  return [authority];
}

/**
 * Node's reason not to trust a source. Node also destroys such connections itself, but without the reason; and it
 * accepts any resumed session, so a certificate is required here.
 */
export function sourceFault(socket: TLSSocket): Error | undefined {
  if (socket.getPeerX509Certificate() === undefined) return errorWithCode('NO_CERTIFICATE', 'it shows no certificate');
  if (socket.authorized) return undefined;
  return errorWithCode(String(socket.authorizationError), 'its certificate is not trusted');
}

function noCertificate(): Error {
  return errorWithCode('CERTIFICATE_IN_PLACE_OF_KEY', 'the other side shows a certificate in place of the key');
}

/**
 * The fault of a certificate that is not for a name; only its alternative names count, not the common name (RFC 9525).
 */
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
