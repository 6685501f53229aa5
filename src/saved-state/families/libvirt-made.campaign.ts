import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { openFileSink } from '../../../formats/files/sink.ts';
import { type ByteSource, openFile } from '../../../formats/files/source.ts';
import { COMPRESSIONS } from '../../../formats/qemu/containers/libvirt-image.ts';
import { MemoryTarget, sha256 } from '../../testing/states.ts';
import { extract } from '../extract/extract.ts';
import { checkQemu } from '../qemu-check/check-qemu.ts';
import { settingsOfDomain } from '../qemu-check/settings-of-domain.ts';
import { convertQemu } from '../qemu-convert/convert-qemu.ts';
import { verifyQemu } from '../qemu-verify/verify-qemu.ts';

// npm run campaign -- libvirt-made [FORMAT…]: has a real libvirt save a machine in each of its formats, compares memory
// and registers with QEMU's own answers before the save, and `check` with the XML that virsh dumps; converts each image
// to the next format, and has virsh restore it.

const SCRIPTS = resolve(process.env.SAVKIT_QEMU ?? '../shared/qemu');
const LIMIT_MS = 5 * 60_000;
const NAME = 'savkit-made';
const REGISTERS = ['rip', 'rsp', 'cr0', 'cr3', 'cr4', 'efer'];

function libvirt(...words: string[]): { ok: boolean; output: string } {
  const options = { encoding: 'utf8', timeout: LIMIT_MS } as const;
  const { status, stdout, stderr } = spawnSync(join(SCRIPTS, 'libvirt.sh'), words, options);
  return { ok: status === 0, output: `${stdout}${stderr}`.trim() };
}

/** Value of a register, as QEMU's monitor prints it: name, `=`, digits. */
function registerOf(text: string, name: string): bigint {
  const digits = new RegExp(`\\b${name.toUpperCase()}\\s*=\\s*([0-9a-f]+)`).exec(text)?.[1];
  return digits === undefined ? -1n : BigInt(`0x${digits}`);
}

async function compare(source: ByteSource, out: string): Promise<string[]> {
  const { verdict, findings, state } = await verifyQemu(source);
  const differences = verdict === 'no-damage-found' ? [] : findings.map(({ message }) => message);
  const ram = new MemoryTarget();
  await extract(source, ram);
  if (sha256(ram.bytes) !== sha256(readFileSync(`${out}.ram`))) differences.push('memory is another');
  const told = readFileSync(`${out}.regs.txt`, 'utf8');
  for (const name of REGISTERS) {
    const [own, expected] = [state?.cpus[0]?.registers[name], registerOf(told, name)];
    if (own !== expected) differences.push(`${name} is ${own}, QEMU said ${expected}`);
  }
  return differences;
}

/** Differences that `check` finds with the settings that virsh prints of the running machine. */
async function checkedBy(source: ByteSource, xml: string): Promise<string[]> {
  const { loads, findings } = await checkQemu(source, { settings: settingsOfDomain(xml, 'dumpxml') });
  return loads ? [] : findings.map(({ message }) => `check: ${message}`);
}

async function judge(folder: string, format: (typeof COMPRESSIONS)[number]): Promise<string[]> {
  const out = join(folder, format);
  const saved = libvirt('save', NAME, 'mini-long', format, out);
  if (!saved.ok) return [saved.output];
  const next = COMPRESSIONS[(COMPRESSIONS.indexOf(format) + 1) % COMPRESSIONS.length];
  const source = await openFile(`${out}.save`);
  const sink = await openFileSink(`${out}-converted.save`, { force: true });
  try {
    const differences = await compare(source, out);
    const xml = libvirt('virsh', 'save-image-dumpxml', `/vm/${NAME}.save`).output;
    if (xml.startsWith('<domain')) differences.push(...(await checkedBy(source, xml)));
    const { proof } = await convertQemu(source, sink, { to: `libvirt-${next}` });
    await sink.commit();
    if (!proof?.equal) differences.push(JSON.stringify(proof));
    const { output } = libvirt('restore', `${out}-converted.save`);
    if (!new RegExp(`${NAME}\\s+running`).test(output)) differences.push(`as ${next}: ${output}`);
    libvirt('virsh', '-q', 'destroy', NAME);
    return differences;
  } finally {
    await sink.abort();
    await source.close();
  }
}

if (!existsSync(join(SCRIPTS, 'libvirt.sh')) || !libvirt('start').ok) {
  console.log(
    `No libvirt: SAVKIT_QEMU names the folder of its scripts (${SCRIPTS}), SAVKIT_QEMU_DIR where they put it`,
  );
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'savkit-libvirt-made-'));
let tried = 0;
let failed = 0;
try {
  const wanted = process.argv.slice(2);
  for (const format of COMPRESSIONS.filter((each) => wanted.length === 0 || wanted.includes(each))) {
    const differences = await judge(folder, format);
    for (const difference of differences) console.log(`${format}: ${difference}`);
    console.log(`${differences.length === 0 ? 'ok    ' : 'FAILED'} ${format}`);
    tried++;
    if (differences.length > 0) failed++;
  }
} finally {
  libvirt('stop');
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed > 0 || tried === 0 ? 1 : 0;
