import { LIBVIRT_HEADER_SIZE, type LibvirtImage } from '../../../../formats/qemu/containers/libvirt-image.ts';
import {
  OFFSET_BITS,
  type Qcow2Image,
  type Qcow2Snapshot,
  stateStart,
  tableBitsOf,
} from '../../../../formats/qemu/containers/qcow2.ts';
import type { Place } from './qemu-places.ts';

// Places of all parts of libvirt's images and of qcow2, the containers of QEMU's streams; streams: `qemu-places.ts`.

/** Adds stretches one after the other. */
function stretches(start: number, sizes: readonly [kind: string, size: number][]): Place[] {
  let end = start;
  return sizes.map(([kind, size]) => {
    end += size;
    return { start: end - size, end, kind };
  });
}

/** The head of a save image of libvirt; what it holds follows it. */
export function savePlaces({ data, cookieOffset }: LibvirtImage, size: number, isPacked: boolean): Place[] {
  const xmlEnd = data.indexOf(0);
  const cookieEnd = cookieOffset === 0 ? xmlEnd + 1 : data.indexOf(0, cookieOffset) + 1;
  const start = LIBVIRT_HEADER_SIZE + data.length;
  return [
    ...stretches(0, [
      ['libvirt: magic', 16],
      ['libvirt: version', 4],
      ['libvirt: length of the settings', 4],
      ['libvirt: was running', 4],
      ['libvirt: format', 4],
      ['libvirt: place of the cookie', 4],
      ['libvirt: unused', 56],
      ['libvirt: settings', xmlEnd],
      ['libvirt: zero after the settings', 1],
      ['libvirt: cookie', cookieEnd - xmlEnd - 1],
      ['libvirt: padding', data.length - cookieEnd],
    ]),
    ...(isPacked ? [{ start, end: size, kind: 'libvirt: compressed stream' }] : []),
  ];
}

const HEADER: readonly [kind: string, size: number][] = [
  ['magic', 4],
  ['version', 4],
  ['place of the backing file name', 8],
  ['length of the backing file name', 4],
  ['cluster bits', 4],
  ['size of the disk', 8],
  ['encryption', 4],
  ['entries of the L1 table', 4],
  ['place of the L1 table', 8],
  ['place of the reference counts', 8],
  ['clusters of the reference counts', 4],
  ['number of snapshots', 4],
  ['place of the snapshots', 8],
  ['incompatible features', 8],
  ['compatible features', 8],
  ['autoclear features', 8],
  ['order of reference counts', 4],
  ['length of the header', 4],
  ['compression type', 1],
  ['padding', 7],
];
const SNAPSHOT: readonly [kind: string, size: number][] = [
  ['place of the L1 table', 8],
  ['entries of the L1 table', 4],
  ['length of the id', 2],
  ['length of the name', 2],
  ['date', 8],
  ['clock of the guest', 8],
  ['short size of the state', 4],
  ['size of the extra data', 4],
  ['size of the state', 8],
  ['size of the disk', 8],
  ['icount', 8],
];

/** Header, snapshot table and the tables of one snapshot in a disk image. */
export function imagePlaces(bytes: Buffer, image: Qcow2Image, snapshot: Qcow2Snapshot): Place[] {
  const named = (words: string, fields: typeof HEADER) =>
    fields.map(([kind, size]): [string, number] => [`${words}: ${kind}`, size]);
  const places = stretches(0, named('qcow2', HEADER));
  let at = image.tableOffset;
  for (const { id, name } of image.snapshots) {
    const fields = [...SNAPSHOT, ['id', id.length], ['name', Buffer.byteLength(name)]] as typeof SNAPSHOT;
    const entry = stretches(at, named('snapshot', fields));
    // Damage of one snapshot is none of another.
    if (id === snapshot.id) places.push(...entry);
    at = Math.ceil((entry.at(-1)?.end ?? 0) / 8) * 8;
  }
  places.push({ start: image.counts.offset, end: image.counts.offset + 8, kind: 'entry of the reference counts' });
  return [...places, ...tablePlaces(bytes, image, snapshot)];
}

function tablePlaces(bytes: Buffer, image: Qcow2Image, snapshot: Qcow2Snapshot): Place[] {
  const { clusterBits, extendedL2, counts } = image;
  const clusterSize = 2 ** clusterBits;
  const first = stateStart(image, snapshot) / clusterSize;
  const end = first + Math.ceil(snapshot.stateSize / clusterSize);
  const leadsTo = (place: number) => Number(bytes.readBigUInt64BE(place) & OFFSET_BITS);
  const perTable = 2 ** tableBitsOf(image);
  const places: Place[] = [];
  const block = leadsTo(counts.offset);
  for (let cluster = first; cluster < end; cluster++) {
    const l1 = snapshot.l1Offset + 8 * Math.floor(cluster / perTable);
    if (cluster % perTable === 0) places.push({ start: l1, end: l1 + 8, kind: 'entry of the L1 table' });
    const l2 = leadsTo(l1) + (cluster % perTable) * (extendedL2 ? 16 : 8);
    places.push({ start: l2, end: l2 + 8, kind: 'entry of an L2 table' });
    if (extendedL2) places.push({ start: l2 + 8, end: l2 + 16, kind: 'parts in an L2 table' });
    const host = leadsTo(l2) / clusterSize;
    if (host > 0 && counts.order === 4 && host < clusterSize / 2)
      places.push({ start: block + 2 * host, end: block + 2 * host + 2, kind: 'reference count' });
  }
  return places;
}
