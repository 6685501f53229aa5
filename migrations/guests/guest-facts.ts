import { UnsupportedError } from '../../formats/errors.ts';
import {
  anything,
  count,
  flag,
  list,
  record,
  type Shape,
  such,
  text,
  withDefault,
} from '../../formats/values/shape.ts';
import type { Ask } from '../qmp/ask.ts';
import { learnSettings, type MigrationSettings } from '../qmp/migration-settings.ts';
import type { QmpClient, QmpWait } from '../qmp/qmp-client.ts';
import { type GuestDisk, learnDisks } from './guest-disks.ts';
import { type GuestProcess, processBehind } from './guest-process.ts';
import { hostAddresses, type Monitor } from './host-addresses.ts';

/** A memory backend of a guest, which is an object in QEMU. */
export interface Backend {
  /** Name of the object, and of the block in QEMU's stream: `pc.ram`. */
  id: string;
  bytes: number;
  /** Memory is shared (`share=on`): other processes see QEMU's writes, and QEMU theirs. */
  isShared: boolean;
  /** `memory-backend-file`, `memory-backend-memfd`, `memory-backend-ram` … */
  type: string;
  /** Path of the backing file; undefined if it has no name. */
  path: string | undefined;
  /** Offset in the file, in bytes. */
  offset: number;
  /** Address in QEMU's process; undefined if QEMU does not tell. */
  hostAddress: number | undefined;
}

/** Facts of a guest from QEMU, and of its process from the system. */
export interface GuestFacts {
  /** Version of QEMU: `10.0.2`. */
  version: string;
  name: string;
  status: string;
  /** `pc-i440fx-7.2`. */
  machineType: string;
  accelerator: 'kvm' | 'tcg';
  cpus: number;
  backends: Backend[];
  disks: GuestDisk[];
  /** Devices that were plugged in, by name. */
  devices: { name: string; type: string }[];
  /** Types of devices that write to memory past QEMU, or cannot be migrated. */
  unmovable: string[];
  /** QEMU's own reasons not to migrate, in its words. */
  blockers: string[];
  /** QEMU's settings for its own migrations. */
  settings: MigrationSettings;
  /** The process of QEMU; undefined if the system does not tell. */
  process: GuestProcess | undefined;
}

const string = text(65_536);
const fileName = such(string, (name) => !name.includes('\0'), 'the name of a file');
const memdevs = list(record({ id: withDefault(string, ''), size: count, share: withDefault(flag, false) }), 1024);
const properties = list(record({ name: text(1024), type: text(1024) }), 4096);
const cpuList = list(anything, 4096);

/** The run state of a guest: `running`, `paused`, `postmigrate` … */
export async function statusOf(qmp: { ask: Ask }): Promise<string> {
  return (await qmp.ask('query-status', record({ status: text(64) }))).status;
}

/** Asks QEMU for all facts that are needed before a guest is moved. */
export async function learnGuestFacts(
  qmp: QmpClient,
  process: GuestProcess | undefined = processBehind(qmp.path),
  wait: QmpWait = {},
): Promise<GuestFacts> {
  const ask: Ask = (command, shape, args) => qmp.ask(command, shape, args, wait);
  const hmp: Monitor = (line) => qmp.hmp(line, wait);
  const [status, kvm, cpus, machine, { name }, qtree, { blocked }] = [
    await statusOf({ ask }),
    await ask('query-kvm', record({ enabled: flag })),
    await ask('query-cpus-fast', cpuList),
    await ask('qom-get', string, { path: '/machine', property: 'type' }),
    await ask('query-name', record({ name: withDefault(text(200), '') })),
    await hmp('info qtree'),
    await askBlockers(ask),
  ];
  return {
    version: qmp.version,
    name: name === '' ? 'guest' : name,
    status,
    machineType: machine.replace(/-machine$/, ''),
    accelerator: kvm.enabled ? 'kvm' : 'tcg',
    cpus: cpus.length,
    backends: await learnBackends(ask, hmp),
    disks: await learnDisks(ask),
    devices: await learnDevices(ask),
    unmovable: [
      ...new Set([...qtree.matchAll(/dev: (vhost-[\w-]+|vfio-[\w-]+|virtio-mem[\w-]*)/g)].map(([, kind]) => kind)),
    ],
    blockers: blocked,
    settings: await learnSettings(ask),
    process,
  };
}

async function askBlockers(ask: Ask): Promise<{ blocked: string[] }> {
  const shape = record({ 'blocked-reasons': withDefault(list(string, 64), []) });
  return { blocked: (await ask('query-migrate', shape))['blocked-reasons'] };
}

async function learnBackends(ask: Ask, hmp: Monitor): Promise<Backend[]> {
  const backends: Backend[] = [];
  const addresses = await hostAddresses(hmp);
  for (const { id, size: bytes, share } of await ask('query-memdev', memdevs)) {
    const path = `/objects/${id}`;
    const get = <T>(property: string, shape: Shape<T>, otherwise: T) =>
      // Each kind of backend, and each version of QEMU, has its own properties.
      ask('qom-get', shape, { path, property }).catch((error) => {
        if (error instanceof UnsupportedError) return otherwise;
        throw error;
      });
    const type = await get('type', string, '');
    const file = type === 'memory-backend-file' ? await get('mem-path', fileName, '') : '';
    const offset = file === '' ? 0 : await get('offset', count, 0);
    backends.push({
      id,
      bytes,
      isShared: share,
      type,
      path: file === '' ? undefined : file,
      offset,
      hostAddress: await addresses(id),
    });
  }
  return backends;
}

/** Named devices, in QEMU's order. */
async function learnDevices(ask: Ask): Promise<{ name: string; type: string }[]> {
  const found: { name: string; type: string }[] = [];
  for (const path of ['/machine/peripheral', '/machine/peripheral-anon'])
    for (const { name, type } of await ask('qom-list', properties, { path }))
      if (type.startsWith('child<')) found.push({ name, type: type.slice('child<'.length, -1) });
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}
