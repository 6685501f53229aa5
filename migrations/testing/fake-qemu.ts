import { createHash } from 'node:crypto';
import { closeSync, openSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { answerFacts } from '../simulation/guests/qemu-facts.ts';
import { FakeQmp } from './fake-qmp.ts';

/** The bytes that a fake QEMU saves as its devices. */
export const DEVICES = createHash('sha512').update('devices').digest();

export interface FakeGuestOptions {
  /** A command that is refused. A test may change this meanwhile. */
  refuses?: string | undefined;
  /** A command that is never answered. */
  hangsAt?: string;
  /** State of its guest at first; `running` by default. */
  status?: string;
  onStop?: (fake: FakeQmp) => void;
  /** It does what it is told, and answers nothing. A test may change this meanwhile. */
  isMute?: boolean;
  /** Capabilities that it has switched on for migrations of its own. A test may change them meanwhile. */
  switchedOn?: string[];
  /** Its bandwidth for migrations of its own, in bytes per second, until it is set. */
  bandwidth?: number;
  /** Called with the capabilities that are to be switched on and off. */
  onSet?: (capabilities: unknown) => void;
  /** The bytes that it saves as its devices; default: `DEVICES`. */
  devices?: Uint8Array;
  /** Begins to save devices while it runs, with this stream, and waits to be told before it ends. */
  handsOut?: Uint8Array;
}

/** Answers as a QEMU does whose memory is a file, and whose devices are some bytes. */
export async function fakeQemu(ram: string, options: FakeGuestOptions = {}): Promise<FakeQmp> {
  let { status = 'running' } = options;
  let migration = 'none';
  const parameters = { 'max-bandwidth': options.bandwidth ?? 134217728 };
  const facts = () => {
    const { switchedOn = ['xbzrle'] } = options;
    const isOn = (name: string) => [name, switchedOn.includes(name)];
    const capabilities = Object.fromEntries(['xbzrle', 'multifd', 'x-ignore-shared'].map(isOn));
    return { name: 'fake', ramPath: ram, memory: { length: statSync(ram).size }, capabilities, parameters };
  };
  const held = openSync(ram, 'r');
  const fake: FakeQmp = await FakeQmp.open(async (command, args) => {
    const value = await answer(command, args);
    return options.isMute ? undefined : value;
  });
  const answer = async (command: string, args: Record<string, unknown>) => {
    if (command === options.refuses) throw new Error('it is blocked');
    if (command === options.hangsAt) return undefined;
    switch (command) {
      case 'query-status':
        return { status };
      case 'query-migrate':
        if (migration === 'active' && status === 'paused') migration = 'pre-switchover';
        return { status: migration, ram: { 'dirty-sync-count': 2 } };
      case 'migrate-continue':
      case 'migrate_cancel':
        if (migration !== 'none') migration = command === 'migrate_cancel' ? 'cancelled' : 'completed';
        return {};
      case 'migrate-set-capabilities':
        options.onSet?.(args.capabilities);
        return {};
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
        connect(String(args.uri).slice('unix:'.length))
          // The reader of the devices may be gone.
          .on('error', () => {})
          .end(options.handsOut ?? options.devices ?? DEVICES);
        migration = options.handsOut ? 'active' : 'completed';
        return {};
      default:
        return answerFacts(facts(), command, args);
    }
  };
  fake.onClose = () => closeSync(held);
  return fake;
}
