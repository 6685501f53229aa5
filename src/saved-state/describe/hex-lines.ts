const LINE = 16;

/** The lines of 16 bytes in which two pieces of memory differ, each before and after. `address`: of the first byte. */
export function hexDifference(a: Uint8Array, b: Uint8Array, address: number): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.max(a.length, b.length); at += LINE) {
    const own = a.subarray(at, at + LINE);
    const other = b.subarray(at, at + LINE);
    if (Buffer.compare(own, other) !== 0)
      lines.push(hexLine('-', address + at, own), hexLine('+', address + at, other));
  }
  return lines.join('\n');
}

/** All lines of a piece of memory. */
export function hexLines(bytes: Uint8Array, address: number | bigint): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += LINE)
    lines.push(hexLine('', BigInt(address) + BigInt(at), bytes.subarray(at, at + LINE)));
  return lines.join('\n');
}

function hexLine(mark: string, address: number | bigint, bytes: Uint8Array): string {
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'));
  const text = Array.from(bytes, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
  return (
    `  ${mark === '' ? '' : `${mark} `}${address.toString(16).padStart(10, '0')}  ` +
    `${digits.join(' ').padEnd(LINE * 3 - 1)}  ${text}`
  );
}
