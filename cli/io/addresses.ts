import { UsageError } from '../../formats/errors.ts';
import { addressName, isAddressName } from '../../formats/files/web/address-name.ts';

// Addresses of files may hold secrets, such as a signature. At the command line they are replaced by names, and all of
// savkit knows only names; code that opens a file asks for its address.

/** Addresses by name, each with the number of its uses. */
const addresses = new Map<string, { address: string; uses: number }>();

const FETCHED = /^((?:--?[\w-]+=)*)((?:https?|s3):[/\\]{2}.*)$/is;

/** A word of a command line with the name of the address in it. */
export function hideAddress(word: string): string {
  const [, option = '', address] = FETCHED.exec(word) ?? [];
  return address === undefined ? word : option + holdAddress(address);
}

/** A word of a command line with the address itself, for processes on other hosts. */
export function showAddress(word: string): string {
  const [, option = '', name] = FETCHED.exec(word) ?? [];
  return name === undefined ? word : option + addressOf(name);
}

/** Keeps an address until it is released as often as it was held. @returns its name */
export function holdAddress(address: string): string {
  const name = addressName(address);
  const held = addresses.get(name);
  if (held) held.uses++;
  else if (name !== address) addresses.set(name, { address, uses: 1 });
  return name;
}

export function releaseAddress(name: string): void {
  const held = addresses.get(name);
  if (held && --held.uses === 0) addresses.delete(name);
}

/** @throws UsageError for a name that was copied from a report */
export function addressOf(name: string): string {
  const address = addresses.get(name)?.address ?? name;
  if (isAddressName(address))
    throw new UsageError('bad-url', `Cannot open ${name}: a part of this address is hidden; give the address itself`);
  return address;
}

/** All addresses that are held, for another process of savkit. */
export function heldAddresses(): string[] {
  return [...addresses.values()].map(({ address }) => address);
}
