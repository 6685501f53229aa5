import { EnvironmentError, InterruptedError, SavkitError } from '../../formats/errors.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { FrameSource } from './frames.ts';
import type { Peer } from './peer.ts';
import { STATUS_NUMBERS, statusNumber } from './status.ts';
import { COMMAND_LIMIT, type Command, encodeReply, parseCommand } from './wire.ts';

// The target's side after the password. As a diagram, with its actions in brackets:
//
//   ready ──load [ACK, stream, ACK]──► loaded ──lock-media [ACK]──► locked ──hand-over-* [ACK]──► handed-over
//     └────────────── anything else [NACK or nothing] ──────────────────────────────────────────► ended
//
// VirtualBox's own target takes `lock-media` and `hand-over-*` without any `load`, and a second `load`. Here these are
// refused: to acknowledge the hand-over of a machine that nobody has would lose it.

export type ReceiverState = 'ready' | 'loaded' | 'locked';
type Step = { does: 'load' | 'lock' | 'hand-over' } | { refuses: number } | { ends: 'cancelled' };

const load: Step = { does: 'load' };
const lock: Step = { does: 'lock' };
const handOver: Step = { does: 'hand-over' };
const cancelled: Step = { ends: 'cancelled' };
const unknown: Step = { refuses: STATUS_NUMBERS.VERR_NOT_IMPLEMENTED };
const wrongOrder: Step = { refuses: STATUS_NUMBERS.VERR_WRONG_ORDER };
/** VirtualBox's answer to a hand-over without locked media. */
const notLocked: Step = { refuses: STATUS_NUMBERS.VERR_SSM_CANCELLED };

type Row = Record<Command | 'other', Step>;
export const RECEIVER_STEPS: Record<ReceiverState, Row> = {
  ready: {
    load,
    cancel: cancelled,
    'lock-media': wrongOrder,
    'hand-over-resume': notLocked,
    'hand-over-paused': notLocked,
    other: unknown,
  },
  loaded: {
    load: wrongOrder,
    cancel: cancelled,
    'lock-media': lock,
    'hand-over-resume': notLocked,
    'hand-over-paused': notLocked,
    other: unknown,
  },
  locked: {
    load: wrongOrder,
    cancel: cancelled,
    'lock-media': lock,
    'hand-over-resume': handOver,
    'hand-over-paused': handOver,
    other: unknown,
  },
};

/** The reason for declining a complete stream, for the source. */
export interface TeleportRefusal {
  status: number;
  text: string;
}

export interface ReceiverActions {
  /** Sink for a copy of the arriving stream. */
  copy: { write(bytes: Uint8Array): Promise<void> };
  /**
   * Reads the whole stream. The source is told of errors, and then runs on. @returns a refusal to decline the stream
   */
  load(stream: FrameSource): Promise<TeleportRefusal | undefined>;
  /** Called after the source was told the result of loading. */
  onAnswered?: () => void;
  /** Makes the machine ours for good; called before the hand-over is acknowledged. */
  takeOver(): Promise<void>;
}

export type ReceiverEnd = { end: 'handed-over'; paused: boolean } | { end: 'declined' };

/**
 * Serves an authenticated source until it has handed its machine over, or was declined.
 * @throws SavkitError in all other cases; the source keeps its machine, and is told the reason if the protocol allows
 * that
 */
export async function serveSource(peer: Peer, actions: ReceiverActions): Promise<ReceiverEnd> {
  let state: ReceiverState = 'ready';
  for (;;) {
    const command = await nextCommand(peer, state);
    const step: Step = RECEIVER_STEPS[state][command];
    if ('ends' in step)
      throw new EnvironmentError(
        'cancelled-by-source',
        `Cannot take the machine from ${peer.name}: the source cancelled`,
      );
    if ('refuses' in step) throw await refuse(peer, step.refuses, command, state);
    if (step.does === 'load') {
      if (await loadStream(peer, actions)) return { end: 'declined' };
      state = 'loaded';
    } else if (step.does === 'lock') {
      // There is nothing to lock: media are not needed until the received machine is started.
      await peer.write(encodeReply({ ack: true }));
      state = 'locked';
    } else {
      await takeOver(peer, actions);
      return { end: 'handed-over', paused: command === 'hand-over-paused' };
    }
  }
}

const CANCELED_HERE = 'Teleporting canceled at the target';

async function nextCommand(peer: Peer, state: ReceiverState): Promise<Command | 'other'> {
  const line = await peer.line(COMMAND_LIMIT + 1).catch(async (error) => {
    if (error instanceof InterruptedError)
      await tell(peer, { status: STATUS_NUMBERS.VERR_SSM_CANCELLED, text: CANCELED_HERE });
    throw error;
  });
  if (line?.ended) return parseCommand(line.text);
  const waitedFor = { ready: 'load', loaded: 'lock-media', locked: 'hand-over' }[state];
  const tooLong = line !== undefined && line.text.length > COMMAND_LIMIT;
  if (tooLong)
    throw new MigrationError(
      'bad-command',
      `Cannot take the machine from ${peer.name}: a command of more than ${COMMAND_LIMIT} bytes`,
    );
  throw new EnvironmentError(
    'connection-lost',
    `Cannot take the machine from ${peer.name}: it closed the connection, expected the command ${waitedFor}`,
  );
}

async function refuse(peer: Peer, status: number, command: string, state: ReceiverState): Promise<SavkitError> {
  await tell(peer, { status, text: '' });
  const what = command === 'other' ? 'an unknown command' : `${command} when it was ${state}`;
  return new MigrationError('wrong-order', `Cannot take the machine from ${peer.name}: it sent ${what}`);
}

/** @returns whether the stream was declined */
async function loadStream(peer: Peer, actions: ReceiverActions): Promise<boolean> {
  await peer.write(encodeReply({ ack: true }));
  try {
    const refusal = await actions.load(new FrameSource(peer, actions.copy));
    await peer.write(encodeReply(refusal ? { ack: false, ...refusal } : { ack: true }));
    actions.onAnswered?.();
    return refusal !== undefined;
  } catch (error) {
    await tell(peer, refusalOf(error));
    throw error;
  }
}

async function takeOver(peer: Peer, actions: ReceiverActions): Promise<void> {
  try {
    await actions.takeOver();
  } catch (error) {
    await tell(peer, refusalOf(error));
    throw error;
  }
  // From here on the machine is ours, even if this answer gets lost: the source does not start it again then.
  await peer.write(encodeReply({ ack: true })).catch(() => {});
}

function refusalOf(error: unknown): TeleportRefusal {
  if (error instanceof InterruptedError) return { status: STATUS_NUMBERS.VERR_SSM_CANCELLED, text: CANCELED_HERE };
  if (error instanceof SavkitError) return { status: statusNumber(error.vboxCode), text: error.message };
  return { status: STATUS_NUMBERS.VERR_IO_GEN_FAILURE, text: 'the target failed' };
}

/** Tells a refusal, without an error if the peer is gone. */
async function tell(peer: Peer, refusal: TeleportRefusal): Promise<void> {
  await peer.write(encodeReply({ ack: false, ...refusal })).catch(() => {});
}
