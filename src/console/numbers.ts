/** Addresses as the debugger prints them: hexadecimal, lower case, zero-padded, without prefix. */
export function digits16(value: number | bigint): string {
  return value.toString(16).padStart(16, '0');
}

/** In place of the host addresses that VirtualBox prints: savkit's machines and handlers have none. */
export const NO_HOST_ADDRESS = digits16(0);

export function digits8(value: number | bigint): string {
  return (BigInt(value) & 0xffff_ffffn).toString(16).padStart(8, '0');
}
