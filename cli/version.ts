import { existsSync, readFileSync } from 'node:fs';

let known: string | undefined;

/** The version of savkit, from the package.json of the nearest folder above this file: the file also runs built, and bundled. */
export function version(): string {
  known ??= (JSON.parse(readFileSync(nearestPackage(new URL('.', import.meta.url)), 'utf8')) as { version: string }).version;
  return known;
}

function nearestPackage(folder: URL): URL {
  const file = new URL('package.json', folder);
  return existsSync(file) && readFileSync(file, 'utf8').includes('"version"') ? file : nearestPackage(new URL('..', folder));
}
