import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { openFile } from '../../formats/files/source.ts';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { extract } from '../saved-state/extract/extract.ts';
import { MemoryTarget, STATES_FOLDER } from '../testing/states.ts';
import { AddressSpace, type Translation } from './address-space.ts';
import { mappingsOf } from './mappings-of.ts';
import type { Registers } from './shadow/shadow-state.ts';
import { FlatMemory } from './testing/flat-memory.ts';
import { fillTables, Random, randomAddress, type TableKind, tamePointers } from './testing/random-tables.ts';

// Compares walks with QEMU's own: boots the ROMs of our test states in qemu-system-x86_64, then puts random tables into
// the stopped machine. QEMU looks at no reserved bits there, so addresses whose walk meets one are left out.

const QEMU = 'qemu-system-x86_64';
/** All that QEMU emulates without help of the host's processor (TCG). */
const QEMU_PHYSICAL_BITS = 40;
/**
 * Folder with a ROM that turns five levels on (see `SAVKIT_QEMU` in CONTRIBUTING.md); without it that part is left out.
 */
const QEMU_FOLDER = process.env.SAVKIT_QEMU_DIR ?? join(homedir(), '.cache/savkit-qemu');
const RAM = 16 * MIB;
const ROM = 'PC BIOS - 0xffffffff';
/** Address at which the ROM notes that paging is on. */
const PAGING_IS_ON = 0x1040;
const ROUNDS = 12;
const ADDRESSES = 60;
/** State of a VirtualBox whose ROM QEMU boots, or the ROM itself; the kind of tables that it turns on. */
const MACHINES: [string, TableKind][] = [
  ['own-prot32', '32-bit'],
  ['own-pae', 'pae'],
  ['own-long', 'long'],
  [join(QEMU_FOLDER, 'guest/mini-la57.rom'), 'la57'],
];

/** A machine in QEMU, whose RAM is a file that both see. */
class QemuMachine {
  readonly #child: ChildProcess;
  readonly #ramPath: string;
  readonly #replies: AsyncIterator<string>;

  constructor(folder: string, romPath: string) {
    this.#ramPath = join(folder, 'ram');
    const ram = [
      '-object',
      `memory-backend-file,id=ram,size=${RAM},mem-path=${this.#ramPath},share=on`,
      '-machine',
      'pc,memory-backend=ram',
    ];
    const cpu = ['-accel', 'tcg', '-cpu', 'qemu64,+pdpe1gb,+nx,+la57', '-m', String(RAM / MIB), '-bios', romPath];
    const rest = [
      '-display',
      'none',
      '-vga',
      'none',
      '-net',
      'none',
      '-serial',
      'none',
      '-monitor',
      'none',
      '-qmp',
      'stdio',
    ];
    this.#child = spawn(QEMU, [...ram, ...cpu, ...rest], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#replies = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  }

  async start(): Promise<void> {
    await this.#ask({ execute: 'qmp_capabilities' });
    for (let tries = 0; this.readRam().readUInt32LE(PAGING_IS_ON) !== 1; tries++) {
      if (tries === 100) throw new Error('the ROM has not turned paging on');
      await wait(100);
    }
    await this.monitor('stop');
  }

  readRam(): Buffer {
    return readFileSync(this.#ramPath);
  }

  writeRam(bytes: Uint8Array): void {
    const file = openSync(this.#ramPath, 'r+');
    writeSync(file, bytes);
    closeSync(file);
  }

  async registers(): Promise<Registers> {
    const text = await this.monitor('info registers');
    const of = (name: string) => BigInt(`0x${new RegExp(`${name}=\\s*([0-9a-f]+)`).exec(text)?.[1] ?? 'none'}`);
    return { cr0: of('CR0'), cr3: of('CR3'), cr4: of('CR4'), efer: of('EFER') };
  }

  /** Translates an address; undefined where QEMU says that nothing is mapped. */
  async translate(address: bigint): Promise<number | undefined> {
    const text = await this.monitor(`gva2gpa 0x${address.toString(16)}`);
    const found = /gpa: (?:0x)?([0-9a-f]+)/.exec(text);
    return found ? Number.parseInt(found[1], 16) : undefined;
  }

  monitor(command: string): Promise<string> {
    return this.#ask({ execute: 'human-monitor-command', arguments: { 'command-line': command } });
  }

  stop(): void {
    this.#child.kill();
  }

  async #ask(request: object): Promise<string> {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    for (;;) {
      const { value, done } = await this.#replies.next();
      if (done) throw new Error('QEMU has ended');
      const reply = JSON.parse(value as string) as { return?: unknown; error?: object };
      if (reply.error) throw new Error(JSON.stringify(reply.error));
      if ('return' in reply) return String(reply.return);
    }
  }
}

let passed = 0;
let failed = 0;
let leftOut = 0;

function compare(what: string, ours: Translation, qemu: number | undefined): void {
  if (ours.status === 'reserved-bit' || ours.status === 'bad-address') leftOut++;
  else if ((ours.status === 'mapped' ? ours.gcPhys : undefined) === qemu) passed++;
  else {
    failed++;
    console.log(
      `${what}: ${ours.status} ${ours.status === 'mapped' ? ours.gcPhys.toString(16) : ''}, QEMU ${qemu?.toString(16)}`,
    );
  }
}

async function compareMachine(state: string, kind: TableKind, folder: string): Promise<void> {
  const romPath = state.endsWith('.rom') ? state : await romOfState(state, folder);
  const machine = new QemuMachine(folder, romPath);
  try {
    await machine.start();
    const registers = await machine.registers();
    const memory = new FlatMemory(new Uint8Array(machine.readRam()));
    const booted = new AddressSpace(memory, registers, { physicalBits: QEMU_PHYSICAL_BITS });
    for (const { virtual, size } of (await mappingsOf(booted)).runs) {
      for (const at of [virtual, virtual + BigInt(size) - 1n, virtual + BigInt(size)]) {
        const linear = booted.linear(at) ?? Number.POSITIVE_INFINITY;
        if (linear < 2 ** (booted.walker?.scheme.addressBits ?? 0))
          compare(`${state} ${at.toString(16)}`, booted.translate(at), await machine.translate(at));
      }
    }
    for (let round = 0; round < ROUNDS; round++) await compareRandom(machine, registers, kind, round);
  } finally {
    machine.stop();
  }
}

async function romOfState(state: string, folder: string): Promise<string> {
  const source = await openFile(join(STATES_FOLDER, `${state}.sav`));
  const rom = new MemoryTarget();
  await extract(source, rom, { rom: ROM });
  await source.close();
  const path = join(folder, 'rom');
  writeFileSync(path, rom.bytes);
  return path;
}

async function compareRandom(machine: QemuMachine, registers: Registers, kind: TableKind, seed: number): Promise<void> {
  const random = new Random(seed + 1);
  const memory = new FlatMemory(new Uint8Array(RAM));
  fillTables(random, memory, kind);
  memory.bytes.copyWithin(Number(registers.cr3 & ~0xfffn), PAGE_SIZE, 2 * PAGE_SIZE);
  if (kind === 'pae') tamePointers(random, memory, registers.cr3);
  machine.writeRam(memory.bytes);
  // QEMU's machine has video memory and ROM there; tables in those are left out.
  memory.holes.push([0xa0000, MIB]);
  const space = new AddressSpace(memory, registers, { physicalBits: QEMU_PHYSICAL_BITS });
  for (let i = 0; i < ADDRESSES; i++) {
    const address = randomAddress(random, kind);
    compare(
      `random ${kind}, seed ${seed}, ${address.toString(16)}`,
      space.translate(address),
      await machine.translate(address),
    );
  }
}

try {
  execFileSync(QEMU, ['--version'], { stdio: 'ignore' });
} catch {
  console.log(`There is no ${QEMU}: nothing was compared (Debian: apt-get install qemu-system-x86)`);
  process.exit(5);
}
for (const [state, kind] of MACHINES) {
  if (state.endsWith('.rom') && !existsSync(state)) {
    console.log(`There is no ${state}: ${kind} was left out`);
    continue;
  }
  const folder = mkdtempSync(join(tmpdir(), 'savkit-qemu-'));
  try {
    await compareMachine(state, kind, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
console.log(`${passed} passed, ${failed} failed, ${leftOut} left out`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
