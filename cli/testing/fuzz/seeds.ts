import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { Writer } from '../../../formats/binary/writer.ts';
import { bufferSource } from '../../../formats/files/source.ts';
import { xxh64 } from '../../../formats/kernels/xxh64.ts';
import { libvirtHead } from '../../../formats/qemu/writing/libvirt-head.ts';
import { KIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { buildV2, literals, randomPage } from '../../../formats/testing/container-builder.ts';
import { buildPgm } from '../../../formats/testing/pgm-builder.ts';
import { fullExample, SMALLEST } from '../../../formats/testing/pgm-examples.ts';
import { stateV1 } from '../../../formats/testing/pgm-states-v1.ts';
import { UNIT_TABLE } from '../../../formats/units/table.ts';
import { END_MARKER, frame } from '../../../migrations/testing/frames.ts';
import { FRAME_HEADER_SIZE, PageCodec, pageEntry, pagesHead } from '../../../migrations/wire/frames.ts';
import { encodeFrame } from '../../../migrations/wire/payload.ts';
import { makeManifest } from '../../../src/saved-state/manifest/manifest.ts';
import { encodeManifest } from '../../../src/saved-state/manifest/manifest-file.ts';
import { qemuSample } from '../../../src/testing/qemu-samples.ts';
import { STATES_FOLDER } from '../../../src/testing/states.ts';
import { smallImage, smallStream } from './small-qemu.ts';
import type * as targets from './targets.ts';

// Inputs that a fuzzer begins with: small ones without faults.

export type TargetName = keyof typeof targets;

const VECTORS = join(STATES_FOLDER, '..');
/** Longest inputs, of most targets and of some: short ones are changed and tried quickest. */
const LONG = 4 * KIB;
const LONGEST: Partial<Record<TargetName, number>> = {
  pages: 3 * PAGE_SIZE,
  pgm: 17 * KIB,
  unit: 9 * KIB,
  qemu: 6 * KIB,
  libvirt: 6 * KIB,
  qcow2: 9 * KIB,
  manifest: 16 * KIB,
};

const VERSIONS = [6, 7, 8, 9, 10, 11, 12, 13, 14];
const small = (version: number) => ({ version, payload: buildPgm(SMALLEST, version) });
const PGM = { name: 'pgm', instance: 1 };
const SMALL_STATE = buildV2([{ ...PGM, ...small(14) }]);

const SEEDS: Readonly<Record<TargetName, () => Iterable<Uint8Array | string> | Promise<Uint8Array[]>>> = {
  container: smallStates,
  state: () => [...smallStates(), ...VERSIONS.map((version) => buildV2([{ ...PGM, ...small(version) }]))],
  pgm: () =>
    VERSIONS.flatMap((version) =>
      [SMALLEST, fullExample(version)].map((machine) => [version - 6, ...buildPgm(machine, version)]),
    ).map((bytes) => Uint8Array.from(bytes)),
  unit: units,
  qemu: () => [smallStream(), smallStream(false)],
  libvirt: () => [domainImage(smallStream())],
  qcow2: () => [smallImage(smallStream())],
  pages: () => [pagesFrame()],
  messages: () => [
    encodeMessage(0, {
      protocol: 'savkit-migration',
      versions: [2, 1],
      nonce: '0'.repeat(32),
      capabilities: { zstd: true, streams: 1, window: 65_536 },
    }),
    encodeMessage(4, { code: 'x', message: 'y' }),
    encodeMessage(5, { decision: 'ready' }),
  ],
  frames: () => [new Uint8Array(64)],
  teleporter: () => [
    Buffer.concat([
      Buffer.from('load\n'),
      frame(Buffer.from(SMALL_STATE)),
      END_MARKER,
      Buffer.from('lock-media\nhand-over-resume\n'),
    ]),
    'cancel\n',
  ],
  lines: () => [
    '{"id":1,"command":"status"}',
    '{"id":1,"ok":true,"result":{}}',
    '{"QMP":{"version":{"qemu":{"major":10,"minor":0,"micro":2},"package":""},"capabilities":[]}}',
    '{"event":"STOP","timestamp":{"seconds":1,"microseconds":2},"data":{}}',
    '{"id":2,"error":{"class":"GenericError","desc":"no"}}',
  ],
  kernels: () => [literals(randomPage()), randomPage(), new Uint8Array(64), new Uint8Array(PAGE_SIZE)],
  manifest: async () => {
    const manifest = await makeManifest(bufferSource(readFileSync(join(STATES_FOLDER, 'own-pae.sav'))));
    return (['json', 'msgpack'] as const).map((encoding) => encodeManifest(manifest, encoding));
  },
  settings: () => [
    readFileSync(join(VECTORS, 'machines/snapshots.vbox')),
    ...Object.values(machines().machines)
      .slice(0, 20)
      .map(({ settings }) => settings),
  ],
  domain: () => [domainOf(qemuSample('virsh-gzip-10.save'))],
  command: () => [
    "qemu-system-x86_64 -nodefaults -machine pc-i440fx-7.2,acpi=off -m 32 -smp 2 -serial null -device e1000,netdev=n -netdev user,id=n -drive file='a b',if=ide",
  ],
  facts: () => [
    '{"return":[{"name":"pc-i440fx-10.0","alias":"pc","cpu-max":255}],"id":1}',
    '{"return":{"model":{"name":"base","props":{"avx":true,"xlevel":2147483656}}}}',
    'processor : 0\nvendor_id : GenuineIntel\nflags : fpu vme de pse tsc msr pae\n',
  ],
  log: () => [
    '00:00:01.5 VirtualBox VM 7.2.22 r1 linux.amd64\n00:00:02 SSM: LoadExec failed with rc=VERR_SSM_LOAD_CONFIG_MISMATCH at unit "ahci" instance 0\n',
    'qemu-system-x86_64: Missing section footer for 0000:00:01.3/piix4_pm\nqemu-system-x86_64: load of migration failed: Invalid argument\n',
  ],
  description: () => [descriptionOf(smallStream())],
  words: () => ['0x1000', '16M', 'de ad ?? ef', '(a|b)+c', '10'],
  results: () => [
    '{"event":"file","command":"verify","file":"a.sav","exitCode":0,"result":{"verdict":"whole"}}\n{"files":[{"result":{"action":"migrate","machine":"m","outcome":"kept","rounds":[{"round":0,"pages":1,"bytes":2}]}}]}\n',
  ],
};

/** The inputs that a fuzzer begins with; those of a folder of `test-vectors/fuzz` are more of them. */
export async function seedsOf(name: TargetName): Promise<Buffer[]> {
  const seeds = [...(await SEEDS[name]())].map((seed) => Buffer.from(seed));
  return [...seeds.filter(({ length }) => length <= longestOf(name)), ...keptSeeds(name)];
}

/** Bytes of the longest input. */
export function longestOf(name: TargetName): number {
  return LONGEST[name] ?? LONG;
}

export const TARGET_NAMES = Object.keys(SEEDS) as readonly TargetName[];

/** Folder of inputs that an earlier run has found. */
export function keptFolder(name: TargetName): string {
  return join(VECTORS, 'fuzz', name);
}

function keptSeeds(name: TargetName): Buffer[] {
  const folder = keptFolder(name);
  try {
    return readdirSync(folder).map((file) => readFileSync(join(folder, file)));
  } catch {
    // None are kept.
    return [];
  }
}

function smallStates(): Uint8Array[] {
  return [
    SMALL_STATE,
    buildV2([{ name: 'mm', instance: 1, version: 2, payload: new Uint8Array(16) }], { live: true, streamCrc: false }),
    stateV1('1.1', [small(9)]),
    stateV1('1.2', [small(7)]),
  ];
}

/** As libvirt saves a domain, without the room that it leaves. */
function domainImage(stream: Uint8Array): Buffer {
  const xml = "<domain type='kvm'><name>g</name><memory unit='KiB'>8</memory></domain>\0";
  const head = { wasRunning: true, compression: 'raw', cookieOffset: 0, data: Buffer.from(xml) } as const;
  return Buffer.concat([libvirtHead(head), stream]);
}

/** One of each unit of the bundled states whose layout is known: its row, its version, its payload. */
function units(): Uint8Array[] {
  const found = new Map<string, Uint8Array>();
  const all = Object.values(machines().machines).flatMap(({ units }) => units);
  for (const [name, , version, deflated] of all) {
    const row = UNIT_TABLE.findIndex(
      (each) => each.unit === name && each.codec && (each.versions?.includes(version) ?? true),
    );
    if (row < 0 || deflated === undefined || found.has(`${row} ${version}`)) continue;
    const which = UNIT_TABLE[row].versions?.indexOf(version) ?? version;
    found.set(
      `${row} ${version}`,
      Buffer.concat([Buffer.of(row, which), inflateRawSync(Buffer.from(deflated, 'base64'))]),
    );
  }
  return [...found.values()];
}

type Unit = [name: string, instance: number, version: number, deflated?: string];

function machines(): { machines: Record<string, { settings: string; units: Unit[] }> } {
  return JSON.parse(readFileSync(join(VECTORS, 'machines/machines.json'), 'utf8'));
}

function descriptionOf(stream: Buffer): Buffer {
  return stream.subarray(stream.lastIndexOf('{"page_size"'));
}

function domainOf(image: Buffer): Buffer {
  return image.subarray(92, image.indexOf(0, 92));
}

/** A page of zeros, one as it is, and one like another. */
function pagesFrame(): Uint8Array {
  const page = randomPage();
  const writer = new Writer();
  const entries = [
    { page: 1, codec: PageCodec.ZERO, length: 0, hash: 0n },
    { page: 2, codec: PageCodec.RAW, length: PAGE_SIZE, hash: xxh64(page) },
    { page: 3, codec: PageCodec.SAME, length: 4, hash: xxh64(page) },
  ];
  pagesHead.write(writer, { round: 0, count: entries.length, zero: 0, plainSize: PAGE_SIZE + 4, packedSize: 0 });
  for (const entry of entries) pageEntry.write(writer, entry);
  return Buffer.concat([writer.view(), page, Buffer.of(2, 0, 0, 0)]);
}

function encodeMessage(which: number, message: object): Uint8Array {
  return Buffer.concat([Buffer.of(which), encodeFrame('hello', {}, message).subarray(FRAME_HEADER_SIZE)]);
}
