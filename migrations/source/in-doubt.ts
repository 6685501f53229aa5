import { SavkitError } from '../../formats/errors.ts';
import { sleep } from '../../formats/world/waiting.ts';
import type { DecisionLog } from '../hand-over/decision-record.ts';
import type { FrameChannel } from '../wire/frame-channel.ts';
import { throwReason } from '../wire/inbox.ts';
import { decisionShape } from '../wire/messages.ts';
import { readMessage } from '../wire/payload.ts';
import { type LinkOptions, SourceLink } from './source-link.ts';

/** Time between two questions to the target, and looks at this side's record. */
const ASK_EVERY_MS = 500;

/**
 * Asks the target again and again whether it runs a machine that was handed over, and repeats the order to run the
 * machine if the target still waits. A person may write the answer into this side's record in between (`savkit migrate
 * --resolve`).
 * @returns undefined if the signal ended the queries
 */
export async function askUntilDecided(
  options: LinkOptions,
  { log, signal, nextAttempt }: { log: DecisionLog; signal: AbortSignal | undefined; nextAttempt: () => number },
): Promise<'started' | 'gave-up' | undefined> {
  for (;;) {
    // Where the record cannot be read, the target can still tell.
    const written = await log.read().catch(() => undefined);
    if (written === 'done') return 'started';
    if (written === 'kept') return 'gave-up';
    const answer = await askOnce(options, nextAttempt()).catch((error) => {
      if (error instanceof SavkitError) return undefined;
      throw error;
    });
    if (answer !== undefined) return answer;
    if (signal?.aborted) return undefined;
    await sleep(ASK_EVERY_MS, { signal });
  }
}

async function askOnce(options: LinkOptions, attempt: number): Promise<'started' | 'gave-up' | undefined> {
  const channel = await SourceLink.inquire(options, attempt);
  let answer: 'started' | 'gave-up' | undefined;
  try {
    answer = await answerOver(channel);
    return answer;
  } finally {
    // A destroyed channel tells the target that its answer was not heard, so that it goes on waiting.
    if (answer === undefined) channel.destroy();
    else channel.end();
  }
}

async function answerOver(channel: FrameChannel): Promise<'started' | 'gave-up' | undefined> {
  const frame = await channel.receive('decision');
  throwReason(frame);
  const { decision } = readMessage(frame, decisionShape);
  if (decision === 'started' || decision === 'gave-up') return decision;
  if (decision !== 'ready') return undefined;
  await channel.send('commit', {});
  const answer = await channel.receive('running');
  throwReason(answer);
  return answer.name === 'running' ? 'started' : undefined;
}
