import { openScratchFile } from '../../formats/files/scratch-file.ts';
import { WrittenFile } from '../../formats/files/written-file.ts';
import { sleep } from '../../formats/world/waiting.ts';
import { Template } from '../../src/wake/template/template.ts';
import { WakingQemu } from './waking-qemu.ts';

/** Time of measuring in ms, for an accuracy of one in ten thousand. */
const MEASURED_MS = 60;
const NANOSECONDS = 1e9;

/**
 * The rate of the host's time stamp counter, as guests of a QEMU without KVM see it, in Hz: an empty machine runs in
 * QEMU, whose saved state holds the counter's ticks and the nanoseconds. No file of the system tells the rate on every
 * host.
 */
export async function hostTscHz(program: string, signal?: AbortSignal): Promise<number> {
  const words = '-machine none -nodefaults -no-user-config -accel tcg -display none'.split(' ');
  // The file is made first: where there is no room for it, no QEMU has to be ended.
  const scratch = openScratchFile();
  try {
    const qemu = await WakingQemu.start({ program, arguments: words, signal });
    try {
      await sleep(MEASURED_MS, { signal });
      await qemu.qmp.execute('stop');
      const sink = new WrittenFile('the stream of QEMU', scratch.descriptor);
      await qemu.save(sink);
      const clocks = (await Template.read(await sink.readBack())).section('timer');
      return (Number(clocks.number('cpu_ticks_offset')) / Number(clocks.number('cpu_clock_offset'))) * NANOSECONDS;
    } finally {
      await qemu.quit();
    }
  } finally {
    scratch.close();
  }
}
