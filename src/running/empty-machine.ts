import { WIDE } from '../../formats/binary/cursor.ts';
import { Writer } from '../../formats/binary/writer.ts';
import { UsageError } from '../../formats/errors.ts';
import { bufferSource } from '../../formats/files/source.ts';
import { NIL_GC_PHYS } from '../../formats/pgm/layouts.ts';
import { PageKind } from '../../formats/pgm/page-batch.ts';
import { PgmPassWriter } from '../../formats/pgm/pgm-writer.ts';
import { DEFAULT_RAM_HOLE } from '../../formats/pgm/ranges.ts';
import { NEWEST_PGM } from '../../formats/pgm/versions.ts';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { ContainerWriter } from '../../formats/ssm/writing/container-writer.ts';
import { createContainer } from '../../formats/ssm/writing/create-container.ts';
import { CPUM_UNIT } from '../../formats/units/cpu/cpum.ts';
import { BUILD_INFO_UNIT } from '../../formats/units/machine/build-info.ts';
import { MM_UNIT } from '../../formats/units/machine/mm.ts';
import { MAX_RAM } from '../machine/build-memory.ts';
import { loadState } from '../machine/load.ts';
import type { Machine } from '../machine/machine.ts';
import type { HostBacking } from '../pgm/pages/host-backing.ts';
import { RomProtection } from '../pgm/pages/page-states.ts';
import { RESET_CPUM_VERSION, resetCpum } from './reset-cpum.ts';

/** Bytes for a workload, its control block and the first MiB. */
const MIN_RAM = 2 * MIB;
/** `VMM_MAX_CPU_COUNT` of most builds. */
const MAX_CPUS = 64;

/** Memory as VirtualBox 7.2 lays it out; the numbers go into headers of states. */
const RELEASE = { major: 7, minor: 2, build: 22, revision: 175245 };
/** A ROM with a shadow that takes writes, as the network boot ROM has, and video memory. */
const ROM = {
  id: 1,
  device: '',
  instance: 0,
  region: 0,
  description: 'Net Boot ROM',
  address: 0xe2000,
  size: 14 * PAGE_SIZE,
};
const VIDEO_MEMORY = { id: 1, device: 'vga', instance: 0, region: 0, description: 'VRam', size: MIB };

/**
 * A machine that was never on: CPUs after their reset, RAM of zeros, a ROM with a shadow, video memory, and no other
 * devices. It is loaded from a state that is made for it, so that it is a machine like all others.
 * @param ramSize bytes, whole pages @param cpus one unless told
 * @throws UsageError for a bad size or number of CPUs
 */
export async function emptyMachine(
  ramSize: number,
  { cpus = 1, ...options }: { backing?: HostBacking; cpus?: number } = {},
): Promise<Machine> {
  if (!(Number.isSafeInteger(cpus) && cpus >= 1 && cpus <= MAX_CPUS))
    throw new UsageError('bad-cpu-count', `Cannot make a machine with ${cpus} CPUs: expected 1 to ${MAX_CPUS}`);
  if (!(ramSize >= MIN_RAM && ramSize <= MAX_RAM && ramSize % PAGE_SIZE === 0))
    throw new UsageError(
      'bad-ram-size',
      `Cannot make a machine with ${ramSize} bytes of RAM: expected whole pages, ${MIN_RAM} to ${MAX_RAM} bytes`,
    );
  const pieces: Uint8Array[] = [];
  await writeEmptyState(
    createContainer({ write: async (bytes) => void pieces.push(bytes.slice()) }, '2.0', HEADER),
    ramSize,
    cpus,
  );
  return loadState(bufferSource(Buffer.concat(pieces)), options);
}

const HEADER = { release: RELEASE, hostBits: 64, widths: WIDE, live: false, registeredUnits: 4 } as const;

async function writeEmptyState(out: ContainerWriter, ramSize: number, cpus: number): Promise<void> {
  putUnit(out, { ...BUILD_INFO_UNIT, version: 1 }, (writer) => {
    for (const text of ['Build Type', 'release', '', '']) putText(writer, text);
  });
  putUnit(out, { ...MM_UNIT, version: 2 }, (writer) => {
    writer.u64(ramSize / PAGE_SIZE);
    writer.u64(ramSize);
  });
  putUnit(out, { ...CPUM_UNIT, version: RESET_CPUM_VERSION }, (writer) => writer.bytes(resetCpum(cpus)));
  out.beginUnit({ name: 'pgm', instance: 1, version: NEWEST_PGM.version, pass: 'final' });
  putMemory(out, ramSize, cpus);
  out.endUnit();
  await out.finish();
}

function putUnit(
  out: ContainerWriter,
  unit: { name: string; instance: number; version: number },
  put: (writer: Writer) => void,
): void {
  out.beginUnit({ ...unit, pass: 'final' });
  const writer = new Writer();
  put(writer);
  out.put(writer.view());
  out.endUnit();
}

function putMemory(out: ContainerWriter, ramSize: number, cpus: number): void {
  const cpu = {
    a20Enabled: true,
    a20Mask: NIL_GC_PHYS,
    guestMode: 1,
    paePds: [NIL_GC_PHYS, NIL_GC_PHYS, NIL_GC_PHYS, NIL_GC_PHYS],
  };
  const basic = {
    cpus: new Array(cpus).fill(cpu),
    balloonedPages: 0,
    mappings: [],
    mappingsFixed: false,
    mappingFixed: 0n,
    mappingFixedSize: 0,
  };
  const config = { ramHole: DEFAULT_RAM_HOLE, ramSize, roms: [ROM], mmio2: [VIDEO_MEMORY] };
  const pass = new PgmPassWriter(out, NEWEST_PGM, WIDE, basic, config);
  for (let page = 0; page < ROM.size / PAGE_SIZE; page++)
    pass.putPage(PageKind.ROM_SHADOW_ZERO, page, ROM.id, RomProtection.READ_RAM_WRITE_RAM);
  pass.end();
}

function putText(writer: Writer, text: string): void {
  writer.u32(text.length);
  writer.bytes(Buffer.from(text, 'latin1'));
}
