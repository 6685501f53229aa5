/** A time in UTC for people, to the second. @param time as ISO 8601 has it */
export function timeText(time: string): string {
  return time.slice(0, 19).replace('T', ' ');
}
