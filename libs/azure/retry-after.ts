/** The part of a header collection that is read here. */
export interface ReadableHeaders {
  get(name: string): string | undefined;
}

/** How long Azure asks us to wait, in seconds (fractions for the millisecond headers), or undefined where it does not say. */
export function retryAfterSeconds(headers: ReadableHeaders, now: Date): number | undefined {
  for (const name of ['retry-after-ms', 'x-ms-retry-after-ms']) {
    const text = headers.get(name);
    if (text !== undefined && /^\d+$/.test(text.trim())) return Number(text) / 1000;
  }
  const text = headers.get('retry-after')?.trim();
  if (text === undefined || text === '') return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now.getTime()) / 1000);
}
