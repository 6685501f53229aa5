import { Readable } from 'node:stream';
import { crc32 } from '../../../formats/binary/crc32.ts';
import { FormatError } from '../../../formats/errors.ts';
import { type ByteSource, bufferSource, streamSource, withBeside } from '../../../formats/files/source.ts';
import { readLibvirtImage } from '../../../formats/qemu/containers/libvirt-image.ts';
import { MIB } from '../../../formats/sizes.ts';
import { openContainer } from '../../../formats/ssm/open.ts';
import { PayloadReader } from '../../../formats/ssm/payload.ts';
import { buildV2, resealV2 } from '../../../formats/testing/container-builder.ts';
import { MemorySink } from '../../../formats/testing/memory-sink.ts';
import { countPgm } from '../../../formats/testing/pgm-reading.ts';
import { stateV2 } from '../../../formats/testing/pgm-states.ts';
import { stateV1 } from '../../../formats/testing/pgm-states-v1.ts';
import { noFacts, readFacts, UNIT_TABLE } from '../../../formats/units/table.ts';
import { loadState } from '../../../src/machine/load.ts';
import { inspectState } from '../../../src/saved-state/families/inspect-state.ts';
import { familyOf } from '../../../src/saved-state/families/read-state.ts';
import type { StateVerdict } from '../../../src/saved-state/families/verify-state.ts';
import { convertQemu } from '../../../src/saved-state/qemu-convert/convert-qemu.ts';
import { verifyQemu } from '../../../src/saved-state/qemu-verify/verify-qemu.ts';
import { salvage } from '../../../src/saved-state/salvage/salvage.ts';
import { type VerifyReport, verify } from '../../../src/saved-state/verify/verify.ts';
import { isChosen } from './choice.ts';
import { expectSame, reading, textOf } from './reading.ts';

// Functions that a fuzzer calls with bytes of saved states.

/** Maximum memory that a machine of a fuzzed state has. */
const MAX_MEMORY = 64 * MIB;

/**
 * Reads containers, with the right sums, without which a reader does not get far, and as they are. A file and a pipe
 * have to give the same.
 */
export async function container(bytes: Buffer): Promise<void> {
  const sealed = resealed(bytes);
  const units = await reading(() => unitsOf(bufferSource(sealed ?? bytes)));
  if (!isChosen(bytes)) return;
  await samePiped(sealed ?? bytes, units);
  if (sealed) await samePiped(bytes, await reading(() => unitsOf(bufferSource(bytes))));
}

async function samePiped(bytes: Buffer, file: unknown[] | undefined): Promise<void> {
  const piped = await reading(() => unitsOf(pipeOf(bytes)));
  // Only a file whose end can be read before the rest is known to end as a state does.
  if (file !== undefined) expectSame('units of a file and of a pipe', file, piped);
}

/** Reads whole states, with the right sums and as they are. All reports about them have to agree. */
export async function state(bytes: Buffer): Promise<void> {
  const sealed = resealed(bytes);
  const report = await verdictOn(sealed ?? bytes);
  if (!isChosen(bytes)) return;
  await judgeState(sealed ?? bytes, report);
  if (sealed) await judgeState(bytes, await verdictOn(bytes));
}

/** Reads a pgm unit in containers of two kinds; the bytes are its version, then its payload. */
export async function pgm(bytes: Buffer): Promise<void> {
  if (bytes.length < 2) return;
  const version = 6 + (bytes[0] % 9);
  const unit = { version, payload: bytes.subarray(1) };
  const count = await reading(() => countPgm(stateV2([unit])));
  // V1.x lets a payload go on after its end, so it may take what V2.0 refuses. Version 6 has pointers of its release's
  // size.
  if (version === 6 || !isChosen(bytes)) return;
  const older = await reading(() => countPgm(stateV1('1.2', [unit])));
  if (count !== undefined) expectSame('pages of a payload in either container', count, older);
}

/**
 * Reads units of devices; the bytes are the row of the table, its version, then its payload. Decoding writes back, and
 * compares.
 */
export async function unit(bytes: Buffer): Promise<void> {
  if (bytes.length < 2) return;
  const row = UNIT_TABLE[bytes[0] % UNIT_TABLE.length];
  const version = row.versions?.[bytes[1] % row.versions.length] ?? bytes[1];
  const payload = bytes.subarray(2);
  const value = await reading(() => row.codec?.decode(payload, version));
  if (value !== undefined && row.codec) {
    let end = 0;
    for (const { path, offset, size } of row.codec.fields(value, version)) {
      if (offset < end) throw new Error(`${row.unit}: ${path} begins at ${offset}, within the field before`);
      end = offset + size;
    }
    if (end > payload.length) throw new Error(`${row.unit}: fields end at ${end}, the payload at ${payload.length}`);
  }
  if (row.facts && isChosen(bytes))
    await factsOf(buildV2([{ name: row.unit, instance: row.instance, version, payload }]));
}

async function factsOf(state: Buffer): Promise<void> {
  const container = await openContainer(bufferSource(state));
  try {
    const header = await container.nextUnit();
    if (header) await reading(() => readFacts(header, new PayloadReader(container), noFacts()));
  } finally {
    container.release();
  }
}

/** Reads streams and mapped RAM, as they are. */
export async function qemu(bytes: Buffer): Promise<void> {
  await judgeQemu(bytes);
}

/** Reads images of libvirt, unless they are packed: programs expand those, which are not tried here. */
export async function libvirt(bytes: Buffer): Promise<void> {
  const image = await reading(() => readLibvirtImage(bufferSource(bytes)));
  if (image?.compression === 'raw' || image?.compression === 'sparse') await judgeQemu(bytes);
}

/** Reads images with snapshots; number 1 is the one that is read. */
export async function qcow2(bytes: Buffer): Promise<void> {
  await judgeQemu(bytes, '1');
}

async function judgeQemu(bytes: Buffer, part?: string): Promise<void> {
  const source = () => withBeside(bufferSource(bytes), { part });
  const inspection = await reading(() => inspectState(source()));
  if (!isChosen(bytes)) return;
  // Not by `verifyState`, which imports QEMU's part when it is asked for: the fuzzer cannot wait for that.
  const { family } = await familyOf(source());
  const report = await reading<{ verdict: StateVerdict }>(() =>
    family.name === 'qemu' ? verifyQemu(source()) : verdictOn(bytes),
  );
  if (report?.verdict === 'no-damage-found' && !inspection) throw new Error('a state without damage cannot be read');
  if (!inspection) return;
  const converted = await reading(() => convertQemu(source(), new MemorySink(), { to: 'plain' }));
  if (converted && report?.verdict === 'not-a-state') throw new Error('what is no state was converted');
}

function verdictOn(bytes: Uint8Array): Promise<VerifyReport> {
  return verify(bufferSource(bytes), { threads: 1 });
}

/** Reads a state as a pipe as well, and loads it: what they say has to agree. */
async function judgeState(bytes: Buffer, report: VerifyReport): Promise<void> {
  const piped = await verify(pipeOf(bytes), { threads: 1 });
  // Only a file whose end can be read before the rest is known to end as a state does.
  if (piped.verdict !== 'not-a-state' || report.verdict !== 'damaged')
    expectSame('verdicts of a file and of a pipe', report.verdict, piped.verdict);
  const machine = await reading(async () => {
    try {
      return await loadState(bufferSource(bytes), { maxMemory: MAX_MEMORY });
    } catch (error) {
      if (report.verdict === 'whole' && error instanceof FormatError)
        throw new Error(`a state that is whole does not load: ${error.message}`);
      throw error;
    }
  });
  if (machine && report.verdict === 'damaged') throw new Error(`a damaged state loads: ${textOf(report.findings[0])}`);
  if (report.verdict === 'damaged') await judgeRescued(bytes);
}

/** Salvages a state. The result may have parts that savkit cannot judge, but no damage. */
async function judgeRescued(bytes: Buffer): Promise<void> {
  const sink = new MemorySink();
  const rescued = await reading(() => salvage(bufferSource(bytes), sink, {}));
  if (!rescued) return;
  const { verdict, findings } = await verdictOn(sink.view());
  if (verdict !== 'whole' && verdict !== 'unsupported')
    throw new Error(`what was rescued is ${verdict}: ${textOf(findings[0])}`);
}

/** Units, each with its payload's size and sum. @throws as the reader does */
async function unitsOf(source: ByteSource): Promise<unknown[]> {
  const container = await openContainer(source);
  const units: unknown[] = [];
  try {
    for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
      const payload = new PayloadReader(container);
      let [size, sum] = [0, 0];
      for (let piece = await payload.piece(); piece; piece = await payload.piece()) {
        size += piece.length;
        sum = crc32(piece, sum);
      }
      units.push([unit.name, unit.instance, unit.version, size, sum]);
    }
    return units;
  } finally {
    container.release();
  }
}

function pipeOf(bytes: Buffer): ByteSource {
  return streamSource(Readable.from(chunksOf(bytes)), 'pipe');
}

function* chunksOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}

function resealed(bytes: Buffer): Buffer | undefined {
  try {
    return resealV2(Buffer.from(bytes));
  } catch {
    // The bytes are no container of this kind.
    return undefined;
  }
}
