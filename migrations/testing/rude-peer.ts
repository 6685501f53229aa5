import { type Duplex, duplexPair } from 'node:stream';
import type { TargetHost } from '../machine/machine.ts';
import { FrameChannel } from '../wire/frame-channel.ts';
import { targetHelloShape } from '../wire/messages.ts';
import { readMessage } from '../wire/payload.ts';
import { Pair, SHORT } from './pair.ts';

/** A target, and a peer that it has said hello to, and that may say what it likes. */
export async function targetAndPeer(
  host?: TargetHost,
): Promise<{ pair: Pair; channel: FrameChannel; end: Duplex; nonce: string }> {
  const pair = await Pair.create({ keepMs: 10, host });
  const [end, target] = duplexPair();
  end.on('close', () => target.destroy());
  target.on('close', () => end.destroy());
  void pair.receiver.accept(target, 'peer');
  const channel = new FrameChannel(end, SHORT);
  const { nonce } = readMessage(await channel.receive('hello'), targetHelloShape);
  return { pair, channel, end, nonce };
}

/** The target's last word, or `accept`. */
export async function answerOf(channel: FrameChannel): Promise<string> {
  for (;;) {
    const frame = await channel.receive('an answer').catch(() => undefined);
    if (!frame) return 'closed';
    if (frame.name === 'accept') return frame.name;
    if (frame.name === 'refuse') return Buffer.from(frame.payload).toString('latin1');
  }
}
