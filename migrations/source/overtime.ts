/** So many links in a row may break without having brought more than those before. */
const MAX_VAIN_LINKS = 3;

/**
 * The time of a migration that goes on beyond its time limit, as it is not to be cancelled then: over links that break
 * it would go on for ever, unless each brings more pages than the ones before.
 */
export class Overtime {
  #most = 0;
  #vainLinks = 0;

  /**
   * A link has broken after the time limit.
   * @param pages so many have gone over it, those that the target had already included
   * @returns whether further ones are in vain, too
   */
  linkLost(pages: number): boolean {
    this.#vainLinks = pages > this.#most ? 0 : this.#vainLinks + 1;
    this.#most = Math.max(this.#most, pages);
    return this.#vainLinks >= MAX_VAIN_LINKS;
  }

  /** How many links were. */
  get vainLinks(): number {
    return this.#vainLinks;
  }
}
