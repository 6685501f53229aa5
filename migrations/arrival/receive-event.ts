/** Events of a migration at the target. */
export type ReceiveEvent =
  | {
      event: 'arriving';
      /** Name of the peer. */
      peer: string;
      /** Name of the machine. */
      machine: string;
      /** Number of the source's attempt to connect, from 1. */
      attempt: number;
    }
  | {
      event: 'refused';
      /** Name of the peer. */
      peer: string;
      /** One line for people. */
      message: string;
    }
  | {
      event: 'round';
      /** Number of the round, from 0. */
      round: number;
      /** Bytes of page frames so far. */
      bytes: number;
    }
  | {
      event: 'link-lost';
      /** One line for people. */
      message: string;
      /** State of the hand-over in which the link broke. */
      state: string;
    }
  | {
      event: 'ready';
      /** Root of the hash tree of all memory, as hexadecimal text. */
      root: string;
    }
  | { event: 'running' }
  | {
      /** The machine belongs to this side, but could not be started; the start is tried again when the source asks. */
      event: 'not-started';
      /** One line for people. */
      message: string;
    }
  /** In place of `running`: the machine is here, paused as it was at the source. */
  | { event: 'arrived-paused' }
  /** In place of `running`: the machine is in a file here. */
  | { event: 'arrived-in-file' };
