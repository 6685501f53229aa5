import { FormatError, type Place, SavkitError } from '../../formats/errors.ts';

/** Reasons why a migration or a teleport does not go on: the codes of `MigrationError`. */
export const MIGRATION_CODES = {
  'bad-answer': 'the target of a teleport answers with something else than ACK or NACK',
  'bad-barrier': 'the streams of a round do not agree on the next step',
  'bad-command': 'the source of a teleport sends a command that is too long',
  'bad-count': 'a frame of pages holds too many pages, or none',
  'bad-delta': 'the changes of a page do not fit the page',
  'bad-frame': 'the source of a teleport sends a frame that no VirtualBox sends',
  'bad-hash': 'the content of a page does not have the hash that came with it',
  'bad-hashes': 'hashes are out of order, or of pages that the machine does not have',
  'bad-length': 'the content of a page has another length than its codec allows',
  'bad-message': 'a message does not have the fields of its frame',
  'bad-page': 'a page does not belong to the machine, or came on the wrong stream',
  'bad-qmp': 'the answer at the socket is not in the machine protocol of QEMU (QMP)',
  'bad-seal': 'the seal does not match the machine',
  'bad-stream': 'a stream does not belong to the link that it joins',
  'bad-token': 'a stream joins no migration that is under way',
  'bad-tree': 'the two sides have hashed different machines',
  'bad-zstd': 'the content of a page cannot be decompressed',
  busy: 'the target is taking as many machines as it can at a time; later it may take this one',
  'cannot-run': 'the machine holds nothing that savkit can run, and the target has no file to keep it in',
  closed: 'the target waits for no machine any more',
  'devices-failed': 'QEMU cannot save, or load, the devices of the guest',
  'devices-silent': 'QEMU does not finish the devices of the guest in time',
  'frame-too-long': 'a frame is longer than its type may be',
  'frame-too-short': 'a frame ends before all of it was read',
  'gave-up': 'the machine stays at the source',
  'hello-replayed': 'a greeting was made on another connection',
  'harmful-option': 'the command line of the source has options that --qemu does not take over',
  hindered: 'the guest cannot be migrated as it is: migrate --dry-run lists all reasons',
  internal: 'savkit on the other side has an internal error',
  'is-over': 'this migration is on record as decided; a new one can begin',
  'lost-frame': 'not all pages of a round have come',
  'memory-differs': 'memory at the target is not the same as at the source, and stays so',
  'memory-in-use': 'another process has opened the file for the memory of the guest',
  'memory-not-fresh': 'the file for the memory of the guest holds memory of an earlier guest',
  'misplaced-page': 'the machine has got other memory since the migration began',
  'no-command-line': 'the source does not tell the command line of its QEMU',
  'no-throttle': 'QEMU has no command that slows a guest',
  'not-stopped': 'the devices of a guest can be saved only while it stands still',
  'other-hypervisor': 'the target waits for machines of another hypervisor',
  'other-machine': "the machine is not the described one, or not that of the target's seed",
  'other-version': 'the other side speaks other versions of the protocol',
  'pages-left-out': 'a round ended without all of its pages',
  'peer-cancelled': 'the other side has cancelled',
  'peer-refused': 'the other side refuses for a reason that this savkit does not know',
  'private-memory': 'memory of the guest is not shared: QEMU has to hand all of it out once more',
  'qemu-ended': 'the QEMU of the guest has ended',
  'disk-failed': 'a disk could not be copied to the target, or was not equal there',
  'ram-gone': 'a file with memory of the guest is shorter than that memory',
  'ram-hidden': 'memory of the guest cannot be found among the open files of its QEMU',
  'runs-already': 'QEMU runs the guest at the target before the source has allowed that',
  snapshot: 'QEMU runs with -snapshot: the writes of the guest would be lost',
  'started-by-others': 'somebody has let the guest run while it was handed over',
  'target-gave-up': 'the target never ran the machine',
  'time-limit': 'the migration exceeds its time limit',
  'too-many-rounds': 'the migration did not end after many rounds',
  'too-many-stops': 'the link broke again and again while the machine stood still',
  'too-much': 'the other side sends more than a migration can have',
  'too-much-memory': 'the machine has more memory than the target takes',
  'two-readers': 'a connection is read twice at once',
  unexpected: 'a message comes out of turn',
  'unknown-frame': 'the type of a frame is not known',
  'wrong-order': 'the source of a teleport sends a command out of turn',
  'wrong-round': 'pages, or the end of a round, are of a round that is not under way',
} as const satisfies Record<string, string>;

/** Code of a reason why a migration does not go on; `savkit explain CODE` tells more. */
export type MigrationCode = keyof typeof MIGRATION_CODES;

/** Codes for sides, or a machine and a target, that do not fit together. */
export const MISFITS: readonly MigrationCode[] = [
  'cannot-run',
  'closed',
  'harmful-option',
  'hindered',
  'is-over',
  'memory-in-use',
  'memory-not-fresh',
  'no-command-line',
  'no-throttle',
  'other-hypervisor',
  'other-machine',
  'other-version',
  'private-memory',
  'ram-hidden',
  'snapshot',
  'too-much-memory',
];

/**
 * A migration or a teleport does not go on: the other side breaks the protocol or refuses the machine, or a limit is
 * reached. No file is bad; the records of both sides tell where the machine is.
 */
export class MigrationError extends SavkitError<MigrationCode> {
  /** Whether the sides, or machine and target, do not fit together, so that another try would fail, too. */
  get isMisfit(): boolean {
    return MISFITS.includes(this.code);
  }
}

/** The reason for a peer: code and message of savkit's errors, no details of others. */
export function reasonOf(error: unknown): { code: string; message: string } {
  return error instanceof SavkitError
    ? { code: error.code, message: error.message }
    : { code: 'internal', message: 'an error inside' };
}

/** Runs a reader of a peer's bytes, and turns its errors for bad files into a MigrationError. @throws MigrationError */
export function fromPeer<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatError) throw asPeers(error);
    throw error;
  }
}

/** Drops VirtualBox's code, since its loader never sees savkit's frames. */
function asPeers({ message, place }: { message: string; place: Place }): MigrationError {
  return new MigrationError('bad-message', message, place);
}
