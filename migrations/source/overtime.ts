/** Links in a row that may break without progress. */
const MAX_VAIN_LINKS = 3;

/**
 * Ends a migration that may exceed its time limit but makes no progress: over breaking links it could go on for ever.
 */
export class Overtime {
  #most = 0;
  #vainLinks = 0;

  /**
   * To be called when a link has broken after the time limit.
   * @param pages pages that the target has now
   * @returns whether further links are in vain
   */
  linkLost(pages: number): boolean {
    this.#vainLinks = pages > this.#most ? 0 : this.#vainLinks + 1;
    this.#most = Math.max(this.#most, pages);
    return this.#vainLinks >= MAX_VAIN_LINKS;
  }

  /** Number of links in a row without progress. */
  get vainLinks(): number {
    return this.#vainLinks;
  }
}
