import { createHash, createHmac } from 'node:crypto';

/** Credentials of an account, and the region of the bucket. */
export interface S3Access {
  keyId: string;
  secret: string;
  /** Token of temporary credentials. */
  sessionToken?: string | undefined;
  region: string;
}

/** SHA-256 of no bytes, as requests have no body. */
const EMPTY = createHash('sha256').digest('hex');
const ALGORITHM = 'AWS4-HMAC-SHA256';

/**
 * Headers that sign a request without a body for S3 (AWS Signature Version 4, which other servers take, too).
 * @param headers further headers to sign, with names in lower case; without `host`, which the URL tells
 * @param date milliseconds since 1970
 */
export function signS3(
  method: string,
  url: string,
  headers: Readonly<Record<string, string>>,
  { keyId, secret, sessionToken, region }: S3Access,
  date: number,
): Record<string, string> {
  const { host, pathname, searchParams } = new URL(url);
  const time = new Date(date).toISOString().replace(/[-:]|\.\d+/g, '');
  const day = time.slice(0, 8);
  const own: Record<string, string> = {
    'x-amz-content-sha256': EMPTY,
    'x-amz-date': time,
    ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
  };
  const signed = Object.entries({ host, ...headers, ...own }).sort(([a], [b]) => (a < b ? -1 : 1));
  const names = signed.map(([name]) => name).join(';');
  const query = [...searchParams].map((pair) => pair.map(encoded).join('=')).sort();
  const canonical = [
    ...[method, pathname, query.join('&')],
    ...signed.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, ' ')}`),
    ...['', names, EMPTY],
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const toSign = [ALGORITHM, time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n');
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secret}`);
  const signature = hmac(key, toSign).toString('hex');
  const authorization = `${ALGORITHM} Credential=${keyId}/${scope},SignedHeaders=${names},Signature=${signature}`;
  return { ...own, authorization };
}

/** Encodes a text for paths and queries of S3, which need more characters encoded than in JavaScript. */
export function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
