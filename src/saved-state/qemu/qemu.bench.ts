import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openFileSink } from '../../../formats/files/sink.ts';
import { openFile } from '../../../formats/files/source.ts';
import { xxh64 } from '../../../formats/kernels/xxh64.ts';
import { isZero } from '../../../formats/kernels/zero.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { MixedPages } from '../../bench/mixed-pages.ts';
import type { BenchContext, BenchRow } from '../../bench/row.ts';
import { qemuSample, qemuTruth } from '../../testing/qemu-samples.ts';
import { extract } from '../extract/extract.ts';
import { verifyQemu } from '../qemu-verify/verify-qemu.ts';

const SAMPLE = 'long-10.state';
const PLAIN_REFERENCE = 'QEMU: read + zero test + xxh64';
const PYTHON = 'QEMU: independent reader in Python';
const SCRIPT = resolve(process.env.SAVKIT_QEMU ?? '../shared/qemu', 'qemustate.py');

function stateOf({ folder, ramMib }: BenchContext): string {
  return join(folder, `mixed-${ramMib}.state`);
}

const word = (value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};
/** Type, id, name `ram`, instance, version. */
const START_HEAD = 1 + 4 + 4 + 4 + 4;
/** Mark and id after a body, as type and id before one. */
const FOOTER = 5;
const ZERO_PAGE = Buffer.from([0]);

/** Makes a plain stream with mixed pages in place of a sample's RAM. */
async function prepare(context: BenchContext): Promise<void> {
  const path = stateOf(context);
  if (existsSync(path)) return;
  const sample = qemuSample(SAMPLE);
  const [start, part, end] = qemuTruth(SAMPLE).sections;
  const ramSize = context.ramMib * MIB;
  const sink = await openFileSink(path, { force: true });
  const content = new MixedPages();
  const name = Buffer.from('\x06pc.ram', 'latin1');
  await sink.write(sample.subarray(0, start.offset + START_HEAD));
  await sink.write(Buffer.concat([word(ramSize + 0x04), name, word(ramSize), word(0x10)]));
  await sink.write(sample.subarray(part.offset - FOOTER, part.offset + FOOTER));
  for (let address = 0; address < ramSize; address += PAGE_SIZE) {
    const page = content.next();
    const flags = (address === 0 ? 0 : 0x20) | (page ? 0x08 : 0x02);
    await sink.write(Buffer.concat([word(address + flags), ...(address === 0 ? [name] : []), page ?? ZERO_PAGE]));
  }
  await sink.write(Buffer.concat([word(0x10), sample.subarray(end.offset - FOOTER, end.offset)]));
  await sink.write(sample.subarray(end.offset));
  await sink.commit();
}

const nowhere = { async writeAt() {}, async truncate() {} };

export const rows: BenchRow[] = [
  {
    name: PLAIN_REFERENCE,
    prepare,
    async run(context) {
      const source = await openFile(stateOf(context));
      const bytes = Buffer.alloc(MIB);
      let sum = 0n;
      for (let offset = 0, count = 1; count > 0; offset += count) {
        count = await source.read(bytes, offset);
        for (let at = 0; at + PAGE_SIZE <= count; at += PAGE_SIZE)
          if (!isZero(bytes, at, PAGE_SIZE)) sum ^= xxh64(bytes, at, PAGE_SIZE);
      }
      await source.close();
      return sum === 1n;
    },
  },
  {
    name: 'QEMU: deep verify',
    prepare,
    against: [
      { row: PLAIN_REFERENCE, atLeast: 1 / 1.3 },
      { row: PYTHON, atLeast: 20 },
    ],
    async run(context) {
      const { verdict } = await verifyQemu(await openFile(stateOf(context)));
      if (verdict !== 'no-damage-found') throw new Error(`The state is ${verdict}`);
    },
  },
  {
    name: 'QEMU: extract raw',
    prepare,
    against: [{ row: PLAIN_REFERENCE, atLeast: 1 / 1.3 }],
    run: async (context) => extract(await openFile(stateOf(context)), nowhere, { format: 'raw' }),
  },
  {
    name: PYTHON,
    prepare,
    missing: () => (existsSync(SCRIPT) ? undefined : `no ${SCRIPT}`),
    run: (context) => execFileSync('python3', [SCRIPT, stateOf(context)], { stdio: 'ignore' }),
  },
];
