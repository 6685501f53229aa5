import { InterruptedError, UnsupportedError } from '../../formats/errors.ts';
import { openScratchFile } from '../../formats/files/scratch-file.ts';
import type { ReadableSink } from '../../formats/files/sink.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { WrittenFile } from '../../formats/files/written-file.ts';
import { GuestImage } from '../../src/wake/guest-image.ts';
import type { PreparedWake } from '../../src/wake/prepare.ts';
import { putState } from '../../src/wake/put-state.ts';
import { Template } from '../../src/wake/template/template.ts';
import { cpuStates } from '../../src/wake/units/cpu-state.ts';
import { writeWoken } from '../../src/wake/write-woken.ts';
import { expectDisks } from './expect-disks.ts';
import { expectProcessor } from './expect-processor.ts';
import { hostTscHz } from './host-clock.ts';
import { proveWoken, type WakeProof } from './proof.ts';
import { WakingQemu } from './waking-qemu.ts';

export type WakeStep = 'reading' | 'writing' | 'loading' | 'proving';

export interface WakeRun {
  /** QEMU's program. */
  program: string;
  /** Compare memory and registers before the machine goes on; default true. */
  proof?: boolean;
  signal?: AbortSignal;
  /** Called with the stderr of the QEMU that runs the machine, piece by piece: text of another program. */
  onWords?: (words: string) => void;
  onProgress?: (doing: WakeStep, done: number, total?: number) => void;
  /** Called just before the machine goes on: from then on only this QEMU has it. */
  onReady?: (process: WakingQemu, woken: Woken) => void;
}

/** A machine's state in the form of its QEMU. */
export interface Woken {
  /** Machine type of QEMU: `pc-i440fx-10.0`. */
  machine: string;
  /** Version of QEMU: `10.0.2`. */
  qemu: string;
  /** All arguments but those for the state. */
  arguments: readonly string[];
  /** Rate of the time stamp counter that the guest sees from now on; with KVM the state's. */
  hostTscHz?: number;
  /** Result of the proof; absent with `proof: false`. */
  proof?: WakeProof;
}

/** The stream that QEMU itself makes of the machine, right after a reset. */
async function templateOf(
  prepared: PreparedWake,
  { program, signal }: WakeRun,
): Promise<{ template: Template; qemu: string }> {
  const scratch = openScratchFile();
  try {
    const sink = new WrittenFile('the stream of QEMU', scratch.descriptor);
    const images = prepared.images.flatMap(({ words }) => ['-blockdev', words]);
    const args = [...prepared.arguments({ use: 'stand-ins' }), ...images, '-display', 'none', '-S'];
    const qemu = await WakingQemu.start({ program, arguments: args, signal });
    try {
      await expectDisks(qemu.qmp, prepared.images);
      await expectProcessor(qemu.qmp, cpuStates(prepared.units), prepared.options.accelerator);
      await qemu.save(sink);
      return { template: await Template.read(await sink.readBack()), qemu: qemu.qmp.version };
    } finally {
      await qemu.quit();
    }
  } finally {
    scratch.close();
  }
}

/**
 * Writes the state for a QEMU, and proves it: a stopped QEMU, which writes to no disk, loads the state, and its memory
 * and registers are compared.
 * @throws UnsupportedError if the state can't be woken, or not by this QEMU
 */
export async function wake(
  source: ByteSource,
  sink: ReadableSink,
  prepared: PreparedWake,
  run: WakeRun,
): Promise<Woken> {
  return withWritten(source, sink, prepared, run, async (woken, image) => {
    if (run.proof === false) return woken;
    const args = [...prepared.arguments({ machine: woken.machine, use: 'snapshots' }), '-display', 'none'];
    const qemu = await startLoaded(sink, args, run);
    try {
      return { ...woken, proof: await prove(qemu, prepared, image, run) };
    } finally {
      await qemu.quit();
    }
  });
}

/**
 * Starts a QEMU with the state, and lets it go on if its memory and registers are the state's.
 * @param more arguments for QEMU
 * @returns the running machine
 */
export async function wakeAndRun(
  source: ByteSource,
  prepared: PreparedWake,
  more: readonly string[],
  run: WakeRun,
): Promise<{ woken: Woken; process: WakingQemu }> {
  const scratch = openScratchFile();
  try {
    const sink = new WrittenFile('a temporary file', scratch.descriptor);
    return await withWritten(source, sink, prepared, run, async (woken, image) => {
      const args = [...prepared.arguments({ machine: woken.machine, use: 'disks' }), ...more];
      const process = await startLoaded(sink, args, { ...run, isShown: true });
      try {
        const proof = run.proof === false ? undefined : await prove(process, prepared, image, run);
        if (proof && !proof.holds)
          throw new UnsupportedError(
            'not-proved',
            `Cannot let the machine go on: it differs from the state in ${proof.differences[0]}`,
          );
        if (run.signal?.aborted) throw new InterruptedError();
        run.onReady?.(process, woken);
        await process.goOn();
        return { woken: { ...woken, proof }, process };
      } catch (error) {
        await process.quit();
        throw error;
      }
    });
  } finally {
    scratch.close();
  }
}

async function withWritten<T>(
  source: ByteSource,
  sink: ReadableSink,
  prepared: PreparedWake,
  run: WakeRun,
  use: (woken: Woken, image: GuestImage) => Promise<T>,
): Promise<T> {
  try {
    return await whileWritten(source, sink, prepared, run, use);
  } catch (error) {
    // A QEMU that was ended by the signal shows as one that does not answer.
    throw run.signal?.aborted ? new InterruptedError() : error;
  }
}

async function whileWritten<T>(
  source: ByteSource,
  sink: ReadableSink,
  prepared: PreparedWake,
  run: WakeRun,
  use: (woken: Woken, image: GuestImage) => Promise<T>,
): Promise<T> {
  const { signal, onProgress } = run;
  const usesHostClock = prepared.options.accelerator === 'tcg';
  const [{ template, qemu }, tscHz] = await Promise.all([
    templateOf(prepared, run),
    // Without the rate, some notices are missing.
    usesHostClock ? hostTscHz(run.program, signal).catch(() => undefined) : undefined,
  ]);
  putState(prepared.units, template, prepared.options);
  const image = await GuestImage.open(source, prepared.units.collected.state, signal);
  try {
    await writeWoken({
      ...{ sink, template, image, vga: prepared.units.find('vga/0') },
      signal,
      onProgress: (done, total) => onProgress?.('writing', done, total),
    });
    const { machine } = template;
    const woken = { machine, qemu, arguments: prepared.arguments({ machine, use: 'disks' }), hostTscHz: tscHz };
    return await use(woken, image);
  } finally {
    image.close();
  }
}

async function startLoaded(
  sink: ReadableSink,
  args: readonly string[],
  { program, signal, onProgress, onWords, isShown = false }: WakeRun & { isShown?: boolean },
): Promise<WakingQemu> {
  const all = [...args, '-S', '-incoming', 'defer'];
  const written = await sink.readBack();
  try {
    const words = isShown ? onWords : undefined;
    const qemu = await WakingQemu.start({ program, arguments: all, isShown, onWords: words, signal });
    try {
      await qemu.load(written, (offset) => onProgress?.('loading', offset, written.size));
      return qemu;
    } catch (error) {
      await qemu.quit();
      throw error;
    }
  } finally {
    await written.close();
  }
}

function prove(
  qemu: WakingQemu,
  { units }: PreparedWake,
  image: GuestImage,
  { signal, onProgress }: WakeRun,
): Promise<WakeProof> {
  return proveWoken(qemu, image, cpuStates(units), {
    signal,
    onProgress: (done, total) => onProgress?.('proving', done, total),
  });
}
