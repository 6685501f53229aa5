import { bool, bytes, type Kind, text, u32, u64 } from '../../binary/kinds.ts';
import { defineStruct } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fill, list, maybe, nested, opaque } from '../codec/kinds.ts';

// Units of the whole machine and of its surroundings.

const mm = defineStruct('Unit mm, version 2', 'units-compared.md', {
  pages: { kind: u64, doc: 'pages that are reserved' },
  ramSize: { kind: u64, doc: 'bytes; compared with the machine' },
});

/** Names of services and folders. */
const NAME = text(256);
const PATH = text(4096);

export interface HostService {
  nameSize: number;
  name: string;
  clients: number;
}

const service = defineStruct('Service of the host, HGCM versions 2–3', 'units-compared.md', {
  nameSize: { kind: u32, doc: 'bytes of the name with its NUL' },
  name: { kind: NAME, doc: '' },
  clients: { kind: u32, doc: 'connections of guest additions' },
});

/** Reads up to the first service with clients, whose layout is the service's own. */
function services(count: number): Kind<HostService[]> {
  return {
    ...list(nested(service), 0),
    name: 'services',
    size: () => Number.NaN,
    read: (cursor) => {
      const found: HostService[] = [];
      while (found.length < count && (found.at(-1)?.clients ?? 0) === 0) found.push(service.read(cursor));
      return found;
    },
    write: (writer, values) => {
      for (const value of values) service.write(writer, value);
    },
  };
}

const hgcm = defineStruct('Unit HGCM, versions 2–3', 'units-compared.md', {
  handles: { kind: u32, doc: '' },
  count: { kind: u32, doc: 'services' },
  services: { kind: ({ count }: { count: number }) => services(count), doc: 'up to the first one with clients' },
  rest: {
    kind: ({ services: told }: { services: HostService[] }) => maybe(opaque(), (told.at(-1)?.clients ?? 0) > 0),
    doc: 'clients, in the layout of their service, and the services after them',
  },
});

const folder = defineStruct('Shared folder, ConsoleData versions 1.1–1.2', 'units-compared.md', {
  nameSize: { kind: u32, doc: 'bytes of the name with its NUL' },
  name: { kind: NAME, doc: '' },
  pathSize: { kind: u32, doc: 'bytes of the path with its NUL' },
  path: { kind: PATH, doc: 'on the host' },
  writable: { kind: bool, doc: '' },
  autoMount: { kind: bool, doc: '' },
  mountPointSize: { kind: u32, doc: 'bytes of the mount point with its NUL', since: 0x10002 },
  mountPoint: { kind: PATH, doc: 'path in the guest', since: 0x10002 },
});

const consoleData = defineStruct('Unit ConsoleData, versions 1.1–1.2', 'units-compared.md', {
  count: { kind: u32, doc: 'folders' },
  folders: {
    kind: ({ count }: { count: number }, version: number) => list(nested(folder, version), count),
    doc: 'shared until the machine ends',
  },
});

const pair = defineStruct('Pair, unit SSM', 'ssm-container.md', {
  name: { kind: text(128), doc: '' },
  value: { kind: text(1024), doc: '' },
});

const END_SIZE = 8;
const buildInfo = defineStruct('Unit SSM, version 1', 'ssm-container.md', {
  pairs: { kind: fill(nested(pair), END_SIZE), doc: 'facts about the build that wrote the state' },
  end: { kind: bytes(END_SIZE), doc: 'a pair of empty texts' },
});

export const mmCodec = codecOf(mm);
export const hgcmCodec = codecOf(hgcm);
export const consoleDataCodec = codecOf(consoleData);
export const buildInfoCodec = codecOf(buildInfo);
