import { expect, it } from 'vitest';
import { mixedMachine } from './testing/mixed-machine.ts';
import { Pair } from './testing/pair.ts';

/** Closes a receiver as programs do: nobody is let in after that. */
async function close(pair: Pair, withinMs?: number): Promise<void> {
  await pair.receiver.close(withinMs);
  pair.isOpen = false;
}

it('A receiver that is closed as soon as the machine has arrived still lets the source know', async () => {
  const pair = await Pair.create();
  const closed = pair.receiver.arrived.then(() => close(pair));
  const report = await pair.migrate(mixedMachine(20));
  expect(report.outcome).toBe('handed-over');
  await closed;
});

it('A receiver that is closed as soon as the machine has arrived tells the source over a second link where the first breaks', async () => {
  const pair = await Pair.create();
  pair.tap = (from, name, _, link) => (link === 0 && from === 'target' && name === 'running' ? 'cut-before' : 'pass');
  const closed = pair.receiver.arrived.then(() => close(pair));
  const report = await pair.migrate(mixedMachine(20));
  expect(report.outcome).toBe('handed-over');
  await closed;
});

it('A receiver that is closed while it is ready waits for the source to decide', async () => {
  const pair = await Pair.create();
  let closed: Promise<void> | undefined;
  const decide = pair.sourceLog.write.bind(pair.sourceLog);
  pair.sourceLog.write = async (decision) => {
    if (decision === 'handed-over') {
      expect(pair.receiver.hasPromised).toBe(true);
      closed = close(pair);
    }
    await decide(decision);
  };
  expect((await pair.migrate(mixedMachine(20))).outcome).toBe('handed-over');
  await Promise.all([pair.receiver.arrived, closed]);
});

it('A source that does not decide is waited for within a limit', async () => {
  const pair = await Pair.create();
  const stop = new AbortController();
  pair.sourceLog.write = async (decision) => {
    if (decision !== 'handed-over') return;
    await close(pair, 50);
    // Until then the source asks in vain, and the outcome is in doubt.
    setTimeout(() => stop.abort(), 50);
  };
  expect((await pair.migrate(mixedMachine(20), { stopAsking: stop.signal })).outcome).not.toBe('kept');
});

it('A receiver for which nobody has come closes at once', async () => {
  const pair = await Pair.create();
  // It would take longer than a test may if it waited for anybody.
  await pair.receiver.close(3_600_000);
  await expect(pair.receiver.arrived).rejects.toMatchObject({ code: 'interrupted' });
});
