import { createHash } from 'node:crypto';
import { closeSync, openSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { FakeQmp } from './fake-qmp.ts';

/** What it saves as its devices. */
export const DEVICES = createHash('sha512').update('devices').digest();

export interface FakeGuestOptions {
  /** A command that is refused. */
  refuses?: string;
  /** A command that is never answered. */
  hangsAt?: string;
  /** How its guest is at first; `running` by default. */
  status?: string;
  onStop?: (fake: FakeQmp) => void;
  /** What it has switched on for migrations of its own; as a test may change it. */
  switchedOn?: string[];
  /** Its bandwidth for migrations of its own, in bytes per second, until it is set. */
  bandwidth?: number;
  /** Called with what is to be switched on and off. */
  onSet?: (capabilities: unknown) => void;
  /** What it saves as its devices; default: `DEVICES`. */
  devices?: Uint8Array;
  /** Begins to save devices while it runs, with this stream, and waits to be told before it ends. */
  handsOut?: Uint8Array;
}

/** A QEMU that is none: its memory is a file, its devices are some bytes. */
export async function fakeQemu(ram: string, options: FakeGuestOptions = {}): Promise<FakeQmp> {
  let { status = 'running' } = options;
  let migration = 'none';
  const parameters = { 'max-bandwidth': options.bandwidth ?? 134217728 };
  const held = openSync(ram, 'r');
  const fake: FakeQmp = await FakeQmp.open(async (command, args) => {
    if (command === options.refuses) throw new Error('it is blocked');
    if (command === options.hangsAt) return undefined;
    switch (command) {
      case 'query-status':
        return { status };
      case 'query-kvm':
        return { enabled: false, present: true };
      case 'query-cpus-fast':
        return [{ 'cpu-index': 0 }];
      case 'query-name':
        return { name: 'fake' };
      case 'query-memdev':
        return [{ id: 'pc.ram', size: statSync(ram).size, share: true }];
      case 'query-block':
      case 'query-named-block-nodes':
      case 'qom-list':
        return [];
      case 'human-monitor-command':
        return 'bus: main-system-bus\r\n';
      case 'qom-get':
        if (args.property === 'offset') throw new Error('no such property');
        return (
          { type: 'memory-backend-file', 'mem-path': ram }[args.path === '/machine' ? '' : String(args.property)] ??
          'pc-i440fx-7.2-machine'
        );
      case 'query-migrate':
        if (migration === 'active' && status === 'paused') migration = 'pre-switchover';
        return { status: migration, ram: { 'dirty-sync-count': 2 } };
      case 'migrate-continue':
      case 'migrate_cancel':
        if (migration !== 'none') migration = command === 'migrate_cancel' ? 'cancelled' : 'completed';
        return {};
      case 'query-migrate-capabilities':
        return ['xbzrle', 'multifd', 'x-ignore-shared'].map((capability) => ({
          capability,
          state: (options.switchedOn ?? ['xbzrle']).includes(capability),
        }));
      case 'migrate-set-capabilities':
        options.onSet?.(args.capabilities);
        return {};
      case 'query-migrate-parameters':
        return parameters;
      case 'migrate-set-parameters':
        Object.assign(parameters, args);
        return {};
      case 'stop':
        status = 'paused';
        options.onStop?.(fake);
        return {};
      case 'quit':
        return fake.hangUp();
      case 'cont':
        status = 'running';
        return {};
      case 'migrate':
        connect(String(args.uri).slice('unix:'.length)).end(options.handsOut ?? options.devices ?? DEVICES);
        migration = options.handsOut ? 'active' : 'completed';
        return {};
      default:
        return {};
    }
  });
  fake.onClose = () => closeSync(held);
  return fake;
}
