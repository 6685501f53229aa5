import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import { type ByteSource, bufferSource, withBeside } from '../../formats/files/source.ts';
import { GIB } from '../../formats/sizes.ts';

/** The part of a truth file that tests compare with; test-vectors/README.md tells its source. */
export interface QemuTruth {
  container?: { kind: string; snapshots?: { name: string }[] };
  stream: { configuration: { machine: string } };
  sections: {
    type: string;
    id: number;
    name: string;
    instance: number;
    version: number;
    offset: number;
    bodySize: number | null;
    sha256?: string;
  }[];
  blocks: { name: string; size: number; sha256: string; pagesWritten: number }[];
  ram: { sha256: string; inState: boolean };
  vcpus: {
    index: number;
    mode: string;
    registers: Record<string, string | { selector: string; base: string; limit: string; flags: string }>;
    translation?: { mappings: number; sha256: string };
  }[];
  refused?: { text: string };
}

/** Real states of QEMU that come with the project. */
export const QEMU_FOLDER = fileURLToPath(
  new URL(
    import.meta.url.includes('/dist/src/') ? '../../../test-vectors/qemu/' : '../../test-vectors/qemu/',
    import.meta.url,
  ),
);

const unpacked = new Map<string, Buffer>();

/** The bytes of a sample, such as `long-10.state`; a copy, which may be changed. */
export function qemuSample(name: string): Buffer {
  const bytes = unpacked.get(name) ?? brotliDecompressSync(readFileSync(join(QEMU_FOLDER, `${name}.br`)));
  unpacked.set(name, bytes);
  return Buffer.from(bytes);
}

export function qemuTruth(name: string, folder = QEMU_FOLDER): QemuTruth {
  return JSON.parse(readFileSync(join(folder, `${name.replace(/\.\w+$/, '')}.json`), 'utf8')) as QemuTruth;
}

/** A sample as a source: of a disk image the last snapshot, which its truth is about; with the RAM file beside it. */
export function sampleSource(name: string, read: (name: string) => Buffer = qemuSample): ByteSource {
  return withBeside(bufferSource(read(name), name), {
    part: name.endsWith('.qcow2') ? 'snap2' : undefined,
    ram: name.startsWith('ignore-shared')
      ? [{ source: bufferSource(read(name.replace('.state', '.ram')), 'ram') }]
      : undefined,
  });
}

/** Unpacks all samples of a folder (`NAME.state.xz`, with `NAME.json` beside it) one after the other. */
export async function forEachQemuSample(
  folder: string,
  use: (name: string, read: (name: string) => Buffer) => Promise<void>,
): Promise<void> {
  const unpack = (name: string) => execFileSync('xz', ['-dc', join(folder, `${name}.xz`)], { maxBuffer: GIB });
  for (const file of readdirSync(folder)) {
    const name = file.replace(/\.xz$/, '');
    if (/\.(state|save|qcow2)\.xz$/.test(file) && existsSync(join(folder, `${name.replace(/\.\w+$/, '')}.json`)))
      await use(name, unpack);
  }
}

/** Samples in files, for commands; gone after `use`. */
export async function inFolder<T>(names: readonly string[], use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'savkit-qemu-'));
  try {
    for (const name of names) writeFileSync(join(folder, name), qemuSample(name));
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Writes the states that examples of commands and docs name. */
export function writeQemuExamples(folder: string): void {
  const write = (name: string, bytes: Uint8Array) => writeFileSync(join(folder, name), bytes);
  const image = qemuSample('virsh-gzip-10.save');
  write('guest.state', qemuSample('long-10.state'));
  write('disk.qcow2', qemuSample('snap-10.qcow2'));
  write('domain.save', image);
  write('domain.xml', image.subarray(92, image.indexOf(0, 92)));
  write(
    'qemu.args',
    Buffer.from('qemu-system-x86_64 -nodefaults -machine pc-i440fx-7.2,acpi=off -m 32 -serial null\n'),
  );
}
