/**
 * Tells which pages travel by a stream: stretches of 256 pages take turns over the streams, so that a page has one
 * stream for all of a migration and its versions stay in order.
 */
export function ownsPage(stream: number, streams: number): (page: number) => boolean {
  return streams === 1 ? () => true : (page) => (page >>> 8) % streams === stream;
}
