import { countText } from '../../formats/amounts.ts';

/** The result of a workload's check of its own memory. */
export function heldText(pages: number): string {
  return `${countText(pages, 'page')} ${pages === 1 ? 'is' : 'are'} as the workload left ${pages === 1 ? 'it' : 'them'}`;
}

export function notHeldText(places: number): string {
  return `${countText(places, 'place')} ${places === 1 ? 'is not' : 'are not'} as the workload left ${places === 1 ? 'it' : 'them'}`;
}
