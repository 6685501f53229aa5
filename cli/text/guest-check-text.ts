import { countText } from '../../formats/amounts.ts';

/** The result of a workload's check of its own memory. */
export function heldText(pages: number): string {
  return `${countText(pages, 'page')} ${pages === 1 ? 'holds what it' : 'hold what they'} must`;
}

export function notHeldText(places: number): string {
  return `${countText(places, 'place')} ${places === 1 ? 'does not hold what it' : 'do not hold what they'} must`;
}
