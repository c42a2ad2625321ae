import { createHash } from 'node:crypto';

/** A uuid that depends on the text alone, so that two runs of the same estate show the same ids. */
export function deterministicUuid(text: string): string {
  const hex = createHash('sha256').update(text, 'utf8').digest('hex');
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Lower-case letters and digits that depend on the text alone, as in the host names that Azure makes. */
export function deterministicSuffix(text: string, length: number): string {
  const digest = createHash('sha256').update(text, 'utf8').digest();
  return [...digest.subarray(0, length)]
    .map((byte) => 'abcdefghijklmnopqrstuvwxyz0123456789'.charAt(byte % 36))
    .join('');
}

/** Hexadecimal text of any length that depends on the text alone. */
export function deterministicHex(text: string, length: number): string {
  let hex = '';
  for (let round = 0; hex.length < length; round++)
    hex += createHash('sha512').update(`${text}#${round}`).digest('hex');
  return hex.slice(0, length);
}
