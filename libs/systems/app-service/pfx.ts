import { Duplex } from 'node:stream';
import { TLSSocket, createSecureContext } from 'node:tls';
import type { X509Certificate } from 'node:crypto';
import type { Secret } from '#libs/kernel/secret.js';

/** A certificate as far as it may be shown: nothing of its key. */
export interface PfxCertificate {
  subject: string;
  hostNames: string[];
  expiresAt: Date;
  /** SHA-1, 40 hexadecimal digits in upper case, as App Service names certificates. */
  thumbprint: string;
}

export type PfxReading =
  { state: 'read'; certificate: PfxCertificate } | { state: 'unreadable'; why: 'password' | 'content' };

/**
 * Reads the certificate of a PKCS #12 file (RFC 7292) that belongs to its key.
 * @param content the file as base64
 */
export function readPfx(content: Secret, password: Secret): PfxReading {
  const pfx = Buffer.from(content.reveal(), 'base64');
  let leaf: X509Certificate | undefined;
  try {
    // Only the TLS of Node takes such files apart: a connection that goes nowhere shows the certificate that it would use.
    const secureContext = createSecureContext({ pfx, passphrase: password.reveal() });
    const nowhere = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    const socket = new TLSSocket(nowhere, { isServer: true, secureContext });
    leaf = socket.getX509Certificate();
    socket.destroy();
  } catch (error) {
    // OpenSSL tells by words alone what is wrong; the file is the caller's, so no such fault is ours.
    if (!Error.isError(error)) throw error;
    return {
      state: 'unreadable',
      why: /mac verify|bad decrypt|password/i.test(error.message) ? 'password' : 'content',
    };
  }
  return leaf === undefined ? { state: 'unreadable', why: 'content' } : { state: 'read', certificate: described(leaf) };
}

function described(certificate: X509Certificate): PfxCertificate {
  const names = (certificate.subjectAltName ?? '').split(', ').filter((name) => name.startsWith('DNS:'));
  const subject = /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? certificate.subject;
  const hostNames = names.map((name) => name.slice('DNS:'.length).toLowerCase());
  return {
    subject,
    hostNames: hostNames.length > 0 ? hostNames : [subject.toLowerCase()],
    expiresAt: new Date(certificate.validTo),
    thumbprint: certificate.fingerprint.replaceAll(':', '').toUpperCase(),
  };
}

/** Whether one of the names covers the host name; `*` stands for one label. */
export function covers(names: readonly string[], hostName: string): boolean {
  const wanted = hostName.toLowerCase();
  const parent = `*${wanted.slice(wanted.indexOf('.'))}`;
  return names.some((name) => name.toLowerCase() === wanted || name.toLowerCase() === parent);
}
