/** The length of a text as Go and CEL count it: in Unicode code points. */
export function codePoints(text: string): number {
  let count = 0;
  for (const _character of text) count++;
  return count;
}
