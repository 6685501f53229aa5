import type { ReceiveEvent } from '../../migrations/arrival/receive-event.ts';
import { line, NO_TEXT, type TerminalText } from '../terminal/terminal-text.ts';

/** Consequence of a lost link, by the state of the migration. */
const LINK_LOST: Readonly<Record<string, string>> = {
  greeted: 'nothing has arrived yet; waits for a machine',
  receiving: 'keeps the pages that have arrived, and waits for the source to connect again',
  ready: 'the machine is whole here; waits for the source to say whether it runs here',
  'in-doubt': 'the machine is whole here; waits for the source to say whether it runs here',
  ended: 'the machine stays at the source',
};

/** One line for people; none for an event that is for programs only. */
export function receiveText(event: ReceiveEvent): TerminalText {
  switch (event.event) {
    case 'arriving':
      return event.attempt === 1 ? line`${event.peer} sends a machine` : line`${event.peer} is connected again`;
    case 'refused':
      return line`${event.peer} was refused: ${event.message}`;
    case 'link-lost':
      return line`Link lost: ${event.message}; ${LINK_LOST[event.state] ?? 'waits for the source to connect again'}`;
    case 'ready':
      return line`All of the machine has arrived: memory has the hash ${event.root}`;
    case 'not-started':
      return line`The machine is here, and could not be started: ${event.message}`;
    case 'running':
      return line`The machine runs here`;
    case 'arrived-in-file':
      return line`The machine is in its file here`;
    case 'arrived-paused':
      return line`The machine is here, paused as it was at the source`;
    default:
      return NO_TEXT;
  }
}
