import { existsSync, readFileSync } from 'node:fs';

/** Possible places of package.json: this file also runs built, and bundled. */
const PLACES = ['../../package.json', '../../../package.json'];

/** The version of savkit. */
export function version(): string {
  const file = PLACES.map((place) => new URL(place, import.meta.url)).find((url) => existsSync(url));
  return (JSON.parse(readFileSync(file as URL, 'utf8')) as { version: string }).version;
}
