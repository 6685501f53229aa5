import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bufferSource } from '../../../formats/files/source.ts';
import { MemorySink } from '../../../formats/testing/memory-sink.ts';
import { brokenStates, buildBroken } from '../../testing/broken-states.ts';
import { joinUnits, splitUnits } from '../../testing/state-surgery.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { Score, VirtualBox } from '../../testing/virtualbox.ts';
import { convert } from '../convert/convert.ts';
import { readSettings } from '../machine-facts/settings.ts';
import { check } from './check.ts';

// npm run campaign -- virtualbox-check: the forecasts of check must be the answers of the real VirtualBox. Makes a
// machine like that of the bundled states, changes it, or the state, and compares code and unit. Needs mkown.sh; takes
// two minutes.

const NAME = 'savkit-check';
const plain = readFileSync(join(STATES_FOLDER, 'own-long.sav'));
const live = readFileSync(join(STATES_FOLDER, 'own-long-live.sav'));

interface Mismatch {
  what: string;
  /** Arguments of `VBoxManage modifyvm`, and those that undo them. */
  machine?: [make: string[], undo: string[]];
  state?: Buffer;
}

const IN_THE_MACHINE: Mismatch[] = [
  { what: 'nothing differs' },
  { what: 'a live save, nothing differs', state: live },
  ...machineCases('RAM size', ['--memory', '8'], ['--memory', '4']),
  ...machineCases('CPU count', ['--cpus', '2'], ['--cpus', '1']),
  ...machineCases('chipset and RAM hole', ['--chipset', 'ich9'], ['--chipset', 'piix3', '--ioapic', 'off']),
  {
    what: 'I/O APIC',
    machine: [
      ['--ioapic', 'on'],
      ['--ioapic', 'off'],
    ],
  },
  {
    what: 'ACPI',
    machine: [
      ['--acpi', 'on'],
      ['--acpi', 'off'],
    ],
  },
  {
    what: 'paravirtualisation KVM',
    machine: [
      ['--paravirtprovider', 'kvm'],
      ['--paravirtprovider', 'none'],
    ],
  },
  {
    what: 'paravirtualisation minimal',
    machine: [
      ['--paravirtprovider', 'minimal'],
      ['--paravirtprovider', 'none'],
    ],
  },
  {
    what: 'a serial port more',
    machine: [
      ['--uart1', '0x3F8', '4', '--uart-mode1', 'disconnected'],
      ['--uart1', 'off'],
    ],
  },
  {
    what: 'HPET more',
    machine: [
      ['--hpet', 'on'],
      ['--hpet', 'off'],
    ],
  },
  {
    what: 'graphics more',
    machine: [
      ['--graphicscontroller', 'vboxvga'],
      ['--graphicscontroller', 'none'],
    ],
  },
  {
    what: 'a network card more',
    machine: [
      ['--nic1', 'null'],
      ['--nic1', 'none'],
    ],
  },
  {
    what: 'USB more',
    machine: [
      ['--usb-ohci', 'on'],
      ['--usb-ohci', 'off'],
    ],
  },
  {
    what: 'audio more',
    machine: [
      ['--audio-enabled', 'on', '--audio-driver', 'none', '--audio-controller', 'hda'],
      ['--audio-enabled', 'off'],
    ],
  },
];

/** The plain state, and the live save, which meets some differences earlier. */
function machineCases(what: string, make: string[], undo: string[]): Mismatch[] {
  return [
    { what, machine: [make, undo] },
    { what: `${what}, live save`, machine: [make, undo], state: live },
  ];
}

type Unit = ReturnType<typeof splitUnits>[number];

function changed(change: (units: Unit[]) => Unit[]): Buffer {
  return joinUnits(change(splitUnits(plain)), plain);
}

function inPgm(from: Buffer, to: Buffer): Buffer {
  return changed((units) => {
    const records = units.find(({ name }) => name === 'pgm')?.records as Buffer;
    records.set(to, records.indexOf(from));
    return units;
  });
}

const without = (gone: string) => changed((units) => units.filter(({ name }) => name !== gone));

const IN_THE_STATE: Mismatch[] = [
  { what: 'RAM hole', state: inPgm(Buffer.from('0000002000004000', 'hex'), Buffer.from('0000002400004000', 'hex')) },
  { what: 'a ROM that the machine lacks', state: inPgm(Buffer.from('Net Boot ROM'), Buffer.from('Nix Boot ROM')) },
  ...['cpum', 'mm', 'pdm', 'ConsoleData', 'GIM', 'pci'].map((name) => ({
    what: `${name} missing`,
    state: without(name),
  })),
  {
    what: 'cpum after pgm',
    state: changed((units) => [
      ...units.filter(({ name }) => name !== 'cpum'),
      ...units.filter(({ name }) => name === 'cpum'),
    ]),
  },
  {
    what: 'a unit without device',
    state: changed((units) => [...units.slice(0, 5), { name: 'lsilogicscsi', version: 5 }, ...units.slice(5)]),
  },
  ...['pgm', 'cpum', 'mm', 'tm', 'pci', 'apic', 'VMMDev', 'pdm', 'DisplayData'].map((name) => ({
    what: `${name} of a later version`,
    state: later(name),
  })),
  { what: 'pgm 10', state: await inVersion10(plain) },
  { what: 'pgm 10, live save', state: await inVersion10(live) },
  // A device meets rubbish in its own way, before the container looks at the CRC.
  ...brokenStates()
    .filter(({ name }) => name !== 'device-zeroed')
    .map((state) => ({ what: state.name, state: buildBroken(state) })),
];

async function inVersion10(state: Buffer): Promise<Buffer> {
  const sink = new MemorySink();
  await convert(bufferSource(state), sink, { pgm: 10, allowLoss: true, proof: false });
  return Buffer.from(sink.view());
}

function later(name: string): Buffer {
  const step = name === 'DisplayData' ? 0x10000 : 1;
  return changed((units) =>
    units.map((unit) => (unit.name === name ? { ...unit, version: (unit.version ?? 0) + step } : unit)),
  );
}

const virtualBox = await VirtualBox.find();
const score = new Score();
const folder = mkdtempSync(join(tmpdir(), 'savkit-check-'));
const vboxManage = (...args: string[]) => virtualBox.bash(`manage "$@"`, args);

try {
  await virtualBox.run('mkvm.sh', ['--delete', NAME]);
  const made = await virtualBox.run('mkown.sh', [NAME, '3']);
  if (!made.ok) throw new Error(`Cannot make a machine: ${made.output}`);
  for (const mismatch of [...IN_THE_MACHINE, ...IN_THE_STATE]) await compare(mismatch);
} finally {
  await virtualBox.run('mkvm.sh', ['--delete', NAME]);
  rmSync(folder, { recursive: true, force: true });
}
score.close();

async function compare({ what, machine, state = plain }: Mismatch): Promise<void> {
  if (machine) await vboxManage('modifyvm', NAME, ...machine[0]);
  const { output: text } = await virtualBox.bash(`cat "$MACHINES/$1/$1.vbox"`, [NAME]);
  const { forecast } = await check(bufferSource(state), { machine: readSettings(text, `${NAME}.vbox`) });
  const path = join(folder, 'state.sav');
  writeFileSync(path, state);
  const { ok, output } = await virtualBox.run('load-state.sh', [path, NAME]);
  if (machine) await vboxManage('modifyvm', NAME, ...machine[1]);
  const answer = ok ? 'loads' : (/\((VERR_\w+)\)/.exec(output)?.[1] ?? /VERR_\w+/.exec(output)?.[0] ?? output);
  const unit =
    /LoadExec failed for '([^']+)' instance #(\d+)/.exec(output) ??
    /handler for unit '([^']+)' instance #(\d+)/.exec(output);
  const foretold = forecast?.vboxCode ?? 'loads';
  const sameUnit = !unit || forecast?.unit === undefined || forecast.unit === `${unit[1]}/${unit[2]}`;
  const said = `${answer}${unit ? ` at ${unit[1]}/${unit[2]}` : ''}`;
  score.check(
    `${what}: ${said}`,
    foretold === answer && sameUnit,
    `foretold ${foretold} at ${forecast?.unit ?? 'no unit'}`,
  );
}
