import { describe, expect, it } from 'vitest';
import { InterruptedError } from '../../formats/errors.ts';
import { Pair } from '../testing/pair.ts';
import { PlainMachine } from '../testing/plain-machine.ts';

describe('Receiver', () => {
  it('promises nothing any more once it closes, also while the rest of the machine is loaded', async () => {
    const pair = await Pair.create();
    let closed: Promise<void> | undefined;
    pair.host.onCreate = (made) => {
      const { loadRest } = made;
      made.loadRest = async (rest) => {
        await loadRest.call(made, rest);
        closed = pair.receiver.close();
        pair.isOpen = false;
      };
    };
    const arrived = expect(pair.receiver.arrived).rejects.toThrow(InterruptedError);
    const source = new PlainMachine(20);
    expect(await pair.migrate(source, { resumeWithinMs: 50 })).toMatchObject({ outcome: 'kept' });
    await closed;
    await arrived;
    expect(pair.receiver.hasPromised).toBe(false);
    expect(pair.targetLog.written.at(-1)).toBe('gave-up');
    expect(pair.host.machine).toMatchObject({ isDiscarded: true, isRunning: false });
    expect(source.isRunning).toBe(true);
  });
});
