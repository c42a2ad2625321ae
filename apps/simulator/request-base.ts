import type { FastifyRequest } from 'fastify';

const HEADER_LENGTH = 128;

/**
 * Scheme and host under which the caller reached us. What a proxy on this machine says about the outside is believed;
 * what anyone else says is not.
 */
export function baseUrlOf(request: FastifyRequest, publicUrl: string | undefined): string {
  if (publicUrl !== undefined) return publicUrl.replace(/\/$/, '');
  const forwardedHost = headerOf(request, 'x-forwarded-host');
  if (forwardedHost !== undefined && isLoopback(request.socket.remoteAddress)) {
    const protocol = headerOf(request, 'x-forwarded-proto') ?? 'https';
    return `${protocol === 'http' ? 'http' : 'https'}://${forwardedHost}`;
  }
  const scheme = 'encrypted' in request.raw.socket ? 'https' : 'http';
  return `${scheme}://${request.headers.host ?? 'localhost'}`;
}

/** A header that has one value of a sensible length. */
export function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' && value.length <= HEADER_LENGTH ? value : undefined;
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(127\.|::1$|::ffff:127\.)/.test(address);
}
