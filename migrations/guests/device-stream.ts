import type { Socket } from 'node:net';
import { join } from 'node:path';
import { bufferSource } from '../../formats/files/source.ts';
import { QemuStreamReader } from '../../formats/qemu/stream/stream-reader.ts';
import { count, record, text, withDefault } from '../../formats/values/shape.ts';
import { clock, sleep } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';
import { expectMemory } from '../qmp/migration-settings.ts';
import { awaitConnection, type OneConnection } from '../qmp/one-connection.ts';
import type { QmpClient } from '../qmp/qmp-client.ts';
import { MAX_REST } from '../wire/limits.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { surroundingsOf } from './guest-process.ts';
import { privateFolder, removeFolder, sharedFolder } from './memory/private-folder.ts';

// Saves and loads a guest's devices by QEMU's own migration, over a socket of this process.

/** Longest time for devices; a QEMU that takes longer hangs. */
const PATIENCE_MS = 60_000;
const LOOK_MS = 1;

/** Status in which memory is sent, the guest is stopped, and QEMU waits for `migrate-continue`. */
const WAITING = 'pre-switchover';

const migrationShape = record({
  status: withDefault(text(64), 'none'),
  'error-desc': withDefault(text(65_536), ''),
  ram: withDefault(record({ 'dirty-sync-count': count }), { 'dirty-sync-count': 0 }),
});

/** Options for saving devices. */
export interface DeviceSaveOptions {
  /** QEMU's process, where it is known: it may have another user, and another root folder. */
  pid?: number | undefined;
  /** Takes the devices out of QEMU's stream; by default the stream consists of them alone. */
  take?: (stream: Socket) => Promise<Uint8Array>;
  /** Called when QEMU has begun. */
  onBegun?: () => void;
  /** Longest time for QEMU, in ms. */
  patienceMs?: number;
  /** A QEMU that pauses before the devices (`pause-before-switchover`) continues once this is fulfilled. */
  mayEnd?: Promise<void>;
}

/**
 * Saves the devices of a guest. A guest that runs is stopped by QEMU, after it has sent memory. The guest's state is
 * `postmigrate` afterwards.
 * @throws SavkitError in QEMU's words
 */
export async function saveDevices(
  qmp: QmpClient,
  { pid, take = readAll, onBegun, patienceMs, mayEnd }: DeviceSaveOptions = {},
): Promise<Uint8Array> {
  const folder = sharedFolder(surroundingsOf(pid));
  const path = join(folder.here, 'out');
  let awaited: OneConnection | undefined;
  try {
    awaited = await awaitConnection(path);
    folder.give(path);
    const stream = awaited.connection.then((socket) => take(socket).finally(() => socket.destroy()));
    stream.catch(() => {});
    await qmp.execute('migrate', { uri: `unix:${join(folder.there, 'out')}` });
    onBegun?.();
    const ended = untilMigrated(qmp, patienceMs, mayEnd);
    // If QEMU fails before it connects, there is no stream to read.
    const bytes = await Promise.race([stream, ended.then(() => stream)]);
    await ended;
    return bytes;
  } finally {
    awaited?.close();
    // A QEMU that does not answer goes on with its guest once it finds that nobody takes the save.
    awaited?.connection.then((socket) => socket.destroy()).catch(() => {});
    removeFolder(folder.here);
  }
}

/**
 * Resolves when the save of a running guest has sent all memory once, so that only pages written meanwhile are left; or
 * when it has ended.
 */
export async function untilHandedOut(qmp: QmpClient): Promise<void> {
  for (; ; await sleep(LOOK_MS)) {
    const { status, ram } = await qmp.ask('query-migrate', migrationShape);
    if (!['setup', 'active'].includes(status) || ram['dirty-sync-count'] > 1) return;
  }
}

/** Makes a QEMU that waits for a migration load devices. @throws SavkitError with QEMU's message */
export async function loadDevices(qmp: QmpClient, bytes: Uint8Array): Promise<void> {
  const folder = privateFolder();
  const path = join(folder, 'in');
  try {
    await expectMemory(qmp, await capabilitiesOf(bytes));
    await qmp.execute('migrate-incoming', { uri: `unix:${path}` });
    const socket = world.sockets.connect(path);
    socket.on('error', () => {});
    // A QEMU that refuses devices closes the socket early; `query-migrate` tells the reason.
    const isSent = new Promise<void>((resolve) => socket.once('close', resolve).end(bytes, resolve));
    await Promise.race([isSent, qmp.closed]);
    await untilMigrated(qmp);
  } finally {
    removeFolder(folder);
  }
}

/** @throws FormatError for bytes that are no stream of QEMU */
async function capabilitiesOf(bytes: Uint8Array): Promise<string[]> {
  const reader = await QemuStreamReader.open(bufferSource(bytes, 'the devices'));
  const { capabilities } = reader.configuration;
  reader.release();
  return capabilities;
}

/** Ends a save that is under way; harmless where there is none. */
export async function cancelSave(qmp: QmpClient): Promise<void> {
  await qmp.execute('migrate_cancel');
  for (const end = clock() + PATIENCE_MS; clock() < end; await sleep(LOOK_MS)) {
    const { status } = await qmp.ask('query-migrate', migrationShape);
    if (['none', 'completed', 'failed', 'cancelled'].includes(status)) return;
  }
}

async function untilMigrated(qmp: QmpClient, patienceMs = PATIENCE_MS, mayEnd?: Promise<void>): Promise<void> {
  for (const end = clock() + patienceMs; ; await sleep(LOOK_MS)) {
    const { status, 'error-desc': why } = await qmp.ask('query-migrate', migrationShape);
    if (status === 'completed') return;
    if (status === 'failed' || status === 'cancelled')
      throw new MigrationError('devices-failed', `Cannot move devices: QEMU says ${why === '' ? status : why}`);
    if (status === WAITING) {
      await mayEnd;
      await qmp.execute('migrate-continue', { state: WAITING });
    } else if (clock() > end)
      throw new MigrationError('devices-silent', `Cannot move devices: QEMU is not done after ${patienceMs / 1000} s`);
  }
}

async function readAll(socket: Socket): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of socket as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > MAX_REST)
      throw new MigrationError(
        'too-much',
        `Cannot move devices: they have more than ${MAX_REST} bytes; is some memory of the guest not shared?`,
      );
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
