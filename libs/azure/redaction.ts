const LONGEST = 2000;

/**
 * Text from outside without what must not be shown: the query of a URL (poll URLs are signed), tokens, keys. Bounded in
 * length, since some errors carry whole templates.
 */
export function redacted(text: string): string {
  return text
    .slice(0, LONGEST * 4)
    .replaceAll(/(https?:\/\/[^\s"'<>?]+)\?[^\s"'<>]+/gi, '$1?[redacted]')
    .replaceAll(/\bBearer\s+[A-Za-z0-9._~+/=-]{8,}/gi, 'Bearer [redacted]')
    .replaceAll(/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?/g, '[redacted]')
    .replaceAll(
      /\b(sig|signature|access_token|client_secret|password|accountkey|sharedaccesskey)=[^&\s;"']+/gi,
      '$1=[redacted]',
    )
    .slice(0, LONGEST);
}
