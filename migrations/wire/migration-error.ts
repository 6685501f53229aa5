import { FormatError, type Place, SavkitError } from '../../formats/errors.ts';

/** Why a migration or a teleport does not go on, by code: the codes of `MigrationError`. */
export const MIGRATION_CODES = {
  'bad-answer': 'the target of a teleport answers with something else than ACK or NACK',
  'bad-barrier': 'the streams of a round do not agree on what follows it',
  'bad-command': 'the source of a teleport sends a command that is too long',
  'bad-count': 'a frame of pages holds more or fewer of them than it may',
  'bad-delta': 'the changes of a page do not fit the page',
  'bad-frame': 'the source of a teleport sends a frame that no VirtualBox sends',
  'bad-hash': 'the content of a page does not have the hash that came with it',
  'bad-hashes': 'hashes are of pages that the machine does not have, or out of order',
  'bad-length': 'the content of a page has another length than its codec allows',
  'bad-message': 'a message does not hold what its frame says',
  'bad-page': 'a page is none of the machine, or came on the wrong stream',
  'bad-qmp': 'what answers at the socket does not speak the machine protocol of QEMU (QMP)',
  'bad-seal': 'the seal does not fit what it seals',
  'bad-stream': 'a stream does not belong to the link that it joins',
  'bad-token': 'a stream joins no migration that is under way',
  'bad-tree': 'the two sides have hashed different machines',
  'bad-zstd': 'the content of a page cannot be decompressed',
  busy: 'as many machines are arriving at the target as it takes at a time; later it may take this one',
  'cannot-run': 'the machine holds nothing that savkit can run, and the target has no file to keep it in',
  closed: 'the target waits for no machine any more',
  'devices-failed': 'QEMU cannot save, or load, the devices of the guest',
  'devices-silent': 'QEMU is not done with the devices of the guest in time',
  'frame-too-long': 'a frame is longer than its type may be',
  'frame-too-short': 'a frame ends before all of it was read',
  'gave-up': 'the machine stays at the source',
  'hello-replayed': 'a greeting was made on another connection',
  'harmful-option': 'the command line of the source asks for what --qemu does not take over',
  hindered: 'something stands in the way of the guest: migrate --dry-run lists all of it',
  internal: 'savkit itself is wrong on the other side',
  'is-over': 'this migration is on record as decided; a new one can begin',
  'lost-frame': 'not all pages of a round have come',
  'memory-differs': 'memory at the target is not the same as at the source, and stays so',
  'memory-in-use': 'another process has the file open that is to hold the memory of the guest',
  'memory-not-fresh': 'the file that is to hold the memory of the guest holds that of an earlier one',
  'misplaced-page': 'the machine has got other memory since the migration began',
  'no-command-line': 'the source does not tell the command line of its QEMU',
  'no-throttle': 'QEMU has no command that slows a guest',
  'not-stopped': 'the devices of a guest can be saved only while it stands still',
  'other-hypervisor': 'the target waits for machines of another hypervisor',
  'other-machine': 'the machine is not the one that was described, or that the target has a seed of',
  'other-version': 'the other side speaks other versions of the protocol',
  'pages-left-out': 'a round ended without all of its pages',
  'peer-cancelled': 'the other side has cancelled',
  'peer-refused': 'the other side refuses for a reason that this savkit does not know',
  'private-memory': 'memory of the guest is not shared, so that nobody but QEMU sees it',
  'qemu-ended': 'the QEMU of the guest has ended',
  'disk-failed': 'a disk could not be copied to the target, or was not equal there',
  'ram-gone': 'a file with memory of the guest is shorter than that memory',
  'ram-hidden': 'memory of the guest cannot be found among the open files of its QEMU',
  'runs-already': 'QEMU runs the guest at the target before its source has said so',
  snapshot: 'QEMU runs with -snapshot: what the guest has written would be lost',
  'started-by-others': 'somebody has let the guest run while it was handed over',
  'target-gave-up': 'the target never ran the machine',
  'time-limit': 'the migration takes longer than it may',
  'too-many-rounds': 'many rounds have brought no end',
  'too-many-stops': 'the link broke again and again while the machine stood still',
  'too-much': 'the other side sends more than a migration can have',
  'too-much-memory': 'the machine has more memory than the target takes',
  'two-readers': 'a connection is read twice at once',
  unexpected: 'a message comes when it is not its turn',
  'unknown-frame': 'the type of a frame is not known',
  'wrong-order': 'the source of a teleport sends a command when it is not its turn',
  'wrong-round': 'pages, or the end of a round, are of a round that is not under way',
} as const satisfies Record<string, string>;

/** Why a migration does not go on; `savkit explain CODE` tells more. */
export type MigrationCode = keyof typeof MIGRATION_CODES;

/** The two sides, or machine and target, do not go together. */
const MISFITS: readonly MigrationCode[] = [
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
 * A migration or a teleport does not go on: the other side breaks the protocol, or does not take the machine, or limits
 * are reached. No file is bad; the machine stays where the records of both sides say.
 */
export class MigrationError extends SavkitError<MigrationCode> {
  /** Whether the two sides, or machine and target, do not go together: the same would happen again. */
  get isMisfit(): boolean {
    return MISFITS.includes(this.code);
  }
}

/** What a peer is told: an error of savkit in its words, any other without details. */
export function reasonOf(error: unknown): { code: string; message: string } {
  return error instanceof SavkitError
    ? { code: error.code, message: error.message }
    : { code: 'internal', message: 'an error inside' };
}

/** Reads what a peer has sent. Bytes that are not as they must be are no bad file. @throws MigrationError */
export function fromPeer<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatError) throw asPeers(error);
    throw error;
  }
}

/** No code of VirtualBox stands with it: its loader never sees our frames. */
function asPeers({ message, place }: { message: string; place: Place }): MigrationError {
  return new MigrationError('bad-message', message, place);
}
