/** A time in UTC for people, to the second. @param time in ISO 8601 */
export function timeText(time: string): string {
  return time.slice(0, 19).replace('T', ' ');
}
