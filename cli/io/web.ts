import { UsageError } from '../../formats/errors.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import type { HttpOptions } from '../../formats/files/web/http-request.ts';
import { httpFacts, isHttp, openHttp } from '../../formats/files/web/http-source.ts';
import { encoded, signS3 } from '../../formats/files/web/s3-signature.ts';
import { SECRET_VARIABLES } from '../../formats/world/secret-variables.ts';
import { world } from '../../formats/world/world.ts';
import { addressOf } from './addresses.ts';
import { stop } from './stop.ts';

// Files on servers. Credentials come from the environment: every user of the host can see command lines.

const DEFAULT_REGION = 'us-east-1';

/** Whether a path is to be fetched: `https://…`, `http://…`, `s3://…`. */
export function isUrl(path: string): boolean {
  return isHttp(path) || isS3(path);
}

/** @throws EnvironmentError, UsageError for an address without bucket and key */
export async function openUrl(path: string): Promise<ByteSource> {
  return isS3(path) ? openHttp(objectAddress(path), s3Options(path)) : openHttp(addressOf(path), httpOptions(path));
}

/** Size and time of a file, as far as its server tells. */
export async function factsOfUrl(path: string): Promise<{ size: number | null; modified: string | null }> {
  return isS3(path) ? httpFacts(objectAddress(path), s3Options(path)) : httpFacts(addressOf(path), httpOptions(path));
}

function httpOptions(name: string): HttpOptions {
  return { name, authorization: process.env[SECRET_VARIABLES.httpAuthorization], signal: stop.signal };
}

function isS3(path: string): boolean {
  return /^s3:\/\//i.test(path);
}

/**
 * Reads the environment variables of Amazon's own tools; without a key the bucket has to be open to all.
 * @throws UsageError for half a key
 */
function s3Options(path: string): HttpOptions {
  const { AWS_ACCESS_KEY_ID: keyId } = process.env;
  const { [SECRET_VARIABLES.s3Secret]: secret, [SECRET_VARIABLES.s3SessionToken]: sessionToken } = process.env;
  const own = { name: path, signal: stop.signal };
  if (!keyId && !secret) return own;
  if (!keyId || !secret) {
    const missing = keyId ? SECRET_VARIABLES.s3Secret : 'AWS_ACCESS_KEY_ID';
    throw new UsageError(
      'usage',
      `Cannot open ${path}: ${missing} is not set; to do without a key, unset the other variable, too`,
    );
  }
  const access = { keyId, secret, sessionToken: sessionToken || undefined, region: regionOf() };
  return { ...own, sign: (method, url, headers) => signS3(method, url, headers, access, world.time.date()) };
}

function regionOf(): string {
  return process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION || DEFAULT_REGION;
}

/** Address of the object of `s3://BUCKET/KEY`: at Amazon, or at the server that the environment names. */
function objectAddress(path: string): string {
  const [, bucket = '', key = ''] = /^s3:\/\/([^/@]+)\/(.+)$/i.exec(addressOf(path)) ?? [];
  if (key === '') throw new UsageError('usage', `Cannot open ${path}: expected s3://BUCKET/KEY`);
  const keyPath = key.split('/').map(encoded).join('/');
  const endpoint = process.env.AWS_ENDPOINT_URL_S3 || process.env.AWS_ENDPOINT_URL;
  // The message does not repeat the address, which may hold a password.
  if (endpoint && !(isHttp(endpoint) && URL.canParse(endpoint)))
    throw new UsageError('bad-url', 'Cannot use AWS_ENDPOINT_URL: expected https://HOST or http://HOST:PORT');
  if (endpoint) return `${endpoint.replace(/\/+$/, '')}/${encoded(bucket)}/${keyPath}`;
  const host = `s3.${regionOf()}.amazonaws.com`;
  // The server's wildcard certificate covers one label: a bucket with dots in its name goes into the path.
  return bucket.includes('.') ? `https://${host}/${bucket}/${keyPath}` : `https://${bucket}.${host}/${keyPath}`;
}
