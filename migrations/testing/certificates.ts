import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { isIP } from 'node:net';

// Certificates with whatever faults a test needs, made without OpenSSL: X.509 (RFC 5280) in DER, signed with ECDSA.

export interface CertificateOptions {
  /** Common name. */
  subject: string;
  /** Alternative names; addresses go in as such, unless `addressesAsNames`. */
  names?: string[];
  addressesAsNames?: boolean;
  /** The certificate that signs it; by default it signs itself. */
  issuer?: TestCertificate;
  isAuthority?: boolean;
  /** In days from now. */
  from?: number;
  until?: number;
  /** Extended usage; any by default. */
  usage?: 'server' | 'client';
}

export interface TestCertificate {
  subject: string;
  certificate: string;
  key: string;
  privateKey: KeyObject;
}

const DAY_MS = 86_400_000;
let serial = 1;

export function makeCertificate(options: CertificateOptions): TestCertificate {
  const { subject, issuer, from = -1, until = 365 } = options;
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  const content = sequence(
    tagged(0xa0, integer(2)),
    integer(serial++),
    algorithm,
    nameOf(issuer?.subject ?? subject),
    sequence(time(from), time(until)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensionsOf(options))),
  );
  const signature = sign('sha256', content, issuer?.privateKey ?? privateKey);
  const der = sequence(content, algorithm, tagged(0x03, Buffer.of(0), signature));
  const body = der
    .toString('base64')
    .match(/.{1,64}/g)
    ?.join('\n');
  const certificate = `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`;
  return { subject, certificate, privateKey, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

function extensionsOf({
  names = [],
  addressesAsNames = false,
  isAuthority = false,
  usage,
}: CertificateOptions): Buffer[] {
  const extensions = [extension('2.5.29.19', sequence(...(isAuthority ? [tagged(0x01, Buffer.of(0xff))] : [])))];
  const alternatives = names.map((name) =>
    isIP(name) === 4 && !addressesAsNames
      ? tagged(0x87, Buffer.from(name.split('.').map(Number)))
      : tagged(0x82, Buffer.from(name, 'latin1')),
  );
  if (names.length > 0) extensions.push(extension('2.5.29.17', sequence(...alternatives)));
  if (usage !== undefined)
    extensions.push(extension('2.5.29.37', sequence(oid(`1.3.6.1.5.5.7.3.${usage === 'server' ? 1 : 2}`))));
  return extensions;
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), tagged(0x04, value));
}

function nameOf(commonName: string): Buffer {
  return sequence(tagged(0x31, sequence(oid('2.5.4.3'), tagged(0x0c, Buffer.from(commonName)))));
}

function time(days: number): Buffer {
  const text = new Date(Date.now() + days * DAY_MS).toISOString().replace(/[-:T]|\.\d+/g, '');
  return tagged(0x18, Buffer.from(text));
}

function oid(text: string): Buffer {
  const [first, second, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest.flatMap(base128)];
  return tagged(0x06, Buffer.from(bytes));
}

function base128(value: number): number[] {
  const bytes = [value & 127];
  for (let left = value >> 7; left > 0; left >>= 7) bytes.unshift((left & 127) | 128);
  return bytes;
}

function integer(value: number): Buffer {
  return tagged(0x02, Buffer.of(value));
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, ...parts);
}

function tagged(tag: number, ...parts: Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const { length } = value;
  const head =
    length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), value]);
}
