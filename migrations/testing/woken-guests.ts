import { execFileSync } from 'node:child_process';
import { openSync, readFileSync, readSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { sleep } from '../../formats/world/waiting.ts';
import { WakingQemu } from '../wake/waking-qemu.ts';
import { readPng, readPpm } from './picture.ts';

/** A woken guest that runs. */
export interface RunningGuest {
  qemu: WakingQemu;
  /** Socket of its first serial port. */
  serial: string;
  /** File of its disk. */
  disk: string;
  folder: string;
  /** QEMU's program. */
  program: string;
  /** Ratio of the rates of the guest's time stamp counter now and before. */
  tscFactor: number;
  /** The picture that the state holds, as PNG. */
  screenshot(): Promise<Buffer>;
}

interface GuestCheck {
  names: RegExp;
  /** @returns what was seen @throws Error where it is not as it should be */
  check(guest: RunningGuest): Promise<string>;
}

/** Addresses at which the bare-metal guests keep their counters. */
const COUNTERS = 0x5000;
const SECONDS = 5;

async function counters({ qemu }: Pick<RunningGuest, 'qemu'>, words = 16): Promise<number[]> {
  const bytes = new Uint8Array(4 * words);
  await qemu.withMemory(COUNTERS, bytes.length, async (memory) => void (await memory.read(bytes, 0)));
  return [...new Uint32Array(bytes.buffer)];
}

/** Reads the counters before and after some seconds. @returns them, and their growth in a second */
async function observe(guest: Pick<RunningGuest, 'qemu'>, seconds = SECONDS) {
  const before = await counters(guest);
  const start = performance.now();
  await sleep(1000 * seconds);
  const after = await counters(guest);
  const passed = (performance.now() - start) / 1000;
  return { before, after, rate: (i: number) => (after[i] - before[i]) / passed };
}

function expectThat(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

const near = (value: number, nominal: number, share = 0.05) => Math.abs(value - nominal) <= share * nominal;

/** Folder of the sources of the guests. */
const SOURCES = '../shared/virtualbox/guest/wake';
const BOOT_SECONDS = 4;
/** Time in which a difference of 5 % shows in a counter that grows by eight a second. */
const RATE_SECONDS = 15;

/** Boots the same guest in the same QEMU: its counts show what this host, with its load, makes possible. */
async function bootFresh(guest: RunningGuest, usesApic: boolean): Promise<WakingQemu> {
  const image = join(guest.folder, 'irq.img');
  execFileSync('nasm', ['-f', 'bin', `-DAPIC=${usesApic ? 1 : 0}`, '-o', image, join(SOURCES, 'irq.asm')]);
  const words = `-nodefaults -accel tcg -cpu max -m 16M -machine pc -device VGA -display none -boot a`.split(' ');
  const floppy = ['-drive', `if=floppy,format=raw,file=${image}`];
  const fresh = await WakingQemu.start({ program: guest.program, arguments: [...words, ...floppy] });
  await sleep(1000 * BOOT_SECONDS);
  return fresh;
}

async function interrupts(guest: RunningGuest, usesApic: boolean): Promise<string> {
  const fresh = await bootFresh(guest, usesApic);
  const [own, other] = await Promise.all([
    observe(guest, RATE_SECONDS),
    observe({ qemu: fresh }, RATE_SECONDS),
  ]).finally(() => fresh.quit());
  const timers = [
    { name: 'PIT', i: 4, nominal: 100 },
    { name: 'RTC', i: 7, nominal: 8 },
    ...(usesApic ? [{ name: 'APIC timer', i: 8, nominal: 100 }] : []),
  ];
  const rates = timers.map(({ name, i, nominal }) => {
    const [rate, fresh] = [own.rate(i), other.rate(i)];
    const text = `${name} ${rate.toFixed(1)}/s, freshly booted ${fresh.toFixed(1)}/s`;
    // A busy host may hold either of them up.
    expectThat(rate >= 0.95 * Math.min(fresh, nominal) && rate <= 1.05 * Math.max(fresh, nominal), text);
    return text;
  });
  const [, , , , , keysBefore] = await counters(guest);
  for (const data of ['a', 'b', 'c']) {
    await guest.qemu.qmp.execute('send-key', { keys: [{ type: 'qcode', data }] });
    await sleep(300);
  }
  const keys = (await counters(guest))[5] - keysBefore;
  expectThat(keys === 6, `3 keys made ${keys} interrupts, expected 6`);
  return `${rates.join(', ')}, 3 keys 6 interrupts`;
}

async function network(guest: RunningGuest): Promise<string> {
  const { before, after } = await observe(guest);
  const [sent, replies] = [0, 1].map((i) => after[i] - before[i]);
  // Earlier pings may have been lost earlier: VirtualBox keeps the link down for a while after each load.
  expectThat(sent > 5 * SECONDS && Math.abs(sent - replies) <= 1, `${sent} pings, ${replies} replies`);
  return `${sent} pings, ${replies} replies, ${after[4] - before[4]} interrupts`;
}

/** The guest's disk as it is now. */
function rawImage({ folder, disk: file }: RunningGuest): string {
  const image = join(folder, 'checked.raw');
  execFileSync('qemu-img', ['convert', '-O', 'raw', file, image]);
  return image;
}

const SECTOR = 512;
const BLOCK_SECTORS = 8;
const ROUNDS_CHECKED = 99;

async function disk(guest: RunningGuest, interruptsEach: number): Promise<string> {
  const { before, after } = await observe(guest);
  const rounds = after[0] - before[0];
  expectThat(
    rounds > 100 && after[1] === 0 && after[5] === 0,
    `${rounds} rounds, ${after[1]} mismatches, ${after[5]} errors`,
  );
  const perRound = (after[2] - before[2]) / rounds;
  expectThat(near(perRound, interruptsEach, 0.01), `${perRound.toFixed(2)} interrupts a round`);
  await guest.qemu.qmp.execute('stop');
  const [last] = await counters(guest);
  await guest.qemu.quit();
  const file = openSync(rawImage(guest), 'r');
  const block = Buffer.alloc(SECTOR * BLOCK_SECTORS);
  for (let round = last - ROUNDS_CHECKED; round < last; round++) {
    readSync(file, block, 0, block.length, SECTOR * (64 + (round & 127) * BLOCK_SECTORS));
    for (let i = 0; i < block.length / 4; i++)
      expectThat(
        block.readUInt32LE(4 * i) === (round + Math.imul(i, 0x01000193)) >>> 0,
        `round ${round} is wrong in the image`,
      );
  }
  const seen = `${rounds} rounds, ${interruptsEach} interrupts each, no mismatch`;
  return `${seen}, last ${ROUNDS_CHECKED} rounds right in the image`;
}

/** The shell of the Linux guest on its serial port. */
class Shell {
  #said = '';
  readonly #socket: Socket;
  #number = 0;

  constructor(path: string) {
    this.#socket = connect({ path });
    this.#socket.on('data', (piece: Buffer) => {
      this.#said += piece.toString('latin1');
    });
    this.#socket.on('error', () => {});
  }

  /** Runs a command. @returns what it prints @throws Error where it does not end */
  async run(command: string, seconds = 60): Promise<string> {
    const mark = `done-${++this.#number}`;
    this.#said = '';
    this.#socket.write(`${command}; echo ${mark.replace('-', "-''")}\n`);
    for (let waited = 0; waited < seconds; waited += 0.1) {
      if (this.#said.includes(mark)) return this.#said.slice(0, this.#said.indexOf(mark));
      await sleep(100);
    }
    throw new Error(`the shell does not answer ${command}: ${this.#said.slice(-200)}`);
  }

  close(): void {
    this.#socket.destroy();
  }
}

const ECHO_BYTES = 400_000;

/** Ends the program that has the log open, and lets the disk go. */
const END_LOGGING =
  'for p in $(fuser /mnt/log.txt 2>/dev/null); do kill -9 $p; done; umount /mnt; mount | grep -c /mnt';

const CLOCK_SECONDS = 30;

/**
 * Checks the kernel's clock: it is right where it does not count the time stamp counter, else wrong by the factor
 * foretold.
 */
async function clockOf(shell: Shell, tscFactor: number): Promise<string> {
  const uptime = async () => {
    const text = await shell.run('read up idle </proc/uptime; echo "up $up"');
    return { guest: Number(/^up ([\d.]+)/m.exec(text)?.[1]), host: performance.now() / 1000 };
  };
  const source = await shell.run('cat /sys/devices/system/clocksource/clocksource0/current_clocksource');
  const expected = /^tsc/m.test(source) ? tscFactor : 1;
  const first = await uptime();
  await sleep(1000 * CLOCK_SECONDS);
  const last = await uptime();
  const factor = (last.guest - first.guest) / (last.host - first.host);
  const told = `clock ${factor.toFixed(4)} times as fast, foretold ${expected.toFixed(4)}`;
  expectThat(near(factor, expected, 0.01), told);
  return told;
}

async function linux(guest: RunningGuest): Promise<string> {
  const shell = new Shell(guest.serial);
  let clock: string;
  try {
    const kernelLines = () => shell.run('dmesg | wc -l').then((text) => Number(/^(\d+)\s*$/m.exec(text)?.[1]));
    await shell.run('true');
    const linesBefore = await kernelLines();
    const logged = () => shell.run('wc -l </mnt/log.txt').then((text) => Number(/^(\d+)\s*$/m.exec(text)?.[1]));
    const before = await logged();
    const sums = await shell.run(
      'dd if=/dev/urandom of=/mnt/r bs=1M count=8 2>/dev/null; md5sum </mnt/r; sync; echo 3 >/proc/sys/vm/drop_caches; md5sum </mnt/r',
    );
    const [first, second] = sums.match(/^[0-9a-f]{32}/gm) ?? [];
    expectThat(first !== undefined && first === second, `md5 ${first} became ${second}`);
    const pinged = await shell.run('ping -c 5 10.0.2.2');
    expectThat(/5 packets received/.test(pinged), `ping: ${pinged.slice(-120)}`);
    await echo(guest);
    expectThat((await logged()) > before, 'the log file does not grow');
    clock = await clockOf(shell, guest.tscFactor);
    const grown = (await kernelLines()) - linesBefore;
    expectThat(grown <= 1, `${grown} new lines of the kernel: ${await shell.run('dmesg | tail -5')}`);
    await shell.run(END_LOGGING);
  } finally {
    shell.close();
  }
  await guest.qemu.quit();
  execFileSync('e2fsck', ['-fn', rawImage(guest)], { stdio: 'ignore' });
  return `md5 of 8 MiB equal without caches, 5 pings, echo equal, log goes on, no kernel message, e2fsck clean, ${clock}`;
}

/** Sends bytes through the guest's echo service, and compares. */
async function echo({ qemu }: RunningGuest): Promise<void> {
  const port = Number(/TCP\[HOST_FORWARD\]\s+\d+\s+\S+\s+(\d+)/.exec(await qemu.qmp.hmp('info usernet'))?.[1]);
  const sent = Buffer.from(Array.from({ length: ECHO_BYTES }, (_, i) => (i * 7 + (i >>> 8)) & 0xff));
  const socket = connect({ port, host: '127.0.0.1' });
  socket.end(sent);
  const pieces: Buffer[] = [];
  for await (const piece of socket) {
    pieces.push(piece as Buffer);
    if (pieces.reduce((sum, each) => sum + each.length, 0) >= sent.length) break;
  }
  expectThat(Buffer.concat(pieces).equals(sent), 'the echo differs');
}

/** Checks that the screen shows what it showed when the machine was saved. */
async function graphics({ qemu, folder, screenshot }: RunningGuest): Promise<string> {
  const path = join(folder, 'screen.ppm');
  await qemu.qmp.execute('screendump', { filename: path });
  const [shown, stored] = [readPpm(readFileSync(path)), readPng(await screenshot())];
  const size = `${shown.width} x ${shown.height}`;
  expectThat(size === `${stored.width} x ${stored.height}`, `the screen is ${size}`);
  let others = 0;
  for (let i = 0; i < stored.pixels.length; i++) if (shown.pixels[i] !== stored.pixels[i]) others++;
  expectThat(others === 0, `${others} bytes of the screen differ from the stored picture`);
  return `all pixels of ${size} are those of the stored picture`;
}

/** Guests of ../shared/virtualbox/guest/wake, by the names of their states. */
export const GUEST_CHECKS: readonly GuestCheck[] = [
  { names: /irq1/, check: (guest) => interrupts(guest, true) },
  { names: /irq/, check: (guest) => interrupts(guest, false) },
  { names: /^wk(vbe|m1)/, check: graphics },
  { names: /^wkn/, check: network },
  { names: /^wkd/, check: (guest) => disk(guest, 10) },
  { names: /^wkh/, check: (guest) => disk(guest, 2) },
  { names: /^(wkk|wl[abp])$/, check: linux },
];
