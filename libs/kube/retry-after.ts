/** Header values by lower-case name, as an HTTP client gives them. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The first value of a header. */
export function headerOf(headers: AnswerHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Nobody is kept waiting longer, whatever a server says. Seconds. */
export const LONGEST_RETRY_AFTER = 3600;

/** How long the server asks us to wait, in seconds, or undefined where it does not say. */
export function retryAfterSeconds(headers: AnswerHeaders, now: Date): number | undefined {
  const text = headerOf(headers, 'retry-after')?.trim();
  if (text === undefined || text === '') return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(LONGEST_RETRY_AFTER, Number(text));
  const date = Date.parse(text);
  if (Number.isNaN(date)) return undefined;
  return Math.min(LONGEST_RETRY_AFTER, Math.max(0, (date - now.getTime()) / 1000));
}
