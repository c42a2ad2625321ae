// An escape that really is one: an even number of backslashes stands before it.
const UNSTORABLE = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/g;

/**
 * JSON text that Postgres takes. Its texts can hold neither a NUL nor half a surrogate pair (`JSON.stringify` escapes
 * only these halves); such a character becomes U+FFFD, since one odd label must not keep a whole batch out of the cache.
 */
export function databaseJson(value: unknown): string {
  const text = JSON.stringify(value);
  if (!text.includes('\\u0000') && !text.includes('\\ud')) return text;
  return text.replaceAll(UNSTORABLE, '$1\\ufffd');
}

/** The same for a text of its own. */
export function databaseText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}
