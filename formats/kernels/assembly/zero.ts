// Whether bytes are all zero, 64 at a time.

export function isZero(at: usize, length: usize): bool {
  const end = at + length;
  for (; at + 64 <= end; at += 64) {
    const any = v128.or(v128.or(v128.load(at), v128.load(at, 16)), v128.or(v128.load(at, 32), v128.load(at, 48)));
    if (v128.any_true(any)) return false;
  }
  for (; at < end; at++) if (load<u8>(at) !== 0) return false;
  return true;
}
