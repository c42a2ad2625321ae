import { randomBytes, webcrypto } from 'node:crypto';
import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  type X509Certificate,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGNING_ALGORITHM = { name: 'ECDSA', hash: 'SHA-256' };
const DAY_MS = 86_400_000;

/** PEM. */
export interface TestCertificate {
  certificate: string;
  key: string;
}

interface Signed {
  commonName: string;
  /** Addresses or names of a server; none for a client. */
  hosts?: string[];
  /** When it ends, in days from now; negative for one that has expired. */
  days?: number;
}

/** An authority of a test, which signs servers and clients. */
export class TestAuthority {
  private constructor(
    readonly certificate: string,
    private readonly issuer: X509Certificate,
    private readonly keys: webcrypto.CryptoKeyPair,
  ) {}

  static async create(): Promise<TestAuthority> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const issuer = await X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(),
      name: `CN=Test authority ${randomBytes(4).toString('hex')}`,
      ...validity(30),
      signingAlgorithm: SIGNING_ALGORITHM,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    });
    return new TestAuthority(`${issuer.toString('pem')}\n`, issuer, keys);
  }

  async sign({ commonName, hosts, days = 30 }: Signed): Promise<TestCertificate> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: `CN=${commonName}`,
      issuer: this.issuer.subject,
      ...validity(days),
      signingAlgorithm: SIGNING_ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: this.keys.privateKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([
          hosts === undefined ? ExtendedKeyUsage.clientAuth : ExtendedKeyUsage.serverAuth,
        ]),
        ...(hosts === undefined
          ? []
          : [
              new SubjectAlternativeNameExtension(
                hosts.map((host) => ({
                  type: /^[\d.]+$/.test(host) ? ('ip' as const) : ('dns' as const),
                  value: host,
                })),
              ),
            ]),
      ],
    });
    const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
    const key = `-----BEGIN PRIVATE KEY-----\n${(der.match(/.{1,64}/g) ?? []).join('\n')}\n-----END PRIVATE KEY-----\n`;
    return { certificate: `${certificate.toString('pem')}\n`, key };
  }
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - 60 * DAY_MS), notAfter: new Date(Date.now() + days * DAY_MS) };
}

/** Positive, as certificates demand it. */
function serialNumber(): string {
  return `01${randomBytes(15).toString('hex')}`;
}
