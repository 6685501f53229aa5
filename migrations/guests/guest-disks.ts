import { UnsupportedError } from '../../formats/errors.ts';
import { count, flag, list, optional, record, text, withDefault } from '../../formats/values/shape.ts';
import type { Ask } from '../qmp/ask.ts';

/** A medium that a guest may write to. */
export interface GuestDisk {
  /** Name of the block node; empty where QEMU has made one up. */
  node: string;
  /** Name of the block node, also where QEMU has made it up; it is valid for this process of QEMU only. */
  nodeNow: string;
  /** Device to which it is attached. */
  device: string;
  /** Size as the guest sees it. */
  bytes: number;
  /** The image, as QEMU names it. */
  file: string;
  isReadOnly: boolean;
  /** Reads bypass the host's cache (`cache=none`), and go directly into the guest's memory. */
  isDirect: boolean;
}

const string = text(65_536);
const cacheShape = withDefault(record({ direct: withDefault(flag, false) }), { direct: false });
const blocks = list(
  record({
    device: withDefault(string, ''),
    qdev: withDefault(string, ''),
    inserted: optional(
      record({
        'node-name': withDefault(string, ''),
        ro: flag,
        file: string,
        image: record({ 'virtual-size': count }),
        cache: cacheShape,
      }),
    ),
  }),
  1024,
);
const nodes = list(record({ file: withDefault(string, ''), cache: cacheShape }), 8192);

/** Asks a QEMU for the disks of its guest. */
export async function learnDisks(ask: Ask): Promise<GuestDisk[]> {
  const found = await ask('query-block', blocks);
  const files = new Set(found.flatMap(({ inserted }) => (inserted ? [inserted.file] : [])));
  const directFiles = await learnDirectFiles(ask);
  return found.flatMap(({ device, qdev, inserted }) => {
    if (!inserted) return [];
    const { 'node-name': node, ro, file, image, cache } = inserted;
    const madeUp = node.startsWith('#');
    return [
      {
        node: madeUp ? '' : node,
        nodeNow: node,
        device: device === '' ? qdev : device,
        bytes: image['virtual-size'],
        file,
        isReadOnly: ro,
        // A direct file that is no disk itself, such as a backing file, may belong to any of the disks.
        isDirect: cache.direct || directFiles.some((each) => each === file || !files.has(each)),
      },
    ];
  });
}

/** Files of all block nodes that bypass the cache: a format node may use the cache while the file below it does not. */
async function learnDirectFiles(ask: Ask): Promise<string[]> {
  const found = await ask('query-named-block-nodes', nodes, { flat: true }).catch((error) => {
    // Before 5.0 QEMU does not know `flat`.
    if (error instanceof UnsupportedError) return ask('query-named-block-nodes', nodes);
    throw error;
  });
  return found.filter(({ cache }) => cache.direct).map(({ file }) => file);
}
