import { countText } from '../../formats/amounts.ts';

/** The result of a workload's check of its own memory. */
export function heldText(pages: number): string {
  return asLeft(pages, 'page', 'is', 'are');
}

export function notHeldText(places: number): string {
  return asLeft(places, 'place', 'is not', 'are not');
}

function asLeft(count: number, noun: string, one: string, several: string): string {
  return `${countText(count, noun)} ${count === 1 ? one : several} as the workload left ${count === 1 ? 'it' : 'them'}`;
}
