import { type Duplex, duplexPair } from 'node:stream';

/** Place at which a link breaks: after so many bytes of one direction. */
export interface Cut {
  direction: 'forth' | 'back';
  after: number;
}

/** A link in memory that may break; both ends then see a broken connection. `bytes` counts what went each way. */
export function wireBetween(cut?: Cut): { left: Duplex; right: Duplex; bytes: { forth: number; back: number } } {
  const [left, innerLeft] = duplexPair();
  const [right, innerRight] = duplexPair();
  const bytes = { forth: 0, back: 0 };
  const carry = (from: Duplex, to: Duplex, direction: 'forth' | 'back') => {
    from.on('data', (chunk: Buffer) => {
      const allowed = cut?.direction === direction ? cut.after - bytes[direction] : Number.POSITIVE_INFINITY;
      // A copy, as the system makes one: the writer may reuse its bytes.
      const part = Buffer.from(chunk.subarray(0, Math.max(0, allowed)));
      bytes[direction] += part.length;
      if (part.length > 0) to.write(part);
      if (part.length === chunk.length) return;
      // Bytes that were sent before the break still arrive.
      setImmediate(() => setImmediate(breakLink));
    });
    from.on('end', () => to.end());
  };
  const breakLink = () => {
    for (const end of [left, right]) end.destroy(new Error('the link broke'));
  };
  carry(innerLeft, innerRight, 'forth');
  carry(innerRight, innerLeft, 'back');
  return { left, right, bytes };
}
