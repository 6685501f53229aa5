/**
 * Tells which pages travel by a stream. Stretches of 256 pages take turns over the streams, so each page keeps its
 * stream for the whole migration, and its versions stay in order.
 */
export function ownsPage(stream: number, streams: number): (page: number) => boolean {
  return streams === 1 ? () => true : (page) => (page >>> 8) % streams === stream;
}
