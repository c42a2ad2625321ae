import { randomInt } from 'node:crypto';

/** Without vowels and look-alikes, as the server does it, so that no words come about. */
const LETTERS = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;
const NAME_LIMIT = 63;

/** The prefix with five random letters, which together are no name in use. */
export function generatedName(prefix: string, isTaken: (name: string) => boolean): string {
  const base = prefix.slice(0, NAME_LIMIT - SUFFIX_LENGTH);
  for (;;) {
    const suffix = Array.from({ length: SUFFIX_LENGTH }, () => LETTERS.charAt(randomInt(LETTERS.length))).join('');
    if (!isTaken(base + suffix)) return base + suffix;
  }
}
